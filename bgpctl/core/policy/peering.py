"""CiliumBGPPeeringPolicy (cilium.io/v2alpha1) documents -> validated policies, all faults at once.

Every field of the resource with its default, type, range and enum (facts: cilium.md section 1.1). What is
valid but cannot take effect here (other families than IPv4 and IPv6 unicast …) is a warning
with its path, never silence. `LIMITS`, `DEFAULTS` and the enums below are what the CRD in
bgpctl/deploy/crds says too; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

from bgpctl.core.bgp.communities import read_communities
from bgpctl.core.model import IPV4, IPV6, Attributes, Family, IPAddress
from bgpctl.core.policy.annotations import read_graceful_notification
from bgpctl.core.policy.claim import Claim, Owner
from bgpctl.core.policy.nodeconfig import (
    AddressType,
    Advertisement,
    AttributeRule,
    FamilyConfig,
    Instance,
    NodeConfig,
    PeerConfig,
    RouterSettings,
    Source,
)
from bgpctl.core.reading.addresses import parse_network, plain
from bgpctl.core.reading.documents import metadata, name_of, read_header
from bgpctl.core.reading.fields import Faults, Fields, Range, show
from bgpctl.core.reading.selectors import LabelSelector, read_selector

API_VERSION = "cilium.io/v2alpha1"
KIND = "CiliumBGPPeeringPolicy"

LIMITS = {
    "localASN": Range(0, 4294967295),
    "peerASN": Range(0, 4294967295),
    "peerPort": Range(1, 65535),
    "eBGPMultihopTTL": Range(1, 255),
    "connectRetryTimeSeconds": Range(1, 2147483647),
    "holdTimeSeconds": Range(3, 65535),
    "keepAliveTimeSeconds": Range(1, 65535),
    "restartTimeSeconds": Range(1, 4095),
    "localPreference": Range(0, 4294967295),
}
DEFAULTS = {
    "peerPort": 179,
    "eBGPMultihopTTL": 1,
    "connectRetryTimeSeconds": 120,
    "holdTimeSeconds": 90,
    "keepAliveTimeSeconds": 30,
    "restartTimeSeconds": 120,
}
AFIS = ("ipv4", "ipv6", "l2vpn", "ls", "opaque")
SAFIS = (
    "unicast",
    "multicast",
    "mpls_label",
    "encapsulation",
    "vpls",
    "evpn",
    "ls",
    "sr_policy",
    "mup",
    "mpls_vpn",
    "mpls_vpn_multicast",
    "route_target_constraints",
    "flowspec_unicast",
    "flowspec_vpn",
    "key_value",
)
SPOKEN = (IPV4, IPV6)
SERVICE_ADVERTISEMENTS = tuple(AddressType)
SELECTOR_TYPES = (Source.POD_CIDR, Source.LB_POOL, Source.POD_POOL)

ADDRESS_RULE = "one host in CIDR notation: 10.0.0.1/32, or 2001:db8::1/128"


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One entry of `neighbors[]`, defaults filled in."""

    address: IPAddress
    asn: int
    port: int
    auth_secret: str | None
    multihop_ttl: int
    connect_retry_time: int
    hold_time: int
    keepalive_time: int
    restart_time: int | None
    families: tuple[Family, ...]
    attribute_rules: tuple[AttributeRule, ...]


@dataclass(frozen=True, slots=True)
class VirtualRouter:
    """One entry of `virtualRouters[]`, known on the node by its local ASN."""

    local_asn: int
    export_pod_cidr: bool
    pod_pool_selector: LabelSelector | None
    service_selector: LabelSelector | None
    service_advertisements: tuple[AddressType, ...]
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True, slots=True)
class PeeringPolicy:
    """A valid policy. `node_selector` None or empty selects every node; `graceful_notification`: its peers
    with graceful restart get the N bit (RFC 8538)."""

    name: str
    node_selector: LabelSelector | None
    virtual_routers: tuple[VirtualRouter, ...]
    created: str = ""
    graceful_notification: bool = False

    def selects(self, labels: Mapping[str, str]) -> bool:
        return self.node_selector is None or self.node_selector.matches(labels)


def parse_policy(
    document: Mapping[str, Any], source: str, index: int = 1, strict: bool = True, prefix: str = ""
) -> Claim[PeeringPolicy]:
    """Read one CiliumBGPPeeringPolicy.

    `source` and `index` (from 1) say where the document is, for the problems; `prefix` goes before every
    path. With `strict` an unknown field is an error (files, `policy check`); without, it is ignored (objects
    that an API server has already pruned by a schema that may be newer than ours).
    """
    faults = Faults(source, index, strict, prefix)
    top = read_header(document, KIND, API_VERSION, faults)
    spec = top.mapping("spec", required=True)
    top.close()
    selector, valid = None, True
    routers: tuple[VirtualRouter, ...] = ()
    if spec is not None:
        before = len(faults.problems)
        selector = read_selector(spec, "nodeSelector")
        valid = len(faults.problems) == before
        routers = _virtual_routers(spec)
        spec.close()
    notification = read_graceful_notification(document, faults, tuple(_without_restart(routers)))
    name, created = name_of(document), str(metadata(document).get("creationTimestamp") or "")
    policy = None if faults.problems else PeeringPolicy(name, selector, routers, created, notification)
    valid = valid and spec is not None
    problems, warnings = tuple(faults.problems), tuple(faults.warnings)
    return Claim(Owner(KIND, name), policy, selector, valid, created, problems, warnings)


