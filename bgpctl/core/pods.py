"""A pod as an eviction sees it: the few fields of a Pod document that decide, read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.nodestate import seconds

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
        return self.phase in ("Succeeded", "Failed")

    @property
    def terminating(self) -> bool:
        return self.deletion_timestamp is not None


def pod_view(document: Mapping[str, Any]) -> PodView:
    """A Pod from the API server -> PodView."""
    meta = document["metadata"]
    spec, status = document.get("spec") or {}, document.get("status") or {}
    controller = _controller(meta)
    return PodView(
        namespace=meta.get("namespace", "default"),
        name=meta["name"],
        uid=meta.get("uid", ""),
        node=spec.get("nodeName") or "",
        phase=status.get("phase") or "Unknown",
        ready=_ready(status),
        controller_kind=controller.get("kind", ""),
        controller_name=controller.get("name", ""),
        mirror=MIRROR_ANNOTATION in (meta.get("annotations") or {}),
        empty_dir=any(volume.get("emptyDir") is not None for volume in spec.get("volumes") or ()),
        deletion_timestamp=seconds(meta.get("deletionTimestamp")) or None,
        labels=meta.get("labels") or {},
    )


def _controller(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner that says controller=true; an owner that does not is nobody who would replace the pod."""
    owners = meta.get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def _ready(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def remaining(wanted_gone: Iterable[PodView], listed: Iterable[PodView]) -> tuple[PodView, ...]:
    """Which of the pods are still there, as they are listed now. By UID: a StatefulSet gives the same name
    to the replacement, which is another pod (kubernetes issue 138229)."""
    uids = {pod.uid for pod in wanted_gone}
    return tuple(pod for pod in listed if pod.uid in uids)
