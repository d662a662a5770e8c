"""Calico's selector expressions: what each matches, and what is none."""

from __future__ import annotations

import pytest

from bgpctl.core.calico.selector import DEEPEST, parse
from bgpctl.core.reading.foreign import LONGEST_TEXT, Unreadable

LABELS = {"rack": "r1", "kubernetes.io/hostname": "n1", "empty": "", "role": "worker-big"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("all()", True),
        ("global()", True),
        ("rack == 'r1'", True),
        ('rack == "r1"', True),
        ("rack == 'r2'", False),
        ("nowhere == ''", False),
        ("empty == ''", True),
        ("rack != 'r1'", False),
        ("nowhere != 'r1'", True),
        ("has(empty)", True),
        ("!has(empty)", False),
        ("!has(nowhere)", True),
        ("rack in {'r0', 'r1'}", True),
        ("rack in {}", False),
        ("nowhere in {''}", False),
        ("rack not in {'r1'}", False),
        ("nowhere not in {'r1'}", True),
        ("role contains 'ker'", True),
        ("role starts with 'work'", True),
        ("role ends with 'small'", False),
        ("nowhere starts with ''", False),
        ("kubernetes.io/hostname == 'n1' && rack == 'r1'", True),
        ("rack == 'r2' || has(role)", True),
        ("rack == 'r2' || has(role) && has(nowhere)", False),
        ("(rack == 'r2' || has(role)) && !has(nowhere)", True),
        ("!(rack == 'r1')", False),
        ("!!has(rack)", True),
        ("  rack=='r1'&&!has( nowhere )", True),
        ("nowhere contains ''", False),
        ("role contains 'no'", False),
        ("role ends with 'big'", True),
        ("role ends with 'work'", False),
        ("nowhere ends with ''", False),
        ("role starts with 'big'", False),
        ("has(rack)   ", True),
        ("rack == 'r2' ", False),
        (" " * LONGEST_TEXT, True),
        ("rack in {'}', 'r1'}", True),
        ("rack in {',', 'r2'}", False),
        ("rack == 'r2' || rack == 'r1' || rack == 'r3'", True),
        ("rack == 'r1' && has(role) && has(nowhere)", False),
        (" && ".join(["(has(rack))"] * 40), True),
        ("all == 'x'", False),
        ("has == 'x'", False),
    ],
)
def test_it_matches(text: str, matches: bool) -> None:
    assert parse(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    [
        "rack",
        "rack()",
        "rack(rack)",
        "all() || " * 40 + "!" * DEEPEST + "has(rack)",
        "rack ==",
        "rack == r1",
        "rack = 'r1'",
        "rack == 'r1",
        "'rack' == 'r1'",
        "rack == 'r1' &&",
        "|| rack == 'r1'",
        "rack == 'r1' rack == 'r2'",
        "(rack == 'r1'",
        "rack == 'r1')",
        "has()",
        "has('rack')",
        "all(",
        "rack in 'r1'",
        "rack in {'a' 'b'}",
        "rack in {'a',",
        "rack not 'r1'",
        "rack starts 'r'",
        "rack matches 'r'",
        "rack == 'r1' §",
        "!" * (DEEPEST + 1) + "has(rack)",
        "(" * 10_000,
        " " * (LONGEST_TEXT + 1),
    ],
)
def test_it_is_none(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


def test_what_it_says_of_the_labels_of_whatever_it_matches() -> None:
    assert dict(parse("a == 'x' && (b == 'y' && has(c))").pairs) == {"a": "x", "b": "y"}
    assert dict(parse("a == 'x' || b == 'y'").pairs) == {}
    assert dict(parse("((a == 'x'))").pairs) == {"a": "x"}
    assert dict(parse("!(a == 'x')").pairs) == {}
    assert parse("a == 'x' || !has(b) && c in {'z'}").keys == {"a", "b", "c"}


def test_how_deep_one_may_be_nested() -> None:
    """The last `has` is a level of its own, and what was left is none any more."""
    deepest = "!" * (DEEPEST - 1) + "has(rack)"
    assert parse(deepest).matches(LABELS) is (DEEPEST % 2 == 1)
    assert parse(f"{deepest} || {deepest} || all()").matches(LABELS)
    with pytest.raises(Unreadable, match="nested too deep"):
        parse("!" + deepest)


def test_a_selector_is_told_as_it_was_written() -> None:
    assert [str(parse(text)) for text in ("", " rack == 'r1' ")] == ["all()", "rack == 'r1'"]
