"""calico-node on one node, as it is documented: what confd renders for BIRD from Calico's objects, and what
it says of its sessions where a CalicoNodeStatus asks for them. Sessions between the nodes (the mesh) are left
out. One round of work per `once`, on the objects as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any, Protocol

from bgpctl.core.calico.selector import parse
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.reading.documents import annotations_of, labels_of, name_of
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.calico.birdconf import HOLD, Session, Speaker, render, symbol
from bgpctl.lab.stacks.calico.documents import V3

Document = dict[str, Any]
DEFAULT_ASN = 64512
ADDRESS, ASN = "projectcalico.org/IPv4Address", "projectcalico.org/ASNumber"
Routes = tuple[Sequence[str], Sequence[str]]


class Engine(Protocol):
    """What speaks BGP: `bird.Bird`, or a recorder."""

    def configure(self, text: str) -> None: ...
    def sessions(self) -> dict[str, tuple[str, str]]: ...


@dataclass
class CalicoNode:
    """`routes`: the addresses of Services, and the prefixes of pods, that the node has now; the real one
    announces Services with externalTrafficPolicy Cluster by their whole range. `port`: where its BIRD
    listens. `api`: in which of its APIs Calico's objects are. `address`, `asn`: what it writes on its Node,
    "" = somebody else did. `next_hop` "" = itself."""

    client: Client
    node: str
    engine: Engine
    routes: Callable[[], Routes]
    port: int = 179
    api: str = V3
    hold: int = HOLD
    address: str = ""
    asn: int = DEFAULT_ASN
    next_hop: str = ""
    clock: Callable[[], float] = time.time
    _rendered: str = ""
    _due: dict[str, tuple[object, float]] = field(default_factory=dict)

    def once(self) -> None:
        node = self.client.find(paths.node(self.node))
        if node is None:
            return
        if self.address and annotations_of(node).get(ADDRESS) != f"{self.address}/24":
            told = {ADDRESS: f"{self.address}/24", ASN: str(self.asn)}
            node = self.client.patch(paths.node(self.node), {"metadata": {"annotations": told}})
        rendered = render(self._speaker(node), self.hold)
        if rendered != self._rendered:
            self.engine.configure(rendered)
            self._rendered = rendered
        for status in self._all("caliconodestatuses"):
            if status["spec"].get("node") == self.node:
                self._report(status)

    def _all(self, plural: str) -> list[Document]:
        return self.client.items(f"/apis/{self.api}/{plural}")

    def _speaker(self, node: Document) -> Speaker:
        annotations = annotations_of(node)
        address = annotations[ADDRESS].partition("/")[0]
        services, blocks = self.routes()
        if labels_of(node).get(EXCLUDE) == "true":
            services = ()
        return Speaker(
            address,
            self.port,
            tuple(self._sessions(node, address)),
            (*services, *blocks),
            frozenset((*services, *self._exported(blocks))),
            self.next_hop,
        )

    def _exported(self, blocks: Sequence[str]) -> Iterator[str]:
        pools = [one["spec"] for one in self._all("ippools")]
        for block in blocks:
            inside = [p for p in pools if _within(block, p["cidr"])]
            if not any(pool.get("disableBGPExport") for pool in inside):
                yield block

    def _sessions(self, node: Document, address: str) -> Iterator[Session]:
        found = {name_of(one): one["spec"] for one in self._all("bgpconfigurations")}.get("default", {})
        default = int(found.get("asNumber") or DEFAULT_ASN)
        own = int(annotations_of(node).get(ASN) or default)
        filters = {name_of(one): one["spec"] for one in self._all("bgpfilters")}
        for one in self._all("bgppeers"):
            spec = one["spec"]
            if not self._selected(spec, labels_of(node)):
                continue
            host, _, port = spec["peerIP"].partition(":")
            if host == address:
                continue
            known = [filters[name] for name in spec.get("filters") or () if name in filters]
            rules = tuple(rule for each in known for rule in each.get("exportV4") or ())
            yield Session(
                symbol(spec.get("node") or spec.get("nodeSelector") or "", host, int(port or 179)),
                host,
                int(port or 179),
                int(spec["asNumber"]),
                int(spec.get("localASNumber") or own),
                int(str(spec.get("maxRestartTime") or "120s").removesuffix("s")),
                rules,
            )

    def _selected(self, spec: Document, labels: Mapping[str, str]) -> bool:
        if spec.get("node"):
            return bool(spec["node"] == self.node)
        return parse(spec.get("nodeSelector") or "").matches(labels)

    def _report(self, document: Document) -> None:
        """Every period, and when it is asked anew; it writes on change only."""
        name, spec = name_of(document), document["spec"]
        period = spec.get("updatePeriodSeconds") or 0
        asked, due = self._due.get(name, (None, 0.0))
        if asked == spec and (not period or self.clock() < due):
            return
        self._due[name] = (spec, self.clock() + period)
        status = self._status(spec.get("classes") or ())
        before = dict(document.get("status") or {})
        before.pop("lastUpdated", None)
        if status != before:
            told = {**status, "lastUpdated": _rfc3339(self.clock())}
            path = f"/apis/{self.api}/caliconodestatuses/{name}"
            self.client.patch(path, {"status": {**{key: None for key in before if key not in told}, **told}})

    def _status(self, classes: Sequence[str]) -> Document:
        found: Document = {}
        if "Agent" in classes:
            found["agent"] = {"birdV4": {"state": "Ready", "version": "v0.3.3+birdv1.6.8"}}
        if "BGP" in classes:
            peers = [
                {"peerIP": address, "type": "NodePeer", "state": state, "since": since}
                for address, (state, since) in sorted(self.engine.sessions().items())
            ]
            up = sum(peer["state"] == "Established" for peer in peers)
            found["bgp"] = {
                "numberEstablishedV4": up,
                "numberNotEstablishedV4": len(peers) - up,
                "numberEstablishedV6": 0,
                "numberNotEstablishedV6": 0,
                **({"peersV4": peers} if peers else {}),
            }
        return found


def _within(block: str, cidr: str) -> bool:
    one, other = IPv4Network(block), IPv4Network(cidr)
    return one.subnet_of(other)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
