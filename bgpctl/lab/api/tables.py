"""The columns that `kubectl get` prints: built-in kinds as a real server does, custom ones by their CRD.

Pure but for the clock behind AGE. Source: k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bgpctl.lab.api.documents import Document, metadata, name_of, parse_time, reach
from bgpctl.lab.api.resources import Resource

Cell = Callable[[Document], Any]
_NONE = "<none>"


def definitions(resource: Resource) -> list[Document]:
    """The Table's columnDefinitions. Priority 1 shows with `-o wide` only."""
    return [definition for definition, _ in _columns(resource)]


def cells(resource: Resource, document: Document) -> list[Any]:
    """One row, in the order of `definitions`."""
    return [cell(document) for _, cell in _columns(resource)]


def _column(name: str, cell: Cell, kind: str = "string", priority: int = 0) -> tuple[Document, Cell]:
    form = "name" if name == "Name" else ""
    definition = {"name": name, "type": kind, "format": form, "description": name, "priority": priority}
    return definition, cell


def age_of(text: str | None) -> str:
    """A timestamp as kubectl prints ages: 5s, 3m20s, 2h, 4d (duration.HumanDuration)."""
    if not text:
        return "<unknown>"
    return human_duration(int((datetime.now(UTC) - parse_time(text)).total_seconds()))


def human_duration(seconds: int) -> str:
    """duration.HumanDuration of k8s.io/apimachinery: a second unit only where it tells something."""
    if seconds < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return f"{minutes}m" + (f"{seconds % 60}s" if seconds % 60 else "")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h" + (f"{minutes % 60}m" if minutes % 60 else "")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d" + (f"{hours % 24}h" if hours % 24 else "")
    return f"{days}d" if days < 730 else f"{days // 365}y"


_NAME = _column("Name", name_of)
_AGE = _column("Age", lambda document: age_of(metadata(document).get("creationTimestamp")))


def _columns(resource: Resource) -> list[tuple[Document, Cell]]:
    if resource.columns:
        return [_NAME, *(_custom(column) for column in resource.columns)]
    columns = _BUILTIN.get(resource.plural, [])
    # Where AGE is not the last column the table says where; events show when they were last seen instead.
    placed = _AGE in columns or resource.plural == "events"
    return [_NAME, *columns] if placed else [_NAME, *columns, _AGE]


# --- custom resources -------------------------------------------------------------------------------------


def _custom(column: Document) -> tuple[Document, Cell]:
    path, kind = column["jsonPath"], column["type"]

    def cell(document: Document) -> Any:
        found = json_path(document, path)
        if kind == "date":
            return age_of(found[0] if found else None)
        if kind in {"integer", "number", "boolean"}:
            return found[0] if found else None
        return ",".join(_text(value) for value in found)

    return _column(column["name"], cell, kind, column.get("priority", 0))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)
    | \[['"](?P<quoted>[^'"]+)['"]\]
    | \[(?P<index>-?\d+|\*)\]
    | \[\?\(@\.(?P<key>[\w.]+)\s*==\s*['"](?P<value>[^'"]*)['"]\)\]""",
    re.VERBOSE,
)


def json_path(document: Document, path: str) -> list[Any]:
    """The values at a printer column's JSONPath: fields, indices, `[*]`, `[?(@.type=="Ready")]`."""
    found: list[Any] = [document]
    for step in _STEP.finditer(path.replace("\\.", "\0")):
        found = [value for item in found for value in _take(item, step)]
    return found


def _take(item: Any, step: re.Match[str]) -> list[Any]:
    name = step["name"] or step["quoted"]
    if name is not None:
        value = item.get(name.replace("\0", ".")) if isinstance(item, dict) else None
        return [] if value is None else [value]
    if not isinstance(item, list):
        return []
    if step["key"]:
        return [each for each in item if str(reach(each, step["key"])) == step["value"]]
    if step["index"] == "*":
        return item
    return item[int(step["index"]) :][:1]


# --- built-in kinds ---------------------------------------------------------------------------------------


def _conditions(document: Document) -> dict[str, str]:
    return {c["type"]: c["status"] for c in reach(document, "status.conditions") or ()}


def _node_status(node: Document) -> str:
    ready = {"True": "Ready", "False": "NotReady"}.get(_conditions(node).get("Ready", ""), "Unknown")
    return ready + (",SchedulingDisabled" if reach(node, "spec.unschedulable") else "")


_ROLE = "node-role.kubernetes.io/"


def _node_roles(node: Document) -> str:
    labels = metadata(node).get("labels") or {}
    return ",".join(sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE))) or _NONE


def _address(kind: str) -> Cell:
    def cell(node: Document) -> str:
        addresses = reach(node, "status.addresses") or ()
        return next((a["address"] for a in addresses if a["type"] == kind), _NONE)

    return cell


def _pod_ready(pod: Document) -> str:
    statuses = reach(pod, "status.containerStatuses") or []
    total = len(reach(pod, "spec.containers") or ())
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{total}"


def _pod_status(pod: Document) -> str:
    if metadata(pod).get("deletionTimestamp"):
        return "Terminating"
    phase = reach(pod, "status.phase")
    return {"Succeeded": "Completed", "Failed": "Error"}.get(phase, phase or "Unknown")


