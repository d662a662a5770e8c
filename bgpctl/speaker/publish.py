"""Tell the world: write BGPNodeState when it changed (at most once a second) and as a heartbeat.

A thread of its own: a slow or absent API server must never stall the loop that withdraws routes.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from bgpctl.core.foreign import Unreadable, parse_json
from bgpctl.core.nodestate import HEARTBEAT_SECONDS, NodeState, to_document
from bgpctl.core.statereader import from_document
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict, NotFound

log = logging.getLogger("bgpctl.speaker")

LONGEST = 16 << 20  # octets of a state.json


class Sink(Protocol):
    """One place where a state is kept. `read` gives None for nothing, or for nothing that can be read."""

    def read(self) -> NodeState | None: ...
    def write(self, state: NodeState) -> None: ...


class KubeSink:
    """The BGPNodeState object, created when it is missing."""

    def __init__(self, client: Client, node: str) -> None:
        self._client, self._node = client, node

    def read(self) -> NodeState | None:
        document = self._client.find(paths.node_state(self._node))
        return _decoded(document) if document else None

    def write(self, state: NodeState) -> None:
        document = to_document(state)
        # "add" replaces the whole status (RFC 6902 section 4.1); a merge would keep what has gone
        patch = [{"op": "add", "path": "/status", "value": document["status"]}]
        path = f"{paths.node_state(self._node)}/status"
        try:
            self._client.patch(path, patch, kind="json")
        except NotFound:
            self._create(document)
            self._client.patch(path, patch, kind="json")

    def _create(self, document: dict[str, Any]) -> None:
        try:
            self._client.create(paths.NODE_STATES, document)
        except Conflict:
            pass  # another writer was faster: the same object
        except NotFound:
            raise BgpctlError(
                "the cluster does not know BGPNodeState: its CustomResourceDefinition is not installed"
            ) from None


class FileSink:
    """`state.json` in the speaker's directory, for speakers without Kubernetes. Mode 0600, replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> NodeState | None:
        try:
            return _decoded(parse_json(self._path.read_bytes(), LONGEST))
        except (OSError, Unreadable):
            return None

    def write(self, state: NodeState) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(to_document(state), file, indent=1)
        temporary.replace(self._path)


def _decoded(document: Any) -> NodeState | None:
    """Another version, or another hand, wrote it: what cannot be read is not there."""
    try:
        return from_document(document)
    except Unreadable:
        return None


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `minimum` between two writes of one phase, `heartbeat` without a change, `backoff` after a
    failure: the first pause and the longest. `wish`: the longest Retry-After that is heeded."""

    minimum: float = 1.0
    heartbeat: float = HEARTBEAT_SECONDS
    backoff: tuple[float, float] = (1.0, 8.0)
    wish: float = 30.0

    def due(self, offered: NodeState, written: NodeState | None, tried_at: float, failures: int) -> float:
        """When to write next, on the clock of `tried_at` (the last try; -inf = never tried)."""
        if failures:
            first, longest = self.backoff
            return tried_at + min(first * 2.0 ** min(failures - 1, 10), longest)
        if written is None or _awaited(offered) != _awaited(written):
            return tried_at
        return tried_at + (self.minimum if offered != written else self.heartbeat)


def _awaited(state: NodeState) -> tuple[str, str]:
    """What a drain waits for: leaving, withdrawn, and the request that this answers."""
    return state.phase, state.observed_leave


class Publisher:
    """The newest offered state reaches the sink; what was overtaken is not written."""

    def __init__(self, sink: Sink, pace: Pace = Pace(), clock: Callable[[], float] = time.monotonic) -> None:
        self._sink, self._pace, self._clock = sink, pace, clock
        self._offered: NodeState | None = None
        self._written: NodeState | None = None
        self._tried_at = -math.inf
        self._failures = 0
        self._wish = 0.0
        self._changed = threading.Condition()
        self._closing = False
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> Publisher:
        self._thread.start()
        return self

    def offer(self, state: NodeState) -> None:
        """Give the present state; its heartbeat is set when it is written."""
        with self._changed:
            self._offered = state
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
        due = self._pace.due(self._offered, self._written, self._tried_at, self._failures)
        return max(due, self._tried_at + self._wish) - self._clock()

    def _write(self, state: NodeState) -> None:
        self._tried_at = self._clock()
        try:
            self._sink.write(replace(state, heartbeat=time.time()))
        except Exception as error:
            self._failed(error)
        else:
            if self.problem:
                log.info("state.published_again")
            self.problem, self._written, self._failures, self._wish = "", state, 0, 0.0

    def _failed(self, error: Exception) -> None:
        """The thread goes on in any case: a state that nobody refreshes looks like a dead speaker."""
        expected = isinstance(error, BgpctlError | OSError)
        text = str(error) if expected else f"bug: {type(error).__name__}"
        if text != self.problem:
            log.warning("state.not_published", extra={"error": text}, exc_info=None if expected else error)
        self.problem, self._failures = text, self._failures + 1
        self._wish = min(getattr(error, "retry_after", None) or 0.0, self._pace.wish)
