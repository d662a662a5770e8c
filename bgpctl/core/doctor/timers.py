"""Rules about how soon a dead node is found out: hold time, keepalive, BFD."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.bgp.notification import HOLD_TIMER_EXPIRED
from bgpctl.core.doctor.facts import Facts, peer_of
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity, Unknown
from bgpctl.core.doctor.settings import change

SHORT_HOLD = 9
LONG_HOLD = 30
NOT_UP = "the timers of a session that is not up are not negotiated"


def keepalive_slow(facts: Facts) -> Iterator[Said]:
    """The keepalive time is more than a third of the hold time (RFC 4271 section 4.4).

    One lost keepalive, or one that is late, then ends the session.
    """
    for state, peer in facts.sessions:
        hold, keepalive = peer.configured_hold_time, peer.configured_keepalive_time
        if hold and keepalive > hold // 3:
            why = f"its keepalive time is {keepalive} s, its hold time {hold} s: one late keepalive ends it"
            fix = change(facts, state, peer, "keepalive", str(hold // 3))
            yield Finding(peer_of(state, peer), why, fix, state.node)


def hold_time_off(facts: Facts) -> Iterator[Said]:
    """A hold time of 0 was negotiated: neither side ever finds out that the other is dead.

    The routes of a node that lost power then stay for ever.
    """
    for state, peer in facts.established:
        if peer.session.hold_time is None:
            yield Unknown(NOT_UP, state.node)
        elif peer.session.hold_time == 0:
            fix = "set a hold time for this neighbor at the router (9 s)"
            yield Finding(
                peer_of(state, peer), "its hold time is 0: a dead node is never found out", fix, state.node
            )


def hold_time_lowered(facts: Facts) -> Iterator[Said]:
    """The router asks for a shorter hold time than the policy (RFC 4271 section 4.2: the smaller counts).

    What the policy says is not what happens: an estimate made from it would be wrong, and the keepalive time
    may be too long for what was negotiated.
    """
    for state, peer in facts.established:
        agreed = peer.session.hold_time
        if agreed is None:
            yield Unknown(NOT_UP, state.node)
        elif 0 < agreed < peer.configured_hold_time:
            why = f"its router wants a hold time of {agreed} s, the policy says {peer.configured_hold_time} s"
            yield Finding(
                peer_of(state, peer), why, change(facts, state, peer, "hold", str(agreed)), state.node
            )


def hold_time_too_short(facts: Facts) -> Iterator[Said]:
    """A session with a hold time of 9 s or less went down by it.

    A busy node could not send a keepalive in time, or the link loses packets; the node itself was alive. BFD
    finds a dead node sooner and lets the hold time be longer.
    """
    for state, peer in facts.sessions:
        error = peer.session.last_error
        hold = peer.session.hold_time or peer.configured_hold_time
        if (
            error is not None
            and error.code == HOLD_TIMER_EXPIRED
            and hold <= SHORT_HOLD
            and peer.session.flaps
        ):
            why = f"its hold time of {hold} s ran out, and it came back"
            yield Finding(peer_of(state, peer), why, change(facts, state, peer, "hold", "30"), state.node)


def hold_time_long(facts: Facts) -> Iterator[Said]:
    """A dead node is found out by the hold timer only, and that is more than 30 s.

    The router has no BFD for this neighbor: for the whole of the hold time it sends its share of the traffic
    into nothing when the node loses power. The guide's mitigation is 9 s with a keepalive every 3 s, or BFD
    beside it.
    """
    for met in facts.routers or ():
        hold = met.peer.session.hold_time
        if not met.side.bfd_told or hold is None:
            yield Unknown("whether a router has BFD for a neighbor is not told", met.node)
        elif met.side.bfd is None and hold > LONG_HOLD:
            why = f"no BFD at its router, a hold time of {hold} s: so long it sends to a node without power"
            fix = change(facts, met.state, met.peer, "hold", "9")
            yield Finding(f"{met.node} peer {met.peer.address}", why, fix, met.node)


def bfd_not_up(facts: Facts) -> Iterator[Said]:
    """The router has BFD configured for a neighbor, and it is not up.

    Nobody answers on the node: what was meant to find out in a second that it is dead does not run, and
    nothing else says so (the BGP session is up).
    """
    for met in facts.routers or ():
        if not met.side.bfd_told:
            yield Unknown("whether a router has BFD for a neighbor is not told", met.node)
        elif met.side.bfd and not met.side.bfd.up:
            fix = "run BFD on the node, or take it away from this neighbor at the router"
            why = "its router has BFD for this neighbor, and it is not up"
            yield Finding(f"{met.node} peer {met.peer.address}", why, fix, met.node)


def bfd_slower_than_hold(facts: Facts) -> Iterator[Said]:
    """BFD takes as long as the hold time, or longer.

    The hold timer decides first, and BFD adds nothing but its own flaps.
    """
    for met in facts.routers or ():
        hold = met.peer.session.hold_time
        if not met.side.bfd_told or hold is None:
            yield Unknown("whether a router has BFD for a neighbor is not told", met.node)
        elif met.side.bfd and met.side.bfd.detect is not None and met.side.bfd.detect >= hold > 0:
            why = f"BFD detects in {met.side.bfd.detect:g} s, the hold time is {hold} s: BFD adds nothing"
            fix = "at the router, in the BFD profile: 300 ms, multiplier 3"
            yield Finding(f"{met.node} peer {met.peer.address}", why, fix, met.node)


def bfd_against_restart(facts: Facts) -> Iterator[Said]:
    """BFD is up for a session with graceful restart.

    Where BFD runs in the same pod as the speaker (frr-k8s, MetalLB's FRR mode), a restart of that pod ends
    BFD too, and the router drops the routes that graceful restart should have kept (facts: bgp.md 3.5). Run
    BFD in a process that outlives the speaker.
    """
    for met in facts.routers or ():
        if not met.side.bfd_told:
            yield Unknown("whether a router has BFD for a neighbor is not told", met.node)
        elif met.side.bfd and met.side.bfd.up and met.peer.configured_restart_time is not None:
            why = "BFD and graceful restart together: if BFD ends with the speaker, so do its routes"
            fix = "run BFD in a process that outlives the speaker, or set graceful restart off"
            yield Finding(f"{met.node} peer {met.peer.address}", why, fix, met.node)


RULES = (
    Rule("keepalive-slow", Severity.WARNING, keepalive_slow, ("states",)),
    Rule("hold-time-off", Severity.ERROR, hold_time_off, ("states",)),
    Rule("hold-time-lowered", Severity.NOTE, hold_time_lowered, ("states",)),
    Rule("hold-time-too-short", Severity.WARNING, hold_time_too_short, ("states",)),
    Rule("hold-time-long", Severity.NOTE, hold_time_long, ("routers",)),
    Rule("bfd-not-up", Severity.WARNING, bfd_not_up, ("routers",)),
    Rule("bfd-slower-than-hold", Severity.WARNING, bfd_slower_than_hold, ("routers",)),
    Rule("bfd-against-restart", Severity.NOTE, bfd_against_restart, ("routers",)),
)
