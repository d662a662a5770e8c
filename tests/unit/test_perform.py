"""What a run's hands put on the wire, what they make of each answer, and what they say when something is in
the way. The real Performer on the embedded API; `test_fence` has who may write at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import pytest

from bgpctl.core.drain.eviction import to_evict
from bgpctl.core.drain.lever import Create, Delete, Patch
from bgpctl.core.policy.annotations import LEAVE, LEAVE_REASON
from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Conflict, NotFound
from bgpctl.lab.api import status
from bgpctl.lab.api.requests import Answer, refusal
from bgpctl.runbooks import child, perform
from bgpctl.runbooks.actions import (
    Action,
    ChangeNode,
    EvictPod,
    FenceObject,
    PatchObject,
    ReleaseLease,
    RunCommand,
    WatchRouters,
)
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump, load
from bgpctl.runbooks.snapshot import EvictionNote
from bgpctl.runbooks.world import World
from tests.support import direct, second_writer
from tests.support.direct import EPOCH, Asked
from tests.support.second_writer import LEASE, NODE, Rig

POD = "default/web-1"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with second_writer.running() as started:
        yield started


@dataclass
class Owner:
    """A run that owns the node; what it sends from now on, and how that is answered."""

    world: World
    wire: direct.Wire
    begun: int = field(init=False)

    def __post_init__(self) -> None:
        self.begun = len(self.wire.sent)

    def perform(self, action: Action) -> bool:
        self.begun = len(self.wire.sent)
        return self.world.perform(action)

    @property
    def sent(self) -> list[Asked]:
        """The writes of the last action."""
        return [asked for asked in self.wire.sent[self.begun :] if asked.writes]

    def answers(self, resource: str, answer: Answer) -> None:
        self.wire.before = lambda asked: answer if asked.resource == resource and asked.writes else None

    def pod(self) -> EvictPod:
        (pod,) = to_evict(self.world.observe(frozenset({"pods"})).pods)
        return EvictPod(pod)


@pytest.fixture
def owner(rig: Rig) -> Owner:
    wire = rig.wire()
    return Owner(rig.owner(client=wire.client()), wire)


# --- evictions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grace", "asked_for"),
    [(None, {}), (-1, {}), (0, {"gracePeriodSeconds": 0}), (30, {"gracePeriodSeconds": 30})],
)
def test_an_eviction_is_about_exactly_this_pod(owner: Owner, grace: int | None, asked_for: Any) -> None:
    """-1 is kubectl's word for "as the pod says"."""
    action = replace(owner.pod(), grace_period=grace)
    assert owner.perform(action) is True
    (asked,) = owner.sent
    assert (asked.method, asked.path) == ("POST", f"{second_writer.POD}/eviction")
    options = {"preconditions": {"uid": action.pod.uid}, **asked_for}
    assert asked.document == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web-1", "namespace": "default"},
        "deleteOptions": options,
    }
    owner.perform(replace(action, delete=True))
    (asked,) = owner.sent
    assert (asked.method, asked.path, asked.document) == ("DELETE", second_writer.POD, options)


BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."


def held_back(retry_after: int = 0) -> Answer:
    details = {
        "causes": [
            {"reason": "DisruptionBudget", "message": "The disruption budget web needs 1 healthy pods"}
        ],
        **({"retryAfterSeconds": retry_after} if retry_after else {}),
    }
    return refusal(status.ApiError(429, "TooManyRequests", BUDGET, details))


@pytest.mark.parametrize(
    ("answer", "done", "asked_again"),
    [
        (None, True, 30.0),
        (held_back(), False, 2.0),
        (held_back(10), False, 10.0),
        (refusal(status.ApiError(404, "NotFound", "gone", {"name": "web-1"})), False, 2.0),
        (direct.refused(500, "InternalError", "two budgets"), False, 2.0),
    ],
    ids=["accepted", "held back", "held back for 10 s", "gone", "two budgets"],
)
def test_when_a_pod_is_asked_again(
    owner: Owner, answer: Answer | None, done: bool, asked_again: float
) -> None:
    action = owner.pod()
    if answer:
        owner.answers("pods/eviction", answer)
    owner.world.hold.changed = False
    assert owner.perform(action) is done
    note = owner.world.observe(frozenset()).notes[action.pod.uid]
    assert note.retry_at - owner.world.now() == asked_again
    assert owner.world.changed is True


