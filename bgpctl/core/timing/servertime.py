"""How far another machine's clock is from ours, as bounds that every answer of it can only tighten. Pure.

An answer dated D (RFC 9110, section 6.6.1: whole seconds, cut off) that was asked for at `sent` and was there
at `received`, both by our steady clock, says that the server's clock showed at least D at `received`, and
less than D + 1 at `sent`. Bounds that contradict what is known are not believed: a second server behind the
same address, a proxy or a clock that jumps can neither hurry nor stop who waits by these bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

# Clocks drift apart: NTP slews by 0.5 ms a second at most (adjtimex(2)), here and there. So bounds widen
# again, and a clock that was set is believed in the end, as slowly as one that is slewed.
DRIFT = 0.001
# No API server of ours ran before, and none runs after: a dead battery, or nonsense.
YEARS = range(2020, 2200)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_IMF_FIXDATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (" + "|".join(_MONTHS) + r") (\d{4}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The server's clock minus our steady one, in seconds: more than `low`, less than `high`, at our instant
    `at`."""

    low: float
    high: float
    at: float

    def slack(self, instant: float) -> float:
        """How far the clocks may have drifted apart until then, which the bounds give way by."""
        return DRIFT * max(0.0, instant - self.at)

    def earliest(self, instant: float) -> float:
        """The least that the server's clock shows at our `instant`, in epoch seconds."""
        return instant + (self.low - self.slack(instant))

    def latest(self, instant: float) -> float:
        """The most that it shows."""
        return instant + (self.high + self.slack(instant))


def refined(known: Bounds | None, date: float, sent: float, received: float) -> Bounds:
    """The bounds after one more answer; `known` None = it is the first, and believed as it is."""
    low, high = date - received, date + 1.0 - sent
    if known is None:
        return Bounds(low, high, received)
    slack = known.slack(received)
    low, high = max(known.low - slack, low), min(known.high + slack, high)
    return Bounds(low, high, max(known.at, received)) if low < high else known


@lru_cache(16)
def epoch(text: str | None) -> float | None:
    """A Date header (IMF-fixdate, RFC 9110, section 5.6.7) as epoch seconds; None for anything else."""
    found = _IMF_FIXDATE.fullmatch(text or "")
    if found is None or int(found[3]) not in YEARS:
        return None
    day, hour, minute, second = (int(found[number]) for number in (1, 4, 5, 6))
    try:
        moment = datetime(int(found[3]), _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()
