"""Tell the world: write BGPNodeState when it changed (at most once a second) and as a heartbeat.

A thread of its own: a slow or absent API server must never stall the loop that withdraws routes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bgpctl.core.nodestate import HEARTBEAT_SECONDS, NodeState, from_document, to_document
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict, NotFound

MIN_INTERVAL = 1.0

log = logging.getLogger(__name__)


class Sink(Protocol):
    """One place where a state is kept."""

    def read(self) -> NodeState | None: ...
    def write(self, state: NodeState) -> None: ...


class KubeSink:
    """The BGPNodeState object, created when it is missing."""

    def __init__(self, client: Client, node: str) -> None:
        self._client, self._node = client, node

    def read(self) -> NodeState | None:
        document = self._client.find(paths.node_state(self._node))
        return from_document(document) if document else None

    def write(self, state: NodeState) -> None:
        document = to_document(state)
        # "add" replaces the whole status (RFC 6902 section 4.1); a merge would keep what has gone
        patch = [{"op": "add", "path": "/status", "value": document["status"]}]
        path = paths.node_state(self._node)
        try:
            self._client.patch(f"{path}/status", patch, kind="json")
        except NotFound:
            with contextlib.suppress(Conflict):  # another writer was faster: the same object
                self._client.create(paths.NODE_STATES, document)
            self._client.patch(f"{path}/status", patch, kind="json")


class FileSink:
    """`state.json` in the speaker's directory, for speakers without Kubernetes. Mode 0600, replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> NodeState | None:
        try:
            return from_document(json.loads(self._path.read_text()))
        except (OSError, ValueError, KeyError):
            return None

    def write(self, state: NodeState) -> None:
        temporary = self._path.with_suffix(".tmp")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(to_document(state), file, indent=1)
        temporary.replace(self._path)


class Publisher:
    """The newest offered state reaches the sink; what was overtaken is not written."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._offered: NodeState | None = None
        self._written: NodeState | None = None
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

    def close(self, last: NodeState, timeout: float = 3.0) -> None:
        """Write a last state, then end."""
        self.offer(last)
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        last_write = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(self._due, timeout=self._patience(last_write))
                state, closing = self._offered, self._closing
            if state is not None and (self._due() or time.monotonic() - last_write >= HEARTBEAT_SECONDS):
                self._write(state)
                last_write = time.monotonic()
            if closing:
                return
            if not self._urgent():
                self._pause(MIN_INTERVAL)

    def _due(self) -> bool:
        return self._closing or (self._offered is not None and self._offered != self._written)

    def _urgent(self) -> bool:
        """A phase that changed (leaving, withdrawn) is what a drain waits for: it does not queue."""
        offered, written = self._offered, self._written
        return self._closing or (
            offered is not None and (written is None or offered.phase != written.phase) and not self.problem
        )

    def _patience(self, last_write: float) -> float:
        return max(0.0, HEARTBEAT_SECONDS - (time.monotonic() - last_write)) if last_write else 1.0

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(self._urgent, timeout=seconds)

    def _write(self, state: NodeState) -> None:
        try:
            self._sink.write(replace(state, heartbeat=time.time()))
        except (BgpctlError, OSError) as error:
            text = str(error)
            if text != self.problem:
                log.warning("state.not_published", extra={"error": text})
            self.problem = text
        else:
            self.problem, self._written = "", state
