"""What a client asks before its first real request: versions, groups, resources, and enough OpenAPI.

Pure functions of the registry. The OpenAPI documents carry only what kubectl looks for: that each PATCH takes
`fieldValidation`, so that it leaves validation to the server.
"""

from __future__ import annotations

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document
from bgpctl.lab.api.resources import Registry, Resource

KUBERNETES_MINOR = 32
VERSION: Document = {
    "major": "1",
    "minor": str(KUBERNETES_MINOR),
    "gitVersion": f"v1.{KUBERNETES_MINOR}.0+bgpctl-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_HEALTH = frozenset({"healthz", "livez", "readyz"})


def answer(registry: Registry, path: str) -> Document | str:
    """The document (or text) at a path that is no resource; raises 404."""
    parts = tuple(part for part in path.split("/") if part)
    match parts:
        case (check, *_) if check in _HEALTH:
            return "ok"
        case ("version",):
            return VERSION
        case ("api",):
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ("apis",):
            groups = [_group(g, v) for g, v in registry.groups().items() if g]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ("apis", group) if versions := registry.groups().get(group):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}
        case ("api", version):
            return _resource_list(registry, "", version)
        case ("apis", group, version):
            return _resource_list(registry, group, version)
        case ("openapi", "v2"):
            return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1"}, "paths": {}}
        case ("openapi", "v3", *rest):
            return _openapi(registry, "/".join(rest))
    raise status.no_such_path()


def _group(group: str, versions: list[str]) -> Document:
    listed = [{"groupVersion": f"{group}/{v}", "version": v} for v in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _resource_list(registry: Registry, group: str, version: str) -> Document:
    found = [r for r in registry.all() if (r.group, r.version) == (group, version)]
    if not found:
        raise status.no_such_path()
    resources = [entry for resource in found for entry in _entries(resource)]
    head = {"kind": "APIResourceList", "apiVersion": "v1"}
    return {**head, "groupVersion": found[0].api_version, "resources": resources}


def _entries(resource: Resource) -> list[Document]:
    entry: Document = {
        "name": resource.plural,
        "singularName": resource.one,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *_subresources(resource)]


def _subresources(resource: Resource) -> list[Document]:
    common = {"singularName": "", "namespaced": resource.namespaced}
    entries: list[Document] = []
    if "eviction" in resource.subresources:
        # kubectl drain looks for exactly this entry, group and version included.
        policy = {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]}
        entries.append({"name": f"{resource.plural}/eviction", **common, **policy})
    if "scale" in resource.subresources:
        kind = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        verbs = ["get", "patch", "update"]
        entries.append({"name": f"{resource.plural}/scale", **common, **kind, "verbs": verbs})
    if "finalize" in resource.subresources:
        name = f"{resource.plural}/finalize"
        entries.append({"name": name, **common, "kind": resource.kind, "verbs": ["update"]})
    if resource.status:
        name, verbs = f"{resource.plural}/status", ["get", "patch", "update"]
        entries.append({"name": name, **common, "kind": resource.kind, "verbs": verbs})
    return entries


def _openapi(registry: Registry, path: str) -> Document:
    versions = {r.api_version: _openapi_path(r) for r in registry.all()}
    if not path:
        paths = {where: {"serverRelativeURL": f"/openapi/v3/{where}"} for where in versions.values()}
        return {"paths": paths}
    resources = [r for r in registry.all() if _openapi_path(r) == path]
    if not resources:
        raise status.no_such_path()
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": {_object_path(resource): _path_item(resource) for resource in resources},
        "components": {"schemas": {}},
    }


def _openapi_path(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _object_path(resource: Resource) -> str:
    namespace = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_openapi_path(resource)}/{namespace}{resource.plural}/{{name}}"


def _path_item(resource: Resource) -> Document:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    patch = {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
    }
    return {"patch": patch}
