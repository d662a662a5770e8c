"""A cluster whose BGP Cilium runs, on the embedded API: two nodes, two routers, and Cilium's controllers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.cilium import copies
from bgpctl.core.drain.lever import Lever, Patch
from bgpctl.kube import paths
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.cilium.documents import (
    CLUSTER_CONFIGS,
    NODE_CONFIGS,
    PEER_CONFIGS,
    cilium_node,
    cluster_config,
    crd,
    peer,
    peer_config,
)
from bgpctl.lab.stacks.cilium.operator import Operator
from bgpctl.providers import cilium_copies
from bgpctl.providers.cilium import Cilium
from tests.support import direct, objects
from tests.support.kinds import KINDS

NODE, OTHER = "n1", "n2"
PEERS = ("main/tor1", "main/tor2")
PREFIXES = ("203.0.113.1/32", "10.20.1.0/24")
SELECTED = {"enable-bgp": "true"}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@dataclass
class Recorder:
    """An engine whose sessions come up at once, and what it was told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    up: dict[str, tuple[float, int]] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def open(self, key: str) -> None:
        self.told.append(("open", key))
        self.up[key] = (self.clock(), 0)

    def close(self, key: str) -> None:
        self.told.append(("close", key))
        self.up.pop(key, None)

    def announce(self, key: str, prefixes: Sequence[str], communities: Sequence[str] = ()) -> None:
        verb = "soak" if communities else "announce" if prefixes else "withdraw"
        self.told.append((verb, key))
        self.up[key] = (self.up[key][0], len(prefixes))

    def session(self, key: str) -> tuple[str, float]:
        return ("established", self.up[key][0]) if key in self.up else ("idle", 0.0)

    def advertised(self, key: str) -> int:
        return self.up[key][1] if key in self.up else 0


class Cluster:
    """Two nodes, two routers, and Cilium on both. `round`: everybody has seen everything, and reported."""

    def __init__(self, restart: int | None = 120, **agent: Any) -> None:
        self.api = direct.Api()
        self.api.server.apply(*KINDS, crd())
        self.api.server.apply(
            *(objects.node(name, labels=SELECTED, status=READY) for name in (NODE, OTHER)),
            *(cilium_node(name, SELECTED) for name in (NODE, OTHER)),
            peer_config("pc1", restart=restart),
            peer_config("pc2", restart=restart, ebgpMultihop=2),
            cluster_config(
                "cc", peer("tor1", "192.0.2.1", "pc1"), peer("tor2", "192.0.2.2", "pc2"), selector=SELECTED
            ),
        )
        self.wire = direct.Wire(self.api)
        self.client = self.wire.client()
        own = direct.Wire(self.api).client()
        self.operator = Operator(own)
        self.engines = {name: Recorder(clock=self.api.time) for name in (NODE, OTHER)}
        self.agents = [
            Agent(own, name, engine, lambda: PREFIXES, clock=self.api.time, **agent)
            for name, engine in self.engines.items()
        ]
        self.provider = Cilium(self.client)
        self.round()

    def tick(self) -> None:
        """One round of each agent, at this moment."""
        for agent in self.agents:
            agent.once()

    def round(self) -> None:
        self.tick()
        self.operator.once()
        self.api.time.move(10)
        self.tick()

    def prepare(self, wait: float = copies.SETTLE_SECONDS, *, soak: bool = False) -> None:
        cilium_copies.perform(self.client, cilium_copies.prepared(self.client, soak=soak))
        self.round()
        self.api.time.move(wait)

    def lever(self, prior: Mapping[str, Any] | None = None) -> Lever:
        return self.provider.lever(self.client.get(paths.node(NODE)), prior or {})

    def pull(self, *patches: Patch) -> None:
        for patch in patches:
            self.client.patch(patch.path, list(patch.operations), "json")

    def config(self, node: str = NODE) -> dict[str, Any]:
        return self.client.get(f"{NODE_CONFIGS}/{node}")

    def told(self, node: str = NODE) -> list[tuple[str, str]]:
        """What the engine was told since the last time."""
        engine = self.engines[node]
        told, engine.told = engine.told, []
        return told

    def objects(self) -> dict[str, Any]:
        """Everything that a drain touches, without what only the API server counts."""
        found = {}
        for base in (NODE_CONFIGS, PEER_CONFIGS, CLUSTER_CONFIGS, paths.NODES):
            for one in self.client.items(base):
                metadata = {
                    k: v
                    for k, v in one["metadata"].items()
                    if v and k in ("labels", "annotations", "ownerReferences")
                }
                found[f"{base}/{one['metadata']['name']}"] = (metadata, one.get("spec"))
        return found


WITHDREW = [("withdraw", key) for key in PEERS]
CLOSED = [("close", key) for key in PEERS]
