"""Calico's objects as they are in a cluster, in whichever of its two APIs is served."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bgpctl.core.calico import leave, nodestatus
from bgpctl.core.calico.config import (
    Defaults,
    Host,
    Peering,
    exported,
    read_defaults,
    read_host,
    read_peering,
    whose,
)
from bgpctl.core.calico.nodestatus import NodeStatus
from bgpctl.core.calico.states import Hosts, Unread, World
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import valid_label_key, valid_label_value
from bgpctl.core.state import NodeState
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.optional import permitted, served

Document = Mapping[str, Any]

UNREADABLE_HINT = "to see it: kubectl get {kind} {name} -o yaml"


class Objects:
    """What decides about the BGP of Calico's nodes."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._base: str | None = None
        self._named: dict[str, str] = {}  # the CalicoNodeStatus of a node

    @property
    def base(self) -> str:
        """The path of the API that is served, "" = none."""
        if self._base is None:
            self._base = self._found()
        return self._base

    def _found(self) -> str:
        """One that is forbidden may not be there at all: then the other one counts, where we may see it."""
        refused: ApiError | None = None
        for base in paths.CALICO:
            try:
                self.client.get(f"{base}/bgppeers", limit="1")
            except NotFound:
                continue
            except ApiError as error:
                if error.code != 403:
                    raise
                refused = refused or error
            else:
                return base
        if refused is not None:
            raise refused
        return ""

    @property
    def group(self) -> str:
        """Its name, as RBAC has it."""
        return self.base.split("/")[2] if self.base else ""

    @property
    def version(self) -> str:
        """Its apiVersion."""
        return self.base.removeprefix("/apis/")

    def path(self, plural: str, name: str) -> str:
        """Of one object."""
        return f"{self.base}/{plural}/{paths.named(name)}"

    def world(self, hosts: Hosts, *, few: bool = False) -> World:
        """What decides about these nodes; `few`: of thousands of BGPPeers most are none of theirs, which a
        glance tells. Raises Blocked for a BGPConfiguration that cannot be read."""

        others: set[str] = set()

        def read_one(document: Document) -> Peering | Unread | None:
            node, nodes = whose(document) if few else ("", None)
            if nodes is None or node in hosts.by_name or (not node and hosts.chosen(nodes)):
                return _peering(document)
            others.update(nodes.keys)
            return None

        read, _ = self.client.read_list(f"{self.base}/bgppeers", {}, read_one)
        return World(
            hosts,
            [one for one in read if isinstance(one, Peering)],
            self._defaults(),
            leave.rejects(self.filter()),
            tuple(exported(permitted(self.client, f"{self.base}/ippools"))),
            tuple(one for one in read if isinstance(one, Unread)),
            frozenset(others),
        )

    def _defaults(self) -> Defaults:
        document = self.client.find(self.path("bgpconfigurations", "default"))
        try:
            return read_defaults(document)
        except Unreadable as error:
            hint = UNREADABLE_HINT.format(kind="bgpconfiguration", name="default")
            raise Blocked(f"the BGPConfiguration default cannot be read ({error.message})", hint) from None

    def filter(self) -> Document | None:
        """The BGPFilter by which nodes withdraw."""
        return self.client.find(self.path("bgpfilters", leave.FILTER))

    def knows_filters(self) -> bool:
        """Is the kind served? Not by Calico before 3.25."""
        return served(self.client, f"{self.base}/bgpfilters") is not None

    def nodes(self, names: Collection[str] = ()) -> list[Host | NodeState]:
        """Every Node, or those; of one that cannot be read, that."""
        if names:
            return [_host(node) for name in names if (node := self.client.find(paths.node(name)))]
        read, _ = self.client.read_list(paths.NODES, {}, _host)
        return read

    def hosts(self, **query: str) -> Hosts:
        """Those that can be read."""
        read, _ = self.client.read_list(paths.NODES, query, _host)
        return Hosts(one for one in read if isinstance(one, Host))

    def sharing(self, peering: Peering) -> tuple[Host, ...]:
        """The nodes that a BGPPeer selects; no more Nodes are read than need be."""
        usable = all(valid_label_key(k) and valid_label_value(v) for k, v in peering.nodes.pairs.items())
        labels = ",".join(f"{key}={value}" for key, value in peering.nodes.pairs.items())
        return self.hosts(**({"labelSelector": labels} if labels and usable else {})).of(peering)

    def host(self, node: Document) -> Host:
        """Raises Blocked for one that cannot be read."""
        try:
            return read_host(node)
        except Unreadable as error:
            hint = UNREADABLE_HINT.format(kind="node", name=name_of(node))
            text = f"what Calico wrote on it cannot be read ({error.message})"
            raise Blocked(f"what node {name_of(node)} announces is unknown: {text}", hint) from None

    def statuses(self, names: Collection[str] = ()) -> tuple[Mapping[str, NodeStatus], Mapping[str, str]]:
        """By node, every one or those: what is told of its sessions, and why that cannot be read."""
        told: dict[str, NodeStatus] = {}
        troubles: dict[str, str] = {}
        if names:
            found = {name: self.status(name) for name in names}
            told = {name: status for name, (status, _) in found.items() if status}
            return told, {name: trouble for name, (_, trouble) in found.items() if trouble}
        try:
            read, _ = self.client.read_list(f"{self.base}/caliconodestatuses", {}, read_status)
        except NotFound:
            return {}, {}
        for one in read:
            if isinstance(one, NodeStatus):
                told[one.node] = min(told.get(one.node, one), one, key=lambda each: each.lag)
            elif one is not None:
                troubles[one[0]] = one[1]
        return told, {node: text for node, text in troubles.items() if node not in told}

    def status(self, node: str) -> tuple[NodeStatus | None, str]:
        """Of one node: the one that was found before, or ours, or any."""
        name = self._named.get(node, nodestatus.name_for(node))
        document = self.client.find(self.path("caliconodestatuses", name))
        found = read_status(document) if document else None
        if isinstance(found, NodeStatus) and found.node == node:
            return found, ""
        documents = served(self.client, f"{self.base}/caliconodestatuses") or ()
        read = [(name_of(one), read_status(one)) for one in documents]
        good = [(name, one) for name, one in read if isinstance(one, NodeStatus) and one.node == node]
        if good:
            self._named[node], best = min(good, key=lambda pair: pair[1].lag)
            return best, ""
        return None, next((one[1] for _, one in read if isinstance(one, tuple) and one[0] == node), "")


# -- one document each: what it says, or what to say of it


def _host(node: Document) -> Host | NodeState:
    try:
        return read_host(node)
    except Unreadable as error:
        return NodeState(name_of(node), unreadable=error.message)


def _peering(document: Document) -> Peering | Unread:
    try:
        return read_peering(document)
    except Unreadable as error:
        return Unread(name_of(document), *whose(document), error.message)


def read_status(document: Document) -> NodeStatus | tuple[str, str] | None:
    """Or for which node it is, and why it cannot be read. None: it is not about sessions."""
    try:
        return nodestatus.read(document)
    except Unreadable as error:
        spec = document.get("spec")
        node = spec.get("node") if isinstance(spec, Mapping) else None
        text = f"CalicoNodeStatus {name_of(document)} cannot be read ({error.message})"
        return (node if isinstance(node, str) else "", text)
