"""Give a DaemonSet another image, and let nobody but us replace its pods meanwhile: the patches. Pure.

Its update strategy becomes OnDelete together with the image, in one patch: with RollingUpdate the DaemonSet's
controller would replace pods by itself, by their readiness alone. What it was stands in an annotation until
every pod has the new template, so whoever goes on knows it. Source: kubernetes.io/docs/tasks/manage-daemon/
update-daemon-set, and k8s.io/kubernetes pkg/controller/daemon/update.go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.drain.lever import Patch
from bgpctl.core.reading.documents import annotations_of, labels_of
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json, plain
from bgpctl.core.reading.images import repository

ANNOTATION = "bgpctl.io/upgrade"
"""Of the DaemonSet: its updateStrategy as it was before, as JSON."""
ON_DELETE = "OnDelete"
LONGEST_KEPT = 2048

Document = Mapping[str, Any]
Operation = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Container:
    """One of the template, at its place in the list."""

    place: int
    name: str
    image: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """A DaemonSet as far as an upgrade is concerned. `path`: where it lives; `strategy`: its updateStrategy
    now; `kept`: as it was before an upgrade that is not at its end, None = there is none; `written`: the same
    as it stands there. `annotated`: has it any annotations? `selector` of its pods, as a query has it;
    `labels` of its template."""

    namespace: str
    name: str
    path: str
    selector: str
    containers: tuple[Container, ...]
    strategy: Document
    kept: Document | None = None
    written: str = ""
    annotated: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """For people."""
        return f"DaemonSet {self.namespace}/{self.name}"

    @property
    def held(self) -> bool:
        """Does it leave its pods alone until somebody deletes them?"""
        return self.strategy.get("type") == ON_DELETE


def rollout(document: Any) -> Rollout:
    """Raises Unreadable: what cannot be read is not changed."""
    read = Foreign.of(document, "daemonset")
    meta, spec = read.child("metadata"), read.child("spec")
    namespace, name = meta.text("namespace", "default"), meta.required("name")
    labels = _labels(spec.child("selector"))
    kept = annotations_of(read.value).get(ANNOTATION)
    listed = spec.child("template").child("spec").children("containers")
    return Rollout(
        namespace,
        name,
        f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}",
        ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        tuple(Container(n, one.required("name"), one.text("image")) for n, one in enumerate(listed)),
        plain(spec.child("updateStrategy").value, "spec.updateStrategy"),
        _strategy(kept) if kept is not None else None,
        kept or "",
        bool(meta.child("annotations").value),
        labels_of(spec.child("template").value),
    )


def _labels(selector: Foreign) -> Mapping[str, str]:
    """Those that all of its pods have, and by which they are asked for: with none, or beside other
    conditions, pods of others would be taken for its own."""
    labels = selector.child("matchLabels")
    if not labels.value or selector.has("matchExpressions"):
        raise Unreadable("spec.selector is not by matchLabels alone")
    return {key: labels.text(key) for key in labels.value}


def _strategy(text: str) -> Document:
    """Whoever may write the DaemonSet may write any strategy into it: only its form is checked."""
    what = f"annotation {ANNOTATION}"
    try:
        found = Foreign.of(parse_json(text, LONGEST_KEPT), what)
    except Unreadable as error:
        raise Unreadable(f"{what}: {error.message}") from None
    found.choice("type", ("RollingUpdate", ON_DELETE))
    kept: Document = plain(found.value)
    return kept


def chosen(one: Rollout, image: str, named: Sequence[str] = ()) -> tuple[Container, ...]:
    """The containers that get the image: those named; else the only one; else those that run another version
    of it already. () = it is not clear which."""
    if named:
        return tuple(c for c in one.containers if c.name in named)
    if len(one.containers) == 1:
        return one.containers
    return tuple(c for c in one.containers if repository(c.image) == repository(image))


def begin(one: Rollout, image: str, containers: Sequence[Container]) -> Patch | None:
    """What gives it the image and takes its pods out of its controller's hands; None = both is so."""
    changed = [c for c in containers if c.image != image]
    if not changed and one.held:
        return None
    base = "/spec/template/spec/containers"
    tests: list[Operation] = [_op("test", "/spec/updateStrategy", one.strategy)]
    acts: list[Operation] = []
    for c in changed:
        tests.append(_op("test", f"{base}/{c.place}/name", c.name))
        tests.append(_op("test", f"{base}/{c.place}/image", c.image))
        acts.append(_op("replace", f"{base}/{c.place}/image", image))
    if not one.held:
        acts.append(_op("replace", "/spec/updateStrategy", {"type": ON_DELETE}))
    if one.kept is None:
        if not one.annotated:
            acts.append(_op("add", "/metadata/annotations", {}))
        acts.append(_op("add", f"/metadata/annotations/{_escaped}", json.dumps(one.strategy)))
    what = f"{one.where}: image {image}, updateStrategy {ON_DELETE}"
    return Patch(one.path, what, (*tests, *acts))


def end(one: Rollout) -> Patch | None:
    """What gives it its update strategy back; None = there is nothing to give back."""
    if one.kept is None:
        return None
    tests = (
        _op("test", "/spec/updateStrategy", one.strategy),
        _op("test", f"/metadata/annotations/{_escaped}", one.written),
    )
    back = () if not one.held else (_op("replace", "/spec/updateStrategy", one.kept),)
    gone = {"op": "remove", "path": f"/metadata/annotations/{_escaped}"}
    kind = one.kept.get("type")
    return Patch(one.path, f"{one.where}: updateStrategy {kind} again", (*tests, *back, gone))


_escaped = ANNOTATION.replace("/", "~1")  # RFC 6901


def _op(op: str, path: str, value: object) -> Operation:
    return {"op": op, "path": path, "value": value}


def outdated(pods: Iterable[Document], images: Mapping[str, str]) -> Iterator[str]:
    """The nodes whose pod runs something else than `images` (by container). Of a pod that cannot be read
    nobody knows where it is."""
    for pod in pods:
        try:
            spec = Foreign.of(pod).child("spec")
            node = spec.text("nodeName")
            runs = {c.text("name"): c.text("image") for c in spec.children("containers")}
        except Unreadable:
            continue
        if node and any(runs.get(name) != image for name, image in images.items()):
            yield node
