"""A local copy of one collection, kept by list + watch in a thread. Rings a bell that carries no data.

The official client's watch replays or hangs in raw mode (drain.md §4.4), so this is the loop it lacks:
paging, bookmarks, 410 → list again, a read timeout against half-open connections, bounded back-off.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.client import Client, Gone, NotFound, Stream

Document = dict[str, Any]

LONGEST_WISH = 30.0  # of a Retry-After, in seconds: a wrong one must not blind a speaker


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `watch`: the server ends a watch by itself after about this long. `silence`: longer than any
    watch lasts, so only a dead connection reaches it. `backoff`: the first and the longest pause between
    tries. `healthy`: a watch that lived this long makes the next pause a first one."""

    watch: float = 240.0
    silence: float = 330.0
    backoff: tuple[float, float] = (0.2, 10.0)
    healthy: float = 5.0


class Mirror:
    """The objects of one collection by (namespace, name). Of several paths, the first one that the server
    knows is read: versions of one resource, the preferred one first.

    `ring` is called after each change, of the objects or of `problem` (one sentence, "" = none). `synced` is
    set once the first list is in; what was read stays while the API server is away. A collection that the
    server does not know (its CRD is not installed) counts as empty, and is asked for again until it is there.
    `served` says whether it knows it, `refused` that it does not let us read it (403).
    `slim` may cut an object down to what is needed before it is kept.
    """

    def __init__(
        self,
        client: Client,
        path: str | Sequence[str],
        ring: Callable[[], None],
        *,
        query: Mapping[str, str] | None = None,
        slim: Callable[[Document], Document] = lambda document: document,
        timing: Timing = Timing(),
    ) -> None:
        self._paths = (path,) if isinstance(path, str) else tuple(path)
        self._client, self._path, self._ring = client, self._paths[0], ring
        self._query, self._slim, self._timing = dict(query or {}), slim, timing
        self._objects: dict[tuple[str, str], Document] = {}
        self._version = ""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._stream: Stream | None = None
        self.synced = threading.Event()
        self.problem = ""
        self.served = self.refused = False
        self._thread = threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True)

    def start(self) -> Mirror:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop keeping the copy; an open watch ends at once, a request that runs ends in the background."""
        self._stopped.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def items(self) -> tuple[Document, ...]:
        """The objects as they are now. They are shared: do not change them."""
        with self._lock:
            return tuple(self._objects.values())

    # -- the loop

    def _run(self) -> None:
        first, longest = self._timing.backoff
        pause = first
        while not self._stopped.is_set():
            began = time.monotonic()
            problem, wish = self._round()
            if self._stopped.is_set():
                return
            self._set_problem(problem)
            if time.monotonic() - began >= self._timing.healthy:
                pause = first
                if not problem:
                    continue
            self._stopped.wait(max(pause * _jitter(), wish))
            pause = min(pause * 2, longest)

    def _round(self) -> tuple[str, float]:
        """One list where one is needed, and one watch until it ends. What went wrong ("" = nothing), and how
        many seconds the server wants to be left alone."""
        try:
            if self._version or self._relist():
                self._follow()
        except Gone:
            self._version = ""
        except Temporary as error:
            return error.message, min(error.retry_after or 0.0, LONGEST_WISH)
        except BgpctlError as error:
            self._version, self.refused = "", getattr(error, "code", 0) == 403
            return error.message, 0.0
        except Exception as error:
            # One object that nobody foresaw must not end the watch for good, silently.
            self._version = ""
            return f"{self._path} cannot be read: {type(error).__name__}: {error}", 0.0
        return "", 0.0

    def _relist(self) -> bool:
        """Read everything. Is there something to watch?"""
        items, version = self._list()
        objects = {_key(item): self._slim(item) for item in items}
        with self._lock:
            changed = objects != self._objects or not self.synced.is_set()
            self._objects = objects
        self._version, self.served, self.refused = version, bool(version), False
        self.synced.set()
        self._set_problem("")
        if changed:
            self._ring()
        return bool(version)

    def _list(self) -> tuple[list[Document], str]:
        """The objects and the version to watch from; of a collection that is not served, nothing and ""."""
        for path in self._paths:
            try:
                listed = self._client.list_with_version(path, **self._query)
            except NotFound as error:
                if self._client.serves(path):
                    raise Temporary(f"{path}: {error.message}, though the API server serves it") from None
                continue
            self._path = path
            return listed
        return [], ""

    def _follow(self) -> None:
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(max(1, round(self._timing.watch * _jitter()))),
        }
        try:
            stream = self._client.stream(self._path, query, self._timing.silence)
        except NotFound as error:
            self._version = ""
            raise Temporary(f"watch {self._path}: {error.message}") from None
        with self._lock:
            self._stream = stream
            if self._stopped.is_set():
                stream.close()
        self._set_problem("")
        for event in stream:
            self._handle(event)

    def _handle(self, event: Document) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            if item.get("code") == 410:
                raise Gone(410, "Expired", item.get("message", "too old resource version"), item)
            self._version = ""
            raise Temporary(f"watch {self._path}: {item.get('message', 'error event')}")
        changed = kind != "BOOKMARK" and self._adopt(_key(item), None if kind == "DELETED" else item)
        self._version = item["metadata"]["resourceVersion"]
        if changed:
            self._ring()

    def _adopt(self, key: tuple[str, str], item: Document | None) -> bool:
        """Keep or drop one object. Did anything that is kept of it change?"""
        new = None if item is None else self._slim(item)
        with self._lock:
            old = self._objects.pop(key, None) if new is None else self._objects.get(key)
            if new is not None:
                self._objects[key] = new
        return new != old

    def _set_problem(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._ring()


def _key(item: Document) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _jitter() -> float:
    """A fleet of speakers must not come back in step."""
    return random.uniform(0.8, 1.2)  # noqa: S311 — no secret
