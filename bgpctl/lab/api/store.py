"""Objects and their history: one counter of resourceVersions, an event log for watches, a history window.

Documents in here are never changed in place: a write puts a new one. So readers need the lock only to look
up, and each version of an object is encoded as JSON at most once, outside the lock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import RLock

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document, clone, dump, metadata, name_of, namespace_of, sharing, without

Key = tuple[str, str]
"""(group, plural): where objects of one resource are kept, whatever version they are asked in."""

HISTORY_EVENTS = 10_000  # of one resource: 40 s of 250 changes a second, some 15 MB
# A version that was replaced so many events ago is hardly asked for again: its JSON is made anew if it is.
ENCODED_EVENTS = 200
SLOW_WATCHER_EVENTS = 50_000


@dataclass(slots=True)
class Stored:
    """One version of one object. `document` is read-only by agreement."""

    document: Document
    version: int
    _encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The JSON of the object without apiVersion and kind, which each reader puts in front.

        Two threads may encode the same version at once; both get the same bytes, so no lock is needed.
        """
        encoded = self._encoded
        if encoded is None:
            encoded = self._encoded = dump(without(self.document, ("apiVersion", "kind")))
        return encoded

    def forget_encoded(self) -> None:
        """Frees the octets of a version that hardly anybody reads; `encoded` makes them again."""
        self._encoded = None


@dataclass(frozen=True, slots=True)
class Event:
    """A change: `type` ADDED, MODIFIED or DELETED, what it is now (or was last), and what it was before."""

    type: str
    stored: Stored
    previous: Stored | None
    version: int


class Subscription:
    """The events of one resource from a point in history on, in order. None in the queue ends it."""

    def __init__(self, store: Store, key: Key | None, backlog: list[Event]) -> None:
        self.queue: SimpleQueue[Event | None] = SimpleQueue()
        self._store = store
        self.key = key
        for event in backlog:
            self.queue.put(event)

    def close(self) -> None:
        """Ends the subscription from either side; safe to call twice."""
        self._store.unsubscribe(self)
        self.queue.put(None)


@dataclass(slots=True)
class _Shelf:
    """Everything about one resource. `forgotten` is the newest version whose event has been dropped."""

    objects: dict[tuple[str, str], Stored] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)
    forgotten: int = 0
    subscriptions: list[Subscription] = field(default_factory=list)


