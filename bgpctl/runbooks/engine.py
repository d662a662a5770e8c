"""Run a list of goals: observe, decide, perform, look again. Knows nothing of nodes, pods or BGP.

    for each goal:  until it holds:  snapshot -> decision -> actions -> (wait)

A goal that was reached is kept: every look at a step is a look at all the goals before it that it can see
(whose `needs` it has), and the first that no longer holds is brought about again. The last step needs to see
everything, so before it every goal is decided again on one fresh snapshot.

What it adds is time (deadline, re-checks), patience (a Temporary failure is a wait with a reason) and memory
(when a step was done, in the journal). Every run asks every step again: killed at any point, the next run
goes on where the *world* is, and a world that somebody changed back is not taken for finished.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Protocol

from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Outdated, Tells, Temporary, UsageError
from bgpctl.runbooks.actions import Action
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.model import Decision, Event, Result, Status, Step, StepReport
from bgpctl.runbooks.news import quiet
from bgpctl.runbooks.snapshot import Snapshot

RETRY_SECONDS = 1.0
LOOK_AGAIN = 0.5  # seconds, where a decision waits and names none
TELL_AGAIN = 10.0  # seconds after which a wait that goes on is told again

Events = Generator[Event, None, Result]


class World(Protocol):
    """What the engine needs of the world. `now` is epoch seconds by one clock that all runs share,
    `monotonic` seconds of one that nobody sets. `perform` says whether the action had an effect: an eviction
    that a budget holds back has none, and is tried again without a word. `finish` writes a step that was done
    down, `conclude` why a run ended before its end. `changed`: something was changed."""

    @property
    def changed(self) -> bool: ...
    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def observe(self, needs: frozenset[str]) -> Snapshot: ...
    def perform(self, action: Action) -> bool: ...
    def finish(self, step: str, decision: Decision, *, last: bool) -> None: ...
    def conclude(self, status: str, reason: str) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Progress:
    """How far a run is. `reports`: one per step, in order; `waited_for`: what the last look said;
    `advice`: what to do about it; `tells`: what both tell already."""

    node: str
    steps: Sequence[Step]
    deadline: float
    typed: CommandLine
    reports: dict[str, StepReport] = field(default_factory=dict)
    waited_for: str = ""
    advice: str = ""
    tells: frozenset[Tells] = frozenset()
    listed: bool = False

    def begin(self, step: Step, at: float) -> None:
        self.reports[step.name] = StepReport(step.name, step.title, "acting", "", started_at=at)

    def note(self, step: Step, state: str, decision: Decision, at: float) -> None:
        report = self.reports[step.name]
        self.reports[step.name] = replace(report, state=state, text=decision.told, ended_at=at)
        self.waited_for = "" if state == "done" else f" at {step.name}: {decision.reason}"
        self.advice, self.tells = decision.hint, decision.tells


def run(
    command: str,
    node: str,
    run_id: str,
    steps: Sequence[Step],
    world: World,
    timeout: float,
    typed: CommandLine | None = None,
) -> Events:
    """Run the steps to the end, or to the first that may not go on. `timeout` is seconds for this attempt;
    `typed` the command to type again."""
    words = command if " " in command else f"node {command}"
    typed = typed or CommandLine(("bgpctl", *words.split(), node))
    progress = Progress(node, steps, world.monotonic() + timeout, typed)
    progress.reports = {s.name: StepReport(s.name, s.title, "pending", "") for s in steps}
    outcome = Result(command, node, "failed", "", run=run_id, started_at=world.now())
    kept = ""  # why it ended, for everybody who may read the Node
    try:
        reached = 0
        while reached < len(steps):
            reached = yield from _reach(reached, world, progress)
        outcome = replace(outcome, status="done")
    except Blocked as error:
        outcome, kept = _ended(outcome, "blocked", error)
    except DeadlineExceeded as error:
        outcome, kept = _ended(outcome, "deadline", error)
    except UsageError as error:
        if not world.changed:
            raise  # found out by the first looks at the world: nothing was done yet
        outcome, kept = _ended(outcome, "blocked", error)
    except BgpctlError as error:
        outcome, kept = _ended(outcome, "failed", error)
    except KeyboardInterrupt:
        hint = "\n".join(filter(None, (progress.advice, f"nothing is lost; to go on: {typed}")))
        kept = f"interrupted{progress.waited_for}"
        tells = progress.tells | {Tells.GO_ON}
        outcome = replace(outcome, status="interrupted", message=kept, hint=hint, tells=tells)
    except BaseException as error:
        bug = "" if isinstance(error, GeneratorExit) else f" ({type(error).__name__})"
        kept = f"the program ended in the middle{bug}{progress.waited_for}"
        raise
    finally:
        if outcome.status != "done":
            world.conclude(outcome.status, kept)
        world.close()
    yield from _mark_open(progress, outcome, world.now())
    return replace(outcome, ended_at=world.now(), steps=tuple(progress.reports.values()))


def _ended(outcome: Result, status: str, error: BgpctlError) -> tuple[Result, str]:
    """The result, and what of its reason the journal keeps."""
    ended = replace(outcome, status=status, message=error.told, hint=error.hint, tells=error.tells)
    return ended, error.message


def _reach(number: int, world: World, progress: Progress) -> Generator[Event, None, int]:
    """Bring one goal about. Returns the number of the next one, or of one before that no longer holds."""
    step = progress.steps[number]
    last = number == len(progress.steps) - 1
    progress.begin(step, world.now())
    shown: tuple[Status, str] | None = None
    told = world.monotonic()
    while True:
        decision, lapsed = _look(number, world, progress)
        if lapsed is not None:
            return lapsed
        progress.note(step, STATES[decision.status], decision, world.now())
        new = shown is None or world.monotonic() - told >= quiet(shown[1], decision.reason)
        told = world.monotonic() if new else told
        if new or (shown and shown[0] is not decision.status):
            shown = (decision.status, decision.reason)
            if not progress.listed:
                progress.listed = True
                yield _listed(progress, world)
            yield _event(step, progress, decision, world.now())
        if world.monotonic() - told >= TELL_AGAIN:
            told = world.monotonic()
            yield _still(step, progress, decision, world)
        if decision.status is Status.DONE:
            if _finish(step, decision, world, last=last):
                return number + 1
            decision = replace(decision, recheck=0.0 if last else RETRY_SECONDS)
        trouble = yield from _perform(step, decision, world, progress.node)
        if decision.status is Status.BLOCKED:
            raise Blocked(decision.reason, decision.hint, decision.said, decision.tells)
        _check(progress, step, trouble or decision, world.monotonic())
        _wait(trouble or decision, world, progress.deadline)


def _look(number: int, world: World, progress: Progress) -> tuple[Decision, int | None]:
    """The step's decision on a fresh look, and the first goal before it that the same look shows undone."""
    step = progress.steps[number]
    try:
        seen = world.observe(step.needs)
        # A command that ran is not undone, whatever became of the node; one that was let go of is not ours.
        if seen.command_exit is None and not seen.released:
            for earlier, goal in enumerate(progress.steps[:number]):
                if goal.needs <= step.needs and goal.decide(seen).status is not Status.DONE:
                    return Decision(Status.WAIT, ""), earlier
        return step.decide(seen), None
    except Temporary as error:
        return _patience(error), None


