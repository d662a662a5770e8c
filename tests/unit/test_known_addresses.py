"""A router is asked about every address that the node is or was known by: what it keeps of any is a route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.state import MOST_LOCALS, LocalAddresses, NodeState, PeerState, newest
from bgpctl.runbooks import proof
from bgpctl.runbooks.drain_steps import Deselected
from bgpctl.runbooks.peers import locals_of
from bgpctl.runbooks.routers import Routers, Target
from bgpctl.runbooks.snapshot import PeerAnswer
from bgpctl.witness.model import Path, RouterAnswer, RouteState, answered
from tests.support.snapshots import ROUTER, ROUTER_2, journal, peer, running, snapshot, withdrawn

NEW, OLD, OLDEST = "10.0.0.1", "10.0.0.8", "10.0.0.9"


@dataclass
class Told:
    """A router that knows these neighbors: a path of each, its staleness, None = no path, or why it does not
    say. Whom it does not know it calls a stranger."""

    neighbors: dict[str, bool | str | None]
    peer: str | None = None
    kind: str = "frr"
    target: str = "/run/frr"
    asked: list[str] = field(default_factory=list)

    def routes_from(self, neighbor: str) -> RouterAnswer:
        self.asked.append(neighbor)
        if neighbor not in self.neighbors:
            detail = f"router has no neighbor {neighbor}"
            return RouterAnswer("frr", neighbor, RouteState.UNKNOWN, detail=detail, stranger=True)
        found = self.neighbors[neighbor]
        if isinstance(found, str):
            return RouterAnswer("frr", neighbor, RouteState.UNKNOWN, detail=found)
        prefix = ip_network("10.244.5.0/24")
        paths = () if found is None else (Path(prefix, neighbor, stale=found),)
        return answered("frr", neighbor, paths, "active", 110)


def at(address: str, peer_address: str = ROUTER) -> PeerState:
    """A peer whose session comes from this address of the node."""
    one = peer(peer_address)
    return replace(one, session=replace(one.session, local_address=ip_address(address)))


def left(*peers: PeerState) -> NodeState:
    """The speaker that has left these."""
    state = withdrawn()
    assert state.withdrawn is not None
    record = replace(state.withdrawn, peers=tuple(replace(state.withdrawn.peers[0], state=p) for p in peers))
    return replace(state, withdrawn=record)


def look(probe: Told, *states: NodeState | None, record: Any = None, own: Sequence[str] = ()) -> PeerAnswer:
    routers = Routers((probe,))
    for state in states:
        (seen,) = routers.look(state, record, lambda: 1.0, own)
    return seen


TOLD = (LocalAddresses(ROUTER, 1790, (OLDEST,)), LocalAddresses(ROUTER, 179, (OLD,)))
STALE_ONLY_THERE: dict[str, bool | str | None] = {NEW: None, OLD: True}


@pytest.mark.parametrize(
    ("states", "record", "own"),
    [
        pytest.param([running(at(OLD)), running(at(NEW))], None, (), id="this run saw it there"),
        pytest.param([running(at(NEW))], journal(locals={ROUTER: (OLD,)}), (), id="an earlier run did"),
        pytest.param([None], journal(locals={ROUTER: (OLD, NEW)}), (), id="both, and no speaker reports"),
        pytest.param([replace(left(at(OLD)), peers=(at(NEW),))], None, (), id="it left from there once"),
        pytest.param([running(at(NEW), locals=TOLD)], None, (), id="the speaker says so"),
        pytest.param([replace(left(at(NEW)), locals=TOLD)], None, (), id="and when it has left"),
        pytest.param([running(at(NEW))], None, (OLD, "fd00::1"), id="the Node's own"),
    ],
)
def test_stale_routes_from_an_earlier_address_are_seen(states: Any, record: Any, own: Any) -> None:
    probe = Told(dict(STALE_ONLY_THERE))
    seen = look(probe, *states, record=record, own=own)
    assert seen.answer.routes is RouteState.STALE
    assert seen.answer.neighbor == NEW
    assert f"from {OLD}: 1 stale path still forwarding, 110 s left" in seen.answer.detail
    assert (seen.absent_since, seen.absences) == (None, 0)
    assert "fd00::1" not in probe.asked, "no session to this peer comes from there"


@pytest.mark.parametrize(
    ("neighbors", "routes", "words"),
    [
        ({NEW: None, OLD: None}, RouteState.ABSENT, "No path in the RIB"),
        ({NEW: None}, RouteState.ABSENT, "No path in the RIB"),
        ({NEW: False, OLD: True}, RouteState.PRESENT, "1 path; session active.; from 10.0.0.8: 1 stale"),
        ({NEW: True, OLD: False}, RouteState.PRESENT, "from 10.0.0.8: 1 path"),
        ({NEW: None, OLD: False}, RouteState.PRESENT, "from 10.0.0.8: 1 path"),
        ({OLD: True}, RouteState.STALE, "router has no neighbor 10.0.0.1; from 10.0.0.8: 1 stale"),
        ({OLD: None}, RouteState.UNKNOWN, "router has no neighbor 10.0.0.1"),
        ({NEW: "timeout"}, RouteState.UNKNOWN, "timeout"),
        ({NEW: None, OLD: "timeout"}, RouteState.UNKNOWN, "from 10.0.0.8, an address of the node: timeout"),
        ({NEW: False, OLD: "timeout"}, RouteState.PRESENT, "1 path; session active."),
    ],
)
def test_what_the_answers_come_to(neighbors: dict[str, Any], routes: RouteState, words: str) -> None:
    """Only who does not know an address that was used before may pass it over."""
    told = look(Told(neighbors), running(at(NEW)), record=journal(locals={ROUTER: (OLD,)})).answer
    assert told.routes is routes
    assert words in told.detail


def test_a_router_that_does_not_answer_is_asked_once() -> None:
    """Each question may take its five seconds."""
    probe = Told({NEW: "timeout"})
    look(probe, running(at(NEW)), record=journal(locals={ROUTER: (OLD, OLDEST)}))
    assert probe.asked == [NEW]


def test_each_address_is_asked_about_once_and_only_at_its_router() -> None:
    first, second = Told({NEW: None}, peer=ROUTER), Told({OLD: None}, peer=ROUTER_2)
    routers = Routers((first, second))
    routers.look(running(at(NEW), at(OLD, ROUTER_2)), journal(locals={ROUTER: (NEW,)}), lambda: 1.0, (NEW,))
    assert (first.asked, second.asked) == ([NEW], [OLD, NEW])


def test_what_this_run_saw_is_asked_about_beside_what_is_written_down() -> None:
    probe, record = Told({NEW: None, OLD: None, OLDEST: True}), journal(locals={ROUTER: (OLD,)})
    routers = Routers((probe,))
    routers.look(running(at(OLDEST)), record, lambda: 1.0)
    (seen,) = routers.look(running(at(NEW)), record, lambda: 2.0)
    assert (seen.answer.routes, set(probe.asked)) == (RouteState.STALE, {NEW, OLD, OLDEST})
    assert routers.targets() == (Target(probe, (ROUTER, 179), NEW),), "a watch is of the session that is"


def test_a_peer_without_an_address_is_no_target() -> None:
    lost = replace(peer(), session=replace(peer().session, local_address=None))
    routers = Routers((Told({}),))
    routers.look(running(lost), None, lambda: 1.0)
    assert routers.targets() == ()


def test_what_is_kept_is_bounded_and_the_newest_last() -> None:
    assert newest(("a", "b", "a")) == ("b", "a")
    assert newest(map(str, range(40))) == tuple(map(str, range(8, 40)))
    state = running(at(NEW), locals=(LocalAddresses(ROUTER, 179, (OLDEST,)),))
    assert locals_of(state, journal(locals={ROUTER: (OLD,), ROUTER_2: (OLD,)})) == {
        ROUTER: (OLD, OLDEST, NEW),
        ROUTER_2: (OLD,),
    }
    assert locals_of(None, journal()) == {}


def test_the_addresses_are_written_down_with_the_request_to_leave() -> None:
    s = snapshot(state=running(at(NEW)), journal=journal(locals={ROUTER: (OLD,)}))
    (change,) = Deselected().decide(s).actions
    assert change.journal.locals == {ROUTER: (OLD, NEW)}  # type: ignore[union-attr]


def test_sixteen_sessions_of_a_node_with_one_router_are_all_asked_about() -> None:
    """So many instances Cilium allows. One of them moved to another address, and left stale routes at the
    one before (issue 7)."""
    here = tuple(at(f"10.0.0.{number}") for number in range(20, 36))
    router = Told({str(each.session.local_address): None for each in here} | {OLD: True})
    state = running(*here, unwithdrawn=(at(OLD),))
    (told,) = Routers((router,)).look(state, journal(), lambda: 0)
    assert (told.answer.routes, set(router.asked)) == (RouteState.STALE, set(router.neighbors))


def test_of_more_addresses_than_are_kept_nobody_can_be_sure() -> None:
    many = tuple(at(f"10.0.0.{number}") for number in range(20, 20 + MOST_LOCALS))
    router = Told({str(each.session.local_address): None for each in many})
    (told,) = Routers((router,)).look(running(*many), journal(), lambda: 0)
    assert told.answer.routes is RouteState.UNKNOWN and "nobody can be sure" in told.answer.detail


def test_two_routers_of_one_address_in_two_vrfs_are_two() -> None:
    """The word of one is not the other's (issue 7)."""
    red = replace(at(OLD), address=f"red/{ROUTER}", name=f"red/{ROUTER}")
    probes = (Told({NEW: None}, f"{ROUTER}"), Told({OLD: True}, f"red/{ROUTER}", target="/run/red"))
    told = Routers(probes).look(running(at(NEW), red), journal(), lambda: 0)
    assert [(one.peer, one.answer.routes) for one in told] == [
        (ROUTER, RouteState.ABSENT),
        (f"red/{ROUTER}", RouteState.STALE),
    ]
    same = (probes[0], replace(probes[1], target=probes[0].target))
    told_twice = Routers(same).look(running(at(NEW), red), journal(), lambda: 0)
    assert all("given for" in one.answer.detail for one in told_twice), "one router for both"
    s = snapshot(state=running(at(NEW), red), answers=told[:1])
    assert proof.unasked(s) == (f"red/{ROUTER}",)


