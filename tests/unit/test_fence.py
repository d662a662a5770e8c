"""A run that was replaced changes nothing: the real Performer, and a second writer just before its requests.

Each test here is what kills one way of leaving the fence away: an eviction without the pod's UID, a patch of
the Node without its version, a fence that does not ask for the Lease, one that does not look whose journal it
is, and an eviction or a command without any."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.drain.eviction import to_evict
from bgpctl.core.drain.lever import Patch
from bgpctl.errors import BgpctlError, Blocked, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import Conflict
from bgpctl.kube.lease import CONFIRM_TRIES, FRESH_SECONDS, NodeLock
from bgpctl.runbooks.actions import (
    Action,
    ChangeNode,
    EvictPod,
    FenceObject,
    PatchObject,
    RunCommand,
    TakeLease,
)
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.runbooks.perform import PATCH_TRIES
from bgpctl.runbooks.world import World
from tests.support import objects, second_writer
from tests.support.second_writer import LEASE, NODE, Rig

NODE_PATH = f"{paths.node(NODE)}$"
CORDON = ChangeNode("cordon", unschedulable=True)
PATCH = Patch(
    second_writer.POD,
    "label the pod",
    (
        {"op": "test", "path": "/metadata/name", "value": "web-1"},
        {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}},
    ),
)
Made = Callable[[World], Action]


@pytest.fixture
def rig() -> Iterator[Rig]:
    with second_writer.running() as started:
        yield started


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that the command of a run makes."""
    return tmp_path / "ran"


def evict(world: World, *, delete: bool = False) -> Action:
    """The pod as the world was last looked at."""
    (pod,) = to_evict(world.observe(frozenset({"pods"})).pods)
    return EvictPod(pod, delete=delete)


def actions(mark: Path) -> dict[str, Made]:
    return {
        "change": lambda world: CORDON,
        "journal": lambda world: _journalled(world),
        "forget": lambda world: ChangeNode("forget", forget=True),
        "evict": evict,
        "delete": lambda world: evict(world, delete=True),
        "command": lambda world: RunCommand(("touch", str(mark))),
        "object": lambda world: PatchObject(PATCH),
        "version": lambda world: FenceObject(second_writer.POD),
    }


ACTIONS = tuple(actions(Path()))


def _journalled(world: World) -> Action:
    record = world.observe(frozenset()).journal
    assert record is not None
    return ChangeNode("note", journal=record.with_mark("SawWithdrawn", 1.0))


def untouched(rig: Rig, mark: Path, before: Any) -> None:
    assert (rig.node, rig.pods) == before
    assert not mark.exists()
    assert not rig.node["spec"].get("unschedulable")


@pytest.mark.parametrize("name", ACTIONS)
def test_nothing_is_done_without_a_lease(rig: Rig, mark: Path, name: str) -> None:
    world = rig.world("run-a")
    world.observe(frozenset())
    action = ChangeNode("note", journal=None) if name == "journal" else actions(mark)[name](world)
    before = rig.node, rig.pods
    with pytest.raises(Blocked, match="does not own the node"):
        world.perform(action)
    untouched(rig, mark, before)


@pytest.mark.parametrize("name", ACTIONS)
def test_a_lease_that_another_run_took_ends_every_deed(rig: Rig, mark: Path, name: str) -> None:
    """It has the Lease, and nothing else yet: the Node is still as we saw it."""
    client = rig.client()
    world = rig.owner(client=client)
    action = actions(mark)[name](world)
    other = rig.world("run-b")
    other.observe(frozenset())
    other.perform(TakeLease())
    before, sent = (rig.node, rig.pods), len(client.writes())
    with pytest.raises(Blocked, match=f"took the node over: {re.escape(other.hold.holder)}"):
        world.perform(action)
    untouched(rig, mark, before)
    assert len(client.writes()) == sent, "not even asked for"
    with pytest.raises(Blocked):
        world.observe(frozenset())


@pytest.mark.parametrize("name", ACTIONS)
def test_a_lease_that_was_deleted_is_nobodys(rig: Rig, mark: Path, name: str) -> None:
    world = rig.owner()
    action = actions(mark)[name](world)
    rig.admin.delete(LEASE)
    before = rig.node, rig.pods
    with pytest.raises(
        Blocked, match=r"somebody deleted the Lease kube-system/bgpctl-node-.*: this run changes nothing more"
    ):
        world.perform(action)
    untouched(rig, mark, before)


@pytest.mark.parametrize("name", ACTIONS)
def test_a_journal_that_names_another_holder_is_another_runs(rig: Rig, mark: Path, name: str) -> None:
    """Whatever the Lease says: the first deed of a new owner is its name in the journal."""
    world = rig.owner()
    assert rig.journal is not None
    rig.annotate(**{ANNOTATION: dump(replace(rig.journal, holder="eve@there:1/run-b"))})
    action = actions(mark)[name](world)
    if name == "journal":  # a decision taken on their journal, for ourselves, would be a claim
        action = ChangeNode("note", journal=world.observe(frozenset()).journal)
    world.observe(frozenset())
    before = rig.node, rig.pods
    with pytest.raises(Blocked, match="took the node over: eve@there:1/run-b"):
        world.perform(action)
    untouched(rig, mark, before)


