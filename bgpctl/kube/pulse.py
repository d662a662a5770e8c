"""The watches of one client know of each other: when the API server is there again for one of them, the
others wait no longer.

While it is there for none, one of them asks for all every SCOUT_SECONDS; the others' pauses may grow, so that
a fleet of speakers costs a server that is down no more than before. Those that are woken come within
SPREAD_SECONDS, each at a moment of its own.
"""

from __future__ import annotations

import random
import threading

SCOUT_SECONDS, SPREAD_SECONDS = 2.0, 1.0
ALONE_SECONDS = 5.0
"""The longest pause of one that fails while others do not: nobody asks for it, and nobody may wake it."""


class Pulse:
    """Each watch is known by an event of its own, which ends its pause."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._up: set[threading.Event] = set()
        self._waiting: set[threading.Event] = set()
        self._scout: threading.Event | None = None

    def answered(self, watch: threading.Event) -> None:
        """The API server has just given this one what it asked for."""
        with self._lock:
            news = watch not in self._up
            self._up.add(watch)
            self._scout = None
            woken = tuple(self._waiting) if news else ()
        for one in woken:
            one.set()

    def forget(self, watch: threading.Event) -> None:
        """It ends; its pause, too."""
        with self._lock:
            self._leave(watch)
        watch.set()

    def pause(self, watch: threading.Event, over: threading.Event, seconds: float, least: float) -> None:
        """The API server did not answer this one. Wait for `seconds`, or until it answered another one, but
        at least for `least`; until `over` in any case."""
        if over.wait(least):
            return
        with self._lock:
            self._leave(watch)
            scouts = not self._up and self._scout is None
            if scouts:
                self._scout = watch
            longest = SCOUT_SECONDS if scouts else ALONE_SECONDS if self._up else seconds
            watch.clear()
            if over.is_set():
                return
            self._waiting.add(watch)
        left = min(seconds - least, longest * random.uniform(0.8, 1.2))  # noqa: S311 — no secret
        woken = watch.wait(max(0.0, left))
        with self._lock:
            self._waiting.discard(watch)
        if woken:
            over.wait(random.uniform(0.0, SPREAD_SECONDS))  # noqa: S311 — no secret

    def _leave(self, watch: threading.Event) -> None:
        self._up.discard(watch)
        if self._scout is watch:
            self._scout = None
