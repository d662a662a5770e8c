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
from bgpctl.core.reading import kinds
from bgpctl.core.reading.addresses import parse_address, parse_zoned
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.kinds import FLAG, REQUIRED_TEXT
from bgpctl.core.reading.table import Field, Table
from bgpctl.exabgp import wire


def peer_of(document: Any) -> Peer:
    """The reverse of `definition`. Raises Unreadable on a foreign shape."""
    return PEER.read(Foreign.of(document, "peer"))


def _families(foreign: Foreign, name: str) -> tuple[Family, ...]:
    return tuple(_family(item, path) for path, item in foreign.items(name))


def _family(pair: Any, path: str) -> Family:
    names = Foreign({path: pair}).texts(path, 2)
    if len(names) != 2:
        raise Unreadable(f"{path} must be an address family")
    return Family(*names)


def _password(foreign: Foreign, name: str) -> Secret | None:
    return Secret(secrets.token_hex(32)) if foreign.flag(name) else None


COUNT, MAYBE_COUNT = kinds.integer(), kinds.integer(default=None)
FAMILIES = kinds.Kind(kinds.array(kinds.array(kinds.STRING)), _families, lambda many: list(map(list, many)))
ADDRESS, ROUTER_ID = kinds.parsed(parse_zoned, "an IP address"), kinds.parsed(IPv4Address, "an IPv4 address")

PEER = Table(
    Peer,
    Field("name", "name", REQUIRED_TEXT),
    Field("instance", "instance", REQUIRED_TEXT),
    Field("address", "address", kinds.required(ADDRESS, "an IP address")),
    Field("asn", "asn", COUNT),
    Field("local_asn", "local_asn", COUNT),
    Field("router_id", "router_id", kinds.required(ROUTER_ID, "an IPv4 address")),
    Field("port", "port", COUNT),
    Field("local_address", "local_address", ADDRESS),
    Field("local_port", "local_port", MAYBE_COUNT),
    Field("hold_time", "hold_time", COUNT),
    Field("keepalive_time", "keepalive_time", COUNT),
    Field("connect_retry_time", "connect_retry_time", COUNT),
    Field("multihop_ttl", "multihop_ttl", COUNT),
    Field("restart_time", "restart_time", MAYBE_COUNT),
    Field("graceful_notification", "graceful_notification", FLAG),
    Field("extended_next_hop", "extended_next_hop", FLAG),
    Field("families", "families", FAMILIES),
    Field("protected", "password", kinds.Kind({"type": "boolean"}, _password, lambda password: True)),
)
definition = PEER.write
"""A Peer without its password."""

ATTRIBUTES = Table(
    Attributes,
    Field("next_hop", "next_hop", kinds.parsed(parse_address, "an IP address")),
    Field("communities", "communities", kinds.WORDS),
    Field("large_communities", "large_communities", kinds.WORDS),
    Field("local_preference", "local_preference", MAYBE_COUNT),
)
attributes_document = ATTRIBUTES.write
"""Attributes as a request carries them and the engine keeps them."""


def attributes_of(document: Any) -> Attributes:
    """The reverse of `attributes_document`. Raises Unreadable."""
    return ATTRIBUTES.read(Foreign.of(document, "attributes"))


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
