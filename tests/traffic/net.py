"""One cell's network: a router that forwards, three nodes of a stack, a client behind the router, an API.

    client ── router ──┬── worker-1 … worker-3      each has the Service's address on its loopback interface
                       └── API

What answers on a node stands for its data plane (kube-proxy, or Cilium's), which answers for a Service with
externalTrafficPolicy Cluster whatever pods are on the node.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab import seed, stacks
from bgpctl.lab.api import ApiServer
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.routers.process import die_with_parent
from bgpctl.lab.stacks.alone import PORT
from bgpctl.lab.traffic import forwarding, requests
from bgpctl.lab.traffic.counting import Request
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.witness.probe import parse_probe
from tests.support.cli import Ran, bgpctl, clean_environment
from tests.support.wait import eventually

NODE = "worker-1"
ADDRESS = seed.WEB_VIP
HOLD_SECONDS = 9
UP_SECONDS = 90.0
COMMAND_SECONDS = 120.0


class Net:
    """Everything that a cell runs, ended with `parts`. Call it from the main thread."""

    def __init__(self, parts: ExitStack, kind: str, stack: str, directory: Path) -> None:
        self.directory, self.stack = directory, stack
        self._lab = parts.enter_context(NetLab())
        self.router = self._lab.host("rt", "10.77.0.1/24")
        self.control = self._lab.host("api", "10.77.0.2/24")
        self.client = self._lab.cable(self.router, "10.78.0.1/24", "cl", "10.78.0.2/24")
        names = enumerate(seed.node_names(3), start=11)
        self.nodes = {name: self._lab.host(f"n{n}", f"10.77.0.{n}/24") for n, name in names}
        forwarding.enable(self.router)
        for host in self.nodes.values():
            host.run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
            host.run("ip", "route", "add", "default", "via", self.router.address)
        neighbors = tuple(Neighbor(host.address, seed.NODE_ASN) for host in self.nodes.values())
        address = self.router.address
        self.spec = RouterSpec(kind, address, PORT, seed.ROUTER_ASN, neighbors, hold_time=HOLD_SECONDS)
        with self.router.inside():
            self.probe = parts.enter_context(forwarding.running(self.spec, directory / "router")).probe()
        self._api = self._start_api(parts)
        self._answering: dict[str, int] = {}

    def _start_api(self, parts: ExitStack) -> Client:
        driver, addresses = stacks.choose(self.stack), [host.address for host in self.nodes.values()]
        kubeconfig = self.directory / "kubeconfig"
        with self.control.inside():
            api = parts.enter_context(ApiServer(host=self.control.address))
        api.write_kubeconfig(kubeconfig)
        nodes = tuple(stacks.Node(name, host.address, "") for name, host in self.nodes.items())
        site = stacks.Site(self.directory, nodes, self.spec, self.probe, kubeconfig)
        api.apply(*seed.cluster(addresses, driver.documents(site)))
        return site.client()

    # --- the nodes ----------------------------------------------------------------------------------------

    def start_engine(self, name: str) -> None:
        """As after a boot: nothing is left of what was there."""
        shutil.rmtree(self.directory / name, ignore_errors=True)
        host = self.nodes[name]
        words = (self.stack, str(self.directory), name, host.address, self.router.address)
        self._spawn(host, "bgpctl.lab.stacks.alone", *words)

    def start_answering(self, name: str) -> None:
        """Returns when it does: a busy machine takes its time to start it."""
        host = self.nodes[name]
        self._answering[name] = requests.answering(host, name, [ADDRESS]).pid

    def stop_engine(self, name: str) -> None:
        """SIGKILL to all that speaks BGP there. What answers goes on."""
        for pid in set(self.nodes[name].pids()) - {self._answering[name]}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def power_off(self, name: str) -> None:
        self._lab.power_off(self.nodes[name])

    def power_on(self, name: str) -> None:
        self._lab.plug(self.nodes[name])
        self.start_engine(name)

    def _spawn(self, host: Host, *words: str) -> int:
        """It ends with its namespace, or with us."""
        with host.inside(), (self.directory / "nodes.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
                preexec_fn=die_with_parent(os.getpid()),
            ).pid

    # --- what is seen and done from outside ---------------------------------------------------------------

    def forwards_to(self, name: str) -> bool:
        """Does the router's kernel send requests to the node?"""
        found = self.router.run("ip", "route", "show", ADDRESS)
        return self.nodes[name].address in re.findall(r"via (\S+)", found)

    def serves(self, name: str) -> bool:
        """The same, by routes of a session that is up: those of one that ended may be kept for minutes."""
        found = parse_probe(self.probe).routes_from(self.nodes[name].address)
        live = {str(path.prefix) for path in found.paths if not path.stale}
        up = found.session == "established" and f"{ADDRESS}/32" in live
        return up and self.forwards_to(name)

    def bgpctl(self, *words: str) -> Ran:
        with self.control.inside():
            kubeconfig = self.directory / "kubeconfig"
            return bgpctl(*words, kubeconfig=kubeconfig, deadline=COMMAND_SECONDS)

    def label(self, labels: dict[str, str | None]) -> None:
        """Of NODE; None takes one away."""
        with self.control.inside():
            self._api.patch(paths.node(NODE), {"metadata": {"labels": labels}})

    def asking(self) -> AbstractContextManager[Callable[[], list[Request]]]:
        """Requests are sent meanwhile. What it hands out ends that, and tells what became of each."""
        return requests.asking(self.client, [ADDRESS])

    def come_up(self) -> None:
        """All nodes serve, and one may be drained."""
        for name in self.nodes:
            self.start_engine(name)
            self.start_answering(name)
        for name in self.nodes:
            eventually(lambda name=name: self.serves(name), UP_SECONDS, why=f"{name} serves")  # type: ignore[misc]
        for words in stacks.STACKS[self.stack].prepare:
            ran = self.bgpctl(*words)
            assert ran.code == 0, ran.err

    def may_be_drained(self) -> bool:
        """Also where its stack knows no drain."""
        if not stacks.STACKS[self.stack].drains:
            return True
        return self.bgpctl("node", "drain", NODE, "--dry-run", "--router-probe", self.probe).code == 0
