"""How controllers read and write: by plural name, shrugging off the races that controllers shrug off."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from bgpctl.lab.api.deletion import DeleteOptions
from bgpctl.lab.api.documents import Document, metadata, name_of, namespace_of
from bgpctl.lab.api.operations import Change, Operations
from bgpctl.lab.api.resources import Resource
from bgpctl.lab.api.status import ApiError


class Cluster:
    """The objects, for controllers. Documents that it answers are shared: never change them in place."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self._resources: dict[str, Resource] = {}

    def resource(self, plural: str) -> Resource:
        """Raises KeyError; what was found is kept, so a CRD that changes its version is not seen."""
        found = self._resources.get(plural)
        if found is None:
            found = self._resources[plural] = self.operations.registry.by_plural(plural)
        return found

    def stamp(self) -> str:
        """This moment by the server's clock, as metav1.Time."""
        return self.operations.stamp()

    def get(self, plural: str, namespace: str, name: str) -> Document | None:
        """None when there is none. `namespace` is "" for what has no namespace."""
        stored = self.operations.store.get(self.resource(plural).key, namespace, name)
        return stored.document if stored else None

    def all(self, plural: str, namespace: str = "") -> list[Document]:
        """Of every namespace where none is given."""
        stored, _ = self.operations.store.all(self.resource(plural).key, namespace)
        return [each.document for each in stored]

    def owned(self, plural: str, owner: Document) -> list[Document]:
        """The objects in the owner's namespace that name it as their controller."""
        uid = owner["metadata"]["uid"]
        return [d for d in self.all(plural, namespace_of(owner)) if _controlled_by(d, uid)]

    def create(self, plural: str, namespace: str, document: Document) -> None:
        """Create it; that it exists, or that its namespace is going, is no error."""
        with suppress_codes(403, 404, 409):
            self.operations.create(self.resource(plural), namespace, document)

    def modify(self, plural: str, document: Document, change: Change, subresource: str = "") -> None:
        """Change it as it is now; that it is gone is no error."""
        with suppress_codes(404):
            place = namespace_of(document), name_of(document)
            self.operations.modify(self.resource(plural), *place, change, subresource)

    def set_status(self, plural: str, document: Document, status: Document) -> None:
        """Replace the status."""
        if document.get("status") != status:
            self.modify(plural, document, lambda old: {**old, "status": status}, "status")

    def set_spec(self, plural: str, document: Document, **fields: Any) -> None:
        """Set fields of the spec."""
        self.modify(plural, document, lambda old: {**old, "spec": {**old["spec"], **fields}})

    def delete(self, plural: str, document: Document, grace: int | None = None) -> None:
        """Delete this very object; that it is gone or replaced is no error."""
        options = DeleteOptions(grace=grace, uid=document["metadata"]["uid"])
        with suppress_codes(404, 409):
            place = namespace_of(document), name_of(document)
            self.operations.delete(self.resource(plural), *place, options)


class suppress_codes(suppress):
    """Swallow an ApiError with one of the codes, and nothing else."""

    def __init__(self, *codes: int) -> None:
        super().__init__(ApiError)
        self._codes = codes

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, ApiError) and error.code in self._codes


def _controlled_by(document: Document, uid: str) -> bool:
    owners = metadata(document).get("ownerReferences") or ()
    return any(owner["uid"] == uid and owner.get("controller") for owner in owners)


def owner_reference(owner: Document) -> Document:
    """The reference by which `owner` controls something."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def terminating(document: Document) -> bool:
    """Deleted, but a grace period or a finalizer keeps it."""
    return bool(metadata(document).get("deletionTimestamp"))


def ended(pod: Document) -> bool:
    """Succeeded or Failed."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
