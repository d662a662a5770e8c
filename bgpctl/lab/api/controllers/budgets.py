"""The status of a PodDisruptionBudget: how many of its pods may go now. Pure but for `reconcile`.

Source: k8s.io/kubernetes/pkg/controller/disruption/disruption.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bgpctl.lab.api.controllers.cluster import Cluster, ended, terminating
from bgpctl.lab.api.documents import Document, controller_of, name_of, namespace_of, parse_time, timestamp
from bgpctl.lab.api.eviction import guards, ready

# How long an eviction that never led to a deletion is held against the budget (DeletionTimeout).
DELETION_TIMEOUT = timedelta(minutes=2)


def share(value: int | str, total: int) -> int:
    """A number, or a percentage of `total` rounded up (intstr.GetScaledValueFromIntOrPercent)."""
    if isinstance(value, int):
        return value
    return -(-total * int(value.rstrip("%")) // 100)


def desired_healthy(spec: Document, expected: int) -> int:
    """Pods that must stay, of `expected`; a budget that names neither bound asks for one."""
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - share(spec["maxUnavailable"], expected))
    return share(spec.get("minAvailable", 1), expected)


def status_of(budget: Document, pods: Sequence[Document], expected: int, now: datetime) -> Document:
    """The status. `pods` are those that it guards, `expected` how many its owners want."""
    disrupted = _still_disrupted(budget, pods, now)
    healthy = sum(ready(pod) and not terminating(pod) and name_of(pod) not in disrupted for pod in pods)
    desired = desired_healthy(budget.get("spec") or {}, expected)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    status: Document = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": budget["metadata"]["generation"],
        "conditions": [_condition(budget, allowed, now)],
    }
    return {**status, "disruptedPods": disrupted} if disrupted else status


def _still_disrupted(budget: Document, pods: Sequence[Document], now: datetime) -> dict[str, str]:
    """Evictions that were granted and have not shown as deletions yet."""
    noted = (budget.get("status") or {}).get("disruptedPods") or {}
    waiting = {name_of(pod) for pod in pods if not terminating(pod)}
    return {
        name: when
        for name, when in noted.items()
        if name in waiting and now - parse_time(when) < DELETION_TIMEOUT
    }


def _condition(budget: Document, allowed: int, now: datetime) -> Document:
    state, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    generation = budget["metadata"]["generation"]
    for old in (budget.get("status") or {}).get("conditions") or ():
        if old["type"] == "DisruptionAllowed" and old["status"] == state:
            return {**old, "observedGeneration": generation}
    return {
        "type": "DisruptionAllowed",
        "status": state,
        "reason": reason,
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": timestamp(now),
    }


def expected_pods(pods: Sequence[Document], replicas: Callable[[Document], int | None]) -> int:
    """How many pods the owners of `pods` want; a pod without owner counts itself.

    `replicas` answers an owner reference with its owner's `spec.replicas`, None when it has none.
    """
    owners: dict[str, Document] = {}
    alone = 0
    for pod in pods:
        owner = controller_of(pod)
        if owner is None or replicas(owner) is None:
            alone += 1
        else:
            owners[owner["uid"]] = owner
    return alone + sum(replicas(owner) or 0 for owner in owners.values())


_PLURALS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "Deployment": "deployments"}


def reconcile(cluster: Cluster, budget: Document, now: datetime) -> None:
    """Write the status that the budget should have."""
    namespace = namespace_of(budget)
    pods = [p for p in cluster.all("pods", namespace) if guards(budget, p) and not ended(p)]

    def replicas(owner: Document) -> int | None:
        plural = _PLURALS.get(owner["kind"])
        found = cluster.get(plural, namespace, owner["name"]) if plural else None
        return int(found["spec"]["replicas"]) if found else None

    status = status_of(budget, pods, expected_pods(pods, replicas), now)
    cluster.set_status("poddisruptionbudgets", budget, status)
