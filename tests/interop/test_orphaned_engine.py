"""An engine outlives its speaker, and a second speaker of the same node starts in another directory: that one
must not say "withdrawn" while BIRD has every route."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bgpctl.lab.watcher import Watcher
from tests.support.cli import bgpctl
from tests.support.require import require
from tests.support.routers import Workshop
from tests.support.wait import eventually
from tests.support.worlds import NAME, World

pytestmark = pytest.mark.interop

ROUTES = 2  # the Service and the IPv4 pod network
HOPS = ("--next-hop", "192.0.2.1", "--next-hop", "2001:db8::1")
AWAY = {"enable-bgp": "false"}


@dataclass
class Two:
    """One node; two directories for its speaker, each with a state file of its own."""

    first: World
    second: World
    eye: Watcher

    @property
    def routes(self) -> int:
        return self.eye.count(NAME)


@pytest.fixture
def two(workshop: Workshop) -> Iterator[Two]:
    require("bird")
    lab = workshop.router("bird", nodes=1, graceful_restart=False)
    spec, node = lab.router.spec, lab.nodes[0].address
    places = [workshop.directory / name for name in ("a", "b")]
    for place in places:
        place.mkdir()
    first, second = (
        World(place, spec.address, spec.port, spec.asn, node, graceful=False) for place in places
    )
    second.write(labels=AWAY)
    with Watcher(lab.router.probe(), {NAME: node}, 0.1) as eye:
        try:
            yield Two(first, second, eye)
        finally:
            first.end()
            second.end()


def orphan(two: Two, number: signal.Signals = signal.SIGKILL) -> None:
    with two.first.speaker("detached", *HOPS) as speaker:
        eventually(lambda: two.routes >= ROUTES, why=f"the routes arrive: {speaker.log}")
        speaker.signal(number)
        speaker.wait(10)


@pytest.mark.parametrize(
    ("engine", "number"),
    [("own", signal.SIGKILL), ("detached", signal.SIGTERM), ("external", signal.SIGKILL)],
)
def test_a_speaker_elsewhere_does_not_speak_for_an_orphan(
    two: Two, engine: str, number: signal.Signals
) -> None:
    orphan(two, number)
    with two.second.speaker(engine, *HOPS) as late:
        assert late.wait(15) == 2, late.log
    assert two.second.state() == {}, "not a word of what it cannot know"
    assert two.routes >= ROUTES
    assert f"a BGP engine of node {NAME} runs without a speaker in {two.first.directory} (process" in late.log
    assert f"--directory {two.first.directory} --engine detached" in late.log
    stop = re.search(r"end it:\s+bgpctl (speaker engine stop .*)", late.log)
    assert stop is not None, late.log
    assert bgpctl(*shlex.split(stop[1])).code == 0
    eventually(lambda: two.routes == 0)
    with two.second.speaker("detached", *HOPS) as late:
        eventually(lambda: two.second.state().get("phase") == "Idle", why=late.log)


def test_the_command_that_it_names_adopts(two: Two) -> None:
    orphan(two)
    argv = ("speaker", "run", "--node-name", NAME, "--source-address", two.first._node)
    ran = bgpctl(*argv, "--file", two.first.path, "--directory", two.second.directory, "--listen", "")
    assert ran.code == 2, ran
    said = re.search(r"to adopt it:\s+bgpctl speaker run (.*)", ran.err)
    assert said is not None, ran.err
    words = shlex.split(said[1])
    assert words[-4:] == ["--directory", str(two.first.directory), "--engine", "detached"]
    assert words.count("--directory") == 1
    with two.first.speaker("detached", *HOPS) as speaker:
        speaker.says("engine.adopted")
        assert two.routes >= ROUTES


def test_one_that_does_not_answer_is_named_by_its_process(two: Two) -> None:
    orphan(two)
    engine = next(pid for pid in two.first.processes() if "exabgp.child" in _command(pid))
    os.kill(engine, signal.SIGSTOP)
    try:
        with two.second.speaker("detached", *HOPS) as late:
            assert late.wait(15) == 2, late.log
        assert f"`kill -9 {engine}` ends it" in late.log
    finally:
        os.kill(engine, signal.SIGCONT)


def test_an_external_engine_is_its_nodes_from_the_first_speaker_on(two: Two) -> None:
    with two.first.engine():
        with two.first.speaker("external", *HOPS) as speaker:
            eventually(lambda: two.routes >= ROUTES, why=speaker.log)
        with two.second.speaker("detached", *HOPS) as late:
            assert late.wait(15) == 2, late.log
        assert str(two.first.directory) in late.log


def test_an_engine_that_dies_with_its_speaker_keeps_nobody_out(two: Two) -> None:
    with two.first.speaker("own", *HOPS) as speaker:
        eventually(lambda: two.routes >= ROUTES, why=speaker.log)
    with two.second.speaker("own", *HOPS) as next_one:
        eventually(lambda: two.second.state().get("phase") == "Idle", why=next_one.log)
    eventually(lambda: two.routes == 0)


def test_two_speakers_of_one_node_at_once(two: Two) -> None:
    with two.first.speaker("own", *HOPS) as speaker:
        eventually(lambda: two.routes >= ROUTES, why=speaker.log)
        with two.second.speaker("own", *HOPS) as late:
            assert late.wait(15) == 2, late.log
        assert speaker.process is not None
        assert f"another speaker (process {speaker.process.pid}) manages the BGP engine of node" in late.log
        assert f"in {two.first.directory}" in late.log
        assert two.routes >= ROUTES


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
