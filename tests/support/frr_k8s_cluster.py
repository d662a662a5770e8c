"""A cluster whose BGP frr-k8s runs, on the embedded API: two nodes, two routers, frr-k8s on both, and of FRR
a recorder that takes in each configuration as FRR's reload does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.drain.lever import Change, Create, Delete, Lever, Patch
from bgpctl.kube import paths
from bgpctl.lab.stacks.frr_k8s.daemon import FrrK8s
from bgpctl.lab.stacks.frr_k8s.documents import (
    NAMESPACE,
    VERSION,
    configuration,
    crds,
    daemonset,
    namespace,
    neighbor,
)
from bgpctl.providers.frr_k8s import FrrK8s as Provider
from tests.support import direct, objects
from tests.support.kinds import KINDS

NODE, OTHER = "n1", "n2"
ADDRESSES = {NODE: "10.0.0.1", OTHER: "10.0.0.2"}
ROUTERS = ("192.0.2.1", "192.0.2.2")
PREFIXES = ["203.0.113.1/32", "203.0.113.2/32"]
OWN, ROUTER_ASN = 65001, 65000
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
BASE = f"/apis/{VERSION}/namespaces/{NAMESPACE}/frrconfigurations"
WITHDREW = [("withdraw", router) for router in ROUTERS]
ANNOUNCED = [("announce", router) for router in ROUTERS]

_NEIGHBOR = re.compile(r"^ +neighbor (\S+) (.*)$", re.MULTILINE)
_LIST = re.compile(r"^ip prefix-list (\S+) seq \d+ (permit|deny) (\S+)$", re.MULTILINE)


@dataclass
class Recorder:
    """What each configuration does to the sessions, by the router's address; they come up at once."""

    head: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)
    sessions: dict[str, list[str]] = field(default_factory=dict)  # what makes them what they are
    silent: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    text: str = ""

    def reload(self, text: str) -> str:
        self.text = text
        wanted: dict[str, list[str]] = {}
        filtered, failed = set(), []
        denying = {name for name, action, what in _LIST.findall(text) if (action, what) == ("deny", "any")}
        for address, rest in _NEIGHBOR.findall(text):
            if rest.startswith("remote-as"):
                wanted[address] = [rest]
            elif address not in wanted:
                failed.append("% Specify remote-as or peer-group commands first")
            elif rest.startswith("prefix-list ") and rest.split()[1] in denying:
                filtered.add(address)
            elif not rest.startswith(("activate", "route-map")):
                wanted[address].append(rest)
        for router in {*self.sessions} - {*wanted}:
            self.told.append(("close", router))
        for router, settings in wanted.items():
            before = self.sessions.get(router)
            if before != settings:
                self.told.append(("reset" if before else "open", router))
            elif (router in filtered) != (router in self.silent):
                self.told.append(("withdraw" if router in filtered else "announce", router))
        self.sessions, self.silent = wanted, filtered
        return "\n".join(failed)

    def up(self, router: str) -> bool:
        return router in self.sessions and router not in self.down

    def sent(self, router: str) -> list[str]:
        """What it has sent on a session that is up."""
        if router in self.silent or not self.up(router):
            return []
        return [
            what
            for name, action, what in _LIST.findall(self.text)
            if name == f"{router}-allowed-ipv4" and action == "permit"
        ]

    def running(self) -> str:
        """Lines that it did not take in are not there."""
        return "\n".join(
            line
            for line in self.text.splitlines()
            if not (match := _NEIGHBOR.match(line)) or match[1] in self.sessions
        )

    def said(self, command: str) -> str:
        assert command in ("show bgp neighbors json", "show bgp vrf all neighbors json"), command
        views = {
            router: {
                "bgpState": "Active" if router in self.down else "Established",
                "bgpTimerUpMsec": 3_600_000,
                "bgpTimerHoldTimeMsecs": 9000,
                "bgpTimerKeepAliveIntervalMsecs": 3000,
                "hostLocal": ADDRESSES[NODE],
                "addressFamilyInfo": {"ipv4Unicast": {"sentPrefixCounter": len(self.sent(router))}},
            }
            for router in self.sessions
        }
        whole = {"default": {"vrfId": 0, "vrfName": "default", **views}} if "vrf all" in command else views
        return json.dumps(whole)


def about(node: str) -> dict[str, Any]:
    """What gives a node its routers, as MetalLB's speaker writes it."""
    timers = {"holdTime": "9s", "keepaliveTime": "3s"}
    peers = [neighbor(router, ROUTER_ASN, PREFIXES, **timers) for router in ROUTERS]
    return configuration(f"metallb-{node}", node, {"asn": OWN, "prefixes": PREFIXES, "neighbors": peers})


class Cluster:
    """`round`: everybody has seen everything, and reported. `asked`: FRR can be asked by exec."""

    def __init__(self, *, asked: bool = False) -> None:
        self.api = direct.Api()
        server = self.api.server
        server.apply(*KINDS, *crds(), namespace())
        for name, address in ADDRESSES.items():
            told = {**READY, "addresses": [{"type": "InternalIP", "address": address}]}
            server.apply(objects.node(name, labels={"kubernetes.io/hostname": name}, status=told))
            server.apply(about(name))
        self.wire = direct.Wire(self.api)
        self.client = self.wire.client()
        own = direct.Wire(self.api).client()
        self.engines = {name: Recorder() for name in ADDRESSES}
        self.daemons = [
            FrrK8s(own, name, engine, ADDRESSES[name], clock=self.api.time)
            for name, engine in self.engines.items()
        ]
        if asked:
            server.apply(daemonset())
        self.provider = Provider(self.client)
        self.round()

    def tick(self) -> None:
        """One round of each daemon, at this moment."""
        for daemon in self.daemons:
            daemon.once()

    def round(self) -> None:
        for _ in range(4):
            self.tick()
            self.api.time.move(45)
        self.tick()

    def lever(self, prior: Mapping[str, Any] | None = None, override: str | None = None) -> Lever:
        return self.provider.lever(self.client.get(paths.node(NODE)), prior or {}, override)

    def pull(self, *changes: Change) -> None:
        for change in changes:
            match change:
                case Patch():
                    self.client.patch(change.path, list(change.operations), "json")
                case Create():
                    self.client.create(change.path.rpartition("/")[0], dict(change.body))
                case Delete():
                    preconditions = {"uid": change.uid, "resourceVersion": change.version}
                    self.client.delete(change.path, {"preconditions": preconditions})

    def change(self, name: str, **spec: Any) -> None:
        self.client.patch(f"{BASE}/{name}", {"spec": spec})

    def told(self, node: str = NODE) -> list[tuple[str, str]]:
        """What happened to its sessions since the last time."""
        engine = self.engines[node]
        told, engine.told = engine.told, []
        return told

    def objects(self) -> dict[str, Any]:
        """Everything that a drain touches, without what only the API server counts."""
        found = {}
        for base in (paths.NODES, BASE):
            for one in self.client.items(base):
                kept = {k: v for k, v in one["metadata"].items() if v and k in ("labels", "annotations")}
                found[f"{base}/{one['metadata']['name']}"] = (kept, one.get("spec"))
        return found
