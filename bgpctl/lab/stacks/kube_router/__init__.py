"""kube-router in a lab: a real gobgpd per node, as kube-router has GoBGP inside it, and an emulation of its
network routes controller, which does what is documented of it. None of it is kube-router's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bgpctl.kube import paths
from bgpctl.lab import seed
from bgpctl.lab.stacks.announced import behind
from bgpctl.lab.stacks.engine import needed
from bgpctl.lab.stacks.kube_router import documents
from bgpctl.lab.stacks.kube_router.controller import KubeRouter
from bgpctl.lab.stacks.rounds import Rounds
from bgpctl.lab.stacks.spec import Document, Driver, Site

RUNS_WHERE = {seed.LABEL: "true"}
RESTART_SECONDS = 10  # its default is 90: nobody wants to watch that


@dataclass(slots=True)
class KubeRouterStack:
    """As `stacks.spec.Stack`."""

    site: Site
    nodes: list[KubeRouter] = field(default_factory=list)
    _rounds: Rounds = field(default_factory=Rounds)

    @property
    def logs(self) -> str:
        return f"the gobgpd of each node logs in {self.site.directory}/worker-*"

    def start(self) -> None:
        router, client = self.site.router, self.site.client()
        for node in self.site.nodes:
            told = documents.notes(router.address, router.asn, router.port, asn=seed.NODE_ASN)
            client.patch(paths.node(node.name), {"metadata": {"annotations": told}})
            self.nodes.append(KubeRouter(self.site.client(), node, self.site.directory / node.name))
        self._rounds = Rounds(*self.nodes)
        self._rounds.start()

    def stop(self) -> None:
        self._rounds.stop()
        for node in self.nodes:
            node.stop()

    def waiting(self) -> Mapping[str, str]:
        """It tells nobody of its sessions: the router's word is all there is."""
        return behind(self.site)

    def revive(self) -> Iterator[str]:
        for one in self.nodes:
            if one.died():
                yield f"the gobgpd of {one.node.name} ended, and is started again"
                one.stop()


def _documents(site: Site) -> Iterator[Document]:
    yield documents.daemonset(
        RUNS_WHERE,
        "--run-router=true",
        "--advertise-loadbalancer-ip=true",
        "--enable-ibgp=false",
        f"--bgp-holdtime={seed.HOLD_SECONDS}s",
        "--bgp-graceful-restart=true",
        f"--bgp-graceful-restart-time={RESTART_SECONDS}s",
    )


DRIVER = Driver(
    name="kube-router",
    says=(
        f"kube-router, emulated: {{nodes}}, AS {seed.NODE_ASN}, each with a real gobgpd; what gives it peer "
        "and routes is not kube-router's code, but does what is documented of it"
    ),
    missing=needed("gobgp", "GoBGP is what kube-router speaks BGP with"),
    documents=_documents,
    make=KubeRouterStack,
    drains=False,
)
