"""Rules about sessions and what they carry."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.doctor.facts import Facts, peer_of
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity, Unknown
from bgpctl.core.intent.services import FAMILY_NOT_NEGOTIATED, NEXT_HOP_NOT_NEGOTIATED
from bgpctl.core.model import Family, SessionState
from bgpctl.core.state import PeerState

FLAPS = 3
HOUR = 3600.0
NOT_TOLD = "whether sessions are up is not told"


def session_down(facts: Facts) -> Iterator[Said]:
    """A session that should be up is not.

    Nothing of the node reaches this router, or only what the router keeps of an earlier session. The last
    error stands in the finding where the speaker tells it. A node that leaves has no sessions, and no
    finding.
    """
    for state, peer in facts.sessions:
        session = peer.session
        if not state.in_service or session.established:
            continue
        if session.state is SessionState.UNKNOWN:
            yield Unknown(NOT_TOLD, state.node)
            continue
        why = f"its session is {session.state}{_error(peer)}"
        yield Finding(peer_of(state, peer), why, f"bgpctl peers status {state.node} -o wide", state.node)


def _error(peer: PeerState) -> str:
    error = peer.session.last_error
    return f"; last error: {error.text} ({error.direction})" if error else ""


def session_flaps(facts: Facts) -> Iterator[Said]:
    """A session went down three times or more, and at least once an hour, since its speaker started.

    Every flap rehashes the flows of all nodes behind the router twice, and may cost the node its routes. The
    usual causes: a hold time that a busy node cannot keep, a link that loses packets, two speakers of one
    node, a maximum of prefixes at the router.
    """
    for state, peer in facts.sessions:
        flaps, up = peer.session.flaps, facts.now - state.by_server(state.started_at)
        if flaps < FLAPS or not state.started_at:
            continue
        if flaps * HOUR / max(up, 1.0) >= 1.0:
            why = f"its session keeps going down{_error(peer)}"
            yield Finding(peer_of(state, peer), why, f"bgpctl logs {state.node}", state.node)


def session_trouble(facts: Facts) -> Iterator[Said]:
    """A session is up, and its speaker says what is wrong with it all the same.

    For example a router that does not read what it is sent: then a withdrawal would not arrive either.
    """
    for state, peer in facts.established:
        for trouble in peer.session.troubles:
            fix = f"bgpctl peers status {state.node} -o wide"
            yield Finding(peer_of(state, peer), f"its router: {trouble}", fix, state.node)


def routes_pending(facts: Facts) -> Iterator[Said]:
    """Routes are not on the socket although the session is up for a minute.

    The router reads slowly or not at all. A drain waits for this queue.
    """
    for state, peer in facts.sessions:
        if facts.settled(state, peer) and peer.session.pending:
            fix = f"bgpctl peers status {state.node} -o wide"
            yield Finding(peer_of(state, peer), "routes wait for the router to read them", fix, state.node)


def routes_not_announced(facts: Facts) -> Iterator[Said]:
    """A peer got fewer routes than its node intends to announce, on a session that is up for a minute.

    The difference is missing at the router.
    """
    for state, peer in facts.established:
        if peer.intended is None or peer.announced is None:
            yield Unknown("how many routes are announced is not told", state.node)
        elif facts.settled(state, peer) and peer.announced < peer.intended:
            fix = f"bgpctl routes {state.node} --absent"
            yield Finding(
                peer_of(state, peer), "it announces fewer routes than it intends to", fix, state.node
            )


def nothing_to_announce(facts: Facts) -> Iterator[Said]:
    """A session is up and there is nothing to announce on it.

    A policy that selects the node and no advertisement that matches anything; or a node without PodCIDR.
    Nobody is harmed, and somebody expected something else.
    """
    for state, peer in facts.sessions:
        if state.in_service and facts.settled(state, peer) and peer.intended == 0:
            fix = f"bgpctl routes {state.node} --absent"
            yield Finding(peer_of(state, peer), "there is nothing to announce to it", fix, state.node)


def end_of_rib_missing(facts: Facts) -> Iterator[Said]:
    """The End-of-RIB was not sent a minute after a session with graceful restart came up (RFC 4724 section
    2).

    Until it comes, a router keeps whatever the node announced before as stale routes: FRR for its stale path
    time, BIRD and GoBGP without any limit (facts: bgp.md 2.1).
    """
    for state, peer in facts.established:
        session = peer.session
        if not session.gr_told or session.end_of_rib is None:
            yield Unknown("whether the End-of-RIB was sent is not told", state.node)
        elif facts.settled(state, peer) and session.local_gr and not session.end_of_rib:
            fix = f"bgpctl logs {state.node}"
            yield Finding(peer_of(state, peer), "its End-of-RIB was not sent", fix, state.node)


def families_differ(facts: Facts) -> Iterator[Said]:
    """A family that has something to advertise was not negotiated: the router has not configured it.

    Its routes go nowhere, although the session is up.
    """
    for state, peer in facts.established:
        wanted = _advertised(facts, state.node, peer.name)
        if wanted is None or not peer.session.families:
            yield Unknown("which families a session has is not told", state.node)
            continue
        for family in sorted(wanted - set(peer.session.families)):
            why = f"{family} is configured here and not at its router"
            fix = f"activate {family} for this neighbor at the router, or take it out of the peer's families"
            yield Finding(peer_of(state, peer), why, fix, state.node)


def _advertised(facts: Facts, node: str, peer: str) -> set[Family] | None:
    """The families of the peer that advertise something; None = not known."""
    intent = (facts.intents or {}).get(node)
    if intent is None or intent.config is None:
        return None
    peers = (one for instance in intent.config.instances for one in instance.peers)
    found = next((one for one in peers if one.name == peer), None)
    return None if found is None else {f.family for f in found.families if f.advertisements}


def routes_not_carried(facts: Facts) -> Iterator[Said]:
    """Routes are held back because their session cannot carry them.

    Their family was not negotiated, or they would need an IPv6 next hop for IPv4 routes (RFC 8950) that the
    router did not agree to.
    """
    for state in facts.live:
        if state.absent is None and not state.uid:  # our speaker leaves out what is empty
            yield Unknown("why routes are absent is not told", state.node)
            continue
        for reason in (FAMILY_NOT_NEGOTIATED, NEXT_HOP_NOT_NEGOTIATED):
            if (state.absent or {}).get(reason):
                why = f"routes are held back: {reason}"
                yield Finding(state.node, why, f"bgpctl routes {state.node} --absent", state.node)


RULES = (
    Rule("session-down", Severity.ERROR, session_down, ("states",)),
    Rule("session-flaps", Severity.WARNING, session_flaps, ("states",)),
    Rule("session-trouble", Severity.WARNING, session_trouble, ("states",)),
    Rule("routes-pending", Severity.WARNING, routes_pending, ("states",)),
    Rule("routes-not-announced", Severity.WARNING, routes_not_announced, ("states",)),
    Rule("routes-not-carried", Severity.WARNING, routes_not_carried, ("states",)),
    Rule("nothing-to-announce", Severity.NOTE, nothing_to_announce, ("states",)),
    Rule("end-of-rib-missing", Severity.WARNING, end_of_rib_missing, ("states",)),
    Rule("families-differ", Severity.WARNING, families_differ, ("states", "intents")),
)
