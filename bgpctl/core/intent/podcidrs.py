"""The CIDRs of a node's pods: its own (PodCIDR), and those that it got from CiliumPodIPPools.

A node's own are the CiliumNode's `spec.ipam.podCIDRs` where it has any, as Cilium announces them: with its
IPAM `cluster-pool` pods have addresses from these, and whatever the controller manager wrote into the Node is
used by nobody. Else (no Cilium, IPAM `kubernetes`) they are the Node's `spec.podCIDRs`.

With IPAM `multi-pool` a node's CIDRs stand in its CiliumNode (`spec.ipam.pools.allocated`), and the labels
that an advertisement selects by in the CiliumPodIPPool. Facts: cilium.md sections 1.1, 1.5, 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.intent.services import Candidate
from bgpctl.core.policy.nodeconfig import Source
from bgpctl.core.reading.addresses import parse_network
from bgpctl.core.reading.documents import MALFORMED, labels_of, metadata, name_of
from bgpctl.core.reading.selectors import LabelSelector

CILIUM_NODE, POD_POOL = "CiliumNode", "CiliumPodIPPool"
POOL_NAME, POOL_NAMESPACE = "io.cilium.podippool.name", "io.cilium.podippool.namespace"

# Reasons of absence.
NO_POOL = "noPodIPPool"
NO_POOL_CIDR = "noPodIPPoolCIDR"

Document = Mapping[str, Any]


def pod_cidrs(node: Document, cilium_node: Document | None, problems: list[str]) -> Iterator[Candidate]:
    """The node's own pod CIDRs; the labels are the Node's."""
    own, name = _of_node(node), name_of(node)
    ipam = _list(cilium_node, "spec", "ipam", "podCIDRs")
    if ipam and own and set(map(str, ipam)) != set(map(str, own)):
        problems.append(
            f"warning: CiliumNode {name} has the pod CIDRs {_listed(ipam)}, the Node {_listed(own)}: the "
            "CiliumNode's are what Cilium gives to pods, so they are announced"
        )
    where = f"CiliumNode {name}: spec.ipam.podCIDRs" if ipam else f"Node {name}: spec.podCIDRs"
    why = "the policy exports this node's PodCIDR"
    for text in ipam or own:
        try:
            prefix = parse_network(text)
        except MALFORMED:
            problems.append(f"{where} has {text!r}, which is no CIDR")
            continue
        yield Candidate("PodCIDR", None, prefix, labels_of(node), "", why, Source.POD_CIDR)


def pool_cidrs(
    cilium_node: Document | None,
    pools: Sequence[Document] | None,
    advertised: Iterable[LabelSelector],
    problems: list[str],
) -> Iterator[Candidate]:
    """What the node has from CiliumPodIPPools, and which pools that are `advertised` it has nothing from.

    `pools` None = they cannot be read: without a pool's labels no selector can be decided.
    """
    labels = {name_of(pool): pool_labels(pool) for pool in pools or ()}
    allocated = list(_allocated(cilium_node, problems))
    for name, text in allocated:
        origin, reason, why = f"{POD_POOL} {name}", "", f"this node's pods have addresses from pool {name}"
        if name not in labels:
            what = f"{POD_POOL} {name} does not exist" if pools is not None else f"no {POD_POOL} can be read"
            reason, why = NO_POOL, f"{what}: its labels are not known"
        try:
            prefix = parse_network(text)
        except MALFORMED:
            problems.append(f"{CILIUM_NODE}: pool {name} has {text!r}, which is no CIDR")
            continue
        known = labels.get(name) or {POOL_NAME: name, POOL_NAMESPACE: ""}
        yield Candidate(origin, None, prefix, known, reason, why, Source.POD_POOL)
    selectors, has = tuple(advertised), {name for name, _ in allocated}
    for name in sorted(labels.keys() - has):
        if any(selector.matches(labels[name]) for selector in selectors):
            why = f"this node has no CIDR from pool {name} (spec.ipam.pools.allocated of its {CILIUM_NODE})"
            yield Candidate(
                f"{POD_POOL} {name}", None, None, labels[name], NO_POOL_CIDR, why, Source.POD_POOL
            )


def pool_labels(pool: Document) -> dict[str, str]:
    """A pool's labels and the two implicit ones. It is cluster-scoped: its namespace is empty."""
    namespace = metadata(pool).get("namespace")
    return {
        **labels_of(pool),
        POOL_NAME: name_of(pool),
        POOL_NAMESPACE: namespace if isinstance(namespace, str) else "",
    }


def _allocated(cilium_node: Document | None, problems: list[str]) -> Iterator[tuple[str, Any]]:
    """(pool, CIDR) as allocated; a malformed entry costs itself."""
    for entry in _list(cilium_node, "spec", "ipam", "pools", "allocated"):
        name, cidrs = (entry.get("pool"), entry.get("cidrs")) if isinstance(entry, Mapping) else (None, None)
        if not isinstance(name, str) or not isinstance(cidrs, list | tuple | None):
            problems.append(f"{CILIUM_NODE}: an entry of spec.ipam.pools.allocated was left out: {entry!r}")
            continue
        yield from ((name, cidr) for cidr in cidrs or ())


def _of_node(node: Document) -> list[Any]:
    one = _at(node, "spec", "podCIDR")
    return _list(node, "spec", "podCIDRs") or ([one] if one else [])


def _list(document: Document | None, *path: str) -> list[Any]:
    found = _at(document, *path)
    return list(found) if isinstance(found, list | tuple) else []


def _at(document: Any, *path: str) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _listed(cidrs: Iterable[Any]) -> str:
    return ", ".join(map(str, cidrs))
