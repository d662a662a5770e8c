"""Waiting with a deadline: poll until it is true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from bgpctl.errors import DeadlineExceeded

T = TypeVar("T")
POLL_SECONDS = 0.05


def until(found: Callable[[], T], seconds: float, why: str) -> T:
    """The first truthy value, asked every POLL_SECONDS. DeadlineExceeded after `seconds` names `why`: what
    was waited for."""
    end = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > end:
            raise DeadlineExceeded(
                f"not within {seconds:g} s: {why}", "is the machine busy? running it again is safe"
            )
        time.sleep(POLL_SECONDS)
    return value


def within(found: Callable[[], object], seconds: float) -> bool:
    """Did it become true in that time?"""
    try:
        until(found, seconds, "")
    except DeadlineExceeded:
        return False
    return True
