"""The values of the links of a chain, by name: what an object says, and the command that shows it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bgpctl.core.intent import gates, podcidrs
from bgpctl.core.intent.endpoints import read_shared
from bgpctl.core.intent.explaining.proposals.case import Case
from bgpctl.core.intent.explaining.proposals.endpoints import slices_of
from bgpctl.core.intent.explaining.repair import Document, Ref, at, ref, shown_value
from bgpctl.core.intent.explaining.verdict import Verdict
from bgpctl.core.intent.podcidrs import POD_POOL
from bgpctl.core.intent.routes import matches
from bgpctl.core.intent.services import Candidate, read_service
from bgpctl.core.model import Intent, Peer, family_of
from bgpctl.core.policy.nodeconfig import AddressType, Advertisement, Source
from bgpctl.core.reading.documents import labels_of

SERVICE, CLASS, ADDRESS, EXPOSURE, ENDPOINTS = "service", "class", "address", "exposure", "endpoints"
POD_CIDR, POOL, INTERFACE = "pod CIDR", "pool", "interface"
NODE, POLICY, PEER, ADVERTISEMENT, FAMILY = "node", "policy", "peer", "advertisement", "family"


@dataclass(frozen=True, slots=True)
class Whole:
    """The cluster as it is, and what the intent says once every repair is made."""

    case: Case
    after: Verdict
    intent: Intent
    peer: Peer | None

    @property
    def node(self) -> Document:
        """The Node, {} where it was not found."""
        return self.case.objects.node or {}


Told = tuple[str, str] | None
"""What a link says, and the command that shows it; None = this target has no such link."""


def _service(whole: Whole) -> Told:
    service = whole.case.service
    if service is None:
        return None
    kind = at(service, ("spec", "type")) or "ClusterIP"
    return f"{ref('Service', service)} is of type {kind}", ref("Service", service).command()


def _class(whole: Whole) -> Told:
    service = whole.case.service
    if service is None or at(service, ("spec", "type")) != "LoadBalancer":
        return None
    field = ("spec", "loadBalancerClass")
    value = at(service, field)
    return f"spec.loadBalancerClass is {shown_value(value)}", ref("Service", service).command(field)


def _address(whole: Whole) -> Told:
    service, prefix = whole.case.service, whole.case.target.prefix
    if service is None or prefix is None:
        return None
    kinds = " and ".join(map(str, whole.case.kinds)) or "address"
    field = ("spec",) if "LoadBalancerIP" not in whole.case.kinds else ("status", "loadBalancer", "ingress")
    return f"{prefix.network_address} is its {kinds}", ref("Service", service).command(field)


def _exposure(whole: Whole) -> Told:
    """Most Services say nothing of it."""
    service = whole.case.service
    exposure = read_service(service).exposure if service is not None else None
    if service is None or exposure is None or not (exposure.annotation or exposure.only):
        return None
    words = f"{exposure.annotation or f'its type is {exposure.only}'}: it is on {whole.case.node}"
    return words, ref("Service", service).command(("metadata", "annotations"))


def _endpoints(whole: Whole) -> Told:
    service = whole.case.service
    if service is None:
        return None
    ready = f"ready: {where_ready(whole.case)}"
    # Without an address the route is one that would be there, by an example of an address.
    route = whole.after.route if whole.case.target.prefix else None
    says = f"{route.why} ({ready})" if route else ready
    return says, _slices_command(ref("Service", service))


def where_ready(case: Case) -> str:
    """`2 on worker-1, 1 on worker-2; 1 not ready`: the endpoints of the Service's slices, by node."""
    ready: Counter[str] = Counter()
    total = 0
    for each in slices_of(case):
        shared = read_shared(each)
        ready.update(shared.ready)
        total += sum(max(found.v4.total, found.v6.total) for _, found in shared.far)
    places = ", ".join(f"{count} on {name}" for name, count in sorted(ready.items())) or "none"
    rest = total - ready.total()
    return f"{places}; {rest} not ready" if rest > 0 else places


def _slices_command(service: Ref) -> str:
    label = f"kubernetes.io/service-name={service.name}"
    return f"kubectl get endpointslices -n {service.namespace} -l {label}"


def _pod_cidr(whole: Whole) -> Told:
    node = Ref("Node", whole.case.node)
    return f"{whole.case.target.prefix} is of node {node.name}", node.command(("spec", "podCIDRs"))


