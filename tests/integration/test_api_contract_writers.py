"""Contract, continued: the server's clock, and who wrote what and when by it."""

from __future__ import annotations

import pytest

from bgpctl.core.state import seconds
from bgpctl.core.timing.servertime import epoch
from tests.support.apiserver import STRATEGIC, Document, RawClient
from tests.support.contract import api, maps, namespace, node, unique
from tests.support.wait import eventually

__all__ = ["api", "namespace", "node"]  # fixtures
pytestmark = pytest.mark.integration


def entry_of(document: Document, manager: str, subresource: str = "") -> Document:
    """The manager's entry in metadata.managedFields."""
    found = [
        entry
        for entry in document["metadata"]["managedFields"]
        if (entry["manager"], entry.get("subresource", "")) == (manager, subresource)
    ]
    assert len(found) == 1, document["metadata"]["managedFields"]
    return found[0]


def test_answers_are_dated(api: RawClient, namespace: str) -> None:
    reply = api.post(maps(namespace), {"metadata": {"name": unique()}})
    dated = epoch(reply.headers["Date"])
    assert dated is not None
    created = seconds(reply.ok()["metadata"]["creationTimestamp"])
    assert 0 <= dated - created <= 2
    refused = api.get(maps(namespace, "nobody"))
    assert (refused.code, epoch(refused.headers["Date"]) is not None) == (404, True)


def test_writers_are_noted(api: RawClient, node: Document) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    labels = {"metadata": {"labels": {"a": "1"}}}
    changed = api.patch(path, labels, fieldManager="labeller").ok()
    entry = entry_of(changed, "labeller")
    assert (entry["operation"], entry["apiVersion"]) == ("Update", "v1")
    status = {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Test"}]}}
    found = api.patch(f"{path}/status", status, STRATEGIC, fieldManager="reporter").ok()
    assert entry_of(found, "labeller") == entry
    assert entry_of(found, "reporter", "status")["operation"] == "Update"
    found["status"]["conditions"][0]["reason"] = "Other"
    found = api.put(f"{path}/status", found, fieldManager="replacer").ok()
    assert seconds(entry_of(found, "replacer", "status")["time"]) >= seconds(entry["time"])


def test_a_writers_time_moves_with_a_change_of_a_value_only(api: RawClient, node: Document) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"

    def written(value: str | None) -> Document:
        body = {"metadata": {"annotations": {"a": value, "b": "stays"}}}
        return entry_of(api.patch(path, body, fieldManager="writer").ok(), "writer")

    def later() -> bool:
        dated = epoch(api.get(path).headers["Date"])
        return dated is not None and dated > seconds(first["time"])

    first = written("1")
    eventually(later, why="the next second has begun")
    assert written("1") == first
    assert written(None)["time"] == first["time"]
    assert seconds(written("2")["time"]) > seconds(first["time"])
