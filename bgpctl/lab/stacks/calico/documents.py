"""Calico's custom resources for a lab: CRDs of ours, from the published fields, and documents."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

V3, V1 = "projectcalico.org/v3", "crd.projectcalico.org/v1"
PLURALS = {
    "BGPPeer": "bgppeers",
    "BGPFilter": "bgpfilters",
    "BGPConfiguration": "bgpconfigurations",
    "IPPool": "ippools",
    "CalicoNodeStatus": "caliconodestatuses",
}
_FREE: Document = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXT: Document = {"type": "string"}
_RULES: Document = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["action"],
        "properties": {
            "action": {"type": "string", "enum": ["Accept", "Reject"]},
            "cidr": _TEXT,
            "matchOperator": {"type": "string", "enum": ["Equal", "NotEqual", "In", "NotIn"]},
            "source": {"type": "string", "enum": ["RemotePeers"]},
            "interface": _TEXT,
        },
    },
}
_SPECS: dict[str, Document] = {
    "BGPPeer": {
        "node": _TEXT,
        "nodeSelector": _TEXT,
        "peerIP": _TEXT,
        "asNumber": {"x-kubernetes-int-or-string": True},
        "peerSelector": _TEXT,
        "reversePeering": {"type": "string", "enum": ["Auto", "Manual"]},
        "keepOriginalNextHop": {"type": "boolean"},
        "maxRestartTime": _TEXT,
        "keepaliveTime": _TEXT,
        "localASNumber": {"x-kubernetes-int-or-string": True},
        "localWorkloadSelector": _TEXT,
        "filters": {"type": "array", "items": _TEXT},
    },
    "BGPFilter": {name: _RULES for name in ("exportV4", "exportV6", "importV4", "importV6")},
    "BGPConfiguration": {
        "asNumber": {"x-kubernetes-int-or-string": True},
        "nodeToNodeMeshEnabled": {"type": "boolean"},
        "listenPort": {"type": "integer", "minimum": 1, "maximum": 65535},
    },
    "IPPool": {
        "cidr": _TEXT,
        "disableBGPExport": {"type": "boolean"},
        "disabled": {"type": "boolean"},
        "allowedUses": {"type": "array", "items": _TEXT},
    },
    "CalicoNodeStatus": {
        "node": _TEXT,
        "classes": {"type": "array", "items": {"type": "string", "enum": ["Agent", "BGP", "Routes"]}},
        "updatePeriodSeconds": {"type": "integer", "minimum": 0, "maximum": 86400},
    },
}


def crds(api: str = V3) -> list[Document]:
    """All of them, in one of Calico's two APIs."""
    return [_crd(api, kind, plural) for kind, plural in PLURALS.items()]


def _crd(api: str, kind: str, plural: str) -> Document:
    group, _, version = api.partition("/")
    properties = {"spec": {"type": "object", "properties": _SPECS[kind]}, "status": _FREE}
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Cluster", "names": names, "versions": [served]},
    }


def made(kind: str, name: str, api: str = V3, **spec: Any) -> Document:
    """One object."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def peer(name: str, address: str, asn: int = 65000, *, api: str = V3, **spec: Any) -> Document:
    """A BGPPeer; `node`, `nodeSelector` or neither says which nodes have it."""
    return made("BGPPeer", name, api, peerIP=address, asNumber=asn, **spec)


def pool(name: str, cidr: str, *, api: str = V3, **spec: Any) -> Document:
    """An IPPool."""
    return made("IPPool", name, api, cidr=cidr, **spec)


def configuration(*, mesh: bool = False, api: str = V3, **spec: Any) -> Document:
    """The BGPConfiguration `default`."""
    return made("BGPConfiguration", "default", api, nodeToNodeMeshEnabled=mesh, **spec)


def daemonset() -> Document:
    """Whose pods calico-node is in."""
    labels = {"k8s-app": "calico-node"}
    containers = [{"name": "calico-node", "image": "quay.io/calico/node:v3.32.1"}]
    pod = {"hostNetwork": True, "priorityClassName": "system-node-critical", "containers": containers}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "calico-node", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def notes(address: str, asn: int | None = None) -> dict[str, str]:
    """What calico-node writes on its Node."""
    found = {"projectcalico.org/IPv4Address": f"{address}/24"}
    return {**found, "projectcalico.org/ASNumber": str(asn)} if asn else found
