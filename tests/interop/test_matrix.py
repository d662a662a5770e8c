"""A thin slice of the matrix (`make matrix` runs all of it), and proof that its judge can say no."""

from __future__ import annotations

import pytest

from tests.matrix.__main__ import run_all
from tests.matrix.cells import Cell, Event, Fate, Graceful
from tests.matrix.complaints import Bounds
from tests.matrix.run import run
from tests.support.require import require

pytestmark = pytest.mark.interop

SLICE = [
    Cell("bird", Event.DESELECT, Graceful.ON),
    Cell("frr", Event.RESTART, Graceful.ON),
    Cell("bird", Event.KILL_DETACHED, Graceful.OFF),
    Cell("frr", Event.EDIT_ROUTES, Graceful.ON),
    Cell("gobgp", Event.DESELECT, Graceful.ON),
    Cell("openbgpd", Event.DESELECT, Graceful.OFF),
]


def test_a_slice_of_the_matrix_is_in_order() -> None:
    require("netns", "bird", "frr", "gobgp", "openbgpd")
    for result in run_all(SLICE, jobs=2):
        assert not result.complaints, result


def test_a_silent_close_is_not_taken_for_a_withdrawal() -> None:
    """A speaker that dies under graceful restart, measured by what a leave may take."""
    require("netns", "bird")
    result = run(Cell("bird", Event.KILL_FOR_GOOD, Graceful.ON), fate=Fate.LEAVES, bounds=Bounds(0.0, 1.0))
    assert [words.partition(":")[0] for words in result.complaints] == ["exceeded"]
    assert result.seen.stale


def test_a_gap_is_seen() -> None:
    """The same restart that must not be seen with graceful restart, without it."""
    require("netns", "frr")
    result = run(Cell("frr", Event.RESTART, Graceful.OFF), fate=Fate.STAYS)
    assert "a route was missing" in " ".join(result.complaints)
    assert result.seen.flaps == result.seen.routes
