"""A router that never read the withdraws is waited for as if its session had just ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.core.drain.lever import Lever
from bgpctl.core.model import Session, SessionState
from bgpctl.core.state import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.timing.facts import PeerFacts, facts_from_state
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER
from bgpctl.core.timing.withdrawal import Close, Event
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.observe import ENDED, Observer, known_peers, leaving, never_read, with_vanished
from tests.support.snapshots import journal

UP = Session("p", SessionState.ESTABLISHED)
PEER = PeerState("p", "192.0.2.1", 179, 65000, 65001, UP)
DOWN = replace(PEER, session=Session("p", SessionState.CONNECT))


def after(*peers: WithdrawnPeer) -> NodeState:
    return NodeState("n", "Withdrawn", withdrawn=WithdrawnRecord("drain", 1.0, 2.0, 2.0, peers))


@pytest.mark.parametrize(
    ("state", "deaf"),
    [
        pytest.param(None, set(), id="no speaker ever reported"),
        pytest.param(NodeState("n"), set(), id="nothing withdrawn yet"),
        pytest.param(after(WithdrawnPeer(PEER, 3, flushed=True)), set(), id="it read them"),
        pytest.param(after(WithdrawnPeer(PEER, 3, flushed=False)), {"192.0.2.1"}, id="it stopped reading"),
        pytest.param(
            after(WithdrawnPeer(DOWN, 3, flushed=False)),
            {"192.0.2.1"},
            id="there was no session to read from",
        ),
        pytest.param(
            NodeState("n", "Idle", unwithdrawn=(PEER,)),
            {"192.0.2.1"},
            id="its speaker died",
        ),
    ],
)
def test_who_never_read_the_withdraws(state: NodeState | None, deaf: set[str]) -> None:
    assert never_read(state) == deaf
    assert leaving("192.0.2.1", never_read(state)) == (ENDED if deaf else (Event.DESELECT,))


OF_DRAIN = journal(peers=("192.0.2.1", "192.0.2.9:1790", "192.0.2.7"))
OTHER_STACK = NodeState("n", phase="", peers=(PEER,))


@pytest.mark.parametrize(
    ("state", "record"),
    [
        pytest.param(None, OF_DRAIN, id="nobody reports"),
        pytest.param(replace(OTHER_STACK, phase="Running"), OF_DRAIN, id="our speaker remembers them itself"),
        pytest.param(OTHER_STACK, None, id="no run"),
        pytest.param(OTHER_STACK, replace(OF_DRAIN, command="restore"), id="they are to come back"),
        pytest.param(OTHER_STACK, replace(OF_DRAIN, command=""), id="whatever it is"),
        pytest.param(OTHER_STACK, replace(OF_DRAIN, peers=("192.0.2.1",)), id="none has gone"),
        pytest.param(
            replace(OTHER_STACK, peers=()), OF_DRAIN, id="no peer shows what they would have offered"
        ),
    ],
)
def test_where_no_peer_vanished_nothing_is_added(state: NodeState | None, record: Journal | None) -> None:
    assert with_vanished(state, record) is state


def test_a_peer_that_vanished_may_have_kept_what_the_one_that_offers_most_would() -> None:
    """By the longest restart time, and of equal ones by the longest hold time."""
    short, long, longer = (
        replace(PEER, name=name, address=address, configured_restart_time=restart, configured_hold_time=hold)
        for name, address, restart, hold in (
            ("a", "192.0.2.1", None, 900),
            ("b", "192.0.2.2", 120, 9),
            ("c", "192.0.2.3", 120, 90),
        )
    )
    state = NodeState("n", phase="", peers=(short, longer, long), unwithdrawn=(short,))
    found = with_vanished(state, OF_DRAIN)
    assert found is not None and found.unwithdrawn[0] == short
    assert [(p.name, p.address, p.port) for p in found.unwithdrawn[1:]] == [
        ("192.0.2.9:1790", "192.0.2.9", 1790),
        ("192.0.2.7", "192.0.2.7", 179),
    ]
    for one in found.unwithdrawn[1:]:
        assert (one.configured_restart_time, one.configured_hold_time) == (120, 90)
        assert one.session == Session(one.name, SessionState.UNKNOWN, gr_told=False, end_of_rib=None)


FACT = facts_from_state(PEER)


class Known:
    """A provider that knows a peer by the node's configuration."""

    def facts(self, document: object) -> tuple[PeerFacts, ...]:
        return (FACT,)


