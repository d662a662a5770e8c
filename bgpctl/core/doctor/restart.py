"""Rules about graceful restart (RFC 4724, 8538, 9494)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from bgpctl.core.doctor.facts import Facts, Took, peer_of
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity, Unknown
from bgpctl.core.doctor.settings import change
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.facts import facts_from_state
from bgpctl.core.timing.nbit import advice
from bgpctl.core.timing.profiles import find_profile

LONG_RESTART = 300
LONG_LIVED = 3600
UNTOLD = "what was negotiated of graceful restart is not told"
RECONNECT = (
    5.0  # seconds that a router may take to let the node in again, on top of the speaker's own restart
)


def _told(facts: Facts) -> Iterator[tuple[NodeState, PeerState] | Unknown]:
    """The sessions that are up and whose negotiation is known."""
    for state, peer in facts.established:
        yield (state, peer) if peer.session.gr_told else Unknown(UNTOLD, state.node)


def graceful_restart_one_sided(facts: Facts) -> Iterator[Said]:
    """The node offers graceful restart and its router does not.

    A restart of the speaker then takes all routes of the node away until it is back, although the policy says
    otherwise.
    """
    for found in _told(facts):
        if isinstance(found, Unknown):
            yield found
            continue
        state, peer = found
        if peer.session.local_gr and not peer.session.peer_gr:
            fix = "enable graceful restart (helper mode) for this neighbor at the router"
            yield Finding(
                peer_of(state, peer), "graceful restart is on here and off at its router", fix, state.node
            )


def graceful_restart_unused(facts: Facts) -> Iterator[Said]:
    """The router offers graceful restart and the node does not.

    Every restart of the speaker (an upgrade, an out-of-memory kill) takes the node's routes away until it is
    back. That is a choice: with graceful restart a dead node is found out later.
    """
    for found in _told(facts):
        if isinstance(found, Unknown):
            yield found
            continue
        state, peer = found
        if peer.session.peer_gr and not peer.session.local_gr and peer.configured_restart_time is None:
            why = (
                "its router offers graceful restart, the node does not: a restart of the speaker is an outage"
            )
            yield Finding(
                peer_of(state, peer), why, change(facts, state, peer, "graceful", "true"), state.node
            )


def graceful_restart_families(facts: Facts) -> Iterator[Said]:
    """A family of a session is not in the node's graceful restart capability (RFC 4724 section 3).

    Its routes are dropped at once when the speaker restarts, those of the other family are kept.
    """
    for found in _told(facts):
        if isinstance(found, Unknown):
            yield found
            continue
        state, peer = found
        offered = peer.session.local_gr
        kept = dict(offered.families) if offered else {}
        for family in peer.session.families if kept else ():
            if family not in kept:
                why = f"{family} is not in its graceful restart capability"
                fix = f"bgpctl speaker restart {state.node}"
                yield Finding(peer_of(state, peer), why, fix, state.node)


def restart_time_short(facts: Facts) -> Iterator[Said]:
    """The Restart Time is shorter than a restart of the speaker took on this node, with 5 s for its router to
    let it in again.

    The router drops the routes before the speaker is back: graceful restart then only postpones the outage.
    How long a restart took is read from the container's status.
    """
    yield from _too_short(facts, facts.restarts or (), RECONNECT, "restart of")


def restart_time_below_pull(facts: Facts) -> Iterator[Said]:
    """The Restart Time is shorter than the pull of the speaker's image took on a node.

    An upgrade that pulls the image after the old pod is gone takes longer than the router waits. Pull it
    beforehand, or give the Restart Time room. How long it took stands in the pod's events.
    """
    yield from _too_short(facts, facts.pulls or (), 0.0, "pull of")


def _too_short(facts: Facts, measured: Iterable[Took], extra: float, word: str) -> Iterator[Said]:
    slowest: dict[str, Took] = {}
    for took in measured:
        known = slowest.get(took.node)
        slowest[took.node] = took if known is None or took.seconds > known.seconds else known
    for state, peer in facts.sessions:
        configured, slow = peer.configured_restart_time, slowest.get(state.node)
        if configured is None or slow is None or slow.seconds + extra <= configured:
            continue
        why = f"its Restart Time is {configured} s, and the {word} {slow.what} took {ceil(slow.seconds)} s"
        value = str(min(4095, 2 * ceil(slow.seconds + extra)))
        yield Finding(peer_of(state, peer), why, change(facts, state, peer, "restart", value), state.node)


def restart_time_long(facts: Facts) -> Iterator[Said]:
    """The Restart Time is more than five minutes.

    For so long a router goes on sending its share of the traffic to a node whose speaker died and did not
    come back. It should be what a restart takes, and some room: 30 to 120 s.
    """
    for state, peer in facts.sessions:
        configured = peer.configured_restart_time
        if configured is not None and configured > LONG_RESTART:
            why = f"its Restart Time is {configured} s: for so long a router sends traffic to a dead node"
            fix = change(facts, state, peer, "restart", "120")
            yield Finding(peer_of(state, peer), why, fix, state.node)


def notification_bit(facts: Facts) -> Iterator[Said]:
    """Both sides send the N bit (RFC 8538), and it makes a dead node cost more.

    The router then keeps the routes over the hold timer as well: for hold time and Restart Time together. It
    pays where sessions of nodes that forward on are ended by NOTIFICATIONs or by the hold timer; where there
    is no such reason, do without it.
    """
    for met in facts.routers or ():
        known = facts_from_state(met.peer)
        if known.peer_n is None:
            yield Unknown(UNTOLD, met.node)
        elif known.local_n and (said := advice(known, find_profile(met.side.kind))):
            fix = 'remove the annotation bgpctl.io/graceful-notification: "true" from the policy or Node'
            yield Finding(
                f"{met.node} peer {met.peer.address}", f"the N bit is on at both ends. {said}", fix, met.node
            )


def long_lived_stale(facts: Facts) -> Iterator[Said]:
    """Long-lived graceful restart (RFC 9494) was negotiated for an hour or more.

    A router keeps the routes of a node that is gone for so long; the defaults of some are days. They are its
    last choice then, which does not help an address that only this node announces. A drain withdraws first
    and is not concerned; a node that dies is.
    """
    for found in _told(facts):
        if isinstance(found, Unknown):
            yield found
            continue
        state, peer = found
        lasts = peer.session.long_lived
        if lasts is not None and lasts >= LONG_LIVED:
            why = f"its router keeps a dead node's routes for {_span(lasts)} (long-lived stale time)"
            fix = "set the long-lived stale time of this neighbor to 0 at the router"
            yield Finding(peer_of(state, peer), why, fix, state.node)


def _span(seconds: int) -> str:
    return f"{seconds / 86400:.1f} days" if seconds >= 86400 else f"{seconds / 3600:.1f} hours"


def stale_cap_short(facts: Facts) -> Iterator[Said]:
    """A router's own limit for stale routes is shorter than the node's Restart Time.

    The shorter of the two counts: a restart that takes longer than the router's limit is an outage, though
    the node's Restart Time says otherwise (FRR: `bgp graceful-restart stalepath-time`).
    """
    for met in facts.routers or ():
        configured, cap = met.peer.configured_restart_time, met.side.stale_cap
        if configured is None:
            continue
        if cap is None:
            yield Unknown("a router does not tell its stale path time", met.node)
        elif cap < configured:
            why = f"its router keeps stale routes for {cap:g} s, the Restart Time is {configured} s"
            fix = f"at the router: bgp graceful-restart stalepath-time {configured + 10}"
            yield Finding(f"{met.node} peer {met.peer.address}", why, fix, met.node)


def router_helps_nobody(facts: Facts) -> Iterator[Said]:
    """A router has graceful restart switched off for a neighbor that is configured to have it.

    As graceful-restart-one-sided, by the word of the router: also while the session is down, and for stacks
    that do not tell what they negotiated.
    """
    for met in facts.routers or ():
        if met.peer.configured_restart_time is None:
            continue
        if met.side.graceful is None:
            yield Unknown("a router does not tell whether it helps with graceful restart", met.node)
        elif not met.side.graceful:
            fix = "enable graceful restart (helper mode) for this neighbor at the router"
            why = "its router has graceful restart off for this neighbor, and the node has it on"
            yield Finding(f"{met.node} peer {met.peer.address}", why, fix, met.node)


RULES = (
    Rule("graceful-restart-one-sided", Severity.WARNING, graceful_restart_one_sided, ("states",)),
    Rule("graceful-restart-unused", Severity.NOTE, graceful_restart_unused, ("states",)),
    Rule("graceful-restart-families", Severity.WARNING, graceful_restart_families, ("states",)),
    Rule("graceful-restart-router-off", Severity.WARNING, router_helps_nobody, ("routers",)),
    Rule("restart-time-short", Severity.WARNING, restart_time_short, ("states", "restarts")),
    Rule("restart-time-below-pull", Severity.WARNING, restart_time_below_pull, ("states", "pulls")),
    Rule("restart-time-long", Severity.WARNING, restart_time_long, ("states",)),
    Rule("stale-cap-short", Severity.WARNING, stale_cap_short, ("routers",)),
    Rule("notification-bit", Severity.NOTE, notification_bit, ("routers",)),
    Rule("long-lived-stale", Severity.WARNING, long_lived_stale, ("states",)),
)
