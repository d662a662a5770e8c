"""A pod as an eviction sees it: the few fields of a Pod document that decide, read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.reading.foreign import Foreign

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod. `controller_kind` and `controller_name` are "" for a pod that declares no controller.

    `deletion_timestamp` is in epoch seconds; the API server sets it to the end of the grace period.
    `empty_dir`: has any emptyDir volume. `mirror`: a static pod's shadow, which only the kubelet can stop.
    """

    namespace: str
    name: str
    uid: str
    node: str = ""
    phase: str = "Running"
    ready: bool = True
    controller_kind: str = ""
    controller_name: str = ""
    mirror: bool = False
    empty_dir: bool = False
    deletion_timestamp: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """As kubectl writes it: namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def finished(self) -> bool:
        """Its containers have ended for good; a phase that is not known counts as running."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def terminating(self) -> bool:
        """Its deletion was asked for; it may be there, and serve, until its grace period is over."""
        return self.deletion_timestamp is not None


def pod_view(document: Any) -> PodView:
    """A Pod from the API server -> PodView. Raises Unreadable: a pod that cannot be read is not one that may
    be left out."""
    read = Foreign.of(document, "pod")
    meta, spec, status = read.child("metadata"), read.child("spec"), read.child("status")
    kind, name = _controller(meta)
    return PodView(
        namespace=meta.text("namespace", "default"),
        name=meta.required("name"),
        uid=meta.text("uid"),
        node=spec.text("nodeName"),
        phase=status.text("phase") or "Unknown",
        ready=ready(status),
        controller_kind=kind,
        controller_name=name,
        mirror=MIRROR_ANNOTATION in meta.child("annotations").value,
        empty_dir=any(volume.has("emptyDir") for volume in spec.children("volumes")),
        deletion_timestamp=meta.instant("deletionTimestamp") or None,
        labels={key: labels.text(key) for labels, key in meta.each("labels")},
    )


def _controller(meta: Foreign) -> tuple[str, str]:
    """Kind and name of the owner that says controller=true; an owner that does not is nobody who would
    replace the pod."""
    owners = meta.children("ownerReferences")
    return next(((o.text("kind"), o.text("name")) for o in owners if o.flag("controller")), ("", ""))


def ready(status: Foreign) -> bool:
    """Has this status of a Pod or a Node the condition Ready?"""
    conditions = status.children("conditions")
    return any(c.text("type") == "Ready" and c.text("status") == "True" for c in conditions)


def remaining(wanted_gone: Iterable[PodView], listed: Iterable[PodView]) -> tuple[PodView, ...]:
    """Which of the pods are still there, as they are listed now. By UID: a StatefulSet gives the same name
    to the replacement, which is another pod (kubernetes issue 138229)."""
    uids = {pod.uid for pod in wanted_gone}
    return tuple(pod for pod in listed if pod.uid in uids)
