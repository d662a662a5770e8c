"""One run owns a node: the Lease on the embedded API."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bgpctl.errors import BgpctlError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client, Conflict
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from tests.kit import apiserver, clients, objects
from tests.kit.wait import eventually

pytestmark = pytest.mark.integration

NODE = "worker-1"
PATH = paths.lease(lease.NAMESPACE, lease.name_for(NODE))


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as running:
        running.apply(objects.node(NODE))
        yield running


@pytest.fixture
def api(server: ApiServer) -> Client:
    return clients.client(server)


@contextmanager
def lock(api: Client, holder: str = "a@there:1/x", every: float = 0.05) -> Iterator[lease.NodeLock]:
    uid = api.get(paths.node(NODE))["metadata"]["uid"]
    made = lease.NodeLock(api, NODE, uid, holder, renew_every=every)
    try:
        yield made
    finally:
        made.release()


def spec(api: Client) -> dict[str, str]:
    found: dict[str, str] = api.get(PATH)["spec"]
    return found


def test_acquire_renew_release(api: Client) -> None:
    with lock(api) as mine:
        assert not mine.held
        mine.acquire(None)
        assert mine.held
        begun = spec(api)
        assert begun["holderIdentity"] == "a@there:1/x"
        eventually(lambda: spec(api)["renewTime"] > begun["renewTime"])
        assert spec(api)["acquireTime"] == begun["acquireTime"]
        mine.release()
        assert not mine.held
        assert api.find(PATH) is None
        mine.release()  # twice is harmless


def test_the_node_owns_its_lease(api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        node = api.get(paths.node(NODE))
        owner = api.get(PATH)["metadata"]["ownerReferences"]
        assert owner == [{"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": node["metadata"]["uid"]}]


def test_two_runs_that_both_saw_a_free_node(api: Client) -> None:
    with lock(api, "a@there:1/x") as mine, lock(api, "b@there:2/y") as other:
        mine.acquire(None)
        with pytest.raises(Conflict):
            other.acquire(None)
        assert mine.held and not other.held


def test_two_runs_that_both_saw_an_expired_lease(api: Client) -> None:
    with lock(api, "dead@there:1/x", every=60) as dead:
        dead.acquire(None)
        seen = lease.read(api, NODE)
        with lock(api, "a@there:1/x") as mine, lock(api, "b@there:2/y") as other:
            mine.acquire(seen)
            with pytest.raises(Conflict):
                other.acquire(seen)


def test_the_loser_notices(api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        with lock(api, "thief@there:9/z", every=60) as thief:

            def steal() -> bool:
                try:
                    thief.acquire(lease.read(api, NODE))
                except Conflict:
                    return False
                return True

            eventually(steal)
            assert mine.lost.wait(5)
            assert not mine.held
            mine.release()
            assert spec(api)["holderIdentity"] == "thief@there:9/z", "a lost Lease is not ours to delete"


def test_a_lease_that_was_deleted_is_lost(api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        eventually(lambda: _deleted(api))
        assert mine.lost.wait(5)


def _deleted(api: Client) -> bool:
    api.delete(PATH)
    return api.find(PATH) is None


def test_an_outage_is_survived(server: ApiServer, api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        number = server.faults.add(Fault("answer", resource="leases", code=503))
        assert not mine.lost.wait(0.4)
        assert mine.held
        server.faults.remove(number)
        renewed = spec(api)["renewTime"]
        eventually(lambda: spec(api)["renewTime"] > renewed)


def test_after_a_long_outage_it_is_ours_only_when_the_server_says_so(
    server: ApiServer, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have taken it meanwhile, and the next renewal is seconds away."""
    with lock(api, every=60) as mine:
        mine.acquire(None)
        monkeypatch.setattr(lease, "DURATION", -1)  # as if that time had passed
        assert mine.held
        number = server.faults.add(Fault("answer", resource="leases", code=503))
        with pytest.raises(BgpctlError):
            _ = mine.held
        server.faults.remove(number)
        with lock(api, "thief@there:9/z", every=60) as thief:
            thief.acquire(lease.read(api, NODE))
            assert not mine.held
            assert mine.lost.is_set()


def test_a_lost_answer_of_acquire_is_no_second_owner(server: ApiServer, api: Client) -> None:
    with lock(api) as mine:
        server.faults.add(Fault("cut", verb="create", resource="leases", count=1))
        with pytest.raises(BgpctlError):
            mine.acquire(None)
        seen = lease.read(api, NODE)
        assert seen is not None and not seen.held_by_other(mine.holder, time.time())
        mine.acquire(seen)
        assert mine.held


# --- who holds it -----------------------------------------------------------------------------------------


def view(holder: str, expires_in: float = 10.0) -> lease.LeaseView:
    now = time.time()
    return lease.LeaseView(holder, now, now + expires_in, "1")


def test_held_until_it_expires() -> None:
    now = time.time()
    assert view("b@there:1/x").held_by_other("a@here:1/y", now)
    assert not view("b@there:1/x", -1).held_by_other("a@here:1/y", now)
    assert not view("").held_by_other("a@here:1/y", now)
    assert not view("a@here:1/y").held_by_other("a@here:1/y", now)


def test_a_dead_process_of_this_machine_holds_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    now, alive = time.time(), lease.identity("run")
    dead = alive.replace(f":{os.getpid()}/", f":{gone.pid}/")
    assert not view(dead).held_by_other("me", now)
    assert view(alive).held_by_other("me", now)


def test_a_dead_process_of_another_machine_or_boot_is_not_ours_to_judge() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = lease.identity("run").replace(f":{os.getpid()}/", f":{gone.pid}/")
    elsewhere = dead.replace(f"@{socket.gethostname()}:", "@elsewhere:")
    namesake = dead[:-8] + "00000000"
    assert view(elsewhere).held_by_other("me", time.time())
    assert view(namesake).held_by_other("me", time.time())


@pytest.mark.parametrize("pid", ["", "x", "99999999999999999999", "²", "-1", "1.5"])
def test_identities_that_others_wrote(pid: str) -> None:
    assert view(f"u@{socket.gethostname()}:{pid}/run").held_by_other("me", time.time())


def test_identity_says_who_where_and_which_run() -> None:
    who = lease.identity("4f2a")
    assert f"@{socket.gethostname()}:{os.getpid()}/4f2a-" in who
    assert not view(who).held_by_other(who, time.time())


def test_leases_of_others_can_be_read(api: Client) -> None:
    document = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lease.name_for(NODE), "namespace": lease.NAMESPACE},
        "spec": {},
    }
    api.create(paths.leases(lease.NAMESPACE), document)
    seen = lease.read(api, NODE)
    assert seen is not None
    assert (seen.holder, seen.renewed_at, seen.expires_at) == ("", 0.0, float(lease.DURATION))
