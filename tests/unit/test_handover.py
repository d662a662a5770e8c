"""Another BGP stack on the node: who begins, who waits, and who goes on."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.handover import BEGINS, LABEL, NOT_LOOKED, Look, Looks, Neighbour, decide, ran
from bgpctl.core.state import WAITS, NodeState, WithdrawnRecord
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.speaker import beside as module
from bgpctl.speaker.beside import Beside
from tests.support import objects
from tests.support.rig import AWAY, A, B, Rig, world
from tests.support.snapshots import peer, withdrawn
from tests.support.wait import eventually

CILIUM = Neighbour("cilium", "Cilium", "which has a CiliumBGPNodeConfig for it")
HERE, OUT, ELSEWHERE, NOBODY = (
    Look((CILIUM,), True),
    Look((replace(CILIUM, closed=True),), True),
    Look(elsewhere=True),
    Look(),
)
BLIND = "403 Forbidden"


def word(looks: Looks, label: str = "", **known: bool) -> str:
    """begins, waits, or goes on with a problem."""
    found = decide("n1", label, looks, **{"serves": False, "ran": False, "allowed": False, **known})
    assert not found.waits or found.waits.startswith(WAITS) or looks == Looks()
    return "waits" if found.waits else "tells" if found.problem else "begins"


@pytest.mark.parametrize(
    ("looks", "known", "expected"),
    [
        (Looks(NOBODY), {}, "begins"),
        (Looks(), {}, "waits"),
        (Looks(), {"ran": True}, "waits"),
        (Looks(), {"serves": True}, "begins"),
        (Looks(HERE), {}, "waits"),
        (Looks(HERE), {"ran": True}, "waits"),
        (Looks(HERE), {"serves": True}, "tells"),
        (Looks(HERE), {"allowed": True}, "tells"),
        (Looks(HERE), {"label": "bgpctl"}, "tells"),
        (Looks(OUT), {}, "waits"),
        (Looks(OUT), {"label": "bgpctl"}, "begins"),
        (Looks(OUT), {"serves": True}, "begins"),
        (Looks(NOBODY), {"label": "cilium"}, "waits"),
        (Looks(NOBODY), {"label": "cilium", "serves": True}, "begins"),
        (Looks(NOBODY, HERE), {}, "waits"),
        (Looks(NOBODY, NOBODY), {}, "begins"),
        (Looks(ELSEWHERE), {}, "waits"),
        (Looks(ELSEWHERE), {"ran": True}, "begins"),
        (Looks(ELSEWHERE, ELSEWHERE), {}, "begins"),
        (Looks(error=BLIND), {}, "waits"),
        (Looks(NOBODY, NOBODY, BLIND), {}, "waits"),
        (Looks(error=BLIND), {"ran": True}, "begins"),
        (Looks(error=BLIND), {"serves": True}, "tells"),
    ],
)
def test_who_begins(looks: Looks, known: dict[str, Any], expected: str) -> None:
    assert word(looks, **known) == expected


def test_who_waits_names_the_stack_and_every_command() -> None:
    told = decide("n1", "", Looks(HERE), serves=False, ran=False, allowed=False).waits
    assert told.startswith("waits: Cilium has n1, which has a CiliumBGPNodeConfig for it. To hand it over: ")
    for command in (
        "`bgpctl node drain n1 --provider cilium`",
        "`kubectl label node n1 bgpctl.io/stack=bgpctl --overwrite`",
        "`bgpctl node restore n1`",
    ):
        assert command in told
    blind = decide("n1", "", Looks(error=BLIND), serves=False, ran=False, allowed=False).waits
    assert BLIND in blind and "`kubectl label node n1 bgpctl.io/stack=bgpctl`" in blind


def test_one_that_only_waited_has_not_run() -> None:
    assert not ran(NodeState("n1", phase="Waiting")) and not ran(NodeState("n1", phase="Idle"))
    record = WithdrawnRecord("left", 1.0, 2.0, 3.0, ())
    assert ran(NodeState("n1", intended=3)) and ran(NodeState("n1", withdrawn=record))


# --- the speaker's loop -----------------------------------------------------------------------------------


class Cluster:
    """What a look finds now; an exception is what it meets."""

    def __init__(self, found: Look | Exception) -> None:
        self.found = found
        self.looks = 0

    def look(self) -> Look:
        self.looks += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Node:
    """A speaker's loop, ticked by hand, on a node where others may be."""

    def __init__(self, found: Look | Exception, before: NodeState | None = None, **more: Any) -> None:
        self.cluster = Cluster(found)
        self.beside = Beside("worker-1", self.cluster.look, **more)
        self.rig = Rig(world(objects.service("web", "192.0.2.80")), lambda: before, beside=self.beside)
        self.rig.engine.established = {A, B}

    def look(self, found: Look | Exception | None = None, **labels: str) -> NodeState:
        """One look, if there is something to find, and one tick with these labels of the Node."""
        if found is not None:
            self.cluster.found = found
        self.beside.once()
        return self.see(**labels)

    def see(self, **labels: str) -> NodeState:
        self.rig.tick(world(objects.service("web", "192.0.2.80"), labels={"enable-bgp": "true", **labels}))
        return self.rig.state


