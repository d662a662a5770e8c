"""Does a value surely satisfy a schema? Schemas as compiled predicates, for the many values that do. Pure.

True means that `schema.validate` finds nothing. False means that it has to look, and to say what is wrong:
also for every schema of a kind that is not known here. So this decides only how long an answer takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bgpctl.lab.api.schema import FORMATS, parses

Schema = Mapping[str, Any]
Fits = Callable[[Any], bool]

_EITHER = "x-kubernetes-int-or-string"
# What validation does not look at, and what is looked at for every kind.
_WORDLESS = frozenset({"description", "title", "default", "example", "externalDocs", "nullable", "type"})
_KNOWN: Mapping[Any, set[str]] = {
    "object": {"required", "properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"},
    "array": {"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"},
    "string": {"enum", "minLength", "maxLength", "pattern", "format"},
    "integer": {"enum", "minimum", "maximum", "format"},
    "boolean": set(),
}
_BITS = {"int32": 31, "int64": 63}


def compiled(schema: Schema, skipped: frozenset[str] = frozenset()) -> Fits:
    """The predicate of a schema; `skipped` are members of the outermost object that are not looked at."""
    kind = schema.get("type")
    if not schema:
        return _yes
    if schema.get(_EITHER) and not schema.keys() - _WORDLESS - {_EITHER}:
        fits: Fits = _int_or_string
    elif kind not in _KNOWN or schema.keys() - _WORDLESS - _KNOWN[kind]:
        return _no
    else:
        fits = _object(schema, skipped) if kind == "object" else _MAKERS[kind](schema)
    return (lambda value: value is None or fits(value)) if schema.get("nullable") else fits


def _no(_: Any) -> bool:
    return False


def _yes(_: Any) -> bool:
    return True


def _int_or_string(value: Any) -> bool:
    return isinstance(value, str) or type(value) is int


def _object(schema: Schema, skipped: frozenset[str]) -> Fits:
    required = tuple(schema.get("required") or ())
    below = {n: compiled(s) for n, s in (schema.get("properties") or {}).items() if n not in skipped}
    extra = schema.get("additionalProperties")
    other = compiled(extra) if isinstance(extra, Mapping) else _yes
    known = {**dict.fromkeys(skipped, _yes), **below}

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        for name in required:
            if name not in value:
                return False
        return all(known.get(name, other)(item) for name, item in value.items())

    return fits


def _array(schema: Schema) -> Fits:
    item = compiled(schema.get("items") or {}) if schema.get("items") else _yes
    low, high = schema.get("minItems", 0), schema.get("maxItems")
    distinct = schema.get("x-kubernetes-list-type") in {"set", "map"}

    def fits(value: Any) -> bool:
        if not isinstance(value, list) or len(value) < low or (high is not None and len(value) > high):
            return False
        return not (distinct and len(value) > 1) and all(map(item, value))

    return fits


def _string(schema: Schema) -> Fits:
    if not schema.keys() - _WORDLESS:
        return lambda value: isinstance(value, str)
    words, low, high = schema.get("enum"), schema.get("minLength", 0), schema.get("maxLength")
    parse = FORMATS.get(schema.get("format", ""))
    try:
        pattern = re.compile(schema.get("pattern", ""))
    except re.error:
        return _no

    def fits(value: Any) -> bool:
        if not isinstance(value, str) or (words is not None and value not in words):
            return False
        if len(value) < low or (high is not None and len(value) > high) or not pattern.search(value):
            return False
        return parse is None or parses(parse, value)

    return fits


def _integer(schema: Schema) -> Fits:
    bits = _BITS.get(schema.get("format", ""), 63)
    low = max(schema.get("minimum", -(2**bits)), -(2**bits))
    high = min(schema.get("maximum", 2**bits - 1), 2**bits - 1)
    words = schema.get("enum")

    def fits(value: Any) -> bool:
        return type(value) is int and low <= value <= high and (words is None or value in words)

    return fits


_MAKERS: Mapping[Any, Callable[[Schema], Fits]] = {
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": lambda schema: lambda value: isinstance(value, bool),
}
