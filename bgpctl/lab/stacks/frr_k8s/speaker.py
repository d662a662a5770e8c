"""MetalLB's speaker on one node, as its source has it: it leaves the sessions to frr-k8s, and writes the
FRRConfiguration `metallb-NODE` from its BGPPeers and what it would announce."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.reading.documents import labels_of
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict
from bgpctl.lab.stacks.frr_k8s.daemon import selects
from bgpctl.lab.stacks.frr_k8s.documents import NAMESPACE, VERSION

Document = dict[str, Any]


class Speaker:
    """`routes`: the Service addresses that it would announce now. `next_hop` "" = the node itself, which the
    real one always has."""

    def __init__(
        self,
        client: Client,
        node: str,
        routes: Callable[[], Sequence[str]],
        *,
        next_hop: str = "",
        namespace: str = NAMESPACE,
    ) -> None:
        self._client, self._node, self._routes = client, node, routes
        self._next_hop, self._namespace = next_hop, namespace

    def once(self) -> None:
        node = self._client.find(paths.node(self._node))
        if node is None:
            return
        spec = self._spec(labels_of(node))
        name, base = (
            f"metallb-{self._node}",
            f"/apis/{VERSION}/namespaces/{self._namespace}/frrconfigurations",
        )
        there = self._client.find(f"{base}/{name}")
        if there is None:
            about = {"name": name, "namespace": self._namespace}
            body = {"apiVersion": VERSION, "kind": "FRRConfiguration", "metadata": about, "spec": spec}
            self._client.create(base, body)
        elif there.get("spec") != spec:
            try:
                self._client.replace(f"{base}/{name}", {**there, "spec": spec})
            except Conflict:
                return  # next round

    def _spec(self, labels: Mapping[str, str]) -> Document:
        routers: dict[int, Document] = {}
        announced = [] if EXCLUDE in labels else sorted(self._routes())
        for peer in self._client.items("/apis/metallb.io/v1beta2/bgppeers"):
            spec = peer["spec"]
            chosen = spec.get("nodeSelectors") or [{}]
            if not any(selects({"spec": {"nodeSelector": one}}, labels) for one in chosen):
                continue
            router = routers.setdefault(
                spec["myASN"], {"asn": spec["myASN"], "neighbors": [], "prefixes": announced}
            )
            router["neighbors"].append(self._neighbor(spec, announced))
        selector = {"matchLabels": {"kubernetes.io/hostname": self._node}}
        return {"nodeSelector": selector, "bgp": {"routers": list(routers.values())}}

    def _neighbor(self, spec: Document, announced: Sequence[str]) -> Document:
        names = {
            "peerAddress": "address",
            "peerASN": "asn",
            "peerPort": "port",
            "sourceAddress": "sourceaddress",
            "holdTime": "holdTime",
            "keepaliveTime": "keepaliveTime",
            "connectTime": "connectTime",
            "ebgpMultiHop": "ebgpMultiHop",
            "enableGracefulRestart": "enableGracefulRestart",
        }
        found: Document = {
            ours: spec[theirs] for theirs, ours in names.items() if spec.get(theirs) is not None
        }
        found["toAdvertise"] = {"allowed": {"mode": "filtered", "prefixes": list(announced)}}
        if self._next_hop:
            found["toAdvertise"]["nextHop"] = {"ipv4": self._next_hop}
        return found
