"""How a fault in a document reads: the value as it is, what was meant, and why it is of the wrong type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bgpctl.core.reading.fields import Faults, Fields, Range, show, suggestion


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1}, "an object"),
        ([1], "a list"),
        (None, "null"),
        (True, "true"),
        (12, "12"),
        (1.5, "1.5"),
        ("a\nb", '"a\\nb"'),
        ("naïve", '"naïve"'),
        ("x" * 60, '"' + "x" * 60 + '"'),
        ("x" * 61, '"' + "x" * 57 + '…"'),
        (10**80, "1" + "0" * 59),
    ],
)
def test_a_value_in_a_message(value: object, text: str) -> None:
    assert show(value) == text


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("peerASn", ' Did you mean "peerASN"?'),
        ("PEERASN", ' Did you mean "peerASN"?'),  # too far apart letter by letter
        ("tls", ' Did you mean "TLS"?'),
        ("peerPrt", ' Did you mean "peerPort"?'),
        ("zzz", ""),
    ],
)
def test_what_was_meant(name: str, guess: str) -> None:
    assert suggestion(name, ["timers", "peerASN", "peerPort", "TLS"]) == guess


Read = Callable[[Fields], Any]
STRING = "must be a string; it is"


def paths(fields: Fields) -> list[str]:
    return [item.path for item in fields.objects("a")]


@pytest.mark.parametrize(
    ("read", "value", "result", "message"),
    [
        (lambda f: f.boolean("a", True), None, True, None),
        (lambda f: f.boolean("a"), None, False, None),
        (lambda f: f.boolean("a", True), "x", True, 'must be true or false; it is "x"'),
        (lambda f: f.boolean("a"), 1, False, "must be true or false; it is 1 (a number: quote it)"),
        (
            lambda f: f.integer("a", Range(1, 9), 5),
            "-7",
            5,
            'must be an integer, 1..9; it is "-7" (a string: take the quotes away)',
        ),
        (lambda f: f.integer("a", Range(1, 9), 5), "7x", 5, 'must be an integer, 1..9; it is "7x"'),
        (lambda f: f.integer("a", Range(1, 9), 5), 10, 5, "must be 1..9; it is 10"),
        (lambda f: f.string("a"), 1.5, None, "must be a string; it is 1.5 (a number: quote it)"),
        (lambda f: f.string("a"), [], None, "must be a string; it is a list"),
        (lambda f: f.string("a"), False, None, f"{STRING} false (a boolean: quote it if you mean the word)"),
        (
            lambda f: f.choice("a", ["Local", "Cluster"]),
            "local",
            None,
            'must be one of Local, Cluster; it is "local". Did you mean "Local"?',
        ),
        (lambda f: f.choice("a", ["Local"]), 5, None, "must be one of Local; it is 5"),
        (lambda f: f.strings("a"), ["b", 1], [("spec.a[0]", "b")], f"{STRING} 1 (a number: quote it)"),
        (paths, [{}, "b"], ["spec.a[0]"], 'must be an object; it is "b"'),
        (lambda f: f.string_map("a"), {"b": "c", 1: "d"}, {"b": "c"}, f"{STRING} 1 (a number: quote it)"),
        (lambda f: f.string_map("a"), {"b": "c", "d": 2}, {"b": "c"}, f"{STRING} 2 (a number: quote it)"),
    ],
)
def test_a_field(read: Read, value: object, result: object, message: str | None) -> None:
    faults = Faults("x")
    assert read(Fields({"a": value}, "spec", faults)) == result
    assert [problem.message for problem in faults.problems] == ([] if message is None else [message])


def test_fields_that_nobody_read() -> None:
    faults = Faults("x")
    fields = Fields({"peerAsn": 1, 7: 2, "port": 3}, "spec", faults)
    assert (fields.raw("peerASN"), fields.raw("port")) == (None, 3)
    fields.close()
    assert [(problem.path, problem.message) for problem in faults.problems] == [
        ("spec.peerAsn", 'unknown field. Did you mean "peerASN"? Known here: peerASN, port'),
        ("spec.7", "unknown field. Known here: peerASN, port"),
    ]
