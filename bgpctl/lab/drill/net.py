"""A drill's network: two nodes behind one router that forwards, and a client at its other end.

    client ── router ──┬── switch ──┬── worker-1  to which it happens
                       │            └── API       of a stack that needs one
                       └── worker-2               which goes on

The router's own cable ends at the switch: where that breaks, the router sees it; what breaks behind the
switch it does not. Every node answers at the addresses that it announces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Any

from bgpctl.core.timing.drills import OWN, Setting
from bgpctl.core.timing.failures import RouteClass
from bgpctl.lab import seed
from bgpctl.lab.drill.nodes import NODE, OTHER, PORT, Nodes, Place
from bgpctl.lab.drill.own import Own
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.traffic import forwarding, requests
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.lab.waiting import until

UP_SECONDS = 60.0
ADDRESSES = {
    RouteClass.CLUSTER: seed.WEB_VIP,
    RouteClass.LOCAL: seed.API_VIP,
    RouteClass.POD_CIDR: "10.244.1.10",
}
"""Of a Service with endpoints on both nodes, of one with the node's alone, of a pod on the node."""


class Net:
    """All of it, ended with `parts`. Call it from the main thread: `Host.inside` changes its namespace."""

    def __init__(
        self,
        parts: ExitStack,
        kind: str,
        setting: Setting,
        directory: Path,
        *,
        helper: bool = True,
        stack: str = OWN,
    ) -> None:
        self.lab = parts.enter_context(NetLab())
        self.router = self.lab.host("rt", "10.77.0.1/24")
        self.client = self.lab.cable(self.router, "10.78.0.1/24", "cl", "10.78.0.2/24")
        self.node = self.lab.host("n1", "10.77.0.11/24")
        other = self.lab.cable(self.router, "10.79.0.1/24", "n2", "10.79.0.12/24")
        self.hosts = {NODE: self.node, OTHER: other}
        routers = {NODE: self.router.address, OTHER: "10.79.0.1"}
        self._answering: dict[str, Popen[bytes]] = {}
        self._prepare()
        spec = RouterSpec(
            kind,
            self.router.address,
            PORT,
            seed.ROUTER_ASN,
            tuple(Neighbor(host.address, seed.NODE_ASN, routers[name]) for name, host in self.hosts.items()),
            graceful_restart=helper,
            hold_time=setting.hold,
            notification=setting.notification,
        )
        with self.router.inside():
            probe = parts.enter_context(forwarding.running(spec, directory / "router")).probe()
        self._place = Place(self.hosts, routers, setting, directory)
        self.nodes = Own(self._place) if stack == OWN else self._stacked(parts, stack, spec, probe)
        parts.callback(self.nodes.end)

    def _stacked(self, parts: ExitStack, stack: str, spec: RouterSpec, probe: str) -> Nodes:
        """Of another stack, with the API server that it needs."""
        from bgpctl.lab.drill.stacked import Stacked

        control = self.lab.host("api", "10.77.0.2/24")
        control.run("ip", "route", "add", "default", "via", self.router.address)
        return Stacked(parts, stack, self._place, control, spec, probe)

    def _prepare(self) -> None:
        forwarding.enable(self.router)
        self.node.run("ip", "route", "add", "default", "via", self.router.address)
        for name, host in self.hosts.items():
            host.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")  # every refusal is told
            for address in addresses_of(name):
                host.run("ip", "address", "add", f"{address}/32", "dev", "lo")

    def come_up(self) -> None:
        """Both serve, and answer. DeadlineExceeded when they do not."""
        for name in self.hosts:
            self.nodes.start(name)
            self.answer(name)
        for name, host in self.hosts.items():
            wanted = addresses_of(name)
            until(
                lambda host=host, wanted=wanted: all(self.forwards(host, one) for one in wanted),  # type: ignore[misc]
                UP_SECONDS,
                f"the router forwards to {name}; {self.nodes.last_words(name)}",
            )

    # --- what may happen ----------------------------------------------------------------------------------

    def answer(self, name: str) -> None:
        """Its data plane; returns when it answers."""
        self._answering[name] = requests.answering(self.hosts[name], name, addresses_of(name))
        self._place.answering[name] = self._answering[name].pid

    def silence(self, name: str) -> None:
        """Nothing listens there any more; the node itself refuses."""
        self._answering[name].kill()
        self._answering[name].wait()

    def asking(self, classes: Sequence[RouteClass]) -> AbstractContextManager[Any]:
        """Requests are sent meanwhile; see `requests.asking`."""
        return requests.asking(self.client, [ADDRESSES[kind] for kind in classes])

    # --- what is seen -------------------------------------------------------------------------------------

    def forwards(self, host: Host | None = None, address: str = seed.WEB_VIP) -> bool:
        """Does the router's kernel send requests there?"""
        found = self.router.run("ip", "route", "show", "to", "match", address)
        return (host or self.node).address in re.findall(r"via (\S+)", found)


def addresses_of(name: str) -> list[str]:
    """Where a node answers."""
    return list(ADDRESSES.values()) if name == NODE else [ADDRESSES[RouteClass.CLUSTER]]