def test_it_waits_with_the_reason_and_begins_by_the_label() -> None:
    node = Node(HERE)
    state = node.look()
    assert (state.phase, state.waits, state.announced) == ("Waiting", state.problems[0], 0)
    assert not node.rig.engine.observed().running and node.rig.did() == []
    state = node.see(**{LABEL: "bgpctl"})
    assert (state.phase, state.announced, state.waits) == ("Running", 6, "")
    state = node.look(HERE, **{LABEL: "bgpctl"})
    assert "Cilium has this node too" in state.problems[0], "nobody drained it"
    assert node.look(OUT, **{LABEL: "bgpctl"}).problems == ()


def test_it_begins_by_itself_once_two_looks_saw_nobody() -> None:
    node = Node(HERE)
    assert node.look().phase == "Waiting"
    assert node.look(OUT).phase == "Waiting", "a node that is merely drained there comes back there"
    assert node.look(NOBODY).phase == "Waiting"
    assert node.look(NOBODY).phase == "Running"


def test_a_stack_that_comes_later_is_reported_and_takes_nothing_away() -> None:
    node = Node(NOBODY)
    assert node.look().announced == 6
    state = node.look(HERE)
    assert (state.phase, state.announced, node.rig.did()) == ("Running", 6, [])
    assert "Cilium has this node too" in state.problems[0] and "goes on" in state.problems[0]
    assert node.look(HERE, **{LABEL: "cilium"}).announced == 6, "nor does a label: drain it first"


def test_a_speaker_that_is_started_anew_goes_on_where_it_announced() -> None:
    before = NodeState("worker-1", phase="Stopped", intended=6, selected_by="policy")
    node = Node(HERE, before)
    assert node.see().announced == 6, "not even a look is waited for"
    assert "Cilium has this node too" in node.look().problems[0]


def test_after_a_drain_the_node_may_be_another_ones() -> None:
    node = Node(NOBODY)
    node.look()
    node.see(**AWAY)
    assert node.rig.state.phase == "Withdrawn"
    assert node.look(HERE, **AWAY).phase == "Waiting"
    assert node.rig.state.withdrawn is not None, "the record of its leave stays"
    assert (node.see().announced, node.look().phase) == (0, "Waiting"), "its label is back"
    assert node.see(**{LABEL: "bgpctl"}).phase == "Starting", "as ever after a drain: until the Node is Ready"


def test_labels_that_bring_a_node_back_may_bring_it_to_another_one_a_moment_later() -> None:
    node = Node(HERE)
    node.look(**AWAY)
    node.look(ELSEWHERE, **AWAY)
    assert node.look(ELSEWHERE, **AWAY).phase == "Idle", "nobody has it, and no policy selects it"
    assert (node.see().phase, node.rig.did()) == ("Idle", []), "what was seen before the label counts no more"
    assert node.look(ELSEWHERE).phase == "Waiting"
    assert node.look(HERE).phase == "Waiting"


def test_without_others_nothing_is_looked_for_again_when_a_node_comes_back() -> None:
    node = Node(NOBODY)
    node.look(**AWAY)
    assert node.see().phase == "Running"


@pytest.mark.parametrize("error", [BgpctlError(BLIND), Temporary("the API server is away"), ValueError("x")])
def test_who_cannot_look_waits_only_where_it_never_ran(error: Exception) -> None:
    assert Node(error).look().phase == "Waiting"
    drained = NodeState("worker-1", phase="Withdrawn", withdrawn=WithdrawnRecord("left", 1.0, 2.0, 3.0, ()))
    assert Node(error, drained).look().phase == "Running"


def test_the_users_word_overrules_with_a_warning() -> None:
    state = Node(HERE, allowed=True).look()
    assert state.announced == 6 and "--beside-another-stack" in state.problems[0]


def test_a_look_during_which_the_labels_changed_is_of_before() -> None:
    node = Node(HERE)
    node.look(**AWAY)

    def meanwhile() -> Look:
        node.see()
        return NOBODY

    node.beside._look = meanwhile
    node.beside.once()
    assert (node.see().announced, node.beside.waits, node.beside.told) == (0, NOT_LOOKED, "")


def test_it_looks_in_a_thread_of_its_own_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_SECONDS", 0.01)
    cluster, rung = Cluster(HERE), threading.Event()
    beside = Beside("n1", cluster.look, rung.set)
    beside.start()
    assert rung.wait(10)
    beside.judge({}, serves=False, ran=False)
    eventually(lambda: cluster.looks > 2)
    cluster.found = NOBODY
    eventually(lambda: beside.judge({}, serves=False, ran=False) or not beside.waits)
    beside.stop()


def test_without_a_cluster_nothing_is_asked() -> None:
    beside = Beside()
    beside.start()
    beside.judge({}, serves=False, ran=False)
    assert (beside.looks, beside.told, BEGINS.waits) == (False, "", "")


@pytest.mark.parametrize(
    ("more", "did"),
    [
        ({}, False),
        ({"intended": 1}, True),
        ({"selected_by": "rack-1"}, True),
        ({"peers": (peer(),)}, True),
        ({"withdrawn": withdrawn().withdrawn}, True),
    ],
)
def test_a_speaker_that_did_more_than_wait(more: dict[str, Any], did: bool) -> None:
    """Whatever it published: its sessions may be with routers still."""
    assert ran(NodeState("n1", "Waiting", **more)) is did
