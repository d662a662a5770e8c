"""A drill's network: two nodes behind one router that forwards, and a client at its other end.

    client ── router ──┬── switch ── worker-1     to which it happens
                       └── worker-2               which goes on

The router's own cable ends at the switch: where that breaks, the router sees it; what breaks behind the
switch it does not. Every node answers at the addresses that it announces. Speakers read their objects from a
file, so there is no API server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION
from bgpctl.core.timing.drills import Setting
from bgpctl.core.timing.failures import RouteClass
from bgpctl.lab import seed
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.stacks.speakers import Speaker
from bgpctl.lab.traffic import forwarding, requests
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.lab.waiting import until

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts

NODE, OTHER = seed.node_names(2)
PORT = 1790
UP_SECONDS = 60.0
RETRY_SECONDS = 1
ADDRESSES = {
    RouteClass.CLUSTER: seed.WEB_VIP,
    RouteClass.LOCAL: seed.API_VIP,
    RouteClass.POD_CIDR: "10.244.1.10",
}
"""Of a Service with endpoints on both nodes, of one with the node's alone, of a pod on the node."""


class Net:
    """All of it, ended with `parts`. Call it from the main thread: `Host.inside` changes its namespace."""

    def __init__(
        self, parts: ExitStack, kind: str, setting: Setting, directory: Path, *, helper: bool = True
    ) -> None:
        self.lab = parts.enter_context(NetLab())
        self.router = self.lab.host("rt", "10.77.0.1/24")
        self.client = self.lab.cable(self.router, "10.78.0.1/24", "cl", "10.78.0.2/24")
        self.node = self.lab.host("n1", "10.77.0.11/24")
        other = self.lab.cable(self.router, "10.79.0.1/24", "n2", "10.79.0.12/24")
        self.hosts = {NODE: self.node, OTHER: other}
        self._routers = {NODE: self.router.address, OTHER: "10.79.0.1"}
        self._setting, self._directory = setting, directory
        self._objects = directory / "objects.json"
        self._selected = self._backends = True
        self._write()
        self._answering: dict[str, Popen[bytes]] = {}
        self._prepare()
        spec = RouterSpec(
            kind,
            self.router.address,
            PORT,
            seed.ROUTER_ASN,
            tuple(
                Neighbor(host.address, seed.NODE_ASN, self._routers[name])
                for name, host in self.hosts.items()
            ),
            graceful_restart=helper,
            hold_time=setting.hold,
            notification=setting.notification,
        )
        with self.router.inside():
            parts.enter_context(forwarding.running(spec, directory / "router"))
        self.speakers = {name: self._speaker(name, host) for name, host in self.hosts.items()}
        for speaker in self.speakers.values():
            parts.callback(speaker.kill)  # nobody has to be told

    def _prepare(self) -> None:
        forwarding.enable(self.router)
        self.node.run("ip", "route", "add", "default", "via", self.router.address)
        for name, host in self.hosts.items():
            host.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")  # every refusal is told
            for address in addresses_of(name):
                host.run("ip", "address", "add", f"{address}/32", "dev", "lo")

    def _speaker(self, name: str, host: Host) -> Speaker:
        directory = self._directory / name
        return Speaker(name, host.address, directory, Path(), host.address, objects=self._objects)

    def come_up(self) -> None:
        """Both serve, and answer. DeadlineExceeded when they do not."""
        for name in self.hosts:
            self.start(name)
            self.answer(name)
        for name, host in self.hosts.items():
            wanted = addresses_of(name)
            until(
                lambda host=host, wanted=wanted: all(self.forwards(host, one) for one in wanted),  # type: ignore[misc]
                UP_SECONDS,
                f"the router forwards to {name}; {self.speakers[name].last_words()}",
            )

    # --- what may happen ----------------------------------------------------------------------------------

    def start(self, name: str = NODE) -> None:
        """Its speaker; returns at once."""
        with self.hosts[name].inside():
            self.speakers[name].start()

    def answer(self, name: str) -> None:
        """Its data plane; returns when it answers."""
        self._answering[name] = requests.answering(self.hosts[name], name, addresses_of(name))

    def silence(self, name: str) -> None:
        """Nothing listens there any more; the node itself refuses."""
        self._answering[name].kill()
        self._answering[name].wait()

    def select(self, selected: bool) -> None:
        """Does the policy select the node?"""
        self._selected = selected
        self._write()

    def backends(self, present: bool) -> None:
        """Have the Services endpoints?"""
        self._backends = present
        self._write()

    def asking(self, classes: Sequence[RouteClass]) -> AbstractContextManager[Any]:
        """Requests are sent meanwhile; see `requests.asking`."""
        return requests.asking(self.client, [ADDRESSES[kind] for kind in classes])

    # --- what is seen -------------------------------------------------------------------------------------

    def forwards(self, host: Host | None = None, address: str = seed.WEB_VIP) -> bool:
        """Does the router's kernel send requests there?"""
        found = self.router.run("ip", "route", "show", "to", "match", address)
        return (host or self.node).address in re.findall(r"via (\S+)", found)

    def runs(self) -> bool:
        """Does the node's speaker say so?"""
        from bgpctl.errors import BgpctlError
        from bgpctl.speaker.status.client import state

        try:
            return state(self.speakers[NODE].directory).phase == "Running"
        except BgpctlError:
            return False

    def facts(self) -> PeerFacts:
        """What the node's only session negotiated."""
        from bgpctl.core.timing.facts import facts_from_state
        from bgpctl.speaker.status.client import state

        (peer,) = state(self.speakers[NODE].directory).peers
        return facts_from_state(peer)

    def _write(self) -> None:
        """At once: a speaker that reads half of it would keep what was before."""
        documents = [*self._documents()]
        new = self._objects.with_suffix(".new")
        new.write_text("\n---\n".join(map(json.dumps, documents)))  # JSON is YAML
        new.replace(self._objects)

    def _documents(self) -> Iterator[seed.Document]:
        for number, (name, host) in enumerate(self.hosts.items(), start=1):
            node = seed.node(name, number, host.address)
            selected = self._selected or name != NODE
            node["metadata"]["labels"][seed.LABEL] = "true" if selected else "false"
            yield node
        for name, router in self._routers.items():
            yield policy(name, router, self._setting)
        yield seed.service("web", ADDRESSES[RouteClass.CLUSTER], "Cluster")
        yield seed.service("api", ADDRESSES[RouteClass.LOCAL], "Local")
        yield _slice("web", (NODE, OTHER) if self._backends else ())
        yield _slice("api", (NODE,) if self._backends else ())


