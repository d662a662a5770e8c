"""A speaker is being stopped: does its node go away, or is it merely restarted? Decided from what is known
then.

    the node is deselected ..................................... leave
    the API server has no Node object of this name ............. leave
    the Node is being deleted (deletionTimestamp) .............. leave
    the kubelet shuts the node down (Ready's message) .......... leave
    a taint says that the node is off or is being removed ...... leave
    systemd brings the machine down ............................ leave
    anything else, and whatever is not known ................... restart

Leaving withdraws every route and sends Cease, also where graceful restart was negotiated. Restarting closes
silently where routers keep the routes. What is not known counts as a restart: taking the routes of a node
that works is the greater harm, and a router drops those of a dead one by itself. A cordon is no sign of
either: it was taken for one elsewhere, and that caused outages (facts: speakers.md section 0, item 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.reading.documents import metadata

SHUTTING_DOWN = "node is shutting down"
"""What the kubelet's graceful node shutdown (KEP-2000) puts into the Ready condition's message, with the
reason KubeletNotReady; several errors stand in brackets there."""

STOPPING = "stopping"
"""`systemctl is-system-running` while the machine is brought down, for a reboot too."""

GOING_TAINTS = {
    "node.kubernetes.io/out-of-service": "the node is out of service",
    "ToBeDeletedByClusterAutoscaler": "cluster-autoscaler removes the node",
    "karpenter.sh/disrupted": "Karpenter removes the node",
    "karpenter.sh/disruption": "Karpenter removes the node",  # its name before v1
}


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known when a speaker is stopped.

    `selected`: does a policy select the node; None = not known (yet). `node`: the Node document as it was
    seen last; None = never, or it is not there. `asked`: the API server answered just now, so that a Node
    that is not there does not exist. `system`: what `systemctl is-system-running` says, "" = not known.
    """

    selected: bool | None = None
    node: Mapping[str, Any] | None = None
    asked: bool = False
    system: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """`leaves`: the node goes away. `reason` says why, in the words that routers and logs get."""

    leaves: bool
    reason: str


RESTART = Ending(False, "speaker restarts")


def ending(signs: Signs) -> Ending:
    """Leave or restart."""
    reason = next(_reasons(signs), "")
    return Ending(True, reason) if reason else RESTART


def _reasons(signs: Signs) -> Iterator[str]:
    if signs.selected is False:
        yield "no policy selects the node"
    if signs.node is None and signs.asked:
        yield "the Node object was deleted"
    if signs.node is not None:
        yield from _of_node(signs.node)
    if signs.system == STOPPING:
        yield "the machine is brought down"


def _of_node(node: Mapping[str, Any]) -> Iterator[str]:
    if metadata(node).get("deletionTimestamp"):
        yield "the Node object is being deleted"
    for condition in _items(node, "status", "conditions"):
        down = condition.get("type") == "Ready" and condition.get("status") != "True"
        if down and SHUTTING_DOWN in str(condition.get("message")):
            yield "the kubelet shuts the node down"
    for taint in _items(node, "spec", "taints"):
        if why := GOING_TAINTS.get(str(taint.get("key"))):
            yield why


def _items(node: Mapping[str, Any], part: str, field: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a list in a document that may be malformed."""
    inside = node.get(part)
    listed = inside.get(field) if isinstance(inside, Mapping) else None
    if isinstance(listed, Sequence) and not isinstance(listed, str):
        yield from (item for item in listed if isinstance(item, Mapping))
