"""Structural OpenAPI v3 schemas of custom resources: prune, default, validate. Pure.

Causes read as those of kube-apiserver (k8s.io/apiextensions-apiserver/pkg/apiserver/validation and
k8s.io/kube-openapi/pkg/validation/errors). CEL rules (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from bgpctl.lab.api.documents import Document, clone
from bgpctl.lab.api.status import Cause

Schema = Mapping[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"
ROOT_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


# --- prune and default ------------------------------------------------------------------------------------


def prune(schema: Schema, document: Document) -> tuple[Document, list[str]]:
    """The document without fields that the schema does not know, and the paths of those fields."""
    unknown: list[str] = []
    return _prune_object(schema, document, "", unknown, root=True), unknown


def _prune(schema: Schema, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        return _prune_object(schema, value, path, unknown, root=bool(schema.get(_EMBEDDED)))
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [_prune(items, item, f"{path}[{i}]", unknown) for i, item in enumerate(value)]
    return value


def _prune_object(schema: Schema, value: Document, path: str, unknown: list[str], *, root: bool) -> Document:
    pruned: Document = {}
    for name, item in value.items():
        field = f"{path}.{name}" if path else name
        known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if root and name in ROOT_FIELDS:
            pruned[name] = item
        elif isinstance(known, Mapping):
            pruned[name] = _prune(known, item, field, unknown)
        elif known is True or schema.get(_PRESERVE):
            pruned[name] = item
        else:
            unknown.append(field)
    return pruned


def with_defaults(schema: Schema, value: Any) -> Any:
    """A copy with `default` filled in wherever the object around it exists."""
    if isinstance(value, list):
        return [with_defaults(schema.get("items") or {}, item) for item in value]
    if not isinstance(value, dict):
        return value
    extra = schema.get("additionalProperties")
    other: Schema = extra if isinstance(extra, Mapping) else {}
    properties = schema.get("properties", {})
    filled = _without_defaulted_nulls(properties, value)
    for name, below in properties.items():
        if name not in filled and "default" in below:
            filled[name] = clone(below["default"])
    return {name: with_defaults(properties.get(name, other), item) for name, item in filled.items()}


def _without_defaulted_nulls(properties: Mapping[str, Any], value: Document) -> Document:
    """A null where null is not allowed gives way to the default."""

    def gives_way(name: str) -> bool:
        below = properties.get(name, {})
        return value[name] is None and "default" in below and not below.get("nullable")

    return {name: item for name, item in value.items() if not gives_way(name)}


# --- validate ---------------------------------------------------------------------------------------------


def validate(schema: Schema, document: Document) -> list[Cause]:
    """Every fault of a custom resource; its apiVersion, kind and metadata are not looked at."""
    return list(_object(schema, document, "", root=True))


def _validate(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    if value is None and schema.get("nullable"):
        return
    wrong = _wrong_type(schema, value, path)
    if wrong:
        yield wrong
        return
    yield from _enum(schema, value, path)
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, dict):
        yield from _object(schema, value, path)
    elif isinstance(value, list):
        yield from _list(schema, value, path)
    elif isinstance(value, str):
        yield from _string(schema, value, path)
    else:
        yield from _number(schema, value, path)
    yield from _combined(schema, value, path)


def _show(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _invalid(path: str, value: Any, complaint: str) -> Cause:
    message = f"Invalid value: {_show(value)}: {path} in body {complaint}"
    return Cause("FieldValueInvalid", message, path)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_integer(value),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _is_integer(value: Any) -> bool:
    """JSON has one number type: 1.0 is an integer too."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _type_name(value: Any) -> str:
    return next((name for name, fits in _TYPES.items() if fits(value)), "null")


def _wrong_type(schema: Schema, value: Any, path: str) -> Cause | None:
    if schema.get(_INT_OR_STRING):
        wanted, fits = "integer,string", isinstance(value, str) or _is_integer(value)
    else:
        wanted = str(schema.get("type", ""))
        fits = not wanted or _TYPES[wanted](value)
    if fits:
        return None
    message = f'Invalid value: "{_type_name(value)}": {path} in body must be of type {wanted}: '
    return Cause("FieldValueTypeInvalid", message + f'"{_type_name(value)}"', path)


