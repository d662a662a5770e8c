"""The engine, its log or its answers are gone. What /healthz and the state say must be what the router
knows."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from tests.support import apiserver, hostile_node, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.hostile_node import NAME, POD, WEB, service
from tests.support.ports import free_port
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.hostile

NODE = hostile_node.SOURCE
HANGS = 60  # seconds; a speaker is in service after some 3 on an idle machine


class Watched:
    """A speaker that serves /healthz, its cluster, and a router."""

    def __init__(self, place: Path, router: BgpPeer, server: ApiServer) -> None:
        neighbor = objects.neighbor(f"{router.address}/32", router.asn, peerPort=router.port)
        policy = objects.policy(objects.router(neighbor))
        server.apply(*crds())
        server.apply(objects.node(NAME), policy, *service("web", "192.0.2.80"))
        server.write_kubeconfig(place / "kubeconfig")
        self.router, self.port, self._server = router, free_port(), server
        given = ("--node-name", NAME, "--source-address", NODE, "--kubeconfig", place / "kubeconfig")
        self.speaker = SpeakerProcess(place / "s", *given, listen=f"127.0.0.1:{self.port}")
        self.engine = place / "s" / "engine"

    def ask(self, page: str) -> tuple[int, str]:
        try:
            answer = urllib3.request(
                "GET", f"http://127.0.0.1:{self.port}/{page}", retries=False, timeout=2.0
            )
        except urllib3.exceptions.HTTPError:
            return 0, ""
        return answer.status, answer.data.decode()

    def healthy(self) -> bool:
        return self.ask("healthz") == (200, "ok\n")

    def red(self, words: str) -> bool:
        code, text = self.ask("healthz")
        return code == 503 and words in text and self.ask("readyz")[0] == 503

    def sessions(self) -> str:
        """As published, "" before that."""
        status = (self._server.get("bgpnodestates", NAME) or {}).get("status") or {}
        return str(status.get("sessions", ""))

    def in_service(self) -> bool:
        return {WEB, POD} <= self.router.routes() and self.healthy() and self.sessions() == "1/1"

    def child(self) -> int:
        """ExaBGP's process."""
        found = [pid for pid, text in self.speaker.processes().items() if "exabgp.child" in text]
        assert len(found) == 1, self.speaker.processes()
        return found[0]


@pytest.fixture
def watched() -> Iterator[Watched]:
    with (
        speakers.workplace() as place,
        hostile_node.witness() as router,
        apiserver.running(controllers=False) as server,
    ):
        one = Watched(place, router, server)
        try:
            yield one
        finally:
            one.speaker.end()


# --- the log is not the engine ----------------------------------------------------------------------------


def directory(path: Path) -> None:
    path.mkdir()


LOGS: list[Callable[[Path], None]] = [directory, os.mkfifo]


@pytest.mark.parametrize("make", LOGS)
def test_a_log_that_is_no_plain_file_costs_the_log(watched: Watched, make: Callable[[Path], None]) -> None:
    watched.engine.mkdir(parents=True)
    make(watched.engine / "exabgp.log")
    watched.speaker.start()
    eventually(watched.in_service, HANGS)
    watched.speaker.says("engine.log_unreadable")
    throughout(watched.in_service, 3.0)
    assert watched.speaker.log.count("engine.log_unreadable") == 1, "told once"
    watched.speaker.signal(signal.SIGTERM)
    assert watched.speaker.wait(10) == 0


@pytest.mark.parametrize("make", LOGS)
def test_a_log_that_stops_being_a_plain_file_costs_the_log(
    watched: Watched, make: Callable[[Path], None]
) -> None:
    watched.speaker.start()
    eventually(watched.in_service, HANGS)
    child, log = watched.child(), watched.engine / "exabgp.log"
    log.unlink()
    make(log)
    watched.speaker.says("engine.log_unreadable")
    throughout(watched.in_service, 3.0)
    assert (watched.child(), watched.router.sessions) == (child, 1)


def test_a_while_without_descriptors_costs_nothing(watched: Watched) -> None:
    watched.speaker.start()
    eventually(watched.in_service, HANGS)
    child, process = watched.child(), watched.speaker.process
    assert process is not None
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        watched.speaker.says("engine.log_unreadable")
        throughout(lambda: {WEB, POD} <= watched.router.routes(), 4.0)
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    eventually(watched.in_service)
    assert (watched.child(), watched.router.sessions) == (child, 1)


# --- the engine is gone -----------------------------------------------------------------------------------


def test_a_killed_engine_is_told_and_replaced(watched: Watched) -> None:
    watched.speaker.start()
    eventually(watched.in_service, HANGS)
    first = watched.child()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: watched.red("the BGP engine"), 5)
    eventually(lambda: watched.router.sessions == 2 and watched.in_service(), 15)
    assert watched.child() != first


def test_an_engine_that_does_not_answer_is_not_established(watched: Watched) -> None:
    """Its process and its session are there; what it announces is not known any more."""
    watched.speaker.start()
    eventually(watched.in_service, HANGS)
    os.kill(watched.child(), signal.SIGSTOP)
    eventually(lambda: watched.red("has not answered for more than 15 s"), 25)
    eventually(lambda: watched.sessions() == "0/1", 5)
    eventually(lambda: watched.router.sessions == 2 and watched.in_service(), 40)


def test_an_engine_that_cannot_start_turns_health_red(watched: Watched) -> None:
    (watched.engine / "engine.sock").mkdir(parents=True)
    watched.speaker.start()
    eventually(lambda: watched.red("did not start"), 15)
    throughout(lambda: not watched.healthy(), 5.0)
    assert watched.router.sessions == 0
    (watched.engine / "engine.sock").rmdir()
    eventually(watched.in_service, 25)


def test_an_engine_that_dies_again_and_again_turns_health_red(watched: Watched) -> None:
    watched.speaker.start()
    eventually(watched.in_service, HANGS)
    for death in range(3):
        os.kill(watched.child(), signal.SIGKILL)
        eventually(lambda death=death: f"generation={death + 2} " in watched.speaker.log, 10)  # type: ignore[misc]
    eventually(lambda: watched.red("stopped 3 times in a row"), 5)
    eventually(watched.in_service, 20)


# --- the directory ----------------------------------------------------------------------------------------


def test_a_relative_directory_is_one(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(watched.speaker.directory.parent)
    process = SpeakerProcess(Path("s"), *watched.speaker.arguments, listen=watched.speaker.listen)
    watched.speaker.process = process.start().process
    eventually(watched.in_service, HANGS)
    assert watched.speaker.log.count("engine.started") == 1
