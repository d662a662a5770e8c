"""MetalLB's frr-k8s: read from its FRRConfigurations and what it tells of sessions, made to withdraw by an
FRRConfiguration for that node alone, with raw lines of FRR."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgpctl.core.drain.lever import Change, Effect, Lever
from bgpctl.core.frr_k8s import leave
from bgpctl.core.frr_k8s.config import GROUP, KIND
from bgpctl.core.frr_k8s.leave import HOSTNAME, LONGEST_NAME
from bgpctl.core.frr_k8s.states import Host, node_state
from bgpctl.core.reading.documents import metadata
from bgpctl.core.reading.selectors import valid_label_value
from bgpctl.core.state import NodeState
from bgpctl.core.timing.withdrawal import Close
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Client
from bgpctl.ports import NOTHING_KNOWN, Outlook
from bgpctl.providers.frr_k8s_objects import Objects
from bgpctl.providers.frr_k8s_vtysh import Frrs

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts

Document = Mapping[str, Any]

WAY, BY_CONFIGURATION = "way", "configuration"  # in the journal
UNSERVED = f"the cluster serves no {KIND}: what its nodes announce is not known"
UNSUPPORTED = "frr-k8s calls raw lines of FRR unsupported; on frr-k8s itself nobody tried these"
BY_LABEL = "nodes of frr-k8s leave by an {kind} of their own, not by a label: leave --deselect-label out"
VERBS = ("create", "patch", "delete")


class FrrK8s:
    """As `bgpctl.ports.Provider`."""

    name = "frr-k8s"

    def __init__(self, client: Client) -> None:
        self._client = client
        self.objects = Objects(client)
        self._frrs = Frrs(client)
        self._missing: tuple[str, ...] | None = None

    # -- reading

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        """Of the nodes that have a peer by it, or had."""
        hosts = self.objects.hosts()
        return None if hosts is None else tuple(map(_state, hosts))

    def state(self, node: str) -> NodeState | None:
        document = self._client.find(paths.node(node))
        host = self.objects.host(document) if document else None
        if host is None:
            return None
        version = " ".join(one.version for one in (*host.configurations, host.ours) if one)
        told, by = self._frrs.told(node, version, host.neighbors)
        return node_state(host, told, by, self._client.present())

    def outlook(self) -> Outlook:
        told = self.states()
        missing = "" if told is not None else UNSERVED
        return Outlook({state.node: state for state in told or ()}, missing=missing)

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        from bgpctl.core.timing.facts import facts_from_state

        host = self.objects.host(node)
        return tuple(map(facts_from_state, node_state(host).peers)) if host else ()

    # -- the lever

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        host = self.objects.host(node)
        if host is None:
            return Lever()
        names = tuple(f"{KIND} {one}" for one in (*host.speaking, *(each.name for each in host.unread)))
        found = Lever(names, keys=frozenset({HOSTNAME}), back=tuple(self._back(host)))
        if host.neighbors or host.ours:
            found = replace(found, prior={WAY: BY_CONFIGURATION}, note=UNSUPPORTED)
        if not names and not self._stray(host):
            return replace(found, objects=tuple(self._paths(host)))
        if troubles := tuple(self._troubles(node, host, override)):
            return replace(
                found,
                refusal="; ".join(troubles),
                effect=Effect.NOTHING,
                close=Close.SILENT,
                prior={},
                note="",
            )
        return replace(found, patches=(self._pull(node, host),), objects=tuple(self._paths(host)))

    def _stray(self, host: Host) -> bool:
        """Does the object name peers that the node has no more?"""
        return host.ours is not None and host.ours.raw != leave.lines(host.neighbors)

    def _pull(self, node: Document, host: Host) -> Change:
        hostname = host.labels[HOSTNAME]
        if host.ours:
            return leave.follow(self._path(host), host.ours, leave.spec(hostname, host.neighbors))
        uid = str(metadata(node).get("uid") or "")
        body = leave.document(host.name, uid, hostname, _namespace(host), host.neighbors)
        return leave.withdraw(self._path(host), body)

    def _troubles(self, node: Document, host: Host, override: str | None) -> Iterator[str]:
        """Why such an object would not withdraw what the node announces."""
        yield from host.troubles()
        if override is not None:
            yield BY_LABEL.format(kind=KIND)
        if host.status and host.status.conversion:
            yield f"frr-k8s takes in no configuration there: {host.status.conversion}"
        hostname, name = host.labels.get(HOSTNAME, ""), leave.name_for(host.name)
        if not hostname or not valid_label_value(hostname):
            yield f"the node has no label {HOSTNAME}, by which an {KIND} is for one node alone"
        elif self.objects.named(hostname) != 1:
            yield f"more than one node has the label {HOSTNAME}={hostname}"
        if len(name) > LONGEST_NAME:
            yield f"{name} is too long for a name"
        elif not host.ours and len(host.spaces) == 1 and self._client.find(self._path(host)):
            yield f"{KIND} {name} is somebody else's: rename it, or delete it"
        if missing := self._rights(_namespace(host)):
            yield f"the right to {' and to '.join(missing)} is missing ({GROUP})"

    def _back(self, host: Host) -> Iterator[Change]:
        if host.ours:
            yield leave.back(self._path(host), host.ours)

    def _paths(self, host: Host) -> Iterator[str]:
        if host.neighbors or host.ours:
            yield self._path(host)

    def _path(self, host: Host) -> str:
        space = host.ours.namespace if host.ours else _namespace(host)
        return paths.frr_configuration(space, leave.name_for(host.name))

    def _rights(self, namespace: str) -> tuple[str, ...]:
        if self._missing is None:
            asked = ((v, rights.may(self._client, v, GROUP, "frrconfigurations", namespace)) for v in VERBS)
            self._missing = tuple(f"{verb} frrconfigurations" for verb, may in asked if not may)
        return self._missing


def _state(host: Host) -> NodeState:
    """One bad object costs the nodes that it is for."""
    if host.unread:
        return NodeState(host.name, unreadable="; ".join(map(str, host.unread)))
    return node_state(host)


def _namespace(host: Host) -> str:
    return next(iter(sorted(host.spaces)), "default")
