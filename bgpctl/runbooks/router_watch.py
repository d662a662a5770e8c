"""A watch over the routers while something happens that no route may notice: every 100 ms, what each has.

`Gaps` adds the looks up (pure); `RouterWatch` is the thread that looks. A stale route forwards, so it
counts as there. A gap is bounded from outside: from the last look that saw a route to the next one that saw
it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from bgpctl.core.model import IPNetwork
from bgpctl.runbooks.routers import Target
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe

INTERVAL = 0.1


@dataclass(slots=True)
class Gaps:
    """What one router had, look by look. The first answer is the baseline: its routes are watched."""

    router: str
    looks: int = 0
    unanswered: int = 0
    longest_gap: float = 0.0
    longest_pause: float = 0.0
    _seen: dict[IPNetwork, float] = field(default_factory=dict)
    _missing: set[IPNetwork] = field(default_factory=set)
    _last: float | None = None

    def look(self, at: float, prefixes: Collection[IPNetwork] | None) -> None:
        """One answer at `at` (epoch seconds); None = the router could not be asked."""
        if prefixes is None:
            self.unanswered += 1
            return
        there = set(prefixes)
        if self._last is None:
            self._seen = dict.fromkeys(there, at)
        else:
            self.longest_pause = max(self.longest_pause, at - self._last)
        for prefix in there & self._missing:
            self.longest_gap = max(self.longest_gap, at - self._seen[prefix])
        self._missing = set(self._seen) - there
        self._seen.update(dict.fromkeys(there & set(self._seen), at))
        self.looks, self._last = self.looks + 1, at

    @property
    def routes(self) -> int:
        return len(self._seen)

    @property
    def throughout(self) -> bool:
        """Had it routes, and answered every look? What happened while it did not, nobody saw."""
        return bool(self.routes) and not self.unanswered

    @property
    def gone(self) -> int:
        """Routes of the baseline that the last look did not see."""
        return len(self._missing)

    def sentence(self) -> str:
        """What may be claimed, and no more."""
        if not self.looks:
            return f"{self.router} was not watched: it never answered"
        looks = f"{self.looks} looks at {self.router}, at most {self.longest_pause:.2f} s apart"
        if self.unanswered:
            looks += f" ({self.unanswered} more without an answer)"
        if not self.routes:
            return f"nothing to see in {looks}: it had no route of this node"
        if self.gone:
            return f"{self.gone} of {self.routes} routes left and did not come back in {looks}"
        if self.longest_gap:
            return f"a route was away for up to {self.longest_gap:.2f} s in {looks}"
        return f"no gap seen in {looks}"


class RouterWatch:
    """Looks at every router in a thread of its own, so that a slow one holds nobody up."""

    def __init__(self, targets: Sequence[Target], interval: float = INTERVAL) -> None:
        self._interval = interval
        self._stopped = threading.Event()
        self._targets = [(target, Gaps(_name(target.probe))) for target in targets]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Returns after the first look at each: that is the baseline."""
        for target, gaps in self._targets:
            _look(target, gaps)
            thread = threading.Thread(target=self._watch, args=(target, gaps), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> tuple[Gaps, ...]:
        """End it; what was seen."""
        self._stopped.set()
        for thread, (_, gaps) in zip(self._threads, self._targets, strict=False):
            thread.join(10)
            gaps.unanswered += thread.is_alive()
        return tuple(gaps for _, gaps in self._targets)

    def _watch(self, target: Target, gaps: Gaps) -> None:
        due = time.monotonic() + self._interval
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic())
            _look(target, gaps)


def _name(probe: Probe) -> str:
    return f"{probe.kind} {probe.peer or probe.target}"


def _look(target: Target, gaps: Gaps) -> None:
    answer = target.ask()
    known = answer.routes is not RouteState.UNKNOWN
    gaps.look(answer.at or time.time(), {path.prefix for path in answer.paths} if known else None)
