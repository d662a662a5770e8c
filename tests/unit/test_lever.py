"""A lever's words, and whether the tests of its patches hold for an object."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.drain.lever import Effect, Lever, Patch, holds

DOCUMENT = {"metadata": {"resourceVersion": "7", "annotations": {"a/b": "x", "c~d": "y"}}, "list": ["p", "q"]}


def check(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/metadata/resourceVersion", "7"),
        ("/metadata/annotations/a~1b", "x"),
        ("/metadata/annotations/c~0d", "y"),
        ("/list/0", "p"),
        ("/list/1", "q"),
        ("/list/2", None),
        ("/list/-", None),
        ("/list/p", None),
        ("/nothing/below", None),
        ("/metadata/resourceVersion/0", None),
    ],
)
def test_a_pointer_is_followed_as_rfc_6901_has_it(pointer: str, value: Any) -> None:
    assert holds(DOCUMENT, [check(pointer, value)])
    assert not holds(DOCUMENT, [check(pointer, "another")])


def test_every_test_has_to_hold_and_nothing_else_is_asked() -> None:
    version, added = check("/metadata/resourceVersion", "7"), {"op": "add", "path": "/x", "value": 1}
    assert holds(DOCUMENT, [version, added]) and holds(DOCUMENT, [added]) and holds(None, [])
    assert not holds(DOCUMENT, [version, check("/list/0", "q")]) and not holds(None, [version])


def test_how_the_node_is_made_to_leave_in_one_line() -> None:
    patches = (Patch("/a", "change a", ()), Patch("/b", "change b", ()))
    assert Lever(patches=patches).told == "change a, change b"
    assert Lever(label=("bgp", None), patches=patches).told == "label bgp removed"
    assert Lever(label=("bgp", "false")).told == "label bgp=false"
    assert Lever().told == ""


def test_the_effect_is_a_word_of_the_documents() -> None:
    assert [str(effect) for effect in Effect] == ["withdraws", "closes", "nothing"]
