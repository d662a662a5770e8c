"""One run owns a node: the Lease on the embedded API, without sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bgpctl.errors import BgpctlError, Blocked, Temporary
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client, Conflict
from bgpctl.lab.api.requests import Answer
from tests.kit import direct, objects
from tests.kit.direct import Asked, Wire
from tests.kit.wait import eventually

NODE = "worker-1"
PATH = paths.lease(lease.NAMESPACE, lease.name_for(NODE))


@pytest.fixture
def wire() -> Wire:
    made = direct.Api()
    made.server.apply(objects.node(NODE))
    return Wire(made)


@pytest.fixture
def api(wire: Wire) -> Client:
    return wire.client()


def outage(wire: Wire, verb: str = "") -> None:
    """About Leases the API server answers 503, to all requests or to those of one verb."""

    def before(asked: Asked) -> Answer | None:
        return direct.refused(503) if asked.resource == "leases" and verb in asked.verb else None

    wire.before = before


def over(wire: Wire) -> None:
    wire.before = lambda asked: None


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
        with pytest.raises(Blocked):
            mine.confirm()
        mine.acquire(None)
        mine.confirm()
        begun = spec(api)
        assert begun["holderIdentity"] == "a@there:1/x"
        eventually(lambda: spec(api)["renewTime"] > begun["renewTime"])
        assert spec(api)["acquireTime"] == begun["acquireTime"]
        mine.release()
        with pytest.raises(Blocked):
            mine.confirm()
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
        mine.confirm()
        assert spec(api)["holderIdentity"] == mine.holder
        with pytest.raises(Blocked, match="a@there:1/x"):
            other.confirm()


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
            with pytest.raises(Blocked):
                mine.confirm()
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


def test_an_outage_is_survived(wire: Wire, api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        outage(wire)
        assert not mine.lost.wait(0.4)
        with pytest.raises(Temporary):
            mine.confirm()  # nobody can tell: it is neither lost nor ours
        assert not mine.lost.is_set()
        over(wire)
        mine.confirm()
        renewed = spec(api)["renewTime"]
        eventually(lambda: spec(api)["renewTime"] > renewed)


def test_after_a_long_outage_it_is_renewed_before_anything_is_done_under_it(
    wire: Wire, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had run out: whoever looked meanwhile was free to take it, and sees now that it is held."""
    with lock(api, every=60) as mine:
        mine.acquire(None)
        begun = spec(api)["renewTime"]
        mine.confirm()
        assert spec(api)["renewTime"] == begun, "a fence that has not run out writes nothing"
        monkeypatch.setattr(lease, "DURATION", -1)  # as if that time had passed
        mine.confirm()
        assert spec(api)["renewTime"] > begun
        outage(wire)
        with pytest.raises(Temporary):
            mine.confirm()
        over(wire)
        with lock(api, "thief@there:9/z", every=60) as thief:
            thief.acquire(lease.read(api, NODE))
            with pytest.raises(Blocked, match="thief@there:9/z"):
                mine.confirm()
            assert mine.lost.is_set()
            assert spec(api)["holderIdentity"] == "thief@there:9/z"


def test_it_is_read_at_every_question(api: Client) -> None:
    """Not one look that counts for a while: the thief is seen at once."""
    with lock(api, every=60) as mine, lock(api, "thief@there:9/z", every=60) as thief:
        mine.acquire(None)
        mine.confirm()
        thief.acquire(lease.read(api, NODE))
        with pytest.raises(Blocked, match="took the node over: thief@there:9/z"):
            mine.confirm()
        thief.release()
        with pytest.raises(Blocked):
            mine.confirm()  # lost once is lost


def test_who_renews_by_hand_renews_when_it_is_time(api: Client) -> None:
    now = [100.0]
    uid = api.get(paths.node(NODE))["metadata"]["uid"]
    mine = lease.NodeLock(
        api, NODE, uid, "a@there:1/x", renew_every=5, background=False, monotonic=lambda: now[0]
    )
    mine.acquire(None)
    begun = spec(api)["renewTime"]
    now[0] += 4.9
    mine.renew_when_due()
    assert spec(api)["renewTime"] == begun
    now[0] += 0.2
    mine.renew_when_due()
    assert spec(api)["renewTime"] > begun
    mine.release()


# --- the journal's copy -----------------------------------------------------------------------------------


def copy_of(api: Client) -> str | None:
    found = (api.get(PATH)["metadata"].get("annotations") or {}).get("bgpctl.io/run")
    return str(found) if found else None


def test_a_copy_keeps_the_lease_without_a_holder(api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        mine.keep('{"prior": 1}')
        assert copy_of(api) == '{"prior": 1}'
        renewed = spec(api)["renewTime"]
        eventually(lambda: spec(api)["renewTime"] > renewed)
        assert copy_of(api) == '{"prior": 1}', "a renewal keeps it"
        mine.release()
    seen = lease.read(api, NODE)
    assert seen is not None
    assert (seen.holder, seen.copy) == ("", '{"prior": 1}')
    assert not seen.of_other("b@there:2/y"), "it is free"
    with lock(api, "b@there:2/y") as other:
        other.acquire(seen)
        assert (other.copy, copy_of(api)) == ('{"prior": 1}', '{"prior": 1}'), "the next owner has it"
        other.keep("")
        assert copy_of(api) is None
        other.release()
    assert api.find(PATH) is None


def test_a_copy_is_written_under_the_lease_and_once(api: Client) -> None:
    with lock(api, every=60) as mine, lock(api, "thief@there:9/z", every=60) as thief:
        mine.acquire(None)
        mine.keep("x")
        version = api.get(PATH)["metadata"]["resourceVersion"]
        mine.keep("x")
        assert api.get(PATH)["metadata"]["resourceVersion"] == version
        thief.acquire(lease.read(api, NODE))
        with pytest.raises(Blocked):
            mine.keep("y")
        assert (copy_of(api), mine.copy) == ("x", "x")


def test_a_copy_that_could_not_be_written_is_written_the_next_time(wire: Wire, api: Client) -> None:
    with lock(api, every=60) as mine:
        mine.acquire(None)
        outage(wire, "update")
        with pytest.raises(Temporary):
            mine.keep("x")
        over(wire)
        mine.keep("x")
        assert copy_of(api) == "x"


def test_a_lost_answer_of_acquire_is_no_second_owner(wire: Wire, api: Client) -> None:
    with lock(api) as mine:

        def lose(asked: Asked, answer: Answer) -> None:
            if asked.verb == "create":
                raise direct.lost()

        wire.after = lose
        with pytest.raises(BgpctlError):
            mine.acquire(None)
        seen = lease.read(api, NODE)
        assert seen is not None and not seen.held_by_other(mine.holder, time.time())
        mine.acquire(seen)
        mine.confirm()


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
    assert (seen.holder, seen.renewed_at, seen.expires_at, seen.copy) == ("", 0.0, float(lease.DURATION), "")
