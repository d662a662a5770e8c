"""Some of the interleavings as tests of their own, so that one of them can tell a mutant of what writes.

Not collected by a run of all tests (its name is no test's): tests/interleaving runs thousands.
"""

from __future__ import annotations

import pytest

from tests.interleaving.story import stage, tell

COUNT = 60


@pytest.mark.parametrize("seed", range(COUNT))
def test_the_promise_holds(seed: int) -> None:
    with stage():
        tell(seed)
