"""What may be written and what the server fills in: metadata, generation, the wall around status. Pure.

Source: k8s.io/apiserver/pkg/registry/rest (BeforeCreate, BeforeUpdate, BeforeDelete) and the strategies of
k8s.io/kubernetes/pkg/registry.
"""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

from bgpctl.lab.api import defaults, schema, shapes, status, validation
from bgpctl.lab.api.documents import Document, clone, metadata, name_of, without
from bgpctl.lab.api.resources import Resource

# The alphabet of generated names: no vowels, so no words (k8s.io/apimachinery/pkg/util/rand).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

# What an update never changes, whatever the client sends.
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def generated_name(prefix: str) -> str:
    """`prefix` and five random characters: collisions are the caller's, as on a real server."""
    return prefix + "".join(random.choices(_ALPHABET, k=5))  # noqa: S311 a name, no secret


def created(
    resource: Resource, document: Document, namespace: str, now: str, *, strict: bool = False
) -> Document:
    """The object as it will be stored, created `now` (RFC 3339), or ApiError 400/422."""
    _check_type(resource, document)
    new = _in_shape(resource, document, strict=strict)
    if metadata(new).get("resourceVersion"):
        raise status.ApiError(500, "", "resourceVersion should not be set on objects to be created")
    new["metadata"] = _fresh_metadata(resource, metadata(new), namespace, now)
    if not resource.custom:
        defaults.fill(resource.plural, new)
    _validate(resource, new)
    return _with_initial_status(resource, new)


def _fresh_metadata(resource: Resource, sent: Document, namespace: str, now: str) -> Document:
    fresh = without(sent, (*_KEPT, "selfLink"))
    if not sent.get("name") and sent.get("generateName"):
        fresh["name"] = generated_name(sent["generateName"])
    if resource.namespaced:
        if sent.get("namespace", namespace) != namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        fresh["namespace"] = namespace
    else:
        fresh.pop("namespace", None)
    fresh.update(uid=str(uuid4()), creationTimestamp=now)
    if resource.generation:
        fresh["generation"] = 1
    return fresh


def _with_initial_status(resource: Resource, new: Document) -> Document:
    if resource.custom:
        return without(new, ["status"]) if resource.status else new
    initial = defaults.initial_status(resource.plural, new)
    if initial is None or (resource.keeps_status and new.get("status")):
        return new
    return {**new, "status": initial}


def updated(
    resource: Resource, old: Document, document: Document, subresource: str = "", *, strict: bool = False
) -> Document:
    """What `old` becomes when `document` is written to it (or to its status), or ApiError 400/409/422."""
    _check_type(resource, document)
    _check_identity(resource, old, document)
    if subresource == "status":
        new = _in_shape(resource, _status_update(old, document), strict=strict)
        if not resource.custom:
            defaults.fill(resource.plural, new)
    else:
        new = _main_update(resource, old, _in_shape(resource, document, strict=strict))
    _validate(resource, new)
    return new


def _main_update(resource: Resource, old: Document, document: Document) -> Document:
    new = dict(document)
    if resource.status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    if not resource.custom:
        defaults.fill(resource.plural, new)
        _keep_allocations(resource, old, new)
    new["metadata"] = _kept_metadata(old["metadata"], metadata(document))
    if resource.generation and _desired(resource, old) != _desired(resource, new):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return new


def _keep_allocations(resource: Resource, old: Document, new: Document) -> None:
    """A Service that is replaced keeps the addresses it was given."""
    if resource.plural != "services":
        return
    for name in ("clusterIP", "clusterIPs"):
        if name in old["spec"] and old["spec"].get("type") == new["spec"].get("type"):
            new["spec"].setdefault(name, old["spec"][name])


def _kept_metadata(old: Document, sent: Document) -> Document:
    kept = {name: old[name] for name in (*_KEPT, "name", "namespace", "resourceVersion") if name in old}
    managed = {"managedFields": old["managedFields"]} if "managedFields" in old else {}
    return {**managed, **without(sent, (*_KEPT, "selfLink", "namespace")), **kept}


def _status_update(old: Document, document: Document) -> Document:
    new = without(old, ["status"])
    if document.get("status") is not None:
        new["status"] = document["status"]
    if "managedFields" in metadata(document):
        new["metadata"] = {**old["metadata"], "managedFields": document["metadata"]["managedFields"]}
    return new


def _desired(resource: Resource, document: Document) -> Document:
    """What metadata.generation counts: everything but metadata and, where it is walled off, status."""
    ignored = ["metadata", "apiVersion", "kind", *(["status"] if resource.status else [])]
    return without(document, ignored)


def _check_type(resource: Resource, document: Document) -> None:
    """400 for another kind. Built-in kinds may leave it to the path; custom ones must say what they are."""
    if resource.custom:
        for field in ("apiVersion", "kind"):
            if not document.get(field):
                raise status.bad_request(f"Object '{field.capitalize()}' is missing in the object provided")
    found = document.get("apiVersion") or resource.api_version
    if found != resource.api_version:
        raise status.bad_request(
            f"the API version in the data ({found}) does not match the expected API version "
            f"({resource.api_version})"
        )
    kind = document.get("kind") or resource.kind
    if kind != resource.kind:
        raise status.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"no kind {kind!r} is registered for the resource"
        )


def _check_identity(resource: Resource, old: Document, document: Document) -> None:
    sent, have, name = metadata(document), old["metadata"], old["metadata"]["name"]
    if sent.get("name", name) != name:
        raise status.bad_request(
            f"the name of the object ({sent['name']}) does not match the name on the URL ({name})"
        )
    if sent.get("namespace", have.get("namespace")) != have.get("namespace"):
        raise status.bad_request("the namespace of the object does not match the namespace on the request")
    if sent.get("uid", have["uid"]) != have["uid"]:
        why = f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {have['uid']}"
        raise status.conflict(resource.group, resource.plural, name, why)
    _check_version(resource, have, sent)


def _check_version(resource: Resource, have: Document, sent: Document) -> None:
    version = sent.get("resourceVersion")
    if version and version != have["resourceVersion"]:
        raise status.conflict(resource.group, resource.plural, have["name"])
    if not version and not resource.unconditional:
        message = "Invalid value: 0x0: must be specified for an update"
        cause = status.Cause("FieldValueInvalid", message, "metadata.resourceVersion")
        raise status.invalid(resource.group, resource.kind, have["name"], [cause])


def _in_shape(resource: Resource, document: Document, *, strict: bool) -> Document:
    """A private copy with apiVersion and kind, pruned and defaulted by the custom resource's schema."""
    shapes.check(resource, document)
    if resource.custom:
        new = clone(without(document, ["metadata"]))
        new["metadata"] = shapes.without_nulls(metadata(document))
    else:
        new = shapes.without_nulls(document)
        new.setdefault("metadata", {})
    new.update(apiVersion=resource.api_version, kind=resource.kind)
    if resource.schema is None:
        return dict(new)
    pruned, unknown = schema.prune(resource.schema, new)
    if unknown and strict:
        complaint = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise status.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {complaint}"
        )
    filled: Any = schema.with_defaults(resource.schema, pruned)
    return dict(filled)


def _validate(resource: Resource, document: Document) -> None:
    causes = validation.metadata_causes(resource, document)
    if resource.schema is not None:
        if resource.fits is None or not resource.fits(document):
            causes += schema.validate(resource.schema, document)
    elif not resource.custom:
        causes += validation.builtin_causes(resource.plural, document)
    if causes:
        raise status.invalid(resource.group, resource.kind, name_of(document), causes)