def _restarts(pod: Document) -> str:
    return str(sum(s.get("restartCount", 0) for s in reach(pod, "status.containerStatuses") or ()))


def _field(path: str, default: Any = _NONE) -> Cell:
    def cell(document: Document) -> Any:
        value = reach(document, path)
        return default if value in (None, "") else value

    return cell


def _external_ip(service: Document) -> str:
    ingress = reach(service, "status.loadBalancer.ingress") or ()
    addresses = [i.get("ip") or i.get("hostname") for i in ingress]
    addresses += reach(service, "spec.externalIPs") or []
    waiting = "<pending>" if reach(service, "spec.type") == "LoadBalancer" else _NONE
    return ",".join(addresses) or waiting


def _ports(service: Document) -> str:
    def text(port: Document) -> str:
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"

    return ",".join(text(port) for port in reach(service, "spec.ports") or ()) or _NONE


def _map_text(path: str) -> Cell:
    def cell(document: Document) -> str:
        found = reach(document, path) or {}
        return ",".join(f"{key}={value}" for key, value in found.items()) or _NONE

    return cell


def _slice_ports(endpoints: Document) -> str:
    return ",".join(str(port.get("port", "*")) for port in endpoints.get("ports") or ()) or "<unset>"


def _slice_addresses(endpoints: Document) -> str:
    found = [a for endpoint in endpoints.get("endpoints") or () for a in endpoint.get("addresses", ())]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more if found else "<unset>"


def _share(ready: str, wanted: str) -> Cell:
    return lambda document: f"{reach(document, ready) or 0}/{_or(reach(document, wanted), 1)}"


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _data_count(document: Document) -> int:
    return len(document.get("data") or {}) + len(document.get("binaryData") or {})


def _event_object(event: Document) -> str:
    involved = event.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _replica_set() -> list[tuple[Document, Cell]]:
    return [
        _column("Desired", _field("spec.replicas", 0), "integer"),
        _column("Current", _field("status.replicas", 0), "integer"),
        _column("Ready", _field("status.readyReplicas", 0), "integer"),
    ]


_BUILTIN: Mapping[str, list[tuple[Document, Cell]]] = {
    "nodes": [
        _column("Status", _node_status),
        _column("Roles", _node_roles),
        _AGE,
        _column("Version", _field("status.nodeInfo.kubeletVersion", "")),
        _column("Internal-IP", _address("InternalIP"), priority=1),
        _column("External-IP", _address("ExternalIP"), priority=1),
    ],
    "pods": [
        _column("Ready", _pod_ready),
        _column("Status", _pod_status),
        _column("Restarts", _restarts),
        _AGE,
        _column("IP", _field("status.podIP"), priority=1),
        _column("Node", _field("spec.nodeName"), priority=1),
        _column("Nominated Node", _field("status.nominatedNodeName"), priority=1),
    ],
    "services": [
        _column("Type", _field("spec.type")),
        _column("Cluster-IP", _field("spec.clusterIP")),
        _column("External-IP", _external_ip),
        _column("Port(s)", _ports),
        _AGE,
        _column("Selector", _map_text("spec.selector"), priority=1),
    ],
    "namespaces": [_column("Status", _field("status.phase"))],
    "endpointslices": [
        _column("AddressType", _field("addressType")),
        _column("Ports", _slice_ports),
        _column("Endpoints", _slice_addresses),
    ],
    "deployments": [
        _column("Ready", _share("status.readyReplicas", "spec.replicas")),
        _column("Up-to-date", _field("status.updatedReplicas", 0), "integer"),
        _column("Available", _field("status.availableReplicas", 0), "integer"),
    ],
    "replicasets": _replica_set(),
    "statefulsets": [_column("Ready", _share("status.readyReplicas", "spec.replicas"))],
    "daemonsets": [
        _column("Desired", _field("status.desiredNumberScheduled", 0), "integer"),
        _column("Current", _field("status.currentNumberScheduled", 0), "integer"),
        _column("Ready", _field("status.numberReady", 0), "integer"),
        _column("Node Selector", _map_text("spec.template.spec.nodeSelector")),
    ],
    "poddisruptionbudgets": [
        _column("Min available", lambda pdb: str(_or(reach(pdb, "spec.minAvailable"), "N/A"))),
        _column("Max unavailable", lambda pdb: str(_or(reach(pdb, "spec.maxUnavailable"), "N/A"))),
        _column("Allowed disruptions", _field("status.disruptionsAllowed", 0), "integer"),
    ],
    "secrets": [_column("Type", _field("type")), _column("Data", _data_count, "integer")],
    "configmaps": [_column("Data", _data_count, "integer")],
    "leases": [_column("Holder", _field("spec.holderIdentity", ""))],
    "events": [
        _column("Last Seen", lambda event: age_of(event.get("lastTimestamp") or event.get("eventTime"))),
        _column("Type", _field("type", "")),
        _column("Reason", _field("reason", "")),
        _column("Object", _event_object),
        _column("Message", _field("message", "")),
    ],
    "customresourcedefinitions": [_column("Created At", _field("metadata.creationTimestamp"))],
}
