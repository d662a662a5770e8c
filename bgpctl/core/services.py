"""Which addresses of which Services this node could announce, and the traffic-policy verdict on each.

The rules are Cilium's (facts: cilium.md section 2.2), with these decisions of ours:
- A backend counts on its node when it is ready (a nil `ready` is ready, as the EndpointSlice API says), or
  when it is terminating and still serving: kube-proxy sends traffic to such ones (KEP-1669).
- `Cluster` without backends stays announced, as the operation guide says ("Service Losing All Backends"),
  unless the switch `withdraw_without_endpoints` is on: then it needs a usable one, as with MetalLB.
- Backends are counted per address family, as a v6 address is served by v6 endpoints only.
Verdicts here are about the node; whether a peer is told is decided in `core/routes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from bgpctl.core.documents import labels_of, metadata, name_of, namespace_of
from bgpctl.core.model import IPNetwork
from bgpctl.core.nodeconfig import AddressType, Source

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
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
FAMILY_NOT_CONFIGURED = "familyNotConfigured"
FAMILY_NOT_NEGOTIATED = "familyNotNegotiated"

# One bad object costs that object only: what reading a malformed one may raise.
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


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


# --- endpoints --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Backends:
    """What the EndpointSlices of one Service say, seen from one node, per IP version: all endpoints, those
    that can take traffic, and those of them that are on the node."""

    total: dict[int, int]
    usable: dict[int, int]
    local: dict[int, int]


class EndpointIndex:
    """The EndpointSlices by Service, read once."""

    __slots__ = ("_backends", "problems")

    def __init__(self, slices: Iterable[Mapping[str, Any]], node: str) -> None:
        self._backends: dict[tuple[str, str], Backends] = {}
        self.problems: list[str] = []
        for item in slices:
            try:
                self._add(item, node)
            except MALFORMED as error:
                where = f"{namespace_of(item)}/{name_of(item)}" if isinstance(item, Mapping) else "?"
                self.problems.append(f"EndpointSlice {where} was left out: it is malformed ({error})")

    def of(self, namespace: str, name: str) -> Backends | None:
        """None when the Service has no EndpointSlice at all."""
        return self._backends.get((namespace, name))

    def _add(self, item: Mapping[str, Any], node: str) -> None:
        meta = item["metadata"]
        service = (meta.get("labels") or {}).get(SERVICE_NAME_LABEL)
        if not service:
            return
        total, usable, local = _count(item.get("endpoints") or (), node)
        key = (meta.get("namespace") or "default", service)
        backends = self._backends.setdefault(key, Backends(_none(), _none(), _none()))
        for version in _versions(item.get("addressType")):
            backends.total[version] += total
            backends.usable[version] += usable
            backends.local[version] += local


def _none() -> dict[int, int]:
    return {4: 0, 6: 0}


def _versions(address_type: str | None) -> tuple[int, ...]:
    # The field is required by the API; a hand-written slice without it stands for both.
    return {"IPv4": (4,), "IPv6": (6,), None: (4, 6)}.get(address_type, ())


def _count(endpoints: Sequence[Mapping[str, Any]], node: str) -> tuple[int, int, int]:
    """(all endpoints, those that can take traffic, those of them on `node`)."""
    usable = local = 0
    for endpoint in endpoints:
        if _usable(endpoint.get("conditions") or {}):
            usable += 1
            local += endpoint.get("nodeName") == node
    return len(endpoints), usable, local


def _usable(conditions: Mapping[str, Any]) -> bool:
    ready = conditions.get("ready")
    if ready is None or ready is True:
        return True
    return conditions.get("terminating") is True and conditions.get("serving") is True


# --- addresses --------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def host_prefix(text: str) -> IPNetwork:
    """`10.0.0.1` -> 10.0.0.1/32. Raises ValueError. The same text gives the same object."""
    return ip_network(ip_address(text))


def _load_balancer_ips(service: Mapping[str, Any]) -> list[str]:
    if service["spec"].get("type") != "LoadBalancer":
        return []
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return [entry["ip"] for entry in balancer.get("ingress") or () if entry.get("ip")]


def _cluster_ips(service: Mapping[str, Any]) -> list[str]:
    spec = service["spec"]
    texts = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [text for text in texts if text and text != "None"]


def _external_ips(service: Mapping[str, Any]) -> list[str]:
    return list(service["spec"].get("externalIPs") or ())


@dataclass(frozen=True, slots=True)
class Rule:
    """How one address type is found, and which traffic policy governs it."""

    addresses: Callable[[Mapping[str, Any]], list[str]]
    policy: str
    class_checked: bool = False


RULES: dict[AddressType, Rule] = {
    AddressType.LOAD_BALANCER: Rule(_load_balancer_ips, "externalTrafficPolicy", class_checked=True),
    AddressType.EXTERNAL: Rule(_external_ips, "externalTrafficPolicy"),
    AddressType.CLUSTER: Rule(_cluster_ips, "internalTrafficPolicy"),
}


def candidates(
    services: Iterable[Mapping[str, Any]],
    index: EndpointIndex,
    kinds: Sequence[AddressType],
    problems: list[str],
    withdraw_without_endpoints: bool = False,
) -> Iterator[Candidate]:
    """The candidates of the address types `kinds` of all Services; malformed Services go to `problems`."""
    for service in services:
        try:
            found = list(_of_service(service, index, kinds, withdraw_without_endpoints))
        except MALFORMED as error:
            where = f"{namespace_of(service)}/{name_of(service)}" if isinstance(service, Mapping) else "?"
            problems.append(f"Service {where} was left out: it is malformed ({error})")
            continue
        yield from found


def _of_service(
    service: Mapping[str, Any], index: EndpointIndex, kinds: Sequence[AddressType], demanding: bool
) -> Iterator[Candidate]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return
    namespace, name = metadata(service).get("namespace") or "default", service["metadata"]["name"]
    origin = f"Service {namespace}/{name}"
    labels = {
        **labels_of(service),
        "io.kubernetes.service.name": name,
        "io.kubernetes.service.namespace": namespace,
    }
    backends = index.of(namespace, name)
    for kind in kinds:
        rule = RULES[kind]
        texts, local = rule.addresses(service), spec.get(rule.policy) == "Local"
        for text in texts:
            prefix = host_prefix(text)
            reason, detail = _verdict(spec, rule, backends, prefix.version, demanding)
            yield Candidate(origin, kind, prefix, labels, reason, detail, aggregable=not local)
        if kind is AddressType.LOAD_BALANCER and not texts and spec.get("type") == "LoadBalancer":
            yield Candidate(origin, kind, None, labels, NO_LOAD_BALANCER_IP, _no_address(service))


def _verdict(
    spec: Mapping[str, Any], rule: Rule, backends: Backends | None, version: int, demanding: bool
) -> tuple[str, str]:
    """("", why) when the node may announce the address, else (reason, detail). `demanding`: not without a
    usable endpoint, whatever the traffic policy."""
    wanted = spec.get("loadBalancerClass")
    if rule.class_checked and wanted is not None and wanted != LOAD_BALANCER_CLASS:
        return WRONG_CLASS, f"its loadBalancerClass {wanted} belongs to another load balancer"
    if spec.get(rule.policy) == "Local":
        return _local_verdict(rule, backends, version)
    if demanding and (backends is None or not backends.usable[version]):
        return NO_ENDPOINTS, f"the Service has no usable IPv{version} endpoint on any node"
    needs = "while it has a usable endpoint" if demanding else "with or without endpoints"
    return "", f"{rule.policy} is Cluster: every selected node announces it, {needs}"


def _local_verdict(rule: Rule, backends: Backends | None, version: int) -> tuple[str, str]:
    local = f"{rule.policy} is Local and "
    if backends is None:
        return NO_ENDPOINT_SLICE, local + "the Service has no EndpointSlice"
    if not backends.total[version]:
        return NO_ENDPOINTS, local + f"the Service has no IPv{version} endpoint on any node"
    if not backends.local[version]:
        return NO_LOCAL_ENDPOINTS, local + f"no usable IPv{version} endpoint is on this node"
    count = backends.local[version]
    return "", local + f"{count} usable endpoint{'s are' if count > 1 else ' is'} on this node"


def _no_address(service: Mapping[str, Any]) -> str:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    if balancer.get("ingress"):
        return "its load balancer status has a host name and no IP address"
    return "no address has been allocated to it yet (status.loadBalancer.ingress is empty)"
