"""frr-k8s' objects as they are in a cluster, sorted by the nodes that they are for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bgpctl.core import metallb
from bgpctl.core.frr_k8s import config, leave, told
from bgpctl.core.frr_k8s.config import Configuration, Unread
from bgpctl.core.frr_k8s.leave import HOSTNAME
from bgpctl.core.frr_k8s.states import Host
from bgpctl.core.frr_k8s.told import NodeStatus
from bgpctl.core.model import SessionState
from bgpctl.core.reading.documents import labels_of, name_of, namespace_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import valid_label_value
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.optional import optional, permitted
from bgpctl.providers.stack import any_of

METALLB_NAME = "metallb-"
"""How the FRRConfiguration begins that MetalLB's speaker writes for a node, whose name follows."""

Document = Mapping[str, Any]
Labels = tuple[str, Mapping[str, str]]
"""A Node's name and labels."""


@dataclass
class Configurations:
    """All of them. Of thousands, each is for one host: what is for a node is found without a look at all."""

    by_host: dict[str, list[Configuration | Unread]] = field(default_factory=dict)
    others: list[Configuration | Unread] = field(default_factory=list)
    ours: dict[str, Configuration] = field(default_factory=dict)  # those by which nodes withdraw, by name

    def add(self, one: Configuration | Unread) -> None:
        """Keep it where it is looked for."""
        if isinstance(one, Configuration) and one.ours:
            self.ours[one.name] = one
            return
        pairs = dict(one.selector.match_labels) if one.selector else {}
        if HOSTNAME in pairs:
            self.by_host.setdefault(pairs[HOSTNAME], []).append(one)
        else:
            self.others.append(one)

    def of(self, labels: Mapping[str, str]) -> list[Configuration | Unread]:
        """What is for a node with these labels, or may be."""
        near = self.by_host.get(labels.get(HOSTNAME, ""), [])
        return [one for one in (*near, *self.others) if one.selects(labels)]


