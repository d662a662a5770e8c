"""Inside ExaBGP: the families that we speak, and a request's words for a route as path attributes."""

from __future__ import annotations

import json
from typing import Any
from weakref import WeakValueDictionary

from exabgp.bgp.message.update.attribute import Attributes, LocalPreference, NextHop
from exabgp.bgp.message.update.attribute.community import (
    Communities,
    Community,
    LargeCommunities,
    LargeCommunity,
)
from exabgp.bgp.message.update.attribute.nexthop import NextHopSelf
from exabgp.protocol.family import AFI, SAFI

from bgpctl.core.bgp.communities import pack
from bgpctl.exabgp import wire

AfiSafi = tuple[Any, Any]
FAMILIES: dict[str, AfiSafi] = {
    "ipv4/unicast": (AFI.ipv4, SAFI.unicast),
    "ipv6/unicast": (AFI.ipv6, SAFI.unicast),
}

EXTENDED = (AFI.ipv4, SAFI.unicast, AFI.ipv6)
"""RFC 8950 section 4: IPv4 unicast with an IPv6 next hop, as one entry of capability 5."""


def family_text(family: AfiSafi) -> str:
    """As `core.model.Family` prints."""
    return f"{family[0]}/{family[1]}"


class SelfV6(NextHopSelf):  # type: ignore[misc]
    """The session's local address as an IPv6 next hop. Over an IPv4 session it is IPv4-mapped, as GoBGP does;
    ExaBGP would send four zero octets, for which a router may close the session."""

    def ton(self, negotiated: Any = None, afi: Any = None) -> bytes:
        """16 octets, whatever family the session's local address is of."""
        local: bytes = negotiated.neighbor["local-address"].ton()
        return local if len(local) == 16 else bytes(10) + b"\xff\xff" + local


def narrow(negotiated: Any) -> bool:
    """Is this a session on which "self" is no next hop of an IPv4 route? ExaBGP takes the router ID then,
    which may be the address of nobody."""
    return EXTENDED not in negotiated.nexthop and len(negotiated.neighbor["local-address"].ton()) == 16


class Path:
    """The attributes that routes of one family share. `wanted` is the request's words, as JSON: ExaBGP's own
    have lost what it did not need, and the next manager wants to know."""

    __slots__ = ("__weakref__", "attributes", "hop", "wanted", "wide")

    def __init__(self, family: AfiSafi, wanted: wire.Message, text: str) -> None:
        self.wanted = text
        self.wide = family[0] == AFI.ipv6
        self.hop = next_hop(family, wanted.get("next_hop"))
        self.attributes = build_attributes(wanted, self.hop)

    def pack(self, negotiated: Any) -> tuple[bytes, bytes] | None:
        """For one session: the path attributes, and the next hop that goes with the NLRI, b"" where it is
        among the attributes. None: this session has no next hop for the route."""
        if self.wide:
            return self.attributes.pack(negotiated), self.hop.ton(negotiated, self.hop.afi)
        if EXTENDED in negotiated.nexthop:
            hop = SelfV6(AFI.ipv6)
            return build_attributes(json.loads(self.wanted), hop).pack(negotiated), hop.ton(negotiated)
        if self.hop.SELF and narrow(negotiated):
            return None
        return self.attributes.pack(negotiated), b""


_known: WeakValueDictionary[tuple[AfiSafi, str], Path] = WeakValueDictionary()


def path(family: AfiSafi, wanted: wire.Message) -> Path:
    """One object for all that are equal, however many requests they came in."""
    text = json.dumps(wanted, sort_keys=True)
    found = _known.get((family, text))
    if found is None:
        found = _known[family, text] = Path(family, wanted, text)
    return found


def next_hop(family: AfiSafi, given: str | None) -> Any:
    """The given address when it is of the prefix's family, else self."""
    wide = family[0] == AFI.ipv6
    if given is not None and (":" in given) == wide:
        return NextHop(given)
    return SelfV6(AFI.ipv6) if wide else NextHopSelf(AFI.ipv4)


def build_attributes(wanted: wire.Message, hop: Any) -> Any:
    """`wanted` in the words of a request; ORIGIN and AS_PATH are added by ExaBGP when it packs."""
    attributes = Attributes()
    attributes.add(hop)
    if wanted.get("local_preference") is not None:
        attributes.add(LocalPreference(int(wanted["local_preference"])))
    if standard := wanted.get("communities"):
        attributes.add(Communities([Community(octets) for octets in sorted(map(pack, standard))]))
    if large := wanted.get("large_communities"):
        attributes.add(LargeCommunities([LargeCommunity(octets) for octets in sorted(map(pack, large))]))
    return attributes
