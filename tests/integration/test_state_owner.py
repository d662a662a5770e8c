"""A BGPNodeState is owned by its Node, and goes with it: the embedded API's garbage collector is the
judge."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from bgpctl.core.reading.documents import annotations_of
from bgpctl.core.state import ENDED, LocalAddresses, NodeState
from bgpctl.core.state_document import from_document, to_document
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from bgpctl.speaker.sources import KubeSource
from bgpctl.speaker.status import beside
from bgpctl.speaker.status.kubesink import KubeSink
from tests.support import apiserver, clients, objects, snapshots
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


# --- two of them --------------------------------------------------------------------------------------------


def told(uid: str, local: str, **more: Any) -> NodeState:
    """By the process `uid`, whose session came from `local`."""
    one = snapshots.peer()
    here = replace(one, session=replace(one.session, local_address=ip_address(local)))
    return NodeState(NAME, "Running", started_at=1.7e9, uid=uid, **{"peers": (here,), **more})


def published(place: Place) -> NodeState:
    return from_document(place.api.get(paths.node_state(NAME)))


A, B = told("process-a", "10.0.0.11"), told("process-b", "10.0.0.12")
BOTH = (LocalAddresses(snapshots.ROUTER, 179, ("10.0.0.12", "10.0.0.11")),)


def twin(place: Place) -> KubeSink:
    """Another speaker of the node, on another machine."""
    found = KubeSink(clients.client(place.server), NAME, lambda: place.uid)
    found.read()
    return found


def test_a_speaker_that_was_started_under_the_name_of_another_one_is_told_and_not_lost(place: Place) -> None:
    place.sink.write(A)
    other = twin(place)
    other.write(B)
    assert "process-a" in published(place).contested, "it may hang, and its engine announce on"
    place.sink.write(A)
    assert published(place).uid == "process-a" and published(place).locals == BOTH
    assert "process-b from 10.0.0.12" in published(place).contested
    for _ in range(2):  # the other one hangs: it writes no more, and its engine announces on
        place.sink.write(replace(A, phase="Withdrawn", peers=()))
        assert "process-b" in published(place).contested
        assert [str(p.session.local_address) for p in published(place).unwithdrawn] == ["10.0.0.12"]
    other.write(B)
    assert "process-a" in published(place).contested and published(place).uid == "process-b"
    other.write(replace(B, phase="Stopped", engine_mode="own", peers=()))
    place.sink.write(A)
    assert published(place).contested == "", "it says that it has ended"
    assert [set(one.addresses) for one in published(place).locals] == [{"10.0.0.11", "10.0.0.12"}]


def follower(place: Place, of: str) -> KubeSink:
    """The speaker that is started after the process `of` was killed, in its directory."""
    kept = replace(A, uid=of, peers=())
    found = KubeSink(clients.client(place.server), NAME, lambda: place.uid, lambda: kept)
    found.read()
    return found


NEXT = replace(A, uid="process-c")


def test_another_speaker_is_remembered_over_a_restart(place: Place) -> None:
    """It may hang, and its engine announce on: nothing is heard of it, and a restart hears no more."""
    place.sink.write(A)
    other = twin(place)
    other.write(B)
    place.sink.write(A)
    next_one = follower(place, "process-a")
    next_one.write(NEXT)
    assert "process-b from 10.0.0.12" in published(place).contested
    again = follower(place, "process-c")
    again.write(replace(NEXT, uid="process-d"))
    assert "process-b" in published(place).contested
    other.write(replace(B, phase="Stopped", engine_mode="own", peers=()))
    again.write(replace(NEXT, uid="process-d"))
    assert published(place).contested == "", "until it says that it has ended"


def test_who_told_last_is_another_where_he_calls_our_predecessor_that(place: Place) -> None:
    place.sink.write(A)
    other = twin(place)
    other.write(B)
    place.sink.write(A)
    other.write(B)
    assert "process-a" in published(place).contested
    next_one = follower(place, "process-a")
    next_one.write(NEXT)
    assert "process-b" in published(place).contested and "process-a" not in published(place).contested
    other.write(replace(B, phase="Stopped", engine_mode="own", peers=()))
    last = follower(place, "process-c")
    last.write(replace(NEXT, uid="process-d"))
    assert published(place).contested == "", "its last word was that it ended"


def said_to_have_ended(place: Place, *names: str) -> None:
    annotation = {"metadata": {"annotations": {ENDED: ",".join(names)}}}
    place.api.patch(paths.node_state(NAME), annotation)


def test_who_deletes_the_object_says_nothing_of_the_others(place: Place) -> None:
    """The garbage collector does it too, of a Node that is made anew."""
    place.sink.write(A)
    twin(place).write(B)
    place.sink.write(A)
    place.api.delete(paths.node_state(NAME))
    place.sink.write(A)
    assert "process-b" in published(place).contested


def test_the_operator_says_that_another_one_has_ended(place: Place) -> None:
    place.sink.write(A)
    other = twin(place)
    other.write(B)
    place.sink.write(A)
    assert published(place).other_speakers == ("process-b",)
    said_to_have_ended(place, "process-x", "process-b")
    place.sink.write(A)
    assert published(place).contested == "", "at the next word"
    place.sink.write(replace(A, phase="Withdrawn", peers=()))
    left = [str(p.session.local_address) for p in published(place).unwithdrawn]
    assert left == ["10.0.0.12"], "it ended without a withdraw, and routers may keep its routes"
    other.write(replace(B, sequence=9))
    place.sink.write(replace(A, sequence=10))
    assert "process-b" in published(place).contested, "it lives all the same"
    next_one = KubeSink(clients.client(place.server), NAME, lambda: place.uid, lambda: published(place))
    next_one.read()
    next_one.write(NEXT)
    assert "process-b" in published(place).contested, "the word counted once"
    said_to_have_ended(place, "process-b")
    next_one.write(NEXT)
    assert published(place).contested == "", "and may be said again"
    assert ENDED not in annotations_of(place.api.get(paths.node_state(NAME)))


def test_the_operators_word_waits_for_the_right_to_take_it_away(place: Place) -> None:
    place.sink.write(A)
    twin(place).write(B)
    place.sink.write(A)
    said_to_have_ended(place, "process-b")
    refused = Fault("answer", verb="patch", resource="bgpnodestates", code=403)
    place.server.faults.add(refused)
    place.sink.write(A)
    assert published(place).contested
    place.server.faults.clear()
    place.sink.write(A)
    assert published(place).contested == ""


def test_what_one_told_in_an_object_that_was_deleted_is_not_known(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wrote since we did, was killed, and the object went before we looked: nobody knows its addresses."""
    time = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: time[0], time=lambda: 1.7e9)
    monkeypatch.setattr(beside, "time", clock)
    place.sink.write(A)
    twin(place).write(B)
    place.api.delete(paths.node_state(NAME))
    place.sink.write(A)
    assert "what it told is lost" in published(place).contested
    next_one = KubeSink(clients.client(place.server), NAME, lambda: place.uid, lambda: A)
    next_one.read()
    next_one.write(NEXT)
    assert published(place).contested, "nor does the next one"
    time[0] += 100_000
    next_one.write(replace(NEXT, sequence=5))
    assert published(place).contested == "", "all routers have let go of it by now"


