"""What the engine tells, whole: each event with its instant, each report, and how long it waits in
between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Temporary
from bgpctl.runbooks import engine
from bgpctl.runbooks.model import Decision, Event, Result, Status, StepReport
from tests.unit.test_engine import CONFLICT, DONE, WAIT, Deed, Facts, Goal, lose, raising, run

EPOCH = 1_800_000_000
BEGUN = EPOCH + 1000.0  # `Facts.now` at the start


@dataclass
class Waits(Facts):
    """Facts that remember for how long they were waited for."""

    waited: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.waited.append(round(seconds, 6))
        super().wait(seconds)


def deciding(*decisions: Decision, name: str = "A", sees: tuple[str, ...] = ()) -> Goal:
    """One decision after the other; the last one for ever."""
    left = list(decisions)
    return Goal(name, sees, decide_by=lambda s: left.pop(0) if len(left) > 1 else left[0])


def event(at: float, kind: str, state: str, text: str, step: str = "A", **more: Any) -> Event:
    return Event(BEGUN + at, kind, step, "a goal", state, text, **more, node="n1")


FINE = Decision(DONE, "fine")


def test_a_run_from_its_begin_to_its_end() -> None:
    """Another goal waits for 3 s; a third is not reached before."""
    world = Waits()
    eta = BEGUN + 3.0
    slow = deciding(
        Decision(WAIT, "not yet", recheck=1.5, eta=eta),
        Decision(WAIT, "not yet", recheck=1.5, eta=eta),
        FINE,
        name="B",
    )
    result, events = run(world, Goal("A"), slow)
    assert events == [
        event(0, "step", "acting", "A is to come"),
        event(0, "action", "acting", "make A"),
        event(0, "step", "done", "A holds"),
        event(0, "step", "waiting", "not yet", "B", eta=eta),
        event(3, "step", "done", "fine", "B"),
    ]
    assert world.waited == [1.5, 1.5]
    assert result == Result(
        "drain",
        "n1",
        "done",
        "",
        run="run-a",
        started_at=BEGUN,
        ended_at=BEGUN + 3.0,
        steps=(
            StepReport("A", "a goal", "done", "A holds", BEGUN, BEGUN),
            StepReport("B", "a goal", "done", "fine", BEGUN, BEGUN + 3.0),
        ),
    )


def test_a_run_that_is_refused_marks_where_it_stood() -> None:
    world = Waits()
    refused = Goal("B", decide_by=lambda s: Decision(Status.BLOCKED, "no", hint="do it"))
    result, events = run(world, Goal("A"), refused, Goal("C"))
    assert events[-1:] == [
        event(0, "step", "blocked", "no", "B"),
    ]
    assert (result.status, result.message, result.hint) == ("blocked", "no", "do it")
    assert result.steps == (
        StepReport("A", "a goal", "done", "A holds", BEGUN, BEGUN),
        StepReport("B", "a goal", "blocked", "no", BEGUN, BEGUN),
        StepReport("C", "a goal", "pending", ""),
    )


def test_a_look_that_fails_at_once_ends_the_step_that_it_was_for() -> None:
    """Nothing was told of it yet."""
    world = Waits(script={0: raising(BgpctlError("boom", "again"))})
    result, events = run(world, Goal("A"), Goal("B"))
    assert events == [event(0, "step", "failed", "boom")]
    assert (result.status, result.message, result.hint) == ("failed", "boom", "again")
    assert [report.state for report in result.steps] == ["failed", "pending"]
    assert result.steps[0] == StepReport("A", "a goal", "failed", "", BEGUN, BEGUN)


# --- how long it waits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "waited"),
    [
        (Decision(WAIT, "x"), [0.5]),
        (Decision(WAIT, "x", recheck=0.0), []),
        (Decision(WAIT, "x", recheck=7.0), [7.0]),
        (Decision(WAIT, "x", recheck=70.0), [10.0]),  # it is told again every 10 s
        (Decision(Status.ACT, "x", (Deed("x"),)), []),
        (Decision(Status.ACT, "x", (Deed("x"),), recheck=0.2), [0.2]),
    ],
)
def test_how_soon_it_looks_again(decision: Decision, waited: list[float]) -> None:
    world = Waits()
    assert run(world, deciding(decision, FINE))[0].status == "done"
    assert world.waited == waited


@pytest.mark.parametrize(
    ("error", "waited"),
    [
        (Temporary("busy"), [1.0]),
        (Temporary("busy", retry_after=4.0), [4.0]),
        (CONFLICT, []),
    ],
)
def test_what_could_not_be_done_is_tried_again_in_time(error: BgpctlError, waited: list[float]) -> None:
    world = Waits()
    _, events = run(world, deciding(Decision(Status.ACT, "x", (Deed("x", error),)), FINE))
    assert world.waited == waited
    told = [event(0, "action", "waiting", "busy")] if waited else []
    assert events[1:-1] == told


def test_a_look_that_could_not_be_had_is_told_and_tried_again() -> None:
    world = Waits(script={0: raising(Temporary("busy"))})
    _, events = run(world, deciding(FINE))
    assert events == [event(0, "step", "waiting", "busy"), event(1, "step", "done", "fine")]


@pytest.mark.parametrize("error", [Temporary("busy"), CONFLICT])
def test_a_step_that_could_not_be_written_down_is_tried_again(error: BgpctlError) -> None:
    """In a second; the last one at once, because what it is true of is another world already."""
    world = Waits(failing=[error])
    _, events = run(world, deciding(FINE), deciding(FINE, name="B"))
    assert world.waited == [1.0]
    assert [e.state for e in events] == ["done", "done"], "it is told once"
    world = Waits(failing=[error])
    run(world, deciding(FINE))
    assert world.waited == []


def test_time_that_is_up_before_a_step_could_be_written_down() -> None:
    world = Waits(failing=[CONFLICT] * 9)
    result, _ = run(world, deciding(FINE), deciding(FINE, name="B"), timeout=2.5)
    assert (result.status, result.message) == ("deadline", "time is up at A: fine")
    assert world.waited == [1.0, 1.0, 0.5]


def test_a_wait_ends_with_the_time() -> None:
    world = Waits()
    result, events = run(world, deciding(Decision(WAIT, "not yet", recheck=4.0)), timeout=10.02)
    assert world.waited == [4.0, 4.0, 2.02]
    assert result.status == "deadline"
    assert events[-1] == event(10.02, "step", "deadline", "time is up at A: not yet")
    world = Waits()
    run(world, deciding(Decision(WAIT, "not yet", recheck=4.0)), timeout=4.01)
    assert world.waited == [4.0, 0.05], "not for less: the clock of the sleep is another"


def test_trouble_is_what_time_was_up_for() -> None:
    stuck = Goal("A", decide_by=lambda s: Decision(Status.ACT, "go", (Deed("x", Temporary("busy")),)))
    result, _ = run(Waits(), stuck, timeout=0.0)
    assert result.message == "time is up at A: busy"


def test_a_wait_is_told_again_from_the_last_time_on() -> None:
    """10 s after it was told first, and 10 s after that, whatever was in between."""
    world = Waits()
    wait = Decision(WAIT, "not yet", recheck=4.0, eta=BEGUN + 99)
    _, events = run(world, deciding(wait, wait, wait, wait, wait, wait, FINE))
    still = [(e.at - BEGUN, e.state, e.text, e.eta, e.until) for e in events if e.kind == "still"]
    assert still == [(12.0, "waiting", "not yet", BEGUN + 99, BEGUN + 100)]
    assert world.at == 1024.0


def test_a_new_step_is_told_at_once_and_then_again_from_there() -> None:
    world = Waits()
    wait = Decision(WAIT, "not yet", recheck=9.0)
    _, events = run(world, deciding(wait, FINE), deciding(wait, FINE, name="B"))
    assert [e.kind for e in events] == ["step"] * 4


# --- ^C -----------------------------------------------------------------------------------------------------


def test_an_interrupt_between_two_steps_waited_for_nothing() -> None:
    def interrupt(_: Facts) -> None:
        raise KeyboardInterrupt

    result, _ = run(Waits(script={1: interrupt}), deciding(FINE), Goal("B"))
    assert (result.status, result.message) == ("interrupted", "interrupted")
    result, _ = run(Waits(script={0: interrupt}), Goal("B"))
    assert result.message == "interrupted"


# --- going back ---------------------------------------------------------------------------------------------


def test_a_goal_that_is_looked_at_by_the_same_parts_is_kept_too() -> None:
    """Not only one that needs fewer."""
    world = Waits(script={2: lose("A")})
    result, events = run(world, Goal("A", ("pods",)), Goal("B", ("pods",)))
    assert result.status == "done"
    assert world.done == ["A", "A", "B"]
    assert "" not in {e.text for e in events}, "going back is told by the goal itself"


# --- what to type next --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [("drain", "bgpctl node drain n1"), ("speaker restart", "bgpctl speaker restart n1")],
)
def test_without_what_was_typed_the_plain_command(command: str, words: str) -> None:
    going = engine.run(command, "n1", "run-a", [deciding(Decision(WAIT, "x"))], Waits(), 0.0)
    with pytest.raises(StopIteration) as end:
        while True:
            next(going)
    assert end.value.value.hint.endswith(f": {words}")


def test_an_error_that_is_none_of_ours_ends_the_run_all_the_same() -> None:
    """It is written down as failed and what was held is let go of; the error itself goes on."""
    world = Waits(script={0: raising(RuntimeError("bug"))})
    with pytest.raises(RuntimeError):
        run(world, Goal("A"))
    why = "the program ended in the middle (RuntimeError)"
    assert (world.concluded, world.closed) == (("failed", why), True)


def test_the_kinds_of_ends() -> None:
    for error, status in (
        (Blocked("m", "h"), "blocked"),
        (DeadlineExceeded("m", "h"), "deadline"),
        (BgpctlError("m", "h"), "failed"),
        (CONFLICT, "failed"),
    ):
        world = Waits(script={0: raising(error)})
        result, _ = run(world, Goal("A"))
        assert (result.status, result.message, world.concluded) == (
            status,
            error.message,
            (status, error.message),
        )
