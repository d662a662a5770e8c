"""bgpctl.lab.api.selectors: text and documents to predicates."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.lab.api import selectors

LABELS = {"app": "web", "tier": "front", "size": "5", "empty": "", "a.b/c": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("none!=x", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db,cache)", True),
        ("app notin (web)", False),
        ("none notin (x)", True),
        ("app", True),
        ("none", False),
        ("!none", True),
        ("!app", False),
        ("empty=", True),
        ("app=", False),
        ("size>4", True),
        ("size>5", False),
        ("size<6", True),
        ("app>1", False),
        ("none>1", False),
        ("a.b/c=x", True),
        ("app in (web),tier notin (back),!none,size", True),
        ("app in (web),tier=back", False),
    ],
)
def test_label_text(text: str, expected: bool) -> None:
    assert selectors.parse_labels(text).matches({"metadata": {"labels": LABELS}}) is expected


@pytest.mark.parametrize("text", ["app in", "app in (", "=x", "a=b=c", "app in web", "a b", "!", "a=b,,c=d"])
def test_labels_that_do_not_parse(text: str) -> None:
    with pytest.raises(selectors.SelectorError):
        selectors.parse_labels(text)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "none", "operator": "Exists"}]}, False),
        (
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "tier", "operator": "In", "values": ["back"]}],
            },
            False,
        ),
    ],
)
def test_label_documents(document: dict[str, Any], expected: bool) -> None:
    selector = selectors.from_document(document)
    assert selector is not None
    assert selector.matches_labels(LABELS) is expected


def test_no_selector_is_not_an_empty_one() -> None:
    assert selectors.from_document(None) is None
    assert selectors.from_map({}) is None
    assert selectors.from_map(None) is None


POD = {
    "metadata": {"name": "p", "namespace": "d"},
    "spec": {"nodeName": "n1", "unschedulable": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("metadata.name=p", True),
        ("metadata.name==p,metadata.namespace=d", True),
        ("metadata.name!=p", False),
        ("spec.nodeName=n1,status.phase!=Failed", True),
        ("spec.nodeName=n1,status.phase!=Running", False),
        ("spec.nodeName=", False),
        ("spec.unschedulable=true", True),
        ("spec.unschedulable=false", False),
    ],
)
def test_field_text(text: str, expected: bool) -> None:
    supported = frozenset({"spec.nodeName", "status.phase", "spec.unschedulable"})
    assert selectors.parse_fields(text, supported).matches(POD) is expected


def test_an_absent_field_is_empty_and_an_absent_flag_false() -> None:
    supported = frozenset({"spec.nodeName", "spec.unschedulable"})
    assert selectors.parse_fields("spec.nodeName=", supported).matches({})
    assert selectors.parse_fields("spec.unschedulable=false", supported).matches({})


@pytest.mark.parametrize("text", ["spec.other=1", "metadata.labels=x"])
def test_fields_that_cannot_be_selected_on(text: str) -> None:
    with pytest.raises(selectors.SelectorError, match="field label not supported"):
        selectors.parse_fields(text)


def test_field_text_that_does_not_parse() -> None:
    with pytest.raises(selectors.SelectorError, match="invalid field selector"):
        selectors.parse_fields("metadata.name")


def test_a_selection_looks_at_namespace_labels_and_fields() -> None:
    selection = selectors.Selection("d", fields=selectors.parse_fields("metadata.name=p"))
    assert selection.matches(POD)
    assert selection.selective
    assert not selectors.Selection("other").matches(POD)
    assert not selectors.Selection("d").selective