@pytest.mark.parametrize(
    ("state", "left", "dead"),
    [
        pytest.param(None, 0, 1, id="nobody tells: what it is configured to have may be dead"),
        pytest.param(NodeState("n", "Running"), 0, 1, id="our speaker tells, and has no peer"),
        pytest.param(NodeState("n", ""), 1, 1, id="who tells of sessions only forgets a peer with it"),
        pytest.param(NodeState("n", "Running", peers=(PEER,)), 1, 1, id="a peer"),
        pytest.param(NodeState("n", "", peers=(PEER, replace(PEER, address="192.0.2.2"))), 2, 2, id="two"),
    ],
)
def test_of_whom_a_leave_and_a_death_are_timed(state: NodeState | None, left: int, dead: int) -> None:
    eyes = Observer(
        *(None, Known(), None, None),  # type: ignore[arg-type]
        profile_of=lambda address: UNKNOWN_ROUTER,
        deselect_override=None,
        lifted=frozenset(),
        max_unavailable=1,
    )
    found = eyes._estimates(state, Lever(), None, {"metadata": {}})
    assert {name: len(one) for name, one in found.items()} == {"estimates": left, "dead_estimates": dead}


@pytest.mark.parametrize(
    ("state", "policies", "known"),
    [
        (NodeState("n", "Running", peers=(PEER,)), ("rack",), True),
        (NodeState("n", "Starting", peers=(PEER,)), ("rack",), True),
        (NodeState("n", "Starting"), ("rack",), True),
        (NodeState("n", "Idle", peers=(PEER,)), ("rack",), False),
        (NodeState("n", "", peers=(PEER,)), ("rack",), False),
        (NodeState("n", "Running"), ("rack",), False),
        (NodeState("n", "Running", peers=(PEER,)), (), False),
        (None, ("rack",), False),
    ],
)
def test_of_whom_a_policy_tells_before_its_speaker_does(
    state: NodeState | None, policies: tuple[str, ...], known: bool
) -> None:
    eyes = Observer(*(None, Known(), None, None), lambda address: UNKNOWN_ROUTER, None, frozenset(), 1)  # type: ignore[arg-type]
    assert eyes._configured(state, Lever(policies), {}) == ((("192.0.2.1", 179),) if known else ())


def test_how_a_stack_ends_its_sessions_counts_for_a_leave() -> None:
    """A Cease without the N bit flushes; a connection that just ends is kept for the restart time."""
    graceful = replace(PEER, configured_restart_time=120)
    eyes = Observer(*(None, Known(), None, None), lambda address: UNKNOWN_ROUTER, None, frozenset(), 1)  # type: ignore[arg-type]
    state = NodeState("n", "", peers=(graceful,))
    worst = {
        close: eyes._estimates(state, Lever(close=close), None, {"metadata": {}})["estimates"][0].worst
        for close in (Close.WITHDRAW_FIRST, Close.SILENT)
    }
    assert worst[Close.WITHDRAW_FIRST] < worst[Close.SILENT]


def test_a_peer_that_has_come_back_is_judged_by_what_it_has_now() -> None:
    """What it had when the node left is of a session before."""
    record = WithdrawnRecord("drain", 1.0, 2.0, 2.0, (WithdrawnPeer(DOWN, 3),))
    assert known_peers(NodeState("n", "Running", peers=(PEER,), withdrawn=record)) == (PEER,)
    assert known_peers(NodeState("n", "Withdrawn", withdrawn=record)) == (DOWN,)
