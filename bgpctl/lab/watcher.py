"""An independent eye on the lab's router: asks every 50 ms what it has from each node, and keeps the changes.

The demonstration's timeline comes from here, not from what bgpctl says of itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.witness.model import Sight
from bgpctl.witness.probe import parse_probe

INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """At `at` (epoch seconds, the moment of the answer) the router had `routes` live routes of `node`."""

    at: float
    node: str
    routes: int


class Watcher:
    """Polls in a thread; `changes` is what it saw so far, `answers` how often it looked."""

    def __init__(self, probe: str, nodes: Mapping[str, str]) -> None:
        self._probe, self._nodes = parse_probe(probe), dict(nodes)
        self._last: dict[str, int] = {}
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

    def count(self, node: str) -> int:
        """Live routes of this node at the last look."""
        return self._last.get(node, 0)

    def lowest(self, node: str, since: float) -> int:
        """The fewest routes this node had on the router from `since` on."""
        before = [c.routes for c in self.changes if c.node == node and c.at <= since][-1:]
        return min([*before, *(c.routes for c in self.changes if c.node == node and c.at > since)])

    def first(self, node: str, since: float, *, gone: bool) -> float | None:
        """When the node's last route went (or, gone=False, when one was there again) after `since`."""
        wanted = (c.at for c in self.changes if c.node == node and c.at >= since and (c.routes == 0) == gone)
        return next(wanted, None)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        for node, address in self._nodes.items():
            sighting = self._probe.routes_from(address)
            if sighting.sight is Sight.UNKNOWN:
                continue
            live = sum(not path.stale for path in sighting.paths)
            if self._last.get(node) != live:
                self._last[node] = live
                self.changes.append(Change(sighting.at or time.time(), node, live))
        self.answers += 1
