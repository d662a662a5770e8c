"""The neutral form between the custom resources and the intent: what one node is told to run.

CiliumBGPPeeringPolicy compiles to it in `core/policy/peering.py`, the v2 resources (CiliumBGPClusterConfig,
PeerConfig, Advertisement, NodeConfigOverride) in `v2/compile.py`; routes are compiled from it alone.
Facts: cilium.md sections 1.1, 1.2, 1.4, 1.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address

from bgpctl.core.model import NO_ATTRIBUTES, Attributes, Family, IPAddress
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.selectors import LabelSelector


class AddressType(StrEnum):
    """The addresses of a Service, as `serviceAdvertisements` spells them."""

    LOAD_BALANCER = "LoadBalancerIP"
    CLUSTER = "ClusterIP"
    EXTERNAL = "ExternalIP"


class Source(StrEnum):
    """What a route is made from, as `advertisementType` and `selectorType` spell it."""

    POD_CIDR = "PodCIDR"
    SERVICE = "Service"
    LB_POOL = "CiliumLoadBalancerIPPool"
    POD_POOL = "CiliumPodIPPool"
    INTERFACE = "Interface"


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What is advertised for one address family. `selector` picks Services or pod IP pools, None picks none
    of them; PodCIDR needs none. `attributes` go with every route of it.

    `aggregation` has the prefix lengths (IPv4, IPv6) to which the addresses of Services are aggregated, None
    = /32 and /128. `interface` names whose addresses are advertised (source Interface). `origin` is the name
    of the CiliumBGPAdvertisement, "" for a policy's own.
    """

    source: Source
    addresses: frozenset[AddressType] = frozenset()
    selector: LabelSelector | None = None
    attributes: Attributes = NO_ATTRIBUTES
    aggregation: tuple[int | None, int | None] = (None, None)
    interface: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """Attributes for the routes from some objects, however they came to be advertised (the policy's
    `advertisedPathAttributes`). `selector` None = all objects of that kind."""

    source: Source
    selector: LabelSelector | None = None
    attributes: Attributes = NO_ATTRIBUTES
    path: str = ""


@dataclass(frozen=True, slots=True)
class FamilyConfig:
    """One family of a session and what it advertises."""

    family: Family
    advertisements: tuple[Advertisement, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """One session as configured, defaults filled in. Times in seconds; `restart_time` None = graceful
    restart off, `graceful_notification`: with the N bit (RFC 8538)? `secret` names the Secret with the
    TCP-MD5 password; `asn` 0 = whatever the peer's OPEN says.
    """

    name: str
    address: IPAddress
    asn: int
    port: int = 179
    local_address: IPAddress | None = None
    secret: str | None = None
    multihop_ttl: int = 1
    connect_retry_time: int = 120
    hold_time: int = 90
    keepalive_time: int = 30
    restart_time: int | None = None
    graceful_notification: bool = False
    families: tuple[FamilyConfig, ...] = ()
    rules: tuple[AttributeRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    """One BGP router on the node. `router_id` None = the node's; `local_port` None = no listener."""

    name: str
    local_asn: int
    router_id: IPv4Address | None = None
    local_port: int | None = None
    peers: tuple[PeerConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Everything one node is told to run, and which object (`owner`, of the `kind`) told it."""

    owner: str
    instances: tuple[Instance, ...] = ()
    kind: str = "CiliumBGPPeeringPolicy"


# --- the node's annotations -------------------------------------------------------------------------------

ANNOTATION_PREFIX = "cilium.io/bgp-virtual-router."
LOCAL_PORTS = Range(1, 65535)


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """What the annotation of one virtual router sets on its node."""

    router_id: IPv4Address | None = None
    local_port: int | None = None


def router_settings(annotations: Mapping[str, str]) -> tuple[dict[int, RouterSettings], tuple[str, ...]]:
    """`cilium.io/bgp-virtual-router.{asn}="router-id=10.0.0.2,local-port=179"` by ASN, and the faults.

    A repeated key: the last one wins, as in Cilium. A bad value costs that value only (Cilium drops all
    annotations of the node then). Facts: cilium.md section 1.1.
    """
    settings: dict[int, RouterSettings] = {}
    problems: list[str] = []
    for key in sorted(annotations):
        if not key.startswith(ANNOTATION_PREFIX):
            continue
        asn = key.removeprefix(ANNOTATION_PREFIX)
        if not (asn.isascii() and asn.isdigit() and int(asn) <= 0xFFFFFFFF):
            problems.append(f"annotation {key}: must end in an ASN, 0..4294967295")
            continue
        settings[int(asn)] = _settings(key, annotations[key], problems)
    return settings, tuple(problems)


def _settings(key: str, text: str, problems: list[str]) -> RouterSettings:
    pairs = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if equals and name in ("router-id", "local-port"):
            pairs[name] = value
        else:
            problems.append(f"annotation {key}: {part!r} is neither router-id=IPV4 nor local-port=PORT")
    return RouterSettings(
        _router_id(key, pairs.get("router-id"), problems), _local_port(key, pairs.get("local-port"), problems)
    )


def _router_id(key: str, text: str | None, problems: list[str]) -> IPv4Address | None:
    if text is None:
        return None
    try:
        address = IPv4Address(text)
    except AddressValueError:
        address = IPv4Address(0)
    if not int(address):
        problems.append(
            f"annotation {key}: router-id must be an IPv4 address other than 0.0.0.0; it is {text!r}"
        )
        return None
    return address


def _local_port(key: str, text: str | None, problems: list[str]) -> int | None:
    if text is None:
        return None
    # 65535 has five digits: a longer number is refused before int() has to read it.
    if text.isascii() and text.isdigit() and len(text) <= 5 and LOCAL_PORTS.holds(int(text)):
        return int(text)
    problems.append(f"annotation {key}: local-port must be {LOCAL_PORTS}; it is {text!r}")
    return None
