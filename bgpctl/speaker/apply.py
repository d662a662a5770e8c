"""The diff's actions, carried out: paced, in order, one failure costs its peer only, and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf

from bgpctl.core.intent import pacing
from bgpctl.core.intent.diff import Action, Announce, Leave, Synced, Withdraw
from bgpctl.core.model import Intent, Observed
from bgpctl.errors import Temporary
from bgpctl.ports import Engine
from bgpctl.speaker.counters import Counters


def running(engine: Engine, intent: Intent) -> Observed:
    """What the engine runs, which is adopted or started where none was yet. Raises Temporary."""
    if not engine.observed().running:
        engine.start(leaves=intent.out)
    return engine.observed()


class Performer:
    """`leave` performs a Leave: whoever it belongs to has more to do then. `due`: in how many seconds that is
    due which is held back, inf = nothing is."""

    def __init__(self, engine: Engine, counters: Counters, leave: Callable[[Leave], None]) -> None:
        self._engine, self._counters, self._leave = engine, counters, leave
        self._last_release = 0.0
        self._changed_at: float | None = None
        self.due = inf

    def changed(self, at: float | None) -> None:
        """A change rang then (monotonic seconds); the oldest that is not through yet counts."""
        if self._changed_at is None:
            self._changed_at = at

    def apply(self, actions: Sequence[Action]) -> None:
        """Perform what may go out now. Raises Temporary."""
        now, held = pacing.release(actions, time.monotonic(), self._last_release)
        if any(isinstance(action, Announce) for action in now):
            self._last_release = time.monotonic()
        self._perform(now)
        if held is None:
            self._changed_at = None
        self.due = inf if held is None else held

    def _perform(self, actions: tuple[Action, ...]) -> None:
        """All of them, in order. One that fails costs its peer only; the first is raised at the end."""
        failures: list[Temporary] = []
        incomplete: set[str] = set()
        done: dict[str, float] = {}
        for action in actions:
            try:
                if isinstance(action, Leave):
                    self._leave(action)
                elif isinstance(action, Synced):
                    # End-of-RIB would tell a router to drop what could not be announced.
                    self._sync(tuple(peer for peer in action.peers if peer not in incomplete))
                else:
                    self._engine.perform(action)
                if isinstance(action, Announce | Withdraw):
                    done[type(action).__name__.lower()] = time.monotonic()
            except Temporary as error:
                failures.append(error)
                if isinstance(action, Announce):
                    incomplete.add(action.peer)
                # The Configure after a Leave drops its peers from the configuration, which closes their TCP
                # silently: not before they have left.
                if isinstance(action, Leave) or not self._engine.observed().running:
                    break
        self._measure(done)
        if failures:
            raise failures[0]

    def _measure(self, done: Mapping[str, float]) -> None:
        """How long the oldest change behind these routes took; `done`: when the last of a kind was out."""
        for kind, at in done.items():
            if self._changed_at is not None:
                self._counters.changes[kind].observe(max(0.0, at - self._changed_at))

    def _sync(self, peers: tuple[str, ...]) -> None:
        if peers:
            self._engine.perform(Synced(peers))
