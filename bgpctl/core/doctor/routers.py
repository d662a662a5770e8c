"""Rules about the other end: what the routers that can be asked have configured, and what they have of us."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.doctor.facts import Channel, Facts, Met
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity, Unknown
from bgpctl.core.doctor.settings import change
from bgpctl.core.model import Peer
from bgpctl.core.policy.nodeconfig import PeerConfig

NEAR = 0.8
UNTOLD_FILTER = "a router does not tell what its filters let through"


def _object(met: Met) -> str:
    return f"{met.node} peer {met.peer.address}"


def _channels(facts: Facts) -> Iterator[tuple[Met, Channel]]:
    for met in facts.routers or ():
        for channel in met.side.channels:
            yield met, channel


def unreachable(facts: Facts) -> Iterator[Said]:
    """A router that was named with --router-probe could not be asked.

    A drain can then not be confirmed. The probe has to be given on the machine where the router's socket is.
    """
    for router, why in facts.probes_failed.items():
        yield Finding(
            router, f"it could not be asked: {why}", "correct --router-probe, or run this where it is"
        )


def stranger(facts: Facts) -> Iterator[Said]:
    """A router that was asked has no neighbor among the nodes.

    It is another router than was meant, or its neighbors have addresses that no node has.
    """
    for router in facts.strangers:
        fix = "correct --router-probe (KIND=TARGET@PEER says which peer of the nodes it is)"
        yield Finding(router, "none of its neighbors is a node of this cluster", fix)


def sides_disagree(facts: Facts) -> Iterator[Said]:
    """A node says that its session is up for a minute, and the router says that it is not.

    One of them has not noticed yet, or they speak of two sessions: somebody else uses the node's address, or
    the probe leads to another router. The other way round it is session-down.
    """
    for met in facts.routers or ():
        if not met.side.session:
            yield Unknown("a router does not tell the state of a session", met.node)
        elif facts.settled(met.state, met.peer) and not met.side.up:
            why = f"the node has the session up, its router has it {met.side.session}"
            yield Finding(_object(met), why, f"bgpctl peers status {met.node} -o wide", met.node)


def asn_differs(facts: Facts) -> Iterator[Said]:
    """The AS numbers of the two ends do not fit (RFC 4271 section 6.2: Bad Peer AS, 2/2).

    The session never comes up.
    """
    for met in facts.routers or ():
        side, peer = met.side, met.peer
        if side.asn is None and side.local_asn is None:
            yield Unknown("a router does not tell its AS numbers", met.node)
        elif peer.local_asn and side.asn and side.asn != peer.local_asn:
            why = f"its router expects AS {side.asn}, the node is in AS {peer.local_asn}"
            yield Finding(_object(met), why, f"set remote-as {peer.local_asn} at the router", met.node)
        elif peer.asn and side.local_asn and side.local_asn != peer.asn:
            why = f"its router is in AS {side.local_asn}, the policy expects AS {peer.asn}"
            yield Finding(_object(met), why, f"set peerASN: {side.local_asn} in the policy", met.node)


def password_one_sided(facts: Facts) -> Iterator[Said]:
    """A TCP-MD5 password (RFC 2385) is set at one end only.

    The other end's kernel drops every segment: the session stays in Connect or Active, and neither log says
    why.
    """
    for met in facts.routers or ():
        configured = _configured(facts, met)
        if met.side.password is None or configured is None:
            yield Unknown("a router does not tell whether it has a password for a neighbor", met.node)
            continue
        ours = configured.secret is not None
        if ours == met.side.password:
            continue
        if ours:
            why, fix = (
                "the policy has a password for it, its router has none",
                "set the password at the router",
            )
        else:
            why = "its router has a password for this neighbor, the policy has none"
            fix = change(facts, met.state, met.peer, "password", "NAME (a Secret with the key password)")
        yield Finding(_object(met), why, fix, met.node)


def _configured(facts: Facts, met: Met) -> PeerConfig | None:
    """The peer as its policy has it; None = not known."""
    intent = (facts.intents or {}).get(met.node)
    if intent is None or intent.config is None:
        return None
    peers = (one for instance in intent.config.instances for one in instance.peers)
    return next((one for one in peers if one.name == met.peer.name), None)


def _meant(facts: Facts, met: Met) -> Peer | None:
    intent = (facts.intents or {}).get(met.node)
    return next((one for one in intent.peers if one.name == met.peer.name), None) if intent else None


def multihop_one_sided(facts: Facts) -> Iterator[Said]:
    """An eBGP session is down, and the two ends do not agree how far away the other one is.

    A TTL of 1 does not get over a router in between; a router without multihop refuses a neighbor that is not
    directly connected. Where the session is up, whatever they say is enough.
    """
    for met in facts.routers or ():
        peer = _meant(facts, met)
        if met.side.hops is None or peer is None:
            yield Unknown("a router does not tell how far away it lets a neighbor be", met.node)
            continue
        if met.peer.session.established or not peer.external:
            continue
        if peer.multihop_ttl == 1 and met.side.hops > 1:
            why = f"its router has multihop {met.side.hops}, the policy none; the session is down"
            fix = change(facts, met.state, met.peer, "ttl", str(met.side.hops))
            yield Finding(_object(met), why, fix, met.node)
        elif peer.multihop_ttl > 1 and met.side.hops == 1:
            why = (
                f"the policy has a multihop TTL of {peer.multihop_ttl}, its router none; the session is down"
            )
            fix = f"at the router: ebgp-multihop {peer.multihop_ttl} for this neighbor"
            yield Finding(_object(met), why, fix, met.node)


def ttl_security(facts: Facts) -> Iterator[Said]:
    """A router accepts only packets with a TTL of 255 (RFC 5082), and the node sends with a smaller one.

    The router drops all of them. Neither our speaker nor Cilium speaks with TTL security; a multihop TTL of
    255 sends the same.
    """
    for met in facts.routers or ():
        peer = _meant(facts, met)
        if met.side.gtsm is None or peer is None:
            yield Unknown("a router does not tell whether it has TTL security for a neighbor", met.node)
        elif met.side.gtsm and peer.external and peer.multihop_ttl < 255:
            why = f"its router has TTL security, the node sends with a TTL of {peer.multihop_ttl}"
            fix = f"{change(facts, met.state, met.peer, 'ttl', '255')}, or switch it off at the router"
            yield Finding(_object(met), why, fix, met.node)


def routes_filtered(facts: Facts) -> Iterator[Said]:
    """A router received routes of a node and let fewer through.

    Its import filter (prefix-list, route-map, policy) drops some of them: they are announced and nobody uses
    them.
    """
    for met, channel in _channels(facts):
        came = channel.received
        if came is None and channel.filter and facts.settled(met.state, met.peer):
            came = met.peer.session.advertised.get(channel.family)
        if channel.filter == "" and came is None:
            continue  # nothing filters
        if came is None or channel.accepted is None:
            yield Unknown(UNTOLD_FILTER, met.node)
        elif channel.accepted < came:
            named = f" ({channel.filter})" if channel.filter else ""
            why = f"{channel.family}: its router drops some of its routes by its import filter{named}"
            fix = f"let the filter{named} accept the cluster's prefixes: bgpctl routes {met.node}"
            yield Finding(_object(met), why, fix, met.node)


def routes_discarded(facts: Facts) -> Iterator[Said]:
    """A router takes no route at all of a neighbor.

    FRR drops every eBGP route for which there is no policy (`bgp ebgp-requires-policy`, RFC 8212); others
    have a filter that rejects everything. The session is up, and nothing comes of it.
    """
    for met, channel in _channels(facts):
        if channel.discards and _announces(met, channel):
            why = f"{channel.family}: its router takes none of its routes: {channel.discards}"
            fix = (
                "give this neighbor an import policy at the router (FRR: neighbor ADDRESS route-map NAME in)"
            )
            yield Finding(_object(met), why, fix, met.node)


def _announces(met: Met, channel: Channel) -> bool:
    told = met.peer.session.advertised
    return bool(told.get(channel.family)) if told else bool(met.peer.intended)


def routes_missing(facts: Facts) -> Iterator[Said]:
    """A router has received fewer routes than a node announces to it, on a session that is up for a minute.

    Not the filter's doing: they did not arrive, or were replaced. Announced anew they come back.
    """
    for met, channel in _channels(facts):
        announced = met.peer.session.advertised.get(channel.family)
        if met.peer.session.families and channel.family not in met.peer.session.families:
            continue
        came = channel.received if channel.received is not None else channel.accepted
        filtered = channel.received is None and (channel.filter or channel.discards)
        if announced is None or came is None or filtered:
            yield Unknown("how many routes a router received is not told", met.node)
        elif (
            facts.settled(met.state, met.peer)
            and met.side.up
            and came < announced
            and not met.peer.session.pending
        ):
            why = f"{channel.family}: its router has fewer routes than it announces"
            yield Finding(_object(met), why, f"bgpctl speaker restart {met.node}", met.node)


def limit_near(facts: Facts) -> Iterator[Said]:
    """A router's maximum of prefixes for a neighbor is nearly reached.

    At the limit it ends the session (Cease, Maximum Number of Prefixes Reached), often until somebody clears
    it: one Service more takes all routes of the node away.
    """
    for met, channel in _channels(facts):
        if channel.limit is None:
            continue
        count = _most(met, channel)
        if count is None:
            yield Unknown("how many routes a node announces is not told", met.node)
        elif count >= NEAR * channel.limit.most and not channel.limit.warns:
            why = f"{channel.family}: its router ends the session at {channel.limit.most}, there are {count}"
            yield Finding(_object(met), why, f"at the router: maximum-prefix {2 * count + 10}", met.node)


def _most(met: Met, channel: Channel) -> int | None:
    """Of a session that is down because of it, what there would be if it were not."""
    session = met.peer.session
    meant = None if session.established else met.peer.intended
    known = (session.advertised.get(channel.family), channel.received, channel.accepted, meant)
    counts = [one for one in known if one is not None]
    return max(counts) if counts else None


def family_not_at_router(facts: Facts) -> Iterator[Said]:
    """A router has a family not configured for a neighbor for which the node has routes.

    As families-differ, by the word of the router: also while the session is down.
    """
    for met in facts.routers or ():
        configured = _configured(facts, met)
        if configured is None or not met.side.channels:
            yield Unknown("which families a router has configured is not told", met.node)
            continue
        there = {channel.family for channel in met.side.channels}
        for family in sorted(one.family for one in configured.families if one.advertisements):
            if family not in there:
                why = f"its router has {family} not configured for this neighbor"
                yield Finding(
                    _object(met), why, f"activate {family} for this neighbor at the router", met.node
                )


def few_next_hops(facts: Facts) -> Iterator[Said]:
    """A router has several paths of a prefix and forwards by fewer of them.

    Its maximum of equal paths is too low (FRR: `maximum-paths`, 1 or 64 by its build), or the paths differ
    where multipath wants them equal (FRR: `bgp bestpath as-path multipath-relax`). Some nodes get no traffic,
    and when the one that does leaves, all of it moves.
    """
    for crowd in facts.crowds or ():
        paths, used = len(crowd.paths), sum(used for _, used in crowd.paths)
        if 0 < used < paths:
            why = f"it has {paths} paths and forwards by {used}"
            fix = f"at the router, in the address family: maximum-paths {paths}"
            yield Finding(f"{crowd.router} {crowd.prefix}", why, fix)


RULES = (
    Rule("router-unreachable", Severity.WARNING, unreachable),
    Rule("router-stranger", Severity.WARNING, stranger, ("routers",)),
    Rule("router-disagrees", Severity.ERROR, sides_disagree, ("routers",)),
    Rule("asn-differs", Severity.ERROR, asn_differs, ("routers",)),
    Rule("password-one-sided", Severity.ERROR, password_one_sided, ("routers", "intents")),
    Rule("multihop-one-sided", Severity.ERROR, multihop_one_sided, ("routers", "intents")),
    Rule("ttl-security", Severity.ERROR, ttl_security, ("routers", "intents")),
    Rule("routes-filtered", Severity.WARNING, routes_filtered, ("routers",)),
    Rule("routes-discarded", Severity.ERROR, routes_discarded, ("routers",)),
    Rule("routes-missing", Severity.WARNING, routes_missing, ("routers",)),
    Rule("maximum-prefix", Severity.WARNING, limit_near, ("routers",)),
    Rule("family-not-at-router", Severity.WARNING, family_not_at_router, ("routers", "intents")),
    Rule("router-few-next-hops", Severity.WARNING, few_next_hops, ("crowds",)),
)
