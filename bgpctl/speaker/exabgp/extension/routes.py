"""Inside ExaBGP: routes made straight from wire format, and the outgoing RIB handled in bulk."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from exabgp.bgp.message import Action, Update
from exabgp.bgp.message.update.attribute import Attributes, LocalPreference, NextHop
from exabgp.bgp.message.update.attribute.community import (
    Communities,
    Community,
    LargeCommunities,
    LargeCommunity,
)
from exabgp.bgp.message.update.attribute.nexthop import NextHopSelf
from exabgp.bgp.message.update.nlri.cidr import CIDR
from exabgp.bgp.message.update.nlri.inet import INET
from exabgp.bgp.message.update.nlri.qualifier import PathInfo
from exabgp.protocol.family import AFI, SAFI, Family
from exabgp.protocol.ip import IP, NoNextHop
from exabgp.rib.change import Change
from exabgp.rib.outgoing import OutgoingRIB

from bgpctl.speaker.exabgp import wire

GROUP = 2000  # prefixes handed to one Update object; it packs them into as many messages as it takes

AfiSafi = tuple[Any, Any]
FAMILIES: dict[str, AfiSafi] = {
    "ipv4/unicast": (AFI.ipv4, SAFI.unicast),
    "ipv6/unicast": (AFI.ipv6, SAFI.unicast),
}


def family_text(family: AfiSafi) -> str:
    """As `core.model.Family` prints."""
    return f"{family[0]}/{family[1]}"


class Prefix(INET):  # type: ignore[misc]
    """A unicast NLRI made from its wire format; its index is computed once, because packing sorts by it."""

    def __init__(self, family: AfiSafi, packed: bytes, action: int, nexthop: Any) -> None:
        self.afi, self.safi = family
        self.action, self.nexthop, self.path_info = action, nexthop, PathInfo.NOPATH
        self.packed = packed
        self._index: bytes = Family.index(self) + b"no-pi" + packed

    @property
    def cidr(self) -> Any:
        return CIDR(self.packed[1:].ljust(IP.length(self.afi), b"\0"), self.packed[0])

    def index(self) -> bytes:
        return self._index

    def pack_nlri(self, negotiated: Any = None) -> bytes:
        return self.packed


class SelfV6(NextHopSelf):  # type: ignore[misc]
    """The session's local address as an IPv6 next hop. Over an IPv4 session it is IPv4-mapped, as GoBGP does;
    ExaBGP would send four zero octets, for which a router may close the session."""

    def __repr__(self) -> str:
        return "self-ipv6"  # part of Attributes.index(): must differ from the IPv4 one

    def ton(self, negotiated: Any = None, afi: Any = None) -> bytes:
        local: bytes = negotiated.neighbor["local-address"].ton()
        return local if len(local) == 16 else bytes(10) + b"\xff\xff" + local


def next_hop(family: AfiSafi, given: str | None) -> Any:
    """The given address when it is of the prefix's family, else self."""
    wide = family[0] == AFI.ipv6
    if given is not None and (":" in given) == wide:
        return NextHop(given)
    return SelfV6(AFI.ipv6) if wide else NextHopSelf(AFI.ipv4)


def build_attributes(wanted: wire.Message, hop: Any) -> Any:
    """One set, shared by every prefix of the request."""
    attributes = Attributes()
    attributes.add(hop)
    if wanted.get("local_preference") is not None:
        attributes.add(LocalPreference(int(wanted["local_preference"])))
    if standard := wanted.get("communities"):
        attributes.add(Communities([Community(octets) for octets in _octets("!HH", standard)]))
    if large := wanted.get("large_communities"):
        attributes.add(LargeCommunities([LargeCommunity(octets) for octets in _octets("!LLL", large)]))
    return attributes


def _octets(form: str, values: list[str]) -> list[bytes]:
    return sorted(struct.pack(form, *(int(part) for part in value.split(":"))) for value in values)


def announce(rib: Any, family: AfiSafi, nlris: list[bytes], attributes: Any, hop: Any) -> None:
    for packed in sorted(nlris):
        _put(rib, Change(Prefix(family, packed, Action.ANNOUNCE, hop), attributes))


def withdraw(rib: Any, family: AfiSafi, nlris: list[bytes]) -> None:
    nothing = Attributes()
    for packed in sorted(nlris):
        _put(rib, Change(Prefix(family, packed, Action.WITHDRAW, NoNextHop), nothing))


def withdraw_all(rib: Any) -> None:
    for family in FAMILIES.values():
        withdraw(rib, family, [change.nlri.pack_nlri() for change in rib.cached_changes([family])])


def _put(rib: Any, change: Any) -> None:
    """Queue a change in place of any earlier one for its prefix that is not being sent yet: the queue is kept
    by attributes, so two changes of one prefix could leave in the wrong order."""
    earlier = rib._new_nlri.pop(change.index(), None)
    if earlier is not None:
        by_family = rib._new_attr_af_nlri[earlier.attributes.index()]
        by_family[earlier.nlri.family().afi_safi()].pop(change.index(), None)
    rib._update_rib(change)


def flushed(rib: Any) -> bool:
    """Is every queued change on the socket?"""
    return not rib.pending() and rib.in_flight == 0


def install(on_flushed: Any) -> None:
    """Make every outgoing RIB group its Updates and know whether one is being sent; `on_flushed(rib)` is
    called when a batch has left."""
    original = OutgoingRIB.updates

    def updates(self: Any, group_updates: bool) -> Iterator[Any]:
        self.in_flight += 1
        try:
            yield from grouped(original(self, group_updates))
        finally:
            self.in_flight -= 1
        on_flushed(self)

    OutgoingRIB.in_flight = 0
    OutgoingRIB.updates = updates


def grouped(updates: Iterator[Any]) -> Iterator[Any]:
    """Join neighbouring Updates of one attribute set: ExaBGP makes one per IPv6 prefix, and one per prefix of
    a route refresh."""
    group: list[Any] = []
    attributes: Any = None
    for update in updates:
        single = isinstance(update, Update) and len(update.nlris) == 1
        if single and group and update.attributes is attributes and len(group) < GROUP:
            group.append(update.nlris[0])
            continue
        if group:
            yield Update(group, attributes)
            group = []
        if single:
            group, attributes = list(update.nlris), update.attributes
        else:
            yield update
    if group:
        yield Update(group, attributes)
