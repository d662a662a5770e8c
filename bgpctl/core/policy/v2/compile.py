"""The v2 resources and one node -> what that node is told to run (NodeConfig), and what cannot be honoured.

What costs what:
- A CiliumBGPPeerConfig that is missing: its peers are left out, as Cilium does (facts: cilium.md 1.2).
- One that is invalid, and an invalid CiliumBGPAdvertisement: the last good form stays in force.
- An override that is invalid: everything stays as it was, because an instance without its overridden AS or
  router ID would be another router.
A default gateway or a source interface that the node does not have: that peer is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bgpctl.core.model import Family, IPAddress
from bgpctl.core.policy.nodeconfig import Advertisement, FamilyConfig, Instance, NodeConfig, PeerConfig
from bgpctl.core.policy.v2 import cluster
from bgpctl.core.policy.v2.advertisement import BGPAdvertisement, parse_advertisement
from bgpctl.core.policy.v2.cluster import ClusterConfig, ClusterInstance, ClusterPeer
from bgpctl.core.policy.v2.common import Parsed
from bgpctl.core.policy.v2.override import InstanceOverride, NodeConfigOverride, parse_override
from bgpctl.core.policy.v2.peer import KIND as PEER_CONFIG
from bgpctl.core.policy.v2.peer import BGPPeerConfig, PeerFamily, parse_peer_config

Document = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Host:
    """What only the node itself can tell. `interfaces`: the addresses of each interface that is up;
    `gateways`: the default gateway of "ipv4" and "ipv6". None = the reader is not on the node: a source
    interface is then not looked up, and a gateway's peer is left out."""

    interfaces: Mapping[str, Sequence[IPAddress]] | None = field(default_factory=dict)
    gateways: Mapping[str, IPAddress] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resources:
    """The parsed objects that a cluster configuration is joined with."""

    peer_configs: Mapping[str, Parsed[BGPPeerConfig]] = field(default_factory=dict)
    advertisements: tuple[Parsed[BGPAdvertisement], ...] = ()
    overrides: Mapping[str, Parsed[NodeConfigOverride]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compiled:
    """`config` None = nothing can be run. `stale`: it is the last good form of everything."""

    config: NodeConfig | None
    problems: tuple[str, ...] = ()
    stale: bool = False


def read_resources(
    peer_configs: Iterable[Document], advertisements: Iterable[Document], overrides: Iterable[Document]
) -> Resources:
    """Objects of an API server, read leniently."""
    peers = [parse_peer_config(document, "", strict=False) for document in peer_configs]
    adverts = [parse_advertisement(document, "", strict=False) for document in advertisements]
    nodes = [parse_override(document, "", strict=False) for document in overrides]
    return Resources(
        {parsed.name: parsed for parsed in peers},
        tuple(sorted(adverts, key=lambda parsed: parsed.name)),
        {parsed.name: parsed for parsed in nodes},
    )


def compile_node(
    config: ClusterConfig,
    resources: Resources,
    node: str,
    host: Host = Host(),
    previous: NodeConfig | None = None,
) -> Compiled:
    """What `node` runs by `config`. `previous` is what it ran by the same cluster configuration so far."""
    join = _Join(resources, host, previous)
    override = resources.overrides.get(node)
    if override is not None:
        join.tell(override)
        if override.value is None:
            return Compiled(previous, tuple(join.problems), stale=True)
    changes = override.value if override is not None and override.value else NodeConfigOverride(node)
    instances = tuple(join.instances(config, changes))
    return Compiled(NodeConfig(config.name, instances, cluster.KIND), tuple(dict.fromkeys(join.problems)))


class _LeftOut(Exception):
    """This peer gets no session; says why."""


class _Join:
    """The joining of one node, and the sentences about what could not be joined."""

    def __init__(self, resources: Resources, host: Host, previous: NodeConfig | None) -> None:
        self.resources, self.host = resources, host
        self.problems: list[str] = []
        instances = previous.instances if previous is not None else ()
        self._before = {peer.name: peer for instance in instances for peer in instance.peers}
        self._names: set[str] = set()

    def tell(self, parsed: Parsed[T]) -> None:
        """The faults and warnings of an object that is in use."""
        name = f"{parsed.kind} {parsed.name}"
        for problem in parsed.problems:
            self.problems.append(f"{name} is invalid: {problem.path or '(document)'}: {problem.message}")
        for warning in parsed.warnings:
            self.problems.append(f"warning: {name}: {warning.path}: {warning.message}")

    def instances(self, config: ClusterConfig, changes: NodeConfigOverride) -> Iterator[Instance]:
        for instance in config.instances:
            found = self._instance(instance, changes.instance(instance.name))
            if found is not None:
                yield found

    def _instance(self, instance: ClusterInstance, change: InstanceOverride) -> Instance | None:
        asn = instance.local_asn if change.local_asn is None else change.local_asn
        if asn is None:
            self.problems.append(
                f"instance {instance.name} was left out: neither it nor an override sets its localASN"
            )
            return None
        port = instance.local_port if change.local_port is None else change.local_port
        sources = {peer.name: peer.local_address for peer in change.peers}
        peers: list[PeerConfig] = []
        for peer in instance.peers:
            name = f"{instance.name}/{peer.name}"
            try:
                peers.append(self._peer(name, asn, peer, sources.get(peer.name)))
            except _LeftOut as reason:
                self.problems.append(f"peer {name}: no session, because {reason}")
        return Instance(instance.name, asn, change.router_id, port or None, tuple(peers))

    # -- peers

    def _peer(self, name: str, local_asn: int, peer: ClusterPeer, source: IPAddress | None) -> PeerConfig:
        if name in self._names:  # a/b + c and a + b/c
            raise _LeftOut("another instance has a peer that is called the same")
        self._names.add(name)
        address, settings = self._address(peer), self._settings(name, peer)
        if isinstance(settings, PeerConfig):
            return replace(settings, address=address, asn=peer.asn)
        found = self._from(settings, name, local_asn, peer.asn, address)
        if source is None:
            return self._bound(found, settings.source_interface)
        if source.version != address.version:
            raise _LeftOut(f"its localAddress {source} is of the other IP version")
        return replace(found, local_address=source)

    def _address(self, peer: ClusterPeer) -> IPAddress:
        if peer.address is not None:
            return peer.address
        if peer.gateway is None:
            raise _LeftOut("it has no peerAddress that can be used, nor autoDiscovery")
        gateway = (self.host.gateways or {}).get(peer.gateway.afi)
        if gateway is None:
            where = "is not known here" if self.host.gateways is None else "does not exist on this node"
            raise _LeftOut(f"its address is the default gateway of {peer.gateway.afi}, which {where}")
        if gateway.version == 6 and gateway.is_link_local:
            raise _LeftOut(f"the default gateway {gateway} is link-local")
        return gateway

    def _settings(self, name: str, peer: ClusterPeer) -> BGPPeerConfig | PeerConfig:
        """What the reference leads to: settings, or the peer's last good form."""
        if peer.config is None:
            return BGPPeerConfig("")
        parsed = self.resources.peer_configs.get(peer.config)
        if parsed is None:
            raise _LeftOut(f"{PEER_CONFIG} {peer.config} does not exist")
        self.tell(parsed)
        if parsed.value is not None:
            return parsed.value
        if name not in self._before:
            raise _LeftOut(f"{PEER_CONFIG} {peer.config} is invalid")
        return self._before[name]

    def _from(
        self, settings: BGPPeerConfig, name: str, local_asn: int, asn: int, address: IPAddress
    ) -> PeerConfig:
        external = asn not in (0, local_asn)
        return PeerConfig(
            name=name,
            address=address,
            asn=asn,
            port=settings.port,
            secret=settings.secret,
            multihop_ttl=settings.multihop_ttl,
            connect_retry_time=settings.connect_retry_time,
            hold_time=settings.hold_time,
            keepalive_time=settings.keepalive_time,
            restart_time=settings.restart_time,
            graceful_notification=settings.graceful_notification,
            families=tuple(self._families(settings.families, name, external)),
        )

    def _bound(self, peer: PeerConfig, interface: str | None) -> PeerConfig:
        """The peer with the one address of its source interface. Cilium's code leaves it out when there is
        none or more than one, and so do we: from a wrong address the router would refuse the session."""
        if interface is None or self.host.interfaces is None:
            return peer
        version, known = peer.address.version, interface in self.host.interfaces
        found = [a for a in usable(self.host.interfaces.get(interface, ())) if a.version == version]
        if len(found) == 1:
            return replace(peer, local_address=found[0])
        what = (
            f"has {len(found)} usable IPv{version} addresses, not one" if known else "is not up on this node"
        )
        raise _LeftOut(f"its sourceInterface {interface} {what}")

    # -- what is advertised

    def _families(self, families: Sequence[PeerFamily], name: str, external: bool) -> Iterator[FamilyConfig]:
        selected: dict[Family, dict[Advertisement, None]] = {}
        for item in families:
            found = selected.setdefault(item.family, {})
            if item.advertisements is None:
                continue
            for parsed in self.resources.advertisements:
                if item.advertisements.matches(dict(parsed.labels)):
                    self.tell(parsed)
                    found.update(dict.fromkeys(self._advertisements(parsed)))
        for family, advertisements in selected.items():
            told = (self._external(a, name) if external else a for a in advertisements)
            yield FamilyConfig(family, tuple(dict.fromkeys(told)))

    def _advertisements(self, parsed: Parsed[BGPAdvertisement]) -> Iterable[Advertisement]:
        if parsed.value is not None:
            return parsed.value.advertisements
        before = (family for peer in self._before.values() for family in peer.families)
        return (a for family in before for a in family.advertisements if a.origin == parsed.name)

    def _external(self, advertisement: Advertisement, peer: str) -> Advertisement:
        if advertisement.attributes.local_preference is None:
            return advertisement
        self.problems.append(
            f"warning: peer {peer}: the localPreference of {advertisement.origin} has no effect: the peer is "
            "external (RFC 4271 section 5.1.5), only iBGP has it"
        )
        return replace(advertisement, attributes=replace(advertisement.attributes, local_preference=None))


def usable(addresses: Iterable[IPAddress]) -> Iterator[IPAddress]:
    """The addresses of an interface that others can reach: no loopback, multicast or unspecified ones, and of
    the link-local ones only IPv4's (facts: cilium.md sections 1.4 and 2.1). Each once."""
    for address in dict.fromkeys(addresses):
        if address.is_loopback or address.is_multicast or address.is_unspecified:
            continue
        if address.version == 6 and (address.is_link_local or address.ipv4_mapped is not None):
            continue
        yield address
