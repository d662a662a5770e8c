"""What the loop measures of itself: counters, durations, and the bell that remembers when it was first rung.

Written by the loop's thread alone; whoever renders them reads numbers that are at most one tick old.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

# Prometheus' own defaults, and 60 s for a node with many routes on a slow API.
RUN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
# A change waits up to 0.1 s (the pacing window): finer steps around it.
CHANGE_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Bell(threading.Event):
    """Wakes the loop. `changed` is the ring of a Kubernetes change: its time stays until it is taken, so that
    of several changes the oldest counts. `set` is everybody else's ring."""

    def __init__(self) -> None:
        super().__init__()
        self._changed_at: float | None = None
        self._guard = threading.Lock()

    def changed(self) -> None:
        with self._guard:
            if self._changed_at is None:
                self._changed_at = time.monotonic()
        self.set()

    def take_change(self) -> float | None:
        """When the oldest change rang that nobody took yet (monotonic seconds)."""
        with self._guard:
            at, self._changed_at = self._changed_at, None
        return at


@dataclass(slots=True)
class Histogram:
    """Seconds, counted per bucket (`bounds` are upper limits, included; above the last one is +Inf)."""

    bounds: tuple[float, ...]
    total: float = 0.0
    _counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """(upper bound, observations up to it) for every bucket; the last bound is infinity."""
        below = 0
        for bound, number in zip((*self.bounds, inf), list(self._counts), strict=True):
            below += number
            yield bound, below


def _per_kind() -> dict[str, Histogram]:
    return {kind: Histogram(CHANGE_BUCKETS) for kind in ("announce", "withdraw")}


@dataclass(slots=True)
class Counters:
    """What /metrics shows of the loop itself. `ticked_at` is monotonic: a loop that hangs shows in it.

    `changes`: from the ring of a Kubernetes change to the engine's word that its routes were announced or
    withdrawn, by kind.
    """

    reconcile_errors: int = 0
    runs: Histogram = field(default_factory=lambda: Histogram(RUN_BUCKETS))
    changes: dict[str, Histogram] = field(default_factory=_per_kind)
    ticked_at: float = 0.0