def _without_restart(routers: Iterable[VirtualRouter]) -> Iterator[str]:
    for router in routers:
        yield from (str(n.address) for n in router.neighbors if n.restart_time is None)


# --- virtual routers --------------------------------------------------------------------------------------


def _virtual_routers(spec: Fields) -> tuple[VirtualRouter, ...]:
    routers: list[VirtualRouter] = []
    asns: dict[int, str] = {}
    endpoints: dict[tuple[IPAddress, int], str] = {}
    for fields in spec.objects("virtualRouters", "a list of virtual routers", minimum=1):
        router = _virtual_router(fields, endpoints)
        routers.append(router)
        if router.local_asn in asns:
            first = asns[router.local_asn]
            fields.error(
                "localASN", f"{router.local_asn} is the virtual router {first} already; it must be unique"
            )
        if fields.value.get("localASN") == router.local_asn:  # not the stand-in for a bad one
            asns.setdefault(router.local_asn, fields.path)
    return tuple(routers)


def _virtual_router(fields: Fields, endpoints: dict[tuple[IPAddress, int], str]) -> VirtualRouter:
    local_asn = fields.integer("localASN", LIMITS["localASN"], required=True)
    if fields.value.get("localASN") == 0:
        fields.warn("localASN", "AS 0 is reserved (RFC 7607): a router refuses the session")
    export = fields.boolean("exportPodCIDR")
    pools = read_selector(fields, "podIPPoolSelector")
    selector = read_selector(fields, "serviceSelector")
    advertised = _service_advertisements(fields)
    neighbors = _neighbors(fields, local_asn, endpoints)
    fields.close()
    return VirtualRouter(local_asn, export, pools, selector, advertised, neighbors)


def _service_advertisements(fields: Fields) -> tuple[AddressType, ...]:
    found: dict[AddressType, None] = {}
    for path, text in fields.strings("serviceAdvertisements"):
        if text in SERVICE_ADVERTISEMENTS:
            found[AddressType(text)] = None
        else:
            names = ", ".join(SERVICE_ADVERTISEMENTS)
            fields.faults.error(path, f"must be one of {names}; it is {show(text)}")
    return tuple(found) or (AddressType.LOAD_BALANCER,)


def _neighbors(
    router: Fields, local_asn: int, endpoints: dict[tuple[IPAddress, int], str]
) -> tuple[Neighbor, ...]:
    neighbors: list[Neighbor] = []
    addresses: dict[IPAddress, str] = {}
    for fields in router.objects("neighbors", "a list of neighbors", minimum=1):
        neighbor = _neighbor(fields, local_asn)
        if neighbor is None:
            continue
        neighbors.append(neighbor)
        # A session is known by the peer's address within its router, and by address and port on the node.
        first = addresses.get(neighbor.address) or endpoints.get((neighbor.address, neighbor.port))
        if first:
            fields.error("peerAddress", f"duplicate peer: {neighbor.address} is {first} already")
        addresses.setdefault(neighbor.address, fields.path)
        endpoints.setdefault((neighbor.address, neighbor.port), fields.path)
    return tuple(neighbors)


# --- neighbors --------------------------------------------------------------------------------------------


def _integer(fields: Fields, name: str) -> int:
    return fields.integer(name, LIMITS[name], DEFAULTS[name])


def _neighbor(fields: Fields, local_asn: int) -> Neighbor | None:
    address = _address(fields)
    asn = fields.integer("peerASN", LIMITS["peerASN"], required=True)
    port = _integer(fields, "peerPort")
    secret = fields.string("authSecretRef", "the name of a Secret with the key password")
    ttl = _integer(fields, "eBGPMultihopTTL")
    retry = _integer(fields, "connectRetryTimeSeconds")
    hold, keepalive = read_timers(fields, _integer)
    restart = read_restart_time(fields, _integer)
    families = _families(fields)
    # A peer of any AS (0) may turn out to be internal: ExaBGP then sends LOCAL_PREF, and else leaves it out.
    rules = tuple(_rule(item, asn in (0, local_asn)) for item in fields.objects("advertisedPathAttributes"))
    fields.close()
    if ttl != 1 and asn == local_asn:
        fields.warn("eBGPMultihopTTL", "has no effect: peerASN equals localASN (iBGP)")
    if address is None:
        return None
    return Neighbor(address, asn, port, secret, ttl, retry, hold, keepalive, restart, families, rules)


