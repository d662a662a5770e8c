"""Requests through a router that forwards: a drain loses none, and a power cut without one does. A slice of
`make traffic`, which has every stack."""

from __future__ import annotations

import pytest

from tests.support.require import require
from tests.traffic.__main__ import run
from tests.traffic.cells import Way

pytestmark = pytest.mark.interop


def test_a_drain_loses_nothing_and_a_power_cut_does() -> None:
    require("netns", "bird")
    drained, cut = run("bird", "bgpctl", [Way.DRAIN, Way.POWER_OFF])
    assert not drained.complaints and not cut.complaints, (drained, cut)
    assert drained.leave.sent > 1000 and drained.back.sent > 1000, drained
    assert drained.leave.lost == drained.back.lost == 0 < cut.leave.lost, (drained, cut)