def test_a_node_that_is_gone_for_a_while_hides_nothing(place: Place) -> None:
    """While there is no Node there is no object to write to; what the deleted one said nobody knows."""
    place.sink.write(A)
    twin(place).write(B)
    place.api.delete(paths.node(NAME))
    eventually(lambda: place.owners() is None)
    place.uid = ""
    for _ in range(2):
        with pytest.raises(BgpctlError, match=f"there is no Node {NAME}"):
            place.sink.write(A)
    place.uid = place.make_node()
    place.sink.write(A)
    assert "what it told is lost" in published(place).contested


def test_one_that_is_started_after_a_deletion_knows_no_more(place: Place) -> None:
    next_one = KubeSink(clients.client(place.server), NAME, lambda: place.uid, lambda: A)
    assert next_one.read() is None
    next_one.write(NEXT)
    assert "what it told is lost" in published(place).contested
    fresh = KubeSink(clients.client(place.server), NAME, lambda: place.uid)
    place.api.delete(paths.node_state(NAME))
    assert fresh.read() is None
    fresh.write(NEXT)
    assert published(place).contested == "", "the first one of its node"


@pytest.mark.parametrize(
    ("before", "other"),
    [
        (replace(A, engine_mode="detached"), True),
        (replace(A, engine_mode="own"), False),
        (B, True),
        (replace(B, phase="Stopped", engine_mode="own"), False),
    ],
    ids=["its engine lives on", "killed", "killed, with another address", "ended, with another address"],
)
def test_one_before_that_did_not_say_that_it_ended(place: Place, before: NodeState, other: bool) -> None:
    """Started elsewhere, or after its directory was lost: it may hang, and its engine announce on."""
    place.sink.write(before)
    next_one = KubeSink(clients.client(place.server), NAME, lambda: place.uid)
    next_one.read()
    next_one.write(NEXT)
    assert (before.uid in published(place).contested) is other


