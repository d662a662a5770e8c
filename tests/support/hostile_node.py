"""A whole speaker (`bgpctl speaker run`) with a good router, in surroundings that a test makes hostile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import yaml

from bgpctl.core.model import IPNetwork
from bgpctl.core.state import NodeState
from bgpctl.speaker.status import client as speaker_client
from tests.support import engines, objects
from tests.support.bgppeer import BgpPeer
from tests.support.hostile import HOLD, KEEPALIVE, MOST_SILENCE, PASSWORD
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

NAME, NOWHERE = "worker-1", "127.0.0.9"
SOURCE = (
    engines.new_address()
)  # of one name and address a machine has one speaker; other files' tests run beside
WEB, POD = ip_network("192.0.2.80/32"), ip_network("10.244.1.0/24")
Document = dict[str, Any]


def policy(*routers: BgpPeer) -> Document:
    """Short timers, so that a test sees what a hold timer would do; a neighbor with a password leads nowhere:
    whatever goes wrong, the password must not get out."""
    timers = {"holdTimeSeconds": HOLD, "keepAliveTimeSeconds": KEEPALIVE}
    neighbors = [objects.neighbor(f"{r.address}/32", r.asn, peerPort=r.port, **timers) for r in routers]
    guarded = objects.neighbor(f"{NOWHERE}/32", 64512, peerPort=1, authSecretRef="bgp-password", **timers)
    return objects.policy(objects.router(*neighbors, guarded))


def secret() -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bgp-password", "namespace": "kube-system"},
        "stringData": {"password": PASSWORD},
    }


def service(name: str, address: str) -> list[Document]:
    """A Service that is announced, with its EndpointSlice."""
    return [
        objects.service(name, address, ports=[{"port": 80}]),
        objects.endpoint_slice(name, objects.endpoint()),
    ]


def written(path: Path, *documents: Document) -> Path:
    """Replaced as a whole, as an editor or a ConfigMap does it."""
    draft = path.with_suffix(".new")
    draft.write_text(yaml.safe_dump_all(documents))
    draft.replace(path)
    return path


class Node:
    """A running speaker and its witness."""

    def __init__(self, speaker: SpeakerProcess, witness: BgpPeer) -> None:
        self.speaker, self.witness = speaker, witness

    @property
    def state(self) -> NodeState:
        return speaker_client.state(self.speaker.directory)

    def has(self, *prefixes: IPNetwork, deadline: float = 10.0) -> None:
        table = self.witness.routes
        eventually(
            lambda: set(prefixes) <= table(), deadline, why=f"{prefixes} at the router\n{self.speaker.log}"
        )

    def has_not(self, *prefixes: IPNetwork, deadline: float = 10.0) -> None:
        table = self.witness.routes
        eventually(lambda: not set(prefixes) & table(), deadline, why=f"no {prefixes}\n{self.speaker.log}")

    def complains(self, words: str, deadline: float = 20.0) -> None:
        """The state names a problem in these words."""
        self._until(lambda: any(words in problem for problem in self.state.problems), words, deadline)

    def is_well(self, deadline: float = 20.0) -> None:
        """No problem is left but the neighbor that leads nowhere."""
        self._until(lambda: all(NOWHERE in problem for problem in self.state.problems), "none", deadline)

    def _until(self, condition: Callable[[], bool], what: str, deadline: float) -> None:
        try:
            eventually(condition, deadline, 0.1)
        except AssertionError:
            raise AssertionError(f"{what}: not in {self.state.problems}\n{self.speaker.log}") from None

    @property
    def manager(self) -> int:
        assert self.speaker.process is not None
        return self.speaker.process.pid

    @property
    def exabgp(self) -> int:
        (pid,) = (p for p, text in self.speaker.processes().items() if "bgpctl.exabgp.child" in text)
        return pid

    def untouched(self) -> None:
        """One session, no long silence, one engine, no bug and no password in what was logged."""
        witness, log = self.witness, self.speaker.log
        assert (witness.sessions, witness.endings) == (1, []), log
        times = [message.time for message in witness.messages]
        gaps = [late - early for early, late in zip(times, [*times[1:], time.time()], strict=True)]
        assert max(gaps) < MOST_SILENCE, f"the witness heard nothing for {max(gaps):.1f} s"
        assert log.count("engine.started") == 1 and "engine.died" not in log, log
        assert "Traceback" not in log and "bug:" not in log, log
        assert PASSWORD not in log + repr(self.state)

    def withdrawn_so_far(self) -> set[IPNetwork]:
        """Every prefix that was ever taken from the witness."""
        return {prefix for update in self.witness.updates() for prefix in update.withdrawn}


@contextmanager
def node(
    place: Path, *arguments: str | Path, environment: Mapping[str, str] = {}, witness: BgpPeer
) -> Iterator[Node]:
    given = ("--node-name", NAME, "--source-address", SOURCE, *arguments)
    speaker = SpeakerProcess(place / "speaker", *given).start(**environment)
    try:
        yield Node(speaker, witness)
    finally:
        speaker.end()


@contextmanager
def witness() -> Iterator[BgpPeer]:
    with engines.new_router(hold_time=HOLD) as router:
        yield router
