"""Take an install out of a cluster again: what its labels say it made, the speakers first.

Without its speakers a cluster announces nothing by BGP. So it is refused while a node announces: drain or
deselect first, or say that the routes may go."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.reading.documents import metadata, name_of, node_of
from bgpctl.core.state import NodeState
from bgpctl.errors import Blocked, DeadlineExceeded, Temporary
from bgpctl.install import found
from bgpctl.install.apply import Done, delete
from bgpctl.install.hold import Hold, alone
from bgpctl.install.labels import INSTALL
from bgpctl.install.manifests import KINDS, words_of
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.providers.bgpctl import Bgpctl

Document = Mapping[str, Any]

LIFT = "--withdraw-routes"
PATIENCE = 120.0  # seconds, more than the pods' grace period
LOOK_EVERY = 0.5
SHOWN = 10
SILENT = "the speaker that runs there has not told"


@dataclass(frozen=True, slots=True)
class Plan:
    """`going`: the objects to delete, in their order. `announcing`: nodes that have routes at routers now, by
    their speakers' word, with how many, or why nobody can tell. `kept`: what stays, and why."""

    namespace: str
    going: tuple[Document, ...]
    announcing: Mapping[str, str]
    kept: tuple[str, ...]


def plan(client: Client, namespace: str) -> Plan:
    """Looks, and changes nothing. Raises Blocked where it may not look."""
    order = ["DaemonSet", *(kind for kind in KINDS if kind != "DaemonSet" and kind not in found.STAYING)]
    try:
        made = tuple(found.made_before(client, namespace, order))
        announcing = _announcing(client, namespace, made)
    except ApiError as error:
        raise Blocked(
            f"cannot look at what is installed: {error.message}",
            "to see all that is missing: bgpctl auth check --for install",
        ) from None
    return Plan(namespace, made, announcing, tuple(_kept(client, namespace)) if made else ())


def _announcing(client: Client, namespace: str, made: Sequence[Document]) -> Mapping[str, str]:
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
        pods = client.items(_pods(namespace), labelSelector=f"{INSTALL}={namespace}")
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


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{paths.named(namespace)}/pods"


def _kept(client: Client, namespace: str) -> Iterator[str]:
    states = Bgpctl(client).states() or ()
    count = f"{len(states)} BGPNodeStates" if states else "no objects"
    yield f"the CustomResourceDefinitions, because every object goes with its definition ({count} of ours)"
    yield f"namespace {namespace}: kubectl delete namespace {namespace}"
    yield "/var/lib/bgpctl on each node, or the directory that was chosen: what a next speaker must know"


def refuse(what: Plan, lift: str) -> None:
    """Raises Blocked while a node announces; `lift` is the whole command that goes on all the same."""
    if not what.announcing:
        return
    names = [f"{node} ({words})" for node, words in sorted(what.announcing.items())]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    raise Blocked(
        f"routes are announced by {', '.join(names[:SHOWN])}{more}; without its speaker no node has any",
        "nothing was changed. To take their traffic away first: bgpctl node drain NODE\n"
        f"to withdraw all of it at once, traffic or not: {lift}",
    )


def _routes(count: int) -> str:
    return f"{count} route" + ("" if count == 1 else "s")


def remove(client: Client, what: Plan, *, patience: float = PATIENCE) -> Iterator[Done]:
    """Each as it is done; the rights go when the pods have ended, because a speaker's last words need them.
    Run again, it goes on with what is left. Raises DeadlineExceeded for pods that do not end."""
    if not what.going:
        return
    with alone(client) as hold:
        waited = False
        for document in what.going:
            if document["kind"] != "DaemonSet" and not waited:
                _ended(client, what.namespace, patience, hold)
                waited = True
            hold.keep()
            delete(client, document)
            yield Done("deleted", words_of(document))


def _ended(client: Client, namespace: str, patience: float, hold: Hold) -> None:
    """Wait for the pods. Who may not list them does not wait."""
    until = time.monotonic() + patience
    while True:
        try:
            left = [
                name_of(pod) for pod in client.items(_pods(namespace), labelSelector=f"{INSTALL}={namespace}")
            ]
        except (ApiError, Temporary):
            return
        if not left:
            return
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"pods did not end within {patience:.0f} s: {', '.join(left[:SHOWN])}",
                "the DaemonSets are deleted, and the rights are still there; running this again goes on\n"
                f"to see why: kubectl -n {namespace} get pods",
            )
        hold.keep()
        time.sleep(LOOK_EVERY)
