"""An independent eye on the lab's router: asks every 50 ms what it has from each node, and keeps the changes.

The demonstration's timeline and the tests' assertions come from here, not from what bgpctl says of itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import parse_probe

INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on (epoch seconds, the moment of the answer) the router had `routes` live and `stale` stale
    routes of `node`. Stale ones forward too."""

    at: float
    node: str
    routes: int
    stale: int = 0

    @property
    def forwarding(self) -> int:
        return self.routes + self.stale


class Watcher:
    """Polls in a thread; `changes` is what it saw so far, `answers` how often it looked."""

    def __init__(self, probe: str, nodes: Mapping[str, str], interval: float = INTERVAL) -> None:
        self._probe, self._nodes, self._interval = parse_probe(probe), dict(nodes), interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.changes: list[Change] = []
        self.answers = 0

    def __enter__(self) -> Watcher:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def of(self, node: str, since: float = 0.0) -> list[Change]:
        """What held for this node from `since` on: the state at that moment, and every change after it."""
        changes = [change for change in list(self.changes) if change.node == node]
        before = [change for change in changes if change.at <= since][-1:]
        return before + [change for change in changes if change.at > since]

    def count(self, node: str) -> int:
        """Routes of this node at the last look, live or stale."""
        seen = self.of(node)
        return seen[-1].forwarding if seen else 0

    def lowest(self, node: str, since: float) -> int:
        """The fewest routes this node had on the router, live or stale, from `since` on."""
        return min((change.forwarding for change in self.of(node, since)), default=0)

    def first(self, node: str, since: float, *, gone: bool) -> float | None:
        """When the node's last route went (or, gone=False, when one was there again) after `since`."""
        later = (change for change in list(self.changes) if change.node == node and change.at >= since)
        return next((change.at for change in later if (change.forwarding == 0) == gone), None)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._look()

    def _look(self) -> None:
        for node, address in self._nodes.items():
            answer = self._probe.routes_from(address)
            if answer.routes is RouteState.UNKNOWN:
                continue
            stale = sum(path.stale for path in answer.paths)
            seen = Change(answer.at or time.time(), node, len(answer.paths) - stale, stale)
            last = next((change for change in reversed(self.changes) if change.node == node), None)
            if last is None or (last.routes, last.stale) != (seen.routes, seen.stale):
                self.changes.append(seen)
        self.answers += 1
