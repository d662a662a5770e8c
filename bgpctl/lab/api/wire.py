"""Objects as bytes: single, in lists, in watch events; full, as metadata only, or as rows of a Table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bgpctl.lab.api import tables
from bgpctl.lab.api.documents import Document, dump, without
from bgpctl.lab.api.resources import Resource
from bgpctl.lab.api.store import Stored


def from_wire(resource: Resource, document: Document) -> Document:
    """A document in the resource's own spelling -> as it is stored."""
    if not resource.renames:
        return document
    names = {wire: stored for stored, wire in resource.renames.items()}
    return {names.get(name, name): value for name, value in document.items()}


def to_wire(resource: Resource, document: Document) -> Document:
    """The inverse of `from_wire`, with this version's apiVersion."""
    renamed = {resource.renames.get(name, name): value for name, value in document.items()}
    return {**renamed, "apiVersion": resource.api_version, "kind": resource.kind}


def _bare(resource: Resource, stored: Stored) -> bytes:
    if resource.renames:
        return dump(without(to_wire(resource, stored.document), ("apiVersion", "kind")))
    return stored.encoded


def whole(resource: Resource, stored: Stored) -> bytes:
    """One object with its apiVersion and kind."""
    head = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'
    return head.encode() + _bare(resource, stored)[1:]


@dataclass(frozen=True, slots=True)
class Form:
    """What the client's Accept header asked for: `kind` is "", "Table" or "PartialObjectMetadata"."""

    kind: str = ""
    include_object: str = "Metadata"


@lru_cache(64)
def form_of(accept: str, include_object: str = "") -> Form:
    """The first alternative that this server can answer in JSON (`application/json;as=Table;g=…;v=v1`)."""
    for alternative in accept.split(","):
        media, *parameters = (part.strip() for part in alternative.split(";"))
        values = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media not in {"application/json", "*/*"} or values.get("v") == "v1beta1":
            continue
        kind = values.get("as", "").removesuffix("List")
        if kind in {"", "Table", "PartialObjectMetadata"}:
            return Form(kind, include_object or "Metadata")
    return Form()


def partial(document: Document, kind: str = "PartialObjectMetadata") -> Document:
    """metav1.PartialObjectMetadata: what a client gets that asks for metadata only."""
    return {"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]}


def one(resource: Resource, stored: Stored, form: Form) -> bytes:
    """The body of a GET, or the object of a watch event."""
    if form.kind == "PartialObjectMetadata":
        return dump(partial(stored.document))
    if form.kind == "Table":
        meta = {"resourceVersion": stored.document["metadata"].get("resourceVersion", "")}
        return dump(_table(resource, [stored], form, meta))
    return whole(resource, stored)


def collection(resource: Resource, items: Sequence[Stored], meta: Document, form: Form) -> bytes:
    """The body of a LIST. As the real one, items of built-in kinds come without apiVersion and kind."""
    if form.kind == "Table":
        return dump(_table(resource, items, form, meta))
    if form.kind == "PartialObjectMetadata":
        documents = [partial(stored.document) for stored in items]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        return dump({**head, "metadata": meta, "items": documents})
    opening = f'{{"kind":"{resource.collection_kind}","apiVersion":"{resource.api_version}","metadata":'
    encode = whole if resource.custom else _bare
    bodies = b",".join(encode(resource, stored) for stored in items)
    return opening.encode() + dump(meta) + b',"items":[' + bodies + b"]}"


def _table(resource: Resource, items: Sequence[Stored], form: Form, meta: Document) -> Document:
    rows = []
    for stored in items:
        row: Document = {"cells": tables.cells(resource, stored.document)}
        if form.include_object == "Object":
            row["object"] = to_wire(resource, stored.document)
        elif form.include_object != "None":
            row["object"] = partial(stored.document)
        rows.append(row)
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    return {**head, "columnDefinitions": tables.definitions(resource), "rows": rows}


def event(kind: str, body: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"
