"""The kinds of fields as a CRD's schema tells them: what the API server refuses, and what reads it back."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from bgpctl.core.reading import kinds
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import LONGEST_TEXT, Foreign, Unreadable
from bgpctl.core.reading.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (kinds.TEXT, {"type": "string"}),
        (kinds.REQUIRED_TEXT, {"type": "string"}),
        (kinds.SENTENCE, {"type": "string"}),
        (kinds.FLAG, {"type": "boolean"}),
        (kinds.integer(), {"type": "integer"}),
        (kinds.integer(Range(1, 9), minimum=1), {"type": "integer", "minimum": 1}),
        (kinds.number(), {"type": "number"}),
        (kinds.parsed(int, "a number"), {"type": "string"}),
    ],
)
def test_what_the_schema_says(kind: Kind, schema: dict[str, Any]) -> None:
    assert kind.schema == schema
    assert kinds.OBJECT == {"type": "object"}


class Colour(StrEnum):
    """Some words."""

    RED = "red"


def test_what_a_list_is() -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    assert kinds.texts().schema == kinds.each_text(int).schema == kinds.WORDS.schema == texts
    assert kinds.array({"type": "integer"}) == {"type": "array", "items": {"type": "integer"}}
    assert kinds.choice(Colour).schema == {"type": "string"}


def read(kind: Kind, value: Any) -> Any:
    return kind.read(Foreign({} if value is None else {"field": value}), "field")


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (kinds.TEXT, "a", "a"),
        (kinds.TEXT, None, ""),
        (kinds.REQUIRED_TEXT, "a", "a"),
        (kinds.FLAG, True, True),
        (kinds.FLAG, None, False),
        (kinds.integer(Range(1, 9)), 9, 9),
        (kinds.integer(), None, 0),
        (kinds.number(9.0), 9.0, 9.0),
        (kinds.number(), None, 0.0),
        (kinds.parsed(int, "a number"), "7", 7),
        (kinds.parsed(int, "a number"), "", None),
        (kinds.as_text(kinds.parsed(int, "a number")), "07", "7"),
        (kinds.as_text(kinds.parsed(int, "a number")), "", ""),
        (kinds.required(kinds.parsed(int, "a number"), "a number"), "7", 7),
        (kinds.texts(), ["a"], ("a",)),
        (kinds.texts(), None, ()),
        (kinds.each_text(int), ["7", "8"], (7, 8)),
        (kinds.choice(Colour), "red", Colour.RED),
        (kinds.WORDS, ["b", "a"], frozenset("ab")),
    ],
)
def test_what_is_read(kind: Kind, value: Any, found: Any) -> None:
    assert read(kind, value) == found


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (kinds.REQUIRED_TEXT, None, "field must be a string"),
        (kinds.integer(Range(1, 9)), 0, "field must be an integer, 1..9"),
        (kinds.integer(Range(1, 9)), 10, "field must be an integer, 1..9"),
        (kinds.number(9.0), 9.5, "field must be a number, 0..9"),
        (kinds.parsed(int, "a number"), "x", "field must be a number"),
        (kinds.required(kinds.parsed(int, "a number"), "a number"), "", "field must be a number"),
        (kinds.choice(Colour), "blue", "field must be red"),
        (kinds.choice(Colour), None, "field must be red"),
    ],
)
def test_what_is_refused(kind: Kind, value: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=f"^{why}"):
        read(kind, value)


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (kinds.SENTENCE, "x" * (LONGEST_TEXT + 1), "x" * LONGEST_TEXT),
        (kinds.texts(2), ("a", "b" * (LONGEST_TEXT + 1), "c"), ["a", "b" * LONGEST_TEXT]),
        (kinds.each_text(int), (7, 8), ["7", "8"]),
        (kinds.parsed(int, "a number"), 7, "7"),
        (kinds.choice(Colour), Colour.RED, "red"),
        (kinds.WORDS, frozenset("cab"), ["a", "b", "c"]),
    ],
)
def test_what_is_written(kind: Kind, value: Any, written: Any) -> None:
    assert kind.write is not None and kind.write(value) == written


def test_what_each_kind_is_where_it_is_absent() -> None:
    kinds_ = (kinds.TEXT, kinds.SENTENCE, kinds.FLAG, kinds.integer(), kinds.integer(default=None))
    assert [one.default for one in kinds_] == ["", "", False, 0, None]
    more = (kinds.number(), kinds.parsed(int, "x"), kinds.texts(), kinds.each_text(int), kinds.WORDS)
    assert [one.default for one in more] == [0.0, None, (), (), frozenset()]
