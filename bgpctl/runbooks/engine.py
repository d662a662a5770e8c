"""Run a list of goals: observe, decide, perform, look again. Knows nothing of nodes, pods or BGP.

    for each step:  until done:  snapshot -> decision -> actions -> (wait)

What it adds is time (deadline, re-checks), patience (a Temporary failure is a wait with a reason) and memory
(when a step was done, in the journal). Every run asks every step again: killed at any point, the next run
goes on where the *world* is, and a world that somebody changed back is not taken for finished.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Temporary, UsageError
from bgpctl.kube.client import Conflict
from bgpctl.runbooks.actions import Action
from bgpctl.runbooks.catalogue import Step
from bgpctl.runbooks.model import Decision, Event, Result, Status, StepReport
from bgpctl.runbooks.snapshot import Snapshot

RETRY_SECONDS = 1.0
LOOK_AGAIN = {Status.WAIT: 0.5, Status.ACT: 0.0}  # seconds, where a decision names none

Events = Generator[Event, None, Result]


class World(Protocol):
    """What the engine needs of the world. Times are epoch seconds. `perform` says whether the action had an
    effect: an eviction that a budget holds back has none, and is tried again without a word."""

    def now(self) -> float: ...
    def observe(self, needs: frozenset[str]) -> Snapshot: ...
    def perform(self, action: Action) -> bool: ...
    def finish(self, step: str, decision: Decision) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Progress:
    """The reports so far: one per step, in order."""

    reports: dict[str, StepReport] = field(default_factory=dict)

    def begin(self, step: Step, at: float) -> None:
        self.reports[step.name] = StepReport(step.name, step.title, "acting", "", started_at=at)

    def note(self, step: Step, state: str, text: str, at: float | None = None) -> None:
        report = self.reports[step.name]
        self.reports[step.name] = replace(report, state=state, text=text, ended_at=at)


def run(command: str, node: str, run_id: str, steps: Sequence[Step], world: World, timeout: float) -> Events:
    """Run the steps to the end, or to the first that may not go on. `timeout` is seconds for this attempt."""
    begun = world.now()
    progress = Progress({s.name: StepReport(s.name, s.title, "pending", "") for s in steps})
    outcome = Result(command, node, "failed", "", run=run_id, started_at=begun)
    try:
        for step in steps:
            yield from _reach(step, world, progress, begun + timeout)
        outcome = replace(outcome, status="done")
    except Blocked as error:
        outcome = replace(outcome, status="blocked", message=error.message, hint=error.hint)
    except DeadlineExceeded as error:
        outcome = replace(outcome, status="deadline", message=error.message, hint=error.hint)
    except UsageError:
        raise  # found out by the first looks at the world: nothing was done yet
    except BgpctlError as error:
        outcome = replace(outcome, status="failed", message=error.message, hint=error.hint)
    except KeyboardInterrupt:
        words = command if " " in command else f"node {command}"
        hint = f"nothing is lost: `bgpctl {words} {node}` goes on from here"
        outcome = replace(outcome, status="interrupted", message="interrupted", hint=hint)
    finally:
        world.close()
    if outcome.status != "done":
        yield from _mark_open(progress, outcome, world.now())
    return replace(outcome, ended_at=world.now(), steps=tuple(progress.reports.values()))


def _reach(step: Step, world: World, progress: Progress, deadline: float) -> Generator[Event, None, None]:
    """Bring one goal about."""
    progress.begin(step, world.now())
    shown: tuple[str, str] | None = None
    while True:
        decision = _look(step, world)
        if shown != (decision.status, decision.reason):
            shown = (decision.status, decision.reason)
            yield _event(step, progress, decision, world.now())
        if decision.status is Status.DONE:
            if _finish(step, decision, world):
                return
            decision = replace(decision, status=Status.WAIT, recheck=RETRY_SECONDS)
        if decision.status is Status.BLOCKED:
            raise Blocked(decision.reason, decision.hint)
        trouble = yield from _perform(step, decision, world)
        _check(deadline, step, trouble or decision, world.now())
        _wait(trouble or decision, world, deadline)


def _look(step: Step, world: World) -> Decision:
    try:
        return step.decide(world.observe(step.needs))
    except Temporary as error:
        return _patience(error)


def _patience(error: Temporary) -> Decision:
    return Decision(Status.WAIT, error.message, recheck=error.retry_after or RETRY_SECONDS)


def _perform(step: Step, decision: Decision, world: World) -> Generator[Event, None, Decision | None]:
    """Carry the actions out in order. Returns what to wait for when one could not be carried out now."""
    for action in decision.actions:
        try:
            done = world.perform(action)
        except Conflict:
            return None  # somebody changed the object: look again, decide again
        except Temporary as error:
            yield Event(world.now(), "action", step.name, step.title, "waiting", error.message)
            return _patience(error)
        if done:
            yield Event(world.now(), "action", step.name, step.title, "acting", str(action))
    return None


def _wait(decision: Decision, world: World, deadline: float) -> None:
    seconds = LOOK_AGAIN.get(decision.status, 0.0) if decision.recheck is None else decision.recheck
    if seconds > 0:
        world.wait(min(seconds, max(0.05, deadline - world.now())))


def _finish(step: Step, decision: Decision, world: World) -> bool:
    """Journal a finished step. False: the journal could not be written now; look again and try again."""
    try:
        world.finish(step.name, decision)
    except (Temporary, Conflict):
        return False
    return True


def _check(deadline: float, step: Step, decision: Decision, now: float) -> None:
    if now >= deadline:
        raise DeadlineExceeded(
            f"time is up at {step.name}: {decision.reason}",
            "nothing is lost: running the same command again goes on from here (--timeout gives it longer)",
        )


STATES = {Status.DONE: "done", Status.ACT: "acting", Status.WAIT: "waiting", Status.BLOCKED: "blocked"}


def _event(step: Step, progress: Progress, decision: Decision, now: float) -> Event:
    state = STATES[decision.status]
    progress.note(step, state, decision.reason, now if state == "done" else None)
    return Event(now, "step", step.name, step.title, state, decision.reason, decision.eta)


def _mark_open(progress: Progress, outcome: Result, now: float) -> Generator[Event, None, None]:
    """The step that the run ended in carries the run's status."""
    for report in progress.reports.values():
        if report.state in ("acting", "waiting", "blocked"):
            progress.reports[report.step] = replace(report, state=outcome.status, ended_at=now)
            yield Event(now, "step", report.step, report.title, outcome.status, outcome.message)
