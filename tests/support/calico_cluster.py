"""A cluster whose BGP Calico runs, on the embedded API: two nodes, two routers, and calico-node on both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.drain.lever import Lever, Patch
from bgpctl.kube import paths
from bgpctl.lab.stacks.calico.documents import PLURALS, V3, configuration, crds, notes, peer, pool
from bgpctl.lab.stacks.calico.node import CalicoNode
from bgpctl.providers import calico_prepare
from bgpctl.providers.calico import Calico
from tests.support import direct, objects
from tests.support.kinds import KINDS

NODE, OTHER = "n1", "n2"
ADDRESSES = {NODE: "10.0.0.1", OTHER: "10.0.0.2"}
ROUTERS = ("192.0.2.1", "192.0.2.2")
SERVICES, BLOCKS = ("203.0.113.1/32",), ("10.20.1.0/24",)
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
WITHDREW = [("withdraw", router) for router in ROUTERS]
ANNOUNCED = [("announce", router) for router in ROUTERS]

_PROTOCOL = re.compile(r"^protocol bgp \S+ \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_RULES = re.compile(r"(?<=export filter \{\n)(.*?)(?=^ +if leaves_calico)", re.MULTILINE | re.DOTALL)


@dataclass
class Recorder:
    """What each configuration does to the sessions, by the router's address; they come up at once."""

    told: list[tuple[str, str]] = field(default_factory=list)
    running: dict[str, tuple[str, bool]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    exported: tuple[str, ...] = ()

    def configure(self, text: str) -> None:
        wanted = {}
        for found in _PROTOCOL.finditer(text):
            router = re.search(r"neighbor (\S+)", found[1])
            rules = _RULES.search(found[1])
            assert router and rules
            wanted[router[1]] = (_RULES.sub("", found[1]), "reject;" not in rules[1])
        for router in {*self.running} - {*wanted}:
            self.told.append(("close", router))
        for router, (settings, sends) in wanted.items():
            before = self.running.get(router)
            if before is None or before[0] != settings:
                self.told.append(("reset" if before else "open", router))
            elif before[1] != sends:
                self.told.append(("announce" if sends else "withdraw", router))
        self.running = wanted
        self.exported = tuple(re.findall(r"if net = (\S+) then return true", text))

    def up(self, router: str) -> bool:
        return router in self.running and router not in self.down

    def sent(self, router: str) -> tuple[str, ...]:
        """What it has sent on a session that is up."""
        return self.exported if self.up(router) and self.running[router][1] else ()

    def sessions(self) -> dict[str, tuple[str, str]]:
        return {r: ("Active" if r in self.down else "Established", "12:00:00") for r in self.running}


class Cluster:
    """`split`: each node has BGPPeers of its own. `hidden`: its IPPool is not announced. `round`: everybody
    has seen everything, and reported."""

    def __init__(
        self, *, split: bool = True, hidden: bool = False, api: str = V3, mesh: bool = False
    ) -> None:
        self.api, self.group = direct.Api(), api
        server = self.api.server
        server.apply(*KINDS, *crds(api), configuration(mesh=mesh, api=api))
        server.apply(pool("pods", "10.20.0.0/16", api=api, disableBGPExport=hidden))
        for name, address in ADDRESSES.items():
            labels = {"kubernetes.io/hostname": name, "bgp": "yes"}
            made = objects.node(name, labels=labels, annotations=notes(address, 65001), status=READY)
            server.apply(made)
        for number, router in enumerate(ROUTERS, 1):
            if not split:
                server.apply(peer(f"tor{number}", router, api=api, nodeSelector="bgp == 'yes'"))
                continue
            server.apply(peer(f"tor{number}-n1", router, api=api, node=NODE, filters=["own"]))
            here = f"kubernetes.io/hostname == '{OTHER}'"
            server.apply(peer(f"tor{number}-n2", router, api=api, nodeSelector=here))
        self.wire = direct.Wire(self.api)
        self.client = self.wire.client()
        own = direct.Wire(self.api).client()
        self.engines = {name: Recorder() for name in ADDRESSES}
        self.agents = [
            CalicoNode(own, name, engine, lambda: (SERVICES, BLOCKS), api=api, clock=self.api.time)
            for name, engine in self.engines.items()
        ]
        self.provider = Calico(self.client)
        self.round()

    def tick(self) -> None:
        """One round of each agent, at this moment."""
        for agent in self.agents:
            agent.once()

    def round(self) -> None:
        self.tick()
        self.api.time.move(20)
        self.tick()

    def prepare(self) -> None:
        calico_prepare.perform(self.client, calico_prepare.prepared(self.client))
        self.round()

    def undo(self) -> None:
        calico_prepare.perform(self.client, calico_prepare.undone(self.client))

    def lever(self, prior: Mapping[str, Any] | None = None, override: str | None = None) -> Lever:
        return self.provider.lever(self.client.get(paths.node(NODE)), prior or {}, override)

    def pull(self, *patches: Patch) -> None:
        for patch in patches:
            self.client.patch(patch.path, list(patch.operations), "json")

    def path(self, kind: str, name: str) -> str:
        return f"/apis/{self.group}/{PLURALS[kind]}/{name}"

    def change(self, kind: str, name: str, **spec: Any) -> None:
        self.client.patch(self.path(kind, name), {"spec": spec})

    def told(self, node: str = NODE) -> list[tuple[str, str]]:
        """What happened to its sessions since the last time."""
        engine = self.engines[node]
        told, engine.told = engine.told, []
        return told

    def objects(self) -> dict[str, Any]:
        """Everything that a drain touches, without what only the API server counts."""
        found = {}
        for base in (paths.NODES, *(f"/apis/{self.group}/{plural}" for plural in PLURALS.values())):
            for one in self.client.items(base):
                kept = {k: v for k, v in one["metadata"].items() if v and k in ("labels", "annotations")}
                found[f"{base}/{one['metadata']['name']}"] = (kept, one.get("spec"))
        return found
