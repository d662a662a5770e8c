"""The patch types of the Kubernetes API on plain documents. Pure: every function returns a new document.

Sources: RFC 7386 (merge patch), RFC 6902 (JSON patch), k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bgpctl.lab.api.documents import Document, clone

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

Path = tuple[str, ...]


class PatchError(ValueError):
    """The patch is well-formed and does not apply to this document (a failing `test`, a missing path)."""


class MalformedPatch(PatchError):
    """The body is no patch of its type."""


# --- merge patch ------------------------------------------------------------------------------------------


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null deletes, everything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


# --- JSON patch -------------------------------------------------------------------------------------------


def json_patch(target: Document, operations: Any) -> Document:
    """RFC 6902, all or nothing."""
    if not isinstance(operations, list):
        raise MalformedPatch("a JSON patch is a list of operations")
    document = clone(target)
    for operation in operations:
        document = _operate(document, operation)
    if not isinstance(document, dict):
        raise PatchError("the patched document is no object")
    return document


def _operate(document: Any, operation: Any) -> Any:
    try:
        perform = _OPERATIONS[operation["op"]]
        path = _pointer(operation["path"])
    except (KeyError, TypeError) as error:
        raise MalformedPatch(f"not a JSON patch operation: {json.dumps(operation)}") from error
    return perform(document, path, operation)


def _pointer(text: str) -> Path:
    if text and not text.startswith("/"):
        raise MalformedPatch(f"JSON pointer {text!r} does not start with /")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])


def _find(document: Any, path: Path) -> Any:
    for step in path:
        document = _step(document, step)
    return document


def _step(container: Any, step: str) -> Any:
    try:
        if isinstance(container, list):
            return container[_index(step, len(container) - 1)]
        if isinstance(container, dict):
            return container[step]
    except KeyError as error:
        raise PatchError(f"path {step!r} does not exist") from error
    raise PatchError(f"path {step!r} leads into a scalar")


def _index(step: str, last: int) -> int:
    if step == "-":
        return last
    if not step.isdigit() or int(step) > last:
        raise PatchError(f"index {step!r} is out of range")
    return int(step)


def _put(document: Any, path: Path, value: Any, *, replace: bool) -> Any:
    if not path:
        return clone(value)
    *parents, last = path
    container = _find(document, tuple(parents))
    if replace:
        _step(container, last)
    if isinstance(container, list):
        at = _index(last, len(container) if not replace else len(container) - 1)
        container[at : at + replace] = [clone(value)]
    elif isinstance(container, dict):
        container[last] = clone(value)
    else:
        raise PatchError(f"path {last!r} leads into a scalar")
    return document


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise MalformedPatch(f"operation {operation['op']!r} needs a value")
    return operation["value"]


def _op_add(document: Any, path: Path, operation: Mapping[str, Any]) -> Any:
    return _put(document, path, _value(operation), replace=False)


def _op_replace(document: Any, path: Path, operation: Mapping[str, Any]) -> Any:
    return _put(document, path, _value(operation), replace=True)


def _op_remove(document: Any, path: Path, operation: Mapping[str, Any]) -> Any:
    if not path:
        raise PatchError("the whole document cannot be removed")
    *parents, last = path
    container = _find(document, tuple(parents))
    _step(container, last)
    del container[_index(last, len(container) - 1) if isinstance(container, list) else last]
    return document


def _op_test(document: Any, path: Path, operation: Mapping[str, Any]) -> Any:
    # A missing path equals null, as in the library that the apiserver uses (evanphx/json-patch).
    try:
        found = _find(document, path)
    except PatchError:
        found = None
    if not _same(found, operation.get("value")):
        raise PatchError(f"testing path {operation['path']!r} failed")
    return document


def _same(left: Any, right: Any) -> bool:
    """JSON equality: Python would take True for 1."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _op_move(document: Any, path: Path, operation: Mapping[str, Any]) -> Any:
    source = _pointer(operation["from"])
    value = _find(document, source)
    return _put(_op_remove(document, source, operation), path, value, replace=False)


def _op_copy(document: Any, path: Path, operation: Mapping[str, Any]) -> Any:
    return _put(document, path, _find(document, _pointer(operation["from"])), replace=False)


_OPERATIONS: Mapping[str, Callable[[Any, Path, Mapping[str, Any]], Any]] = {
    "add": _op_add,
    "replace": _op_replace,
    "remove": _op_remove,
    "test": _op_test,
    "move": _op_move,
    "copy": _op_copy,
}


