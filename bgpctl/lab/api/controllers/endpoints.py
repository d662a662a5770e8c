"""EndpointSlices follow Services and their pods. Pure but for `reconcile`.

Source: k8s.io/endpointslice, KEP-1672 (ready, serving, terminating).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from bgpctl.lab.api.controllers.cluster import Cluster, ended, owner_reference, terminating
from bgpctl.lab.api.documents import Document, name_of, namespace_of
from bgpctl.lab.api.eviction import ready
from bgpctl.lab.api.selectors import from_map

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


def slices_for(service: Document, pods: Sequence[Document]) -> list[Document]:
    """The slices that the Service should have, one per address family; none without a selector."""
    selector = from_map(service["spec"].get("selector"))
    if selector is None or service["spec"].get("type") == "ExternalName":
        return []
    backends = [pod for pod in pods if selector.matches(pod) and not ended(pod)]
    return [_slice(service, family, backends) for family in service["spec"].get("ipFamilies") or ["IPv4"]]


def _slice(service: Document, family: str, pods: Sequence[Document]) -> Document:
    name = name_of(service)
    digest = hashlib.sha256(f"{service['metadata']['uid']}/{family}".encode()).hexdigest()[:5]
    return {
        "metadata": {
            "name": f"{name}-{digest}",
            "labels": {SERVICE_LABEL: name, MANAGED_BY: MANAGER},
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": family,
        "endpoints": [endpoint for pod in pods for endpoint in _endpoints(service, family, pod)],
        "ports": [_port(port, pods) for port in service["spec"].get("ports") or ()],
    }


def _endpoints(service: Document, family: str, pod: Document) -> Iterator[Document]:
    found = [ip["ip"] for ip in pod["status"].get("podIPs") or ()] or [pod["status"].get("podIP")]
    fitting = [ip for ip in found if ip and f"IPv{ip_address(ip).version}" == family]
    if not fitting:
        return
    serving, going = ready(pod), terminating(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    yield {
        "addresses": fitting[:1],
        "conditions": {
            "ready": published or (serving and not going),
            "serving": serving,
            "terminating": going,
        },
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": pod["metadata"]["uid"],
        },
    }


def _port(port: Document, pods: Sequence[Document]) -> Document:
    target = port.get("targetPort", port["port"])
    number = target if isinstance(target, int) else _named(str(target), pods)
    slice_port = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
    return {key: value for key, value in slice_port.items() if value is not None}


def _named(name: str, pods: Sequence[Document]) -> int | None:
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for port in container.get("ports") or ():
                if port.get("name") == name:
                    return int(port["containerPort"])
    return None


def reconcile(cluster: Cluster, service: Document) -> None:
    """Make the Service's slices be what they should be."""
    namespace = namespace_of(service)
    wanted = {name_of(each): each for each in slices_for(service, cluster.all("pods", namespace))}
    for name, document in wanted.items():
        found = cluster.get("endpointslices", namespace, name)
        if found is None:
            cluster.create("endpointslices", namespace, document)
        elif any(found.get(field) != document[field] for field in ("endpoints", "ports")):
            cluster.modify("endpointslices", found, lambda old, new=document: _renewed(old, new))  # type: ignore[misc]


def _renewed(old: Document, new: Document) -> Document:
    return {**old, "endpoints": new["endpoints"], "ports": new["ports"]}
