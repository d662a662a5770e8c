"""Tell the world: write BGPNodeState when it changed (at most once a second; counts of a node that serves
within half a minute) and as a heartbeat.

A thread of its own: a slow or absent API server must never stall the loop that withdraws routes.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bgpctl.core.reading.foreign import Unreadable, parse_json
from bgpctl.core.state import HEARTBEAT_SECONDS, NodeState
from bgpctl.core.state_document import from_document, to_document
from bgpctl.core.state_lag import may_lag
from bgpctl.errors import BgpctlError
from bgpctl.ports import Sink
from bgpctl.speaker.status.waiting import Waiting

log = logging.getLogger("bgpctl.speaker")

LONGEST = 16 << 20  # octets of a file


class FileSink:
    """A file in the speaker's directory, for speakers without Kubernetes, and for what the next speaker must
    know (memory.py). Mode 0600, replaced whole. Not synced: what a killed process wrote, the kernel has; a
    power cut may cost the last half minute, and no more of the card that it is on than one write a second."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> NodeState | None:
        """Anything may be in its place: a pipe is not waited for, nor more read than is ever written."""
        try:
            with open(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                return decoded(parse_json(file.read(LONGEST + 1), LONGEST))
        except (OSError, Unreadable):
            return None

    def write(self, state: NodeState) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(to_document(state)))  # by C; with a file, or indented, 8 times as long
        temporary.replace(self._path)


def decoded(document: Any) -> NodeState | None:
    """Another version, or another hand, wrote it: what cannot be read is not there."""
    try:
        return from_document(document)
    except Unreadable:
        return None


def awaited(state: NodeState) -> Hashable:
    """What a drain waits for: leaving, withdrawn, and the request that this answers."""
    return state.phase, state.observed_leave


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `minimum` between two writes, `heartbeat` without a change, `backoff` after a failure: the
    first pause and the longest. `wish`: the longest Retry-After that is heeded. `alive`: for how long a state
    is somebody's word after it was offered; a heart does not beat for a loop that hangs. What is different in
    `urgent` is written at once."""

    minimum: float = 1.0
    heartbeat: float = HEARTBEAT_SECONDS
    backoff: tuple[float, float] = (1.0, 8.0)
    wish: float = 30.0
    alive: float = 60.0
    urgent: Callable[[NodeState], Hashable] = awaited

    def due(
        self,
        offered: NodeState,
        written: NodeState | None,
        tried_at: float,
        failures: int,
        counts: float = -math.inf,
    ) -> float:
        """When to write next, on the clock of `tried_at` (the last try; -inf = never tried). `counts`: not
        before that where nothing but counts changed."""
        if failures:
            first, longest = self.backoff
            return tried_at + min(first * 2.0 ** min(failures - 1, 10), longest)
        if written is None or self.urgent(offered) != self.urgent(written):
            return tried_at
        beat = tried_at + self.heartbeat
        if offered == written:
            return beat
        soon = tried_at + self.minimum
        return min(max(soon, counts), beat) if may_lag(offered, written) else soon


class Publisher:
    """The newest offered state reaches the sink; what was overtaken is not written. `word`: what its log says
    that this is. `waiting`: for how long counts wait, None = they do not."""

    def __init__(
        self,
        sink: Sink,
        pace: Pace = Pace(),
        clock: Callable[[], float] = time.monotonic,
        word: str = "published",
        waiting: Waiting | None = None,
    ) -> None:
        self._sink, self._pace, self._clock, self._word = sink, pace, clock, word
        self._waiting = waiting
        self._offered: NodeState | None = None
        self._offered_at = -math.inf
        self._written: NodeState | None = None
        self._tried_at = -math.inf
        self._failures = 0
        self._wish = 0.0
        self._changed = threading.Condition()
        self._closing = False
        self.problem = ""
        self.told_at: float | None = None  # the heartbeat of what was written last
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> Publisher:
        self._thread.start()
        return self

    @property
    def trouble(self) -> str:
        """Why no state will ever be published again, "" = it will."""
        gone = self._thread.ident is not None and not self._thread.is_alive() and not self._closing
        return "the thread that publishes the state is gone" if gone else ""

    def offer(self, state: NodeState) -> None:
        """Give the present state; its heartbeat is set when it is written."""
        with self._changed:
            self._offered, self._offered_at = state, self._clock()
            if self._waiting:
                self._waiting.offered(state, self._written, self._offered_at)
            self._changed.notify()

    def again(self) -> None:
        """Write what was offered last once more, as if it were news."""
        with self._changed:
            self._written = None
            self._changed.notify()

    def close(self, last: NodeState, timeout: float = 2.0) -> None:
        """Write a last state, then end; it is tried once."""
        with self._changed:
            self._offered, self._closing = last, True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closing and (patience := self._patience()) > 0:
                    self._changed.wait(min(patience, threading.TIMEOUT_MAX))
                state, closing = self._offered, self._closing
            if state is not None:
                self._write(state)
            if closing:
                return

    def _patience(self) -> float:
        """Seconds until a write is due."""
        if self._offered is None:
            return math.inf
        counts = self._waiting.until if self._waiting else -math.inf
        due = self._pace.due(self._offered, self._written, self._tried_at, self._failures, counts)
        beats = self._offered == self._written and not self._failures
        if beats and due - self._offered_at > self._pace.alive:
            return math.inf  # until it is offered again
        return max(due, self._tried_at + self._wish) - self._clock()

    def _write(self, state: NodeState) -> None:
        self._tried_at, beat = self._clock(), time.time()
        try:
            self._sink.write(replace(state, heartbeat=beat))
        except Exception as error:
            self._failed(error)
        else:
            if self.problem:
                log.info(f"state.{self._word}_again")
            self.problem, self._failures, self._wish, self.told_at = "", 0, 0.0, beat
            self._wrote(state)

    def _wrote(self, state: NodeState) -> None:
        with self._changed:
            self._written = state
            if self._waiting and self._offered:
                self._waiting.wrote(state, self._offered, self._clock())

    def _failed(self, error: Exception) -> None:
        """The thread goes on in any case: a state that nobody refreshes looks like a dead speaker."""
        expected = isinstance(error, BgpctlError | OSError)
        text = str(error) if expected else f"bug: {type(error).__name__}"
        if text != self.problem:
            bug = None if expected else error
            log.warning(f"state.not_{self._word}", extra={"error": text}, exc_info=bug)
        self.problem, self._failures = text, self._failures + 1
        self._wish = min(getattr(error, "retry_after", None) or 0.0, self._pace.wish)
