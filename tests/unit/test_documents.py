"""The header of a Kubernetes document: what is taken when it says nothing, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.reading.documents import namespace_of, read_header, text_map
from bgpctl.core.reading.fields import Faults


@pytest.mark.parametrize(
    ("metadata", "namespace"),
    [
        ({"namespace": "a"}, "a"),
        ({"namespace": ""}, "default"),
        ({"namespace": 5}, "default"),
        ({}, "default"),
    ],
)
def test_the_namespace(metadata: dict[str, Any], namespace: str) -> None:
    assert namespace_of({"metadata": metadata}) == namespace


@pytest.mark.parametrize(
    ("labels", "faults"),
    [
        ({"a": "b", "x.io/a": ""}, []),
        ({"a b": "c"}, ["metadata.labels[a b]"]),
        ({"a": "b c"}, ["metadata.labels[a]"]),
        ({"-": "-"}, ["metadata.labels[-]", "metadata.labels[-]"]),
    ],
)
def test_labels_are_what_the_server_takes(labels: dict[str, str], faults: list[str]) -> None:
    found = Faults(source="x", strict=True)
    read_header(
        {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "labels": labels}}, "K", "v1", found
    )
    assert [problem.path for problem in found.problems] == faults


def problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    found = Faults(source="x", strict=True)
    read_header(document, "K", ("v1", "v2"), found)
    return [(problem.path, problem.message) for problem in found.problems]


def header(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n", **metadata}}


# What an API server puts into metadata (k8s.io/apimachinery, ObjectMeta).
SERVERS = {
    "annotations": {"a": "b"},
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "deletionGracePeriodSeconds": 30,
    "deletionTimestamp": "2026-01-01T00:00:00Z",
    "finalizers": ["a"],
    "generateName": "n-",
    "generation": 1,
    "managedFields": [],
    "namespace": "a",
    "ownerReferences": [],
    "resourceVersion": "1",
    "selfLink": "",
    "uid": "u",
}


@pytest.mark.parametrize("field", SERVERS)
def test_what_a_server_puts_into_metadata_is_no_fault(field: str) -> None:
    assert problems(header(**{field: SERVERS[field]})) == []


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        (header(), []),
        ({**header(), "apiVersion": "v2"}, []),
        ({**header(), "apiVersion": "v3"}, ["apiVersion"]),
        ({"kind": "K", "metadata": {"name": "n"}}, ["apiVersion"]),
        ({"apiVersion": "v1", "metadata": {"name": "n"}}, ["kind"]),
        ({"apiVersion": "v1", "kind": "L", "metadata": {"name": "n"}}, ["kind"]),
        ({"apiVersion": "v1", "kind": "K"}, ["metadata"]),
        ({"apiVersion": "v1", "kind": "K", "metadata": 5}, ["metadata"]),
        ({"apiVersion": "v1", "kind": "K", "metadata": {}}, ["metadata.name"]),
        (header(name="a" * 253), []),
        (header(name="a" * 254), ["metadata.name"]),
        (header(name="A"), ["metadata.name"]),
        (header(zzz=1), ["metadata.zzz"]),
        (header(annotations={"a": 5}), ["metadata.annotations[a]"]),
    ],
)
def test_a_header(document: dict[str, Any], paths: list[str]) -> None:
    assert [path for path, _ in problems(document)] == paths


def test_an_api_version_that_is_another_names_those_that_are() -> None:
    assert problems({**header(), "apiVersion": "v3"}) == [("apiVersion", 'must be "v1" or "v2"; it is "v3"')]


@pytest.mark.parametrize(
    ("value", "texts"), [({"a": "b", "c": 5, 6: "d"}, {"a": "b"}), (None, {}), ([], {}), ("a", {})]
)
def test_texts_alone_are_labels(value: Any, texts: dict[str, str]) -> None:
    assert text_map(value) == texts
