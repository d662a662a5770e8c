"""Documents of a small cluster, as a user would write them: nodes, workloads, a Service, a budget."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def node(name: str, cidr: str = "", **labels: str) -> Document:
    """A Ready node that the label `enable-bgp=true` selects."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"enable-bgp": "true", **labels}},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.32.0"},
        },
    }


def nodes(count: int = 3) -> list[Document]:
    """worker-1 …, with the pod CIDRs 10.244.N.0/24."""
    return [node(f"worker-{n}", f"10.244.{n}.0/24") for n in range(1, count + 1)]


def workload(kind: str, name: str = "web", namespace: str = "default", **spec: Any) -> Document:
    """A Deployment, StatefulSet or DaemonSet whose pods carry `app=NAME`."""
    pod_spec = {
        "containers": [{"name": "c", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}]
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec},
            **spec,
        },
    }


def service(name: str = "web", **spec: Any) -> Document:
    ports = [{"port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": ports, **spec},
    }


def budget(name: str = "web", **spec: Any) -> Document:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
    }
