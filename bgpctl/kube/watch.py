"""A local copy of one collection, kept by list + watch in a thread. Rings a bell that carries no data.

The official client's watch replays or hangs in raw mode (drain.md §4.4), so this is the loop it lacks:
paging, bookmarks, 410 -> list again, a read timeout against half-open connections, bounded back-off.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.client import Client, Gone, NotFound

Document = dict[str, Any]

SERVER_TIMEOUT = 240  # seconds after which the server ends a watch by itself
READ_TIMEOUT = 330.0  # longer than SERVER_TIMEOUT: only a dead connection reaches it
BACKOFF = (0.2, 10.0)

log = logging.getLogger(__name__)


class Mirror:
    """The objects of one collection by (namespace, name).

    `ring` is called after each change. `synced` is set once the first list is in. A collection that does not
    exist (its CRD is not installed) counts as empty, and is asked for again until it does. `slim` may cut an
    object down to what is needed before it is kept.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        ring: Callable[[], None],
        *,
        query: Mapping[str, str] | None = None,
        slim: Callable[[Document], Document] = lambda document: document,
    ) -> None:
        self._client, self._path, self._ring = client, path, ring
        self._query, self._slim = dict(query or {}), slim
        self._objects: dict[tuple[str, str], Document] = {}
        self._version = ""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.synced = threading.Event()
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> Mirror:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop keeping the copy. The thread is a daemon: it ends with its current read."""
        self._stopped.set()

    def items(self) -> tuple[Document, ...]:
        """The objects as they are now. They are shared: do not change them."""
        with self._lock:
            return tuple(self._objects.values())

    # -- the loop

    def _run(self) -> None:
        delay = BACKOFF[0]
        while not self._stopped.is_set():
            try:
                if not self._version:
                    self._relist()
                self._follow()
                delay = BACKOFF[0]
                self._set_problem("")
                continue
            except Gone:
                self._version = ""
                continue
            except NotFound:
                self._adopt([], "")
                self._set_problem("")
            except Temporary as error:
                self._set_problem(error.message)
            except BgpctlError as error:
                self._version = ""
                self._set_problem(error.message)
            self._stopped.wait(delay * random.uniform(0.8, 1.2))  # noqa: S311 — jitter, not a secret
            delay = min(delay * 2, BACKOFF[1])

    def _relist(self) -> None:
        items, version = self._client.list_with_version(self._path, **self._query)
        self._adopt(items, version)

    def _adopt(self, items: list[Document], version: str) -> None:
        objects = {_key(item): self._slim(item) for item in items}
        with self._lock:
            changed = objects != self._objects
            self._objects = objects
        self._version = version
        first = not self.synced.is_set()
        self.synced.set()
        self._set_problem("")
        if changed or first:
            self._ring()

    def _follow(self) -> None:
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(SERVER_TIMEOUT),
        }
        for event in self._client.stream(self._path, query, READ_TIMEOUT):
            if self._stopped.is_set():
                return
            self._handle(event)

    def _handle(self, event: Document) -> None:
        kind, item = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            if item.get("code") == 410:
                raise Gone(410, "Expired", item.get("message", "too old resource version"), item)
            raise Temporary(f"watch {self._path}: {item.get('message', 'error event')}")
        self._version = item.get("metadata", {}).get("resourceVersion", self._version)
        if kind == "BOOKMARK":
            return
        with self._lock:
            if kind == "DELETED":
                self._objects.pop(_key(item), None)
            else:
                self._objects[_key(item)] = self._slim(item)
        self._ring()

    def _set_problem(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("kube.watch_problem", extra={"resource": self._path, "error": problem})
        self.problem = problem


def _key(item: Document) -> tuple[str, str]:
    metadata = item.get("metadata", {})
    return metadata.get("namespace", ""), metadata.get("name", "")