@dataclass
class Sessions:
    """By node what its BGPSessionStates say, in which namespaces they are, and what cannot be read."""

    states: dict[str, dict[config.Key, SessionState]] = field(default_factory=dict)
    spaces: dict[str, set[str]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        """Of two about one peer the one that is worse off counts."""
        try:
            node, key, state = told.session(document)
        except Unreadable as error:
            text = f"BGPSessionState {name_of(document)} cannot be read ({error.message})"
            self.troubles.setdefault(told.node_of(document), text)
            return
        self.spaces.setdefault(node, set()).add(namespace_of(document))
        known = self.states.setdefault(node, {}).setdefault(key, state)
        if known is SessionState.ESTABLISHED:
            self.states[node][key] = state


class Objects:
    """What decides about the BGP of the nodes of frr-k8s."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def configurations(self) -> Configurations | None:
        """None where the kind is not served."""
        found = Configurations()
        try:
            read, _ = self.client.read_list(f"{paths.FRR_K8S}/frrconfigurations", {}, config.read)
        except NotFound:
            return None
        for one in read:
            found.add(one)
        return found

    def hosts(self) -> Iterator[Host] | None:
        """Every node about which it has something to say; None where it is not there."""
        configurations = self.configurations()
        if configurations is None:
            return None
        nodes, _ = self.client.read_list(paths.NODES, {}, lambda node: (name_of(node), labels_of(node)))
        found = [host for node in nodes if (host := _host(node, configurations)).concerned]
        return self._filled(found)

    def _filled(self, hosts: Sequence[Host]) -> Iterator[Host]:
        sessions = self.sessions()
        wanted = {host.name for host in hosts if host.ours or any(one.raw for one in host.configurations)}
        statuses = self._statuses(wanted)
        for host in hosts:
            yield _told(host, statuses.get(host.name), sessions)

    def host(self, node: Document) -> Host | None:
        """Of one Node; None where it is not there."""
        configurations = self.configurations()
        if configurations is None:
            return None
        name = name_of(node)
        found = _host((name, labels_of(node)), configurations)
        document = self.client.find(f"{paths.FRR_K8S}/frrnodestates/{paths.named(name)}")
        query = {"labelSelector": f"{told.NODE_LABEL}={name}"} if valid_label_value(name) else {}
        return _told(found, _status(document) if document else None, self.sessions(**query))

    def sessions(self, **query: str) -> Sessions | None:
        """None where frr-k8s tells of none: before 0.0.18."""
        documents = self._sessions(query)
        if documents is None:
            return None
        found = Sessions()
        for one in documents:
            found.add(one)
        return found

    def _sessions(self, query: Mapping[str, str]) -> Iterable[Document] | None:
        try:
            return self.client.items(f"{paths.FRR_K8S}/bgpsessionstates", **query)
        except NotFound:
            return None

    def _statuses(self, wanted: set[str]) -> Mapping[str, NodeStatus | str]:
        """By node; what FRR runs is long, and is read of those only where it decides something."""

        def read(document: Document) -> tuple[str, NodeStatus | str]:
            name = name_of(document)
            return name, _status(document if name in wanted else _short(document))

        try:
            read_, _ = self.client.read_list(f"{paths.FRR_K8S}/frrnodestates", {}, read)
        except NotFound:
            return {}
        return dict(read_)

    def named(self, hostname: str) -> int:
        """How many Nodes have this host name among their labels?"""
        return len(self.client.items(paths.NODES, labelSelector=f"{HOSTNAME}={hostname}"))

    def of_metallb(self, node: str = "") -> bool:
        """Does MetalLB's speaker write an FRRConfiguration for the node ("" = for any)? Then frr-k8s has its
        sessions there. It is called `metallb-NODE`; those of other names are other people's, and so is one of
        this name where its speaker is seen to have the sessions itself."""
        return self._called_so(node) and metallb.leaves_to_frr_k8s(
            permitted(self.client, paths.DAEMONSETS) or ()
        ) in (True, None)

    def _called_so(self, node: str) -> bool:
        path, name = f"{paths.FRR_K8S}/frrconfigurations", f"{METALLB_NAME}{node}"
        if not node:
            return any(name_of(one).startswith(name) for one in optional(self.client, path))
        try:
            return bool(self.client.items(path, fieldSelector=f"metadata.name={name}"))
        except NotFound:
            return False

    def in_use(self) -> bool | None:
        """Does any FRRConfiguration give a node a peer? None: the kind is not served, or not shown to us."""
        path = f"{paths.FRR_K8S}/frrconfigurations"
        try:
            first = any_of(self.client, path)
            return first and any(_peers(config.read(one)) for one in self.client.items(path))
        except ApiError as error:
            if error.code != 403:
                raise
            return None


def _peers(one: Configuration | Unread) -> bool:
    return isinstance(one, Unread) or bool(one.neighbors) or one.ours


def _host(node: Labels, configurations: Configurations) -> Host:
    name, labels = node
    found = configurations.of(labels)
    mine = [one for one in found if isinstance(one, Configuration)]
    ours = configurations.ours.get(leave.name_for(name))
    return Host(
        name,
        labels,
        mine,
        ours,
        [one for one in found if isinstance(one, Unread)],
        spaces=frozenset(one.namespace for one in (*mine, ours) if one),
    )


def _told(host: Host, status: NodeStatus | str | None, sessions: Sessions | None) -> Host:
    found = replace(host, status=status if isinstance(status, NodeStatus) else None)
    trouble = status if isinstance(status, str) else ""
    if sessions is None:
        return replace(found, sessions=None, trouble=trouble)
    return replace(
        found,
        sessions=sessions.states.get(host.name, {}),
        trouble=trouble or sessions.troubles.get(host.name, ""),
        spaces=host.spaces | sessions.spaces.get(host.name, set()),
    )


def _status(document: Document) -> NodeStatus | str:
    try:
        return told.node_status(document)
    except Unreadable as error:
        return f"FRRNodeState {name_of(document)} cannot be read ({error.message})"


def _short(document: Document) -> Document:
    status = document.get("status")
    kept = (
        {k: v for k, v in status.items() if k != "runningConfig"} if isinstance(status, Mapping) else status
    )
    return {"metadata": document.get("metadata"), "status": kept}
