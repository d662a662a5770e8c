"""What an engine keeps for the next manager: peers and routes as plain values, and those values back. Pure.

No password is among them, nor anything made from one. A peer that has one comes back with a secret that
equals no other, so the diff configures it once more; where the password is the same, that changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from bgpctl.core.model import Attributes, Family, IPNetwork, Observed, Peer, Secret
from bgpctl.core.reading.addresses import parse_address, parse_zoned
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.exabgp import wire

_PLAIN = (
    "name",
    "instance",
    "asn",
    "local_asn",
    "port",
    "local_port",
    "hold_time",
    "keepalive_time",
    "connect_retry_time",
    "multihop_ttl",
    "restart_time",
    "graceful_notification",
    "extended_next_hop",
)
"""The fields of a Peer that are text, numbers or flags already."""


def definition(peer: Peer) -> dict[str, Any]:
    """A Peer without its password."""
    return {
        **{field: getattr(peer, field) for field in _PLAIN},
        "address": str(peer.address),
        "router_id": str(peer.router_id),
        "local_address": str(peer.local_address) if peer.local_address is not None else None,
        "families": [list(family) for family in peer.families],
        "protected": peer.password is not None,
    }


def peer_of(document: Any) -> Peer:
    """The reverse of `definition`. Raises Unreadable on a foreign shape."""
    read = Foreign.of(document, "peer")
    router_id = read.parsed("router_id", IPv4Address, "an IPv4 address")
    address = read.parsed("address", parse_zoned, "an IP address")
    if address is None or router_id is None:
        read.refuse("address", "there, beside a router_id")
    return Peer(
        name=read.required("name"),
        instance=read.required("instance"),
        address=address,
        asn=read.integer("asn"),
        local_asn=read.integer("local_asn"),
        router_id=router_id,
        port=read.integer("port"),
        local_address=read.parsed("local_address", parse_zoned, "an IP address"),
        local_port=read.optional_integer("local_port"),
        hold_time=read.integer("hold_time"),
        keepalive_time=read.integer("keepalive_time"),
        connect_retry_time=read.integer("connect_retry_time"),
        multihop_ttl=read.integer("multihop_ttl"),
        restart_time=read.optional_integer("restart_time"),
        graceful_notification=read.flag("graceful_notification"),
        extended_next_hop=read.flag("extended_next_hop"),
        families=tuple(_family(item, path) for path, item in read.items("families")),
        password=Secret(secrets.token_hex(32)) if read.flag("protected") else None,
    )


def _family(pair: Any, path: str) -> Family:
    names = Foreign({path: pair}).texts(path, 2)
    if len(names) != 2:
        raise Unreadable(f"{path} must be an address family")
    return Family(*names)


def attributes_document(attributes: Attributes) -> dict[str, Any]:
    """Attributes as a request carries them and the engine keeps them."""
    return {
        "next_hop": str(attributes.next_hop) if attributes.next_hop is not None else None,
        "communities": sorted(attributes.communities),
        "large_communities": sorted(attributes.large_communities),
        "local_preference": attributes.local_preference,
    }


def attributes_of(document: Any) -> Attributes:
    """The reverse of `attributes_document`. Raises Unreadable."""
    read = Foreign.of(document, "attributes")
    return Attributes(
        next_hop=read.parsed("next_hop", parse_address, "an IP address"),
        communities=frozenset(read.texts("communities")),
        large_communities=frozenset(read.texts("large_communities")),
        local_preference=read.optional_integer("local_preference"),
    )


def adopted(generation: Any, stock: Any, groups: Iterable[Any]) -> Observed:
    """What an engine runs, from its answers to `inventory` and `routes`; sessions are not in it.

    `groups` are routes of one peer with one set of attributes. Raises Unreadable when an answer is not what
    PROTOCOL says.
    """
    read = Foreign.of(stock, "inventory")
    if not read.has("peers"):
        read.refuse("peers", "an object")
    peers = {name: peer_of(definitions.value[name]) for definitions, name in read.each("peers")}
    announced: dict[str, dict[IPNetwork, Attributes]] = {name: {} for name in peers}
    for group in map(Foreign.of, groups):
        routes = announced.setdefault(group.required("peer"), {})
        attributes = attributes_of(group.value.get("attributes"))
        packed = {family: blobs.required(family, wire.LONGEST) for blobs, family in group.each("prefixes")}
        try:
            routes.update(dict.fromkeys(wire.read_prefixes(packed), attributes))
        except ValueError as error:
            raise Unreadable(f"routes of {group.required('peer')[:60]}: {error}") from None
    number = Foreign({"generation": generation}).integer("generation")
    return Observed(number, True, peers, announced, frozenset(read.texts("synced")))
