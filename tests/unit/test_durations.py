"""Durations as people write them."""

from __future__ import annotations

import time

import pytest

from bgpctl.core.reading.durations import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("0.5", 0.5),
        (" 30s ", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("500ms", 0.5),
        ("2h1ms", 7200.001),
    ],
)
def test_seconds(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", " ", "s", "1 m", "m1", "1m x", "-1", "1d", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["9" * 100_000, "1" + " " * 100 + "s", "1s" * 50_000])
def test_a_long_text_is_none_and_costs_nothing(text: str) -> None:
    """Anybody may annotate a Node, and a speaker's loop reads it: 100,000 digits held it for minutes."""
    begun = time.monotonic()
    with pytest.raises(ValueError):
        seconds(text)
    assert time.monotonic() - begun < 1
