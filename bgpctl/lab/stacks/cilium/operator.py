"""Cilium's operator as it was measured on its own code (1.16 to 1.19): it makes, reverts and deletes
CiliumBGPNodeConfigs. It acts on those that a CiliumBGPClusterConfig owns and skips any other (its conflict
detection). One round of work per `once`, on the objects as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.cilium.documents import API, CLUSTER_CONFIGS, NODE_CONFIGS
from bgpctl.lab.stacks.spec import Document
from bgpctl.providers.policies import selectors


@dataclass
class Operator:
    """`watches`: it sees that a CiliumBGPNodeConfig changed, which 1.16 does not. `asns`: an override by
    node, as CiliumBGPNodeConfigOverride has it; `router_ids`: from its pool."""

    client: Client
    watches: bool = True
    asns: Mapping[str, int] = field(default_factory=dict)
    router_ids: Mapping[str, str] = field(default_factory=dict)
    _seen: object = None

    def once(self) -> None:
        nodes = {name_of(node): labels_of(node) for node in self.client.items(paths.CILIUM_NODES)}
        configs = sorted(self.client.items(CLUSTER_CONFIGS), key=lambda d: d["metadata"]["creationTimestamp"])
        seen = (nodes, [(d["metadata"]["uid"], d["metadata"].get("generation")) for d in configs])
        if not self.watches and seen == self._seen:
            return
        self._seen = seen
        there = {name_of(document): document for document in self.client.items(NODE_CONFIGS)}
        selecting = selectors([], configs)
        for config in configs:
            selector = selecting[name_of(config)]
            for node, labels in nodes.items():
                if selector is None or selector.matches(labels):
                    self._want(config, node, there)
        self._collect(nodes, configs, selecting, there)

    def _want(self, config: Document, node: str, there: dict[str, Document]) -> None:
        spec, existing = self._spec(config, node), there.get(node)
        if existing is None:
            owner = {
                "apiVersion": API,
                "kind": "CiliumBGPClusterConfig",
                "name": name_of(config),
                "uid": config["metadata"]["uid"],
                "controller": True,
            }
            made = {
                "apiVersion": API,
                "kind": "CiliumBGPNodeConfig",
                "metadata": {"name": node, "ownerReferences": [owner]},
                "spec": spec,
            }
            there[node] = self.client.create(NODE_CONFIGS, made)
        elif _owner(existing) == config["metadata"]["uid"] and existing["spec"] != spec:
            self.client.patch(
                f"{NODE_CONFIGS}/{node}", [{"op": "replace", "path": "/spec", "value": spec}], "json"
            )

    def _spec(self, config: Document, node: str) -> Document:
        instances = []
        for one in config["spec"]["bgpInstances"]:
            router_id = {"routerID": self.router_ids[node]} if node in self.router_ids else {}
            instances.append({**one, **router_id, "localASN": self.asns.get(node, one["localASN"])})
        return {"bgpInstances": instances}

    def _collect(
        self,
        nodes: Mapping[str, Mapping[str, str]],
        configs: Sequence[Document],
        selecting: Mapping[str, LabelSelector | None],
        there: Mapping[str, Document],
    ) -> None:
        """What it owns and nobody asks for any more. An orphan is not its business, whatever becomes of its
        node."""
        by_uid = {config["metadata"]["uid"]: name_of(config) for config in configs}
        for node, document in there.items():
            uid = _owner(document)
            if uid is None:
                continue
            name = by_uid.get(uid)
            selector = selecting[name] if name else None
            if name is None or node not in nodes or not (selector is None or selector.matches(nodes[node])):
                self.client.delete(f"{NODE_CONFIGS}/{node}")


def _owner(document: Document) -> str | None:
    owners = document["metadata"].get("ownerReferences") or ()
    return next((one["uid"] for one in owners if one["kind"] == "CiliumBGPClusterConfig"), None)
