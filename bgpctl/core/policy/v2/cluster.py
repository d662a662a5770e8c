"""CiliumBGPClusterConfig documents -> validated cluster configurations: which nodes run which instances, and
who their peers are. Every field with its type, range and enum (facts: cilium.md sections 1.2 and 1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.model import Family, IPAddress
from bgpctl.core.policy.claim import Claim, Owner
from bgpctl.core.policy.v2.common import PORTS, Reader, created_at, read_address, read_name
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.fields import Fields, Range
from bgpctl.core.reading.selectors import LabelSelector, read_selector

KIND = "CiliumBGPClusterConfig"

LIMITS = {"localASN": Range(1, 4294967295), "localPort": PORTS, "peerASN": Range(0, 4294967295)}
DEFAULTS = {"peerASN": 0}
INSTANCES = Range(1, 16)
DISCOVERY_MODES = ("DefaultGateway",)
GATEWAY_FAMILIES = ("ipv4", "ipv6")

# v2alpha1 only; anything else was never looked up by anybody.
REFERENCE_DEFAULTS = {"group": "cilium.io", "kind": "CiliumBGPPeerConfig"}


@dataclass(frozen=True, slots=True)
class ClusterPeer:
    """One entry of `peers[]`. `asn` 0 = any. `gateway`: without an address, the peer is the default gateway
    of this family. `config` names a CiliumBGPPeerConfig, None = the default one."""

    name: str
    address: IPAddress | None = None
    asn: int = 0
    gateway: Family | None = None
    config: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterInstance:
    """One entry of `bgpInstances[]`. `local_asn` None = an override must say; `local_port` None = no
    listener."""

    name: str
    local_asn: int | None = None
    local_port: int | None = None
    peers: tuple[ClusterPeer, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """A valid cluster configuration. `node_selector` None or empty selects every node."""

    name: str
    node_selector: LabelSelector | None
    instances: tuple[ClusterInstance, ...]
    created: str = ""

    def selects(self, labels: Mapping[str, str]) -> bool:
        return self.node_selector is None or self.node_selector.matches(labels)


def parse_cluster_config(
    document: Mapping[str, Any], source: str, index: int = 1, strict: bool = True, prefix: str = ""
) -> Claim[ClusterConfig]:
    """Read one CiliumBGPClusterConfig; the parameters are those of `core.policy.peering.parse_policy`."""
    reader = Reader(KIND, document, source, index, strict, prefix)
    spec, faults = reader.spec, reader.faults
    selector, valid = None, False
    instances: tuple[ClusterInstance, ...] = ()
    if spec is not None:
        before = len(faults.problems)
        selector = read_selector(spec, "nodeSelector")
        valid = len(faults.problems) == before
        instances = _instances(spec, reader.v2)
        spec.close()
    name, created = name_of(document), created_at(document)
    config = None if faults.problems else ClusterConfig(name, selector, instances, created)
    problems, warnings = tuple(faults.problems), tuple(faults.warnings)
    return Claim(Owner(KIND, name), config, selector, valid, created, problems, warnings)


def _instances(spec: Fields, v2: bool) -> tuple[ClusterInstance, ...]:
    seen: dict[str, str] = {}
    items = spec.objects("bgpInstances", "a list of BGP instances", INSTANCES.low, INSTANCES.high)
    return tuple(_instance(fields, seen, v2) for fields in items)


def _instance(fields: Fields, seen: dict[str, str], v2: bool) -> ClusterInstance:
    name = read_name(fields, seen)
    local_asn = fields.optional_integer("localASN", LIMITS["localASN"])
    local_port = fields.optional_integer("localPort", LIMITS["localPort"])
    peers_seen: dict[str, str] = {}
    peers = tuple(_peer(item, peers_seen, v2) for item in fields.objects("peers", "a list of peers"))
    fields.close()
    if local_asn is None:
        fields.warn(
            "localASN",
            "is not set: the instance runs only where a CiliumBGPNodeConfigOverride sets its localASN",
        )
    return ClusterInstance(name, local_asn, local_port, peers)


def _peer(fields: Fields, seen: dict[str, str], v2: bool) -> ClusterPeer:
    name = read_name(fields, seen)
    address = read_address(fields, "peerAddress")
    asn = fields.integer("peerASN", LIMITS["peerASN"], DEFAULTS["peerASN"])
    gateway = _discovery(fields) if v2 else None
    discovers = v2 and fields.value.get("autoDiscovery") is not None
    config = _reference(fields, v2)
    fields.close()
    if fields.value.get("peerAddress") is None and not discovers:
        fields.warn("peerAddress", "is not set, nor is autoDiscovery: this peer gets no session")
    elif address is not None and gateway is not None:
        fields.warn("autoDiscovery", "has no effect: peerAddress is set")
    elif address is not None and address.version == 6 and address.is_link_local:
        fields.warn(
            "peerAddress", "is link-local: no interface can be named here, the session may not come up"
        )
    return ClusterPeer(name, address, asn, gateway, config)


def _discovery(fields: Fields) -> Family | None:
    """The family whose default gateway is the peer."""
    block = fields.mapping("autoDiscovery")
    if block is None:
        return None
    mode = block.choice("mode", DISCOVERY_MODES, required=True)
    # The CRD's rule: self.mode != 'DefaultGateway' || has(self.defaultGateway)
    gateway = block.mapping("defaultGateway", required=mode == "DefaultGateway")
    family = gateway.choice("addressFamily", GATEWAY_FAMILIES, required=True) if gateway else None
    if gateway is not None:
        gateway.close()
    block.close()
    return Family(family) if family else None


def _reference(fields: Fields, v2: bool) -> str | None:
    block = fields.mapping("peerConfigRef")
    if block is None:
        if fields.value.get("peerConfigRef") is None:
            fields.warn("peerConfigRef", "is not set: the default settings apply, which advertise nothing")
        return None
    name = block.string("name", "the name of a CiliumBGPPeerConfig", required=True)
    for field, only in {} if v2 else REFERENCE_DEFAULTS.items():
        text = block.string(field, f'"{only}"')
        if text is not None and text != only:
            block.warn(field, f"has no effect: a {REFERENCE_DEFAULTS['kind']} of {only} is looked up")
    block.close()
    return name
