"""What goes when its owner or its namespace goes. Keeps an index of who owns what.

Source: kubernetes.io/docs/concepts/architecture/garbage-collection.
"""

from __future__ import annotations

from collections import defaultdict

from bgpctl.lab.api.controllers.cluster import Cluster, suppress_codes, terminating
from bgpctl.lab.api.deletion import DeleteOptions
from bgpctl.lab.api.documents import Document, clone, metadata, name_of, namespace_of
from bgpctl.lab.api.operations import NAMESPACES
from bgpctl.lab.api.resources import Resource
from bgpctl.lab.api.store import Key

Place = tuple[Key, str, str]
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_LOOK_AGAIN_SECONDS = 0.1


class Garbage:
    """Deletes dependants in the background, in the foreground or not at all, as the owner's deletion said."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._dependants: dict[str, set[Place]] = defaultdict(set)

    def note(self, key: Key, document: Document, *, gone: bool) -> None:
        """Keep the index: an object has appeared, changed or gone."""
        place = (key, namespace_of(document), name_of(document))
        for owner in metadata(document).get("ownerReferences") or ():
            if gone:
                self._dependants[owner["uid"]].discard(place)
            else:
                self._dependants[owner["uid"]].add(place)

    def owner_gone(self, owner: Document) -> None:
        """Delete what only this owner kept."""
        uid = owner["metadata"]["uid"]
        for place in sorted(self._dependants.pop(uid, ())):
            self._disown(place, uid)

    def _disown(self, place: Place, uid: str, *, orphan: bool = False, propagation: str = "") -> None:
        key, namespace, name = place
        stored = self._cluster.operations.store.get(key, namespace, name)
        resource = self._cluster.operations.registry.by_key(key)
        if stored is None or resource is None:
            return
        owners = metadata(stored.document).get("ownerReferences") or ()
        others = [each for each in owners if each["uid"] != uid]
        if others or orphan:
            self._set_metadata(resource, stored.document, ownerReferences=others)
        elif len(others) < len(owners) and not terminating(stored.document):
            self._delete(resource, stored.document, propagation)

    def _delete(self, resource: Resource, document: Document, propagation: str = "") -> None:
        options = DeleteOptions(uid=document["metadata"]["uid"], propagation=propagation)
        with suppress_codes(404, 409):
            place = namespace_of(document), name_of(document)
            self._cluster.operations.delete(resource, *place, options)

    def _set_metadata(self, resource: Resource, document: Document, **fields: object) -> None:
        def change(old: Document) -> Document:
            return {**old, "metadata": {**old["metadata"], **clone(fields)}}

        with suppress_codes(404):
            place = namespace_of(document), name_of(document)
            self._cluster.operations.modify(resource, *place, change)

    def owner_waits(self, key: Key, owner: Document) -> float | None:
        """An owner that is marked with a finalizer of ours: see to its dependants, then let it go."""
        finalizers = metadata(owner).get("finalizers") or []
        resource = self._cluster.operations.registry.by_key(key)
        if resource is None or not terminating(owner) or not {FOREGROUND, ORPHAN} & set(finalizers):
            return None
        uid = owner["metadata"]["uid"]
        for place in sorted(self._dependants.get(uid, ())):
            # What waits for its dependants waits for theirs too.
            self._disown(place, uid, orphan=ORPHAN in finalizers, propagation="Foreground")
        if FOREGROUND in finalizers and self._dependants.get(uid):
            return _LOOK_AGAIN_SECONDS
        left = [each for each in finalizers if each not in {FOREGROUND, ORPHAN}]
        self._set_metadata(resource, owner, finalizers=left)
        return None

    def namespace_waits(self, namespace: Document) -> float | None:
        """Empty a terminating namespace, then let it go."""
        if not terminating(namespace):
            return None
        operations, name, busy = self._cluster.operations, name_of(namespace), False
        for key in operations.store.filled():
            resource = operations.registry.by_key(key)
            if resource is None or not resource.namespaced or key == NAMESPACES:
                continue
            for stored in operations.store.all(key, name)[0]:
                busy = True
                if not terminating(stored.document):
                    self._delete(resource, stored.document)
        if busy:
            return _LOOK_AGAIN_SECONDS
        with suppress_codes(404):
            empty: Document = {"spec": {"finalizers": []}}
            operations.update(self._cluster.resource("namespaces"), "", name, empty, "finalize")
        return None
