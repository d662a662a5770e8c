"""The custom resources of frr-k8s and MetalLB for a lab: CRDs of ours, from the published fields, and
documents."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

VERSION = "frrk8s.metallb.io/v1beta1"
METALLB = "metallb.io/v1beta2"
NAMESPACE = "metallb-system"
_FREE: Document = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXT: Document = {"type": "string"}
_FLAG: Document = {"type": "boolean"}
_ASN: Document = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 4294967295}
_SELECTOR: Document = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": _TEXT},
        "matchExpressions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {"key": _TEXT, "operator": _TEXT, "values": {"type": "array", "items": _TEXT}},
            },
        },
    },
}


def _object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties}


def _list(items: Document) -> Document:
    return {"type": "array", "items": items}


_NEIGHBOR = _object(
    asn=_ASN,
    dynamicASN={"type": "string", "enum": ["internal", "external"]},
    sourceaddress=_TEXT,
    address=_TEXT,
    interface=_TEXT,
    port={"type": "integer", "minimum": 0, "maximum": 16384},
    password=_TEXT,
    passwordSecret=_object(name=_TEXT, namespace=_TEXT),
    holdTime=_TEXT,
    keepaliveTime=_TEXT,
    connectTime=_TEXT,
    ebgpMultiHop=_FLAG,
    bfdProfile=_TEXT,
    enableGracefulRestart=_FLAG,
    toAdvertise=_object(
        allowed=_object(
            prefixes=_list(_TEXT), mode={"type": "string", "enum": ["all", "filtered"], "default": "filtered"}
        ),
        nextHop=_object(ipv4=_TEXT, ipv6=_TEXT),
        withLocalPref=_list(_FREE),
        withCommunity=_list(_FREE),
    ),
    toReceive=_FREE,
    dualStackAddressFamily=_FLAG,
    localASN=_ASN,
    addressFamilies=_list({"type": "string", "enum": ["unicast", "evpn"]}),
)
_ROUTER = {
    **_object(
        asn=_ASN,
        id=_TEXT,
        vrf=_TEXT,
        neighbors=_list(_NEIGHBOR),
        prefixes=_list(_TEXT),
        imports=_list(_object(vrf=_TEXT)),
        evpn=_FREE,
    ),
    "required": ["asn"],
}
_CONFIGURATION = _object(
    bgp=_object(routers=_list(_ROUTER), bfdProfiles=_list(_FREE)),
    raw=_object(priority={"type": "integer"}, rawConfig=_TEXT),
    nodeSelector=_SELECTOR,
)
_PEER = _object(
    myASN=_ASN,
    peerASN=_ASN,
    localASN=_ASN,
    dynamicASN={"type": "string", "enum": ["internal", "external"]},
    peerAddress=_TEXT,
    interface=_TEXT,
    sourceAddress=_TEXT,
    peerPort={"type": "integer", "minimum": 1, "maximum": 16384, "default": 179},
    holdTime=_TEXT,
    keepaliveTime=_TEXT,
    connectTime=_TEXT,
    routerID=_TEXT,
    nodeSelectors=_list(_SELECTOR),
    password=_TEXT,
    bfdProfile=_TEXT,
    enableGracefulRestart=_FLAG,
    ebgpMultiHop=_FLAG,
    vrf=_TEXT,
)


def crds() -> list[Document]:
    """Those of frr-k8s and of MetalLB."""
    return [
        _crd(VERSION, "FRRConfiguration", _CONFIGURATION),
        _crd(VERSION, "FRRNodeState", _FREE, scope="Cluster"),
        _crd(VERSION, "BGPSessionState", _FREE),
        *metallb_crds(),
    ]


def metallb_crds() -> list[Document]:
    """Where frr-k8s is not there."""
    return [
        _crd(METALLB, "BGPPeer", _PEER),
        _crd("metallb.io/v1beta1", "IPAddressPool", _FREE),
        _crd("metallb.io/v1beta1", "BGPAdvertisement", _FREE),
    ]


def _crd(version: str, kind: str, spec: Document, scope: str = "Namespaced") -> Document:
    group, _, name = version.partition("/")
    served = {
        "name": name,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object(spec=spec, status=_FREE)},
    }
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": [served]},
    }


def namespace() -> Document:
    """In which frr-k8s looks for its objects."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def made(version: str, kind: str, name: str, **spec: Any) -> Document:
    """One namespaced object."""
    about = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": about, "spec": spec}


def peer(name: str, address: str, asn: int, own: int, **spec: Any) -> Document:
    """A BGPPeer of MetalLB; `nodeSelectors` says which nodes have it."""
    return made(METALLB, "BGPPeer", name, myASN=own, peerASN=asn, peerAddress=address, **spec)


def configuration(
    name: str, hostname: str | None, *routers: Document, raw: str = "", **spec: Any
) -> Document:
    """An FRRConfiguration for one host, None = for all."""
    selector = {"matchLabels": {"kubernetes.io/hostname": hostname}} if hostname else {}
    found: Document = {"nodeSelector": selector, "bgp": {"routers": list(routers)}, **spec}
    if raw:
        found["raw"] = {"rawConfig": raw}
    return made(VERSION, "FRRConfiguration", name, **found)


def neighbor(address: str, asn: int, prefixes: list[str], *, next_hop: str = "", **more: Any) -> Document:
    """Of a router in one; it gets these prefixes."""
    advertise: Document = {"allowed": {"mode": "filtered", "prefixes": prefixes}}
    if next_hop:
        advertise["nextHop"] = {"ipv4": next_hop}
    return {"address": address, "asn": asn, "toAdvertise": advertise, **more}


def daemonset() -> Document:
    """Whose pods frr-k8s and its FRR are in."""
    labels = {"app.kubernetes.io/component": "frr-k8s"}
    images = {"controller": "quay.io/metallb/frr-k8s:v0.0.25", "frr": "quay.io/frrouting/frr:10.4.3"}
    containers = [{"name": name, "image": image} for name, image in images.items()]
    pod = {"hostNetwork": True, "containers": containers}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "frr-k8s", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
