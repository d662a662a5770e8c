"""What of a published state may lag behind: how many routes a node has that serves. Pure.

Every speaker counts its routes, so one Service whose endpoints come and go changes the state of every node,
and each change would be a write: of 5,000 nodes 5,000 a second. Nobody decides by whether it is 99 routes or
100. What is decided by waits for nothing: a phase, a session, the End-of-RIB, a record, a sentence; whether
there is any route at all; and that all routes are out where they were not.
"""

from __future__ import annotations

from dataclasses import replace

from bgpctl.core.state import NodeState, PeerState

LAG_SECONDS = (10.0, 30.0)
"""A count of a serving node is written so long after it changed: each node somewhere in between, so that a
fleet does not write in step."""
FRESH_SECONDS = 30.0
"""After a phase or a session changed, counts wait for nothing: a restore watches them."""
PROMPT_SECONDS = 3.0
"""Of a word that is younger, the counts do not lag: the longest pause between two writes of what is news, a
second for the API server's instants, which have no fraction, and one for the way."""


def may_lag(offered: NodeState, written: NodeState) -> bool:
    """Is there nothing new in `offered` but how many routes there are?"""
    return _uncounted(offered) == _uncounted(written) and not _caught_up(offered, written)


def turned(state: NodeState) -> tuple[object, ...]:
    """What a drain or a restore brings about: after it changed, the counts are news."""
    sessions = tuple((peer.name, peer.session.state, peer.session.established_at) for peer in state.peers)
    return state.phase, state.observed_leave, sessions


def _uncounted(state: NodeState) -> NodeState:
    peers = tuple(map(_uncounted_peer, state.peers))
    some = _some(state.intended), _some(state.announced)
    return replace(
        state, heartbeat=0.0, sequence=0, intended=some[0], announced=some[1], absent=None, peers=peers
    )


def _uncounted_peer(peer: PeerState) -> PeerState:
    session = replace(peer.session, advertised={}, received={}, pending=0)
    return replace(peer, session=session, intended=_some(peer.intended), announced=_some(peer.announced))


def _some(count: int | None) -> int | None:
    """None and zero say something that no number of routes says."""
    return count and 1


def _caught_up(offered: NodeState, written: NodeState) -> bool:
    """Are all routes of a peer out that were not? The peers are the same in both."""
    return any(_late(was) and not _late(now) for was, now in zip(written.peers, offered.peers, strict=True))


def _late(peer: PeerState) -> bool:
    short = peer.announced is not None and peer.intended is not None and peer.announced < peer.intended
    return short or peer.session.pending > 0
