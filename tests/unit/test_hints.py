"""Every hint of a run as it is pasted: a command ends its line, is whole, and is about the same cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.drain.guards import Guard, out_of_service
from bgpctl.core.drain.lever import Lever
from bgpctl.core.timing.withdrawal import Event as Ending
from bgpctl.errors import Blocked
from bgpctl.queries.nodes import NodeReport
from bgpctl.runbooks import advice, engine
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.claim import Claimed
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import Evicted
from bgpctl.runbooks.journal import ANNOTATION, load
from bgpctl.runbooks.model import Decision, Result, Status
from bgpctl.runbooks.restart_steps import ClaimedForRestart
from bgpctl.runbooks.snapshot import EvictionNote, Snapshot
from bgpctl.runbooks.withdrawn import Withdrawn
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    ASKED,
    LABEL,
    NOW,
    OTHER,
    estimates,
    journal,
    judged,
    lease,
    node,
    peer,
    pod,
    relabelled,
    running,
    seen,
    snapshot,
    withdrawn,
)

CLUSTER = "--kubeconfig /k --context lab"
TYPED = CommandLine(
    ("bgpctl", "node", "drain", "n1", "--kubeconfig", "/k", "--context", "lab", "--timeout", "3s")
)
STRICT = TYPED.with_flags(["--require-confirmed"])
RACK = Lever(("rack",), LABEL)
BEGUN = journal(steps={"Checked": NOW - 9}, options={"--timeout": ("3",), "--settle": ("2",)})
THEIRS = replace(BEGUN, holder=OTHER, options={"--timeout": ("3",)})
GONE = {"journal": relabelled(), "node": node(labels=ASKED, unschedulable=True)}
DEAD = estimates(Ending.POWER_OFF)
LAST = Guard("last-path", "refuse", "it is the last path", "--allow-last-path")
KURED = Guard("kured", "refuse", "kured reboots it")
HELD = EvictionNote("web needs 2", NOW + 2, "web")


def checked(*guards: Guard, typed: CommandLine = TYPED, strict: bool = False, **changes: Any) -> Decision:
    s = snapshot(**{"lever": RACK, "state": running(), "guards": guards, **changes})
    return Checked("run-a", "guide", typed, ("192.0.2.9",), strict).decide(s)


def gone(step: Withdrawn, **changes: Any) -> Decision:
    return step.decide(snapshot(**{**GONE, "state": withdrawn(), **changes}))


def held() -> Decision:
    pods = (pod("web-1"), pod("web-2"))
    s = snapshot(journal=BEGUN, pods=judged(*pods), notes={one.uid: HELD for one in pods})
    return Evicted(EvictionOptions(), TYPED).decide(s)


def claimed(command: str = "drain", **changes: Any) -> Decision:
    return Claimed(command, "run-a", "guide", typed=TYPED).decide(snapshot(**changes))


def waiting() -> Decision:
    return claimed(holds_lease=False, lease=lease(), lease_watched=1.0, journal=THEIRS)


TABLE: dict[str, Callable[[], Decision]] = {
    "a flag lifts it": lambda: checked(LAST),
    "no flag lifts it": lambda: checked(LAST, KURED),
    "another node is out": lambda: checked(out_of_service("n1", ["n2"])),
    "another node is out by hand": lambda: checked(out_of_service("n1", [], by_hand={"n2": "cordoned"})),
    "nobody confirms": lambda: checked(typed=STRICT, strict=True),
    "nobody confirms, and more": lambda: checked(LAST, KURED, typed=STRICT, strict=True),
    "a router shows nothing": lambda: checked(typed=STRICT, strict=True, answers=(seen(RouteState.ABSENT),)),
    "a deaf router": lambda: checked(answers=(seen(RouteState.UNKNOWN),)),
    "an unlisted policy": lambda: checked(lever=Lever(), state=running(selected_by="rack")),
    "a budget": held,
    "a pod that may not go": lambda: Evicted(EvictionOptions(), TYPED).decide(
        snapshot(journal=BEGUN, pods=judged(pod(empty_dir=True)))
    ),
    "asked too late": lambda: gone(
        Withdrawn(True, typed=STRICT), journal=relabelled(baselines={}), answers=(seen(RouteState.ABSENT),)
    ),
    "it is silent": lambda: gone(
        Withdrawn(typed=TYPED), state=running(heartbeat=NOW - 9_999), dead_estimates=DEAD, now=NOW + 9_999
    ),
    "nobody withdrew them": lambda: gone(
        Withdrawn(typed=TYPED), state=withdrawn(withdrawn=None, observed_leave="run-a-1")
    ),
    "another run holds it": waiting,
    "another run renews it": lambda: claimed(holds_lease=False, lease=lease(), lease_contested=True),
    "another order": lambda: Claimed("drain", "run-a", asked={"--order": ("x",)}, typed=TYPED).decide(
        snapshot(journal=THEIRS)
    ),
    "a drain has the node": lambda: ClaimedForRestart("run-a", typed=TYPED).decide(snapshot(journal=BEGUN)),
}


def told(decision: Decision, record: Any = BEGUN, typed: CommandLine = TYPED) -> list[str]:
    """What a person reads when the run ends with this decision."""
    ended = Result("drain", "n1", "blocked", decision.reason, hint=decision.hint, tells=decision.tells)
    if decision.status is not Status.BLOCKED:
        ended = timed_out(decision)
    return advice.completed(ended, record, typed).hint.splitlines()


class Waits:
    """A world in which nothing changes."""

    changed = False

    def now(self) -> float:
        return NOW

    monotonic = now

    def observe(self, needs: frozenset[str]) -> Snapshot:
        return snapshot()

    def perform(self, action: Any) -> bool:
        return False

    def conclude(self, status: str, reason: str) -> None: ...
    def close(self) -> None: ...


class Step:
    name, title, needs, foresees = "Step", "a step", frozenset[str](), frozenset[str]()

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def decide(self, s: Snapshot) -> Decision:
        return self.decision


def timed_out(decision: Decision) -> Result:
    going = engine.run("drain", "n1", "run-a", [Step(decision)], Waits(), 0.0, TYPED)  # type: ignore[list-item,arg-type]
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


BEHIND = re.compile(r"; |, (or|and|then) | \(|`|\.$")  # what prose behind a command begins with


def commands(rows: list[str]) -> list[str]:
    """The commands of a hint, each of which ends its line."""
    found = [row.partition(": " + start)[2] for row in rows for start in ("bgpctl ", "kubectl ")]
    assert not [row for row in rows if re.search(r"`(bgpctl|kubectl)", row)], "a command in the middle"
    assert not [one for one in found if BEHIND.search(one)], "prose behind a command"
    return [one for one in found if one]


@pytest.mark.parametrize("case", TABLE)
def test_a_command_ends_its_line_and_is_about_the_same_cluster(case: str) -> None:
    decision = TABLE[case]()
    assert decision.hint, "the case is one that has a hint"
    rows = told(decision)
    found = commands(rows)
    assert found
    assert [one for one in found if "--kubeconfig /k --context lab" not in one] == []


def test_hints_from_below_are_so_too() -> None:
    """They know no command line; the flags come where the hint is shown."""
    with pytest.raises(Blocked) as caught:
        load({ANNOTATION: "{"}, "n1")
    rows = TYPED.aimed(caught.value.hint).splitlines()
    assert [one.removesuffix(CLUSTER).strip() for one in commands(rows)] == [
        "get node n1 -o yaml",
        f"annotate node n1 {ANNOTATION}-",
        "node restore n1",
    ]
    assert TYPED.aimed("\n".join(rows)).splitlines() == rows, "once"
    assert CommandLine().aimed(caught.value.hint) == caught.value.hint


@pytest.mark.parametrize(
    ("hint", "aimed"),
    [
        ("see `kubectl get nodes`", f"see `kubectl get nodes {CLUSTER}`"),
        (
            "see `bgpctl peers status` and `kubectl get x`",
            f"see `bgpctl peers status {CLUSTER}` and `kubectl get x {CLUSTER}`",
        ),
        ("`kubectl get x`, then: kubectl get y", f"`kubectl get x {CLUSTER}`, then: kubectl get y {CLUSTER}"),
        ("start it with `bgpctl speaker run`", "start it with `bgpctl speaker run`"),
        ("pass --kubeconfig PATH, or try `bgpctl lab up`", "pass --kubeconfig PATH, or try `bgpctl lab up`"),
    ],
)
def test_a_command_in_backticks_is_about_the_same_cluster_too(hint: str, aimed: str) -> None:
    assert TYPED.aimed(hint) == aimed
    assert CommandLine().aimed(hint) == hint


def test_the_flags_of_another_command_stand_where_they_were_typed() -> None:
    first = CommandLine(("kubectl", "bgp", "--context", "lab", "node", "drain", "n1"))
    assert str(first.other("node", "status")) == "kubectl bgp --context lab node status"
    assert str(TYPED.other("node", "status")) == f"bgpctl node status {CLUSTER}"


# --- what the lines say -------------------------------------------------------------------------------------


def test_who_is_out_comes_back_by_a_whole_command() -> None:
    assert f"to bring n2 back first: bgpctl node restore n2 {CLUSTER}" in told(TABLE["another node is out"]())
    by_hand = told(TABLE["another node is out by hand"]())
    assert f"to be told how n2 comes back: bgpctl node restore n2 {CLUSTER}" in by_hand
    looked = f"to see whether somebody is at work on n2: bgpctl node status n2 {CLUSTER}"
    assert looked in told(TABLE["another node is out"]()) and looked not in by_hand


def test_asked_too_late_the_node_is_restored_first() -> None:
    rows = TABLE["asked too late"]().hint.splitlines()
    assert rows[1:] == [
        f"or restore first: bgpctl node restore n1 {CLUSTER}",
        f"and then drain again: {STRICT}",
    ]


@pytest.mark.parametrize("case", ["a budget", "another run holds it"])
def test_a_time_that_was_too_short_is_not_said_again(case: str) -> None:
    rows = told(TABLE[case]())
    assert [row for row in rows if "--timeout 3s" in row] == []
    longer = f"nothing is lost; to go on (--timeout gives it longer): bgpctl node drain n1 {CLUSTER}"
    assert longer in rows


def test_nor_by_status() -> None:
    report = NodeReport("n1", True, True, running(), BEGUN, typed=TYPED)
    assert report.ways[1] == f"to go on: bgpctl node drain n1 --settle 2 {CLUSTER}"


def test_a_time_is_left_out_however_it_was_typed() -> None:
    typed = CommandLine(("bgpctl", "node", "drain", "n1", "--timeout=3s", "--force"))
    assert str(typed.again()) == "bgpctl node drain n1 --force"


def test_a_node_that_another_run_holds_can_be_waited_for_or_taken_over() -> None:
    rows = told(waiting(), THEIRS)
    assert rows[1:] == [
        f"{OTHER} has the node: let it finish, or stop it",
        f"when it cannot be stopped: bgpctl node drain n1 {CLUSTER} --take-over",
        f"nothing is lost; to go on (--timeout gives it longer): bgpctl node drain n1 {CLUSTER}",
    ]


def test_a_restore_of_another_node_is_not_how_it_goes_on() -> None:
    rows = told(checked(replace(out_of_service("n1", ["n2"]), lift="")), None)
    assert rows[-1] == f"to run it again: {TYPED}"


# --- a dry run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "when"),
    [
        (running(peer(), heartbeat=NOW - 9_999), "last seen "),
        (None, "it was never seen"),
    ],
)
def test_a_dry_run_says_that_a_silent_speaker_tells_nobody_when_its_routes_end(state: Any, when: str) -> None:
    s = snapshot(state=state, estimates=estimates(Ending.DESELECT) if state else (), dead_estimates=DEAD)
    said = Withdrawn().preview(s)
    assert said.startswith(f"its speaker is silent ({when}")
    assert said.endswith("the routes end only if somebody says that it is dead (--assume-dead)"), (
        "no time that passes ends it"
    )
    assumed = Withdrawn(assume_dead=True).preview(s)
    assert f"{DEAD[0].worst:.0f} s after the speaker fell silent, assuming that its speaker died" in assumed
