"""Cilium in a lab: a real gobgpd per node, as Cilium has GoBGP inside its agent, and emulations of its
operator and its agents (v2 API), which do what was measured on Cilium's own code. None of it is that code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bgpctl.lab import seed
from bgpctl.lab.stacks.announced import behind, prefixes
from bgpctl.lab.stacks.cilium import documents
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.cilium.client import daemonset, played
from bgpctl.lab.stacks.cilium.operator import Operator
from bgpctl.lab.stacks.engine import needed
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.lab.stacks.rounds import Rounds
from bgpctl.lab.stacks.spec import Document, Driver, Site
from bgpctl.providers.cilium import Cilium

SELECTED = {seed.LABEL: "true"}
ADVERTISED = {"advertise": "bgp"}


@dataclass(slots=True)
class CiliumStack:
    """As `stacks.spec.Stack`. `notification`: its engines send the N bit, as Cilium's do; so does it by its
    site's timers."""

    site: Site
    notification: bool = False
    engines: dict[str, Gobgp] = field(default_factory=dict)
    _agents: list[Agent] = field(default_factory=list)
    _rounds: Rounds = field(default_factory=Rounds)

    @property
    def logs(self) -> str:
        return f"the gobgpd of each node logs in {self.site.directory}/worker-*"

    def start(self) -> None:
        router, timers = self.site.router, self.site.timers
        for node in self.site.nodes:
            engine = Gobgp(
                node.address,
                seed.NODE_ASN,
                router.address,
                router.port,
                router.asn,
                timers.restart,
                node.next_hop,
                self.notification or timers.notification,
                timers.hold,
                timers.keepalive,
            )
            self.engines[node.name] = engine
            engine.start(self.site.directory / node.name)
            self._agents.append(self._agent(node.name, engine))
        self.site.plays(played({agent.node: agent for agent in self._agents}))
        self._rounds = Rounds(Operator(self.site.client()), *self._agents)
        self._rounds.start()

    def _agent(self, node: str, engine: Gobgp) -> Agent:
        client = self.site.client()
        timers = engine.hold, engine.keepalive
        return Agent(client, node, engine, lambda: prefixes(client, node), timers=timers)

    def opened(self) -> bool:
        """The agents have read what they are to do."""
        return all(agent.peers for agent in self._agents)

    def stop(self) -> None:
        self._rounds.stop()
        for engine in self.engines.values():
            engine.stop()

    def waiting(self) -> Mapping[str, str]:
        """An agent says what it has after up to 5 s, as Cilium's does."""
        reported = {state.node for state in Cilium(self.site.client()).states() or () if state.established}
        silent = (node.name for node in self.site.nodes if node.name not in reported)
        return {**dict.fromkeys(silent, "its agent has not reported the session yet"), **behind(self.site)}

    def revive(self) -> Iterator[str]:
        for node, engine in self.engines.items():
            if engine.died():
                yield f"the gobgpd of {node} ended: its agent cannot do anything any more"
                engine.stop()


def _documents(site: Site) -> Iterator[Document]:
    yield from seed.crds()
    yield documents.crd()
    yield daemonset()
    for node in site.nodes:
        yield documents.cilium_node(node.name, SELECTED)
    yield documents.advertisement("bgp", ADVERTISED, {"expose": "bgp"})
    told = site.timers
    timers = {**documents.TIMERS, "holdTimeSeconds": told.hold, "keepAliveTimeSeconds": told.keepalive}
    yield documents.peer_config("tor", restart=told.restart, port=site.router.port, timers=timers)
    peer = documents.peer("tor", site.router.address, "tor", site.router.asn)
    yield documents.cluster_config("rack-1", peer, selector=SELECTED)


DRIVER = Driver(
    name="cilium",
    says=(
        f"Cilium, emulated: {{nodes}}, AS {seed.NODE_ASN}, each with a real gobgpd; operator and agents are "
        "not Cilium's code, but do what was measured on it"
    ),
    missing=needed("gobgp", "GoBGP is what Cilium's agents speak BGP with"),
    documents=_documents,
    make=CiliumStack,
    prepare=(("cilium", "prepare"),),
)