def _enum(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(_show(item) for item in schema["enum"])
        message = f"Unsupported value: {_show(value)}: supported values: {supported}"
        yield Cause("FieldValueNotSupported", message, path)


def _object(schema: Schema, value: Document, path: str, *, root: bool = False) -> Iterator[Cause]:
    for name in schema.get("required") or ():
        if name not in value:
            yield Cause("FieldValueRequired", "Required value", f"{path}.{name}" if path else name)
    if len(value) < schema.get("minProperties", 0):
        yield _invalid(path, value, f"should have at least {schema['minProperties']} properties")
    if len(value) > schema.get("maxProperties", len(value)):
        limit = schema["maxProperties"]
        message = f"Too many: {len(value)}: must have at most {limit} items"
        yield Cause("FieldValueTooMany", message, path)
    for name, item in value.items():
        below = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if isinstance(below, Mapping) and not (root and name in ROOT_FIELDS):
            yield from _validate(below, item, f"{path}.{name}" if path else name)


def _list(schema: Schema, value: list[Any], path: str) -> Iterator[Cause]:
    if len(value) < schema.get("minItems", 0):
        yield _invalid(path, len(value), f"should have at least {schema['minItems']} items")
    if len(value) > schema.get("maxItems", len(value)):
        message = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        yield Cause("FieldValueTooMany", message, path)
    yield from _duplicates(schema, value, path)
    for index, item in enumerate(value):
        yield from _validate(schema.get("items") or {}, item, f"{path}[{index}]")


def _duplicates(schema: Schema, value: list[Any], path: str) -> Iterator[Cause]:
    """Lists declared as sets or maps hold each item, or each key, once."""
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen: set[str] = set()
    for index, item in enumerate(value if kind in {"set", "map"} else ()):
        identity = {k: item.get(k) for k in keys} if keys and isinstance(item, dict) else item
        text = json.dumps(identity, sort_keys=True)
        if text in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {text}", f"{path}[{index}]")
        seen.add(text)


def _string(schema: Schema, value: str, path: str) -> Iterator[Cause]:
    if len(value) < schema.get("minLength", 0):
        yield _invalid(path, value, f"should be at least {schema['minLength']} chars long")
    if len(value) > schema.get("maxLength", len(value)):
        message = f"Too long: may not be more than {schema['maxLength']} bytes"
        yield Cause("FieldValueTooLong", message, path)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield _invalid(path, value, f"should match '{schema['pattern']}'")
    form = schema.get("format", "")
    if form in FORMATS and not parses(FORMATS[form], value):
        yield _invalid(path, value, f"must be of type {form}: {_show(value)}")


FORMATS: Mapping[str, Callable[[str], object]] = {
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "cidr": lambda text: ipaddress.ip_network(text, strict=False),
    "date-time": lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")),
}


def parses(parse: Callable[[str], object], value: str) -> bool:
    """True when `parse` raises no ValueError."""
    try:
        parse(value)
    except ValueError:
        return False
    return True


_BITS = {"int32": 31, "int64": 63}


def _number(schema: Schema, value: float, path: str) -> Iterator[Cause]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(path, value, f"should be {than} {low}")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(path, value, f"should be {than} {high}")
    if schema.get("multipleOf") and value % schema["multipleOf"]:
        yield _invalid(path, value, f"should be a multiple of {schema['multipleOf']}")
    bits = _BITS.get(schema.get("format", ""))
    if bits and not -(2**bits) <= value < 2**bits:
        form = schema["format"]
        yield _invalid(path, value, f"must be of type {form}: {_show(value)}")


def _combined(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from _validate(part, value, path)
    for word, allowed in (("anyOf", None), ("oneOf", 1)):
        parts = schema.get(word) or ()
        fitting = sum(not any(_validate(part, value, path)) for part in parts)
        if parts and (not fitting or (allowed and fitting != allowed)):
            extent = "at least" if word == "anyOf" else "exactly"
            # kube-openapi words both the same way, with "exactly" for oneOf.
            yield _invalid(path, value, f"must validate {extent} one schema ({word})")
    if schema.get("not") and not any(_validate(schema["not"], value, path)):
        yield _invalid(path, value, "must not validate the schema (not)")