def _address(fields: Fields) -> IPAddress | None:
    text = fields.string("peerAddress", ADDRESS_RULE, required=True)
    if text is None:
        return None
    try:
        parse_network(text, strict=False)  # a zone may hold anything, and ends in the engine's configuration
        interface = ip_interface(text)
    except ValueError:
        fields.error("peerAddress", f"must be {ADDRESS_RULE}; it is {show(text)}")
        return None
    address, host = interface.ip, f"{interface.ip}/{interface.max_prefixlen}"
    if "/" not in text or interface.network.prefixlen != interface.max_prefixlen:
        fields.error("peerAddress", f"must be {ADDRESS_RULE}; it is {show(text)}. Write {host}")
    elif address.is_unspecified or address.is_multicast:
        fields.error("peerAddress", f"must be the address of a router; it is {show(text)}")
    elif address.version == 6 and address.is_link_local:
        fields.warn(
            "peerAddress", "is link-local: no interface can be named here, the session may not come up"
        )
    return plain(address)


def read_timers(fields: Fields, integer: Callable[[Fields, str], int]) -> tuple[int, int]:
    """Hold and keepalive time in seconds; `integer` knows the bounds and the defaults of the kind."""
    hold, keepalive = integer(fields, "holdTimeSeconds"), integer(fields, "keepAliveTimeSeconds")
    if keepalive > hold:
        default = "" if fields.value.get("keepAliveTimeSeconds") is not None else " (the default)"
        fields.error(
            "keepAliveTimeSeconds",
            f"must be at most holdTimeSeconds ({hold}); it is {keepalive}{default}. Usual: {hold // 3}",
        )
    return hold, keepalive


def read_restart_time(fields: Fields, integer: Callable[[Fields, str], int]) -> int | None:
    """The Restart Time (RFC 4724) in seconds; None = graceful restart is off."""
    block = fields.mapping("gracefulRestart")
    if block is None:
        return None
    enabled = block.boolean("enabled", required=True)
    seconds = integer(block, "restartTimeSeconds")
    block.close()
    return seconds if enabled else None


def _families(fields: Fields) -> tuple[Family, ...]:
    """The unicast families that we speak; the others are warned about. None written = both."""
    written = 0
    spoken: dict[Family, None] = {}
    for item in fields.objects("families"):
        afi, safi = item.choice("afi", AFIS, required=True), item.choice("safi", SAFIS, required=True)
        item.close()
        written += 1
        family = Family(afi or "", safi or "")
        if family in SPOKEN:
            spoken[family] = None
        elif afi and safi:
            names = " and ".join(str(known) for known in SPOKEN)
            fields.faults.warn(item.path, f"{family} cannot be honoured: bgpctl's speaker speaks {names}")
    return tuple(spoken) if written else SPOKEN


def _rule(fields: Fields, internal: bool) -> AttributeRule:
    source = fields.choice("selectorType", SELECTOR_TYPES, required=True)
    selector = read_selector(fields, "selector")
    standard, large = read_communities(fields, "communities")
    preference = fields.optional_integer("localPreference", LIMITS["localPreference"])
    fields.close()
    if preference is not None and not internal:
        fields.warn(
            "localPreference",
            "has no effect: the peer is external (RFC 4271 section 5.1.5), only iBGP has it",
        )
        preference = None
    attributes = Attributes(communities=standard, large_communities=large, local_preference=preference)
    return AttributeRule(Source(source or Source.POD_CIDR), selector, attributes, fields.path)


# --- to the neutral form ----------------------------------------------------------------------------------


def node_config(policy: PeeringPolicy, settings: Mapping[int, RouterSettings]) -> NodeConfig:
    """The policy as the neutral form, with what the node's annotations set per local ASN."""
    return NodeConfig(
        policy.name,
        tuple(
            _instance(policy, router, settings.get(router.local_asn, RouterSettings()))
            for router in policy.virtual_routers
        ),
    )


def _instance(policy: PeeringPolicy, router: VirtualRouter, settings: RouterSettings) -> Instance:
    advertisements = _advertisements(router)
    peers = tuple(_peer(policy, router, neighbor, advertisements) for neighbor in router.neighbors)
    return Instance(str(router.local_asn), router.local_asn, settings.router_id, settings.local_port, peers)


def _advertisements(router: VirtualRouter) -> tuple[Advertisement, ...]:
    found = [Advertisement(Source.POD_CIDR)] if router.export_pod_cidr else []
    if router.pod_pool_selector is not None:
        found.append(Advertisement(Source.POD_POOL, selector=router.pod_pool_selector))
    services = frozenset(router.service_advertisements)
    return (*found, Advertisement(Source.SERVICE, services, router.service_selector))


def _peer(
    policy: PeeringPolicy,
    router: VirtualRouter,
    neighbor: Neighbor,
    advertisements: tuple[Advertisement, ...],
) -> PeerConfig:
    return PeerConfig(
        name=f"{router.local_asn}/{neighbor.address}",
        address=neighbor.address,
        asn=neighbor.asn,
        port=neighbor.port,
        secret=neighbor.auth_secret,
        multihop_ttl=neighbor.multihop_ttl,
        connect_retry_time=neighbor.connect_retry_time,
        hold_time=neighbor.hold_time,
        keepalive_time=neighbor.keepalive_time,
        restart_time=neighbor.restart_time,
        graceful_notification=policy.graceful_notification,
        families=tuple(FamilyConfig(family, advertisements) for family in neighbor.families),
        rules=neighbor.attribute_rules,
    )
