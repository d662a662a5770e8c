"""One cell's network: a switch, a real router, an API, the node under test, and one that must not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bgpctl.lab import routers, seed
from bgpctl.lab.api import ApiServer
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.witness.probe import Probe, parse_probe
from tests.matrix import documents
from tests.matrix.cells import Graceful
from tests.matrix.complaints import Bounds
from tests.matrix.documents import NODE, OTHER, Policy
from tests.support.cli import bgpctl, clean_environment
from tests.support.speakers import SpeakerProcess

UP_SECONDS = 40.0


class Net:
    """Everything that a cell runs, ended with `stack`. Call it from the main thread: routers and engines die
    with the thread that started them."""

    def __init__(self, stack: ExitStack, kind: str, graceful: Graceful, directory: Path) -> None:
        self.kind, self.directory = kind, directory
        self.lab = stack.enter_context(NetLab())
        self.router = self.lab.host("rt", "10.77.0.1/24")
        self.control = self.lab.host("api", "10.77.0.2/24")
        self.hosts = {
            NODE: self.lab.host("n1", "10.77.0.11/24"),
            OTHER: self.lab.host("n2", "10.77.0.12/24"),
        }
        self.policy = Policy(NODE, graceful)
        self.probe = self._start_router(stack)
        self.api = self._start_api(stack)
        self.kubeconfig = directory / "kubeconfig"
        self.api.write_kubeconfig(self.kubeconfig)
        self.apply(*seed.crds())
        self.apply(*documents.services())
        for name, host in self.hosts.items():
            self.apply(documents.node(name, host), Policy(name, graceful).document(self.router.address))

    def _start_router(self, stack: ExitStack) -> Probe:
        neighbors = tuple(
            Neighbor(host.address, documents.NODE_ASN[name]) for name, host in self.hosts.items()
        )
        spec = RouterSpec(
            self.kind,
            self.router.address,
            documents.PORT,
            documents.ROUTER_ASN,
            neighbors,
            notification=self.policy.graceful is Graceful.NOTIFICATION,
        )
        with self.router.inside():
            router = stack.enter_context(routers.make(spec))
            router.start(self.directory / "router")
        return parse_probe(router.probe())

    def _start_api(self, stack: ExitStack) -> ApiServer:
        """Its threads, and the connections that they accept, stay in the namespace they were started in."""
        with self.control.inside():
            return stack.enter_context(ApiServer(host=self.control.address, controllers=False))

    # --- the cluster --------------------------------------------------------------------------------------

    def apply(self, *given: Mapping[str, Any]) -> None:
        self.api.apply(*map(dict, given))

    def set_policy(self, policy: Policy) -> None:
        self.apply(policy.document(self.router.address))

    def select(self, selected: bool) -> None:
        self.apply(documents.node(NODE, self.hosts[NODE], selected=selected))

    def shut_down(self) -> None:
        self.apply(documents.node(NODE, self.hosts[NODE], ready=False))

    def state(self, name: str = NODE) -> dict[str, Any]:
        """What the node's speaker published last."""
        return dict((self.api.get("bgpnodestates", name) or {}).get("status") or {})

    def peer(self, name: str = NODE) -> dict[str, Any]:
        return dict((self.state(name).get("peers") or [{}])[0])

    def serves(self, name: str = NODE) -> bool:
        """The speaker runs, its session is Established, all routes and End-of-RIB are out."""
        state, peer = self.state(name), self.peer(name)
        return bool(
            state.get("phase") == "Running"
            and peer.get("state") == "established"
            and peer.get("announced") == peer.get("intended")
            and peer.get("endOfRIBSent")
        )

    def estimate(self, event: str) -> Bounds:
        """`bgpctl node estimate`, as an operator types it who knows what router stands there."""
        profile = f"{self.router.address}={self.kind}"
        words = ("node", "estimate", NODE, "-o", "json", "--peer-profile", profile)
        with self.control.inside():
            ran = bgpctl(*words, kubeconfig=self.kubeconfig)
        assert ran.code == 0, ran.err
        one = next(one for one in ran.document["estimates"] if one["event"] == event)
        return Bounds(one["bestSeconds"], one["worstSeconds"], one["why"])

    # --- processes on the nodes ---------------------------------------------------------------------------

    def speaker(self, name: str = NODE, engine: str = "own", directory: str = "") -> SpeakerProcess:
        """A started `speaker run` on the node; a new process each time."""
        host = self.hosts[name]
        given = ("--node-name", name, "--kubeconfig", self.kubeconfig, "--source-address", host.address)
        made = SpeakerProcess(self.directory / (directory or name), *given, "--engine", engine)
        with host.inside():
            return made.start()

    def run_engine(self, name: str = NODE) -> None:
        """`speaker engine run` in the speaker's directory, as its own container does."""
        words = ("speaker", "engine", "run", "--directory", str(self.directory / name))
        with self.hosts[name].inside(), (self.directory / "engine.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "bgpctl", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=clean_environment(),
            )

    def kill_engine(self, name: str = NODE) -> None:
        """SIGKILL of ExaBGP alone."""
        os.kill(_exabgp(self.hosts[name]), signal.SIGKILL)


def _exabgp(host: Host) -> int:
    pids = [p for p in host.pids() if b"exabgp.child" in Path(f"/proc/{p}/cmdline").read_bytes()]
    assert len(pids) == 1, f"one ExaBGP runs on {host.name}: {pids}"
    return pids[0]