def addresses_of(name: str) -> list[str]:
    """Where a node answers."""
    return list(ADDRESSES.values()) if name == NODE else [ADDRESSES[RouteClass.CLUSTER]]


def policy(node: str, router: str, setting: Setting) -> seed.Document:
    """The lab's, for one node, with these timers."""
    document = seed.policy(router, PORT)
    document["metadata"]["name"] = node
    document["spec"]["nodeSelector"]["matchLabels"]["kubernetes.io/hostname"] = node
    if setting.notification:
        document["metadata"]["annotations"] = {GRACEFUL_NOTIFICATION: "true"}
    neighbor = document["spec"]["virtualRouters"][0]["neighbors"][0]
    neighbor |= {
        "holdTimeSeconds": setting.hold,
        "keepAliveTimeSeconds": setting.keepalive,
        "connectRetryTimeSeconds": RETRY_SECONDS,
        "gracefulRestart": {"enabled": setting.restart is not None},
    }
    if setting.restart is not None:
        neighbor["gracefulRestart"]["restartTimeSeconds"] = setting.restart
    return document


def _slice(service: str, nodes: Sequence[str]) -> seed.Document:
    ends = [
        {"addresses": [f"10.244.{number}.7"], "nodeName": name, "conditions": {"ready": True}}
        for number, name in enumerate(nodes, start=1)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": ends,
    }
