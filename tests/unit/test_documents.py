"""The header of a Kubernetes document: what is taken when it says nothing, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.documents import namespace_of, read_header
from bgpctl.core.fields import Faults


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
