"""Watches: which lines a client gets for each change, when bookmarks are due, when the stream ends.

Source: kubernetes.io/docs/reference/using-api/api-concepts, k8s.io/apiserver/pkg/storage/cacher.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import Empty

from bgpctl.lab.api import status, wire
from bgpctl.lab.api.documents import Document, dump
from bgpctl.lab.api.listing import number
from bgpctl.lab.api.resources import Resource
from bgpctl.lab.api.routes import flag
from bgpctl.lab.api.selectors import Selection
from bgpctl.lab.api.store import Event, Store, Stored, Subscription
from bgpctl.lab.api.wire import Form

BOOKMARK_SECONDS = 60.0
DEFAULT_TIMEOUT_SECONDS = 1800.0
# A bookmark comes this long before a watch with a timeout ends, so that its client resumes from there.
_BEFORE_END_SECONDS = 2.0
# How often a watch without news looks whether its client is still there.
TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`since` None = first the present state as ADDED. Times in seconds."""

    since: int | None
    timeout: float
    bookmarks: bool
    initial_end: bool = False


def options_of(query: Mapping[str, str]) -> WatchOptions:
    """The watch that the query asks for; raises 400, 422."""
    since = number(query, "resourceVersion") or None
    initial = flag(query, "sendInitialEvents")
    bookmarks = flag(query, "allowWatchBookmarks")
    if initial and query.get("resourceVersionMatch") != "NotOlderThan":
        text = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        cause = status.Cause("FieldValueForbidden", text, "resourceVersionMatch")
        raise status.invalid("meta.k8s.io", "ListOptions", "", [cause])
    return WatchOptions(
        since=None if initial else since,
        timeout=float(number(query, "timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS),
        bookmarks=bookmarks,
        initial_end=initial and bookmarks,
    )


def translate(event: Event, selection: Selection) -> str | None:
    """The event's type as seen through a selection: leaving it is DELETED, entering it ADDED."""
    now = selection.matches(event.stored.document)
    before = event.previous is not None and selection.matches(event.previous.document)
    if event.type == "DELETED":
        return "DELETED" if before else None
    if now:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else None


class Watch:
    """One watch. `lines` yields chunks of lines; an empty chunk is a chance to notice a gone client."""

    def __init__(
        self, store: Store, resource: Resource, selection: Selection, options: WatchOptions, form: Form
    ) -> None:
        self._store = store
        self._resource = resource
        self._selection = selection
        self._options = options
        self._form = form
        self._subscription: Subscription | None = None
        self._started_at = options.since or 0

    def close(self) -> None:
        """End the watch from outside; the stream closes as at a timeout."""
        if self._subscription:
            self._subscription.close()

    def lines(self) -> Iterator[bytes]:
        """The stream's content, until the timeout, `close`, or an ERROR line."""
        try:
            initial = self._open()
        except status.ApiError as error:
            # The stream has begun when the cache finds the version too old: so it is a line, not a 410.
            yield wire.event("ERROR", dump(error.document()))
            return
        try:
            yield initial
            yield from self._follow()
        finally:
            self.close()

    def _open(self) -> bytes:
        with self._store.lock:
            if self._options.since is not None:
                self._subscription = self._store.subscribe(self._resource.key, self._options.since)
                return b""
            self._subscription = self._store.subscribe(self._resource.key)
            present, version = self._store.all(self._resource.key, self._selection.namespace)
            self._started_at = version
        lines = [self._line("ADDED", s) for s in present if self._selection.matches(s.document)]
        if self._options.initial_end:
            lines.append(self._bookmark(version, {"k8s.io/initial-events-end": "true"}))
        return b"".join(lines)

    def _follow(self) -> Iterator[bytes]:
        end = time.monotonic() + self._options.timeout
        bookmark = _next_bookmark(time.monotonic(), end)
        while (now := time.monotonic()) < end:
            if self._options.bookmarks and now >= bookmark:
                yield self._due_bookmark()
                bookmark = _next_bookmark(now, end)
            events, open_still = self._wait(min(TICK_SECONDS, end - now, max(bookmark - now, 0.01)))
            yield b"".join(self._lines_for(event) for event in events)
            if not open_still:
                return

    def _wait(self, seconds: float) -> tuple[list[Event], bool]:
        """Everything that has happened, after waiting for something to happen."""
        assert self._subscription
        queue, events = self._subscription.queue, []
        try:
            event = queue.get(timeout=seconds)
            while event is not None:
                events.append(event)
                event = queue.get_nowait()
        except Empty:
            return events, True
        return events, False

    def _lines_for(self, event: Event) -> bytes:
        kind = translate(event, self._selection)
        if kind is None:
            return b""
        if kind == "DELETED" and event.type != "DELETED" and event.previous:
            # What left the selection is shown as it last matched, with the version of the change.
            meta = {**event.previous.document["metadata"], "resourceVersion": str(event.version)}
            return self._line(kind, Stored({**event.previous.document, "metadata": meta}, event.version))
        return self._line(kind, event.stored)

    def _line(self, kind: str, stored: Stored) -> bytes:
        return wire.event(kind, wire.one(self._resource, stored, self._form))

    def _due_bookmark(self) -> bytes:
        """None while nothing has happened anywhere since the watch began."""
        version = self._store.caught_up(self._subscription) if self._subscription else None
        return b"" if version is None or version <= self._started_at else self._bookmark(version, {})

    def _bookmark(self, version: int, annotations: Document) -> bytes:
        meta: Document = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        document: Document = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": meta,
        }
        if self._form.kind == "Table":
            # kubectl asks for Tables when it watches; its decoder wants one here too.
            row = {"cells": [], "object": wire.partial(document)}
            document = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "rows": [row]}
            document["columnDefinitions"] = []
        elif self._form.kind:
            document = wire.partial(document)
        return wire.event("BOOKMARK", dump(document))


def _next_bookmark(now: float, end: float) -> float:
    before_end = end - _BEFORE_END_SECONDS
    return before_end if now < before_end < now + BOOKMARK_SECONDS else now + BOOKMARK_SECONDS
