"""Deployments, ReplicaSets, StatefulSets, DaemonSets: the pods that should exist, and what is said of them.

A changed Deployment replaces its pods all at once: rollouts are not what the lab is about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from bgpctl.lab.api.controllers.cluster import Cluster, ended, owner_reference, terminating
from bgpctl.lab.api.controllers.placement import selected
from bgpctl.lab.api.documents import Document, clone, name_of, namespace_of
from bgpctl.lab.api.eviction import ready
from bgpctl.lab.api.strategy import generated_name

HASH_LABEL = "pod-template-hash"


def active(pods: Sequence[Document]) -> list[Document]:
    """The pods that count: neither ended nor on their way out."""
    return [pod for pod in pods if not ended(pod) and not terminating(pod)]


def template_hash(template: Document) -> str:
    """Ten hexadecimal digits, the same for equal templates; not the API server's own hash."""
    text = json.dumps(template, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:10]


def pod_from(owner: Document, name: str, node: str = "") -> Document:
    """A pod of the owner's template, bound to `node` where one is given."""
    template = clone(owner["spec"]["template"])
    meta = template.get("metadata") or {}
    spec = template["spec"]
    if node:
        spec["nodeName"] = node
    return {
        "metadata": {
            "name": name,
            "generateName": name_of(owner) + "-",
            "namespace": namespace_of(owner),
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": spec,
    }


def replica_set_for(deployment: Document) -> Document:
    """The ReplicaSet that runs the Deployment's present template."""
    spec = clone(deployment["spec"])
    digest = template_hash(spec["template"])
    labels = {**(spec["template"]["metadata"].get("labels") or {}), HASH_LABEL: digest}
    spec["template"]["metadata"]["labels"] = labels
    selector = {**spec["selector"]}
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    return {
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "labels": labels,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": spec["replicas"], "selector": selector, "template": spec["template"]},
    }


def surplus(pods: Sequence[Document], wanted: int) -> list[Document]:
    """Which pods go when there are too many: those not ready first, then the youngest."""
    ranked = sorted(pods, key=lambda p: p["metadata"]["creationTimestamp"], reverse=True)
    ranked.sort(key=ready)
    return ranked[: max(0, len(pods) - wanted)]


# --- carrying it out --------------------------------------------------------------------------------------


def reconcile_deployment(cluster: Cluster, deployment: Document) -> None:
    """One ReplicaSet per template; those of older templates go to 0 and stay."""
    if terminating(deployment):
        return
    wanted, namespace = replica_set_for(deployment), namespace_of(deployment)
    sets = cluster.owned("replicasets", deployment)
    if not any(name_of(s) == name_of(wanted) for s in sets):
        cluster.create("replicasets", namespace, wanted)
    for found in sets:
        replicas = wanted["spec"]["replicas"] if name_of(found) == name_of(wanted) else 0
        if found["spec"]["replicas"] != replicas:
            cluster.set_spec("replicasets", found, replicas=replicas)
    sets = cluster.owned("replicasets", deployment)
    cluster.set_status(
        "deployments", deployment, _deployment_status(deployment, sets, name_of(wanted), cluster.stamp())
    )


def _deployment_status(deployment: Document, sets: Sequence[Document], current: str, now: str) -> Document:
    def total(field: str, only: str = "") -> int:
        return sum((s.get("status") or {}).get(field, 0) for s in sets if not only or name_of(s) == only)

    wanted, available = deployment["spec"]["replicas"], total("availableReplicas")
    enough = available >= wanted
    status: Document = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total("replicas"),
        "updatedReplicas": total("replicas", current),
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    status["conditions"] = [_condition(deployment, "Available", enough, reason, now)]
    return status


def _condition(document: Document, kind: str, holds: bool, reason: str, now: str) -> Document:
    """The condition, with the time of its last change kept."""
    state = "True" if holds else "False"
    for old in (document.get("status") or {}).get("conditions") or ():
        if old["type"] == kind and old["status"] == state:
            return dict(old)
    return {"type": kind, "status": state, "reason": reason, "lastTransitionTime": now}


def reconcile_replica_set(cluster: Cluster, owner: Document) -> None:
    """Makes or deletes what is missing or too much, all at once, and writes the status."""
    pods = active(cluster.owned("pods", owner))
    wanted = owner["spec"]["replicas"]
    if not terminating(owner):
        for _ in range(wanted - len(pods)):
            pod = pod_from(owner, generated_name(name_of(owner) + "-"))
            cluster.create("pods", namespace_of(owner), pod)
        for pod in surplus(pods, wanted):
            cluster.delete("pods", pod)
    cluster.set_status("replicasets", owner, _replica_status(owner, active(cluster.owned("pods", owner))))


def _replica_status(owner: Document, pods: Sequence[Document]) -> Document:
    healthy = sum(ready(pod) for pod in pods)
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": healthy,
        "availableReplicas": healthy,
        "observedGeneration": owner["metadata"]["generation"],
    }


def reconcile_stateful_set(cluster: Cluster, owner: Document) -> None:
    """One pod per ordinal, each only when the one before is ready (podManagementPolicy OrderedReady)."""
    pods = {name_of(pod): pod for pod in cluster.owned("pods", owner)}
    names = [f"{name_of(owner)}-{ordinal}" for ordinal in range(owner["spec"]["replicas"])]
    if not terminating(owner):
        for name in names:
            pod = pods.get(name)
            if pod is None:
                cluster.create("pods", namespace_of(owner), pod_from(owner, name))
            if pod is None or not ready(pod) or terminating(pod):
                break
        for name in pods.keys() - set(names):
            cluster.delete("pods", pods[name])
    cluster.set_status("statefulsets", owner, _replica_status(owner, active(cluster.owned("pods", owner))))


def reconcile_daemon_set(cluster: Cluster, owner: Document) -> None:
    """One pod on every node that the template selects, cordoned ones included."""
    spec = owner["spec"]["template"]["spec"]
    nodes = [name_of(n) for n in cluster.all("nodes") if selected(spec, n) and not terminating(n)]
    # A terminating pod holds its place: its successor starts when it is gone.
    pods = [pod for pod in cluster.owned("pods", owner) if not ended(pod)]
    there = {pod["spec"].get("nodeName") for pod in pods}
    if not terminating(owner):
        for node in nodes:
            if node not in there:
                pod = pod_from(owner, generated_name(name_of(owner) + "-"), node)
                cluster.create("pods", namespace_of(owner), pod)
        for pod in active(pods):
            if pod["spec"].get("nodeName") not in nodes:
                cluster.delete("pods", pod)
    pods = active(cluster.owned("pods", owner))
    cluster.set_status("daemonsets", owner, _daemon_status(owner, pods, len(nodes)))


def _daemon_status(owner: Document, pods: Sequence[Document], wanted: int) -> Document:
    healthy = sum(ready(pod) for pod in pods)
    return {
        "desiredNumberScheduled": wanted,
        "currentNumberScheduled": len(pods),
        "numberMisscheduled": 0,
        "numberReady": healthy,
        "numberAvailable": healthy,
        "updatedNumberScheduled": len(pods),
        "observedGeneration": owner["metadata"]["generation"],
    }
