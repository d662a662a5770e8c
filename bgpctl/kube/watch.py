"""A local copy of one collection, kept by list + watch in a thread. Rings a bell that carries no data.

The official client's watch replays or hangs in raw mode (drain.md §4.4), so this is the loop it lacks:
paging, bookmarks, 410 → list again, a read timeout against half-open connections, bounded back-off.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.client import Client, Gone, NotFound, Stream

Document = dict[str, Any]
Key = tuple[str, str]  # namespace, name
T = TypeVar("T")

STORM = 3  # watches in a row that end with 410, or at once without an event: one is usual
BROKEN = 6  # that break before one: an API server that restarts breaks one or two of each speaker
LONGEST_WISH = 30.0  # of a Retry-After, in seconds: a wrong one must not blind a speaker


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `watch`: the server ends a watch by itself after about this long. `silence`: longer than any
    watch lasts, so only a dead connection reaches it. `backoff`: the first and the longest pause between
    tries. `healthy`: a watch that lived this long makes the next pause a first one. `spread`: over so long a
    fleet comes back that an API server sent away, all in one instant. `returning`: how long the objects of a
    deleted CRD stay after it is there again, for somebody to put them back."""

    watch: float = 240.0
    silence: float = 330.0
    backoff: tuple[float, float] = (0.2, 10.0)
    healthy: float = 5.0
    spread: float = 1.0
    returning: float = 300.0


def whole(document: Document) -> Document:
    """Keep everything of an object."""
    return document


