"""After an outage the watches of a client come back together; a refusal is told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bgpctl.kube import paths
from bgpctl.kube.pulse import ALONE_SECONDS, SCOUT_SECONDS, SPREAD_SECONDS, Pulse
from bgpctl.kube.watch import Mirror, Timing
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from tests.support import apiserver, clients, objects
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

PATHS = (
    paths.NODES,
    paths.SERVICES,
    paths.ENDPOINT_SLICES,
    "/api/v1/pods",
    "/api/v1/namespaces",
    "/apis/apps/v1/deployments",
)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as running:
        yield running


def test_all_watches_are_back_soon_after_an_outage(server: ApiServer) -> None:
    """Each had a pause of its own, 12 s in the end: the last one came back up to 18 s later."""
    timing = Timing(backoff=(1.0, 30.0))
    client = clients.counting(server)
    with ExitStack() as stack:
        mirrors = [Mirror(client, path, lambda: None, timing=timing).start() for path in PATHS]
        for one in mirrors:
            stack.callback(one.stop)
        eventually(lambda: client.watches() == len(PATHS))
        server.faults.outage(9.0)
        eventually(lambda: all(one.problem for one in mirrors))
        tried = len(client.sent)
        eventually(lambda: not server.faults.down, 15)
        back = time.monotonic()
        during = len(client.sent) - tried
        eventually(lambda: not any(one.problem for one in mirrors), 20)
        took = time.monotonic() - back
        assert took < 1.2 * SCOUT_SECONDS + SPREAD_SECONDS + 0.5, took
        assert during < 9.0 / SCOUT_SECONDS / 0.8 + 4 * len(PATHS), "nobody hammers on a server that is down"
        server.apply(objects.node("new"))
        eventually(lambda: mirrors[0].items())


def test_what_is_listed_and_may_not_be_watched_is_one_problem(server: ApiServer) -> None:
    server.apply(objects.node("a"))
    server.faults.add(Fault("answer", verb="watch", resource="nodes", code=403))
    told: list[str] = []
    mirror: Mirror[object] = Mirror(
        clients.client(server),
        paths.NODES,
        lambda: told.append(mirror.problem),
        timing=Timing(backoff=(0.05, 0.1)),
    )
    mirror.start()
    try:
        eventually(lambda: mirror.problem)
        before = len(told)
        throughout(lambda: mirror.problem and mirror.refused, 1.0, interval=0.001)
        assert len(told) == before, "solved, and a problem again"
        server.apply(objects.node("b"))
        eventually(lambda: len(mirror.items()) == 2, why="the list goes on")
        server.faults.clear()
        eventually(lambda: not mirror.problem and not mirror.refused)
    finally:
        mirror.stop()


# --- the pauses -------------------------------------------------------------------------------------------


class Watcher:
    """One that pauses, in a thread."""

    def __init__(self, pulse: Pulse, seconds: float, least: float = 0.0) -> None:
        self.event, self.over = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=pulse.pause, args=(self.event, self.over, seconds, least), daemon=True
        )
        self._thread.start()

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()


def test_one_asks_for_all_and_wakes_them() -> None:
    pulse = Pulse()
    crowd = [Watcher(pulse, 60.0) for _ in range(8)]
    try:
        eventually(lambda: sum(not one.waits for one in crowd) == 1, 1.3 * SCOUT_SECONDS)
        throughout(lambda: sum(not one.waits for one in crowd) == 1, 0.5)
        scout = next(one for one in crowd if not one.waits)
        pulse.answered(scout.event)
        eventually(lambda: not any(one.waits for one in crowd), SPREAD_SECONDS + 0.5)
    finally:
        for one in crowd:
            one.over.set()
            pulse.forget(one.event)


def test_one_that_fails_alone_asks_for_itself() -> None:
    pulse = Pulse()
    pulse.answered(threading.Event())
    began = time.monotonic()
    alone = Watcher(pulse, 60.0)
    eventually(lambda: not alone.waits, 1.3 * ALONE_SECONDS)
    assert time.monotonic() - began > 0.7 * ALONE_SECONDS


def test_a_server_that_wants_to_be_left_alone_is_and_an_end_is_an_end() -> None:
    pulse = Pulse()
    patient = Watcher(pulse, 0.0, least=60.0)
    pulse.answered(threading.Event())
    throughout(lambda: patient.waits, 0.5)
    patient.over.set()
    eventually(lambda: not patient.waits)
    other = Watcher(pulse, 60.0)
    other.over.set()
    pulse.forget(other.event)
    eventually(lambda: not other.waits)
