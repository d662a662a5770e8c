"""What a router showed, look by look -> when routes went and came back, and how well that was seen. Pure.

Times are seconds from the event. A route is gone from the first look that does not show it; a stale one is
not gone: it forwards (RFC 4724 section 4.2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

Routes = Mapping[str, bool]
"""prefix -> is it stale?"""


@dataclass(frozen=True, slots=True)
class Look:
    """One answer of the router at `at` (epoch seconds): the node's routes and the other node's."""

    at: float
    node: Routes
    other: Routes


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the routes that were there before the event.

    `missing_at`: the first of them was gone; `gone_at`: all were; `back_at`: all were there again. `gap`: the
    longest time that any was gone and came back. `flaps`: how often one did. `stale`: for how long any was
    marked so. `other`: how many looks missed a route of the other node or found it stale. `interval`,
    `pause`: the usual and the longest time between two looks.
    """

    routes: int
    missing_at: float | None = None
    gone_at: float | None = None
    back_at: float | None = None
    gap: float = 0.0
    flaps: int = 0
    stale: float = 0.0
    other: int = 0
    interval: float = 0.0
    pause: float = 0.0


def see(looks: Sequence[Look], event: float, watched: Collection[str], end: float = 0.0) -> Seen:
    """`event` is its epoch second, `watched` the prefixes of the node that count, `end` that of the
    watch: not to have looked until then is a pause too. The last look before the event is what it found."""
    first = max((index for index, look in enumerate(looks) if look.at <= event), default=0)
    later = looks[first + 1 :]
    missing = [(look.at - event, frozenset(watched) - look.node.keys()) for look in later]
    absences = [absence for prefix in watched for absence in _absences(prefix, missing)]
    times = [look.at for look in looks[first:]]
    pauses = [after - before for before, after in pairwise([*times, max(end, times[-1])])]
    return Seen(
        routes=len(watched),
        missing_at=next((at for at, gone in missing if gone), None),
        gone_at=next((at for at, gone in missing if len(gone) == len(watched)), None),
        back_at=_back_at(missing),
        gap=max((until - since for since, until in absences), default=0.0),
        flaps=len(absences),
        stale=sum(after.at - look.at for look, after in pairwise(later) if any(look.node.values())),
        other=sum(_less(look.other, looks[first].other) for look in later),
        interval=median(pauses[:-1] or pauses),
        pause=max(pauses),
    )


def _absences(prefix: str, missing: Sequence[tuple[float, Collection[str]]]) -> list[tuple[float, float]]:
    """(gone, back) of one route, as often as it came back."""
    found, since = [], None
    for at, gone in missing:
        if prefix in gone:
            since = at if since is None else since
        elif since is not None:
            found.append((since, at))
            since = None
    return found


def _back_at(missing: Sequence[tuple[float, Collection[str]]]) -> float | None:
    """None when none was missing, or some are at the end."""
    last = max((index for index, (_, gone) in enumerate(missing) if gone), default=None)
    return missing[last + 1][0] if last is not None and last + 1 < len(missing) else None


def _less(now: Routes, before: Routes) -> bool:
    return any(prefix not in now for prefix in before) or any(now.values())
