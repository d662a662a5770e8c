"""Cilium's agent of one node as it was measured on its own code (1.16 to 1.19).

It obeys the CiliumBGPNodeConfig of its node as it stands: it opens and closes sessions, resets one whose
settings change, keeps one whose advertisements change, copies the Node's labels to its CiliumNode, and
reports late: only what changed, one route too many per family with graceful restart, and nothing any more of
peers that were taken away ("established" sticks). One round of work per `once`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bgpctl.core.bgp.communities import WELL_KNOWN
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.cilium.documents import ADVERTISEMENTS, NODE_CONFIGS, PEER_CONFIGS
from bgpctl.lab.stacks.engine import Engine
from bgpctl.lab.stacks.spec import Document

Sent = tuple[tuple[str, ...], tuple[str, ...]]
"""Prefixes, and the communities of all of them."""
NOTHING: Sent = (), ()
Wanted = dict[str, tuple[str, Sent]]
"""Of each peer that gets a session: what resets it when it changes, and what it is sent."""


@dataclass
class Agent:
    """`prefixes`: what its CiliumBGPAdvertisements choose now, for peers that refer to any. `reports` False:
    as 1.16, or without status report. `late`: it learns of CiliumBGPPeerConfigs only after it has acted on
    its CiliumBGPNodeConfig, as 2 of 18 did. `cadence`: seconds between two reports.
    `timers`: hold time and keepalive interval of its engine; the routers of a lab want no less.
    `obeys` False: it hangs with its sessions up, in all but what copies labels."""

    client: Client
    node: str
    engine: Engine
    prefixes: Callable[[], Sequence[str]]
    reports: bool = True
    late: bool = False
    cadence: float = 5.0
    obeys: bool = True
    timers: tuple[int, int] = (9, 3)
    clock: Callable[[], float] = time.time
    _configs: dict[str, Document] = field(default_factory=dict)
    _advertised: list[Document] = field(default_factory=list)
    _running: Wanted = field(default_factory=dict)
    _reported_at: float = 0.0
    _status: list[Document] | None = None

    @property
    def peers(self) -> dict[str, tuple[str, int, int]]:
        """Those that it has sessions with, or tries to: address, their ASN, and its own towards them."""
        found = {}
        for key, (settings, _) in list(self._running.items()):
            identity, address, asn, _ = json.loads(str(settings))
            found[key] = (address, asn, identity[0])
        return found

    def once(self) -> None:
        self._copy_labels()
        if not self.obeys:
            return
        if not self.late:
            self._learn()
        document = self.client.find(f"{NODE_CONFIGS}/{self.node}")
        self._obey(self._wanted(document))
        self._learn()
        if document is not None and self.reports and self.clock() >= self._reported_at + self.cadence:
            self._report(document)

    def _copy_labels(self) -> None:
        path = f"{paths.CILIUM_NODES}/{self.node}"
        node, mine = self.client.find(paths.node(self.node)), self.client.find(path)
        if node and mine and labels_of(node) != labels_of(mine):
            gone = {key: None for key in labels_of(mine) if key not in labels_of(node)}
            self.client.patch(path, {"metadata": {"labels": {**gone, **labels_of(node)}}})

    def _learn(self) -> None:
        self._configs = {name_of(document): document for document in self.client.items(PEER_CONFIGS)}
        self._advertised = list(self.client.items(ADVERTISEMENTS))

    def _wanted(self, document: Document | None) -> Wanted:
        found: Wanted = {}
        chosen = tuple(self.prefixes())
        for one in document["spec"]["bgpInstances"] if document else ():
            identity = [one["localASN"], one.get("routerID"), one.get("localPort")]
            for item in one.get("peers") or ():
                config = self._configs.get(item["peerConfigRef"]["name"])
                if config is None:
                    continue  # a dangling reference: the peer is skipped
                spec = json.loads(json.dumps(config["spec"]))
                selectors = [f.pop("advertisements", None) for f in spec.get("families") or ()]
                sends = self._sends([one for one in selectors if one is not None])
                settings = json.dumps([identity, item["peerAddress"], item["peerASN"], spec], sort_keys=True)
                found[f"{one['name']}/{item['name']}"] = (
                    settings,
                    (chosen, sends) if sends is not None else NOTHING,
                )
        return found

    def _sends(self, selectors: Sequence[Document]) -> tuple[str, ...] | None:
        """The communities of what is chosen; None = nothing is. Without any CiliumBGPAdvertisement in the lab
        each selector chooses all that there is."""
        if not self._advertised:
            return () if selectors else None
        labels = [(one, labels_of(one)) for one in self._advertised]
        chosen = [one for one, has in labels if any(_chooses(each, has) for each in selectors)]
        rows = [row for one in chosen for row in one["spec"]["advertisements"]]
        told = [(row.get("attributes") or {}).get("communities") or {} for row in rows]
        named = {WELL_KNOWN.get(name, name) for each in told for name in each.get("wellKnown") or ()}
        return tuple(sorted(named)) if chosen else None

    def _obey(self, wanted: Wanted) -> None:
        for key, (settings, _) in list(self._running.items()):
            if key not in wanted or wanted[key][0] != settings:
                self.engine.close(key)
                del self._running[key]
        for key, (settings, sends) in wanted.items():
            if key not in self._running:
                self.engine.open(key)
                self._running[key] = (settings, NOTHING)
            if self._running[key][1] != sends:
                self.engine.announce(key, *sends)
                self._running[key] = (settings, sends)

    def _report(self, document: Document) -> None:
        """Every few seconds, when it changed. Of a spec without peers it says nothing new."""
        self._reported_at = self.clock()
        instances = document["spec"]["bgpInstances"]
        if not any(one.get("peers") for one in instances):
            return
        told = [
            {
                "name": one["name"],
                "localASN": one["localASN"],
                "peers": [self._peer(one["name"], item) for item in one.get("peers") or ()],
            }
            for one in instances
        ]
        if told != self._status:
            self.client.patch(f"{NODE_CONFIGS}/{self.node}/status", {"status": {"bgpInstances": told}})
            self._status = told

    def _peer(self, instance: str, item: Document) -> Document:
        key = f"{instance}/{item['name']}"
        state, since = self.engine.session(key)
        spec = self._configs.get(item["peerConfigRef"]["name"], {"spec": {}})["spec"]
        more = 1 if (spec.get("gracefulRestart") or {}).get("enabled") else 0
        up = state == "established"
        counts = [
            {
                "afi": "ipv4",
                "safi": "unicast",
                "received": 0,
                "advertised": self.engine.advertised(key) + more,
            }
        ]
        hold, keepalive = self.timers
        timers = {"appliedHoldTimeSeconds": hold, "appliedKeepaliveSeconds": keepalive}
        return {
            "name": item["name"],
            "peerAddress": item["peerAddress"],
            "peerASN": item["peerASN"],
            "peeringState": state,
            **({"timers": timers, "establishedTime": _rfc3339(since), "routeCount": counts} if up else {}),
        }


def _chooses(selector: Document, labels: Mapping[str, str]) -> bool:
    """By matchLabels alone, which is all that the lab's have."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items())


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
