"""Small Kubernetes documents for tests: complete enough to be real, one line to write."""

from __future__ import annotations

import base64
from typing import Any

Document = dict[str, Any]


def node(name: str = "worker-1", labels: dict[str, str] | None = None, **parts: Any) -> Document:
    """A Node with two PodCIDRs and an InternalIP; `annotations`, `spec`, `status` replace the defaults."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"enable-bgp": "true"} if labels is None else labels,
            "annotations": parts.get("annotations", {}),
        },
        "spec": parts.get("spec", {"podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"]}),
        "status": parts.get("status", {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]}),
    }


def neighbor(address: str = "127.0.0.100/32", asn: int = 65000, **fields: Any) -> Document:
    return {"peerAddress": address, "peerASN": asn, **fields}


def router(*neighbors: Document, asn: int = 65001, **fields: Any) -> Document:
    """A virtual router that advertises PodCIDRs and all Services."""
    return {
        "localASN": asn,
        "exportPodCIDR": True,
        "serviceSelector": {},
        "neighbors": list(neighbors) or [neighbor()],
        **fields,
    }


def policy(*routers: Document, name: str = "policy", created: str = "", **spec: Any) -> Document:
    """A policy for the nodes with enable-bgp=true; `nodeSelector=None` leaves the selector out."""
    spec.setdefault("nodeSelector", {"matchLabels": {"enable-bgp": "true"}})
    spec["virtualRouters"] = list(routers) or [router()]
    return {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumBGPPeeringPolicy",
        "metadata": {"name": name, **({"creationTimestamp": created} if created else {})},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def service(
    name: str = "web", *ips: str, namespace: str = "default", local: bool = False, **spec: Any
) -> Document:
    """A LoadBalancer Service with these addresses; `labels=` are its labels."""
    labels = spec.pop("labels", {"app": name})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local" if local else "Cluster",
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}},
    }


def endpoint(node_name: str = "worker-1", **conditions: bool) -> Document:
    return {"addresses": ["10.244.1.7"], "nodeName": node_name, "conditions": conditions}


def endpoint_slice(
    service_name: str,
    *endpoints: Document,
    namespace: str = "default",
    family: str = "IPv4",
    suffix: str = "x",
) -> Document:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{family.lower()}-{suffix}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": family,
        "endpoints": list(endpoints),
    }


def pool(name: str, **labels: str) -> Document:
    """A CiliumPodIPPool."""
    return {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumPodIPPool",
        "metadata": {"name": name, "labels": labels},
        "spec": {"ipv4": {"cidrs": ["10.8.0.0/16"], "maskSize": 24}},
    }


def cilium_node(
    name: str = "worker-1", pod_cidrs: list[str] | None = None, **allocated: list[str]
) -> Document:
    """A CiliumNode with CIDRs by the names of their pools."""
    pools = [{"pool": pool, "cidrs": cidrs} for pool, cidrs in allocated.items()]
    ipam = {"podCIDRs": pod_cidrs or [], "pools": {"allocated": pools}}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": name},
        "spec": {"ipam": ipam},
    }


def lb_pool(*blocks: dict[str, str], name: str = "vips", version: str = "v2", **labels: str) -> Document:
    """A CiliumLoadBalancerIPPool."""
    return {
        "apiVersion": f"cilium.io/{version}",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": name, "labels": labels},
        "spec": {"blocks": list(blocks)},
    }


def password_secret(text: str, name: str = "bgp") -> Document:
    """A Secret with the key `password`."""
    data = {"password": base64.b64encode(text.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
