"""Small v2 documents for tests: the lab's CiliumBGPPeeringPolicy, said with the v2 resources."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

V2, V2ALPHA1 = "cilium.io/v2", "cilium.io/v2alpha1"
SELECT_ALL: Document = {}
ADVERTISED = {"advertise": "bgp"}


def resource(kind: str, name: str, spec: Document, version: str = V2, **metadata: Any) -> Document:
    """Any of the four; fields of `spec` that are None are left out."""
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def peer(name: str = "tor", address: str | None = "127.0.0.100", **fields: Any) -> Document:
    """A peer in AS 65000 that refers to the CiliumBGPPeerConfig "tor"."""
    made = {
        "name": name,
        "peerAddress": address,
        "peerASN": 65000,
        "peerConfigRef": {"name": "tor"},
        **fields,
    }
    return {key: value for key, value in made.items() if value is not None}


def instance(*peers: Document, name: str = "main", **fields: Any) -> Document:
    made = {"name": name, "localASN": 65001, "peers": list(peers) or [peer()], **fields}
    return {key: value for key, value in made.items() if value is not None}


def cluster_config(*instances: Document, name: str = "rack", version: str = V2, **fields: Any) -> Document:
    """For the nodes with enable-bgp=true; `nodeSelector=None` leaves the selector out."""
    created = {"creationTimestamp": fields.pop("created")} if "created" in fields else {}
    fields.setdefault("nodeSelector", {"matchLabels": {"enable-bgp": "true"}})
    spec = {**fields, "bgpInstances": list(instances) or [instance()]}
    return resource("CiliumBGPClusterConfig", name, spec, version, **created)


def family(afi: str = "ipv4", **fields: Any) -> Document:
    """A unicast family that advertises what has advertise=bgp; `advertisements=None` leaves that out."""
    made = {"afi": afi, "safi": "unicast", "advertisements": {"matchLabels": ADVERTISED}, **fields}
    return {key: value for key, value in made.items() if value is not None}


def peer_config(name: str = "tor", version: str = V2, **spec: Any) -> Document:
    spec.setdefault("families", [family(), family("ipv6")])
    return resource("CiliumBGPPeerConfig", name, spec, version)


def advert(kind: str = "Service", **fields: Any) -> Document:
    """One entry of spec.advertisements: all Services' LoadBalancer IPs unless told otherwise."""
    made: Document = {"advertisementType": kind, **fields}
    if kind == "Service":
        made.setdefault("service", {"addresses": ["LoadBalancerIP"]})
        made.setdefault("selector", SELECT_ALL)
    return {key: value for key, value in made.items() if value is not None}


def advertisement(
    *adverts: Document, name: str = "all", version: str = V2, labels: dict[str, str] | None = None
) -> Document:
    entries = list(adverts) or [advert("PodCIDR"), advert()]
    labels = ADVERTISED if labels is None else labels
    return resource("CiliumBGPAdvertisement", name, {"advertisements": entries}, version, labels=labels)


def override(*instances: Document, name: str = "worker-1", version: str = V2) -> Document:
    return resource("CiliumBGPNodeConfigOverride", name, {"bgpInstances": list(instances)}, version)
