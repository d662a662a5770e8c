"""`bgpctl calico prepare`: makes, mends and removes the BGPFilter by which nodes withdraw and a
CalicoNodeStatus for each node with a peer, and clears away what nodes left that are no more.

The statuses are made here and not by a drain: a restore needs the word of calico-node to its end, `peers
status` needs it always, and calico-node writes one only when something changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bgpctl.core.calico import leave, nodestatus
from bgpctl.core.calico.config import Peering
from bgpctl.core.calico.nodestatus import NodeStatus
from bgpctl.core.calico.states import World
from bgpctl.core.reading.documents import metadata, name_of
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube.client import Client
from bgpctl.kube.optional import optional
from bgpctl.providers.calico_objects import Objects, read_status
from bgpctl.providers.changes import Change, perform

__all__ = ["Change", "perform", "prepared", "undone"]

Document = Mapping[str, Any]


def prepared(client: Client) -> tuple[Change, ...]:
    """What `prepare` would do. Raises BgpctlError where Calico is not, or knows no BGPFilter."""
    objects, world = _look(client)
    return (_filter(objects), *_statuses(objects, world), *_abandoned(objects, world))


def undone(client: Client) -> tuple[Change, ...]:
    """What `prepare --undo` would do. Raises Blocked while a node is withdrawn by the filter."""
    objects, world = _look(client)
    cleared = tuple(_abandoned(objects, world))
    if used := [peering for peering in _filtered(world) if world.hosts.touched(peering)]:
        nodes = sorted({host.name for peering in used for host in world.hosts.touched(peering)})
        names = ", ".join(peering.name for peering in used)
        raise Blocked(
            f"BGPPeer {names} announces nothing by this filter: without it its routes come back",
            f"bring it back first: bgpctl node restore {nodes[0]}",
        )
    document = objects.filter()
    ours = document is not None and leave.is_ours(document)
    path = objects.path("bgpfilters", leave.FILTER)
    filters = (Change("delete", path, leave.FILTER, "bgpctl made it"),) if ours else ()
    return (*cleared, *filters, *_dropped(objects, frozenset()))


def _look(client: Client) -> tuple[Objects, World]:
    objects = Objects(client)
    if not objects.base:
        raise BgpctlError(
            "this cluster knows no BGPPeer of Calico", "to see who speaks BGP in it: bgpctl providers"
        )
    if not objects.knows_filters():
        raise BgpctlError(
            "this cluster knows no BGPFilter: Calico has it from 3.25 on",
            "a node leaves by a label that its BGPPeers select by: bgpctl node drain NODE "
            "--deselect-label KEY=VALUE",
        )
    world = objects.world(objects.hosts())
    if world.unread:
        raise Blocked(str(world.unread[0]), f"to see it: kubectl get bgppeer {world.unread[0].name} -o yaml")
    return objects, world


def _filter(objects: Objects) -> Change:
    path, there = objects.path("bgpfilters", leave.FILTER), objects.filter()
    body = leave.filter_document(objects.version)
    if there is None:
        return Change("create", path, leave.FILTER, "a BGPFilter that announces nothing", body)
    if not leave.is_ours(there):
        raise BgpctlError(f"BGPFilter {leave.FILTER} is somebody else's", "rename it, or delete it")
    if leave.rejects(there):
        return Change("keep", path, leave.FILTER, "rejects everything")
    body["metadata"]["resourceVersion"] = metadata(there).get("resourceVersion")
    return Change("update", path, leave.FILTER, "it was changed", body)


def _statuses(objects: Objects, world: World) -> Iterator[Change]:
    """One for each node with a peer of whose sessions nobody has asked yet."""
    there = {name_of(one): one for one in optional(objects.client, f"{objects.base}/caliconodestatuses")}
    others = (read_status(one) for one in there.values() if not nodestatus.is_ours(one))
    asked = {one.node for one in others if isinstance(one, NodeStatus)}
    wanted = {node for node, peerings in world.by_node().items() if peerings} - asked
    for node in sorted(wanted):
        name = nodestatus.name_for(node)
        if len(name) <= nodestatus.LONGEST_NAME:
            yield _status(objects, node, there.get(name))
    yield from _dropped(objects, frozenset(map(nodestatus.name_for, wanted)))


def _status(objects: Objects, node: str, there: Document | None) -> Change:
    name, body = nodestatus.name_for(node), nodestatus.made_for(node, objects.version)
    path = objects.path("caliconodestatuses", name)
    if there is None:
        return Change("create", path, name, f"asks calico-node on {node} for its sessions", body)
    if not nodestatus.is_ours(there):
        raise BgpctlError(f"CalicoNodeStatus {name} is somebody else's", "rename it, or delete it")
    if there.get("spec") == body["spec"]:
        return Change("keep", path, name, f"asks calico-node on {node} for its sessions")
    body["metadata"]["resourceVersion"] = metadata(there).get("resourceVersion")
    return Change("update", path, name, "it was changed", {**body, "status": there.get("status") or {}})


def _dropped(objects: Objects, wanted: frozenset[str]) -> Iterator[Change]:
    for document in optional(objects.client, f"{objects.base}/caliconodestatuses"):
        name = name_of(document)
        if nodestatus.is_ours(document) and name not in wanted:
            yield Change("delete", objects.path("caliconodestatuses", name), name, "bgpctl made it")


def _filtered(world: World) -> list[Peering]:
    return [peering for peering in world.peerings if leave.FILTER in (peering.filters or ())]


def _abandoned(objects: Objects, world: World) -> Iterator[Change]:
    """What was made to withdraw, and is for no node any more: the next one that it is for would announce
    nothing."""
    for peering in _filtered(world):
        if not world.hosts.touched(peering):
            path = objects.path("bgppeers", peering.name)
            why = f"no node has BGPPeer {peering.name} any more"
            yield Change("patch", path, peering.name, why, leave.back(path, peering).operations)
