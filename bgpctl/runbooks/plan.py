"""A runbook's decisions on the world as it is, with nothing performed: what `--dry-run` shows.

Steps that wait for the effect of earlier ones (withdrawn, settled) cannot be decided yet; they say what they
will wait for instead (`preview`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from bgpctl.errors import BgpctlError, Blocked, UsageError
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.judge import Judge, Word
from bgpctl.runbooks.model import Event, Result, Status, Step, StepReport
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.runbooks.world import World


def plan(
    command: str, node: str, run: str, steps: Sequence[Step], world: World, judge: Judge | None = None
) -> Generator[Event, None, Result]:
    """One event per step. A step that would refuse does not end it: the refusal is the result, and the steps
    after it say what they would do without it, as far as that can be seen. `judge`: who is asked what the API
    server would make of each step's writes."""
    result = Result(command, node, "planned", "", run=run, started_at=world.now())
    reports: list[StepReport] = []
    journal: Journal | None = None
    try:
        for step in steps:
            (state, text, hint), journal = _look(step, world, journal, judge)
            reports.append(StepReport(step.name, step.title, state, text))
            yield Event(world.now(), "step", step.name, step.title, state, text, node=node)
            if state == "blocked" and result.status != "blocked":
                result = replace(result, status="blocked", message=text, hint=hint)
    except UsageError:
        raise
    except BgpctlError as error:
        if result.status != "blocked":
            result = replace(result, status="failed", message=error.message, hint=error.hint)
    if result.status == "planned":
        message = f"{node}: nothing was changed; without --dry-run this is what happens"
        result = replace(result, message=message)
    return replace(result, steps=tuple(reports), ended_at=world.now())


def _look(
    step: Step, world: World, journal: Journal | None, judge: Judge | None
) -> tuple[tuple[str, str, str], Journal | None]:
    """What one step would do, and the journal as it leaves it."""
    try:
        s = world.observe(step.needs | step.foresees)
    except Blocked as error:
        return ("blocked", error.message, error.hint), journal
    s = replace(s, journal=s.journal or journal or s.lost)  # Claimed writes a lost one back
    found = _foresee(step, s)
    return _judged(step, s, found, judge) if judge else found, step.leaves(s)


def _judged(step: Step, s: Snapshot, found: tuple[str, str, str], judge: Judge) -> tuple[str, str, str]:
    """With the API server's word, which is the newest."""
    state, text, hint = found
    word = judge.of(step, s) if state != "blocked" else Word()
    if word.refused:
        return "blocked", word.text, word.hint
    return state, "; ".join(filter(None, (text, word.text))), hint


def _foresee(step: Step, s: Snapshot) -> tuple[str, str, str]:
    """(state, text, hint) of one step."""
    if refused := step.foresee(s):
        return "blocked", refused.reason, refused.hint
    if told := step.preview(s):
        return "planned", told, ""
    decision = step.decide(s)
    if decision.status is Status.BLOCKED or (decision.status is Status.WAIT and decision.hint):
        return "blocked", decision.reason, decision.hint  # it waits for what only somebody else can end
    return "done" if decision.status is Status.DONE else "planned", decision.reason, ""
