"""The pod that lets one node pull an image and does nothing else, and what its status says. Pure.

Its command is no file of the image, so nothing of the image ever runs: the kubelet pulls (`Always`), and only
then makes the container and fails to start it (k8s.io/kubernetes pkg/kubelet/kuberuntime/
kuberuntime_container.go, `startContainer`: "Step 1: pull the image").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bgpctl.core.doctor import reading
from bgpctl.core.reading.documents import namespace_of
from bgpctl.core.reading.foreign import Foreign

NAME = "bgpctl-preflight"
NAME_LABEL, RUN_LABEL = "app.kubernetes.io/name", "bgpctl.io/run"
BY_ANNOTATION = "bgpctl.io/run-by"
SELECTOR = f"{NAME_LABEL}={NAME}"
CONTAINER = "pull"
COMMAND = "/bgpctl-only-pulls-this-image"
NOBODY = 65534  # a user that no image means: `runAsNonRoot` refuses images of root without one
_FIELD = f"spec.containers{{{CONTAINER}}}"  # of an event
LONGEST_WHY = 300  # characters, of what a kubelet says

# What a container waits for while its image is not there (pkg/kubelet/images/types.go) …
_FAILED = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
# … and when it is, but not its command (pkg/kubelet/kuberuntime/kuberuntime_container.go). Any other reason
# tells of no image.
_PULLED = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "PostStartHookError",
        "PreCreateHookError",
        "PreStartHookError",
        "RunContainerError",
        "StartError",
    }
)


class Stage(StrEnum):
    """How far a pod is."""

    WAITING = "waiting"
    PULLED = "pulled"
    FAILED = "failed"  # the node could not get the image
    REFUSED = "refused"  # it did not take the pod, or took it away: of the image that says nothing


@dataclass(frozen=True, slots=True)
class Seen:
    """One pod as it is listed. `why`: of the last two stages, in the kubelet's words. `by`: who made it
    (`kube.lease.identity`), `made` when, `ends` when its kubelet ends it (epoch seconds, the API server's
    clock)."""

    name: str
    uid: str
    node: str
    run: str
    stage: Stage
    why: str = ""
    by: str = ""
    made: float = 0.0
    ends: float = 0.0

    def before(self, other: Seen) -> bool:
        """Was it made by the run that was first? Instants are whole seconds, and names settle it."""
        return (self.made, self.run) < (other.made, other.run)


def pod(
    image: str, node: str, run: str, seconds: int, secrets: Sequence[str] = (), by: str = ""
) -> dict[str, Any]:
    """The Pod of a run, which is known as `by`. It is bound already (no scheduler, no taint keeps it away),
    has no token, no rights and next to no requests, and the kubelet ends it after so many `seconds` whatever
    becomes of us. `secrets`: what its node needs to log in at the registry."""
    confined = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{NAME}-",
            "labels": {NAME_LABEL: NAME, "app.kubernetes.io/managed-by": "bgpctl", RUN_LABEL: run},
            **({"annotations": {BY_ANNOTATION: by}} if by else {}),
        },
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": [{"operator": "Exists"}],
            **({"imagePullSecrets": [{"name": name} for name in secrets]} if secrets else {}),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": NOBODY,
                "runAsGroup": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "imagePullPolicy": "Always",
                    "command": [COMMAND],
                    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
                    "securityContext": confined,
                }
            ],
        },
    }


def seen(document: Any) -> Seen:
    """A Pod as it is now. Raises Unreadable."""
    read = Foreign.of(document, "pod")
    meta, status = read.child("metadata"), read.child("status")
    stage, why = _stage(status)
    made = meta.instant("creationTimestamp")
    return Seen(
        meta.required("name"),
        meta.required("uid"),
        read.child("spec").text("nodeName"),
        meta.child("labels").text(RUN_LABEL),
        stage,
        why[:LONGEST_WHY],
        meta.child("annotations").text(BY_ANNOTATION),
        made,
        made + read.child("spec").integer("activeDeadlineSeconds"),
    )


def _stage(status: Foreign) -> tuple[Stage, str]:
    for container in status.children("containerStatuses"):
        if container.text("name") != CONTAINER:
            continue  # a webhook's sidecar: it runs before our image is there
        state = container.child("state")
        waiting, ended = state.child("waiting"), state.child("terminated")
        if state.has("running"):
            return Stage.PULLED, ""
        if ended.has("reason") and ended.text("reason") != "ContainerStatusUnknown":
            return Stage.PULLED, ""
        reason = waiting.text("reason")
        if reason in _FAILED:
            return Stage.FAILED, ": ".join(filter(None, (reason, waiting.text("message"))))
        if reason in _PULLED:
            return Stage.PULLED, ""  # the container cannot be made or started, which was to be expected
    if status.text("phase") in ("Failed", "Succeeded"):
        told = filter(None, (status.text("reason"), status.text("message")))
        return Stage.REFUSED, ": ".join(told) or "the kubelet ended the pod, and does not say why"
    return Stage.WAITING, ""


def seconds_told(events: Iterable[Mapping[str, Any]], name: str, uid: str) -> float | None:
    """How long the pull of this pod's image took by its kubelet's event, with the pulls that it waited for as
    an upgrade would; None = it has not said so. Whoever may write events may write this one too: the longest
    counts."""
    ours = (event for event in events if _about(event) == (name, uid))
    told = (reading.pulls([one], {(namespace_of(one), name): "its"}, waiting=True) for one in ours)
    return max((took.seconds for some in told for took in some), default=None)


def _about(event: Mapping[str, Any]) -> tuple[object, object]:
    of = event.get("involvedObject")
    if not isinstance(of, Mapping) or of.get("fieldPath", _FIELD) != _FIELD:
        return None, None
    return of.get("name"), of.get("uid")
