"""Configured sessions (PeerConfig) -> the sessions that can be held (Peer), or why one cannot.

Two configured sessions that would be one to the BGP engine or to the router: the first keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address
from typing import Any

from bgpctl.core.intent.nexthops import extends
from bgpctl.core.model import IPAddress, Peer, Secret
from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION, NO_SETTINGS, WITHOUT_RESTART, NodeSettings
from bgpctl.core.policy.nodeconfig import Instance, NodeConfig, PeerConfig
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import MALFORMED

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a session needs besides its configuration. `secrets` None = the reader may not see them;
    `source_address` is the local address of every session of its IP version; `settings` are those of the
    node's own annotations; `next_hops` are the operator's."""

    node: Document
    node_name: str
    secrets: Mapping[str, Secret] | None
    source_address: IPAddress | None = None
    settings: NodeSettings = NO_SETTINGS
    next_hops: Sequence[IPAddress] = ()


def sessions(config: NodeConfig, around: Surroundings, problems: list[str]) -> list[tuple[PeerConfig, Peer]]:
    """Every session that can be held, with its configuration; a sentence in `problems` for each other."""
    found: list[tuple[PeerConfig, Peer]] = []
    taken: dict[tuple[object, ...], str] = {}
    for instance in config.instances:
        for peer_config in instance.peers:
            peer = _peer(around, instance, peer_config, problems)
            if peer is not None and _is_free(peer, taken, problems):
                found.append((peer_config, peer))
    if around.settings.graceful_notification and not any(config.restart_time for config, _ in found):
        problems.append(f"warning: annotation {GRACEFUL_NOTIFICATION} {WITHOUT_RESTART}")
    return found


def _is_free(peer: Peer, taken: dict[tuple[object, ...], str], problems: list[str]) -> bool:
    """No other session has this one's identity: to the router (both ends' addresses), to the engine (without
    the port), or where connections arrive."""
    own, other = peer.local_address, peer.address
    keys: list[tuple[object, ...]] = [
        ("router", own, other, peer.port),
        ("engine", own, other, peer.local_asn, peer.asn, peer.router_id),
    ]
    if peer.local_port is not None:
        keys.append(("listener", other, peer.local_port))
    for key in keys:
        if key in taken:
            session = f"the session to {other}" + (f" from {own}" if own is not None else "")
            problems.append(f"peer {peer.name}: no session, because {taken[key]} has {session} already")
            return False
    taken.update(dict.fromkeys(keys, peer.name))
    return True


def _peer(around: Surroundings, instance: Instance, config: PeerConfig, problems: list[str]) -> Peer | None:
    """The session, or None with a problem sentence when it cannot be held."""
    password = (around.secrets or {}).get(config.secret) if config.secret else None
    if config.secret and password is None and around.secrets is not None:
        # Cilium tries with an empty password, which a router logs as an attack (facts: cilium.md 1.4).
        problems.append(
            f'peer {config.name}: no session, because Secret "{config.secret}" (key password) is missing'
        )
        return None
    if not config.families:
        problems.append(f"peer {config.name}: no session, because none of its families can be spoken")
        return None
    return Peer(
        name=config.name,
        instance=instance.name,
        address=config.address,
        asn=config.asn,
        local_asn=instance.local_asn,
        router_id=instance.router_id or router_id(around.node, around.node_name),
        port=config.port,
        local_address=config.local_address or _source(around.source_address, config),
        local_port=instance.local_port,
        hold_time=config.hold_time,
        keepalive_time=config.keepalive_time,
        connect_retry_time=config.connect_retry_time,
        multihop_ttl=config.multihop_ttl,
        restart_time=config.restart_time,
        graceful_notification=config.restart_time is not None and _notifies(around.settings, config),
        extended_next_hop=extends(config, around.next_hops),
        families=tuple(family.family for family in config.families),
        password=password,
    )


def _notifies(settings: NodeSettings, config: PeerConfig) -> bool:
    """The N bit: the node's word goes before the policy's."""
    own = settings.graceful_notification
    return config.graceful_notification if own is None else own


def _source(address: IPAddress | None, config: PeerConfig) -> IPAddress | None:
    return address if address is not None and address.version == config.address.version else None


def router_id(node: Document, node_name: str) -> IPv4Address:
    """The node's first IPv4 InternalIP, else 32 bits derived from its name (RFC 6286: any non-zero value
    that is unique within the AS)."""
    for address in internal_ips(node):
        if isinstance(address, IPv4Address) and int(address):
            return address
    digest = int.from_bytes(sha256(node_name.encode()).digest()[:4])
    # Into 1.0.0.0 .. 126.255.255.255 and 128.0.0.0 .. 223.…: implementations refuse others as a router ID.
    first, rest = digest >> 24, digest & 0xFFFFFF
    octet = 1 + first % 222
    return IPv4Address(((octet if octet < 127 else octet + 1) << 24) | rest)


def internal_ips(node: Document) -> Iterator[IPAddress]:
    """The node's InternalIPs in their order; malformed ones are left out."""
    status = node.get("status")
    addresses = status.get("addresses") if isinstance(status, Mapping) else None
    for entry in addresses if isinstance(addresses, Sequence) else ():
        try:
            if entry["type"] == "InternalIP":
                yield parse_address(entry["address"])
        except MALFORMED:
            continue
