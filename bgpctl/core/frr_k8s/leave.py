"""The FRRConfiguration by which one node withdraws: for that host alone, with raw lines of FRR that let
nothing out to any of its peers. Pure.

frr-k8s merges it with what others wrote, which it leaves alone, and FRR's own reload takes the difference in:
every route goes by UPDATE, and the sessions stay up. Without the object all of it is as before. Raw lines are
not supported by frr-k8s ("only for experimentation"), so what became of them is read back (`running`).

A line about a neighbor that FRR does not have makes its reload report a failure, though it takes in all
others: so only peers are named that the node has, and the lines follow them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from bgpctl.core.drain.lever import Create, Delete, Patch
from bgpctl.core.frr_k8s.config import KIND, LABEL, LABELLED, NAMED, VERSION, Configuration, Neighbor
from bgpctl.core.frr_k8s.running import read

LIST = "bgpctl-leave"
"""The prefix list that lets nothing out."""
PRIORITY = 1_000_000
"""Raw lines are added in this order, lowest first: others may define what these are about."""
HOSTNAME = "kubernetes.io/hostname"
LONGEST_NAME = 253

Document = Mapping[str, Any]


def name_for(node: str) -> str:
    """Of the object that is for a node."""
    return f"{NAMED}{node}"


def lines(neighbors: Sequence[Neighbor]) -> str:
    """The raw lines for these peers."""
    found = [f"{family} prefix-list {LIST} seq 5 deny any" for family in ("ip", "ipv6")]
    ordered = sorted(neighbors, key=lambda one: (one.vrf, one.router_asn))
    for (vrf, asn), group in groupby(ordered, key=lambda one: (one.vrf, one.router_asn)):
        members = list(group)
        found.append(f"router bgp {asn}{f' vrf {vrf}' if vrf else ''}")
        for version in (4, 6):
            addresses = [one.address for one in members if version in one.versions]
            if addresses:
                found.append(f" address-family ipv{version} unicast")
                found += [f"  neighbor {address} prefix-list {LIST} out" for address in addresses]
                found.append(" exit-address-family")
        found.append("exit")
    return "\n".join(found)


def document(node: str, uid: str, hostname: str, namespace: str, neighbors: Sequence[Neighbor]) -> Document:
    """The object as it is to be. It goes with its Node, so that another one of that name is not silenced."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
    return {
        "apiVersion": VERSION,
        "kind": KIND,
        "metadata": {
            "name": name_for(node),
            "namespace": namespace,
            "labels": {LABEL: LABELLED},
            "ownerReferences": [owner],
        },
        "spec": spec(hostname, neighbors),
    }


def spec(hostname: str, neighbors: Sequence[Neighbor]) -> dict[str, Any]:
    """For that host alone."""
    return {
        "nodeSelector": {"matchLabels": {HOSTNAME: hostname}},
        "raw": {"priority": PRIORITY, "rawConfig": lines(neighbors)},
    }


def silenced(ours: Configuration | None, neighbors: Sequence[Neighbor]) -> frozenset[Neighbor]:
    """To which of them it lets nothing out, by what is written in it."""
    if ours is None:
        return frozenset()
    written = read(ours.raw)
    written.neighbors.update(one.key for one in neighbors)
    return frozenset(one for one in neighbors if written.silences(one, LIST))


def withdraw(path: str, body: Document) -> Create:
    """Every route goes by UPDATE, and the sessions stay."""
    return Create(
        path, f"create {KIND} {body['metadata']['name']}: nothing is announced, sessions stay up", body
    )


def follow(path: str, ours: Configuration, wanted: Document) -> Patch:
    """The node's peers are others than when it was made."""
    what = f"let {KIND} {ours.name} name the peers that the node has now"
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": ours.version}
    return Patch(path, what, (unchanged, {"op": "add", "path": "/spec", "value": wanted}))


def back(path: str, ours: Configuration) -> Delete:
    """As it was before."""
    return Delete(path, f"delete {KIND} {ours.name}, which bgpctl made", ours.uid, ours.version)