# --- strategic merge --------------------------------------------------------------------------------------

# patchMergeKey of the types that this server has, by field name, or "parent.field" where the name alone is
# ambiguous. "" merges as a set of primitives. Lists that are not here are atomic (taints, tolerations …).
# Source: the patchStrategy tags of k8s.io/api core/v1, apps/v1, policy/v1.
MERGE_KEYS: Mapping[str, str] = {
    "conditions": "type",
    "metadata.finalizers": "",
    "metadata.ownerReferences": "uid",
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "containers.ports": "containerPort",
    "spec.ports": "port",
    "spec.podCIDRs": "",
    "spec.imagePullSecrets": "name",
    "spec.hostAliases": "ip",
    "spec.topologySpreadConstraints": "topologyKey",
    "status.addresses": "type",
    "status.podIPs": "ip",
    "status.hostIPs": "ip",
}

_SET_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def merge_key(parent: str, name: str) -> str | None:
    """The key by which a list's items merge, "" for a set of primitives, None for an atomic list."""
    return MERGE_KEYS.get(f"{parent}.{name}", MERGE_KEYS.get(name))


def strategic(target: Any, patch: Any, parent: str = "") -> Any:
    """A strategic merge patch. Objects merge, null deletes, lists merge by their key or are replaced."""
    if not isinstance(patch, dict):
        raise MalformedPatch("a strategic merge patch is an object")
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    merged = dict(target) if isinstance(target, dict) and directive != "replace" else {}
    _retain(merged, patch.get("$retainKeys"))
    _delete_primitives(merged, patch)
    for name, value in patch.items():
        if not name.startswith("$"):
            _merge_field(merged, parent, name, value)
    _reorder(merged, patch, parent)
    return merged


def _merge_field(merged: Document, parent: str, name: str, value: Any) -> None:
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, dict):
        _merge_object(merged, name, value)
    elif isinstance(value, list) and merge_key(parent, name) is not None:
        merged[name] = _merge_list(merged.get(name), value, merge_key(parent, name) or "", name)
    else:
        merged[name] = clone(value)


def _merge_object(merged: Document, name: str, value: Document) -> None:
    if value.get("$patch") == "delete":
        merged.pop(name, None)
    else:
        merged[name] = strategic(merged.get(name), value, name)


def _retain(merged: Document, kept: Any) -> None:
    if isinstance(kept, list):
        for name in [name for name in merged if name not in kept]:
            del merged[name]


def _delete_primitives(merged: Document, patch: Document) -> None:
    for name, values in patch.items():
        if name.startswith(_DELETE_PRIMITIVES):
            field = name.removeprefix(_DELETE_PRIMITIVES)
            merged[field] = [item for item in merged.get(field) or () if item not in values]


def _merge_list(target: Any, patch: Sequence[Any], key: str, name: str) -> list[Any]:
    items = list(target) if isinstance(target, list) else []
    if not key:
        return items + [clone(item) for item in patch if item not in items]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [clone(item) for item in patch if "$patch" not in item]
    for item in patch:
        _merge_item(items, item, key, name)
    return items


def _merge_item(items: list[Any], item: Any, key: str, name: str) -> None:
    if not isinstance(item, dict) or key not in item:
        raise MalformedPatch(f"map: {json.dumps(item)} does not contain declared merge key: {key}")
    at = next((i for i, found in enumerate(items) if found.get(key) == item[key]), None)
    if item.get("$patch") == "delete":
        items[:] = [found for found in items if found.get(key) != item[key]]
    elif at is None:
        items.append(strategic({}, item, name))
    else:
        items[at] = strategic(items[at], item, name)


def _reorder(merged: Document, patch: Document, parent: str) -> None:
    """Listed items come in the given order; the others keep their place behind them."""
    for directive, order in patch.items():
        name = directive.removeprefix(_SET_ORDER)
        if name == directive or not isinstance(merged.get(name), list):
            continue
        key = merge_key(parent, name)
        ranks = {_rank_key(item, key): rank for rank, item in enumerate(order)}
        merged[name] = sorted(merged[name], key=lambda item: ranks.get(_rank_key(item, key), len(ranks)))


def _rank_key(item: Any, key: str | None) -> str:
    return json.dumps(item.get(key) if key and isinstance(item, dict) else item)
