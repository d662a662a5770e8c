"""Cluster objects that only the doctor reads."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

OURS = {"app.kubernetes.io/name": "bgpctl-speaker"}


def daemonset(name: str = "bgpctl-speaker", labels: Document | None = None, **pod: Any) -> Document:
    """Of our speaker, as it should be; fields of `pod` that are None are left out."""
    labels = OURS if labels is None else labels
    containers = [{"name": "speaker", "image": "registry.example/speaker:1"}]
    critical = {"hostNetwork": True, "priorityClassName": "system-node-critical"}
    spec = {"containers": containers, **critical, **pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {key: value for key, value in spec.items() if value is not None},
            },
        },
        "status": {"numberUnavailable": 0},
    }


def pod(name: str = "speaker-x", node: str = "worker-1", *, ready: bool = True, **container: Any) -> Document:
    """One whose container was away from 10:00:00 to 10:00:42."""
    told = {
        "name": "speaker",
        "state": {"running": {"startedAt": "2026-11-29T10:00:42Z"}},
        "lastState": {"terminated": {"finishedAt": "2026-11-29T10:00:00Z"}},
        **container,
    }
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": OURS},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "speaker", "image": "registry.example/speaker:1"}],
        },
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [told],
        },
    }


def pulled(took: str = "1m2.5s", name: str = "speaker-x") -> Document:
    """kubelet's event."""
    message = f'Successfully pulled image "registry.example/speaker:1" in {took} (70s including waiting).'
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.1", "namespace": "kube-system"},
        "reason": "Pulled",
        "involvedObject": {"kind": "Pod", "name": name},
        "message": message,
    }


def pool(name: str = "vips", *blocks: Document, **spec: Any) -> Document:
    return {"metadata": {"name": name}, "spec": {"blocks": [*blocks] or [{"cidr": "203.0.113.0/28"}], **spec}}


def crd(**properties: Any) -> Document:
    """With these properties of its status."""
    schema = {"type": "object", "properties": {"status": {"type": "object", "properties": properties}}}
    return {"spec": {"versions": [{"name": "v1alpha1", "schema": {"openAPIV3Schema": schema}}]}}


ALL = (daemonset(), pod(), pulled(), pool(), crd(phase={"type": "string"}))
