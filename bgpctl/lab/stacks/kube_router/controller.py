"""kube-router on one node, as it is documented: while a pod of its DaemonSet runs there, its GoBGP has a
session with the peer that the Node's annotations named when the pod started, and announces the node's
PodCIDRs and the addresses of Services. With --bgp-graceful-restart the pod ends without a word to the router.

Left out: sessions between the nodes, more peers than one, and the up to 360 s for which a kube-router that
starts with graceful restart may wait for its peers' End-of-RIB. One round of work per `once`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bgpctl.core.reading.documents import annotations_of
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.announced import prefixes
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.lab.stacks.kube_router.documents import ASNS, IPS, NAME, NAMESPACE, NODE_ASN, PORTS
from bgpctl.lab.stacks.spec import Document, Node

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RESTART = "--bgp-graceful-restart-time="


@dataclass
class KubeRouter:
    """`directory`: for the files of its GoBGP."""

    client: Client
    node: Node
    directory: Path
    _engine: Gobgp | None = None
    _open: bool = False

    def once(self) -> None:
        pod = self._pod()
        if pod is None:
            if self._engine is not None:
                self._engine.kill()
                self._engine = None
            return
        if self._engine is None:
            self._start(pod)
        engine = self._engine
        if engine is None:
            return
        if not self._open:
            engine.open(self.node.name)
            self._open = True
        engine.announce(self.node.name, prefixes(self.client, self.node.name))

    def _pod(self) -> Document | None:
        """The one that runs here."""
        where = {"labelSelector": f"k8s-app={NAME}", "fieldSelector": f"spec.nodeName={self.node.name}"}
        pods = self.client.items(PODS, **where)
        return next((one for one in pods if one["status"].get("phase") == "Running"), None)

    def _start(self, pod: Document) -> None:
        notes = annotations_of(self.client.get(paths.node(self.node.name)))
        (container,) = pod["spec"]["containers"]
        (restart,) = (one.removeprefix(RESTART) for one in container["args"] if one.startswith(RESTART))
        self._engine, self._open = (
            Gobgp(
                self.node.address,
                int(notes[NODE_ASN]),
                notes[IPS],
                int(notes[PORTS]),
                int(notes[ASNS]),
                int(restart.removesuffix("s")),
                self.node.next_hop,
            ),
            False,
        )
        self._engine.start(self.directory)

    def died(self) -> bool:
        """Its GoBGP ended by itself."""
        return self._engine is not None and self._engine.died()

    def stop(self) -> None:
        """Its GoBGP; where its pod still runs, the next round starts another one. Harmless twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.stop()
