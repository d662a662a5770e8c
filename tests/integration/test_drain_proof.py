"""What a drain says about the routes, and by whose word: asked routers, silent ones, dead speakers, and the
guards that refuse before anything is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from bgpctl.core.state import timestamp
from bgpctl.lab.cluster import Lab
from tests.support import lab as kit
from tests.support.cli import Ran, bgpctl
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE, OTHER = "worker-1", "worker-2"
STATE = f"/apis/bgpctl.io/v1alpha1/bgpnodestates/{NODE}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with kit.running(nodes=2) as started:
        yield started


@pytest.fixture
def silent(lab: Lab, tmp_path: Path) -> Path:
    """A kubeconfig that says nothing about routers, as a real cluster's."""
    document = yaml.safe_load(lab.kubeconfig.read_text())
    for context in document["contexts"]:
        del context["context"]["extensions"]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(autouse=True)
def in_service(lab: Lab) -> Iterator[None]:
    yield
    ran = kit.run(lab, "node", "restore", NODE)
    assert ran.code == 0, ran.out + ran.err


def drain(kubeconfig: Path, *flags: str) -> Ran:
    return bgpctl("node", "drain", NODE, "--settle", "0", "-o", "json", *flags, kubeconfig=kubeconfig)


def test_without_a_router_to_ask_it_waits_and_calls_it_estimated(silent: Path) -> None:
    ran = drain(silent)
    document = ran.document
    assert (ran.code, document["proof"]) == (0, "estimated")
    assert "estimated" in document["message"]
    assert "confirmed" not in ran.out
    step = next(step for step in document["steps"] if step["step"] == "Withdrawn")
    took = _seconds(step["endedAt"]) - _seconds(step["startedAt"])
    assert took >= document["evidence"]["worstSeconds"]
    assert document["evidence"]["missing"] == ["no router was asked"]


def _seconds(text: str) -> float:
    return time.mktime(time.strptime(text.partition(".")[0], "%Y-%m-%dT%H:%M:%S"))


def test_a_router_that_cannot_be_asked_stops_the_drain_before_its_first_change(
    lab: Lab, silent: Path
) -> None:
    before = kit.node(lab, NODE)
    ran = drain(silent, "--router-probe", "bird=/nonexistent/bird.ctl")
    assert ran.code == 3, ran.out
    assert "cannot be asked" in ran.document["message"]
    assert "correct --router-probe" in ran.document["hint"]
    assert "nothing was changed on the node" in ran.document["hint"]
    assert kit.node(lab, NODE) == before


def test_only_a_routers_word_where_it_is_required(lab: Lab, silent: Path) -> None:
    """Without a router to ask it does not begin; one that is asked too late ends it at once."""
    before, address = kit.node(lab, NODE), lab.node_state(NODE)["peers"][0]["peerAddress"]
    for flags in ((), ("--dry-run",)):
        ran = drain(silent, "--require-confirmed", *flags)
        assert (ran.code, ran.document["status"]) == (3, "blocked")
        assert f"none asks {address}" in ran.document["message"]
        assert f"--router-probe KIND=TARGET@{address}" in ran.document["hint"]
        assert kit.node(lab, NODE) == before
    assert drain(silent).document["proof"] == "estimated"
    late = drain(lab.kubeconfig, "--require-confirmed", "--timeout", "20s")
    assert (late.code, late.document["status"]) == (3, "blocked")
    said = f"bird {address} was first asked after the routes had gone, so its silence proves nothing"
    assert said.partition(" ")[2] in late.document["message"]
    assert "the right one" not in late.out and "safe to power off —" not in late.out
    assert "safe to power off" not in late.document["message"], "what the run before had seen is its own word"
    assert f"or restore first: bgpctl node restore {NODE}" in late.document["hint"]
    assert "--no-require-confirmed" in late.document["hint"], "the journal keeps what was required"
    unsure = drain(lab.kubeconfig, "--no-require-confirmed")
    assert (unsure.code, unsure.document["proof"]) == (0, "estimated")
    assert "the right one" not in unsure.out
    kit.run_ok(lab, "node", "restore", NODE)
    asked = drain(lab.kubeconfig, "--require-confirmed")
    assert (asked.code, asked.document["proof"]) == (0, "confirmed")


