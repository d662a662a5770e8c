"""What configures kube-router: the arguments of its DaemonSet, and annotations of its Nodes."""

from __future__ import annotations

from collections.abc import Mapping

from bgpctl.lab.stacks.spec import Document

NAME = "kube-router"
NAMESPACE = "kube-system"
IPS, ASNS, PORTS = (f"kube-router.io/peer.{what}" for what in ("ips", "asns", "ports"))
NODE_ASN = "kube-router.io/node.asn"


def daemonset(selector: Mapping[str, str], *arguments: str) -> Document:
    """Its pods run on the nodes that have these labels."""
    labels = {"k8s-app": NAME}
    container = {"name": NAME, "image": "docker.io/cloudnativelabs/kube-router:v2.11.1", "args": [*arguments]}
    pod: Document = {"nodeSelector": dict(selector), "hostNetwork": True, "containers": [container]}
    pod["priorityClassName"] = "system-node-critical"
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def notes(router: str, router_asn: int, port: int, *, asn: int) -> dict[str, str]:
    """Annotations of a Node that has one peer."""
    return {IPS: router, ASNS: str(router_asn), PORTS: str(port), NODE_ASN: str(asn)}
