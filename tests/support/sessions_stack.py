"""A BGP stack that tells as little as one may: which sessions a node has, and whether they are up.

It counts no routes, has no heartbeat and no phase, says nothing of graceful restart, and keeps no record of a
leave; what its nodes should announce cannot be told from outside. A node leaves when its `SessionConfig` is
disabled, and its sessions are closed (Cease), with nothing withdrawn before. `Sessions` is its provider;
`Agent` is one node of it: a real gobgpd, and the thread that obeys the object and reports.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from bgpctl.core.drain.lever import Effect, Lever, Patch
from bgpctl.core.model import Session, SessionState
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import Blocked
from bgpctl.kube.client import Client
from bgpctl.lab.routers.process import end, spawn, write
from bgpctl.lab.routers.spec import Recipe
from bgpctl.ports import NOTHING_KNOWN, Outlook

PATH = "/apis/example.test/v1/sessionconfigs"
LAG = 1.0  # seconds that its word may be old
API_PORT = 50051
GOBGP_DOWN, GOBGP_ESTABLISHED = 1, 6


def crd() -> dict[str, Any]:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": free, "status": free}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "sessionconfigs.example.test"},
        "spec": {
            "group": "example.test",
            "scope": "Cluster",
            "names": {"kind": "SessionConfig", "plural": "sessionconfigs", "singular": "sessionconfig"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def config(node: str) -> dict[str, Any]:
    return {
        "apiVersion": "example.test/v1",
        "kind": "SessionConfig",
        "metadata": {"name": node},
        "spec": {"enabled": True},
    }


# --- the provider -------------------------------------------------------------------------------------------


class Sessions:
    """As `bgpctl.ports.Provider`."""

    name = "sessions"

    def __init__(self, client: Client) -> None:
        self._client = client

    def states(self) -> tuple[NodeState, ...] | None:
        return tuple(map(_read, self._client.items(PATH)))

    def state(self, node: str) -> NodeState | None:
        document = self._client.find(f"{PATH}/{node}")
        state = _read(document) if document else None
        if state is not None and state.unreadable:
            raise Blocked(f"the SessionConfig of {node} cannot be read: {state.unreadable}", "correct it")
        return state

    def outlook(self) -> Outlook:
        return Outlook({state.node: state for state in self.states() or ()})

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        path = f"{PATH}/{node['metadata']['name']}"
        document = self._client.find(path)
        enabled = document is not None and document["spec"].get("enabled") is True
        lever = Lever(effect=Effect.CLOSES, close=Close.CEASE, objects=(path,))
        if document is None:
            return replace(lever, objects=())
        if enabled:
            off = _switch(path, document, False, "disable its SessionConfig")
            return replace(lever, policies=(path,), patches=(off,), prior={"enabled": True})
        on = _switch(path, document, True, "enable its SessionConfig")
        return replace(lever, back=(on,) if prior.get("enabled") is True else ())

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        return ()


def _switch(path: str, document: Mapping[str, Any], on: bool, what: str) -> Patch:
    version = document["metadata"]["resourceVersion"]
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    return Patch(path, what, (test, {"op": "replace", "path": "/spec/enabled", "value": on}))


def _read(document: Mapping[str, Any]) -> NodeState:
    name = document["metadata"]["name"]
    try:
        sessions = Foreign.of(document.get("status") or {}).children("sessions")
        peers = tuple(map(_peer, sessions))
    except Unreadable as error:
        return NodeState(name, unreadable=error.message)
    return NodeState(name, phase="", intended=None, announced=None, peers=peers, lag=LAG)


def _peer(read: Foreign) -> PeerState:
    address = read.required("address")
    session = Session(
        address,
        SessionState.ESTABLISHED if read.flag("up") else SessionState.ACTIVE,
        local_address=ip_address(read.required("local")),
        gr_told=False,
        end_of_rib=None,
    )
    return PeerState(
        address,
        address,
        read.integer("port"),
        read.integer("asn"),
        read.integer("localASN"),
        session,
        configured_hold_time=9,
        configured_keepalive_time=3,
        configured_restart_time=10,
        intended=None,
        announced=None,
    )


# --- one node of it -----------------------------------------------------------------------------------------


@dataclass
class Agent:
    """gobgpd at `address` that speaks to the router at `router`:`port`, and what obeys the node's object."""

    client: Client
    node: str
    address: str
    asn: int
    router: str
    port: int
    router_asn: int
    prefixes: tuple[str, ...]
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, directory: Path) -> Iterator[Agent]:
        api = f"{self.address}:{API_PORT}"
        argv = ("gobgpd", "-f", "gobgpd.toml", "--api-hosts", api, "--pprof-disable")
        recipe = Recipe(argv, {"gobgpd.toml": self._config()}, "")
        write(recipe, directory)
        with (directory / "output.log").open("ab") as log:
            process = spawn(recipe, directory, log.fileno())
        thread = threading.Thread(target=self._obey, daemon=True)
        try:
            thread.start()
            yield self
        finally:
            self._over.set()
            thread.join(10)
            end(process)

    def _config(self) -> str:
        return f"""[global.config]
as = {self.asn}
router-id = "{self.address}"
port = -1
[[neighbors]]
[neighbors.config]
neighbor-address = "{self.router}"
peer-as = {self.router_asn}
[neighbors.transport.config]
local-address = "{self.address}"
remote-port = {self.port}
[neighbors.timers.config]
hold-time = 9
keepalive-interval = 3
connect-retry = 1
idle-hold-time-after-reset = 1
[neighbors.graceful-restart.config]
enabled = true
restart-time = 10
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv4-unicast"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
"""

    def _obey(self) -> None:
        """Twice a second: what the object asks for, and a report."""
        began = False
        while not self._over.wait(0.1):
            try:
                if not began:
                    for prefix in self.prefixes:
                        self._gobgp("global", "rib", "add", prefix, "nexthop", "10.9.9.9")
                    began = True
                self._once()
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                continue  # it starts

    def _once(self) -> None:
        document = self.client.get(f"{PATH}/{self.node}")
        (neighbor,) = json.loads(self._gobgp("neighbor", "-j"))
        down = neighbor["state"].get("admin_state") == GOBGP_DOWN
        enabled = document["spec"]["enabled"] is True
        if enabled is down:
            self._gobgp("neighbor", self.router, "enable" if enabled else "disable")
        up = neighbor["state"].get("session_state", neighbor["state"].get("session-state")) in (
            6,
            "established",
        )
        told = [
            {
                "address": self.router,
                "port": self.port,
                "asn": self.router_asn,
                "localASN": self.asn,
                "local": self.address,
                "up": up,
            }
        ]
        if (document.get("status") or {}).get("sessions") != told:
            self.client.patch(f"{PATH}/{self.node}/status", {"status": {"sessions": told}})

    def _gobgp(self, *words: str) -> str:
        command = ("gobgp", "-u", self.address, "-p", str(API_PORT), *words)
        return subprocess.run(command, check=True, timeout=5, capture_output=True, text=True).stdout
