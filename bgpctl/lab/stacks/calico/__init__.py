"""Calico in a lab: a real BIRD 2 per node where Calico runs its own fork of BIRD 1.6, and an emulation of
what confd and calico-node do with Calico's objects, as they are documented. None of it is Calico's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab import seed
from bgpctl.lab.stacks.announced import behind, prefixes
from bgpctl.lab.stacks.bird import Bird
from bgpctl.lab.stacks.calico import documents
from bgpctl.lab.stacks.calico.client import played
from bgpctl.lab.stacks.calico.node import CalicoNode, Routes
from bgpctl.lab.stacks.engine import needed
from bgpctl.lab.stacks.rounds import Rounds
from bgpctl.lab.stacks.spec import Document, Driver, Node, Site


@dataclass(slots=True)
class CalicoStack:
    """As `stacks.spec.Stack`."""

    site: Site
    engines: dict[str, Bird] = field(default_factory=dict)
    _rounds: Rounds = field(default_factory=Rounds)

    @property
    def logs(self) -> str:
        return f"the BIRD of each node logs in {self.site.directory}/worker-*"

    def start(self) -> None:
        for node in self.site.nodes:
            self.engines[node.name] = Bird(self.site.directory / node.name)
            self.engines[node.name].start()
        self.site.plays(played(self.engines))
        self._rounds = Rounds(*map(self._agent, self.site.nodes))
        self._rounds.start()

    def _agent(self, node: Node) -> CalicoNode:
        client = self.site.client()
        return CalicoNode(
            client,
            node.name,
            self.engines[node.name],
            lambda: _routes(client, node.name),
            self.site.router.port,
            address=node.address,
            asn=seed.NODE_ASN,
            next_hop=node.next_hop,
        )

    def stop(self) -> None:
        self._rounds.stop()
        for engine in self.engines.values():
            engine.stop()

    def waiting(self) -> Mapping[str, str]:
        """What its objects say of sessions somebody has to ask for first (`bgpctl calico prepare`)."""
        return behind(self.site)

    def revive(self) -> Iterator[str]:
        for node, engine in self.engines.items():
            if engine.died():
                yield f"the BIRD of {node} ended: calico-node cannot do anything there any more"
                engine.stop()


def _routes(client: Client, node: str) -> Routes:
    found = client.find(paths.node(node)) or {}
    blocks = tuple((found.get("spec") or {}).get("podCIDRs") or ())
    return tuple(one for one in prefixes(client, node) if one not in blocks), blocks


def _documents(site: Site) -> Iterator[Document]:
    yield from documents.crds()
    yield documents.daemonset()
    yield documents.configuration()
    yield documents.pool("pods", "10.244.0.0/16")
    router = f"{site.router.address}:{site.router.port}"
    for node in site.nodes:
        yield documents.peer(f"tor-{node.name}", router, site.router.asn, node=node.name)


DRIVER = Driver(
    name="calico",
    says=(
        f"Calico, emulated: {{nodes}}, AS {seed.NODE_ASN}, each with a real BIRD 2 for Calico's own fork; "
        "confd and calico-node are not Calico's code, but do what is documented of it"
    ),
    missing=needed("bird", "BIRD is what Calico's nodes speak BGP with"),
    documents=_documents,
    make=CalicoStack,
    prepare=(("calico", "prepare"),),
)
