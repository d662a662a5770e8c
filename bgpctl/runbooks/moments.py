"""A drain as a timeline, from its journal: every attempt of it, by whomever it was gone on with. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bgpctl.core.state import seconds
from bgpctl.runbooks.journal import Journal

SPEAKER = "speaker, by its own clock"
TOLD = "told to"


@dataclass(frozen=True, slots=True)
class Moment:
    """`at` in epoch seconds, by the API server's clock unless `by` names another; `by`: who says so."""

    at: float
    what: str
    by: str


def moments(journal: Journal) -> tuple[Moment, ...]:
    """What a drain that was done came to, in its order; empty for anything else. What a speaker says stands
    behind the request that it answered: its clock is compared with no other."""
    if not journal.done_at:
        return ()
    found = sorted(_ours(journal), key=lambda one: one.at)
    told = next((n for n, one in enumerate(found, 1) if one.what.startswith(TOLD)), len(found))
    return (*found[:told], *_speakers(journal), *found[told:])


def _ours(journal: Journal) -> Iterator[Moment]:
    found, steps = journal.evidence, journal.steps
    yield Moment(journal.started_at, "the drain began", "bgpctl")
    for step, what in (("Cordoned", "cordoned"), ("Evicted", "no workload left"), ("Settled", "settled")):
        if step in steps:
            yield Moment(steps[step], what, "bgpctl")
    if told := _instant(found.get("relabelledTime")) or journal.marks.get("Relabelled", 0.0):
        yield Moment(told, f"{TOLD} {_lever(journal)}", "bgpctl")
    by = str(found.get("by") or "bgpctl")
    if gone := _instant(found.get("goneTime")):
        yield Moment(gone, "the last route is gone", by)
    elif "Withdrawn" in steps and found.get("proof"):
        yield Moment(steps["Withdrawn"], f"the routes are gone ({found['proof']})", by)
    yield Moment(steps["ShutDown"], "done", "bgpctl")


def _speakers(journal: Journal) -> Iterator[Moment]:
    sent = (("withdrawSentTime", "every withdraw is sent"), ("ceaseSentTime", "every Cease is sent"))
    for key, what in sent:
        if at := _instant(journal.evidence.get(key)):
            yield Moment(at, what, SPEAKER)


def _lever(journal: Journal) -> str:
    if journal.deselect is None:
        return "withdraw"
    key, value = journal.deselect
    return f"leave: label {key}={value}" if value is not None else f"leave: label {key} removed"


def _instant(text: Any) -> float:
    """0 for what is none: an annotation is anybody's."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError):
        return seconds(text)
    return 0.0
