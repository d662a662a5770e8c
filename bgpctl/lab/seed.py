"""What a lab's cluster holds at the start: nodes, a peering policy, workloads, Services. Plain documents.

Documentation addresses (RFC 5737) stand for Service VIPs, so that nobody's real network appears in an output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

Document = dict[str, Any]

LABEL = "enable-bgp"
NODE_ASN = 65001
ROUTER_ASN = 65000
HOLD_SECONDS = 9
KEEPALIVE_SECONDS = 3
RESTART_SECONDS = 120  # Cilium's default: what makes a careless shutdown so expensive

WEB_VIP, API_VIP = "203.0.113.10", "203.0.113.20"


def crds() -> Iterator[Document]:
    """The CRDs that bgpctl ships, and those of Cilium that it reads besides."""
    import yaml

    shipped, others = (files(package).joinpath("crds") for package in ("bgpctl.deploy", "bgpctl.lab"))
    entries = sorted((*shipped.iterdir(), *others.iterdir()), key=lambda entry: entry.name)
    for entry in entries:
        yield from (document for document in yaml.safe_load_all(entry.read_text()) if document)


def node_names(count: int) -> tuple[str, ...]:
    """`worker-1` … , as many as `count`."""
    return tuple(f"worker-{number}" for number in range(1, count + 1))


def cluster(addresses: Sequence[str], policies: Iterable[Document]) -> Iterator[Document]:
    """Everything else, in the order in which it must be applied. One node per address; `policies` are what
    makes them speak BGP."""
    for number, address in enumerate(addresses, start=1):
        yield node(f"worker-{number}", number, address)
    yield from policies
    replicas = max(2, len(addresses) - 1)
    yield _deployment("web", replicas)
    yield _deployment("api", replicas)
    yield _daemonset("node-agent")
    yield _budget("api", replicas - 1)
    yield service("web", WEB_VIP, "Cluster")
    yield service("api", API_VIP, "Local")


def node(name: str, number: int, address: str) -> Document:
    """Node number N has the PodCIDR 10.244.N.0/24, and the label that the policy selects."""
    labels = {LABEL: "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "nodeInfo": {"kubeletVersion": "v1.32.0"},
            "capacity": {"pods": "110"},
            "allocatable": {"pods": "110"},
        },
    }


def policy(router_address: str, router_port: int) -> Document:
    """What bgpctl's own speakers run by."""
    neighbor = {
        "peerAddress": f"{router_address}/32",
        "peerASN": ROUTER_ASN,
        "peerPort": router_port,
        "holdTimeSeconds": HOLD_SECONDS,
        "keepAliveTimeSeconds": KEEPALIVE_SECONDS,
        "connectRetryTimeSeconds": 5,
        "gracefulRestart": {"enabled": True, "restartTimeSeconds": RESTART_SECONDS},
        "families": [{"afi": "ipv4", "safi": "unicast"}],
    }
    return {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumBGPPeeringPolicy",
        "metadata": {"name": "rack-1"},
        "spec": {
            "nodeSelector": {"matchLabels": {LABEL: "true"}},
            "virtualRouters": [
                {
                    "localASN": NODE_ASN,
                    "exportPodCIDR": True,
                    "serviceSelector": {"matchLabels": {"expose": "bgp"}},
                    "neighbors": [neighbor],
                }
            ],
        },
    }


def _metadata(name: str, **labels: str) -> Document:
    return {"name": name, "namespace": "default", "labels": {"app": name, **labels}}


def _pod_template(name: str) -> Document:
    container = {"name": name, "image": f"example.invalid/{name}:1", "ports": [{"containerPort": 8080}]}
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
    }


def _deployment(name: str, replicas: int) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": _pod_template(name),
        },
    }


def _daemonset(name: str) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {**_metadata(name), "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": _pod_template(name)},
    }


def _budget(name: str, minimum: int) -> Document:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(name),
        "spec": {"minAvailable": minimum, "selector": {"matchLabels": {"app": name}}},
    }


def service(name: str, vip: str, traffic_policy: str) -> Document:
    """One that has its address, and is to be announced."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, expose="bgp"),
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": name},
            "externalTrafficPolicy": traffic_policy,
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": vip}]}},
    }
