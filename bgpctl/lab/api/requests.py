"""One request on a resource, from its parts to its answer. Knows the API, not the socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.lab.api import deletion, listing, patch, scale, selectors, status, watching, wire
from bgpctl.lab.api.documents import Document, dump
from bgpctl.lab.api.operations import Operations, WriteOptions, patcher
from bgpctl.lab.api.resources import Resource
from bgpctl.lab.api.routes import Target
from bgpctl.lab.api.selectors import Selection
from bgpctl.lab.api.watching import Watch


@dataclass(slots=True)  # not frozen: one for each request, as is its answer
class Request:
    """What arrived: `verb` as in RBAC, header names in the client's spelling, the body's bytes."""

    verb: str
    target: Target
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """Without its parameters, in small letters; JSON where the client says none."""
        return (self.headers.get("Content-Type") or "application/json").split(";")[0].strip().lower()


@dataclass(slots=True)
class Answer:
    """A complete answer. `retry_after` in seconds."""

    code: int
    body: bytes
    content_type: str = "application/json"
    retry_after: int | None = None


def refusal(error: status.ApiError) -> Answer:
    """The error as an Answer, with Retry-After where it has one."""
    return Answer(error.code, dump(error.document()), retry_after=error.retry_after)


NEED_A_PROCESS = {"pods/log": "they have no logs", "pods/proxy": "nothing listens in them"}


def answer(operations: Operations, request: Request) -> Answer | Watch:
    """Carry out the request; raises ApiError for everything that is refused."""
    target = request.target
    resource = operations.registry.find(target.group, target.version, target.plural)
    if resource is None or (target.namespace and not resource.namespaced):
        raise status.no_such_path()
    if target.resource_text in NEED_A_PROCESS:
        raise status.bad_request(f"pods of the lab run no process: {NEED_A_PROCESS[target.resource_text]}")
    _check_subresource(resource, target)
    if target.subresource == "eviction":
        return _evict(operations, resource, request)
    if target.subresource == "scale":
        return _scale(operations, resource, request)
    handler = _VERBS[request.verb]
    return handler(operations, resource, request)


def _check_subresource(resource: Resource, target: Target) -> None:
    known = (*resource.subresources, *(["status"] if resource.status else []))
    if target.subresource and target.subresource not in known:
        raise status.no_such_path()
    if resource.namespaced and target.name and not target.namespace:
        raise status.no_such_path()


KUBECTL_SENDS_PROTOBUF = (
    " (this API reads no protobuf, which `kubectl create KIND NAME` sends since 1.32: "
    "add `--dry-run=client -o yaml | kubectl create -f -`)"
)


def parsed(request: Request) -> Any:
    """The body as JSON or YAML; raises 400, 415."""
    if "protobuf" in request.content_type:
        raise status.unsupported_media_type(["application/json", "application/yaml"], KUBECTL_SENDS_PROTOBUF)
    try:
        return json.loads(request.body)
    except ValueError as error:
        if "yaml" in request.content_type:
            return _yaml(request.body)
        raise status.bad_request(f"the body is not JSON: {error}") from error


def _yaml(body: bytes) -> Any:
    import yaml

    try:
        return yaml.safe_load(body)
    except (yaml.YAMLError, ValueError) as error:
        raise status.bad_request(f"the body is not YAML: {error}") from error


def _document(resource: Resource, request: Request) -> Document:
    found = parsed(request)
    if not isinstance(found, dict):
        raise status.bad_request("the body is no object")
    return wire.from_wire(resource, found)


def _write_options(request: Request) -> WriteOptions:
    query = request.query
    agent = (request.headers.get("User-Agent") or "unknown").split("/")[0]
    manager = query.get("fieldManager", "" if request.content_type == patch.APPLY else agent)
    return WriteOptions(
        dry_run=deletion.dry_run(query.get("dryRun") or None),
        strict=query.get("fieldValidation") == "Strict",
        manager=manager,
        force=query.get("force") == "true",
    )


def _selection(resource: Resource, request: Request) -> Selection:
    """What the query selects; a name in the path narrows a watch of one object."""
    query, target = request.query, request.target
    fields = query.get("fieldSelector", "")
    if target.name:
        fields = ",".join(filter(None, (fields, f"metadata.name={target.name}")))
    try:
        return Selection(
            target.namespace,
            selectors.parse_labels(query.get("labelSelector", "")),
            selectors.parse_fields(fields, resource.fields),
        )
    except selectors.SelectorError as error:
        raise status.bad_request(str(error)) from error


def _form(request: Request) -> wire.Form:
    return wire.form_of(request.headers.get("Accept") or "*/*", request.query.get("includeObject", ""))


def _get(operations: Operations, resource: Resource, request: Request) -> Answer:
    stored = operations.get(resource, request.target.namespace, request.target.name)
    return Answer(200, wire.one(resource, stored, _form(request)))


def _list(operations: Operations, resource: Resource, request: Request) -> Answer:
    selection = _selection(resource, request)
    items, meta = listing.page(operations.store, resource, selection, request.query)
    return Answer(200, wire.collection(resource, items, meta, _form(request)))


def _watch(operations: Operations, resource: Resource, request: Request) -> Watch:
    selection, options = _selection(resource, request), watching.options_of(request.query)
    return Watch(operations.store, resource, selection, options, _form(request))


def _create(operations: Operations, resource: Resource, request: Request) -> Answer:
    document, options = _document(resource, request), _write_options(request)
    if resource.namespaced and not request.target.namespace:
        # The official way is a namespace in the path; a POST to the whole cluster has nowhere to go.
        raise status.method_not_allowed()
    stored = operations.create(resource, request.target.namespace, document, options)
    return Answer(201, wire.one(resource, stored, _form(request)))


def _update(operations: Operations, resource: Resource, request: Request) -> Answer:
    target = request.target
    stored, created = operations.update(
        resource,
        target.namespace,
        target.name,
        _document(resource, request),
        target.subresource,
        _write_options(request),
    )
    return Answer(201 if created else 200, wire.one(resource, stored, _form(request)))


def _patch(operations: Operations, resource: Resource, request: Request) -> Answer:
    target, body = request.target, parsed(request)
    stored, created = operations.patch(
        resource,
        target.namespace,
        target.name,
        request.content_type,
        wire.from_wire(resource, body) if isinstance(body, dict) else body,
        target.subresource,
        _write_options(request),
    )
    return Answer(201 if created else 200, wire.one(resource, stored, _form(request)))


def _delete_options(request: Request) -> deletion.DeleteOptions:
    body = parsed(request) if request.body.strip() else None
    try:
        return deletion.options_of(request.query, body if isinstance(body, dict) else None)
    except ValueError as error:
        raise status.bad_request(f"invalid DeleteOptions: {error}") from error


def _delete(operations: Operations, resource: Resource, request: Request) -> Answer:
    target, options = request.target, _delete_options(request)
    stored, gone = operations.delete(resource, target.namespace, target.name, options)
    if not gone or (resource.plural in {"pods", "services", "serviceaccounts"} and not resource.custom):
        # These kinds answer with the object itself (ReturnDeletedObject), and so does what is still waiting.
        return Answer(200, wire.one(resource, stored, _form(request)))
    details = {"name": target.name, "kind": resource.plural, "uid": stored.document["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return Answer(200, dump(status.success(details=details)))


def _delete_collection(operations: Operations, resource: Resource, request: Request) -> Answer:
    options = _delete_options(request)
    chosen = operations.delete_collection(resource, _selection(resource, request), options)
    meta = {"resourceVersion": str(operations.store.version)}
    return Answer(200, wire.collection(resource, chosen, meta, _form(request)))


def _evict(operations: Operations, resource: Resource, request: Request) -> Answer:
    if request.verb != "create":
        raise status.method_not_allowed()
    eviction, target = _document(resource, request), request.target
    if eviction.get("kind", "Eviction") != "Eviction":
        raise status.bad_request(f"expected an Eviction, got {eviction['kind']!r}")
    if (eviction.get("metadata") or {}).get("name", target.name) != target.name:
        raise status.bad_request("name in URL does not match name in Eviction object")
    options = deletion.options_of({}, eviction.get("deleteOptions"))
    in_query = deletion.dry_run(request.query.get("dryRun") or None)
    if in_query and eviction.get("deleteOptions", {}).get("dryRun") and not options.dry_run:
        raise status.bad_request("Non-matching dry-run options in request and content")
    if in_query:
        options = deletion.options_of({}, {**(eviction.get("deleteOptions") or {}), "dryRun": ["All"]})
    operations.evict(resource, target.namespace, target.name, options)
    return Answer(201, dump(status.success(201)))


def _scale(operations: Operations, resource: Resource, request: Request) -> Answer:
    target = request.target
    place = resource, target.namespace, target.name
    if request.verb == "get":
        return Answer(200, dump(scale.scale_of(operations.get(*place).document)))
    if request.verb not in {"update", "patch"}:
        raise status.method_not_allowed()
    body = parsed(request)

    def change(old: Document) -> Document:
        shown = scale.scale_of(old)
        sent = body if request.verb == "update" else patcher(resource, request.content_type, body)(shown)
        return scale.scaled(old, sent)

    stored = operations.modify(*place, change, options=_write_options(request))
    return Answer(200, dump(scale.scale_of(stored.document)))


_VERBS: Mapping[str, Callable[[Operations, Resource, Request], Answer | Watch]] = {
    "get": _get,
    "list": _list,
    "watch": _watch,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
