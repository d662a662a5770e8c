"""What an engine keeps for the next manager: peers and routes as plain values, and those values back. Pure.

No password is among them, nor anything made from one. A peer that has one comes back with a secret that
equals no other, so the diff configures it once more; where the password is the same, that changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address
from typing import Any

from bgpctl.core.model import Attributes, Family, IPNetwork, Observed, Peer, Secret
from bgpctl.speaker.exabgp import wire

Document = Mapping[str, Any]

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


def peer_of(document: Document) -> Peer:
    """The reverse of `definition`. Raises KeyError, ValueError or TypeError on a foreign shape."""
    local = document["local_address"]
    return Peer(
        **{field: document[field] for field in _PLAIN},
        address=ip_address(document["address"]),
        router_id=IPv4Address(document["router_id"]),
        local_address=ip_address(local) if local is not None else None,
        families=tuple(Family(*family) for family in document["families"]),
        password=Secret(secrets.token_hex(32)) if document["protected"] else None,
    )


def attributes_document(attributes: Attributes) -> dict[str, Any]:
    """Attributes as a request carries them and the engine keeps them."""
    return {
        "next_hop": str(attributes.next_hop) if attributes.next_hop is not None else None,
        "communities": sorted(attributes.communities),
        "large_communities": sorted(attributes.large_communities),
        "local_preference": attributes.local_preference,
    }


def attributes_of(document: Document) -> Attributes:
    """The reverse of `attributes_document`."""
    hop = document["next_hop"]
    return Attributes(
        next_hop=ip_address(hop) if hop is not None else None,
        communities=frozenset(document["communities"]),
        large_communities=frozenset(document["large_communities"]),
        local_preference=document["local_preference"],
    )


def adopted(generation: int, stock: Document, groups: Iterable[Document]) -> Observed:
    """What an engine runs, from its answers to `inventory` and `routes`; sessions are not in it.

    `groups` are routes of one peer with one set of attributes. Raises KeyError, ValueError or TypeError when
    an answer is not what PROTOCOL says.
    """
    peers = {name: peer_of(document) for name, document in stock["peers"].items()}
    announced: dict[str, dict[IPNetwork, Attributes]] = {name: {} for name in peers}
    for group in groups:
        routes = announced.setdefault(group["peer"], {})
        attributes = attributes_of(group["attributes"])
        routes.update(dict.fromkeys(wire.read_prefixes(group["prefixes"]), attributes))
    return Observed(generation, True, peers, announced, frozenset(stock["synced"]))
