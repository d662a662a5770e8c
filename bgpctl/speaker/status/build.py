"""What the manager tells of a peer, of a leave and of itself: plain values from what was seen. Pure but for
the clock of a leave that nobody timed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bgpctl.core.intent.nexthops import not_negotiated
from bgpctl.core.model import Absent, Intent, Observed, Session
from bgpctl.core.state import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord, describe_peer
from bgpctl.ports import Departure


def record(
    reason: str,
    seen: float,
    before: list[PeerState],
    departed: Mapping[str, Departure],
    shut_down_at: float | None = None,
    answers: str = "",
    uid: str = "",
) -> WithdrawnRecord:
    """`sent_at` is when the last withdraw got out; when none did, when we gave up. The times are epoch
    seconds."""
    gone = [departed.get(peer.name) for peer in before]
    flushed = [d.flushed_at for d in gone if d and d.flushed_at]
    closed = max([d.closed_at for d in gone if d and d.closed_at] or [time.time()])
    peers = tuple(
        WithdrawnPeer(peer, peer.announced or 0, flushed=bool(d and d.flushed_at))
        for peer, d in zip(before, gone, strict=True)
    )
    return WithdrawnRecord(
        reason, seen, max(flushed, default=closed), closed, peers, shut_down_at, answers, uid
    )


def peer_state(name: str, observed: Observed, intent: Intent | None) -> PeerState:
    """One peer as it is published; without an intent, what is announced counts as intended. What the session
    cannot carry is neither: it is absent."""
    session = observed.sessions.get(name) or Session(name)
    has = observed.announced.get(name, {})
    table = intent.routes.get(name, {}) if intent else None
    unsent = {absent.prefix for absent in not_negotiated({name: table or {}}, observed.sessions)}
    announced = len(has) - len(unsent & has.keys())
    intended = announced if table is None else len(table) - len(unsent)
    return describe_peer(observed.peers[name], session, intended, announced)


def unsent_routes(intent: Intent, observed: Observed) -> tuple[Absent, ...]:
    """What the sessions that are up cannot carry."""
    return tuple(not_negotiated(intent.routes, observed.sessions))


def troubles_of(observed: Observed) -> tuple[str, ...]:
    """What is wrong with sessions that are up: of one that is down, its last error tells."""
    return tuple(
        f"router {observed.peers[name].address}: {trouble}"
        for name, session in sorted(observed.sessions.items())
        for trouble in (session.troubles if name in observed.peers else ())
    )


def sentence_of(state: NodeState) -> str:
    """The loop's one sentence."""
    return (
        f"{state.phase}: {state.announced}/{state.intended} routes announced, "
        f"{state.established}/{len(state.peers)} peers established"
    )
