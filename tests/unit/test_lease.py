"""One run owns a node: the Lease on the embedded API, without sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, Blocked, Temporary
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client, Conflict
from bgpctl.lab.api.documents import dump
from bgpctl.lab.api.requests import Answer
from tests.support import direct, objects
from tests.support.direct import Asked, Wire
from tests.support.wait import eventually

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
    boot = lease.identity("run").rpartition("-")[2]
    for run in ("run", f"run-{boot}"):
        assert view(f"u@{socket.gethostname()}:{pid}/{run}").held_by_other("me", time.time())


@pytest.mark.parametrize(
    ("pid", "asked", "raised", "dead"),
    [
        ("4194304", 4194304, ProcessLookupError, True),  # Linux's largest has seven digits
        ("4194304", 4194304, None, False),
        ("4194304", 4194304, PermissionError, False),  # another user's
        ("12345678", None, ProcessLookupError, False),
    ],
)
def test_a_process_is_asked_for_by_its_id(
    monkeypatch: pytest.MonkeyPatch, pid: str, asked: int | None, raised: type[Exception] | None, dead: bool
) -> None:
    signals: list[tuple[int, int]] = []

    def kill(number: int, signal: int) -> None:
        signals.append((number, signal))
        if raised:
            raise raised

    monkeypatch.setattr(lease.os, "kill", kill)
    holder = lease.identity("run").replace(f":{os.getpid()}/", f":{pid}/")
    assert view(holder).of_other("me") is not dead
    assert signals == ([] if asked is None else [(asked, 0)]), "0: nothing is sent, it is only looked for"


def test_an_identity_names_this_boot_and_these_process_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container has the boot of its host, and other process ids."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read(8)
    assert lease.identity("run").endswith(f"/run-{boot}.{os.stat('/proc/self/ns/pid').st_ino}")

    def hidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lease.os, "stat", hidden)
    assert lease.identity("run").endswith("/run-unknown")


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no username set")])
def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def unnamed() -> str:
        raise error

    monkeypatch.setattr(lease.getpass, "getuser", unnamed)
    assert lease.identity("run").startswith(f"{os.getuid()}@{socket.gethostname()}:")


def test_a_lease_that_runs_out_now_is_held_no_more() -> None:
    at = lease.LeaseView("b@there:1/x", 985.0, 1000.0, "1")
    assert at.held_by_other("me", 999.9) and not at.held_by_other("me", 1000.0)
    assert at.copy == ""


# --- what a Lease says --------------------------------------------------------------------------------------


def written(**spec: object) -> lease.LeaseView:
    return lease.view({"metadata": {"resourceVersion": "7"}, "spec": spec})


def test_a_lease_as_values() -> None:
    spec = {"holderIdentity": "x", "leaseDurationSeconds": 40, "renewTime": "2027-01-15T08:00:00.5Z"}
    assert written(**spec) == lease.LeaseView("x", 1800000000.5, 1800000040.5, "7", 40.0, "")


@pytest.mark.parametrize(
    ("spec", "expires"),
    [
        ({}, 15.0),
        ({"leaseDurationSeconds": 0}, 15.0),
        ({"leaseDurationSeconds": 1}, 1.0),
        ({"leaseDurationSeconds": 2**31 - 1}, 2.0**31 - 1),
        ({"renewTime": "yesterday"}, 15.0),
        ({"renewTime": "0001-01-01T00:00:00"}, 15.0),  # without a zone, before the year 1 in some
    ],
)
def test_a_time_that_cannot_be_read_is_long_ago(spec: dict[str, object], expires: float) -> None:
    seen = written(**spec)
    assert (seen.renewed_at, seen.expires_at) == (0.0, expires)


@pytest.mark.parametrize("seconds", [-1, 2**31, "15"])
def test_a_duration_that_is_none(seconds: object) -> None:
    with pytest.raises(Unreadable, match="leaseDurationSeconds"):
        written(leaseDurationSeconds=seconds)


@pytest.mark.parametrize(("length", "readable"), [(1 << 18, True), ((1 << 18) + 1, False)])
def test_a_copy_has_a_bound(length: int, readable: bool) -> None:
    annotations = {"bgpctl.io/run": "x" * length}
    document = {"metadata": {"resourceVersion": "7", "annotations": annotations}, "spec": {}}
    if readable:
        assert lease.view(document).copy == "x" * length
    else:
        with pytest.raises(Unreadable):
            lease.view(document)


def test_which_node_a_lease_is_about() -> None:
    assert lease.name_for(NODE) == f"bgpctl-node-{NODE}"
    assert lease.node_of({"metadata": {"name": f"bgpctl-node-{NODE}"}}) == NODE
    assert lease.node_of({"metadata": {"name": "bgpctl-conditions"}}) == ""


def test_a_lease_that_cannot_be_read_blocks_and_says_what_to_type(wire: Wire, api: Client) -> None:
    body = lease.document(lease.name_for(NODE), "x", "", version=None)
    wire.before = lambda asked: Answer(200, dump({**body, "spec": {"holderIdentity": {"a": 1}}}))
    with pytest.raises(Blocked) as told:
        lease.read(api, NODE)
    assert told.value.message.startswith(f"who holds node {NODE} is unknown: its Lease cannot be read (")
    assert told.value.hint == (
        f"when nobody does: kubectl -n kube-system delete lease bgpctl-node-{NODE}\nthen run this again"
    )


# --- what is written ----------------------------------------------------------------------------------------


def test_the_whole_lease(wire: Wire, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "now", lambda: "2027-01-15T08:00:00.000000Z")
    with by_hand(api) as (mine, _):
        mine.acquire(None)
        mine.keep("x")
        mine.release()
    create, keep, release = (asked.document for asked in wire.sent if asked.writes)
    uid = api.get(paths.node(NODE))["metadata"]["uid"]
    assert create == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"bgpctl-node-{NODE}",
            "namespace": "kube-system",
            "labels": {"app.kubernetes.io/managed-by": "bgpctl"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": uid}],
        },
        "spec": {
            "holderIdentity": "a@there:1/x",
            "leaseDurationSeconds": 15,
            "renewTime": "2027-01-15T08:00:00.000000Z",
            "acquireTime": "2027-01-15T08:00:00.000000Z",
        },
    }
    assert keep["metadata"]["annotations"] == {"bgpctl.io/run": "x"}
    assert (keep["spec"]["holderIdentity"], release["spec"]["holderIdentity"]) == ("a@there:1/x", "")
    assert all(one["metadata"]["resourceVersion"] for one in (keep, release))


@contextmanager
def by_hand(api: Client, holder: str = "a@there:1/x") -> Iterator[tuple[lease.NodeLock, list[float]]]:
    """A lock that nobody renews beside, and its clock."""
    now = [100.0]
    uid = api.get(paths.node(NODE))["metadata"]["uid"]
    mine = lease.NodeLock(api, NODE, uid, holder, background=False, monotonic=lambda: now[0])
    assert mine.copy == ""
    yield mine, now


def stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Lease that is written has a time of its own."""
    numbers = iter(range(1000, 9999))
    monkeypatch.setattr(lease, "now", lambda: f"2027-01-15T08:00:00.00{next(numbers)}Z")


