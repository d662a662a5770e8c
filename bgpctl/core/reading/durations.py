"""Durations as people write them: 30s, 10m, 1h30m, 500ms, or a number of seconds."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_LONGEST = 32  # characters: of a long text every digit would be tried as a first one
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def seconds(text: str) -> float:
    """What kubectl accepts, and plain seconds. Raises ValueError."""
    stripped = text.strip()
    if len(stripped) > _LONGEST:
        raise ValueError(f"{text[:_LONGEST]!r}… is not a duration")
    if _NUMBER.fullmatch(stripped):
        return float(stripped)
    parts = _PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        raise ValueError(f"{text!r} is not a duration")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
