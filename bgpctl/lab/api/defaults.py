"""What a kube-apiserver fills into built-in objects that leave it out. Pure but for the addresses it is lent.

Only fields that clients, controllers or kubectl's printers rely on. Source: k8s.io/kubernetes/pkg/apis/*/v1/
defaults.go.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from bgpctl.lab.api.documents import Document


def fill(plural: str, document: Document) -> None:
    """Default `document` in place; other kinds stay as they are."""
    filler = _FILLERS.get(plural)
    if filler:
        filler(document)


def _set(target: Document, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _pod_spec(spec: Document) -> None:
    _set(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
    )
    for container in spec.get("containers") or ():
        _set(
            container,
            resources={},
            imagePullPolicy="IfNotPresent",
            terminationMessagePath="/dev/termination-log",
            terminationMessagePolicy="File",
        )
        for port in container.get("ports") or ():
            _set(port, protocol="TCP")


def _pod(document: Document) -> None:
    spec = document.setdefault("spec", {})
    _pod_spec(spec)
    _set(spec, serviceAccountName="default", enableServiceLinks=True)


def _service(document: Document) -> None:
    spec = document.setdefault("spec", {})
    _set(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports") or ():
        _set(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] == "ExternalName":
        return
    _set(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in {"LoadBalancer", "NodePort"}:
        _set(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _set(spec, allocateLoadBalancerNodePorts=True)


def _secret(document: Document) -> None:
    """`stringData` is write-only: it becomes base64 in `data`."""
    plain: Mapping[str, str] = document.pop("stringData", None) or {}
    if plain:
        data = document.setdefault("data", {})
        data.update({name: base64.b64encode(text.encode()).decode() for name, text in plain.items()})
    _set(document, type="Opaque")


def _template(document: Document) -> None:
    template = document.setdefault("spec", {}).setdefault("template", {})
    template.setdefault("metadata", {})
    _pod_spec(template.setdefault("spec", {}))


def _deployment(document: Document) -> None:
    _template(document)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    _set(document["spec"], replicas=1, strategy=rolling)
    _set(document["spec"], revisionHistoryLimit=10, progressDeadlineSeconds=600)


def _replicas(document: Document) -> None:
    _template(document)
    _set(document["spec"], replicas=1)


def _daemonset(document: Document) -> None:
    _template(document)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    _set(document["spec"], updateStrategy=rolling, revisionHistoryLimit=10)


def _namespace(document: Document) -> None:
    document.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    labels = document["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = document["metadata"].get("name", "")


_NODE_INFO = (
    *("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion"),
    *("kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture"),
)


def _node(document: Document) -> None:
    """Go writes every string of a struct, empty ones too, and typed clients insist on them."""
    status = document.get("status") or {}
    info = {**dict.fromkeys(_NODE_INFO, ""), **(status.get("nodeInfo") or {})}
    document["status"] = {**status, "nodeInfo": info}


def _crd(document: Document) -> None:
    names = document.get("spec", {}).get("names")
    if isinstance(names, dict) and names.get("kind"):
        _set(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    _set(document.get("spec", {}), conversion={"strategy": "None"})


def _slice(document: Document) -> None:
    _set(document, endpoints=[], ports=[])
    for port in document["ports"]:
        _set(port, name="", protocol="TCP")


_FILLERS: Mapping[str, Callable[[Document], None]] = {
    "nodes": _node,
    "pods": _pod,
    "services": _service,
    "secrets": _secret,
    "deployments": _deployment,
    "replicasets": _replicas,
    "statefulsets": _replicas,
    "daemonsets": _daemonset,
    "namespaces": _namespace,
    "customresourcedefinitions": _crd,
    "endpointslices": _slice,
}


def initial_status(plural: str, document: Document) -> Document | None:
    """The status that a created object of a built-in kind starts with, None for none at all."""
    if plural == "pods":
        return {"phase": "Pending", "qosClass": "BestEffort"}
    if plural == "namespaces":
        return {"phase": "Active"}
    if plural == "services":
        return {"loadBalancer": {}}
    if plural == "customresourcedefinitions":
        stored = [version["name"] for version in document["spec"]["versions"] if version.get("storage")]
        names = {"plural": "", "kind": ""}
        return {"conditions": None, "acceptedNames": names, "storedVersions": stored}
    return _EMPTY.get(plural)


_EMPTY: Mapping[str, Document] = {
    "deployments": {},
    "replicasets": {"replicas": 0},
    "statefulsets": {"replicas": 0},
    "daemonsets": {
        "currentNumberScheduled": 0,
        "desiredNumberScheduled": 0,
        "numberMisscheduled": 0,
        "numberReady": 0,
    },
    "poddisruptionbudgets": {
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "disruptionsAllowed": 0,
        "expectedPods": 0,
    },
}


def established(crd: Document) -> Document:
    """The definition as the apiextensions controllers leave it: there is nobody to conflict with."""
    now = crd["metadata"]["creationTimestamp"]
    conditions = [
        {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"},
        {"type": "Established", "reason": "InitialNamesAccepted", "message": "the initial names accepted"},
    ]
    found = [{**c, "status": "True", "lastTransitionTime": now} for c in conditions]
    return {**crd, "status": {**crd["status"], "conditions": found, "acceptedNames": crd["spec"]["names"]}}
