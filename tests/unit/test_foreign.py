"""Reading what others wrote: a value of the type that was asked for, or one refusal that names the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import LAST_INSTANT, LONGEST_TEXT, Foreign, Unreadable, parse_json, plain

Read = Callable[[Foreign], Any]


@pytest.mark.parametrize(
    ("read", "value", "result"),
    [
        (lambda f: f.text("a"), None, ""),
        (lambda f: f.text("a", "x"), None, "x"),
        (lambda f: f.text("a", "x"), "", ""),
        (lambda f: f.text("a"), "y" * LONGEST_TEXT, "y" * LONGEST_TEXT),
        (lambda f: f.required("a"), "y", "y"),
        (lambda f: f.choice("a", ("x", "y")), "y", "y"),
        (lambda f: f.flag("a"), None, False),
        (lambda f: f.flag("a", True), None, True),
        (lambda f: f.flag("a", True), False, False),
        (lambda f: f.integer("a"), None, 0),
        (lambda f: f.integer("a", 7), None, 7),
        (lambda f: f.integer("a", 7), 0, 0),
        (lambda f: f.integer("a"), 2**63 - 1, 2**63 - 1),
        (lambda f: f.integer("a", limits=Range(3, 4)), 4, 4),
        (lambda f: f.optional_integer("a"), None, None),
        (lambda f: f.optional_integer("a"), 0, 0),
        (lambda f: f.number("a"), None, 0.0),
        (lambda f: f.number("a", 1.5), None, 1.5),
        (lambda f: f.number("a"), 0, 0),
        (lambda f: f.number("a"), LAST_INSTANT, LAST_INSTANT),
        (lambda f: f.instant("a"), None, 0.0),
        (lambda f: f.instant("a"), "", 0.0),
        (lambda f: f.instant("a"), "1970-01-01T00:00:00Z", 0.0),
        (lambda f: f.instant("a"), "1970-01-01t00:01:00.5z", 60.5),
        (lambda f: f.instant("a"), "1970-01-01 01:00:00+01:00", 0.0),
        (lambda f: f.instant("a"), "9999-12-31T23:59:59Z", LAST_INSTANT),
        (lambda f: f.parsed("a", int, "a number"), None, None),
        (lambda f: f.parsed("a", int, "a number"), "", None),
        (lambda f: f.parsed("a", int, "a number"), "7", 7),
        (lambda f: f.child("a").value, None, {}),
        (lambda f: f.child("a").text("b"), {"b": "c"}, "c"),
        (lambda f: list(f.items("a")), None, []),
        (lambda f: list(f.items("a", 2)), [1, "x"], [("p.a[0]", 1), ("p.a[1]", "x")]),
        (lambda f: [c.at("b") for c in f.children("a")], [{}, {}], ["p.a[0].b", "p.a[1].b"]),
        (lambda f: f.texts("a"), ["x", ""], ("x", "")),
        (lambda f: [(o.integer(k), k) for o, k in f.each("a")], {"x": 1, "y": 2}, [(1, "x"), (2, "y")]),
        (lambda f: list(f.each("a")), None, []),
        (lambda f: f.has("a"), 0, True),
        (lambda f: f.has("a"), None, False),
    ],
)
def test_a_value_of_the_type(read: Read, value: object, result: object) -> None:
    found = read(Foreign({"a": value}, "p"))
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    ("read", "value", "refusal"),
    [
        (lambda f: f.text("a"), 5, "p.a must be a string of at most 4096 characters; it is 5"),
        (
            lambda f: f.text("a", longest=3),
            "four",
            'p.a must be a string of at most 3 characters; it is "four"',
        ),
        (lambda f: f.required("a"), None, "p.a must be a string; it is null"),
        (lambda f: f.required("a", 3), "four", 'p.a must be a string of at most 3 characters; it is "four"'),
        (lambda f: f.choice("a", ("x", "y")), "z", 'p.a must be x or y; it is "z"'),
        (lambda f: f.choice("a", ("x", "y")), [], "p.a must be x or y; it is a list"),
        (lambda f: f.flag("a"), 1, "p.a must be true or false; it is 1"),
        (lambda f: f.integer("a"), True, "p.a must be an integer, 0..9223372036854775807; it is true"),
        (lambda f: f.integer("a", limits=Range(3, 4)), 5, "p.a must be an integer, 3..4; it is 5"),
        (lambda f: f.integer("a", limits=Range(3, 4)), 3.0, "p.a must be an integer, 3..4; it is 3.0"),
        (lambda f: f.integer("a", limits=Range(3, 4)), "3", 'p.a must be an integer, 3..4; it is "3"'),
        (lambda f: f.optional_integer("a", Range(3, 4)), 5, "p.a must be an integer, 3..4; it is 5"),
        (lambda f: f.number("a", most=9), 9.5, "p.a must be a number, 0..9; it is 9.5"),
        (lambda f: f.number("a", most=9), -0.5, "p.a must be a number, 0..9; it is -0.5"),
        (lambda f: f.number("a", most=9), float("nan"), "p.a must be a number, 0..9; it is nan"),
        (lambda f: f.number("a", most=9), True, "p.a must be a number, 0..9; it is true"),
        (lambda f: f.number("a", most=9), "1", 'p.a must be a number, 0..9; it is "1"'),
        (lambda f: f.instant("a"), "now", 'p.a must be an RFC 3339 time since 1970; it is "now"'),
        (lambda f: f.instant("a"), "1969-12-31T23:59:59Z", None),
        (lambda f: f.instant("a"), "2026-13-01T00:00:00Z", None),
        (lambda f: f.instant("a"), "2026-01-01", None),
        (lambda f: f.instant("a"), "9999-12-31T23:59:59-01:00", None),
        (lambda f: f.instant("a"), "0001-01-01T00:00:00+23:59", None),
        (lambda f: f.instant("a"), "2026-01-01T00:00:00." + "0" * 64 + "Z", None),
        (lambda f: f.parsed("a", int, "a number"), "x", 'p.a must be a number; it is "x"'),
        (lambda f: f.parsed("a", int, "a number"), 5, None),
        (lambda f: f.child("a"), [], "p.a must be an object; it is a list"),
        (lambda f: f.items("a"), "xy", 'p.a must be a list of at most 10000; it is "xy"'),
        (lambda f: f.items("a"), {}, "p.a must be a list of at most 10000; it is an object"),
        (lambda f: f.items("a", 1), [1, 2], "p.a must be a list of at most 1; it is a list"),
        (lambda f: f.items("a"), [0] * 10_001, None),
        (lambda f: f.children("a"), [{}, 5], "p.a[1] must be an object; it is 5"),
        (lambda f: f.children("a", 1), [{}, {}], "p.a must be a list of at most 1; it is a list"),
        (lambda f: f.texts("a"), ["x", None], "p.a[1] must be a string; it is null"),
        (
            lambda f: f.texts("a", longest=1),
            ["xy"],
            'p.a[0] must be a string of at most 1 characters; it is "xy"',
        ),
        (lambda f: f.texts("a", 1), ["x", "y"], "p.a must be a list of at most 1; it is a list"),
        (lambda f: list(f.each("a")), {5: 1}, "p.a must be an object whose keys are short strings; it is 5"),
        (lambda f: list(f.each("a")), {"x" * (LONGEST_TEXT + 1): 1}, None),
    ],
)
def test_a_refusal_names_the_place(read: Read, value: object, refusal: str | None) -> None:
    with pytest.raises(Unreadable) as caught:
        read(Foreign({"a": value}, "p"))
    assert refusal is None or caught.value.message == refusal


def test_a_place_at_the_top() -> None:
    with pytest.raises(Unreadable, match=r"^it must be an object; it is 5$"):
        Foreign.of(5)
    with pytest.raises(Unreadable, match=r"^a must be a string; it is null$"):
        Foreign.of({}).required("a")
    with pytest.raises(Unreadable) as caught:
        Foreign({"a": 1}, "x" * 999).text("a")
    assert caught.value.message.startswith("x" * 200 + " must be a string")


@pytest.mark.parametrize("text", ["{}", "[1, 2.5]", '"x"', "null"])
def test_json(text: str) -> None:
    assert parse_json(text, 100) == parse_json(text.encode(), len(text))


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("{}" + " " * 9, "longer than 10 bytes"),
        ("{", "no JSON: "),
        ("NaN", "no JSON: NaN is no finite number"),
        ("-Infinity", "no JSON: -Infinity is no finite number"),
        ("1e999", "no JSON: 1e999 is no finite number"),
        (b"\xff", "no JSON: "),
    ],
)
def test_what_is_no_json(text: str | bytes, refusal: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_json(text, 10)
    assert caught.value.message.startswith(refusal)


def test_json_that_is_nested_too_deep() -> None:
    with pytest.raises(Unreadable, match="nested too deep"):
        parse_json("[" * 100_000, 1 << 20)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        2.5,
        "x",
        [],
        {},
        [[[[[[[["x"]]]]]]]],
        {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}},
        {"a": [1, {"b": None}]},
        2**63 - 1,
    ],
)
def test_what_may_be_kept_is_kept_as_it_is(value: object) -> None:
    assert plain(value) == value


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ([[[[[[[[[]]]]]]]]], "[0][0][0][0][0][0][0][0] must be less deeply nested; it is a list"),
        (
            {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}},
            ".a.a.a.a.a.a.a.a must be less deeply nested; it is an object",
        ),
        ({"a": [1, 2**64]}, ".a[1] must be a finite number; it is 18446744073709551616"),
        ({"a": float("inf")}, ".a must be a finite number; it is inf"),
        ({"a": float("nan")}, ".a must be a finite number; it is nan"),
        ({"a": -(2**64)}, ".a must be a finite number; it is -18446744073709551616"),
        ({"a": {1}}, ".a must be JSON; it is {1}"),
    ],
)
def test_what_may_not(value: object, refusal: str) -> None:
    with pytest.raises(Unreadable) as caught:
        plain(value)
    assert caught.value.message == refusal
