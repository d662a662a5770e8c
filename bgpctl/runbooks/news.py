"""Is what a step waits for worth telling again? Pure."""

from __future__ import annotations

import re
from math import inf

COUNTS_EVERY = 1.0  # seconds
_TIME = re.compile(r"\b(?:\d+(?:\.\d+)? s|(?:\d+[dhms])+)\b")  # 43.8 s, 2m30s
_NUMBER = re.compile(r"\d+")


def quiet(told: str, now: str) -> float:
    """Seconds for which `now` is no news to who has read `told`: none for other words, a moment for other
    counts (they may run by the thousand), for ever for a time that runs by itself."""
    told, now = _TIME.sub("", told), _TIME.sub("", now)
    if told == now:
        return inf
    return COUNTS_EVERY if _NUMBER.sub("", told) == _NUMBER.sub("", now) else 0.0