def test_what_another_one_left_is_waited_for_from_when_it_is_gone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it hung before: it announced all the time."""
    time = [1000.0]
    monkeypatch.setattr(beside, "time", SimpleNamespace(monotonic=lambda: time[0], time=lambda: 1.7e9))
    place.sink.write(A)
    twin(place).write(B)
    place.sink.write(A)
    next_one, gone = follower(place, "process-a"), replace(NEXT, phase="Withdrawn", peers=())
    next_one.write(NEXT)
    time[0] += 100_000
    next_one.write(gone)
    assert published(place).contested and published(place).unwithdrawn
    said_to_have_ended(place, "process-b")
    for later, told in ((1, True), (100_000, False)):
        time[0] += later
        next_one.write(replace(gone, sequence=later))
        assert bool(published(place).unwithdrawn) is told


def test_what_the_dead_one_before_told_is_no_news_when_its_object_is_touched(
    place: Place,
) -> None:
    place.sink.write(replace(A, sequence=7))
    follower, next_one = twin(place), told("process-b", "10.0.0.11")
    follower.read()
    path = paths.node_state(A.node)
    place.api.patch(path, {"metadata": {"annotations": {"somebody": "was here"}}})
    follower.write(replace(next_one, sequence=8))
    assert (published(place).uid, published(place).contested) == ("process-b", "")
    place.api.patch(f"{path}/status", {"status": None})
    place.api.patch(f"{path}/status", {"status": to_document(replace(A, sequence=7))["status"]})
    follower.write(replace(next_one, sequence=9))
    assert published(place).contested == "", "put back from a backup, it is as old as it was"
    place.sink.write(replace(A, sequence=10))
    follower.write(replace(next_one, sequence=11))
    assert "process-a" in published(place).contested, "it lives"


def test_one_of_the_version_before_that_writes_too_is_another_one(place: Place) -> None:
    place.sink.write(A)
    twin(place).write(replace(B, uid="", started_at=1.6e9))
    place.sink.write(A)
    assert "(unnamed) from 10.0.0.12" in published(place).contested


def test_whoever_else_touches_the_object_is_no_speaker(place: Place) -> None:
    place.sink.write(A)
    counting = clients.counting(place.server)
    sink = KubeSink(counting, NAME, lambda: place.uid)
    sink.read()
    place.api.patch(paths.node_state(NAME), {"metadata": {"labels": {"a": "b"}}})
    sink.write(A)  # of its own process, as after an answer that was lost
    assert [method for method, *_ in counting.sent] == ["GET", "PATCH", "GET", "PATCH"]
    sink.write(A)
    assert [method for method, *_ in counting.sent[4:]] == ["PATCH"]
    assert published(place).contested == ""


def test_without_the_right_to_read_it_another_one_is_seen_all_the_same(place: Place) -> None:
    """A patch of nothing shows the object, and changes nothing (issue 7)."""
    place.server.faults.add(Fault("answer", verb="get", resource="bgpnodestates", code=403))
    place.sink.write(A)
    twin(place).write(B)
    place.sink.write(replace(A, announced=3))
    place.server.faults.clear()
    assert (published(place).uid, published(place).announced) == ("process-a", 3)
    assert "process-b" in published(place).contested


def test_two_that_make_the_object_at_once(place: Place) -> None:
    other = KubeSink(place.api, NAME, lambda: place.uid)
    assert place.sink.read() is None and other.read() is None
    other.write(B)
    place.server.faults.add(Fault("answer", verb="patch", resource="bgpnodestates/status", code=404, count=1))
    place.sink.write(A)
    assert "process-b" in published(place).contested


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