def _patience(error: Temporary) -> Decision:
    return Decision(Status.WAIT, error.message, recheck=error.retry_after or RETRY_SECONDS)


def _perform(
    step: Step, decision: Decision, world: World, node: str
) -> Generator[Event, None, Decision | None]:
    """Carry the actions out in order. Returns what to wait for when one could not be carried out now."""
    for action in decision.actions:
        try:
            done = world.perform(action)
        except Outdated:
            return None  # somebody changed the object: look again, decide again
        except Temporary as error:
            yield Event(world.now(), "action", step.name, step.title, "waiting", error.message, node=node)
            return _patience(error)
        if done:
            yield Event(world.now(), "action", step.name, step.title, "acting", str(action), node=node)
    return None


def _wait(decision: Decision, world: World, deadline: float) -> None:
    waits = LOOK_AGAIN if decision.status is Status.WAIT else 0.0
    seconds = waits if decision.recheck is None else decision.recheck
    if seconds > 0:
        world.wait(min(seconds, TELL_AGAIN, max(0.05, deadline - world.monotonic())))


def _finish(step: Step, decision: Decision, world: World, *, last: bool) -> bool:
    """Journal a finished step. False: the journal could not be written now; look again and try again."""
    try:
        world.finish(step.name, decision, last=last)
    except (Temporary, Outdated):
        return False
    return True


def _check(progress: Progress, step: Step, decision: Decision, now: float) -> None:
    if now >= progress.deadline:
        go_on = f"nothing is lost; to go on (--timeout gives it longer): {progress.typed.again()}"
        hint = "\n".join(filter(None, (decision.hint, go_on)))
        tells = decision.tells | {Tells.GO_ON}
        raise DeadlineExceeded(f"time is up at {step.name}: {decision.reason}", hint, tells=tells)


STATES = {Status.DONE: "done", Status.ACT: "acting", Status.WAIT: "waiting", Status.BLOCKED: "blocked"}


def _event(step: Step, progress: Progress, decision: Decision, now: float) -> Event:
    state = STATES[decision.status]
    return Event(now, "step", step.name, step.title, state, decision.told, decision.eta, node=progress.node)


def _listed(progress: Progress, world: World) -> Event:
    """All the steps, once there is something to tell: a run that is refused for what was typed has none."""
    names = " ".join(step.name for step in progress.steps)
    return Event(
        world.now(), "steps", "", "", "pending", names, until=_gives_up(progress, world), node=progress.node
    )


def _gives_up(progress: Progress, world: World) -> float | None:
    return world.now() + progress.deadline - world.monotonic() if progress.deadline < inf else None


def _still(step: Step, progress: Progress, decision: Decision, world: World) -> Event:
    """What is waited for, and when the run gives up."""
    return Event(
        world.now(),
        "still",
        step.name,
        step.title,
        STATES[decision.status],
        decision.brief or decision.reason,
        decision.eta,
        _gives_up(progress, world),
        progress.node,
    )


def _mark_open(progress: Progress, outcome: Result, now: float) -> Generator[Event, None, None]:
    """The step that the run ended in carries the run's status."""
    for report in progress.reports.values():
        if report.state in ("acting", "waiting", "blocked"):
            progress.reports[report.step] = replace(report, state=outcome.status, ended_at=now)
            if (report.state, report.text) == (outcome.status, outcome.message):
                continue  # told already
            yield Event(
                now, "step", report.step, report.title, outcome.status, outcome.message, node=progress.node
            )
