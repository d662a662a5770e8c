"""The Node and its pods as the runbooks read them. What cannot be read blocks the run: a pod that is left out
would be killed by the power switch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bgpctl.core.drain.pods import PodView, pod_view, ready
from bgpctl.core.intent.explaining.asked import nearest
from bgpctl.core.intent.sessions import internal_ips
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.reading.documents import name_of, namespace_of
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.errors import Blocked, Temporary, UsageError
from bgpctl.runbooks.snapshot import NodeView


def no_such_node(*names: str, known: Iterable[str] = ()) -> UsageError:
    """What every command says of a node that is not there: exit code 2, nothing was changed. `known`: the
    names of those that are, where they were read."""
    shown = [name or "''" for name in names]
    which = f"node {shown[0]} does" if len(names) == 1 else f"nodes {', '.join(shown)} do"
    there = nearest(names[0], known)
    return UsageError(
        f"{which} not exist", "see `kubectl get nodes`" if there == "none" else f"the nodes are: {there}"
    )


def node(document: Any, name: str) -> NodeView:
    """The Node `name`. Raises Blocked."""
    try:
        return node_view(document)
    except Unreadable as error:
        raise Blocked(
            f"the Node cannot be read: {error.message}", f"to see it: kubectl get node {name} -o yaml"
        ) from None


def uid_of(document: Any) -> str:
    """The UID of an object that was read. Raises Temporary for an answer that is none."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    if not isinstance(uid, str):
        raise Temporary("the API server's answer is no object: it has no metadata, or no UID")
    return uid


def node_view(document: Any) -> NodeView:
    """Raises Unreadable."""
    read = Foreign.of(document, "node")
    metadata = read.child("metadata")
    return NodeView(
        name=metadata.required("name"),
        uid=metadata.required("uid"),
        version=metadata.required("resourceVersion"),
        labels={key: labels.text(key) for labels, key in metadata.each("labels")},
        unschedulable=read.child("spec").flag("unschedulable"),
        ready=ready(read.child("status")),
        leave=metadata.child("annotations").text(LEAVE),
        addresses=tuple(str(address) for address in internal_ips(read.value)),
    )


def pods(documents: Iterable[Any]) -> list[PodView]:
    """Raises Blocked."""
    return [_pod(document) for document in documents]


def _pod(document: Any) -> PodView:
    try:
        return pod_view(document)
    except Unreadable as error:
        where = f"{namespace_of(document)}/{name_of(document)}" if isinstance(document, dict) else "?"
        raise Blocked(
            f"pod {where} cannot be read ({error.message}): whether it may be evicted is not known",
            "correct or delete it by hand, then run this again",
        ) from None