class Store:
    """All objects. Hold `lock` around a read that decides about a write."""

    def __init__(self, history: int = HISTORY_EVENTS) -> None:
        self.lock = RLock()
        self._history = history
        self._version = 1
        self._compacted = 0
        self._shelves: dict[Key, _Shelf] = {}
        self._to_everything: list[Subscription] = []

    def fork(self) -> Store:
        """A store of its own with the same objects and history. Documents never change: they are shared."""
        made = Store(self._history)
        with self.lock:
            made._version, made._compacted = self._version, self._compacted
            made._shelves = {
                key: _Shelf(dict(shelf.objects), shelf.events.copy(), shelf.forgotten)
                for key, shelf in self._shelves.items()
            }
        return made

    @property
    def version(self) -> int:
        """The newest resourceVersion handed out."""
        return self._version

    def _shelf(self, key: Key) -> _Shelf:
        found = self._shelves.get(key)
        if found is None:
            found = self._shelves[key] = _Shelf(forgotten=self._compacted)
        return found

    # --- reading ------------------------------------------------------------------------------------------

    def get(self, key: Key, namespace: str, name: str) -> Stored | None:
        """None when there is none; `namespace` is "" for what has no namespace."""
        with self.lock:
            return self._shelf(key).objects.get((namespace, name))

    def all(self, key: Key, namespace: str = "") -> tuple[list[Stored], int]:
        """Every object (of a namespace), in the order of its key as in etcd, and the version this is of."""
        with self.lock:
            objects, version = dict(self._shelf(key).objects), self._version
        return _ordered(objects, namespace), version

    def list_at(self, key: Key, version: int, namespace: str = "") -> list[Stored]:
        """The same as it was at an older version, by undoing the log; raises 410 when that is forgotten."""
        with self.lock:
            shelf = self._shelf(key)
            if version < shelf.forgotten:
                raise status.too_old(version, shelf.forgotten)
            objects = dict(shelf.objects)
            _undo(objects, shelf.events, version)
        return _ordered(objects, namespace)

    def filled(self) -> list[Key]:
        """The resources that have objects."""
        with self.lock:
            return [key for key, shelf in self._shelves.items() if shelf.objects]

    # --- writing ------------------------------------------------------------------------------------------

    def put(self, key: Key, document: Document, *, given: bool = False) -> Stored:
        """Create or replace. The store keeps its own copy, stamped with the next resourceVersion; of a
        document that is `given` away nobody else may change anything, and it is kept without copying it."""
        with self.lock:
            shelf, place = self._shelf(key), (namespace_of(document), name_of(document))
            previous = shelf.objects.get(place)
            own = document if given else clone(document)
            stored = self._stamp(sharing(own, previous.document) if previous else own)
            shelf.objects[place] = stored
            self._record(shelf, Event("MODIFIED" if previous else "ADDED", stored, previous, stored.version))
            return stored

    def remove(self, key: Key, namespace: str, name: str, last: Document | None = None) -> Stored | None:
        """Delete. The DELETED event shows `last` (else what was stored) with the deletion's version."""
        with self.lock:
            shelf = self._shelf(key)
            previous = shelf.objects.pop((namespace, name), None)
            if previous is None:
                return None
            stored = self._stamp(clone(last) if last else previous.document)
            self._record(shelf, Event("DELETED", stored, previous, stored.version))
            return stored

    def _stamp(self, document: Document) -> Stored:
        self._version += 1
        meta = {**metadata(document), "resourceVersion": str(self._version)}
        return Stored({**document, "metadata": meta}, self._version)

    def _record(self, shelf: _Shelf, event: Event) -> None:
        shelf.events.append(event)
        while len(shelf.events) > self._history:
            shelf.forgotten = shelf.events.popleft().version
        if len(shelf.events) > ENCODED_EVENTS:
            old = shelf.events[-ENCODED_EVENTS]
            if old.previous:
                old.previous.forget_encoded()
            if old.type == "DELETED":
                old.stored.forget_encoded()
        for subscription in self._to_everything:
            subscription.queue.put(event)
        for subscription in tuple(shelf.subscriptions):
            if subscription.queue.qsize() > SLOW_WATCHER_EVENTS:
                # As a real server does: a reader that cannot follow is cut off and has to list again.
                subscription.close()
            else:
                subscription.queue.put(event)

    # --- history ------------------------------------------------------------------------------------------

    def subscribe(self, key: Key, since: int | None = None) -> Subscription:
        """Events after version `since` (None: from now on); raises 410 when `since` is forgotten."""
        with self.lock:
            shelf = self._shelf(key)
            if since is not None and since < shelf.forgotten:
                raise status.too_old(since, shelf.forgotten)
            backlog = [] if since is None else _after(shelf.events, since)
            subscription = Subscription(self, key, backlog)
            shelf.subscriptions.append(subscription)
            return subscription

    def subscribe_to_everything(self) -> Subscription:
        """Events of every resource from now on, in one queue. For controllers."""
        with self.lock:
            subscription = Subscription(self, None, [])
            self._to_everything.append(subscription)
            return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """A subscription that the store cut off itself is not there any more, which is no error."""
        with self.lock:
            key = subscription.key
            subscriptions = self._shelf(key).subscriptions if key else self._to_everything
            if subscription in subscriptions:
                subscriptions.remove(subscription)

    def compact(self) -> None:
        """Forget all history up to now, as etcd does every five minutes: older watches and pages get 410."""
        with self.lock:
            self._compacted = self._version
            for shelf in self._shelves.values():
                shelf.events.clear()
                shelf.forgotten = self._version

    def caught_up(self, subscription: Subscription) -> int | None:
        """The present version if the subscription holds nothing unread, else None. For bookmarks."""
        with self.lock:
            return self._version if subscription.queue.empty() else None

    def end_subscriptions(self, key: Key | None = None) -> None:
        """End every watch (of one resource): at shutdown, and when a resource is not served any more."""
        with self.lock:
            shelves = [self._shelf(key)] if key else list(self._shelves.values())
            open_ones = [sub for shelf in shelves for sub in shelf.subscriptions]
        for subscription in open_ones:
            subscription.close()


def _ordered(objects: dict[tuple[str, str], Stored], namespace: str) -> list[Stored]:
    return [objects[place] for place in sorted(objects) if not namespace or place[0] == namespace]


def _undo(objects: dict[tuple[str, str], Stored], events: deque[Event], version: int) -> None:
    for event in reversed(events):
        if event.version <= version:
            return
        document = event.stored.document
        place = (namespace_of(document), name_of(document))
        if event.previous is None:
            objects.pop(place, None)
        else:
            objects[place] = event.previous


def _after(events: deque[Event], since: int) -> list[Event]:
    newer: list[Event] = []
    for event in reversed(events):
        if event.version <= since:
            break
        newer.append(event)
    return newer[::-1]
