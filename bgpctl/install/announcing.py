"""Which nodes announce, as far as anybody tells: whatever takes their speakers away withdraws that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bgpctl.core.reading.documents import metadata, node_of
from bgpctl.core.state import NodeState
from bgpctl.install.labels import INSTALL
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.providers.bgpctl import Bgpctl

Document = Mapping[str, Any]

SHOWN = 10
SILENT = "the speaker that runs there has not told"


def announcing(client: Client, namespace: str, made: Sequence[Document]) -> Mapping[str, str]:
    """Whose speaker said last that it has routes out, and not that it ended; and those of which nobody can
    tell, which is not the word that there are none: a pod runs there, and its word is missing, or old, or
    cannot be read."""
    states = {state.node: state for state in Bgpctl(client).states() or ()}
    running = _running(client, namespace)
    now = client.present()
    told = {node: _word(state, now, node in (running or ())) for node, state in states.items()}
    found = {node: words for node, words in told.items() if words}
    found |= {node: f"unknown: {SILENT}" for node in running or () if node not in states}
    fresh = sum(not state.unreadable and not state.stale(now) for state in states.values())
    if running is None and (pods := max(map(_scheduled, made), default=0)) > fresh:
        found[f"{pods - fresh} of {pods} nodes"] = f"unknown: {SILENT}, and pods may not be listed"
    return found


def _word(state: NodeState, now: float, runs: bool) -> str:
    """What a node announces by its state, "" = nothing. `runs`: a pod of the install does, there."""
    if state.unreadable:
        return "unknown: its state cannot be read"
    if not state.ended and state.announced != 0:
        return "unknown" if state.announced is None else _routes(state.announced)
    if runs and (state.ended or state.phase == "Starting"):
        return f"unknown: {SILENT}"  # the one before it did, or it does not know yet
    return "unknown: its speaker is silent" if runs and state.stale(now) else ""


def _running(client: Client, namespace: str) -> frozenset[str] | None:
    """The nodes on which a speaker or an engine runs, and was not told to end; None = nobody may look."""
    try:
        pods = client.items(pods_of(namespace), labelSelector=f"{INSTALL}={namespace}")
    except ApiError:
        return None
    return frozenset(node for pod in pods if _runs(pod) and (node := node_of(pod)))


def _runs(pod: Document) -> bool:
    """Before that no container of it was ever started."""
    phase = _status(pod).get("phase")
    return phase in ("Running", "Unknown") and "deletionTimestamp" not in metadata(pod)


def _scheduled(document: Document) -> int:
    """On how many nodes a DaemonSet has a pod, by its controller."""
    count = _status(document).get("currentNumberScheduled") if document["kind"] == "DaemonSet" else 0
    return count if isinstance(count, int) else 0


def _status(document: Document) -> Document:
    found = document.get("status")
    return found if isinstance(found, Mapping) else {}


def named(announcing: Mapping[str, str]) -> str:
    """The nodes in a sentence, the first few by name."""
    names = [f"{node} ({words})" for node, words in sorted(announcing.items())]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _routes(count: int) -> str:
    return f"{count} route" + ("" if count == 1 else "s")


def pods_of(namespace: str) -> str:
    """The path of the pods of an install."""
    return f"/api/v1/namespaces/{paths.named(namespace)}/pods"
