"""What the routers may still have of a node, told over every restart until a session or a leave ends it."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.model import GracefulRestart, Session, SessionState
from bgpctl.core.policy.annotations import GRACEFUL_SHUTDOWN_SOAK
from bgpctl.core.state import UNPROVED, NodeState, PeerState
from bgpctl.core.state_document import from_document, to_document
from bgpctl.ports import Mode
from bgpctl.runbooks import proof
from bgpctl.runbooks.checked import _routes
from bgpctl.runbooks.observe import known_peers, never_read
from bgpctl.runbooks.peers import names
from bgpctl.speaker import leaving
from bgpctl.speaker.held import Held
from tests.support import node_states, objects
from tests.support.fake_engine import Departed
from tests.support.rig import AWAY, A, B, Rig, world
from tests.support.snapshots import NOW, snapshot

WEB = objects.service("web", "192.0.2.80")
IN, OUT = world(WEB), world(WEB, labels=AWAY)
SOAKS = world(WEB, labels=AWAY, annotations={GRACEFUL_SHUTDOWN_SOAK: "30s"})


def started(seen: ClusterObjects | None, before: Rig | None = None, mode: Mode = Mode.OWN) -> Rig:
    """The next process, with an engine of its own: it knows what was published last, as on the wire."""
    wire = from_document(to_document(before.state)) if before else None
    rig = Rig(seen, recall=lambda: wire)
    rig.engine.mode = mode
    rig.engine.established, rig.engine.graceful = {A, B}, {A, B}
    rig.tick()
    return rig


def stopped(rig: Rig) -> Rig:
    """SIGTERM; what is not stopped was killed."""
    rig.manager.stop()
    rig.manager.run()
    return rig


def killed_twice() -> Rig:
    return started(OUT, started(OUT, started(IN)))


def killed_before_it_saw_anything() -> Rig:
    return started(OUT, started(None, started(IN)))


def restarted_before_it_saw_anything() -> Rig:
    return started(OUT, stopped(started(None, started(None, started(IN)))))


def stopped_while_it_served() -> Rig:
    return started(OUT, stopped(started(IN)))


def stopped_while_it_was_out() -> Rig:
    return started(OUT, stopped(started(OUT, started(IN))), Mode.DETACHED)


def killed_while_its_leave_soaked() -> Rig:
    rig = started(IN)
    rig.tick(SOAKS)
    assert (rig.state.phase, rig.state.announced) == ("Leaving", 6)
    return started(OUT, rig)


def killed_in_its_second_service() -> Rig:
    """What an earlier leave proved says nothing of it."""
    rig = started(IN)
    rig.tick(OUT)
    rig.tick(IN)
    assert rig.state.withdrawn is not None
    return started(OUT, started(None, rig))


LIVES = (
    killed_twice,
    killed_before_it_saw_anything,
    restarted_before_it_saw_anything,
    stopped_while_it_served,
    stopped_while_it_was_out,
    killed_while_its_leave_soaked,
    killed_in_its_second_service,
)


@pytest.fixture(params=LIVES, ids=lambda life: str(life.__name__))
def rig(request: pytest.FixtureRequest) -> Rig:
    """A node that is out, and whose routes nobody withdrew."""
    made: Rig = request.param()
    return made


def told(state: NodeState) -> dict[str, int]:
    return {peer.name: peer.announced for peer in state.unwithdrawn}


def test_it_is_told_with_the_peers_that_had_the_routes(rig: Rig) -> None:
    for again in (rig, started(OUT, rig), started(OUT, started(OUT, rig), Mode.DETACHED)):
        assert (again.state.phase, again.state.withdrawn, again.state.peers) == ("Idle", None, ())
        assert UNPROVED in again.state.problems
        assert set(told(again.state)) == {A, B}
        assert all(peer.session.peer_gr for peer in again.state.holders)


def test_it_is_told_how_many_they_had() -> None:
    assert told(killed_twice().state) == told(stopped(started(IN)).state) == {A: 3, B: 3}


def test_a_node_that_is_back_in_service_has_peers_instead(rig: Rig) -> None:
    rig.tick(IN)
    assert UNPROVED not in rig.state.problems
    assert (told(rig.state), rig.state.established) == ({}, 2)
    rig.tick(OUT)
    assert (rig.state.phase, told(rig.state)) == ("Withdrawn", {})
    after = started(OUT, rig)
    assert (after.state.phase, told(after.state), after.state.problems) == ("Withdrawn", {}, ())


def test_a_start_is_told_as_one(rig: Rig) -> None:
    """Whether the node is out is not known yet, but if it was, it is told."""
    unready = started(None, rig)
    assert (unready.state.phase, set(told(unready.state))) == ("Starting", {A, B})
    assert UNPROVED in unready.state.problems


def test_a_speaker_that_serves_owes_nothing() -> None:
    assert told(started(IN).state) == {}
    assert UNPROVED not in started(None, started(IN)).state.problems


def test_a_stop_that_withdraws_from_some_owes_the_others() -> None:
    rig = started(IN)
    rig.engine.graceful = {A}
    rig.tick()
    stopped(rig)
    assert (rig.state.phase, rig.state.peers, told(rig.state)) == ("Stopped", (), {A: 3})
    assert told(started(None, rig).state) == {A: 3}


def test_a_peer_that_went_with_its_policy_was_left() -> None:
    rig = started(IN)
    rig.tick(world(WEB, policy=objects.policy(objects.router())))
    stopped(rig)
    assert told(rig.state) == {A: 3}


@pytest.mark.parametrize("problems", [(UNPROVED,), (UNPROVED, "another")])
def test_who_wrote_no_peers_down_is_believed(problems: Any) -> None:
    """A speaker of the version before, or one whose CRD is."""
    before = NodeState("worker-1", "Idle", problems=problems)
    for _ in range(2):
        rig = Rig(OUT, recall=lambda known=before: from_document(to_document(known)))
        rig.tick()
        before = rig.state
        assert (before.phase, before.problems) == ("Idle", (UNPROVED,))


def test_an_engine_that_outlived_its_manager_is_ended_in_silence_only_where_the_node_serves() -> None:
    """Or where nobody can tell."""
    undecided = replace(IN, node=None)
    asked = [started(seen).engine.started_to_leave for seen in (IN, undecided, OUT)]
    assert asked == [[False], [False], [True]]


ONE = objects.policy(objects.router())
ONLY_A, ONLY_A_OUT = world(WEB, policy=ONE), world(WEB, policy=ONE, labels=AWAY)


def killed_and_b_left_the_policy() -> Rig:
    return started(ONLY_A, started(IN))


def stopped_and_b_left_the_policy() -> Rig:
    return started(ONLY_A, stopped(started(IN)))


def b_never_came_up_again_and_was_removed_live() -> Rig:
    rig = started(IN, started(IN))
    rig.engine.established = {A}
    rig = started(None, rig)
    rig.engine.established = {A}
    rig.tick(IN)
    rig.tick(ONLY_A)
    return rig


def b_was_lost_and_removed_live() -> Rig:
    rig = started(IN)
    rig.engine.established = {A}
    rig.tick()
    rig.tick(ONLY_A)
    return rig


def b_did_not_read_its_withdraws() -> Rig:
    rig = started(IN)
    rig.engine.deaf = {B}
    rig.tick(ONLY_A)
    return rig


def a_came_back_after_nobody_had_withdrawn() -> Rig:
    return started(ONLY_A, killed_twice())


FORGOTTEN = (
    killed_and_b_left_the_policy,
    stopped_and_b_left_the_policy,
    b_never_came_up_again_and_was_removed_live,
    b_was_lost_and_removed_live,
    b_did_not_read_its_withdraws,
    a_came_back_after_nobody_had_withdrawn,
)


@pytest.mark.parametrize("life", FORGOTTEN)
def test_a_peer_that_left_the_policy_is_not_forgotten(life: Any) -> None:
    """Its router knows nothing of policies: it keeps what it has until its own timers end."""
    rig = life()
    assert (rig.state.phase, [peer.name for peer in rig.state.peers], told(rig.state)) == (
        "Running",
        [A],
        {B: 3},
    )
    assert [peer.name for peer in rig.state.holders] == [A, B]
    again = started(ONLY_A, rig)
    assert told(again.state) == {B: 3}
    again.tick(ONLY_A_OUT)
    assert (again.state.phase, told(again.state), again.state.problems) == ("Withdrawn", {B: 3}, ())
    assert [peer.name for peer in known_peers(again.state)] == [B, A]
    assert never_read(again.state) == {"127.0.0.101"}
    after = started(ONLY_A_OUT, again)
    assert (after.state.phase, told(after.state), after.state.problems) == ("Withdrawn", {B: 3}, ())


@pytest.mark.parametrize("life", FORGOTTEN)
def test_a_confirmation_needs_a_peer_that_left_the_policy(life: Any) -> None:
    seen = snapshot(state=life().state, journal=None)
    assert proof.peers(seen) == {"127.0.0.100", "127.0.0.101"}
    assert {one for one, _ in names(seen.state, None)} == {"127.0.0.100", "127.0.0.101"}


def test_a_peer_whose_session_is_up_again_is_not_owed() -> None:
    rig = killed_and_b_left_the_policy()
    rig.tick(IN)
    assert told(rig.state) == {}
    rig.tick(ONLY_A)
    assert told(rig.state) == {}, "left over a session: its withdraws were flushed"


def test_a_peer_that_never_had_a_session_has_nothing() -> None:
    rig = Rig(IN)
    rig.engine.established = {A}
    rig.tick()
    assert told(rig.state) == {}
    rig.tick(ONLY_A)
    assert told(rig.state) == {}


def lost(**session: Any) -> tuple[Held, PeerState]:
    """A peer whose session was up at 1000, and was seen to be down at 1015."""
    peer = node_states.peer(NOW)
    up = replace(peer, session=replace(peer.session, state=SessionState.ESTABLISHED, **session))
    held = Held()
    held.watch((up,), 1000.0)
    held.forget(9000.0)
    assert (bool(held), held.unwithdrawn) == (True, ())
    held.watch((), 1015.0)
    held.watch((), 1030.0)
    return held, up


@pytest.mark.parametrize(("long_lived", "worst"), [(None, 9 + 120), (3600, 9 + 120 + 3600)])
def test_it_is_owed_until_the_slowest_router_has_forgotten_it(long_lived: Any, worst: int) -> None:
    """Hold time, Restart Time and long-lived stale time, from when the session was seen to be down."""
    both = GracefulRestart(120, notification=True)
    held, peer = lost(hold_time=9, local_gr=both, peer_gr=both, long_lived=long_lived)
    held.forget(1015.0 + worst)
    assert held.unwithdrawn == (peer,)
    held.forget(1015.1 + worst)
    assert (bool(held), held.unwithdrawn) == (False, ())


def test_a_session_that_is_not_up_yet_says_nothing_of_what_the_last_one_left() -> None:
    held, peer = lost(hold_time=9)
    held.watch((replace(peer, announced=0, session=Session("p")),), 1040.0)
    assert held.unwithdrawn == (peer,)


def test_a_session_from_another_address_takes_nothing_away() -> None:
    """To the router that is another neighbor: of the one before it keeps the routes."""
    held, first = lost(hold_time=9, local_address=ip_address("10.0.0.11"))
    second = replace(first, session=replace(first.session, local_address=ip_address("10.0.0.12")))
    held.watch((second,), 1040.0)
    assert held.unwithdrawn == (first,)
    held.watch((), 1050.0)
    assert held.unwithdrawn == (first, second)
    held.watch((second,), 1060.0)
    held.left([second.name], {second.name: Departed(1061.0, 1061.0)})
    held.watch((), 1062.0)
    assert held.unwithdrawn == (first,), "its withdraws reach nobody else"
    held.watch((first,), 1070.0)
    assert held.unwithdrawn == ()


def test_where_a_session_came_from_that_an_older_speaker_told_of_is_where_the_next_one_does() -> None:
    held, peer = Held(), node_states.peer(NOW)
    held.remember((peer,), 1000.0)
    here = replace(peer, session=replace(peer.session, local_address=ip_address("10.0.0.11")))
    held.watch((here,), 1001.0)
    held.watch((), 1002.0)
    assert held.unwithdrawn == (here,)


def test_a_session_that_came_up_after_the_last_report_is_owed() -> None:
    rig = Rig(IN)
    rig.tick()
    rig.engine.established, rig.engine.graceful = {A, B}, {A, B}
    assert set(told(stopped(rig).state)) == {A, B}


def test_what_a_session_that_is_gone_had_is_counted_with_what_there_is() -> None:
    assert _routes(killed_and_b_left_the_policy().state) == 6
    assert _routes(started(IN, started(IN)).state) == 6


def test_a_session_that_came_up_just_before_its_peer_was_removed_is_owed() -> None:
    rig = Rig(IN)
    rig.tick()
    rig.engine.established, rig.engine.deaf = {A, B}, {B}
    rig.tick(ONLY_A)
    assert told(rig.state) == {B: 3}


def test_a_session_that_came_and_went_unseen_is_owed() -> None:
    """What it negotiated tells that it was there."""
    held, peer = Held(), node_states.peer(NOW, state=SessionState.IDLE, hold_time=9)
    held.watch((peer,), 1000.0)
    assert held.unwithdrawn == (peer,)


def test_what_was_negotiated_last_is_known_though_the_session_never_came_up_again() -> None:
    """The estimate needs it."""
    second = Rig(IN, recall=lambda: from_document(to_document(started(IN).state)))
    second.engine.established = second.engine.graceful = {A}
    second.tick()
    assert [peer.session.peer_gr is None for peer in second.state.peers] == [False, True]
    (owed,) = started(ONLY_A, second).state.unwithdrawn
    assert (owed.name, owed.session.peer_gr is None) == (B, False)


def test_an_engine_that_outlived_its_manager_tells_whom_it_left() -> None:
    leaves = replace(started(IN).state, phase="Leaving")
    rig = Rig(OUT, recall=lambda: from_document(to_document(leaves)))
    rig.engine.mode, rig.engine.departed = Mode.DETACHED, {A: Departed(1.0, 2.0), B: Departed(None, None)}
    rig.tick()
    assert (rig.state.phase, told(rig.state)) == ("Withdrawn", {B: 3})


def test_nothing_is_forgotten_by_the_clock_where_nothing_was_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    unproved, serves = killed_twice(), killed_and_b_left_the_policy()
    later = time.monotonic() + 3600.0
    monkeypatch.setattr(leaving, "time", SimpleNamespace(monotonic=lambda: later, time=time.time))
    unproved.tick()
    serves.tick()
    assert (set(told(unproved.state)), told(serves.state)) == ({A, B}, {})
