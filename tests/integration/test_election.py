"""Several processes and one Lease at an API: one leads, the others wait without polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from bgpctl.errors import BgpctlError
from bgpctl.kube import lease, paths
from bgpctl.kube.election import Election, Terms
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.api.server import ApiServer
from tests.support import apiserver, clients
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

QUICK = Terms(duration=1, renew_every=0.3, spread=0.1)
PATH = paths.lease(lease.NAMESPACE, "test")


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as running:
        yield running


class Member:
    """One process: asks whenever it is rung or its patience ends, as Verdicts does."""

    def __init__(self, server: ApiServer, me: str) -> None:
        self._wake, self._stopped = threading.Event(), threading.Event()
        self.election = Election(clients.client(server), "test", me, self._wake.set, QUICK).start()
        self.leads = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.leads = self.election.leads()
            self._wake.wait(self.election.patience)
            self._wake.clear()

    def stop(self, resign: bool = True) -> None:
        self._stopped.set()
        self._wake.set()
        self._thread.join()
        self.leads = False
        if resign:
            self.election.resign()


@pytest.mark.alone
def test_one_leads_the_next_follows_and_one_that_dies_is_replaced(server: ApiServer) -> None:
    members = [Member(server, name) for name in ("a", "b", "c")]
    try:
        leader = eventually(lambda: next((m for m in members if m.leads), None))
        throughout(lambda: [m.leads for m in members].count(True) == 1 and leader.leads, 1.5)
        leader.stop()
        members.remove(leader)
        began = time.monotonic()
        second = eventually(lambda: next((m for m in members if m.leads), None))
        assert time.monotonic() - began < 0.9, "a Lease that was given back is not waited for"
        second.stop(resign=False)
        members.remove(second)
        eventually(lambda: members[0].leads, deadline=5)
    finally:
        for member in members:
            member.stop()


def test_who_comes_back_leads_at_once_and_a_stolen_lease_is_noticed(server: ApiServer) -> None:
    api = clients.client(server)
    first = Member(server, "a")
    eventually(lambda: first.leads)
    first.stop(resign=False)
    again = Member(server, "a")
    try:
        eventually(lambda: again.leads, deadline=0.9)
        stolen = api.get(PATH)
        stolen["spec"] |= {"holderIdentity": "thief", "leaseDurationSeconds": 60}
        eventually(lambda: api.replace(PATH, {**stolen, "metadata": api.get(PATH)["metadata"]}))
        eventually(lambda: not again.leads)
        throughout(lambda: not again.leads, 0.5)
    finally:
        again.stop()
    assert api.get(PATH)["spec"]["holderIdentity"] == "thief"


def test_a_lease_that_may_not_be_read_is_an_error(server: ApiServer) -> None:
    server.faults.add(Fault("answer", verb="list", resource="leases", code=403))
    election = Election(clients.client(server), "test", "a", lambda: None, QUICK).start()
    try:
        with pytest.raises(BgpctlError, match="fault injected"):
            eventually(election.leads)
    finally:
        server.faults.clear()
        election.resign()
