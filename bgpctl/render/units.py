"""Times, durations and counts in the words people read. Pure: `now` is always given."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil, isinf

_STEPS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def duration(seconds: float) -> str:
    """Two units at most, as kubectl writes ages: 0.21 s, 8 s, 3m, 2m30s, 4h5m, 3d2h; infinity: "for ever"."""
    if isinf(seconds):
        return "for ever"
    if seconds < 10:
        return f"{max(seconds, 0):.2f}".rstrip("0").rstrip(".") + " s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return _two_units(round(seconds))


def stopwatch(seconds: float) -> str:
    """Time that runs, in a form whose width changes rarely: 0.2 s, 59.9 s, 2m30s."""
    return f"{max(seconds, 0):.1f} s" if seconds < 60 else _two_units(int(seconds))


def countdown(seconds: float) -> str:
    """Time that is left, in whole seconds, of which there is at least one: 1 s, 59 s, 2m30s."""
    left = max(1, ceil(seconds))
    return f"{left} s" if left < 60 else _two_units(left)


def age(seconds: float) -> str:
    """A whole-second age without a space, for table cells: 0s, 42s, 3m, 2m30s, 4h5m, 3d2h."""
    return _two_units(max(int(seconds), 0))


def _two_units(total: int) -> str:
    for index, (unit, size) in enumerate(_STEPS):
        if total >= size:
            head, rest = divmod(total, size)
            lower_unit, lower_size = _STEPS[min(index + 1, len(_STEPS) - 1)]
            lower = rest // lower_size
            return f"{head}{unit}" + (f"{lower}{lower_unit}" if lower else "")
    return "0s"


def clock(at: float) -> str:
    """UTC time of day with milliseconds: 17:11:46.123."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def day(at: float) -> str:
    """UTC date: 2026-11-23."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def rfc3339(at: float | None) -> str | None:
    """UTC with milliseconds; nothing stays None."""
    if not at:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count(number: int, noun: str) -> str:
    """1 route, 4 routes."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
