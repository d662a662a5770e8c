"""The API server's clock as a client sees it: hours from ours, jumping, and absent."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bgpctl.core.state_document import from_document
from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from tests.support import clients
from tests.support.apiserver import running

pytestmark = pytest.mark.integration

HOUR = 3600.0


class Clock:
    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[ApiServer]:
    with running(controllers=False, clock=clock) as started:
        started.apply(*crds())
        yield started


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR])
def test_a_server_whose_clock_is_not_ours(server: ApiServer, clock: Clock, ahead: float) -> None:
    clock.ahead = ahead
    api = clients.client(server)
    api.get(paths.NODES)
    assert api.now() <= clock() <= api.latest() + 0.1
    assert clock() - api.now() < 1.5


def test_a_status_is_dated_by_the_server(server: ApiServer, clock: Clock) -> None:
    """What a speaker's machine takes for the time does not matter: both ends of the wait are the server's."""
    clock.ahead = HOUR
    api = clients.client(server)
    state = {"apiVersion": "bgpctl.io/v1alpha1", "kind": "BGPNodeState", "metadata": {"name": "n"}}
    api.create(paths.NODE_STATES, state)
    body = {"status": {"phase": "Running", "heartbeatTime": "2026-01-01T00:00:00.000000Z"}}
    written = from_document(api.patch(f"{paths.node_state('n')}/status", body))
    assert 0 <= api.latest() - written.reported_at < 2.5
    clock.ahead += 10.0
    again = from_document(api.patch(f"{paths.node_state('n')}/status", {"status": {"phase": "Leaving"}}))
    assert again.reported_at - written.reported_at >= 10.0


def test_a_clock_that_jumps_hurries_nobody_and_stops_nobody(server: ApiServer, clock: Clock) -> None:
    api = clients.client(server)
    api.get(paths.NODES)
    began, local = api.now(), time.monotonic()
    for clock.ahead in (HOUR, -HOUR, 365 * 24 * HOUR, -1.8e9, 0.0):
        api.get(paths.NODES)
        assert 0.0 <= api.now() - began <= time.monotonic() - local + 1.5
