"""A Node as the runbooks read it, and what they say when it cannot be read."""

from __future__ import annotations

import pytest

from bgpctl.errors import Blocked
from bgpctl.runbooks import objects
from bgpctl.runbooks.snapshot import NodeView

DOCUMENT = {
    "metadata": {
        "name": "n1",
        "uid": "u1",
        "resourceVersion": "7",
        "labels": {"a": "b", "c": ""},
        "annotations": {"bgpctl.io/leave": "run-1", "other": "x"},
    },
    "spec": {"unschedulable": True},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def test_a_node() -> None:
    assert objects.node(DOCUMENT, "n1") == NodeView("n1", "u1", "7", {"a": "b", "c": ""}, True, True, "run-1")
    bare = {"metadata": {"name": "n1", "uid": "u1", "resourceVersion": "7"}}
    assert objects.node(bare, "n1") == NodeView("n1", "u1", "7", {}, False, False, "")


@pytest.mark.parametrize("document", [[], "x", None, {}, {"metadata": {"name": "n1"}}])
def test_a_node_that_is_none(document: object) -> None:
    with pytest.raises(Blocked) as told:
        objects.node(document, "n1")
    assert told.value.message.startswith("the Node cannot be read: ")
    assert told.value.hint == "to see it: kubectl get node n1 -o yaml"
    if not isinstance(document, dict):
        assert told.value.message.startswith("the Node cannot be read: node")


@pytest.mark.parametrize(
    ("document", "where"),
    [("x", "?"), ({"metadata": {"name": "web", "namespace": "shop"}, "spec": "x"}, "shop/web")],
)
def test_a_pod_that_is_none(document: object, where: str) -> None:
    with pytest.raises(Blocked) as told:
        objects.pods([document])
    assert told.value.message.startswith(f"pod {where} cannot be read (")
    assert told.value.message.endswith("): whether it may be evicted is not known")
    assert told.value.hint == "correct or delete it by hand, then run this again"
