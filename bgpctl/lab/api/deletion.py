"""What a DELETE does to one object: gone at once, or marked and waiting. Pure.

Source: k8s.io/apiserver/pkg/registry/rest/delete.go, k8s.io/kubernetes/pkg/registry/core/pod/strategy.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document, clone, name_of, timestamp
from bgpctl.lab.api.resources import CRDS, Resource

# Held by the server itself until the objects of a definition are gone (apiextensions-apiserver,
# pkg/registry/customresourcedefinition/etcd.go and pkg/controller/finalizer).
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """metav1.DeleteOptions. `grace` in seconds, None = the object's own."""

    grace: int | None = None
    uid: str = ""
    version: str = ""
    propagation: str = ""
    dry_run: bool = False


def options_of(query: Mapping[str, str], body: Mapping[str, Any] | None) -> DeleteOptions:
    """Options come in the body, or in the query where there is no body; a dryRun must agree."""
    sent: Mapping[str, Any] = body or {}
    preconditions = sent.get("preconditions") or {}
    grace = sent.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    if not isinstance(preconditions, dict) or isinstance(grace, dict | list | bool):
        raise ValueError("preconditions are an object, gracePeriodSeconds a number")
    return DeleteOptions(
        grace=int(grace) if grace is not None else None,
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
        propagation=sent.get("propagationPolicy") or query.get("propagationPolicy") or "",
        dry_run=dry_run(sent.get("dryRun") or query.get("dryRun")),
    )


def dry_run(value: Any) -> bool:
    """`dryRun` as query text or as list; only All exists."""
    values = value if isinstance(value, list) else [value] if value else []
    if any(item != "All" for item in values):
        raise status.bad_request(f"invalid dryRun: {values}: supported values: All")
    return bool(values)


# The namespaces that the system itself lives in (pkg/admission/plugin/namespace/lifecycle).
IMMORTAL_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})


def check_allowed(resource: Resource, name: str) -> None:
    """403 for the namespaces that always exist."""
    if resource.plural == "namespaces" and name in IMMORTAL_NAMESPACES:
        raise status.forbidden("", "namespaces", name, "this namespace may not be deleted")


def check_preconditions(resource: Resource, document: Document, options: DeleteOptions) -> None:
    """409 when the object is not the one that was meant."""
    have = document["metadata"]
    why = ""
    if options.uid and options.uid != have["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({have['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.version and options.version != have["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion "
            f"in record ({have['resourceVersion']}). The object might have been modified"
        )
    if why:
        raise status.conflict(resource.group, resource.plural, name_of(document), why)


def marked(resource: Resource, document: Document, options: DeleteOptions, now: datetime) -> Document | None:
    """The object that stays and waits for its end, None when nothing holds it and it goes at once."""
    new = clone(document)
    if resource.plural == "pods" and (grace := _grace(new, options)) > 0:
        return _mark(new, grace, now)
    if resource.plural == "namespaces" and new["spec"].get("finalizers"):
        new["status"] = {**new.get("status", {}), "phase": "Terminating"}
        return _mark(new, 0, now)
    if resource.key == CRDS and not new["metadata"].get("deletionTimestamp"):
        _hold_definition(new, timestamp(now))
    _hold(new["metadata"], options.propagation)
    return _mark(new, 0, now) if new["metadata"].get("finalizers") else None


def _hold(meta: Document, propagation: str) -> None:
    finalizer = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation)
    if finalizer and finalizer not in meta.get("finalizers", ()):
        meta["finalizers"] = [*meta.get("finalizers", ()), finalizer]


def _hold_definition(crd: Document, now: str) -> None:
    meta, status = crd["metadata"], crd.setdefault("status", {})
    if CLEANUP not in meta.get("finalizers", ()):
        meta["finalizers"] = [*meta.get("finalizers", ()), CLEANUP]
    terminating = {
        "type": "Terminating",
        "status": "True",
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        "lastTransitionTime": now,
    }
    status["conditions"] = [*(status.get("conditions") or ()), terminating]


def _grace(pod: Document, options: DeleteOptions) -> int:
    """Seconds that the pod may take to stop. What never started or has ended needs none."""
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    own = pod["spec"].get("terminationGracePeriodSeconds", 30)
    grace = int(own if options.grace is None else options.grace)
    return grace if grace >= 0 else 1


def _mark(document: Document, grace: int, now: datetime) -> Document:
    """Set the deletion marks; a second delete may shorten the grace period, never extend it."""
    meta = document["metadata"]
    earlier = meta.get("deletionGracePeriodSeconds")
    if meta.get("deletionTimestamp") and (earlier is None or grace >= earlier):
        return document
    meta["deletionTimestamp"] = timestamp(now + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace
    if meta.get("generation"):
        meta["generation"] += 1
    return document


def finished(resource: Resource, document: Document) -> bool:
    """Was the object waiting for its end, and does nothing hold it any more?"""
    meta = document["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if resource.plural == "namespaces":
        return not document["spec"].get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")