def test_why_an_eviction_is_held_back_is_kept(owner: Owner) -> None:
    action = owner.pod()
    owner.answers("pods/eviction", held_back())
    owner.perform(action)
    seen = owner.world.observe(frozenset())
    assert seen.notes == {
        action.pod.uid: EvictionNote(
            "PodDisruptionBudget default/web: The disruption budget web needs 1 healthy pods",
            EPOCH + 2,
            "web",
        )
    }


def test_an_eviction_that_is_refused_ends_the_run(owner: Owner) -> None:
    action = owner.pod()
    owner.answers("pods/eviction", direct.refused(403, "Forbidden", "you may not"))
    with pytest.raises(BgpctlError) as refused:
        owner.perform(action)
    assert refused.value.message == f"pod {POD} cannot be evicted: you may not"
    assert refused.value.hint == (
        "the node stays cordoned and is still in service; running this again goes on from here"
    )


# --- the Node -----------------------------------------------------------------------------------------------


def test_one_patch_has_all_of_a_change(rig: Rig, owner: Owner) -> None:
    version = rig.node["metadata"]["resourceVersion"]
    record = replace(_journal(owner), leaves=1)
    owner.perform(
        ChangeNode("all", unschedulable=True, labels={"a": "b", "c": None}, journal=record, leave="run-a-1")
    )
    patch, *copy = owner.sent
    assert (patch.method, patch.path) == ("PATCH", paths.node(NODE))
    assert patch.document == {
        "metadata": {
            "resourceVersion": version,
            "labels": {"a": "b", "c": None},
            "annotations": {ANNOTATION: dump(record), LEAVE: "run-a-1"},
        },
        "spec": {"unschedulable": True},
    }
    assert copy == [], "the prior state is the same: its copy is not written again"


@pytest.mark.parametrize(
    ("change", "rest"),
    [
        (ChangeNode("x", unschedulable=True), {"spec": {"unschedulable": True}}),
        (ChangeNode("x", unschedulable=False), {"spec": {"unschedulable": None}}),
        (ChangeNode("x"), {}),
    ],
)
def test_what_a_change_does_not_name_is_not_in_its_patch(owner: Owner, change: ChangeNode, rest: Any) -> None:
    owner.perform(change)
    (patch,) = owner.sent
    assert set(patch.document["metadata"]) == {"resourceVersion"}
    assert {k: v for k, v in patch.document.items() if k != "metadata"} == rest


def _journal(owner: Owner) -> Journal:
    found = owner.world.observe(frozenset()).journal
    assert found is not None
    return found


def test_the_copy_in_the_lease_is_the_prior_state_and_no_more(rig: Rig, owner: Owner) -> None:
    """What the world can tell again would make a second write of every step."""
    record = replace(
        _journal(owner),
        prior_labels={"enable-bgp": "true"},
        prior_unschedulable=True,
        steps={"Checked": 1.0},
        marks={"Relabelled": 2.0},
        evidence={"proof": ""},
        ending={"status": "failed", "reason": "", "at": 1.0},
        leaves=3,
        baselines={"192.0.2.1": 6},
    )
    owner.perform(ChangeNode("note", journal=record))
    lease = rig.lease()
    assert lease is not None
    text = lease["metadata"]["annotations"]["bgpctl.io/run"]
    prior = replace(record, steps={}, marks={}, evidence={}, ending={}, leaves=0, baselines={})
    assert load({ANNOTATION: text}) == prior
    version = lease["metadata"]["resourceVersion"]
    owner.perform(ChangeNode("step", journal=record.with_step("Cordoned", 5.0, {})))
    assert rig.lease()["metadata"]["resourceVersion"] == version  # type: ignore[index]


def test_a_reason_goes_with_the_request_to_leave_and_with_no_other_patch(rig: Rig, owner: Owner) -> None:
    record = replace(_journal(owner), options={"--reason": ("a new disk",)})
    written = []
    for change in (
        ChangeNode("leave", journal=record, leave="one"),
        ChangeNode("note", journal=record),
        ChangeNode("leave again", journal=replace(record, options={}), leave="two"),
    ):
        owner.perform(change)
        (patch,) = (one.document for one in owner.sent if one.path != LEASE)
        written.append(patch["metadata"]["annotations"].get(LEAVE_REASON, "untouched"))
    assert written == ["a new disk", "untouched", None]


