"""Server-side apply: an upsert that remembers, per field manager, which fields it set. Pure.

Field sets are FieldsV1 (`f:name`, `k:{"key":"value"}`), so `kubectl get -o yaml --show-managed-fields` reads
as usual. Entries of other writers (`managed`) have no fields, so conflicts arise between appliers only.
Source: kubernetes.io/docs/reference/using-api/server-side-apply, sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bgpctl.lab.api import patch, shapes, status
from bgpctl.lab.api.documents import Document, clone, metadata, without
from bgpctl.lab.api.resources import Resource

_NOT_OWNED = frozenset({"apiVersion", "kind"})
_SERVER_METADATA = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"}
)


def check(resource: Resource, name: str, body: Any, manager: str) -> None:
    """400/422 for a request that is no apply at all."""
    if not isinstance(body, dict) or not body.get("kind") or not body.get("apiVersion"):
        raise status.bad_request("an apply configuration needs apiVersion and kind")
    shapes.check(resource, body)
    if not manager:
        cause = status.Cause(
            "FieldValueRequired", "Required value: is required for apply patch", "fieldManager"
        )
        raise status.invalid("meta.k8s.io", "PatchOptions", "", [cause])
    if metadata(body).get("name", name) != name:
        raise status.bad_request(f"the name of the object ({metadata(body)['name']}) does not match ({name})")
    if metadata(body).get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")


def applied(
    resource: Resource,
    old: Document | None,
    body: Document,
    manager: str,
    now: str,
    *,
    force: bool,
    subresource: str = "",
) -> Document:
    """`old` (None: nothing yet) as the manager wants it `now` (RFC 3339); 409 where another applier owns a
    differing field."""
    fields = field_set(body)
    if old is None:
        new = clone(body)
        new.setdefault("metadata", {})["managedFields"] = [
            _entry(resource, manager, fields, subresource, now)
        ]
        return dict(new)
    entries = list(metadata(old).get("managedFields") or ())
    me = (manager, "Apply", subresource)
    mine = [e for e in entries if (e.get("manager"), e.get("operation"), e.get("subresource", "")) == me]
    others = [e for e in entries if e not in mine]
    merged = _merged(resource, old, body, subresource)
    conflicts = _conflicts(old, merged, fields, others)
    if conflicts and not force:
        raise _conflict(conflicts)
    kept = [
        {**e, "fieldsV1": _minus(_owned(e), dict(conflicts).get(e.get("manager", ""), {}))} for e in others
    ]
    for entry in mine:
        _drop(merged, _minus(_minus(_owned(entry), fields), _union(kept)))
    unchanged = [e for e in mine if _owned(e) == fields and merged == old]
    merged["metadata"] = {
        **metadata(merged),
        "managedFields": [*kept, *(unchanged or [_entry(resource, manager, fields, subresource, now)])],
    }
    return merged


def _merged(resource: Resource, old: Document, body: Document, subresource: str) -> Document:
    """Custom resources merge lists atomically unless declared as maps, which the lab does not look at."""
    merge = patch.merge if resource.custom else patch.strategic
    if subresource == "status":
        body = {"status": body.get("status") or {}}
    elif resource.status:
        body = without(body, ["status"])
    return dict(clone(merge(old, body)))


def _entry(resource: Resource, manager: str, fields: Document, subresource: str, now: str) -> Document:
    entry: Document = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": resource.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return {**entry, "subresource": subresource} if subresource else entry


def _owned(entry: Document) -> Document:
    fields = entry.get("fieldsV1")
    return fields if isinstance(fields, dict) else {}


# --- field sets -------------------------------------------------------------------------------------------


def field_set(body: Document) -> Document:
    """FieldsV1 of everything the configuration mentions, but for its identity."""
    owned = {name: value for name, value in body.items() if name not in _NOT_OWNED}
    if "metadata" in owned:
        owned["metadata"] = without(owned["metadata"], _SERVER_METADATA)
    return {f"f:{name}": _fields(value, name, "") for name, value in owned.items() if value != {}}


def _fields(value: Any, name: str, parent: str) -> Document:
    if isinstance(value, dict):
        return {f"f:{below}": _fields(item, below, name) for below, item in value.items()}
    key = patch.merge_key(parent, name) if isinstance(value, list) else None
    if not key or not all(isinstance(item, dict) and key in item for item in value):
        return {}
    return {_item(key, item): {".": {}, **_fields(item, name, parent)} for item in value}


def _item(key: str, item: Document) -> str:
    return "k:" + json.dumps({key: item[key]}, separators=(",", ":"))


def _minus(fields: Document, other: Document) -> Document:
    """The fields that `other` does not have; a leaf in `fields` is `{}`."""
    left: Document = {}
    for name, below in fields.items():
        if name not in other:
            left[name] = below
        elif below and (rest := _minus(below, other[name])):
            left[name] = rest
    return left


def _union(entries: list[Document]) -> Document:
    union: Document = {}
    for entry in entries:
        union = patch.merge(union, _owned(entry))
    return union


def _common(fields: Document, other: Document) -> Document:
    """The leaves that both have."""
    both: Document = {}
    for name in fields.keys() & other.keys():
        if not fields[name] or not other[name]:
            both[name] = {}
        elif deeper := _common(fields[name], other[name]):
            both[name] = deeper
    return both


def _leaves(fields: Document, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, below in fields.items():
        if below:
            yield from _leaves(below, (*path, name))
        else:
            yield (*path, name)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """The value that a field path names, None where it leads nowhere."""
    for step in path:
        if step.startswith("f:") and isinstance(value, dict):
            value = value.get(step[2:])
        elif step.startswith("k:") and isinstance(value, list):
            value = next((item for item in value if _has(item, step)), None)
        elif step != ".":
            return None
    return value


def _has(item: Any, step: str) -> bool:
    wanted = json.loads(step[2:])
    return isinstance(item, dict) and all(item.get(key) == value for key, value in wanted.items())


def _drop(document: Document, fields: Document) -> None:
    """Remove the fields, in place; objects that become empty by it go too."""
    for path in sorted(_leaves(fields), key=len, reverse=True):
        *parents, last = path
        container = _at(document, tuple(parents))
        if last == "." and isinstance(container, dict):
            _drop_item(document, tuple(parents))
        elif isinstance(container, dict):
            container.pop(last.removeprefix("f:"), None)


def _drop_item(document: Document, path: tuple[str, ...]) -> None:
    *parents, last = path
    items = _at(document, tuple(parents))
    if isinstance(items, list):
        items[:] = [item for item in items if not _has(item, last)]


# --- conflicts --------------------------------------------------------------------------------------------


def _conflicts(
    old: Document, merged: Document, fields: Document, others: list[Document]
) -> list[tuple[str, Document]]:
    """(manager, fields) of other appliers whose value this apply would change."""
    found = []
    for entry in others:
        changed: Document = {}
        for path in _leaves(_common(fields, _owned(entry))):
            if _at(old, path) != _at(merged, path):
                _insert(changed, path)
        if changed:
            found.append((entry.get("manager", ""), changed))
    return found


def _insert(fields: Document, path: tuple[str, ...]) -> None:
    for step in path:
        fields = fields.setdefault(step, {})


def _conflict(conflicts: list[tuple[str, Document]]) -> status.ApiError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{manager}"',
            "field": "".join("." + step.removeprefix("f:") for step in path),
        }
        for manager, fields in conflicts
        for path in _leaves(fields)
    ]
    word = "conflict" if len(causes) == 1 else "conflicts"
    listed = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    message = f"Apply failed with {len(causes)} {word}: {listed}"
    return status.ApiError(409, "Conflict", message, {"causes": causes})
