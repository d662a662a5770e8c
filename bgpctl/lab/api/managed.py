"""metadata.managedFields of writers that do not apply: who changed a value last, when, through what. Pure.

As in a real server an entry's time moves when its manager adds or changes a value, not when it only removes
one. Which fields are whose is kept for appliers alone (`apply`): an Update entry's set is left empty, so
nobody conflicts with it. Source: k8s.io/apimachinery/pkg/util/managedfields/internal
(managedfieldsupdater.go, capmanagers.go, stripmeta.go).
"""

from __future__ import annotations

from typing import Any

from bgpctl.lab.api.documents import Document, metadata, without

MOST_UPDATERS = 10  # older ones are merged into one entry, `ancient-changes`
LONGEST_NAME = 128
_NOBODYS = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"}
)
_TYPE_AND_METADATA = ("apiVersion", "kind", "metadata")
_IDENTITY = ("manager", "operation", "apiVersion", "subresource")


def noted(
    old: Document | None, new: Document, manager: str, api_version: str, subresource: str, now: str
) -> Document:
    """`new` with the manager's entry as of `now`; `new` itself where the manager took nothing of it."""
    if not manager or not _took(old or {}, new):
        return new
    entry: Document = {
        "manager": manager[:LONGEST_NAME],
        "operation": "Update",
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": {},
    }
    if subresource:
        entry["subresource"] = subresource
    kept = [e for e in metadata(new).get("managedFields") or () if e and _identity(e) != _identity(entry)]
    return {**new, "metadata": {**metadata(new), "managedFields": _capped([*kept, entry])}}


def _identity(entry: Document) -> tuple[Any, ...]:
    return tuple(entry.get(name, "") for name in _IDENTITY)


def _took(old: Document, new: Document) -> bool:
    """Did a value appear or change that can be anybody's?"""
    meta = _changed(without(metadata(old), _NOBODYS), without(metadata(new), _NOBODYS))
    return meta or _changed(without(old, _TYPE_AND_METADATA), without(new, _TYPE_AND_METADATA))


def _changed(old: Any, new: Any) -> bool:
    if old == new:
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        return any(_changed(old.get(name), value) for name, value in new.items())
    return True


def _capped(entries: list[Document]) -> list[Document]:
    """No more Update entries than a real server keeps: of too many, the oldest ones become one."""
    updates = sorted((e for e in entries if e.get("operation") == "Update"), key=lambda e: e.get("time", ""))
    if len(updates) <= MOST_UPDATERS:
        return entries
    old = updates[: len(updates) - MOST_UPDATERS + 1]
    return [{**old[-1], "manager": "ancient-changes"}, *(e for e in entries if e not in old)]