def test_when_it_is_renewed_by_hand(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 5 s, and what was renewed is not due."""
    stamps(monkeypatch)
    with by_hand(api) as (mine, now):
        mine.acquire(None)
        renewed = []
        for at in (104.9, 105.0, 105.1, 109.9, 110.0):
            before = spec(api)["renewTime"]
            now[0] = at
            mine.renew_when_due()
            renewed.append(spec(api)["renewTime"] != before)
        assert renewed == [False, True, False, False, True]


def test_when_a_fence_renews_it(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 15 s it has run out."""
    stamps(monkeypatch)
    with by_hand(api) as (mine, now):
        mine.acquire(None)
        begun = spec(api)["renewTime"]
        now[0] = 115.0
        mine.confirm()
        assert spec(api)["renewTime"] == begun
        now[0] = 115.1
        mine.confirm()
        renewed = spec(api)["renewTime"]
        assert renewed != begun
        mine.confirm()
        assert spec(api)["renewTime"] == renewed, "it was renewed just now"


def test_what_is_lost_is_not_renewed_and_not_asked_for(wire: Wire, api: Client) -> None:
    with by_hand(api) as (mine, now), by_hand(api, "thief@there:9/z") as (thief, _):
        mine.acquire(None)
        assert not mine.fresh(), "it was not asked for yet"
        mine.confirm()
        assert mine.fresh()
        thief.acquire(lease.read(api, NODE))
        with pytest.raises(Blocked):
            mine.confirm()
        assert not mine.fresh(), "however short a time ago it asked"
        now[0] += 60.0
        asked = len(wire.sent)
        mine.renew_when_due()
        with pytest.raises(Blocked, match="took the node over: thief@there"):
            mine.confirm()
        assert len(wire.sent) == asked


def test_a_lease_that_is_written_at_this_moment_is_no_verdict(wire: Wire, api: Client) -> None:
    with by_hand(api) as (mine, now):
        mine.acquire(None)
        now[0] += 60.0
        other = Wire(wire.api).client()

        def meddle(asked: Asked) -> None:
            if asked.verb == "update":
                other.patch(PATH, {"metadata": {"labels": {"touched": "yes"}}})

        wire.before = meddle
        with pytest.raises(
            Temporary, match=f"the Lease bgpctl-node-{NODE} is being written by somebody else"
        ):
            mine.confirm()
        over(wire)
        mine.confirm()
        assert not mine.lost.is_set()


def test_what_was_never_taken_is_not_given_back(wire: Wire, api: Client) -> None:
    with by_hand(api) as (mine, _):
        mine.release()
        assert [asked for asked in wire.sent if asked.resource == "leases"] == []
        mine.acquire(None)
        mine.release()
        asked = len(wire.sent)
        mine.release()
        assert len(wire.sent) == asked, "once"


def test_it_can_be_taken_again(api: Client) -> None:
    with lock(api) as mine:
        mine.acquire(None)
        mine.release()
        mine.acquire(None)
        begun = spec(api)["renewTime"]
        eventually(lambda: spec(api)["renewTime"] > begun, why="it is renewed again")


def test_a_release_deletes_only_what_it_has_seen(wire: Wire, api: Client) -> None:
    """Somebody takes it between our look and our request."""
    with by_hand(api) as (mine, _), by_hand(Wire(wire.api).client(), "thief@there:9/z") as (thief, _):
        mine.acquire(None)

        def steal(asked: Asked) -> None:
            if asked.verb == "delete":
                thief.acquire(lease.read(Wire(wire.api).client(), NODE))

        wire.before = steal
        mine.release()
        assert spec(api)["holderIdentity"] == "thief@there:9/z"


def test_who_renews_beside_ends_with_its_lock(api: Client) -> None:
    """A daemon thread: a run that is over is not held up by it; and without `background` there is none."""
    before = set(threading.enumerate())
    with by_hand(api) as (alone, _):
        alone.acquire(None)
        assert set(threading.enumerate()) == before
        alone.release()
    with lock(api) as mine:
        mine.acquire(None)
        (beside,) = set(threading.enumerate()) - before
        assert (beside.name, beside.daemon) == ("lease", True)
        mine.release()
        assert not beside.is_alive(), "it has ended when release returns"
    with lock(api) as mine:
        mine.acquire(None)
        (beside,) = set(threading.enumerate()) - before
        mine.lost.set()
        beside.join(5)
        assert not beside.is_alive(), "there is nothing to renew"


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


def test_a_machine_that_does_not_tell_its_boot_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    known = lease.boot.__wrapped__()
    assert len(known) == 8 and known != lease.UNKNOWN
    monkeypatch.setattr("builtins.open", refused)
    assert lease.boot.__wrapped__() == lease.UNKNOWN


@pytest.mark.parametrize(("owner", "uid", "copy"), [("a", "a", "text"), ("", "a", "text"), ("a", "b", "")])
def test_a_copy_is_of_the_node_that_it_names(owner: str, uid: str, copy: str) -> None:
    """A Node that was deleted and made anew is another one: what was before is not its."""
    view = lease.LeaseView("eve@there:1/x", 0.0, 15.0, "1", copy="text", owner=owner)
    assert view.copy_of(uid) == copy
