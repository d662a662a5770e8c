"""What actions are called, how runs end for scripts, and which options a person need not give."""

from __future__ import annotations

from math import inf

import pytest

from bgpctl.core.drain.lever import Patch
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.errors import Exit
from bgpctl.runbooks.actions import (
    Action,
    ChangeNode,
    EvictPod,
    FenceObject,
    PatchObject,
    ReleaseLease,
    RestartCommand,
    RunCommand,
    TakeLease,
    WatchRouters,
)
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.hold import decided_on
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.runbooks.model import SCHEMA, Decision, Result, Status, StepReport
from bgpctl.runbooks.options import (
    DEFAULT_SETTLE,
    DEFAULT_TIMEOUT,
    ORDERS,
    DrainOptions,
    RestartOptions,
    RestoreOptions,
)
from bgpctl.runbooks.snapshot import NodeView, Snapshot
from tests.support.snapshots import pod


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (TakeLease(), "take the node's Lease"),
        (ChangeNode("cordon"), "cordon"),
        (EvictPod(pod()), "evict pod default/web-1"),
        (EvictPod(pod(), delete=True), "delete pod default/web-1"),
        (RunCommand(("off", "now")), "run off"),
        (RestartCommand(("again", "now")), "run again"),
        (WatchRouters(), "watch the routers"),
        (ReleaseLease(), "release the node's Lease"),
        (FenceObject("/x"), "make late requests of an earlier run to /x fail"),
        (PatchObject(Patch("/x", "let it go", ())), "let it go"),
    ],
)
def test_an_action_in_words(action: Action, words: str) -> None:
    assert str(action) == words


def test_a_change_that_names_nothing_changes_nothing() -> None:
    bare = ChangeNode("x")
    assert (bare.unschedulable, bare.labels, bare.journal, bare.forget, bare.leave) == (
        None,
        {},
        None,
        False,
        "",
    )
    assert (EvictPod(pod()).delete, EvictPod(pod()).grace_period) == (False, None)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("done", Exit.DONE),
        ("planned", Exit.DONE),
        ("failed", Exit.FAILED),
        ("blocked", Exit.BLOCKED),
        ("deadline", Exit.DEADLINE),
        ("interrupted", Exit.INTERRUPTED),
        ("anything", Exit.FAILED),
    ],
)
def test_exit_codes(status: str, code: Exit) -> None:
    assert Result("drain", "n1", status, "").exit_code is code


def test_what_a_result_does_not_know_is_empty() -> None:
    bare = Result("drain", "n1", "done", "")
    assert (bare.hint, bare.run, bare.proof, bare.started_at, bare.ended_at) == ("", "", "", 0.0, 0.0)
    assert (bare.steps, bare.evidence, SCHEMA) == ((), {}, "bgpctl/v1")
    told = Decision(Status.WAIT, "x")
    assert (told.actions, told.recheck, told.eta, told.hint, told.evidence) == ((), None, None, "", {})
    assert (StepReport("A", "a", "done", "").started_at, StepReport("A", "a", "done", "").ended_at) == (
        None,
        None,
    )


def test_a_look_that_saw_the_node_alone() -> None:
    """A Lease that was not looked at was watched for long enough."""
    bare = Snapshot(1.0, NodeView("n1", "u", "1", {}, unschedulable=False, ready=True))
    assert bare.node.leave == ""
    assert (bare.holder, bare.holds_lease, bare.released) == ("", False, False)
    assert (bare.lease_contested, bare.lease_watched) == (False, inf)
    assert (bare.command_exit, bare.command_tail, bare.restarted) == (None, "", False)


def test_the_careful_choice_is_the_default() -> None:
    drain, restore, restart = DrainOptions("n1"), RestoreOptions("n1"), RestartOptions("n1")
    assert ORDERS == ("guide", "withdraw-first") and drain.order == ORDERS[0]
    assert (DEFAULT_TIMEOUT, DEFAULT_SETTLE) == (600.0, 2.0), "as the README and the help say"
    assert (drain.timeout, restore.timeout, restart.timeout) == (600.0, 600.0, 600.0)
    assert (drain.settle, drain.max_unavailable, drain.lifted) == (2.0, 1, frozenset())
    assert (drain.take_over, drain.require_confirmed, drain.assume_dead) == (False, False, False)
    assert (restore.take_over, restart.take_over, restart.allow_route_loss) == (False, False, False)
    assert (restart.expected, restart.pod_selector, restart.namespace, restart.command) == (30.0, "", "", ())
    assert (drain.shutdown_command, drain.probes, restore.probes, restart.probes) == ((), (), (), ())


def test_the_shortest_command() -> None:
    assert str(CommandLine()) == "bgpctl"


def test_the_command_of_a_drain_is_what_was_typed() -> None:
    assert DrainOptions("n1").command == CommandLine(("bgpctl", "node", "drain", "n1"))
    typed = CommandLine(("kubectl", "bgp", "node", "drain", "n1"))
    assert DrainOptions("n1", typed=typed).command is typed


# --- what a decision about a Node hangs on ------------------------------------------------------------------

BARE = {"metadata": {"uid": "u"}}


@pytest.mark.parametrize(
    "other",
    [
        {"metadata": {"uid": "v"}},
        {"metadata": {"uid": "u", "labels": {"a": "b"}}},
        {"metadata": {"uid": "u", "annotations": {ANNOTATION: "{}"}}},
        {"metadata": {"uid": "u", "annotations": {LEAVE: "x"}}},
        {"metadata": {"uid": "u"}, "spec": {"unschedulable": True}},
    ],
)
def test_what_makes_it_another_node_to_decide_on(other: dict[str, object]) -> None:
    assert decided_on(other) != decided_on(BARE)


@pytest.mark.parametrize(
    "same",
    [
        {"metadata": {"uid": "u", "resourceVersion": "9", "labels": None, "annotations": None}, "spec": None},
        {"metadata": {"uid": "u", "annotations": {"other": "x"}}, "spec": {"unschedulable": False}},
        {"metadata": {"uid": "u", "labels": {}}, "status": {"conditions": []}},
    ],
)
def test_what_does_not(same: dict[str, object]) -> None:
    assert decided_on(same) == decided_on(BARE)
