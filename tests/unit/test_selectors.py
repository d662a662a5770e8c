"""LabelSelectors: what they match, and every fault of a bad one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.reading.fields import Faults, Fields
from bgpctl.core.reading.selectors import (
    LabelSelector,
    Requirement,
    parse_selector,
    read_selector,
    valid_label_key,
    valid_label_value,
)


def read(document: Any) -> tuple[LabelSelector | None, dict[str, str]]:
    faults = Faults("test")
    selector = read_selector(Fields({"selector": document}, "", faults), "selector")
    return selector, {problem.path: problem.message for problem in faults.problems}


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ["a", "b"], {"zone": "a"}, True),
        ("In", ["a", "b"], {"zone": "c"}, False),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {"zone": "b"}, True),
        ("NotIn", ["a"], {"zone": "a"}, False),
        ("NotIn", ["a"], {}, True),
        ("Exists", [], {"zone": ""}, True),
        ("Exists", [], {}, False),
        ("DoesNotExist", [], {}, True),
        ("DoesNotExist", [], {"zone": "a"}, False),
    ],
)
def test_operators(operator: str, values: list[str], labels: dict[str, str], expected: bool) -> None:
    expression = {"key": "zone", "operator": operator, **({"values": values} if values else {})}
    selector, problems = read({"matchExpressions": [expression]})
    assert problems == {}
    assert selector is not None
    assert selector.matches(labels) is expected


def test_all_requirements_must_hold() -> None:
    selector, _ = read(
        {"matchLabels": {"bgp": "true"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}
    )
    assert selector is not None
    assert selector.matches({"bgp": "true", "zone": "a"})
    assert not selector.matches({"bgp": "true"})
    assert not selector.matches({"bgp": "false", "zone": "a"})
    assert str(selector) == "bgp=true,zone"


def test_absent_and_empty_are_told_apart() -> None:
    assert read(None) == (None, {})
    assert read({}) == (LabelSelector(), {})
    assert LabelSelector().matches({}) and LabelSelector().empty


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ("bgp=true", "selector", "must be an object"),
        ({"matchLabels": {"bgp": True}}, "selector.matchLabels[bgp]", "a boolean: quote it"),
        ({"matchLabels": {"-bad": "x"}}, "selector.matchLabels[-bad]", "the key must be"),
        ({"matchLabels": {"ok": "no spaces"}}, "selector.matchLabels[ok]", "a label value"),
        ({"matchLabel": {}}, "selector.matchLabel", 'Did you mean "matchLabels"?'),
        ({"matchExpressions": {}}, "selector.matchExpressions", "must be a list"),
        (
            {"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]},
            "selector.matchExpressions[0].operator",
            "one of In, NotIn, Exists, DoesNotExist",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "In"}]},
            "selector.matchExpressions[0].values",
            "at least one value",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
            "selector.matchExpressions[0].values",
            "must be absent",
        ),
        ({"matchExpressions": [{"operator": "Exists"}]}, "selector.matchExpressions[0].key", "required"),
        (
            {"matchExpressions": [{"key": "a", "operator": "NotIn"}]},
            "selector.matchExpressions[0].values",
            "required for NotIn: at least one value",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "DoesNotExist", "values": ["b"]}]},
            "selector.matchExpressions[0].values",
            "must be absent for DoesNotExist",
        ),
        (
            {"matchExpressions": [{"key": "-", "operator": "Exists"}]},
            "selector.matchExpressions[0].key",
            "must be a label key",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c d"]}]},
            "selector.matchExpressions[0].values[1]",
            "must be a label value",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "value": "b"}]},
            "selector.matchExpressions[0].value",
            'Did you mean "values"?',
        ),
    ],
)
def test_faults(document: Any, path: str, words: str) -> None:
    _, problems = read(document)
    assert list(problems) == [path]
    assert words in problems[path]


def test_label_syntax() -> None:
    assert valid_label_key("app.kubernetes.io/name") and valid_label_key("x" * 63)
    assert (
        not valid_label_key("x" * 64) and not valid_label_key("UPPER.io/name") and not valid_label_key("/a")
    )
    assert valid_label_value("") and valid_label_value("a.b_c-D")
    assert not valid_label_value("a\n") and not valid_label_value("x" * 64)


labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"))


@given(labels, st.sampled_from("abc"), st.frozensets(st.sampled_from("xyz"), min_size=1))
def test_negated_operators_are_complements(have: dict[str, str], key: str, values: frozenset[str]) -> None:
    assert Requirement(key, "In", values).matches(have) != Requirement(key, "NotIn", values).matches(have)
    assert Requirement(key, "Exists").matches(have) != Requirement(key, "DoesNotExist").matches(have)


@given(labels, labels)
def test_match_labels_is_a_subset_test(wanted: dict[str, str], have: dict[str, str]) -> None:
    selector = LabelSelector(tuple(wanted.items()))
    assert selector.matches(have) == (wanted.items() <= have.items())


# --- in text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("  ", {"a": "b"}, True),
        ("a=b", {"a": "b"}, True),
        ("a == b", {"a": "b"}, True),
        ("a=", {"a": ""}, True),
        ("a=b,c!=d", {"a": "b", "c": "d"}, False),
        ("a=b,c!=d", {"a": "b"}, True),
        ("example.com/a in ( x , y )", {"example.com/a": "y"}, True),
        ("a in (x,y),b", {"a": "x"}, False),
        ("a in (x,y) , b", {"a": "x", "b": ""}, True),
        ("a notin (x)", {"a": "x"}, False),
        ("a notin (x)", {}, True),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a > 5", {"a": "6"}, True),
        ("a>5", {"a": "5"}, False),
        ("a<5", {"a": "4"}, True),
        ("a<5", {"a": "four"}, False),
        ("a<5", {}, False),
        ("a<5", {"a": "5"}, False),
        ("a>-5", {"a": "-4"}, True),
        ("a < -5", {"a": "-6"}, True),
        ("a=b,c=d", {"c": "d"}, False),
        ("a=b , c=d", {"a": "b", "c": "d"}, True),
    ],
)
def test_a_selector_in_text(text: str, labels: dict[str, str], expected: bool) -> None:
    assert parse_selector(text).matches(labels) == expected
    assert parse_selector(str(parse_selector(text))).matches(labels) == expected


@pytest.mark.parametrize(
    "text", ["a=b,", ",", "a in (b", "a in b", "a b", "=b", "a=b=c", "a=-b", "a>b", "x/"]
)
def test_a_selector_in_text_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no requirement of a label selector"):
        parse_selector(text)


@given(st.text(alphabet="ab=!,() <>in/\n", max_size=30))
def test_any_text_is_a_selector_or_a_value_error(text: str) -> None:
    try:
        parse_selector(text).matches({"a": "b"})
    except ValueError:
        return


@pytest.mark.parametrize(
    ("requirement", "text"),
    [
        (Requirement("a", "In", frozenset({"c", "b"})), "a in (b,c)"),
        (Requirement("a", "NotIn", frozenset({"b"})), "a notin (b)"),
        (Requirement("a", "Exists"), "a"),
        (Requirement("a", "DoesNotExist"), "!a"),
    ],
)
def test_a_requirement_reads_as_kubectl_takes_it(requirement: Requirement, text: str) -> None:
    assert str(LabelSelector((("x", "y"),), (requirement,))) == f"x=y,{text}"
