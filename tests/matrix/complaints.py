"""What was seen against what must hold: complaints, none when the cell is in order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tests.matrix.cells import Fate
from tests.matrix.seeing import Seen

SLACK = 0.3
"""Seconds that the poller may add: it sees a change at its next look, and a look takes time."""

BLIND = 2.5
"""Seconds without a look that are too many. OpenBGPD answers nobody for a second per family after a session
has become stale: 1.95 s with both (facts/bgp.md 3.8)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What `bgpctl node estimate` said before the event, in seconds. `worst` None = nothing ends the wait."""

    best: float
    worst: float | None
    why: str = ""

    def exceeded_by(self, seconds: float) -> bool:
        return self.worst is not None and seconds > self.worst + SLACK


@dataclass(frozen=True, slots=True)
class Entries:
    """What the router's own entries said after the event, where that was asked.

    `touched`: the node's routes that were sent again (their time of last change); `wrong`: what is not as the
    policy has it now, in words. `session`: whether the session is the one of before.
    """

    touched: Collection[str] = field(default=frozenset())
    wrong: Collection[str] = ()
    session_kept: bool = True


def complaints(
    fate: Fate, seen: Seen, bounds: Bounds, entries: Entries = Entries(), *, silent: bool = True
) -> list[str]:
    """Why the cell failed. `silent`: may routes be stale before they go?"""
    found = [*_of_fate(fate, seen, bounds), *_of_entries(fate, entries)]
    if seen.stale and not silent:
        found.append("routes were stale: the session was closed before they were withdrawn")
    if seen.other:
        found.append(f"the other node's routes were missing or stale in {seen.other} looks")
    if seen.pause > BLIND:
        found.append(f"nobody looked for {seen.pause:.1f} s")
    return found


def _of_fate(fate: Fate, seen: Seen, bounds: Bounds) -> Iterator[str]:
    match fate:
        case Fate.LEAVES:
            yield from _left(seen, bounds)
        case Fate.RETURNS:
            yield from _late(seen, bounds)
            if seen.missing_at is not None and seen.back_at is None:
                yield "some routes did not come back"
        case _ if seen.missing_at is not None:
            yield f"a route was missing after {seen.missing_at:.1f} s, for {seen.gap:.1f} s"


def _left(seen: Seen, bounds: Bounds) -> Iterator[str]:
    yield from _late(seen, bounds)
    if seen.gone_at is None:
        yield f"exceeded: routes stayed until the end, the estimate's worst case is {bounds.worst} s"
    if seen.missing_at is not None and seen.missing_at < bounds.best - SLACK:
        yield f"early: gone after {seen.missing_at:.1f} s, the estimate's best case is {bounds.best:g} s"
    if seen.flaps:
        yield f"routes came back after {seen.back_at or 0:.1f} s"


def _late(seen: Seen, bounds: Bounds) -> Iterator[str]:
    if seen.gone_at is not None and bounds.exceeded_by(seen.gone_at):
        yield f"exceeded: routes stayed {seen.gone_at:.1f} s, the estimate's worst case is {bounds.worst:g} s"


def _of_entries(fate: Fate, entries: Entries) -> Iterator[str]:
    yield from entries.wrong
    if fate not in (Fate.UNTOUCHED, Fate.CHANGES):
        return
    if entries.touched:
        yield f"sent again though nothing changed: {', '.join(sorted(entries.touched))}"
    if not entries.session_kept:
        yield "the session is not the one of before"
