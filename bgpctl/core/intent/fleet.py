"""The intents of many nodes, from one reading of the cluster: what they share is read once, and nodes that
announce the same Services are known without compiling each.

Pure. An intent from here is the one that `compile_intent` gives by the documents themselves
(tests/unit/test_fleet.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bgpctl.core.intent.compile import ClusterObjects, Context, Endpoints, compile_intent
from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.endpoints import Key, Served, SharedSlice, Slice, backends_of
from bgpctl.core.intent.gates import OPEN, gate
from bgpctl.core.intent.nexthops import carriage, next_hops
from bgpctl.core.intent.services import Service
from bgpctl.core.intent.sessions import internal_ips
from bgpctl.core.model import Intent, Session
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.selectors import LabelSelector

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Fleet:
    """`objects` has what all nodes share: its Node, Services, slices and CiliumNode are not looked at."""

    objects: ClusterObjects
    services: Sequence[Service] = ()
    slices: Sequence[SharedSlice] = ()
    cilium_nodes: Mapping[str, Document] = field(default_factory=dict)
    _memo: Memo = field(default_factory=Memo)
    _bare_memo: Memo = field(default_factory=Memo)

    def intent(self, node: Document, opened: bool) -> Intent:
        """What this Node should run. `opened`: it announced before (`core.intent.gates`)."""
        name = name_of(node)
        seen = replace(
            self.objects,
            node=node,
            services=self.services,
            endpoint_slices=self._endpoints(name),
            cilium_node=self.cilium_nodes.get(name),
        )
        return compile_intent(seen, name, Context(opened=opened), memo=self._memo)

    def bare(self, node: Document, opened: bool = False) -> Intent:
        """The same without the routes of Services, which takes no time."""
        seen = replace(self.objects, node=node, services=(), endpoint_slices=(), lb_pools=None, pod_pools=())
        return compile_intent(seen, name_of(node), Context(opened=opened), memo=self._bare_memo)

    def likeness(
        self, node: Document, bare: Intent, opened: bool, sessions: Mapping[str, Session]
    ) -> Hashable | None:
        """Nodes of equal likeness announce the same addresses of Services whose traffic policy is Cluster;
        None: it announces none. `bare` is its intent without Services, `sessions` are its sessions by peer.
        """
        gates = gate(node, opened)
        if bare.config is None or gates.everything != OPEN or gates.services != OPEN:
            return None
        held, addresses = {peer.name: peer for peer in bare.peers}, tuple(internal_ips(node))
        told = frozenset(
            (peer.families, carriage(sessions.get(peer.name), next_hops(held[peer.name], addresses)))
            for instance in bare.config.instances
            for peer in instance.peers
            if peer.name in held
        )
        labels = labels_of(node)
        return told, tuple(selector.matches(labels) for selector in self._exposures)

    def with_endpoints(self, services: Iterable[Key]) -> frozenset[str]:
        """The nodes that have an endpoint of one of these."""
        wanted = set(services)
        return frozenset(name for each in self.slices if each.service in wanted for name in each.nodes)

    @cached_property
    def _exposures(self) -> Sequence[LabelSelector]:
        """What Services ask of the nodes that they are on."""
        asked = (service.exposure.nodes for service in self.services)
        return tuple({selector: None for selector in asked if selector is not None})

    # -- what one node sees of the EndpointSlices

    @cached_property
    def _far(self) -> Endpoints:
        """What a node sees that has no endpoint at all."""
        found = backends_of(Slice(each.service, each.far) for each in self.slices)
        return Endpoints(found, [each.problem for each in self.slices if each.problem])

    @cached_property
    def _of_service(self) -> Mapping[Key, Sequence[SharedSlice]]:
        found: dict[Key, list[SharedSlice]] = {}
        for each in self.slices:
            if each.service is not None:
                found.setdefault(each.service, []).append(each)
        return found

    @cached_property
    def _on_node(self) -> Mapping[str, set[Key]]:
        """The Services that have an endpoint there."""
        found: dict[str, set[Key]] = {}
        for each in self.slices:
            for name in each.nodes if each.service is not None else ():
                found.setdefault(name, set()).add(each.service)  # type: ignore[arg-type]
        return found

    def _endpoints(self, name: str) -> Endpoints:
        near = {key: self._near(key, name) for key in self._on_node.get(name, ())}
        return Endpoints({**self._far.backends, **near}, self._far.problems)

    def _near(self, key: Key, name: str) -> Served:
        return backends_of(Slice(key, each.seen_from(name)) for each in self._of_service[key])[key]
