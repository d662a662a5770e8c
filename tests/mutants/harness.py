"""pytest as a library: collect once, then run single tests of it on demand, always the same way."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from functools import _lru_cache_wrapper

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.mutants.settings import EXAMPLES, ROOT


class Plugin:
    """Hands the collected tests over instead of running them."""

    def __init__(self, take: Callable[[list[pytest.Item]], None]) -> None:
        self._take = take

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for item in session.items:
            _calm(item)
        self._take(session.items)
        return True


def collect(
    words: Sequence[str], scratch: str, take: Callable[[list[pytest.Item]], None], *plugins: object
) -> None:
    """Collect the tests that the words name, and give them to `take`. Says nothing on the way."""
    os.environ["CI"] = "1"  # derandomized (tests/conftest.py)
    os.chdir(ROOT)
    _silent()
    options = ["-q", "-s", "--tb=native", "--assert=plain", "-p", "no:cacheprovider", f"--basetemp={scratch}"]
    pytest.main([*options, *words], plugins=[Plugin(take), *plugins])


def passes(item: pytest.Item) -> bool:
    """Run one test with its fixtures, of every scope."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def warm_up() -> None:
    """What hypothesis does once in a process, done before the first fork."""
    given(st.integers())(settings(max_examples=2, database=None)(lambda number: None))()


def caches() -> list[_lru_cache_wrapper[object]]:
    """Every cache of a function: what one test left in them would hide lines from the next."""
    return [thing for thing in gc.get_objects() if isinstance(thing, _lru_cache_wrapper)]


def _calm(item: pytest.Item) -> None:
    """Few examples, and no search for a smaller one: who fails has failed."""
    function = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    mine: settings | None = getattr(function, "_hypothesis_internal_use_settings", None)
    if mine is not None:
        few = min(mine.max_examples, EXAMPLES)
        phases = (Phase.explicit, Phase.generate)
        calm = settings(mine, max_examples=few, phases=phases, derandomize=True, database=None)
        function._hypothesis_internal_use_settings = calm


def _silent() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
