"""The scale subresource: a workload's replicas as an autoscaling/v1 Scale. Pure.

Source: k8s.io/kubernetes/pkg/registry/apps/deployment/storage (ScaleREST).
"""

from __future__ import annotations

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document, metadata

_IDENTITY = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(document: Document) -> Document:
    """The Scale that shows a workload."""
    meta = document["metadata"]
    labels = (document["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in _IDENTITY if name in meta},
        "spec": {"replicas": document["spec"].get("replicas", 0)},
        "status": {
            "replicas": (document.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }


def scaled(document: Document, scale: Document) -> Document:
    """The workload with the replicas of `scale`, whose resourceVersion and uid are checked with the write."""
    wanted = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        cause = status.Cause(
            "FieldValueInvalid",
            f"Invalid value: {wanted}: must be greater than or equal to 0",
            "spec.replicas",
        )
        raise status.invalid("autoscaling", "Scale", document["metadata"]["name"], [cause])
    sent = {
        name: value for name, value in metadata(scale).items() if name in {"uid", "resourceVersion", "name"}
    }
    spec = {**document["spec"], "replicas": wanted}
    return {**document, "spec": spec, "metadata": {**document["metadata"], **sent}}
