"""What a Node, or its CiliumNode, would have to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bgpctl.core.intent.explaining.proposals.case import LABELS, Case, documents, items
from bgpctl.core.intent.explaining.repair import Ref, Repair, Repairs, appending, at, setting
from bgpctl.core.intent.gates import EXCLUDE_LABEL
from bgpctl.core.intent.podcidrs import CILIUM_NODE, POD_POOL
from bgpctl.core.reading.documents import name_of

EXAMPLES = {"ipv4": "192.0.2.0/24", "ipv6": "2001:db8::/64"}
ALLOCATED = ("spec", "ipam", "pools", "allocated")


def included(case: Case) -> Iterator[Repairs]:
    """Without the label that keeps it out of load balancers."""
    if case.objects.node is not None:
        yield (setting("Node", case.objects.node, (*LABELS, EXCLUDE_LABEL), None),)


def network(case: Case) -> Iterator[Repairs]:
    """A network that its CNI has set up."""
    yield from _condition(case, "NetworkUnavailable", "False")


def ready(case: Case) -> Iterator[Repairs]:
    """Ready, once."""
    yield from _condition(case, "Ready", "True")


def _condition(case: Case, kind: str, needed: str) -> Iterator[Repairs]:
    node = case.objects.node or {}
    # Of several of a type the last one counts (`gates.conditions_of`).
    for place, condition in reversed(list(enumerate(items(node, "status", "conditions")))):
        if at(condition, ("type",)) == kind:
            yield (setting("Node", node, ("status", "conditions", place, "status"), needed),)


def pool(case: Case) -> Iterator[Repairs]:
    """The pool that the node has addresses from."""
    if case.objects.pod_pools is None:
        return
    name = case.target.origin.removeprefix(f"{POD_POOL} ")
    made: dict[str, Any] = {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": POD_POOL,
        "metadata": {"name": name},
        "spec": {},
    }
    yield (Repair(Ref(POD_POOL, name), (), made, None, "there: the node has addresses from it"),)


def pool_cidr(case: Case) -> Iterator[Repairs]:
    """Addresses of the pool on this node."""
    name = case.target.origin.removeprefix(f"{POD_POOL} ")
    pools = [one for one in documents(case.objects.pod_pools) if name_of(one) == name]
    spec = next((one.get("spec") for one in pools), None)
    for afi, example in EXAMPLES.items():
        cidr = next(iter(items(spec, afi, "cidrs")), example)
        words = f"a CIDR of pool {name}: Cilium's operator gives it once a pod there asks for it"
        item = {"pool": name, "cidrs": [cidr]}
        if case.objects.cilium_node is None:
            made = {"apiVersion": "cilium.io/v2", "kind": CILIUM_NODE, "metadata": {"name": case.node}}
            made["spec"] = {"ipam": {"pools": {"allocated": [item]}}}
            yield (Repair(Ref(CILIUM_NODE, case.node), (), made, None, words),)
            continue
        listed = items(case.objects.cilium_node, *ALLOCATED)
        place = next((n for n, one in enumerate(listed) if at(one, ("pool",)) == name), None)
        if place is None:
            yield (appending(CILIUM_NODE, case.objects.cilium_node, ALLOCATED, item, words),)
        else:
            yield (
                setting(CILIUM_NODE, case.objects.cilium_node, (*ALLOCATED, place, "cidrs"), [cidr], words),
            )
