"""What a Service itself would have to say."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.intent.explaining.proposals.advertisements import matching
from bgpctl.core.intent.explaining.proposals.case import LABELS, Case, documents, items
from bgpctl.core.intent.explaining.proposals.case import asked as labels_asked
from bgpctl.core.intent.explaining.repair import Document, Path, Repair, Repairs, at, setting
from bgpctl.core.intent.exposure import HEADLESS_LABEL, NODE, NODE_SELECTOR, TYPE
from bgpctl.core.intent.services import LOAD_BALANCER_CLASS
from bgpctl.core.reading.addresses import parse_address, parse_network
from bgpctl.core.reading.documents import annotations_of, labels_of
from bgpctl.core.reading.selectors import LabelSelector, parse_selector

ANNOTATIONS: Path = ("metadata", "annotations")
ADDRESSES: tuple[Path, ...] = (("spec", "clusterIPs"), ("spec", "externalIPs"))
INGRESS: Path = ("status", "loadBalancer", "ingress")
EXAMPLES = ("192.0.2.1", "2001:db8::1")  # RFC 5737, RFC 3849: nobody's
IMMUTABLE = "Kubernetes lets nobody change it: delete the Service, and create it anew"
A_POOL = "an IP address, which a CiliumLoadBalancerIPPool (or whoever allocates them) gives"


def candidate(case: Case) -> Iterator[Repairs]:
    """A type of Service that has an address to announce, or an advertisement of the type that it has."""
    service = case.service
    if service is None:
        return
    if case.kinds:
        yield from matching(case)
    words = '"LoadBalancer"'
    yield (setting("Service", service, ("spec", "type"), "LoadBalancer", words),)


def readable(case: Case) -> Iterator[Repairs]:
    """Without the addresses that are none."""
    service = case.service
    if service is None:
        return
    listed = [(*field, n) for field in ADDRESSES for n in reversed(range(len(items(service, *field))))]
    entries = [(*INGRESS, n, "ip") for n in range(len(items(service, *INGRESS)))]
    wrong = [field for field in (*listed, *entries) if not _is_address(at(service, field))]
    yield tuple(setting("Service", service, field, None, "an IP address, or gone") for field in wrong)


def _is_address(text: object) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return text in ("", None, "None")  # what the intent takes for no address
    return True


def address(case: Case) -> Iterator[Repairs]:
    """An address of the load balancer."""
    if case.service is not None:
        for text in (*_of_pools(case), *EXAMPLES):
            yield (setting("Service", case.service, INGRESS, [{"ip": text}], A_POOL),)


def _of_pools(case: Case) -> Iterator[str]:
    """The first address of each pool."""
    for pool in documents(case.objects.lb_pools):
        for block in items(pool, "spec", "blocks"):
            text = at(block, ("start",)) or at(block, ("cidr",))
            try:
                yield str(parse_network(text, strict=False)[0] if "/" in str(text) else parse_address(text))
            except ValueError:
                continue


def load_balancer_class(case: Case) -> Iterator[Repairs]:
    """The class that means the BGP control plane."""
    if case.service is not None:
        words = f'"{LOAD_BALANCER_CLASS}" ({IMMUTABLE})'
        yield (setting("Service", case.service, ("spec", "loadBalancerClass"), LOAD_BALANCER_CLASS, words),)


def vip(case: Case) -> Iterator[Repairs]:
    """The mode of the address's ingress that the cluster answers for."""
    if case.service is None or case.target.prefix is None:
        return
    wanted = case.target.prefix.network_address
    for place, entry in enumerate(items(case.service, *INGRESS)):
        try:
            same = parse_address(at(entry, ("ip",))) == wanted
        except ValueError:
            continue
        if same:
            yield (setting("Service", case.service, (*INGRESS, place, "ipMode"), "VIP"),)


def not_headless(case: Case) -> Iterator[Repairs]:
    """Without the label, and without `clusterIP: None`."""
    if case.service is None:
        return
    label, fixed = (*LABELS, HEADLESS_LABEL), ("spec", "clusterIP")
    labelled = HEADLESS_LABEL in labels_of(case.service)
    parts: list[list[Repair]] = [[setting("Service", case.service, label, None)] if labelled else []]
    if str(at(case.service, fixed)).lower() == "none":
        parts.append(
            [setting("Service", case.service, fixed, None, f"an address, or not there ({IMMUTABLE})")]
        )
    yield tuple(repair for part in parts for repair in part)


def every_type(case: Case) -> Iterator[Repairs]:
    """Without the annotation that asks for one type of address."""
    if case.service is not None:
        yield (setting("Service", case.service, (*ANNOTATIONS, TYPE), None),)


def here(case: Case) -> Iterator[Repairs]:
    """The labels of the node that the Service asks for, or no such annotation."""
    if case.service is None or case.objects.node is None:
        return
    wanted = _nodes_of(case.service)
    if wanted is not None:
        yield tuple(
            setting("Node", case.objects.node, (*LABELS, key), value)
            for key, value in labels_asked(wanted, labels_of(case.objects.node)).items()
        )
    for name in (NODE_SELECTOR, NODE):
        if name in annotations_of(case.service):
            yield (setting("Service", case.service, (*ANNOTATIONS, name), None),)


def _nodes_of(service: Document) -> LabelSelector | None:
    annotations = annotations_of(service)
    if NODE_SELECTOR in annotations:
        return parse_selector(annotations[NODE_SELECTOR])
    return LabelSelector(((NODE, annotations[NODE]),)) if NODE in annotations else None
