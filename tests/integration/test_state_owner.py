"""A BGPNodeState is owned by its Node, and goes with it: the embedded API's garbage collector is the
judge."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from bgpctl.speaker.sources import KubeSource
from bgpctl.speaker.status.publisher import KubeSink
from tests.support import apiserver, clients, objects
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

NAME = "worker-1"
RUNNING = NodeState(NAME, "Running", announced=1)


class Place:
    """An API server with one Node, and the sink of its speaker."""

    def __init__(self, server: ApiServer) -> None:
        self.server, self.api = server, clients.client(server)
        server.apply(*crds())
        self.uid = self.make_node()
        self.sink = KubeSink(self.api, NAME, lambda: self.uid)

    def make_node(self) -> str:
        self.server.apply(objects.node(NAME))
        return str(self.api.get(paths.node(NAME))["metadata"]["uid"])

    def owners(self) -> list[tuple[str, str]] | None:
        """(kind, UID) of each; None = there is no state."""
        found = self.api.find(paths.node_state(NAME))
        if found is None:
            return None
        return [(o["kind"], o["uid"]) for o in found["metadata"].get("ownerReferences") or ()]


@pytest.fixture
def place() -> Iterator[Place]:
    with apiserver.running(controllers=True) as server:
        yield Place(server)


def test_a_new_state_has_its_node_for_an_owner_and_goes_with_it(place: Place) -> None:
    place.sink.write(RUNNING)
    assert place.owners() == [("Node", place.uid)]
    (owner,) = place.api.get(paths.node_state(NAME))["metadata"]["ownerReferences"]
    assert owner["controller"] is False and owner["name"] == NAME
    place.api.delete(paths.node(NAME))
    eventually(lambda: place.owners() is None)
    place.uid = ""
    with pytest.raises(BgpctlError, match=f"there is no Node {NAME}"):
        place.sink.write(RUNNING)
    assert place.owners() is None, "it would stay for ever"


def test_a_state_that_an_older_speaker_made_gets_one_beside_others(place: Place) -> None:
    other = place.api.create("/api/v1/namespaces", {"metadata": {"name": "team"}})["metadata"]["uid"]
    kept = {"apiVersion": "v1", "kind": "Namespace", "name": "team", "uid": other}
    document = to_document(RUNNING)
    document["metadata"]["ownerReferences"] = [kept]
    place.api.create(paths.NODE_STATES, document)
    place.sink.write(RUNNING)
    assert place.owners() == [("Namespace", other), ("Node", place.uid)]


def test_what_is_owned_costs_one_request(place: Place) -> None:
    place.sink.write(RUNNING)
    counting = clients.counting(place.server)
    KubeSink(counting, NAME, lambda: place.uid).write(RUNNING)
    assert [(method, path) for method, path, _ in counting.sent] == [
        ("PATCH", f"{paths.node_state(NAME)}/status")
    ]


def test_a_node_that_was_made_again_owns_it_anew(place: Place) -> None:
    place.sink.write(RUNNING)
    first = place.uid
    place.api.delete(paths.node(NAME))
    place.uid = place.make_node()
    assert place.uid != first
    place.sink.write(RUNNING)  # before the collector came by, or after it
    eventually(lambda: place.sink.write(RUNNING) or place.owners() == [("Node", place.uid)])
    throughout(lambda: place.owners() == [("Node", place.uid)], 0.5)


def test_without_the_right_to_it_the_state_is_published_and_the_right_named_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.api.create(paths.NODE_STATES, to_document(RUNNING))
    place.server.faults.add(Fault("answer", verb="patch", resource="bgpnodestates", code=403))
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            place.sink.write(NodeState(NAME, "Running", announced=number))
    assert place.api.get(paths.node_state(NAME))["status"]["routes"]["announced"] == 2
    (told,) = (record for record in caplog.records if record.message == "state.not_owned")
    assert "patch on bgpnodestates" in vars(told)["hint"]


def test_what_the_speaker_knows_of_its_node(place: Place) -> None:
    source = KubeSource(place.api, NAME, "kube-system", lambda: None)
    assert source.node_uid() is None
    source.start()
    try:
        eventually(lambda: source.node_uid() == place.uid)
        place.api.delete(paths.node(NAME))
        eventually(lambda: source.node_uid() == "")
    finally:
        source.stop()


def test_a_last_look_needs_no_more_than_the_watch(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.server.faults.add(Fault("answer", verb="get", resource="nodes", code=403))
    source = KubeSource(place.api, NAME, "kube-system", lambda: None)
    source.start()
    try:
        eventually(lambda: source.node_uid() == place.uid)
        found: tuple[bool, Any] = source.last_look()
        assert found[0] and found[1]["metadata"]["uid"] == place.uid
        place.api.delete(paths.node(NAME))
        assert source.last_look() == (True, None)
        place.server.faults.add(Fault("answer", verb="list", resource="nodes", code=403))
        asked, _ = source.last_look()
        assert not asked
        (told,) = (record for record in caplog.records if record.message == "speaker.node_not_read")
        assert "403" in vars(told)["error"] or "fault" in vars(told)["error"]
    finally:
        source.stop()
