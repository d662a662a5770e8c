"""MetalLB with frr-k8s in a lab: a real FRR bgpd per node, which takes in what an emulation of frr-k8s and of
MetalLB's speaker render for it, by FRR's own frr-reload.py. None of it is frr-k8s' or MetalLB's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab import seed
from bgpctl.lab.stacks import bgpd
from bgpctl.lab.stacks.announced import prefixes
from bgpctl.lab.stacks.bgpd import Bgpd
from bgpctl.lab.stacks.frr_k8s import documents
from bgpctl.lab.stacks.frr_k8s.client import played
from bgpctl.lab.stacks.frr_k8s.daemon import FrrK8s
from bgpctl.lab.stacks.frr_k8s.speaker import Speaker
from bgpctl.lab.stacks.rounds import Rounds
from bgpctl.lab.stacks.spec import Document, Driver, Node, Site
from bgpctl.witness.probe import parse_probe

STATE_EVERY, SESSIONS_EVERY = 5.0, 15.0  # of the real ones: 30 and 120


@dataclass(slots=True)
class FrrK8sStack:
    """As `stacks.spec.Stack`."""

    site: Site
    engines: dict[str, Bgpd] = field(default_factory=dict)
    _rounds: Rounds = field(default_factory=Rounds)

    @property
    def logs(self) -> str:
        return f"the bgpd of each node logs in {self.site.directory}/worker-*"

    def start(self) -> None:
        for node in self.site.nodes:
            self.engines[node.name] = Bgpd(self.site.directory / node.name)
            self.engines[node.name].start()
        self.site.plays(played(self.engines))
        daemons = [self._daemon(node) for node in self.site.nodes]
        self._rounds = Rounds(*daemons, *map(self._speaker, self.site.nodes))
        self._rounds.start()

    def _daemon(self, node: Node) -> FrrK8s:
        client, engine = self.site.client(), self.engines[node.name]
        return FrrK8s(
            client, node.name, engine, node.address, state_every=STATE_EVERY, sessions_every=SESSIONS_EVERY
        )

    def _speaker(self, node: Node) -> Speaker:
        client = self.site.client()
        return Speaker(client, node.name, lambda: _services(client, node.name), next_hop=node.next_hop)

    def stop(self) -> None:
        self._rounds.stop()
        for engine in self.engines.values():
            engine.stop()

    def waiting(self) -> Mapping[str, str]:
        client, probe = self.site.client(), parse_probe(self.site.probe)
        found = {}
        for node in self.site.nodes:
            wanted = set(prefixes(client, node.name))
            has = {str(path.prefix) for path in probe.routes_from(node.address).paths}
            if has != wanted:
                found[node.name] = f"the router has {len(has)} of its {len(wanted)} routes"
            elif not _told(client, node.name):
                found[node.name] = "frr-k8s has not told of its session yet"
        return found

    def revive(self) -> Iterator[str]:
        for node, engine in self.engines.items():
            if engine.died():
                yield f"the bgpd of {node} ended: frr-k8s cannot do anything there any more"
                engine.stop()


def _told(client: Client, node: str) -> bool:
    query = {"labelSelector": f"frrk8s.metallb.io/node={node}"}
    found = client.items(f"/apis/{documents.VERSION}/bgpsessionstates", **query)
    return any((one.get("status") or {}).get("bgpStatus") == "Established" for one in found)


def _services(client: Client, node: str) -> tuple[str, ...]:
    """What MetalLB announces; the PodCIDRs an administrator does, by an FRRConfiguration of his own."""
    blocks = ((client.find(paths.node(node)) or {}).get("spec") or {}).get("podCIDRs") or ()
    return tuple(one for one in prefixes(client, node) if one not in blocks)


def _documents(site: Site) -> Iterator[Document]:
    yield from documents.crds()
    yield documents.namespace()
    yield documents.daemonset()
    router = site.router
    settings = {"ebgpMultiHop": True, "holdTime": "90s", "keepaliveTime": "30s", "connectTime": "1s"}
    for number, node in enumerate(site.nodes, 1):
        here = {"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": node.name}}]}
        about = {"peerPort": router.port, "sourceAddress": node.address, **settings, **here}
        yield documents.peer(f"tor-{node.name}", router.address, router.asn, seed.NODE_ASN, **about)
        block = f"10.244.{number}.0/24"
        same = {"port": router.port, "sourceaddress": node.address, **settings}
        pods = documents.neighbor(router.address, router.asn, [block], next_hop=node.next_hop, **same)
        asked = {"asn": seed.NODE_ASN, "prefixes": [block], "neighbors": [pods]}
        yield documents.configuration(f"pods-{node.name}", node.name, asked)


DRIVER = Driver(
    name="frr-k8s",
    says=(
        f"MetalLB with frr-k8s, emulated: {{nodes}}, AS {seed.NODE_ASN}, each with a real FRR bgpd; frr-k8s "
        "and MetalLB's speaker are not their code, but do what their source says"
    ),
    missing=bgpd.missing,
    documents=_documents,
    make=FrrK8sStack,
)
