"""A dry run: every decision on the world as it is, up to the first that refuses; nothing is performed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from bgpctl.core.drain.lever import Lever
from bgpctl.errors import BgpctlError, Blocked, Temporary, UsageError
from bgpctl.runbooks import model
from bgpctl.runbooks.actions import ChangeNode, TakeLease
from bgpctl.runbooks.catalogue import node_drain
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Event, Result, Status, StepReport
from bgpctl.runbooks.options import DrainOptions
from bgpctl.runbooks.plan import plan
from bgpctl.runbooks.snapshot import Snapshot
from tests.support.snapshots import LABEL, journal, snapshot


@dataclass
class Goal(model.Goal):
    name: str
    decision: Decision
    sees: frozenset[str] = frozenset({"pods"})
    title = "a goal"
    seen: list[Snapshot] = field(default_factory=list)

    @property
    def needs(self) -> frozenset[str]:
        return self.sees

    def decide(self, s: Snapshot) -> Decision:
        self.seen.append(s)
        return self.decision


@dataclass
class Previewed(Goal):
    def preview(self, s: Snapshot) -> str:
        self.seen.append(s)
        return f"{self.name} will be"


@dataclass
class Looks:
    """A world that is only looked at; each look takes a second."""

    at: float = 100.0
    asked: list[frozenset[str]] = field(default_factory=list)
    raises: Exception | None = None
    shows: dict[str, Any] = field(default_factory=dict)

    def now(self) -> float:
        return self.at

    def observe(self, needs: frozenset[str]) -> Snapshot:
        self.at += 1.0
        self.asked.append(needs)
        if self.raises:
            raise self.raises
        return snapshot(**self.shows)


def run(world: Looks, *steps: Any) -> tuple[list[Event], Result]:
    events: list[Event] = []
    going = plan("drain", "n1", "run-a", steps, world)  # type: ignore[arg-type]
    while True:
        try:
            events.append(next(going))
        except StopIteration as end:
            return events, end.value


WRITES = (ChangeNode("write it down"), TakeLease())
ACT = Goal("A", Decision(Status.ACT, "a reason", WRITES))
BARE = Goal("B", Decision(Status.WAIT, "another reason"))
DONE = Goal("C", Decision(Status.DONE, "it holds", WRITES))
BLOCKED = Goal("D", Decision(Status.BLOCKED, "no", WRITES, hint="do it"))
LATER = Previewed("E", Decision(Status.BLOCKED, "too early to tell"))


def test_one_line_for_each_goal() -> None:
    world = Looks()
    events, result = run(world, ACT, BARE, DONE, LATER)
    lines = [
        ("A", "planned", "a reason"),
        ("B", "planned", "another reason"),
        ("C", "done", "it holds"),
        ("E", "planned", "E will be"),
    ]
    assert events == [
        Event(101.0 + n, "step", name, "a goal", state, text, node="n1")
        for n, (name, state, text) in enumerate(lines)
    ]
    assert world.asked == [frozenset({"pods"})] * 4
    assert result == Result(
        "drain",
        "n1",
        "planned",
        "n1: nothing was changed; without --dry-run this is what happens",
        run="run-a",
        started_at=100.0,
        ended_at=104.0,
        steps=tuple(StepReport(name, "a goal", state, text) for name, state, text in lines),
    )


def test_a_refusal_is_the_result_and_the_steps_after_it_are_shown() -> None:
    events, result = run(Looks(), ACT, BLOCKED, DONE)
    told = [(e.step, e.state, e.text) for e in events][1:]
    assert told == [("D", "blocked", "no"), ("C", "done", "it holds")]
    assert (result.status, result.message, result.hint) == ("blocked", "no", "do it")
    assert [report.step for report in result.steps] == ["A", "D", "C"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BgpctlError("m", "h"), "failed"),
        (Temporary("m", "h"), "failed"),
    ],
)
def test_a_look_that_could_not_be_had(error: BgpctlError, status: str) -> None:
    events, result = run(Looks(raises=error), ACT)
    assert (events, result.status, result.message, result.hint) == ([], status, "m", "h")
    assert (result.steps, result.ended_at) == ((), 101.0)


def test_a_look_that_is_refused_is_a_step_that_is() -> None:
    events, result = run(Looks(raises=Blocked("m", "h")), ACT)
    assert [(e.step, e.state, e.text) for e in events] == [("A", "blocked", "m")]
    assert (result.status, result.message, result.hint) == ("blocked", "m", "h")


def test_a_usage_error_is_one() -> None:
    with pytest.raises(UsageError):
        run(Looks(raises=UsageError("no such node")), ACT)


def drain() -> list[Any]:
    return list(node_drain(DrainOptions("n1"), "run-a"))


def test_what_checked_would_write_is_what_the_later_goals_see() -> None:
    shows = {"lever": Lever(("rack",), LABEL)}
    events, result = run(Looks(shows=shows), *drain())
    assert result.status == "planned"
    texts = {e.step: e.text for e in events}
    assert texts["Checked"] == "0 pods to evict", "its words, not that it writes them down"
    assert texts["Deselected"] == "label enable-bgp=false"
    first, second = Goal("X", DONE.decision), Goal("Y", DONE.decision)
    run(Looks(shows=shows), first, drain()[1], second)
    assert first.seen[0].journal is None
    made = second.seen[0].journal
    assert isinstance(made, Journal) and (made.run, made.deselect) == ("run-a", LABEL)


def test_a_journal_that_is_there_is_what_they_see() -> None:
    record = journal()
    goal = Goal("X", DONE.decision)
    run(Looks(shows={"journal": record}), drain()[1], goal)
    assert goal.seen[0].journal == record
