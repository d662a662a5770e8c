"""`node drain --dry-run`: every step and every refusal, also where one refuses; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.drain.guards import Guard
from bgpctl.core.drain.lever import Lever
from bgpctl.core.timing.withdrawal import Event as Ending
from bgpctl.errors import BgpctlError, Blocked, Exit, UsageError
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.model import Decision, Event, Result, Status
from bgpctl.runbooks.options import ORDERS, DrainOptions, RestoreOptions
from bgpctl.runbooks.plan import _foresee, plan
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    ASKED,
    LABEL,
    NOW,
    estimates,
    journal,
    judged,
    node,
    pod,
    running,
    seen,
    snapshot,
    withdrawn,
)

RACK = Lever(("rack",), LABEL, keys=frozenset(("enable-bgp",)))
LAST = Guard("last-path", "refuse", "it is the last path", "--allow-last-path")
KURED = Guard("kured", "refuse", "kured reboots it")
AFTER = ("Cordoned", "Evicted", "Deselected", "Withdrawn", "Settled", "ShutDown")


@dataclass
class Looked:
    """A world that can only be looked at; `failing` are the errors of looks that need this part."""

    seen: Snapshot
    failing: dict[str, Exception] = field(default_factory=dict)

    def now(self) -> float:
        return NOW

    def observe(self, needs: frozenset[str]) -> Snapshot:
        for part, error in self.failing.items():
            if part in needs:
                raise error
        return self.seen


def planned(world: Looked, options: DrainOptions | RestoreOptions) -> tuple[Result, Sequence[Event]]:
    events: list[Event] = []
    command, steps = (
        ("drain", node_drain(options, "run-a"))
        if isinstance(options, DrainOptions)
        else ("restore", node_restore(options, "run-a"))
    )
    going = plan(command, "n1", "run-a", steps, world)  # type: ignore[arg-type]
    while True:
        try:
            events.append(next(going))
        except StopIteration as end:
            return end.value, events


def at(**changes: Any) -> Snapshot:
    fresh: dict[str, Any] = {
        "lever": RACK,
        "state": running(),
        "pods": judged(pod()),
        "estimates": estimates(Ending.DESELECT),
    }
    return snapshot(**{**fresh, **changes})


@pytest.mark.parametrize("order", ORDERS)
def test_a_refused_dry_run_names_every_refusal_and_what_the_steps_after_it_would_do(order: str) -> None:
    pods = judged(pod(), pod("alone", controller_kind="", controller_name="", empty_dir=True))
    world = Looked(at(guards=(LAST, KURED), pods=pods))
    result, events = planned(world, DrainOptions("n1", order, eviction=EvictionOptions(True)))
    assert [event.step for event in events] == [
        step.name for step in node_drain(DrainOptions("n1", order), "")
    ]
    texts = {report.step: report.text for report in result.steps}
    states = {report.step: report.state for report in result.steps}
    assert (result.status, result.exit_code) == ("blocked", Exit.BLOCKED)
    assert result.message == texts["Checked"], "the refusal is the result, not the last step"
    for refusal in ("it is the last path", "kured reboots it", "no controller", "local storage"):
        assert refusal in result.message
    assert "nothing was changed on the node" in result.hint
    assert states == {"Claimed": "done", "Checked": "blocked", **dict.fromkeys(AFTER, "planned")}
    assert texts["Evicted"] == "evict 1 pod: default/web-1; refused without a flag: default/alone"
    assert texts["Deselected"] == "label enable-bgp=false"
    assert "after the withdraws, by estimate" in texts["Withdrawn"]
    assert "safe to power off" in texts["ShutDown"]


def test_one_that_is_not_refused_says_that_this_is_what_happens() -> None:
    result, _ = planned(Looked(at()), DrainOptions("n1"))
    assert (result.status, result.exit_code) == ("planned", Exit.DONE)
    assert result.message == "n1: nothing was changed; without --dry-run this is what happens"


def test_of_two_refusals_the_first_is_the_result() -> None:
    silent = at(state=running(heartbeat=NOW - 9_999), guards=(KURED,))
    result, events = planned(Looked(silent), DrainOptions("n1"))
    assert [event.step for event in events if event.state == "blocked"] == ["Checked", "Withdrawn"]
    assert result.message == "kured reboots it" and "--assume-dead" not in result.hint
    assert {event.node for event in events} == {"n1"}
    assert (result.run, result.started_at, result.ended_at) == ("run-a", NOW, NOW)


@pytest.mark.parametrize("dead", [False, True])
def test_a_silent_speaker_is_a_refusal_that_can_be_foreseen(dead: bool) -> None:
    """The run would end blocked: so does its plan, and the steps after it are foreseen all the same."""
    silent = at(state=running(heartbeat=NOW - 9_999), dead_estimates=estimates(Ending.POWER_OFF))
    result, events = planned(Looked(silent), DrainOptions("n1", assume_dead=dead))
    states = {event.step: event.state for event in events}
    if dead:
        assert (result.exit_code, states["Withdrawn"]) == (Exit.DONE, "planned")
        return
    assert (result.exit_code, states["Withdrawn"], states["Settled"]) == (Exit.BLOCKED, "blocked", "planned")
    assert result.message.startswith("its speaker is silent (last seen ")
    assert result.hint.endswith("if you know that the node is off: bgpctl node drain n1 --assume-dead")


@pytest.mark.parametrize(
    ("lever", "told"),
    [
        (Lever(("rack",), ("zone", None)), "label zone removed"),
        (Lever(("rack",), refusal="rack selects every node"), "rack selects every node"),
        (Lever(), "no policy selects this node"),
    ],
)
def test_the_label_that_a_dry_run_foresees(lever: Lever, told: str) -> None:
    result, _ = planned(Looked(at(lever=lever)), DrainOptions("n1"))
    assert next(report.text for report in result.steps if report.step == "Deselected") == told


def test_a_part_that_cannot_be_read_costs_the_steps_that_need_it() -> None:
    """The speaker's state is garbage: what needs it says so, and the others are foreseen all the same."""
    unreadable = Blocked("its BGPNodeState cannot be read", "see it")
    result, events = planned(Looked(at(), {"state": unreadable}), DrainOptions("n1"))
    states = {event.step: event.state for event in events}
    assert (result.status, result.message, result.hint) == ("blocked", unreadable.message, "see it")
    assert {step for step, state in states.items() if state == "blocked"} == {
        "Checked", "Deselected", "Withdrawn", "Settled", "ShutDown",
    }  # fmt: skip
    assert states["Cordoned"] == states["Evicted"] == "planned"