@dataclass
class Identified(Told):
    """One that tells its BGP Identifier."""

    router_id: str = "192.0.2.254"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        return replace(Told.routes_from(self, neighbor), router_id=self.router_id)


@pytest.mark.parametrize("here", [ROUTER, f"::ffff:{ROUTER}"], ids=["port", "port and spelling"])
def test_one_router_by_two_spellings_of_its_target_is_not_two(here: str) -> None:
    """`gobgp=localhost:50051@A:179` and `gobgp=127.0.0.1:50051@A:1790`: the second router at the address was
    confirmed by the first one's word."""
    state = running(at(NEW), replace(at(NEW), port=1790, name="second"))
    one = Identified({NEW: None}, f"{ROUTER}:179", "gobgp", "localhost:50051")
    two = Identified({NEW: None}, f"[{here}]:1790", "gobgp", "127.0.0.1:50051")
    told = Routers((one, two)).look(state, journal(), lambda: 0)
    assert [(each.answer.routes, each.absences) for each in told] == [(RouteState.UNKNOWN, 0)] * 2
    assert all("the BGP Identifier of the router that was" in each.answer.detail for each in told)
    assert len({each.peer for each in told}) == 2
    routers = Routers((one, two))
    routers.look(state, journal(), lambda: 0)
    assert routers.targets() == (), "nor is a restart watched by it"
    assert len(routers.untargeted()) == 2
    for another in (
        replace(two, router_id="192.0.2.253"),
        replace(two, target="127.0.0.1:50052"),  # two daemons on one machine, which take its address for it
        replace(two, kind="frr", target="/run/frr"),
    ):
        told = Routers((one, another)).look(state, journal(), lambda: 0)
        assert [each.answer.routes for each in told] == [RouteState.ABSENT] * 2


def test_one_router_with_two_addresses_answers_for_both() -> None:
    one, two = Identified({NEW: None}, ROUTER), Identified({OLD: None}, ROUTER_2)
    told = Routers((one, two)).look(running(at(NEW), at(OLD, ROUTER_2)), journal(), lambda: 0)
    assert [each.answer.routes for each in told] == [RouteState.ABSENT] * 2
