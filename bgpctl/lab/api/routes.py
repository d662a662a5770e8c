"""What a request asks for: its path, method and query as a verb on a target. Pure.

Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.lab.api import status


@dataclass(frozen=True, slots=True)
class Target:
    """A resource path. `namespace` "" = cluster-wide, `name` "" = the collection."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource_text(self) -> str:
        """As in RBAC and in faults: `pods`, `pods/eviction`."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def target_of(path: str) -> Target | None:
    """The target of `/api/v1/…` or `/apis/GROUP/VERSION/…`, None for every other path (discovery, health)."""
    parts = [part for part in path.split("/") if part]
    if len(parts) > 2 and parts[0] == "api":
        return _below("", parts[1], parts[2:])
    if len(parts) > 3 and parts[0] == "apis":
        return _below(parts[1], parts[2], parts[3:])
    return None


_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


def _below(group: str, version: str, parts: list[str]) -> Target:
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, parts = parts[1], parts[2:]
    if len(parts) > 3 and not (parts[0] == "pods" and parts[2] == "proxy"):
        raise status.no_such_path()
    plural, name, subresource = (*parts, "", "")[:3]
    return Target(group, version, plural, namespace, name, subresource)


_ON_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_ON_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb_of(method: str, target: Target, query: Mapping[str, str]) -> str:
    """The Kubernetes verb; raises 405 when the method means nothing there."""
    if method == "GET" and flag(query, "watch"):
        return "watch"
    if method == "POST" and target.subresource:
        return "create"
    verb = (_ON_OBJECT if target.name else _ON_COLLECTION).get(method)
    if verb is None:
        raise status.method_not_allowed()
    return verb


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter as Go reads it: present and empty is true."""
    return name in query and query[name].lower() not in {"false", "0"}
