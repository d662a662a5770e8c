"""Waiting with a deadline instead of sleeping: poll until it is true, or fail with what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(fn: Callable[[], T], deadline: float = 10.0, interval: float = 0.05, why: str = "") -> T:
    """The first truthy value of `fn`, asked every `interval` seconds. AssertionError, with the last value,
    when `deadline` seconds have passed. An exception of `fn` is not swallowed."""
    end = time.monotonic() + deadline
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {why or fn}; last seen: {value!r}")
        time.sleep(interval)


def throughout(fn: Callable[[], object], seconds: float, interval: float = 0.05, why: str = "") -> None:
    """`fn` stays truthy for `seconds`; AssertionError at once when it is not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = fn()
        assert value, f"not true all the time: {why or fn}; seen: {value!r}"
        time.sleep(interval)
