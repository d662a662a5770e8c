"""On which node may a pod run, and on which should it? The lab's scheduler. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bgpctl.lab.api.controllers.cluster import ended, terminating
from bgpctl.lab.api.documents import Document, controller_of, metadata, name_of

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def node_ready(node: Document) -> bool:
    """A node without a Ready condition counts as ready: seeds may leave the status out."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return all(c["status"] == "True" for c in conditions if c["type"] == "Ready")


def tolerates(spec: Document, taint: Document) -> bool:
    """May a pod with this spec ignore the taint?"""
    return any(_tolerated(toleration, taint) for toleration in spec.get("tolerations") or ())


def _tolerated(toleration: Document, taint: Document) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    same_value = (toleration.get("value") or "") == (taint.get("value") or "")
    return toleration.get("key") == taint["key"] and same_value


def selected(spec: Document, node: Document) -> bool:
    """Does the pod's nodeSelector match? (Affinity is not looked at.)"""
    labels = metadata(node).get("labels") or {}
    return all(labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items())


def fits(spec: Document, node: Document) -> bool:
    """May a new pod be put there now?"""
    taints = (node.get("spec") or {}).get("taints") or ()
    repelled = any(t["effect"] != "PreferNoSchedule" and not tolerates(spec, t) for t in taints)
    cordoned = bool((node.get("spec") or {}).get("unschedulable")) and not tolerates(
        spec, {"key": UNSCHEDULABLE, "effect": "NoSchedule"}
    )
    return not (repelled or cordoned) and node_ready(node) and selected(spec, node) and not terminating(node)


def choose(pod: Document, nodes: Sequence[Document], pods: Sequence[Document]) -> str | None:
    """The fitting node with the fewest siblings, then the fewest pods, then by name; None when none fits."""
    fitting = [name_of(node) for node in nodes if fits(pod["spec"], node)]
    running = [p for p in pods if not ended(p) and not terminating(p)]
    everyone = Counter(p["spec"].get("nodeName") for p in running)
    owner = (controller_of(pod) or {}).get("uid")
    siblings = Counter(
        p["spec"].get("nodeName") for p in running if owner and (controller_of(p) or {}).get("uid") == owner
    )
    return min(fitting, key=lambda name: (siblings[name], everyone[name], name), default=None)
