"""Requests through a router that forwards: a drain loses none, and a power cut without one does. A slice of
`make traffic`, which has every stack."""

from __future__ import annotations

import pytest

from tests.support.require import require
from tests.traffic.__main__ import run
from tests.traffic.cells import Cell, Way

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("way", [Way.DRAIN, Way.POWER_OFF])
def test_a_drain_loses_nothing_and_a_power_cut_does(way: Way) -> None:
    require("netns", "bird")
    result = run(Cell("bird", "bgpctl", way))
    assert not result.complaints, result
    assert result.leave.sent > 1000 and result.back.sent > 1000
    assert bool(result.leave.lost) is (way is Way.POWER_OFF)
