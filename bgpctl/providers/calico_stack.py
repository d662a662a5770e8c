"""Calico's BGP in a cluster: a `bgpctl.providers.stack.Stack`."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.calico import leave
from bgpctl.core.calico.config import Host
from bgpctl.core.calico.states import World
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers.calico import Calico
from bgpctl.providers.calico_objects import Objects
from bgpctl.providers.stack import ALWAYS, Right, Summary, any_of, image_tag, lacking

TITLE = "Calico"
SIGN = "for which there is a BGPPeer of Calico"

SHOWN = 5  # BGPPeers named in a line


def needed(group: str) -> tuple[Right, ...]:
    """The rights for a drain, and those for `bgpctl calico prepare`, in the API that is served."""
    listed = ("bgppeers", "bgpfilters", "bgpconfigurations", "ippools", "caliconodestatuses")
    return (
        *ALWAYS,
        ("list", "", "nodes", ""),
        *(("list", group, resource, "") for resource in listed),
        ("patch", group, "bgppeers", ""),
        ("create", group, "bgpfilters", ""),
        ("create", group, "caliconodestatuses", ""),
    )


def provider(client: Client) -> Provider:
    return Calico(client)


def speaks(client: Client) -> bool | None:
    """The mesh between the nodes alone is no router's business."""
    return any_of(client, *(f"{base}/bgppeers" for base in paths.CALICO))


def may_speak(client: Client) -> bool:
    """Nothing of it goes when its nodes are taken out."""
    return False


def on(client: Client, node: str) -> bool:
    """Also by a BGPPeer that cannot be read."""
    state = Calico(client).state(node)
    return state is not None and bool(state.peers or state.unread)


def summary(client: Client) -> Summary:
    objects = Objects(client)
    world = objects.world(objects.hosts())
    by_node = world.by_node()
    hosts = [host for name, host in world.hosts.by_name.items() if by_node[name]]
    lever, why = _lever(client, objects, world)
    return Summary(
        Calico.name,
        len(hosts),
        image_tag(client, "calico-node"),
        lever,
        why,
        lacking(client, needed(objects.group)),
        tuple(_notes(objects, world, hosts)),
        frozenset(host.name for host in hosts),
    )


def _lever(client: Client, objects: Objects, world: World) -> tuple[str, str]:
    """What it does to most of the nodes."""
    shared = [one for one in world.peerings if not one.workload and len(world.hosts.touched(one)) > 1]
    if not world.pods and (shared or not world.rejects):
        return "withdraws", f"the label {EXCLUDE}: no IPPool is announced, so Services are all there is"
    if shared:
        names = ", ".join(peering.name for peering in shared[:SHOWN])
        return "nothing", f"more than one node has BGPPeer {names}: a filter there would withdraw from all"
    if not world.rejects:
        return "nothing", f"there is no BGPFilter {leave.FILTER}: {leave.PREPARE} makes it"
    if not rights.may(client, "patch", objects.group, "bgppeers"):
        return "nothing", "bgppeers may not be patched"
    return (
        "withdraws",
        f"BGPFilter {leave.FILTER} in its BGPPeers, sessions up (not tried on Calico's own BIRD)",
    )


def _notes(objects: Objects, world: World, hosts: list[Host]) -> Iterator[str]:
    by_node = world.by_node()
    if out := [host.name for host in hosts if world.out(host, by_node[host.name])]:
        yield f"{', '.join(out)}: withdrawn by bgpctl"
    for peering in world.peerings:
        if leave.FILTER in (peering.filters or ()) and not world.hosts.touched(peering):
            yield f"BGPPeer {peering.name} is withdrawn for no node: `{leave.PREPARE}` clears that away"
    if kept := [host.name for host in hosts if host.maintained]:
        yield f"{', '.join(kept)}: Calico Enterprise drains it (lb.projectcalico.org/maintenance)"
    told, _ = objects.statuses()
    if untold := [host.name for host in hosts if host.name not in told]:
        yield f"no CalicoNodeStatus tells the sessions of {len(untold)} nodes: `{leave.PREPARE}` makes them"
    yield from map(str, world.unread)
