"""Which addresses of which Services this node could announce, and the traffic-policy verdict on each.

The rules are Cilium's (facts: cilium.md section 2.2), with these decisions of ours:
- `Cluster` without backends stays announced, as the operation guide says ("Service Losing All Backends"),
  unless the switch `withdraw_without_endpoints` is on: then it needs a usable one, as with MetalLB.
- What counts as a backend: `core/endpoints.py`.
Verdicts here are about the node; whether a peer is told is decided in `core/routes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from bgpctl.core.addresses import parse_address
from bgpctl.core.documents import MALFORMED, labels_of, metadata, name_of, namespace_of
from bgpctl.core.endpoints import Backends, Count, Key
from bgpctl.core.memo import Memo
from bgpctl.core.model import IPNetwork, host_network
from bgpctl.core.nodeconfig import AddressType, Source

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


@lru_cache(maxsize=65536)
def host_prefix(text: str) -> IPNetwork:
    """`10.0.0.1` -> 10.0.0.1/32. Raises ValueError. The same text gives the same object."""
    return host_network(parse_address(text))


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

POLICIES = ("externalTrafficPolicy", "internalTrafficPolicy")


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """What is read of one Service, once: a speaker holds every Service of the cluster in memory.

    `texts` are its addresses by type as they are written, `local` its traffic policies that are Local.
    `pending`: why it has no load balancer address though it should, "" = it has or needs none. `problem` is a
    sentence when the document is malformed.
    """

    key: Key
    labels: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[tuple[AddressType, tuple[str, ...]], ...] = ()
    local: tuple[str, ...] = ()
    load_balancer_class: str | None = None
    pending: str = ""
    problem: str = ""


def read_service(document: Mapping[str, Any]) -> Service:
    """Never raises: a malformed one is a problem."""
    try:
        return _read(document)
    except MALFORMED as error:
        key = (namespace_of(document), name_of(document)) if isinstance(document, Mapping) else ("?", "?")
        return Service(key, problem=_malformed(key, error))


def _malformed(key: Key, error: Exception) -> str:
    return f"Service {key[0]}/{key[1]} was left out: it is malformed ({error})"


def _read(document: Mapping[str, Any]) -> Service:
    spec, name = document["spec"], document["metadata"]["name"]
    namespace = metadata(document).get("namespace") or "default"
    if spec.get("type") == "ExternalName":
        return Service((namespace, name))
    if not (isinstance(name, str) and isinstance(namespace, str)):
        raise TypeError("its name is no text")
    texts = {kind: tuple(RULES[kind].addresses(document)) for kind in AddressType}
    pending = spec.get("type") == "LoadBalancer" and not texts[AddressType.LOAD_BALANCER]
    return Service(
        (namespace, name),
        {
            **labels_of(document),
            "io.kubernetes.service.name": name,
            "io.kubernetes.service.namespace": namespace,
        },
        tuple((kind, found) for kind, found in texts.items() if found),
        tuple(policy for policy in POLICIES if spec.get(policy) == "Local"),
        spec.get("loadBalancerClass"),
        _no_address(document) if pending else "",
    )


# --- candidates -------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What one Service comes to, and what that was made of."""

    service: Service
    backends: Backends | None
    candidates: tuple[Candidate, ...]
    problem: str


def candidates(
    services: Iterable[Service],
    backends: Mapping[Key, Backends],
    kinds: Sequence[AddressType],
    problems: list[str],
    demanding: bool = False,
    memo: Memo | None = None,
) -> list[Candidate]:
    """The candidates of the address types `kinds` of all Services; malformed Services go to `problems`.
    `demanding`: none without a usable endpoint, whatever the traffic policy."""
    memo = memo or Memo()
    kept = memo.results("services", (kinds, demanding))
    before: dict[int, Found] = kept.get("found", {})
    unmoved = kept.get("backends") is backends  # the usual case, and worth a short cut
    now: dict[int, Found] = {}
    result: list[Candidate] = []
    for service in services:
        # By identity, which is cheap: what is kept holds its Service, so that none is taken for another.
        found = before.get(id(service))
        if found is None or not (unmoved or found.backends == backends.get(service.key)):
            found = _found(service, backends.get(service.key), kinds, demanding)
        now[id(service)] = found
        result += found.candidates
        if found.problem:
            problems.append(found.problem)
    memo.keep("services", (kinds, demanding), {"found": now, "backends": backends})
    return result


def _found(
    service: Service, backends: Backends | None, kinds: Sequence[AddressType], demanding: bool
) -> Found:
    try:
        made = () if service.problem else tuple(_candidates(service, backends, kinds, demanding))
    except MALFORMED as error:
        return Found(service, backends, (), _malformed(service.key, error))
    return Found(service, backends, made, service.problem)


def _candidates(
    service: Service, backends: Backends | None, kinds: Sequence[AddressType], demanding: bool
) -> Iterator[Candidate]:
    origin = f"Service {service.key[0]}/{service.key[1]}"
    for kind, texts in service.texts:
        if kind in kinds:
            rule = RULES[kind]
            local = rule.policy in service.local
            for text in texts:
                prefix = host_prefix(text)
                verdict = _verdict(service, rule, backends, prefix.version, demanding)
                yield Candidate(origin, kind, prefix, service.labels, *verdict, aggregable=not local)
    if service.pending and AddressType.LOAD_BALANCER in kinds:
        kind = AddressType.LOAD_BALANCER
        yield Candidate(origin, kind, None, service.labels, NO_LOAD_BALANCER_IP, service.pending)


def _verdict(
    service: Service, rule: Rule, backends: Backends | None, version: int, demanding: bool
) -> tuple[str, str]:
    """("", why) when the node may announce the address, else (reason, detail)."""
    wanted = service.load_balancer_class
    if rule.class_checked and wanted is not None and wanted != LOAD_BALANCER_CLASS:
        return WRONG_CLASS, f"its loadBalancerClass {wanted} belongs to another load balancer"
    count = None if backends is None else backends.of(version)
    if rule.policy in service.local:
        return _local_verdict(rule.policy, count, version)
    if demanding and (count is None or not count.usable):
        return NO_ENDPOINTS, f"the Service has no usable IPv{version} endpoint on any node"
    return "", _cluster_detail(rule.policy, demanding)


@lru_cache(maxsize=4)
def _cluster_detail(policy: str, demanding: bool) -> str:
    needs = "while it has a usable endpoint" if demanding else "with or without endpoints"
    return f"{policy} is Cluster: every selected node announces it, {needs}"


@lru_cache(maxsize=1024)
def _local_verdict(policy: str, count: Count | None, version: int) -> tuple[str, str]:
    """Cached so that the same sentence is there once, not for each Service."""
    local = f"{policy} is Local and "
    if count is None:
        return NO_ENDPOINT_SLICE, local + "the Service has no EndpointSlice"
    if not count.total:
        return NO_ENDPOINTS, local + f"the Service has no IPv{version} endpoint on any node"
    if not count.local:
        return NO_LOCAL_ENDPOINTS, local + f"no usable IPv{version} endpoint is on this node"
    here = "1 usable endpoint is" if count.local == 1 else f"{count.local} usable endpoints are"
    return "", local + f"{here} on this node"


def _no_address(service: Mapping[str, Any]) -> str:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    if balancer.get("ingress"):
        return "its load balancer status has a host name and no IP address"
    return "no address has been allocated to it yet (status.loadBalancer.ingress is empty)"