def test_a_journal_that_is_forgotten_takes_its_copy_along_first(rig: Rig, owner: Owner) -> None:
    """Killed in between, there is a journal without a copy, never a copy of a journal that is over."""
    last = _journal(owner)
    owner.perform(ChangeNode("forget", forget=True, unschedulable=False))
    lease, patch = owner.sent
    assert lease.path == LEASE and "annotations" not in lease.document["metadata"]
    assert patch.document["metadata"]["annotations"] == {
        ANNOTATION: None,
        LEAVE: None,
        LEAVE_REASON: None,
    }
    assert rig.journal is None
    assert owner.world.hold.journal is None
    assert owner.world.last_journal == last, "what a run ends with is told by it"
    assert owner.world.observe(frozenset()).lost is None, "nobody else removed it"


def test_a_write_keeps_what_this_run_knows_of_its_journal(rig: Rig, owner: Owner) -> None:
    """Somebody removes it before the next look: it is not lost."""
    written = _journal(owner).with_mark("SawWithdrawn", 7.0)
    owner.perform(ChangeNode("note", journal=written))
    rig.remove_journal()
    assert owner.world.observe(frozenset()).lost == written
    assert owner.world.last_journal == written


def test_without_a_lease_a_change_of_the_node_touches_no_copy(rig: Rig) -> None:
    world = rig.world("run-a")
    world.observe(frozenset())
    for change in (ChangeNode("x", forget=True), ChangeNode("x", journal=None)):
        with pytest.raises(Blocked) as refused:
            world.perform(change)
        assert refused.value.message == "this run does not own the node; nothing more was changed"
        assert refused.value.hint == "run it again"


def test_a_conflict_is_one(rig: Rig, owner: Owner) -> None:
    """As the API server tells it: the engine looks again, and nobody else has to know the difference."""
    action = owner.pod()
    rig.label("drained")
    with pytest.raises(Conflict) as changed:
        owner.perform(action)
    assert (changed.value.code, changed.value.reason) == (409, "Conflict")
    owner.world.observe(frozenset())
    storms = []

    def storm(asked: Asked) -> None:
        if asked.method == "PATCH":
            storms.append(1)
            rig.kubelet()

    owner.wire.before = storm
    with pytest.raises(Conflict) as changed:
        owner.perform(ChangeNode("cordon", unschedulable=True))
    assert (changed.value.code, changed.value.reason) == (409, "Conflict")
    assert len(storms) == 20, "it gives up"


# --- the Lease ----------------------------------------------------------------------------------------------


def test_a_released_node_is_not_ours(rig: Rig, owner: Owner) -> None:
    lock = owner.world.hold.lock
    assert lock is not None
    assert owner.perform(ReleaseLease()) is True
    left = rig.lease()
    assert left is not None and not left["spec"].get("holderIdentity")
    assert not owner.world.observe(frozenset()).holds_lease
    assert owner.world.observe(frozenset()).released
    assert owner.perform(ReleaseLease()) is True, "twice is harmless"
    with pytest.raises(Blocked):
        owner.perform(ChangeNode("cordon", unschedulable=True))


def test_a_release_of_nothing_is_none(rig: Rig) -> None:
    world = rig.world("run-a")
    world.perform(ReleaseLease())
    assert not world.observe(frozenset()).released


def test_the_lease_counts_by_the_runs_clock_and_nobody_renews_it_beside(rig: Rig, owner: Owner) -> None:
    """With a clock of its own nothing else may have a hand in it."""
    begun = rig.lease()
    assert "lease" not in {thread.name for thread in threading.enumerate()}
    rig.clock.at += 20.0
    assert rig.lease() == begun
    owner.perform(ChangeNode("cordon", unschedulable=True))
    renewed = rig.lease()
    assert renewed is not None and begun is not None
    assert renewed["spec"]["renewTime"] == second_writer.stamp(rig.clock.at), "it had run out"
    assert renewed["spec"]["acquireTime"] == begun["spec"]["acquireTime"] == second_writer.stamp(EPOCH)


def test_nobody_performs_what_is_anothers(owner: Owner) -> None:
    with pytest.raises(AssertionError, match="nobody performs watch the routers"):
        owner.perform(WatchRouters())


