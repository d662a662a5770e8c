"""The API server's clock as its answers' Date headers tell it: the one clock by which instants that other
machines wrote may be judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bgpctl.core.timing.servertime import Bounds, epoch, refined


def steady() -> float:
    """Seconds of a clock that nobody sets and that goes on while this machine is suspended: a laptop that
    sleeps in the middle of a drain wakes up in the server's time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ServerClock:
    """Bounds of the server's present, in epoch seconds. Safe to use from several threads.

    Until the first answer with a Date, and of a server that sends none, it is the local clock as it was at
    the start; `heard` says whether it is the server's. From then on `now` never runs backwards.
    """

    def __init__(self, local: Callable[[], float] = steady, wall: Callable[[], float] = time.time) -> None:
        self.local = local
        self._lock = threading.Lock()
        self._guess = wall() - local()
        self._bounds: Bounds | None = None

    @property
    def heard(self) -> bool:
        return self._bounds is not None

    def hear(self, date: str | None, sent: float, received: float) -> None:
        """The Date header of an answer, and our instants (`local`) before its request and after it came."""
        seconds = epoch(date)
        if seconds is None:
            return
        with self._lock:
            self._bounds = refined(self._bounds, seconds, sent, received)

    def now(self) -> float:
        """The server's clock shows at least this. At most about a second behind it."""
        with self._lock:
            instant = self.local()
            return self._bounds.earliest(instant) if self._bounds else instant + self._guess

    def latest(self) -> float:
        """The server's clock shows at most this."""
        with self._lock:
            instant = self.local()
            return self._bounds.latest(instant) if self._bounds else instant + self._guess
