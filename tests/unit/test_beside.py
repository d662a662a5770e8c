"""What a speaker knows of others that write under its node's name, and what ends that."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core.model import SessionState
from bgpctl.core.state import DOUBT, LocalAddresses, NodeState, WithdrawnPeer, WithdrawnRecord
from bgpctl.speaker.status import beside
from bgpctl.speaker.status.beside import Beside
from tests.support import snapshots

WORST = 3600.0  # seconds; longer than any of these peers is waited for


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(beside, "time", found)
    return found


def told(uid: str, local: str, **more: Any) -> NodeState:
    one = snapshots.peer()
    here = replace(one, session=replace(one.session, local_address=ip_address(local)))
    return NodeState("n", "Running", uid=uid, **{"peers": (here,), **more})


A, B = told("a", "10.0.0.11"), told("b", "10.0.0.12")
LEFT = replace(A, phase="Withdrawn", peers=())


def owed(state: NodeState) -> list[str]:
    return [str(peer.session.local_address) for peer in state.unwithdrawn]


def test_what_another_one_told_outlives_the_process_that_met_it() -> None:
    first = Beside()
    first.met(B)
    kept = first.joined(A)
    next_one = Beside()
    next_one.recall(kept, "a")
    joined = next_one.joined(replace(LEFT, uid="c"))
    assert joined.other_speakers == ("b",) and "10.0.0.12" in owed(joined)


def test_a_router_that_both_have_is_owed_for_the_address_of_the_other_one() -> None:
    one = Beside()
    one.met(B)
    assert owed(one.joined(A)) == ["10.0.0.12"]


@pytest.mark.parametrize("by", ["its word", "the operator's word"])
def test_from_when_it_ended_its_routes_are_waited_for(by: str, clock: Clock) -> None:
    one = Beside()
    one.met(B)
    clock.now += WORST
    if by == "its word":
        one.met(replace(B, phase="Stopped", engine_mode="own", peers=(), unwithdrawn=B.peers))
    else:
        one.ended({"b", "x"}, A)
    joined = one.joined(LEFT)
    assert (joined.contested, owed(joined)) == ("", ["10.0.0.12"])
    clock.now += WORST
    assert owed(one.joined(LEFT)) == []


def test_one_that_is_said_to_have_ended_and_tells_something_has_not() -> None:
    one = Beside()
    one.met(B)
    one.ended({"b"}, A)
    one.met(B)
    assert one.joined(A).other_speakers == ("b",)


@pytest.mark.parametrize("restarted", [False, True])
def test_no_router_can_be_asked_about_one_that_ended_before_it_told_its_address(
    restarted: bool, clock: Clock
) -> None:
    (peer,) = B.peers
    nowhere = replace(B, peers=(replace(peer, session=replace(peer.session, local_address=None)),))
    one = Beside()
    one.met(nowhere)
    if restarted:
        kept, one = one.joined(A), Beside()
        one.recall(kept, "a")
    one.ended({"b"}, A)
    assert one.joined(A).contested.startswith(DOUBT)
    clock.now += WORST
    assert one.joined(A).contested == ""


@pytest.mark.parametrize(
    ("before", "others"),
    [
        (replace(A, uid="b", engine_mode="own"), ()),
        (replace(A, uid="b", engine_mode="detached"), ("b",)),
        (replace(B, engine_mode="own"), ("b",)),
        (replace(B, engine_mode="own", phase="Stopped"), ()),
        (replace(B, uid="p"), ()),
    ],
    ids=[
        "its sessions came from our address: one of the two is gone",
        "its engine lives on",
        "it had another address",
        "that one said that it ended",
        "it is in our own file",
    ],
)
def test_is_one_before_us_another_one(before: NodeState, others: tuple[str, ...]) -> None:
    one = Beside()
    one.recall(before, "p")
    assert one.joined(A).other_speakers == others


def down(state: NodeState) -> NodeState:
    """With its sessions not up, so that they have no address."""
    off = replace(state.peers[0].session, state=SessionState.ACTIVE, local_address=None)
    return replace(state, peers=(replace(state.peers[0], session=off),))


@pytest.mark.parametrize("ends", ["our session comes up", "the operator says so"])
def test_one_before_us_may_be_what_keeps_our_sessions_down(ends: str) -> None:
    """Until then the node is not left either: a hung speaker announces on (issue 7)."""
    one = Beside()
    one.recall(replace(A, uid="b", engine_mode="own"), "p")
    assert one.joined(LEFT).other_speakers == ("b",), "also where none of ours is wanted"
    assert one.joined(down(A)).other_speakers == ("b",)
    if ends == "our session comes up":
        assert one.joined(A).contested == ""
    else:
        one.ended({"b"}, A)
        assert owed(one.joined(replace(down(A), peers=()))) == ["10.0.0.11"], "what it left is waited for"
    assert one.joined(down(A)).contested == ""


def test_one_before_us_whose_session_was_down_is_known_by_where_his_last_one_came_from() -> None:
    hung = replace(
        down(B), engine_mode="own", locals=(LocalAddresses("192.0.2.1", 179, ("10.0.0.9", "10.0.0.12")),)
    )
    one, other = Beside(), Beside()
    one.recall(hung, "p")
    assert one.joined(A).other_speakers == ("b",), "ours comes from elsewhere"
    other.recall(replace(hung, locals=()), "p")
    assert other.joined(A).other_speakers == ("b",), "nothing says from where his came"


def test_one_before_us_that_never_had_a_peer_keeps_nothing_down() -> None:
    one = Beside()
    one.recall(replace(A, uid="b", engine_mode="own", peers=()), "p")
    assert one.joined(down(A)).contested == ""


def test_one_before_us_that_hung_while_it_started_may_have_what_it_never_told() -> None:
    """A session of ours that is up says nothing of one from an address that nobody told (issue 7)."""
    one = Beside()
    one.recall(replace(A, uid="b", engine_mode="own", phase="Starting", peers=()), "p")
    assert one.joined(LEFT).other_speakers == ("b",), "also where none of ours is wanted"
    assert one.joined(A).other_speakers == ("b",)
    one.ended({"b"}, A)
    assert "b" not in one.joined(A).other_speakers


@pytest.mark.parametrize(
    ("ours", "others"), [(A, ()), (B, ("b",)), (LEFT, ("b",))], ids=["here", "else", "no"]
)
def test_one_before_us_that_had_left_may_have_come_back_and_not_been_able_to_tell(
    ours: NodeState, others: tuple[str, ...]
) -> None:
    """It reads its label from a server that refuses its writes (issue 7)."""
    place = LocalAddresses("192.0.2.1", 179, ("10.0.0.11",))
    one = Beside()
    one.recall(replace(LEFT, uid="b", engine_mode="own", locals=(place,)), "p")
    assert one.joined(ours).other_speakers == others


@pytest.mark.parametrize("after", ["it has peers", "it has left"])
def test_of_an_object_that_is_gone_nobody_knows_what_stood_in_it(after: str, clock: Clock) -> None:
    record = WithdrawnRecord("leave", 1.0, 1.0, 1.0, (WithdrawnPeer(A.peers[0], 6),))
    state = A if after == "it has peers" else replace(LEFT, withdrawn=record)
    one = Beside()
    one.lost(state)
    joined = one.joined(state)
    assert joined.contested.startswith(DOUBT) and joined.other_speakers == ()
    clock.now += WORST / 2
    next_one = Beside()
    next_one.recall(joined, "a")
    assert next_one.joined(state).contested, "it begins anew: nor does the next one know"
    clock.now += WORST
    assert one.joined(state).contested == next_one.joined(state).contested == ""


def test_a_second_loss_shortens_no_doubt() -> None:
    one = Beside()
    one.lost(A)
    one.lost(replace(LEFT, withdrawn=None))
    assert one.joined(A).contested


def test_the_doubt_has_no_end_where_a_router_may_never_let_go(clock: Clock) -> None:
    (peer,) = A.peers
    for_ever = replace(A, peers=(replace(peer, session=replace(peer.session, hold_time=0)),))
    one = Beside()
    one.lost(for_ever)
    clock.now += 10 * WORST
    assert one.joined(A).contested.endswith("until nobody knows when")