def test_a_profile_for_nobody_is_refused(lab: Lab, silent: Path) -> None:
    before, address = kit.node(lab, NODE), lab.node_state(NODE)["peers"][0]["peerAddress"]
    ran = drain(silent, "--peer-profile", "192.0.2.77=bird")
    assert ran.code == 2, "as `node estimate`: what was typed is wrong"
    assert "--peer-profile 192.0.2.77: worker-1 has no such peer" in ran.document["message"]
    assert f"its peers are {address}" in ran.document["hint"]
    assert kit.node(lab, NODE) == before


def test_a_silent_speaker_is_dead_only_by_the_operators_word(lab: Lab, silent: Path) -> None:
    """Nobody withdraws, and nobody says so: the routers' own timers end it if it died; a person knows."""
    _short_timers(lab)
    speaker = next(s for s in lab.speakers if s.node == NODE)
    speaker.kill()
    long_ago = timestamp(time.time() - 3600)
    with an_hour_ago(lab):
        lab.client().patch(f"{STATE}/status", {"status": {"heartbeatTime": long_ago}})
    try:
        unsure = drain(silent)
        ran = drain(silent, "--assume-dead")
    finally:
        speaker.start()
    assert unsure.code == 3
    assert "whether its routes are gone nobody knows" in unsure.document["message"]
    assert "safe to power off" not in unsure.out
    flags = "--settle 0 -o json --assume-dead"
    safe, go_on, back = unsure.document["hint"].splitlines()
    assert safe == f"do not power off {NODE}: routers may still send it traffic"
    assert go_on.endswith(f": bgpctl node drain {NODE} {flags}")
    assert back == f"to undo it: bgpctl node restore {NODE}"
    assert (ran.code, ran.document["proof"]) == (0, "estimated")
    assert "the speaker fell silent, assuming that it died" in ran.out
    assert ran.document["message"].endswith("assuming that its speaker died when it fell silent")
    assert "confirmed" not in ran.out
    eventually(lambda: lab.node_state(NODE)["heartbeatTime"] != long_ago, deadline=20)


@contextmanager
def an_hour_ago(lab: Lab) -> Iterator[None]:
    """What is written now was written then, by the API server's clock: a speaker's own does not count."""
    operations = lab.api.operations
    clock, operations.clock = operations.clock, lambda: time.time() - 3600
    try:
        yield
    finally:
        operations.clock = clock


def _short_timers(lab: Lab) -> None:
    policy = lab.client().get(kit.POLICY)
    neighbor = policy["spec"]["virtualRouters"][0]["neighbors"][0]
    neighbor.update(holdTimeSeconds=3, keepAliveTimeSeconds=1)
    neighbor["gracefulRestart"]["restartTimeSeconds"] = 2
    lab.client().replace(kit.POLICY, policy)

    def negotiated() -> bool:
        peers = lab.node_state(NODE)["peers"]
        return bool(peers) and peers[0]["timers"].get("appliedHoldTimeSeconds") == 3

    eventually(negotiated, deadline=20, why="the speaker follows the policy")
    lab.wait_ready()


def test_the_last_path_is_refused_before_anything_is_changed(lab: Lab) -> None:
    _select(lab, OTHER, "false")
    before = kit.node(lab, NODE)
    refused = kit.run(lab, "node", "drain", NODE)
    assert refused.code == 3
    assert "203.0.113.10" in refused.out
    assert "--allow-last-path" in refused.out
    assert kit.node(lab, NODE) == before
    # The other node is out by hand, which counts.
    allowed = drain(lab.kubeconfig, "--allow-last-path", "--max-unavailable", "2")
    assert (allowed.code, allowed.document["proof"]) == (0, "confirmed")
    kit.run_ok(lab, "node", "restore", NODE)
    _select(lab, OTHER, "true")


def _select(lab: Lab, name: str, value: str) -> None:
    lab.client().patch(f"{kit.NODES}/{name}", {"metadata": {"labels": {"enable-bgp": value}}})
    phase = "Running" if value == "true" else "Withdrawn"
    eventually(lambda: lab.node_state(name)["phase"] == phase, why=f"{name} is {phase}")
