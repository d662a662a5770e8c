"""The taint of a cordoned node, as the node lifecycle controller keeps it. Pure but for `reconcile`."""

from __future__ import annotations

from bgpctl.lab.api.controllers.cluster import Cluster
from bgpctl.lab.api.controllers.placement import UNSCHEDULABLE
from bgpctl.lab.api.documents import Document, without


def with_taint(spec: Document, now: str) -> Document:
    """The spec with the unschedulable taint exactly when the node is cordoned."""
    taints = spec.get("taints") or []
    tainted = any(taint["key"] == UNSCHEDULABLE for taint in taints)
    if tainted == bool(spec.get("unschedulable")):
        return spec
    others = [taint for taint in taints if taint["key"] != UNSCHEDULABLE]
    if not tainted:
        others.append({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": now})
    return {**spec, "taints": others} if others else without(spec, ["taints"])


def reconcile(cluster: Cluster, node: Document) -> None:
    """Write the taint where it is missing, remove it where it is not due."""
    spec = node.get("spec") or {}
    if with_taint(spec, "") != spec:
        cluster.modify(
            "nodes", node, lambda old: {**old, "spec": with_taint(old.get("spec") or {}, cluster.stamp())}
        )