def _pool(whole: Whole) -> Told:
    name, node = whole.case.target.origin, Ref("CiliumNode", whole.case.node)
    return f"{whole.case.target.prefix} is of {name}", node.command(("spec", "ipam", "pools", "allocated"))


def _interface(whole: Whole) -> Told:
    return f"{whole.case.target.prefix} is of {whole.case.target.origin}", ""


def _node(whole: Whole) -> Told:
    ready = gates.conditions_of(whole.node).get("Ready", "not told")
    note = gates.gate(whole.node, whole.intent.opened).note
    return (
        note or f"Ready is {ready}, nothing withholds its routes",
        f"kubectl describe node {whole.case.node}",
    )


def _policy(whole: Whole) -> Told:
    config = whole.intent.config
    if config is None:
        return None
    owner = Ref(config.kind, config.owner)
    labels = f"kubectl get node {whole.case.node} --show-labels"
    return f"{owner} selects node {whole.case.node}", labels


def _peer(whole: Whole) -> Told:
    peer, config = whole.peer, whole.intent.config
    if peer is None or config is None:
        return None
    return f"{peer.name}: {peer.address}, AS {peer.asn}", Ref(config.kind, config.owner).command()


def _advertisement(whole: Whole) -> Told:
    peer, config = whole.peer, whole.intent.config
    if peer is None or config is None:
        return None
    meant = next((a for a in _advertisements(whole, peer) if _means(a, whole.case)), None)
    where = Ref("CiliumBGPAdvertisement", meant.origin) if meant and meant.origin else None
    owner = where or Ref(config.kind, config.owner)
    return f"{owner} advertises {_meaning(meant)}", owner.command()


def _advertisements(whole: Whole, peer: Peer) -> Iterator[Advertisement]:
    for instance in whole.intent.config.instances if whole.intent.config else ():
        for config in instance.peers:
            if config.name == peer.name:
                yield from (a for family in config.families for a in family.advertisements)


def _means(advertisement: Advertisement, case: Case) -> bool:
    """By the intent's own `matches`."""
    labels: Mapping[str, str] = read_service(case.service).labels if case.service is not None else {}
    if case.target.source is Source.POD_POOL:
        name = case.target.origin.removeprefix(f"{POD_POOL} ")
        pools = (one for one in case.objects.pod_pools or () if at(one, ("metadata", "name")) == name)
        labels = next((podcidrs.pool_labels(pool) for pool in pools), {})
    elif case.target.source is Source.POD_CIDR:
        labels = labels_of(case.objects.node or {})
    origin, prefix, source = case.target.origin, case.target.prefix, case.target.source
    kinds = case.kinds or _awaited(case)
    interface = origin.removeprefix("Interface ") if source is Source.INTERFACE else ""
    return any(
        matches(advertisement, Candidate(origin, kind, prefix, labels, source=source, interface=interface))
        for kind in kinds
    )


def _awaited(case: Case) -> tuple[AddressType | None, ...]:
    """The type of the address that a Service waits for."""
    balanced = case.service is not None and at(case.service, ("spec", "type")) == "LoadBalancer"
    return (AddressType.LOAD_BALANCER if balanced else None,)


def _meaning(advertisement: Advertisement | None) -> str:
    if advertisement is None:
        return "it"
    kinds = f" ({', '.join(sorted(advertisement.addresses))})" if advertisement.addresses else ""
    by = (
        f" by {advertisement.selector}" if advertisement.selector and not advertisement.selector.empty else ""
    )
    return f"{advertisement.source}{kinds}{by}"


def _family(whole: Whole) -> Told:
    """Of which one an address will be that is not there yet nobody knows."""
    target, route = whole.case.target.prefix, whole.after.route
    peer, prefix = whole.peer, route.prefix if route and target else target
    if peer is None or prefix is None:
        return None
    return f"{family_of(prefix)} is configured for the session", ""


TELLERS: Mapping[str, Callable[[Whole], Told]] = {
    SERVICE: _service,
    CLASS: _class,
    ADDRESS: _address,
    EXPOSURE: _exposure,
    ENDPOINTS: _endpoints,
    POD_CIDR: _pod_cidr,
    POOL: _pool,
    INTERFACE: _interface,
    NODE: _node,
    POLICY: _policy,
    PEER: _peer,
    ADVERTISEMENT: _advertisement,
    FAMILY: _family,
}
