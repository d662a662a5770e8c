"""Cilium's custom resources: the CRD of CiliumBGPNodeConfig, which its operator brings, and documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgpctl.kube import paths
from bgpctl.lab.stacks.spec import Document

API = "cilium.io/v2"
NODE_CONFIGS, CLUSTER_CONFIGS, PEER_CONFIGS, ADVERTISEMENTS = (
    versions[0]
    for versions in (paths.NODE_CONFIGS, paths.CLUSTER_CONFIGS, paths.PEER_CONFIGS, paths.ADVERTISEMENTS)
)


def crd() -> Document:
    """CiliumBGPNodeConfig, from its published fields."""
    reference = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    peer = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 255},
            "peerAddress": {"type": "string"},
            "peerASN": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 4294967295},
            "localAddress": {"type": "string"},
            "autoDiscovery": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "peerConfigRef": reference,
        },
    }
    instance = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 255},
            "localASN": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 4294967295},
            "routerID": {"type": "string"},
            "localPort": {"type": "integer", "format": "int32"},
            "peers": {"type": "array", "items": peer},
        },
    }
    spec = {
        "type": "object",
        "required": ["bgpInstances"],
        "properties": {"bgpInstances": {"type": "array", "minItems": 1, "maxItems": 16, "items": instance}},
    }
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [
        {
            "name": "v2",
            "served": True,
            "storage": True,
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {"spec": spec, "status": free},
                }
            },
            "subresources": {"status": {}},
        }
    ]
    names = {
        "kind": "CiliumBGPNodeConfig",
        "plural": "ciliumbgpnodeconfigs",
        "singular": "ciliumbgpnodeconfig",
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "ciliumbgpnodeconfigs.cilium.io"},
        "spec": {"group": "cilium.io", "scope": "Cluster", "names": names, "versions": versions},
    }


def cilium_node(name: str, labels: Mapping[str, str] | None = None) -> Document:
    """What the agent of a node writes of it."""
    return {
        "apiVersion": API,
        "kind": "CiliumNode",
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": {},
    }


TIMERS = {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3, "connectRetryTimeSeconds": 5}


def peer_config(name: str, *, restart: int | None = 120, port: int = 179, **spec: Any) -> Document:
    """A CiliumBGPPeerConfig for IPv4. `restart`: seconds, None = no graceful restart; `spec`: what else."""
    graceful = {"gracefulRestart": {"enabled": True, "restartTimeSeconds": restart}} if restart else {}
    families = [{"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": {"advertise": "bgp"}}}]
    return {
        "apiVersion": API,
        "kind": "CiliumBGPPeerConfig",
        "metadata": {"name": name},
        "spec": {"transport": {"peerPort": port}, "timers": TIMERS, **graceful, "families": families, **spec},
    }


def cluster_config(name: str, *peers: Document, selector: Mapping[str, str] | None = None) -> Document:
    """A CiliumBGPClusterConfig with one instance; without a `selector` for every node."""
    instance = {"name": "main", "localASN": 65001, "peers": list(peers)}
    selecting = {"nodeSelector": {"matchLabels": dict(selector)}} if selector is not None else {}
    return {
        "apiVersion": API,
        "kind": "CiliumBGPClusterConfig",
        "metadata": {"name": name},
        "spec": {**selecting, "bgpInstances": [instance]},
    }


def peer(name: str, address: str, config: str, asn: int = 65000) -> Document:
    """One of its peers. `config`: the name of the CiliumBGPPeerConfig."""
    return {"name": name, "peerAddress": address, "peerASN": asn, "peerConfigRef": {"name": config}}


def advertisement(name: str, labels: Mapping[str, str], services: Mapping[str, str]) -> Document:
    """The PodCIDRs of a node, and the LoadBalancer addresses of the Services with these labels. `labels`: by
    which CiliumBGPPeerConfigs choose it."""
    return {
        "apiVersion": API,
        "kind": "CiliumBGPAdvertisement",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "advertisements": [
                {"advertisementType": "PodCIDR"},
                {
                    "advertisementType": "Service",
                    "service": {"addresses": ["LoadBalancerIP"]},
                    "selector": {"matchLabels": dict(services)},
                },
            ]
        },
    }
