"""Cilium's BGP control plane as it was measured on its own code (1.16 to 1.19), in two small controllers.

`Operator` makes, reverts and deletes CiliumBGPNodeConfigs: it acts on those that a CiliumBGPClusterConfig
owns and skips any other (its conflict detection). `Agent` obeys the one of its node as it stands: it opens
and closes sessions, resets one whose settings change, keeps one whose advertisements change, copies the
Node's labels to its CiliumNode, and reports late: only what changed, one route too many per family with
graceful restart, and nothing any more of peers that were taken away ("established" sticks).

Each does one round of work per `once`, on the objects as they are; what speaks BGP is an `Engine`: `Recorder`
notes what it was told, `gobgp_engine.Gobgp` is a real gobgpd.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import Client, NotFound
from bgpctl.providers.policies import selectors
from tests.support.cilium_documents import API

Document = dict[str, Any]

NODE_CONFIGS, CLUSTER_CONFIGS, PEER_CONFIGS = (
    versions[0] for versions in (paths.NODE_CONFIGS, paths.CLUSTER_CONFIGS, paths.PEER_CONFIGS)
)


# --- the operator -------------------------------------------------------------------------------------------


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


# --- the agent ----------------------------------------------------------------------------------------------


class Engine(Protocol):
    """What speaks BGP for one node. A peer is named INSTANCE/PEER."""

    def open(self, key: str) -> None: ...
    def close(self, key: str) -> None: ...
    def announce(self, key: str, prefixes: Sequence[str]) -> None: ...
    def session(self, key: str) -> tuple[str, float]:
        """Its state as Cilium spells it, and since when it is established, in epoch seconds."""
        ...

    def advertised(self, key: str) -> int: ...


@dataclass
class Recorder:
    """Sessions that come up at once."""

    told: list[tuple[str, str]] = field(default_factory=list)
    up: dict[str, tuple[float, int]] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def open(self, key: str) -> None:
        self.told.append(("open", key))
        self.up[key] = (self.clock(), 0)

    def close(self, key: str) -> None:
        self.told.append(("close", key))
        self.up.pop(key, None)

    def announce(self, key: str, prefixes: Sequence[str]) -> None:
        self.told.append(("announce" if prefixes else "withdraw", key))
        self.up[key] = (self.up[key][0], len(prefixes))

    def session(self, key: str) -> tuple[str, float]:
        return ("established", self.up[key][0]) if key in self.up else ("idle", 0.0)

    def advertised(self, key: str) -> int:
        return self.up[key][1] if key in self.up else 0


@dataclass
class Agent:
    """`reports` False: as 1.16, or without status report. `late`: it learns of CiliumBGPPeerConfigs only
    after it has acted on its CiliumBGPNodeConfig, as 2 of 18 did. `cadence`: seconds between two reports."""

    client: Client
    node: str
    engine: Engine
    prefixes: Sequence[str]
    reports: bool = True
    late: bool = False
    cadence: float = 5.0
    clock: Callable[[], float] = time.time
    _configs: dict[str, Document] = field(default_factory=dict)
    _running: dict[str, tuple[object, bool]] = field(default_factory=dict)
    _reported_at: float = 0.0
    _status: Document | None = None

    def once(self) -> None:
        self._copy_labels()
        if not self.late:
            self._learn()
        document = self.client.find(f"{NODE_CONFIGS}/{self.node}")
        self._obey(document)
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

    def _wanted(self, document: Document | None) -> dict[str, tuple[object, bool]]:
        """Of each peer that gets a session: what resets it when it changes, and whether it is sent routes."""
        found = {}
        for one in document["spec"]["bgpInstances"] if document else ():
            identity = [one["localASN"], one.get("routerID"), one.get("localPort")]
            for item in one.get("peers") or ():
                config = self._configs.get(item["peerConfigRef"]["name"])
                if config is None:
                    continue  # a dangling reference: the peer is skipped
                spec = json.loads(json.dumps(config["spec"]))
                sends = [f.pop("advertisements", None) is not None for f in spec.get("families") or ()]
                settings = json.dumps([identity, item["peerAddress"], item["peerASN"], spec], sort_keys=True)
                found[f"{one['name']}/{item['name']}"] = (settings, any(sends))
        return found

    def _obey(self, document: Document | None) -> None:
        wanted = self._wanted(document)
        for key, (settings, _) in list(self._running.items()):
            if key not in wanted or wanted[key][0] != settings:
                self.engine.close(key)
                del self._running[key]
        for key, (settings, sends) in wanted.items():
            if key not in self._running:
                self.engine.open(key)
                self._running[key] = (settings, False)
            if self._running[key][1] != sends:
                self.engine.announce(key, self.prefixes if sends else ())
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
            self._status = told  # type: ignore[assignment]

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
        timers = {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3}
        return {
            "name": item["name"],
            "peerAddress": item["peerAddress"],
            "peerASN": item["peerASN"],
            "peeringState": state,
            **({"timers": timers, "establishedTime": _rfc3339(since), "routeCount": counts} if up else {}),
        }


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def at_work(*parts: Operator | Agent) -> Iterator[None]:
    """Each does its rounds in a thread of its own, four times a second."""
    over = threading.Event()

    def rounds(part: Operator | Agent) -> None:
        while not over.wait(0.25):
            try:
                part.once()
            except (BgpctlError, subprocess.SubprocessError, NotFound):
                continue  # somebody was faster; gobgpd starts

    threads = [threading.Thread(target=rounds, args=(part,), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
