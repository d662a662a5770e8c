"""Take an install out of a cluster again: what its labels say it made, the speakers first.

Without its speakers a cluster announces nothing by BGP. So it is refused while a node announces: drain or
deselect first, or say that the routes may go."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.reading.documents import name_of
from bgpctl.errors import Blocked, DeadlineExceeded, Temporary
from bgpctl.install import found
from bgpctl.install.announcing import SHOWN, announcing, named, pods_of
from bgpctl.install.apply import Done, delete
from bgpctl.install.hold import Hold, alone
from bgpctl.install.labels import INSTALL
from bgpctl.install.manifests import KINDS, words_of
from bgpctl.kube.client import ApiError, Client
from bgpctl.providers.bgpctl import Bgpctl

Document = Mapping[str, Any]

LIFT = "--withdraw-routes"
PATIENCE = 120.0  # seconds, more than the pods' grace period
LOOK_EVERY = 0.5


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
        told = announcing(client, namespace, made)
    except ApiError as error:
        raise Blocked(
            f"cannot look at what is installed: {error.message}",
            "to see all that is missing: bgpctl auth check --for install",
        ) from None
    return Plan(namespace, made, told, tuple(_kept(client, namespace)) if made else ())


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
    raise Blocked(
        f"routes are announced by {named(what.announcing)}; without its speaker no node has any",
        "nothing was changed. To take their traffic away first: bgpctl node drain NODE\n"
        f"to withdraw all of it at once, traffic or not: {lift}",
    )


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
                name_of(pod)
                for pod in client.items(pods_of(namespace), labelSelector=f"{INSTALL}={namespace}")
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