# --- other objects ------------------------------------------------------------------------------------------

NAMED = {"op": "test", "path": "/metadata/name", "value": "web-1"}
OTHERWISE = {**NAMED, "value": "web-2"}
ADDED = {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}


def patch(*tests: Any) -> PatchObject:
    return PatchObject(Patch(second_writer.POD, "annotate it", (*tests, ADDED)))


def test_a_patch_of_an_object_is_sent_as_it_was_decided_on(owner: Owner) -> None:
    owner.world.hold.changed = False
    assert owner.perform(patch(NAMED))
    (asked,) = owner.sent
    assert (asked.method, asked.path) == ("PATCH", second_writer.POD)
    assert asked.document == [NAMED, ADDED] and owner.world.changed is True


@pytest.mark.parametrize(
    ("code", "test", "kind", "words", "waited"),
    [
        (409, NAMED, Conflict, "somebody was faster", 0.5),
        (404, NAMED, Conflict, f"{second_writer.POD} is gone", 0.0),
        (422, OTHERWISE, Conflict, f"{second_writer.POD} changed meanwhile", 0.5),
        (422, NAMED, ApiError, "somebody was faster", 0.0),  # its tests hold: the value is not allowed
        (400, OTHERWISE, ApiError, "somebody was faster", 0.0),
        (None, OTHERWISE, Conflict, f"{second_writer.POD} changed meanwhile", 0.5),
    ],
    ids=["conflict", "gone", "a test failed", "not allowed", "no request", "the API server's own word"],
)
def test_a_patch_that_is_refused_is_decided_again_or_ends_the_run(
    rig: Rig, owner: Owner, code: int | None, test: Any, kind: Any, words: str, waited: float
) -> None:
    if code:
        owner.answers("pods", direct.refused(code, message="somebody was faster"))
    owner.world.hold.changed, began = False, rig.clock.at
    with pytest.raises(kind, match=words) as told:
        owner.perform(patch(test))
    assert type(told.value) in (kind, NotFound) and rig.clock.at - began == waited
    assert told.value.code == (code if kind is ApiError else 409)
    assert owner.world.changed is True, "the answer may be of a proxy"


def test_an_objects_version_moves_and_nothing_else(rig: Rig, owner: Owner) -> None:
    before = rig.admin.get(second_writer.POD)
    owner.perform(FenceObject(second_writer.POD))
    assert [asked.document for asked in owner.sent] == [
        {"metadata": {"annotations": {"bgpctl.io/fence": value}}} for value in ("run-a", None)
    ]
    after = rig.admin.get(second_writer.POD)
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert "annotations" not in after["metadata"] or not after["metadata"]["annotations"]
    assert owner.world.observe(frozenset()).fenced == {second_writer.POD}


def test_an_object_that_is_gone_needs_no_version(owner: Owner) -> None:
    gone = paths.pod("default", "nobody")
    owner.perform(FenceObject(gone))
    owner.perform(FenceObject(second_writer.POD))
    assert owner.world.observe(frozenset()).fenced == {gone, second_writer.POD}


# --- commands -----------------------------------------------------------------------------------------------


@dataclass
class Ran:
    """Stands for `child`: what it was asked to run, and how that ends."""

    ends: Callable[[], tuple[int, str]]
    asked: list[tuple[list[str], float | None]] = field(default_factory=list)

    def run(self, argv: list[str], timeout: float | None, still: object = None) -> tuple[int, str]:
        self.asked.append((argv, timeout))
        return self.ends()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    made = Ran(lambda: (3, "out of reach"))
    monkeypatch.setattr(perform, "child", made)
    return made


def test_a_command_gets_the_nodes_name_and_the_time_that_is_left(rig: Rig, owner: Owner, ran: Ran) -> None:
    owner.world.hold.changed = False
    rig.clock.at += 100.0
    assert owner.perform(RunCommand(("ssh", "root@{node}", "{node} off")))
    (asked,) = ran.asked
    assert asked == (["ssh", f"root@{NODE}", f"{NODE} off"], pytest.approx(500.0))
    seen = owner.world.observe(frozenset())
    assert (seen.command_exit, seen.command_tail) == (3, "out of reach")
    assert owner.world.changed is True