@pytest.mark.parametrize("name", ACTIONS)
def test_nobody_can_tell_while_the_api_server_is_away(rig: Rig, mark: Path, name: str) -> None:
    world = rig.owner()
    action = actions(mark)[name](world)
    before = rig.node, rig.pods
    rig.away.add("leases")
    with pytest.raises(Temporary):
        world.perform(action)
    rig.away.clear()
    untouched(rig, mark, before)
    world.observe(frozenset())
    assert world.perform(CORDON)


UNGUARDED = ("evict", "delete", "command")  # the API server cannot refuse these


@pytest.mark.parametrize("name", UNGUARDED)
def test_an_answer_that_took_its_time_is_no_fence(rig: Rig, mark: Path, name: str) -> None:
    """It was ours when it was read; another run took the node while the answer was on its way."""
    client = rig.client()
    world = rig.owner(client=client)
    action = actions(mark)[name](world)

    def meanwhile() -> None:
        rig.take_over()
        rig.clock.at += 8.0

    client.late(LEASE, meanwhile)
    before = rig.node, rig.pods
    with pytest.raises(Blocked, match="took the node over"):
        world.perform(action)
    assert not mark.exists() and rig.pods == before[1]


@pytest.mark.parametrize("name", UNGUARDED)
def test_while_every_answer_takes_its_time_nothing_unguarded_is_done(rig: Rig, mark: Path, name: str) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    action = actions(mark)[name](world)

    def slow() -> None:
        rig.clock.at += FRESH_SECONDS

    client.late(LEASE, slow, times=CONFIRM_TRIES)
    before = rig.node, rig.pods
    with pytest.raises(Temporary, match="takes too long"):
        world.perform(action)
    untouched(rig, mark, before)
    client.late(LEASE, slow)
    assert world.perform(CORDON), "the API server itself refuses what is late"


@pytest.mark.parametrize("name", ["object", "version"])
def test_an_object_has_a_version_of_its_own_that_refuses_what_is_late(
    rig: Rig, mark: Path, name: str
) -> None:
    """So the answer about the Lease may take as long as it takes."""
    client = rig.client()
    world = rig.owner(client=client)

    def slow() -> None:
        rig.clock.at += FRESH_SECONDS

    client.late(LEASE, slow, times=CONFIRM_TRIES)
    assert world.perform(actions(mark)[name](world))


