"""When a wait is told again: by its words, not by the numbers in them."""

from __future__ import annotations

from math import inf

import pytest

from bgpctl.runbooks.news import COUNTS_EVERY, quiet

STALE = "gobgp 192.0.2.1: 3 stale paths still forwarding, {} left; session passive."


@pytest.mark.parametrize(
    ("told", "now", "seconds"),
    [
        pytest.param("2 pods left", "2 pods left", inf, id="the same"),
        pytest.param(STALE.format("43.8 s"), STALE.format("43.6 s"), inf, id="a time that runs"),
        pytest.param(STALE.format("10 s"), STALE.format("9.9 s"), inf, id="whatever its decimals"),
        pytest.param("at most 1m2s more", "at most 58s more", inf, id="and its units"),
        pytest.param("50000 paths", "49120 paths", COUNTS_EVERY, id="a count"),
        pytest.param("on 10.0.0.1", "on 10.0.0.2", COUNTS_EVERY, id="or a name that ends in one"),
        pytest.param("2 pods left", "1 pod left", 0.0, id="other words"),
        pytest.param(STALE.format("0.1 s"), "gone; asking once more", 0.0, id="another reason"),
    ],
)
def test_what_is_news(told: str, now: str, seconds: float) -> None:
    assert quiet(told, now) == seconds
