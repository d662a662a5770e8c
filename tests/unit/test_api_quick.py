"""bgpctl.lab.api.quick: what it lets through, the whole validation does too; and what is usual, it knows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.lab.api import quick, schema, shapes
from bgpctl.lab.api.resources import BUILTIN, Resource, from_crd
from bgpctl.lab.seed import crds
from tests.support import objects

NAMES = st.sampled_from(["a", "b", "metadata"])
NUMBERS = st.integers(-3, 3) | st.integers() | st.floats(allow_nan=False) | st.just(1.0)
TEXTS = st.sampled_from(["", "a", "aa", "7", "10.0.0.1", "10.0.0.0/8", "2026-01-01T00:00:00Z"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=8,
)


def rules(base: dict[str, Any], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    optional = {**optional, "nullable": st.booleans(), "description": st.just("x")}
    return st.fixed_dictionaries({key: st.just(value) for key, value in base.items()}, optional=optional)


SCALARS = st.one_of(
    rules({}),
    rules({"type": "boolean"}),
    rules({"type": "number"}, minimum=st.integers(-2, 2)),
    rules({"x-kubernetes-int-or-string": True}),
    rules(
        {"type": "integer"},
        minimum=st.integers(-2, 2),
        maximum=st.integers(-2, 2),
        format=st.sampled_from(["int32", "int64"]),
        enum=st.just([1, 2]),
        multipleOf=st.just(2),
    ),
    rules(
        {"type": "string"},
        enum=st.just(["a", "aa"]),
        pattern=st.sampled_from(["^a*$", "("]),
        minLength=st.integers(0, 2),
        maxLength=st.integers(0, 2),
        format=st.sampled_from(["ipv4", "cidr", "date-time", "password"]),
    ),
)
SCHEMAS = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        rules(
            {"type": "array"},
            items=below,
            minItems=st.integers(0, 2),
            maxItems=st.integers(0, 2),
            **{"x-kubernetes-list-type": st.sampled_from(["set", "atomic"])},
        ),
        rules(
            {"type": "object"},
            properties=st.dictionaries(NAMES, below, max_size=3),
            required=st.lists(NAMES, max_size=1),
            additionalProperties=below | st.booleans(),
            minProperties=st.just(1),
        ),
        rules({}, anyOf=st.lists(below, min_size=1, max_size=2)),
    ),
    max_leaves=6,
)


@given(SCHEMAS, VALUES)
def test_what_is_quick_is_right(rule: dict[str, Any], value: Any) -> None:
    if quick.compiled(rule)(value):
        assert schema.validate({"properties": {"x": rule}}, {"x": value}) == []


@given(SCHEMAS, st.dictionaries(NAMES, VALUES, max_size=3))
def test_the_root_is_right_too(rule: dict[str, Any], document: dict[str, Any]) -> None:
    if quick.compiled(rule, schema.ROOT_FIELDS)(document):
        assert schema.validate(rule, document) == []


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"type": "integer", "format": "int32", "minimum": 1}, 5, 0),
        ({"type": "string", "enum": ["a"], "maxLength": 1}, "a", "b"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z", "soon"),
        ({"type": "array", "items": {"type": "boolean"}}, [True], [1]),
        ({"type": "object", "required": ["a"]}, {"a": 1}, {}),
        ({"x-kubernetes-int-or-string": True}, "5%", 1.5),
    ],
)
def test_what_is_usual_is_known(rule: dict[str, Any], right: Any, wrong: Any) -> None:
    fits = quick.compiled(rule)
    assert (fits(right), fits(wrong)) == (True, False)


def test_our_own_objects_are_known() -> None:
    for document, plural in ((objects.node(), "nodes"), (objects.service("a", "192.0.2.1"), "services")):
        resource: Resource = next(r for r in BUILTIN if r.plural == plural)
        assert shapes.fits(resource)(document)
    states = next(r for crd in crds() for r in from_crd(crd) if r.plural == "bgpnodestates")
    body = {
        "metadata": {"name": "n"},
        "status": {"phase": "Running", "routes": {"intended": 1, "announced": 1}},
    }
    assert states.fits is not None and states.fits(body)