def test_a_process_that_was_stopped_before_its_deed_asks_again(
    rig: Rig, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = rig.owner()
    action = actions(mark)["command"](world)
    confirm = NodeLock.confirm

    def stopped(lock: NodeLock, **how: bool) -> None:
        confirm(lock, **how)
        rig.clock.at += FRESH_SECONDS

    monkeypatch.setattr(NodeLock, "confirm", stopped)
    with pytest.raises(Conflict, match="the Lease was confirmed too long ago") as told:
        world.perform(action)
    assert told.value.code == 409 and not mark.exists()


def test_who_takes_a_node_that_is_free_waits_for_nobody(rig: Rig) -> None:
    """Nor for what it did itself."""
    for _ in range(2):
        world = rig.world("run-a")
        world.observe(frozenset())
        began = rig.clock.at
        world.perform(TakeLease())
        assert rig.clock.at == began


def test_who_takes_a_node_from_one_that_may_live_waits_for_what_it_may_still_begin(rig: Rig) -> None:
    rig.owner()
    other = rig.world("run-b")
    other.observe(frozenset())
    began = rig.clock.at
    other.perform(TakeLease())
    assert rig.clock.at - began > FRESH_SECONDS
    other.observe(frozenset())


# --- the Node: the version that it was decided on -----------------------------------------------------------


def _new_node(rig: Rig) -> None:
    rig.admin.delete(paths.node(NODE))
    rig.server.apply(objects.node(NODE))


def _take_over(rig: Rig) -> None:
    rig.take_over()


OTHERS: dict[str, Callable[[Rig], object]] = {
    "relabels it": lambda rig: rig.label("drained"),
    "labels it": lambda rig: rig.admin.patch(paths.node(NODE), {"metadata": {"labels": {"zone": "b"}}}),
    "cordons it": lambda rig: rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": True}}),
    "removes the journal": lambda rig: rig.remove_journal(),
    "writes the journal": lambda rig: rig.annotate(**{ANNOTATION: dump(replace(rig.journal, leaves=9))}),
    "asks it to leave": lambda rig: rig.annotate(**{"bgpctl.io/leave": "run-b-1"}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_patch_is_about_the_node_as_it_was_decided_on(rig: Rig, other: str) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    client.before("PATCH", NODE_PATH, lambda: OTHERS[other](rig))
    record = world.observe(frozenset()).journal
    assert record is not None
    with pytest.raises(Conflict):
        world.perform(ChangeNode("leave", labels={"enable-bgp": "false"}, journal=record, leave="run-a-1"))
    assert rig.node["metadata"]["labels"]["enable-bgp"] != "false"
    assert rig.node["metadata"]["annotations"].get("bgpctl.io/leave") != "run-a-1"


def test_a_run_that_is_replaced_between_its_fence_and_its_patch_overwrites_nothing(rig: Rig) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    mine = world.observe(frozenset()).journal
    assert mine is not None
    client.before("PATCH", NODE_PATH, lambda: _take_over(rig))
    with pytest.raises(Conflict):
        world.perform(ChangeNode("note", journal=mine.with_mark("SawWithdrawn", 1.0)))
    assert rig.journal is not None and rig.journal.holder != world.hold.holder
    with pytest.raises(Blocked):
        world.perform(CORDON)


def test_a_node_made_anew_is_not_the_one_that_was_decided_on(rig: Rig) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    client.before("PATCH", NODE_PATH, lambda: _new_node(rig))
    with pytest.raises(BgpctlError):
        world.perform(CORDON)
    assert not rig.node["spec"].get("unschedulable")
    with pytest.raises(Blocked, match="deleted and made anew"):
        world.observe(frozenset())


def test_a_storm_of_statuses_starves_no_patch(rig: Rig) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    client.before("PATCH", NODE_PATH, rig.kubelet, times=PATCH_TRIES - 1)
    assert world.perform(CORDON)
    assert rig.node["spec"]["unschedulable"] is True


def test_a_storm_that_does_not_end_is_a_conflict_and_no_loop_for_ever(rig: Rig) -> None:
    client = rig.client()
    world = rig.owner(client=client)
    client.before("PATCH", NODE_PATH, rig.kubelet, times=PATCH_TRIES)
    with pytest.raises(Conflict):
        world.perform(CORDON)
    assert not rig.node["spec"].get("unschedulable")
    world.observe(frozenset())
    assert world.perform(CORDON), "the next look goes on from the version that is there"


def test_every_try_is_fenced(rig: Rig) -> None:
    """Taken over in the middle of a storm: the statuses look the same, the Lease does not."""
    client = rig.client()
    world = rig.owner(client=client)

    def storm_and_thief() -> None:
        rig.kubelet()
        other = rig.world("run-b")
        other.observe(frozenset())
        other.perform(TakeLease())

    client.before("PATCH", NODE_PATH, storm_and_thief)
    with pytest.raises(Blocked, match="took the node over"):
        world.perform(CORDON)
    assert not rig.node["spec"].get("unschedulable")


# --- pods: exactly this one, and only while the Node is as it was -------------------------------------------


@pytest.mark.parametrize("delete", [False, True])
def test_a_pod_of_the_same_name_is_another_pod(rig: Rig, delete: bool) -> None:
    """A StatefulSet made it anew between our list and our request: it was never chosen."""
    client = rig.client()
    world = rig.owner(client=client)
    action = evict(world, delete=delete)
    fresh: list[str] = []
    path = r"/pods/web-1$" if delete else r"/eviction$"
    client.before("DELETE" if delete else "POST", path, lambda: fresh.append(rig.recreate_pod()))
    world.perform(action)
    assert rig.pods == fresh
    assert "deletionTimestamp" not in rig.admin.get(second_writer.POD)["metadata"]


@pytest.mark.parametrize("name", ["evict", "delete", "command", "object", "version"])
@pytest.mark.parametrize("other", OTHERS)
def test_a_deed_without_a_version_is_done_only_on_the_node_as_it_was_decided_on(
    rig: Rig, mark: Path, name: str, other: str
) -> None:
    world = rig.owner()
    action = actions(mark)[name](world)
    OTHERS[other](rig)
    pods = rig.pods
    with pytest.raises(Conflict):
        world.perform(action)
    assert rig.pods == pods and not mark.exists()


@pytest.mark.parametrize("name", ["evict", "delete", "command"])
def test_a_status_of_the_kubelet_stops_no_deed(rig: Rig, mark: Path, name: str) -> None:
    world = rig.owner()
    action = actions(mark)[name](world)
    rig.kubelet()
    assert world.perform(action)
    assert mark.exists() or "deletionTimestamp" in rig.admin.get(second_writer.POD)["metadata"]


# --- commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_a_commands_output_may_be_any_octets(rig: Rig, code: int) -> None:
    world = rig.owner()
    said = rf"import sys; sys.stdout.buffer.write(b'\xff\xfe\n\xe9t\xe9 off\n'); sys.exit({code})"
    assert world.perform(RunCommand((sys.executable, "-c", said)))
    seen = world.observe(frozenset())
    assert (seen.command_exit, seen.command_tail) == (code, "\ufffdt\ufffd off")
    assert world.changed, "a command that ran is a change"


def test_what_a_run_has_changed(rig: Rig) -> None:
    looking = rig.world("run-b")
    looking.observe(frozenset({"cluster", "pods", "state", "routers", "estimates"}))
    assert looking.changed is False, "a look is no change"
    assert rig.owner().changed is True