def test_the_label_is_not_guessed_where_the_checks_could_not_look() -> None:
    result, _ = planned(Looked(at(), {"cluster": Blocked("no policies")}), DrainOptions("n1"))
    text = next(report.text for report in result.steps if report.step == "Deselected")
    assert text == "take the node out of its policies, by a label that is not known yet"


def test_other_errors_end_it_and_a_refusal_stays_the_result() -> None:
    failed, events = planned(Looked(at(), {"pods": BgpctlError("the API is away")}), DrainOptions("n1"))
    assert (failed.status, failed.message) == ("failed", "the API is away")
    assert [event.step for event in events] == ["Claimed"]
    world = Looked(at(guards=(KURED,)), {"budgets": BgpctlError("the API is away")})
    refused, events = planned(world, DrainOptions("n1"))
    assert (refused.status, refused.message) == ("blocked", "kured reboots it")
    assert [event.step for event in events] == ["Claimed", "Checked", "Cordoned"]
    with pytest.raises(UsageError):
        planned(Looked(at(), {"cluster": UsageError("no such label")}), DrainOptions("n1"))


def test_a_required_confirmation_that_cannot_be_had_is_foreseen_as_that() -> None:
    options = DrainOptions("n1", require_confirmed=True)
    result, _ = planned(Looked(at(answers=(seen(RouteState.ABSENT),))), options)
    text = next(report.text for report in result.steps if report.step == "Withdrawn")
    assert text.startswith("never confirmed, which --require-confirmed needs: bird 192.0.2.1 was never seen")
    assert result.status == "blocked"
    sure, _ = planned(Looked(at(answers=(seen(RouteState.PRESENT),))), options)
    assert sure.status == "planned"


def test_a_journal_that_only_the_lease_has_is_planned_with_as_the_run_writes_it_back() -> None:
    """The plan was "nothing to do", and the run restored the node."""
    out: dict[str, Any] = {
        "node": node(labels=ASKED, unschedulable=True),
        "state": withdrawn(),
        "holds_lease": False,
    }
    kept, _ = planned(Looked(at(journal=journal(), **out)), RestoreOptions("n1"))
    lost, _ = planned(Looked(at(lost=journal(), **out)), RestoreOptions("n1"))
    texts = {report.step: report.text for report in lost.steps}
    assert (texts["Selected"], texts["Uncordoned"]) == ("label enable-bgp=true", "uncordon")
    assert lost.steps == kept.steps


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        (Decision(Status.BLOCKED, "no", hint="h"), "blocked"),
        (Decision(Status.WAIT, "later", hint="ask somebody"), "blocked"),
        (Decision(Status.WAIT, "later"), "planned"),
        (Decision(Status.ACT, "do it", hint="h"), "planned"),
        (Decision(Status.DONE, "is so", hint="h"), "done"),
    ],
)
def test_what_a_step_foresees_where_it_has_no_preview(decision: Decision, state: str) -> None:
    """A wait with a hint is for what only somebody else can end."""

    class Plain:
        def foresee(self, s: Snapshot) -> None:
            return None

        def preview(self, s: Snapshot) -> str:
            return ""

        def decide(self, s: Snapshot) -> Decision:
            return decision

    found = _foresee(Plain(), snapshot())  # type: ignore[arg-type]
    assert found == (state, decision.reason, decision.hint if state == "blocked" else "")


def test_what_a_step_would_do_has_no_hint() -> None:
    class Plain:
        def foresee(self, s: Snapshot) -> None:
            return None

        def preview(self, s: Snapshot) -> str:
            return "cordon"

    assert _foresee(Plain(), snapshot()) == ("planned", "cordon", "")  # type: ignore[arg-type]


def test_what_a_step_foresees_goes_before_its_preview() -> None:
    class Refused:
        def foresee(self, s: Snapshot) -> Decision:
            return Decision(Status.BLOCKED, "no", hint="h")

    assert _foresee(Refused(), snapshot()) == ("blocked", "no", "h")  # type: ignore[arg-type]
