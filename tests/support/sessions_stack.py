"""A BGP stack that tells as little as one may: which sessions a node has, and whether they are up.

It counts no routes, has no heartbeat and no phase, says nothing of graceful restart, and keeps no record of a
leave; what its nodes should announce cannot be told from outside. A node leaves when its `SessionConfig` is
disabled, and its sessions are closed (Cease), with nothing withdrawn before. `Sessions` is its provider;
`Agent` is one node of it: a real gobgpd, and the thread that obeys the object and reports.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping
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
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.ports import NOTHING_KNOWN, Outlook

PATH = "/apis/example.test/v1/sessionconfigs"
LAG = 1.0  # seconds that its word may be old


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

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
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
    """What obeys the node's object, with its engine: twice a second what it asks for, and a report."""

    client: Client
    node: str
    engine: Gobgp
    prefixes: tuple[str, ...]
    _enabled: bool = False
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, directory: Path) -> Iterator[Agent]:
        thread = threading.Thread(target=self._obey, daemon=True)
        with self.engine.running(directory):
            try:
                thread.start()
                yield self
            finally:
                self._over.set()
                thread.join(10)

    def _obey(self) -> None:
        while not self._over.wait(0.1):
            with contextlib.suppress(subprocess.SubprocessError):  # it starts
                self._once()

    def _once(self) -> None:
        document = self.client.get(f"{PATH}/{self.node}")
        enabled = document["spec"]["enabled"] is True
        if enabled and not self._enabled:
            self.engine.announce("", self.prefixes)
            self.engine.open("")
        elif self._enabled and not enabled:
            self.engine.close("")
        self._enabled = enabled
        engine = self.engine
        told = [
            {
                "address": engine.router,
                "port": engine.port,
                "asn": engine.router_asn,
                "localASN": engine.asn,
                "local": engine.address,
                "up": engine.session("")[0] == "established",
            }
        ]
        if (document.get("status") or {}).get("sessions") != told:
            self.client.patch(f"{PATH}/{self.node}/status", {"status": {"sessions": told}})