class Mirror(Generic[T]):
    """The objects of one collection by (namespace, name). Of several paths, the first one that the server
    knows is read: versions of one resource, the preferred one first.

    `ring` is called after each change, of the objects or of `problem` (one sentence, "" = none). `synced` is
    set once the first list is in; what was read stays while the API server is away. A collection that the
    server does not know (its CRD is not installed) counts as empty, and is asked for again until it is there.
    With `cling`, deleting the CRD deletes nothing here: what was read stays, named in `problem`, until the
    CRD has been there again for a while (`Timing.returning`). An object that is deleted itself goes at once.
    `served` says whether it knows it, `refused` that it does not let us read it (403).
    `slim` makes of an object what is kept of it, a value that nobody changes; an object of which the same is
    kept as before has not changed, and stays the same value.
    """

    def __init__(
        self,
        client: Client,
        path: str | Sequence[str],
        ring: Callable[[], None],
        *,
        query: Mapping[str, str] | None = None,
        slim: Callable[[Document], T] = whole,  # type: ignore[assignment]
        timing: Timing = Timing(),
        cling: bool = False,
    ) -> None:
        self._paths = (path,) if isinstance(path, str) else tuple(path)
        self._client, self._path, self._ring = client, self._paths[0], ring
        self._query, self._slim, self._timing = dict(query or {}), slim, timing
        self._objects: dict[Key, T] = {}
        self._items: tuple[T, ...] | None = None
        self._cling = cling
        self._orphans: set[Key] = set()  # those of _objects that went with their CRD
        self._orphans_until = math.inf
        self._version = ""
        self._lock = threading.Lock()
        self._stopped, self._woken = threading.Event(), threading.Event()
        self._stream: Stream | None = None
        self.synced = threading.Event()
        self._problem = ""
        self._storm, self._storm_until = 0, -math.inf
        self._sent_away = False  # by the server, which may have done so with everybody
        self._first_within = 0.0
        self.served = self.refused = False
        self._thread = threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True)

    def start(self, within: float = 0.0) -> Mirror[T]:
        """The first list is asked for at some moment within so many seconds."""
        self._first_within = within
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop keeping the copy; an open watch ends at once, a request that runs ends in the background."""
        self._stopped.set()
        self._client.pulse.forget(self._woken)
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    @property
    def path(self) -> str:
        """The collection that it copies, of several the one that the server knew."""
        return self._path

    @property
    def gone(self) -> bool:
        """Did its thread end although nobody stopped it? Then what is here is not followed any more."""
        ended = self._thread.ident is not None and not self._thread.is_alive()
        return ended and not self._stopped.is_set()

    def items(self) -> tuple[T, ...]:
        """The objects as they are now; the same tuple while none of them changes."""
        with self._lock:
            if self._items is None:
                self._items = tuple(self._objects.values())
            return self._items

    @property
    def problem(self) -> str:
        """One sentence, "" = none. Of watches that are refused one after the other it is known afterwards
        only, so it stays said for longer than the longest pause."""
        if self._problem or time.monotonic() > self._storm_until:
            return self._problem
        return f"the API server ends every watch of {self._path} at once: it is read again and again"

    # -- the loop

    def _run(self) -> None:
        first, longest = self._timing.backoff
        pause = first
        self._stopped.wait(_some_of(self._first_within))
        while not self._stopped.is_set():
            began = time.monotonic()
            self._sent_away = False
            problem, wish = self._round()
            if self._stopped.is_set():
                return
            self._set_problem(problem)
            if time.monotonic() - began >= self._timing.healthy:
                pause, self._storm = first, 0
                if not (problem or self._sent_away):
                    continue
            apart = pause * _jitter() + (_some_of(self._timing.spread) if self._sent_away else 0.0)
            if wish is None:
                self._stopped.wait(apart)
            else:
                self._client.pulse.pause(self._woken, self._stopped, apart, wish)
            pause = min(pause * 2, longest)

    def _round(self) -> tuple[str, float | None]:
        """One list where one is needed, and one watch until it ends. What went wrong ("" = nothing), and of a
        server that did not answer, or not for now, for how many seconds it wants to be left alone (None = it
        did)."""
        try:
            if self._orphans and not time.monotonic() < self._orphans_until < math.inf:
                self._version = ""
            if self._version or self._relist():
                self._follow()
        except Gone:
            self._version, self._sent_away = "", True
            self._ended_at_once()
        except Temporary as error:
            self._sent_away = True
            return error.message, min(error.retry_after or 0.0, LONGEST_WISH)
        except BgpctlError as error:
            self._version, self.refused = "", getattr(error, "code", 0) == 403
            return error.message, None
        except Exception as error:
            # One object that nobody foresaw must not end the watch for good, silently.
            self._version = ""
            return f"{self._path} cannot be read: {type(error).__name__}: {error}", None
        return self._state(), None

    def _relist(self) -> bool:
        """Read everything. Is there something to watch?"""
        listed, version = self._list()
        left = self._left_behind({key for key, _ in listed}, bool(version))
        with self._lock:
            objects = {key: self._known(key, new) for key, new in listed} | left
            changed = objects != self._objects or not self.synced.is_set()
            if changed:
                self._objects, self._items = objects, None
        self._version, self.served = version, bool(version or self._orphans)
        if not version:
            self.refused = False
        self.synced.set()
        self._client.pulse.answered(self._woken)
        if changed:
            self._ring()
        return bool(version)

    def _kept(self, item: Document) -> tuple[Key, T]:
        return _key(item), self._slim(item)

    def _known(self, key: Key, new: T) -> T:
        """What is kept of an object already when that is equal: whoever reads it sees that it is the same."""
        old = self._objects.get(key, new)
        return old if old == new else new

    def _list(self) -> tuple[list[tuple[Key, T]], str]:
        """The objects and the version to watch from; of a collection that is not served, nothing and ""."""
        for path in self._paths:
            try:
                listed = self._client.read_list(path, self._query, self._kept)
            except NotFound as error:
                if self._client.serves(path):
                    raise Temporary(f"{path}: {error.message}, though the API server serves it") from None
                continue
            self._path = path
            return listed
        return [], ""

    def _follow(self) -> None:
        asked = max(1, math.ceil(min(self._timing.watch * _jitter(), self._grace())))
        until = time.monotonic() + asked
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(asked),
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
        self._client.pulse.answered(self._woken)
        # Only now: a list that is allowed and a watch that is not would be solved and a problem for ever.
        self.refused = False
        self._set_problem(self._state())
        event = None
        try:
            for event in stream:
                self._handle(event)
        except Temporary:
            if event is None:
                self._ended_at_once(BROKEN)
            raise
        self._sent_away = time.monotonic() < until - 1.0  # of a second of its clock
        if event is None:
            self._ended_at_once()

    def _ended_at_once(self, most: int = STORM) -> None:
        """One watch gave nothing. Of several in a row (a proxy's empty page, or its limit for an event) none
        can be believed."""
        self._storm += 1
        if self._storm < most:
            return
        self._version = ""
        news = not self.problem
        self._storm_until = time.monotonic() + 1.5 * self._timing.backoff[1]
        if news:
            self._ring()

    def _handle(self, event: Document) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            if item.get("code") == 410:
                raise Gone(410, "Expired", item.get("message", "too old resource version"), item)
            self._version = ""
            raise Temporary(f"watch {self._path}: {item.get('message', 'error event')}")
        changed = kind != "BOOKMARK" and self._change(kind, _key(item), item)
        self._version = item["metadata"]["resourceVersion"]
        if changed:
            self._ring()

    def _change(self, kind: str, key: Key, item: Document) -> bool:
        deleted = kind == "DELETED"
        if deleted and self._cling and self._client.vanishing(self._path):
            self._orphans.add(key)
            self._orphans_until = math.inf
            self._set_problem(self._state())
            return False
        if key in self._orphans:
            self._orphans.discard(key)
            self._set_problem(self._state())
        return self._adopt(key, None if deleted else item)

    def _adopt(self, key: Key, item: Document | None) -> bool:
        """Keep or drop one object. Did anything that is kept of it change?"""
        new = None if item is None else self._slim(item)
        with self._lock:
            if new == self._objects.get(key):
                return False
            if new is None:
                del self._objects[key]
            else:
                self._objects[key] = new
            self._items = None
        return True

    # -- what a deleted CRD leaves behind

    def _left_behind(self, listed: set[Key], served: bool) -> dict[Key, T]:
        """The objects that are not listed and stay all the same."""
        missing = self._objects.keys() - listed if self._cling else set()
        unsure = missing - self._orphans or self._orphans_until == math.inf
        if missing and (not served or (unsure and self._client.vanishing(self._path))):
            self._orphans, self._orphans_until = missing, math.inf
        elif self._orphans_until == math.inf and served:
            self._orphans_until = time.monotonic() + self._timing.returning
        if time.monotonic() >= self._orphans_until:
            self._orphans = set()
        self._orphans &= missing
        return {key: self._objects[key] for key in self._orphans}

    def _grace(self) -> float:
        return self._orphans_until - time.monotonic() if self._orphans else math.inf

    def _state(self) -> str:
        """What there is to say while all goes well."""
        if not self._orphans:
            return ""
        names = sorted("/".join(filter(None, key)) for key in self._orphans)
        which = f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        what = f"the CustomResourceDefinition of {self._path.rpartition('/')[2]} was deleted"
        if self._orphans_until == math.inf:
            return f"{what}; kept in force until it is there again: {which}"
        return f"{what} and is there again; kept in force for some minutes, to be put back: {which}"

    def _set_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._ring()


def _key(item: Document) -> Key:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _some_of(seconds: float) -> float:
    return random.uniform(0.0, seconds)  # noqa: S311 — no secret


def _jitter() -> float:
    """A fleet of speakers must not come back in step."""
    return random.uniform(0.8, 1.2)  # noqa: S311 — no secret
