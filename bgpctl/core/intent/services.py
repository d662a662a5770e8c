"""Services as they are read: their addresses by type, and what is said of them.

A candidate is one address that could be announced; `core/intent/candidates.py` gives the verdict on each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from bgpctl.core.intent.endpoints import Key, Ports, port_names
from bgpctl.core.intent.exposure import EVERYWHERE, Exposure, read_exposure
from bgpctl.core.model import IPNetwork, host_network
from bgpctl.core.policy.nodeconfig import AddressType, Source
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import MALFORMED, fault_in, labels_of, metadata, name_of, namespace_of

LOAD_BALANCER_CLASS = "io.cilium/bgp-control-plane"

# Reasons of absence. MetalLB's names where it has one (facts: speakers.md section 6, item 7).
NOT_SELECTED = "notSelected"
NO_MATCHING_ADVERTISEMENT = "noMatchingAdvertisement"
NO_LOAD_BALANCER_IP = "noLoadBalancerIP"
WRONG_CLASS = "loadBalancerClass"
NO_LOCAL_ENDPOINTS = "noLocalEndpoints"
NO_ENDPOINTS = "noEndpoints"
NO_ENDPOINT_SLICE = "noEndpointSlice"
NO_INTERFACE_ADDRESS = "noInterfaceAddress"
HEADLESS = "headless"
NOT_ON_THIS_NODE = "serviceNotOnNode"
NOT_THIS_TYPE = "serviceTypeNotExposed"
INGRESS_NOT_VIP = "ipModeProxy"
FAMILY_NOT_CONFIGURED = "familyNotConfigured"
FAMILY_NOT_NEGOTIATED = "familyNotNegotiated"
NEXT_HOP_NOT_NEGOTIATED = "nextHopNotNegotiated"

VIP_MODES = (None, "VIP")
"""KEP-1860: what an ingress may say for the cluster to answer for its address; nil is VIP."""

NO_ADDRESSES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that could be announced. `reason` "" = nothing on the node speaks against it, and `detail`
    says in a sentence why. `kind` is the address type of a Service's address, None for other sources.
    `prefix` None = no address yet. `aggregable`: its traffic policy is Cluster, so that a shorter prefix may
    stand for it. `interface` is the one that has the address (source Interface)."""

    origin: str
    kind: AddressType | None
    prefix: IPNetwork | None
    labels: Mapping[str, str]
    reason: str = ""
    detail: str = ""
    source: Source = Source.SERVICE
    aggregable: bool = False
    interface: str = ""


# --- addresses --------------------------------------------------------------------------------------------


# An address that nobody announces any more is forgotten: a cluster may go through millions of them.
_prefixes: WeakValueDictionary[str, IPNetwork] = WeakValueDictionary()


def host_prefix(text: str) -> IPNetwork:
    """`10.0.0.1` -> 10.0.0.1/32. Raises ValueError. The same text gives the same object while somebody has
    it."""
    found = _prefixes.get(text)
    if found is None:
        found = _prefixes[text] = host_network(parse_address(text))
    return found


def _load_balancer_ips(service: Mapping[str, Any]) -> list[str]:
    if service["spec"].get("type") != "LoadBalancer":
        return []
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return [entry["ip"] for entry in balancer.get("ingress") or () if entry.get("ip")]


def _not_vips(service: Mapping[str, Any]) -> frozenset[str]:
    """Of the load balancer's addresses, those that are answered outside of the cluster (KEP-1860)."""
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    listed = [(entry.get("ip"), entry.get("ipMode") in VIP_MODES) for entry in balancer.get("ingress") or ()]
    return frozenset(ip for ip, vip in listed if ip and not vip and (ip, True) not in listed)


def _cluster_ips(service: Mapping[str, Any]) -> list[str]:
    spec = service["spec"]
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [text for text in texts if text and text != "None"]


def _external_ips(service: Mapping[str, Any]) -> list[str]:
    return list(service["spec"].get("externalIPs") or ())


@dataclass(frozen=True, slots=True)
class Rule:
    """How one address type is found, and which traffic policy governs it. `balanced`: a load balancer's, with
    a class, an `ipMode`, and Envoy before it where Cilium says so. `type`: as `service.cilium.io/type` calls
    it, "" = that annotation does not mean it."""

    addresses: Callable[[Mapping[str, Any]], list[str]]
    policy: str
    type: str = ""
    balanced: bool = False


RULES: dict[AddressType, Rule] = {
    AddressType.LOAD_BALANCER: Rule(
        _load_balancer_ips, "externalTrafficPolicy", "LoadBalancer", balanced=True
    ),
    AddressType.EXTERNAL: Rule(_external_ips, "externalTrafficPolicy"),
    AddressType.CLUSTER: Rule(_cluster_ips, "internalTrafficPolicy", "ClusterIP"),
}

POLICIES = ("externalTrafficPolicy", "internalTrafficPolicy")


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """What is read of one Service, once: a speaker holds every Service of the cluster in memory.

    `texts` are its addresses by type as they are written, `local` its traffic policies that are Local,
    `not_vips` the load balancer's addresses that are answered elsewhere. `pending`: why it has no load
    balancer address though it should, "" = it has or needs none. `problem` is a sentence when the document is
    malformed, `warning` one when a part of it is ignored.
    """

    key: Key
    labels: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[tuple[AddressType, tuple[str, ...]], ...] = ()
    local: tuple[str, ...] = ()
    load_balancer_class: str | None = None
    pending: str = ""
    problem: str = ""
    warning: str = ""
    ports: Ports = ()
    exposure: Exposure = EVERYWHERE
    not_vips: frozenset[str] = frozenset()


def read_service(document: Mapping[str, Any]) -> Service:
    """Never raises: a malformed one is a problem."""
    try:
        return _read(document)
    except MALFORMED as error:
        key = (namespace_of(document), name_of(document)) if isinstance(document, Mapping) else ("?", "?")
        return Service(key, problem=malformed(key, error))


def malformed(key: Key, error: Exception) -> str:
    """The problem of a Service that cannot be read; `error` is one of MALFORMED."""
    return f"Service {key[0]}/{key[1]} was left out: it is malformed ({fault_in(error)})"


def _read(document: Mapping[str, Any]) -> Service:
    spec, name = document["spec"], document["metadata"]["name"]
    namespace = metadata(document).get("namespace") or "default"
    if spec.get("type") == "ExternalName":
        return Service((namespace, name))
    if not (isinstance(name, str) and isinstance(namespace, str)):
        raise ValueError("its name is no text")
    texts = {kind: tuple(RULES[kind].addresses(document)) for kind in AddressType}
    pending = spec.get("type") == "LoadBalancer" and not texts[AddressType.LOAD_BALANCER]
    labels = labels_of(document)
    exposure, ignored = read_exposure(document, labels)
    return Service(
        (namespace, name),
        {
            **labels,
            "io.kubernetes.service.name": name,
            "io.kubernetes.service.namespace": namespace,
        },
        tuple((kind, found) for kind, found in texts.items() if found),
        tuple(policy for policy in POLICIES if spec.get(policy) == "Local"),
        spec.get("loadBalancerClass"),
        _no_address(document) if pending else "",
        "",
        f"warning: Service {namespace}/{name}: {ignored}" if ignored else "",
        port_names(spec.get("ports")),
        exposure,
        _not_vips(document) if texts[AddressType.LOAD_BALANCER] else NO_ADDRESSES,
    )


def _no_address(service: Mapping[str, Any]) -> str:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    if balancer.get("ingress"):
        return "its load balancer status has a host name and no IP address"
    return "no address has been allocated to it yet (status.loadBalancer.ingress is empty)"
