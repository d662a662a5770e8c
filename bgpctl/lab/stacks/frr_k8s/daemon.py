"""frr-k8s on one node, as its source has it: what it renders for FRR from the FRRConfigurations of its
namespace, when it reloads FRR, and what it tells of it. One round of work per `once`, on the objects as they
are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.frr_k8s.documents import NAMESPACE, VERSION
from bgpctl.lab.stacks.frr_k8s.frrconf import merged, render

Document = dict[str, Any]


class Engine(Protocol):
    """What speaks BGP: `bgpd.Bgpd`, or a recorder."""

    @property
    def head(self) -> str: ...
    def reload(self, text: str) -> str: ...
    def running(self) -> str: ...
    def said(self, command: str) -> str: ...


@dataclass
class FrrK8s:
    """`debounce`: it reloads FRR so many seconds after a change. `state_every`: how often it looks what
    became of that; `sessions_every`: how often its other container looks at the sessions, if the first has
    written nothing. `address`: the node's, for a router ID."""

    client: Client
    node: str
    engine: Engine
    address: str
    debounce: float = 3.0
    state_every: float = 30.0
    sessions_every: float = 120.0
    namespace: str = NAMESPACE
    clock: Callable[[], float] = time.monotonic
    _wanted: str | None = None
    _reload_at: float | None = None
    _conversion: str = "success"
    _done: tuple[str, str] | None = None  # the running configuration, and how the last reload ended
    _status: tuple[str, str] = ("", "success")  # the same as it was last looked at
    _due: dict[str, float] = field(default_factory=dict)

    def once(self) -> None:
        node = self.client.find(paths.node(self.node))
        if node is None:
            return
        self._convert(labels_of(node))
        self._reload()
        if self._report():
            self._due["sessions"] = 0.0
        if self.clock() >= self._due.get("sessions", 0.0):
            self._tell_sessions()
            self._due["sessions"] = self.clock() + self.sessions_every

    def _all(self, plural: str, **query: str) -> list[Document]:
        return self.client.items(f"/apis/{VERSION}/namespaces/{self.namespace}/{plural}", **query)

    def _convert(self, labels: Mapping[str, str]) -> None:
        """A failure keeps what was there before, and is told at once."""
        before = self._conversion
        try:
            mine = [one for one in self._all("frrconfigurations") if selects(one, labels)]
            text = render(merged(mine), self.engine.head, self.address)
            self._conversion = "success"
        except (ValueError, KeyError, TypeError) as error:
            self._conversion, text = f"failed: {error}", self._wanted or ""
        if self._conversion != before:
            self._due["state"] = min(self._due.get("state", 0.0), self.clock())
        if text != self._wanted:
            self._wanted = text
            if self._reload_at is None:
                self._reload_at = self.clock() + self.debounce

    def _reload(self) -> None:
        if self._reload_at is not None and self.clock() >= self._reload_at:
            told = self.engine.reload(self._wanted or "")
            self._reload_at = None
            self._done = (self.engine.running(), told or "success")

    def _report(self) -> bool:
        """Looks at its time, and writes on change only. What failed is tried again."""
        if self.clock() < self._due.get("state", 0.0):
            return False
        self._due["state"] = self.clock() + self.state_every
        if self._done is not None and self._done != self._status:
            self._status = self._done
        if self._status[1] != "success" and self._reload_at is None:
            self._reload_at = self.clock() + self.debounce
        running, reload = self._status
        status = {
            "runningConfig": running,
            "lastConversionResult": self._conversion,
            "lastReloadResult": reload,
        }
        path = f"/apis/{VERSION}/frrnodestates"
        there = self.client.find(f"{path}/{self.node}")
        if there is None:
            body = {"apiVersion": VERSION, "kind": "FRRNodeState", "metadata": {"name": self.node}}
            there = self.client.create(path, body)
        if there.get("status") == status:
            return False
        self.client.patch(f"{path}/{self.node}", {"status": status})
        return True

    def _tell_sessions(self) -> None:
        there = {name_of(one): one for one in self._all("bgpsessionstates", labelSelector=_label(self.node))}
        wanted = {_name(self.node, peer): (peer, state) for peer, state in self._sessions().items()}
        base = f"/apis/{VERSION}/namespaces/{self.namespace}/bgpsessionstates"
        for name in {*there} - {*wanted}:
            self.client.delete(f"{base}/{name}")
        for name, (peer, state) in wanted.items():
            status = {"node": self.node, "peer": peer, "vrf": "", "bgpStatus": state, "bfdStatus": "N/A"}
            if name not in there:
                labels = {"frrk8s.metallb.io/node": self.node, "frrk8s.metallb.io/peer": peer}
                about = {"name": name, "namespace": self.namespace, "labels": labels}
                body = {"apiVersion": VERSION, "kind": "BGPSessionState", "metadata": about, "status": status}
                self.client.create(base, body)
            elif there[name].get("status") != status:
                self.client.patch(f"{base}/{name}", {"status": status})

    def _sessions(self) -> Mapping[str, str]:
        found = json.loads(self.engine.said("show bgp neighbors json") or "{}")
        views = {name: one for name, one in found.items() if isinstance(one, dict)}
        return {name.replace(":", "-"): str(one.get("bgpState")) for name, one in views.items()}


def selects(document: Document, labels: Mapping[str, str]) -> bool:
    """By matchLabels and matchExpressions. Raises ValueError for an operator that is none."""
    selector = (document.get("spec") or {}).get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(one: Document, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(one["key"]), one.get("values") or ()
    match one["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"could not parse nodeSelector: {one['operator']!r} is not a valid operator")


def _label(node: str) -> str:
    return f"frrk8s.metallb.io/node={node}"


def _name(node: str, peer: str) -> str:
    return f"{node}-{peer.replace('.', '-')}"
