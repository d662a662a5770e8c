"""bgpctl.lab.api.schema: prune, default and validate custom resources."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.lab.api import schema


def faults(spec_schema: dict[str, Any], value: Any) -> list[tuple[str, str]]:
    """(reason, field) of every fault of `value` at `spec`"""
    root = {"type": "object", "properties": {"spec": spec_schema}}
    return [(cause.reason, cause.field) for cause in schema.validate(root, {"spec": value})]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", [0, -1, 2.0], ["1", 1.5, True, None, [], {}]),
        ("number", [0, 1.5], ["1", True, None]),
        ("string", ["", "x"], [1, True, None]),
        ("boolean", [True, False], [0, "true", None]),
        ("array", [[], [1]], [{}, "x", None]),
        ("object", [{}, {"a": 1}], [[], "x", None]),
    ],
)
def test_types(kind: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert faults({"type": kind}, value) == []
    for value in bad:
        assert faults({"type": kind}, value) == [("FieldValueTypeInvalid", "spec")]


@pytest.mark.parametrize(
    ("below", "good", "bad", "reason"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, [1, 9], [0, 10], "FieldValueInvalid"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, [2], [1], "FieldValueInvalid"),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": True}, [8], [9], "FieldValueInvalid"),
        ({"type": "integer", "format": "int32"}, [2**31 - 1, -(2**31)], [2**31], "FieldValueInvalid"),
        ({"type": "integer", "format": "int64"}, [2**63 - 1], [2**63], "FieldValueInvalid"),
        ({"type": "integer", "multipleOf": 5}, [10], [11], "FieldValueInvalid"),
        ({"type": "string", "minLength": 2}, ["ab"], ["a"], "FieldValueInvalid"),
        ({"type": "string", "maxLength": 2}, ["ab"], ["abc"], "FieldValueTooLong"),
        ({"type": "string", "pattern": "^a+$"}, ["aa"], ["ab"], "FieldValueInvalid"),
        ({"type": "string", "format": "ipv4"}, ["10.0.0.1"], ["10.0.0"], "FieldValueInvalid"),
        ({"type": "string", "format": "cidr"}, ["10.0.0.1/24", "::/0"], ["10.0.0.1/99"], "FieldValueInvalid"),
        ({"type": "string", "format": "date-time"}, ["2026-01-01T00:00:00Z"], ["now"], "FieldValueInvalid"),
        ({"type": "string", "enum": ["a", "b"]}, ["a"], ["c"], "FieldValueNotSupported"),
        ({"type": "array", "minItems": 1}, [[1]], [[]], "FieldValueInvalid"),
        ({"type": "array", "maxItems": 1}, [[1]], [[1, 2]], "FieldValueTooMany"),
        ({"type": "object", "minProperties": 1}, [{"a": 1}], [{}], "FieldValueInvalid"),
        ({"type": "object", "maxProperties": 1}, [{"a": 1}], [{"a": 1, "b": 2}], "FieldValueTooMany"),
        ({"x-kubernetes-int-or-string": True}, [1, "50%"], [True, 1.5, []], "FieldValueTypeInvalid"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, [1, "x"], [[]], "FieldValueInvalid"),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            [{"a": 1}],
            [{"a": 1, "b": 2}, {}],
            "FieldValueInvalid",
        ),
        ({"not": {"required": ["a"]}}, [{}], [{"a": 1}], "FieldValueInvalid"),
    ],
)
def test_constraints(below: dict[str, Any], good: list[Any], bad: list[Any], reason: str) -> None:
    for value in good:
        assert faults(below, value) == [], value
    for value in bad:
        assert faults(below, value) == [(reason, "spec")], value


def test_paths_lead_through_lists_maps_and_objects() -> None:
    below = {
        "type": "object",
        "properties": {
            "peers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["asn"],
                    "properties": {"port": {"type": "integer", "maximum": 65535}},
                },
            },
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    value = {"peers": [{"asn": 1}, {"port": 70000}], "labels": {"a": 1}}
    assert faults(below, value) == [
        ("FieldValueRequired", "spec.peers[1].asn"),
        ("FieldValueInvalid", "spec.peers[1].port"),
        ("FieldValueTypeInvalid", "spec.labels.a"),
    ]


def test_messages_read_as_the_real_ones() -> None:
    root = {
        "properties": {"spec": {"properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["m"]}}
    }
    texts = [str(cause) for cause in schema.validate(root, {"spec": {"n": 0}})]
    assert texts == [
        "spec.m: Required value",
        "spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1",
    ]


def test_nullable() -> None:
    assert faults({"type": "string", "nullable": True}, None) == []


def test_sets_and_maps_hold_each_item_once() -> None:
    assert faults({"type": "array", "x-kubernetes-list-type": "set"}, ["a", "b", "a"]) == [
        ("FieldValueDuplicate", "spec[2]")
    ]
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    assert faults(keyed, [{"k": 1, "v": 1}, {"k": 1, "v": 2}, {"k": 2}]) == [
        ("FieldValueDuplicate", "spec[1]")
    ]


def test_the_root_fields_are_not_the_schemas_business() -> None:
    document = {"apiVersion": "a/v1", "kind": "K", "metadata": {"anything": 1}}
    assert schema.validate({"type": "object"}, document) == []
    assert schema.prune({"type": "object"}, document) == (document, [])


def test_prune() -> None:
    root = {
        "properties": {
            "spec": {
                "properties": {
                    "known": {"type": "integer"},
                    "items": {"type": "array", "items": {"properties": {"a": {}}}},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "map": {"additionalProperties": {"properties": {"a": {}}}},
                }
            }
        }
    }
    spec = {
        "known": 1,
        "odd": 2,
        "items": [{"a": 1, "b": 2}],
        "free": {"x": {"y": 1}},
        "map": {"m": {"a": 1, "c": 2}},
    }
    pruned, unknown = schema.prune(root, {"spec": spec, "stray": 1})
    assert pruned == {
        "spec": {"known": 1, "items": [{"a": 1}], "free": {"x": {"y": 1}}, "map": {"m": {"a": 1}}}
    }
    assert unknown == ["spec.odd", "spec.items[0].b", "spec.map.m.c", "stray"]


def test_defaults() -> None:
    root = {
        "properties": {
            "spec": {
                "properties": {
                    "port": {"type": "integer", "default": 179},
                    "peers": {"items": {"properties": {"ttl": {"default": 1}}}},
                    "timers": {"default": {}, "properties": {"hold": {"default": 90}}},
                    "absent": {"properties": {"x": {"default": 1}}},
                }
            }
        }
    }
    filled = schema.with_defaults(root, {"spec": {"peers": [{}, {"ttl": 5}], "port": None}})
    assert filled == {"spec": {"peers": [{"ttl": 1}, {"ttl": 5}], "port": 179, "timers": {"hold": 90}}}
    assert schema.with_defaults(root, {}) == {}


def test_a_default_is_a_copy() -> None:
    root = {"properties": {"list": {"default": []}}}
    schema.with_defaults(root, {})["list"].append(1)
    assert schema.with_defaults(root, {}) == {"list": []}