@pytest.mark.parametrize(("left", "limit"), [(0.3, 1.0), (-50.0, 1.0), (inf, None), (1.5, 1.5)])
def test_a_command_gets_a_second_at_least(owner: Owner, ran: Ran, left: float, limit: float | None) -> None:
    owner.world.performer.until = owner.world.now() + left
    owner.perform(RunCommand(("off",)))
    assert ran.asked == [(["off"], limit if limit is None else pytest.approx(limit))]


def test_before_a_command_has_run_it_has_no_end(owner: Owner) -> None:
    seen = owner.world.observe(frozenset())
    assert (seen.command_exit, seen.command_tail) == (None, "")


def fail(error: Exception) -> Callable[[], tuple[int, str]]:
    def ends() -> tuple[int, str]:
        raise error

    return ends


LONGER = "--timeout gives it longer"
LATE = child.subprocess.TimeoutExpired("off", 1.0)


@pytest.mark.parametrize(
    ("error", "kind", "message", "hint"),
    [
        (
            LATE,
            DeadlineExceeded,
            "time is up at ShutDown: off did not end, and was killed",
            LONGER,
        ),
        (
            FileNotFoundError(2, "No such file or directory"),
            BgpctlError,
            "the shutdown command off cannot be run: No such file or directory",
            "",
        ),
        (
            ValueError("embedded null byte"),
            BgpctlError,
            "the shutdown command off cannot be run: embedded null byte",
            "",
        ),
        (OSError("odd"), BgpctlError, "the shutdown command off cannot be run: odd", ""),
    ],
)
def test_a_command_that_does_not_come_to_an_end(
    owner: Owner, ran: Ran, error: Exception, kind: type[BgpctlError], message: str, hint: str
) -> None:
    ran.ends = fail(error)
    owner.world.hold.changed = False
    with pytest.raises(kind) as told:
        owner.perform(RunCommand(("off",)))
    assert (told.value.message, told.value.hint) == (message, hint)
    assert type(told.value) is kind
    assert owner.world.changed, "it may have begun"


def test_another_command_has_its_own_words(owner: Owner, ran: Ran) -> None:
    ran.ends = fail(LATE)
    with pytest.raises(DeadlineExceeded) as told:
        owner.world.performer.run_command(("begin",), "restart", "Restarted")
    assert told.value.message == "time is up at Restarted: begin did not end, and was killed"
    assert told.value.hint == LONGER


# --- other objects ------------------------------------------------------------------------------------------

OBJECTS = "/api/v1/namespaces/default/configmaps"
OBJECT = f"{OBJECTS}/leave"
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "leave"}}


def test_what_is_created_is_created_once(owner: Owner) -> None:
    create = PatchObject(Create(OBJECT, "create it", BODY))
    assert owner.perform(create)
    (asked,) = owner.sent
    assert (asked.method, asked.path, asked.document) == ("POST", OBJECTS, BODY)
    with pytest.raises(Conflict):
        owner.perform(create)


def test_it_is_created_while_its_fence_is_fresh(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """It carries no version: nothing else would shut out a run that was replaced meanwhile."""
    lock = owner.world.hold.lock
    assert lock is not None
    monkeypatch.setattr(type(lock), "fresh", lambda self: False)
    with pytest.raises(Temporary, match="takes too long to say"):
        owner.perform(PatchObject(Create(OBJECT, "create it", BODY)))
    assert owner.sent == []


def test_exactly_this_object_in_this_version_is_deleted(owner: Owner) -> None:
    client = owner.world.hold.client
    about = client.create(OBJECTS, BODY)["metadata"]
    wrong = Delete(OBJECT, "delete it", "another", about["resourceVersion"])
    with pytest.raises(Conflict):
        owner.perform(PatchObject(wrong))
    with pytest.raises(Conflict):
        owner.perform(PatchObject(Delete(OBJECT, "delete it", about["uid"], "1")))
    right = PatchObject(Delete(OBJECT, "delete it", about["uid"], about["resourceVersion"]))
    assert owner.perform(right) and client.find(OBJECT) is None
    assert owner.perform(right), "twice is harmless"


def test_what_may_not_be_created_is_no_conflict(owner: Owner) -> None:
    owner.answers("configmaps", direct.refused(403))
    with pytest.raises(ApiError, match="refused by a test") as caught:
        owner.perform(PatchObject(Create(OBJECT, "create it", BODY)))
    assert not isinstance(caught.value, Conflict)
