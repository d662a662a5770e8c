"""What becomes of a CustomResourceDefinition: served when it is stored, and gone after its objects.

Source: k8s.io/apiextensions-apiserver, pkg/controller/{establish,finalizer}.
"""

from __future__ import annotations

from bgpctl.lab.api.deletion import CLEANUP
from bgpctl.lab.api.documents import Document
from bgpctl.lab.api.resources import Registry
from bgpctl.lab.api.store import Key, Store


class Definitions:
    """The store and the registry as the definitions want them. Called under the store's lock."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry

    def stored(self, crd: Document) -> None:
        """Serve what it says now."""
        self._registry.sync_crd(crd)

    def empty(self, crd: Document) -> None:
        """Delete its objects, one by one."""
        key = kept_at(crd)
        for stored in self._store.all(key)[0]:
            meta = stored.document["metadata"]
            self._store.remove(key, meta.get("namespace", ""), meta["name"])

    def removed(self, crd: Document) -> None:
        """Serve it no more."""
        self.empty(crd)
        self._registry.drop_crd(crd)
        self._store.end_subscriptions(kept_at(crd))


def kept_at(crd: Document) -> Key:
    """Where the objects of a definition are."""
    return crd["spec"]["group"], crd["spec"]["names"]["plural"]


def held(crd: Document) -> bool:
    """Does the server itself hold it? Who put the finalizer there by hand plays the server's part."""
    return CLEANUP in (crd["metadata"].get("finalizers") or ())


def let_go(crd: Document) -> Document:
    """The definition without the server's hold on it."""
    meta = crd["metadata"]
    left = [each for each in meta.get("finalizers") or () if each != CLEANUP]
    return {**crd, "metadata": {**meta, "finalizers": left}}
