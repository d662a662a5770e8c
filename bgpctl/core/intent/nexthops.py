"""Which next hop a route carries when "self", the session's local address, would be wrong or cannot be.

- The operator names the next hops of this node (`--next-hop`): those, on every session.
- An IPv4 route over an IPv6 session: self is the session's IPv6 address, as in Cilium, where both sides have
  the capability for it (RFC 8950, extended next hop encoding); whether they do shows when the session comes
  up. Where they have not, the node's first IPv4 InternalIP; where it has none, the route is not sent.
- An IPv6 route over an IPv4 session: the node's first IPv6 InternalIP; where it has none, self as an
  IPv4-mapped address, as GoBGP does it (BIRD refuses that one).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

from bgpctl.core.intent.services import FAMILY_NOT_NEGOTIATED, NEXT_HOP_NOT_NEGOTIATED
from bgpctl.core.model import (
    IPV4,
    IPV6,
    Absent,
    Attributes,
    Intent,
    IPAddress,
    IPNetwork,
    Peer,
    Route,
    Session,
    family_of,
)
from bgpctl.core.policy.nodeconfig import PeerConfig

NextHops = tuple[tuple[int, IPAddress], ...]
"""(IP version of the prefixes, their next hop); self for a version that is not in there."""

NO_NEXT_HOP = (
    "its next hop would be the session's IPv6 address, and the peer did not agree to that in its "
    "OPEN (RFC 8950); the node has no IPv4 InternalIP to take instead"
)


def next_hops(peer: Peer, node_addresses: Sequence[IPAddress], named: Sequence[IPAddress] = ()) -> NextHops:
    """`node_addresses` are the node's InternalIPs, `named` the operator's (at most one per IP version)."""
    own = {a.version: a for a in reversed(node_addresses) if a.version != peer.address.version}
    return tuple(sorted({**own, **{address.version: address for address in named}}.items()))


def extends(peer: PeerConfig, named: Sequence[IPAddress]) -> bool:
    """Is IPv4 with an IPv6 next hop offered to this peer? Not where the operator named an IPv4 one."""
    speaks = any(config.family == IPV4 for config in peer.families)
    return peer.address.version == 6 and speaks and all(address.version == 6 for address in named)


def refused(prefix: IPNetwork, attributes: Attributes, session: Session) -> tuple[str, str]:
    """Why a session that is Established cannot carry the route, as (reason, detail); ("", "") = it does."""
    if family_of(prefix) not in session.families:
        return FAMILY_NOT_NEGOTIATED, f"the peer did not agree to {family_of(prefix)} in its OPEN"
    if prefix.version == 4 and attributes.next_hop is None and _narrow(session):
        return NEXT_HOP_NOT_NEGOTIATED, NO_NEXT_HOP
    return "", ""


def as_sent(prefix: IPNetwork, attributes: Attributes, session: Session) -> Attributes:
    """With the next hop that the route has on this session."""
    if prefix.version == 4 and session.extended_next_hop and attributes.next_hop is not None:
        return replace(attributes, next_hop=None)
    return attributes


def not_negotiated(
    tables: Mapping[str, Mapping[IPNetwork, Route]], sessions: Mapping[str, Session]
) -> Iterator[Absent]:
    """Intended routes that an Established session cannot carry, by what its two sides agreed on."""
    for name, table in tables.items():
        session = sessions.get(name)
        if session is None or not session.established or not (doubtful := _doubtful(session)):
            continue
        for prefix, route in table.items():
            if prefix.version in doubtful:
                reason, detail = refused(prefix, route.attributes, session)
                if reason:
                    yield Absent(route.origin, prefix, reason, detail, name)


def carried(intent: Intent, sessions: Mapping[str, Session]) -> Intent:
    """Without what its sessions that are up cannot carry."""
    unsent = {(absent.peer, absent.prefix) for absent in not_negotiated(intent.routes, sessions)}
    if not unsent:
        return intent
    routes = {
        name: {prefix: route for prefix, route in table.items() if (name, prefix) not in unsent}
        for name, table in intent.routes.items()
    }
    return replace(intent, routes=routes)


def carriage(session: Session | None, hops: NextHops) -> Hashable:
    """What `carried` decides by: on sessions of equal ones, the same routes are carried."""
    if session is None or not session.established or not _doubtful(session):
        return None
    return frozenset(session.families), _narrow(session), frozenset(version for version, _ in hops)


def _doubtful(session: Session) -> tuple[int, ...]:
    """The IP versions of which some route may be refused: none mostly, and no table is looked through. A
    session that tells no family is not known well enough to refuse anything."""
    if not session.families:
        return ()
    lacking = [family for family in (IPV4, IPV6) if family not in session.families]
    four = IPV4 in lacking or _narrow(session)
    return (*((4,) if four else ()), *((6,) if IPV6 in lacking else ()))


def _narrow(session: Session) -> bool:
    """Is this an IPv6 session, for which an IPv6 next hop of IPv4 routes was not agreed on?"""
    wide = session.local_address is not None and session.local_address.version == 6
    return wide and not session.extended_next_hop
