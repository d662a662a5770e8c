"""A node of MetalLB with frr-k8s leaves and comes back: a real FRR bgpd per node, which takes in every
configuration by FRR's own frr-reload.py, and a real BIRD or FRR as the router, which keeps routes over a lost
session. What frr-k8s does is emulated (`bgpctl/lab/stacks/frr_k8s`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.frr_k8s import leave, states
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.stacks.bgpd import Bgpd
from bgpctl.lab.stacks.frr_k8s import documents
from bgpctl.lab.stacks.frr_k8s.client import played
from bgpctl.lab.stacks.frr_k8s.daemon import FrrK8s
from bgpctl.lab.stacks.rounds import at_work
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe
from tests.support import apiserver, clients, objects
from tests.support.cli import clean_environment, inside
from tests.support.kinds import KINDS
from tests.support.require import require
from tests.support.routers import PORT, ROUTER_ASN, Lab, Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = NAMES = ("worker-1", "worker-2")
BLOCK, SERVICE = "10.20.1.0/24", "203.0.113.7/32"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
BASE = f"/apis/{documents.VERSION}/namespaces/{documents.NAMESPACE}/frrconfigurations"
NAME = leave.name_for(NODE)
OURS = f"{BASE}/{NAME}"
SETTINGS = {"ebgpMultiHop": True, "holdTime": "9s", "keepaliveTime": "3s", "connectTime": "1s"}


@dataclass
class Stack:
    """Two nodes that frr-k8s runs, and their router."""

    server: ApiServer
    client: Client
    lab: Lab
    workshop: Workshop
    kubeconfig: Path
    engines: dict[str, Bgpd] = field(default_factory=dict)

    @property
    def asked(self) -> tuple[str, str]:
        return self.of(self.lab)

    def of(self, lab: Lab) -> tuple[str, str]:
        address = lab.router.spec.address
        return "--router-probe", f"{lab.probe.kind}={lab.probe.target}@{address}"

    def address(self, node: str) -> str:
        return self.lab.nodes[NAMES.index(node)].address

    def paths_of(self, node: str, probe: Probe | None = None) -> set[str]:
        found = (probe or self.lab.probe).routes_from(self.address(node)).paths
        return {str(path.prefix) for path in found if not path.stale}

    def has(self, node: str) -> RouteState:
        return self.lab.probe.routes_from(self.address(node)).routes

    def objects(self) -> dict[str, Any]:
        """All that a run writes, without what only the API server counts."""
        found = {}
        for base in (paths.NODES, BASE):
            for one in self.client.items(base):
                head = {k: v for k, v in one["metadata"].items() if v and k in ("labels", "annotations")}
                found[f"{base}/{one['metadata']['name']}"] = (head, one.get("spec"))
        return found

    def bgpctl(self, *arguments: str) -> tuple[int, str]:
        return inside(*arguments, kubeconfig=self.kubeconfig)

    def document(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out = self.bgpctl(*arguments, "-o", "json")
        return code, json.loads(out.splitlines()[-1] if arguments[1] in ("drain", "restore") else out)

    def drain(self, *more: str, probes: tuple[str, ...] | None = None) -> tuple[int, dict[str, Any]]:
        asked = self.asked if probes is None else probes
        return self.document("node", "drain", NODE, *asked, "--settle", "0", "--timeout", "40", *more)

    def restore(self, *more: str) -> None:
        code, back = self.document("node", "restore", NODE, *self.asked, "--timeout", "40", *more)
        assert (code, back["status"], back.get("proof")) == (0, "done", "confirmed"), back
        assert self.paths_of(NODE) == {SERVICE, BLOCK}

    def row(self) -> dict[str, Any]:
        (row,) = self.document("node", "status", NODE)[1]["nodes"]
        return dict(row)

    def session(self) -> tuple[int, int]:
        """How many sessions the node's FRR had with the router, and how many of them ended."""
        (view,) = json.loads(self.engines[NODE].said(f"show bgp neighbors {self.router} json")).values()
        return view["connectionsEstablished"], view["connectionsDropped"]

    @property
    def router(self) -> str:
        return self.lab.router.spec.address

    def more(self, lab: Lab) -> dict[str, Any]:
        """An FRRConfiguration by which the node has another router too, and announces to it."""
        about = {**SETTINGS, "port": PORT, "sourceaddress": self.address(NODE)}
        peer = documents.neighbor(lab.router.spec.address, ROUTER_ASN, [BLOCK], **about)
        asn = self.lab.nodes[0].asn
        return documents.configuration("more", NODE, {"asn": asn, "prefixes": [BLOCK], "neighbors": [peer]})

    def clear(self) -> None:
        """No trace of a run, and of nobody's objects but the cluster's own."""
        self.server.faults.clear()
        gone = {"bgpctl.io/run": None, "bgpctl.io/leave": None}
        body = {"metadata": {"annotations": gone}, "spec": {"unschedulable": None}}
        self.client.patch(paths.node(NODE), body)
        lease = paths.lease("kube-system", f"bgpctl-node-{NODE}")
        for path in (OURS, f"{BASE}/more", f"{BASE}/broken", lease):
            if self.client.find(path):
                self.client.delete(path)

    def killed_once_it_withdrew(self) -> None:
        """A drain in a process of its own, killed right after its FRRConfiguration was there."""
        argv = [sys.executable, "-m", "bgpctl", "node", "drain", NODE, *self.asked, "--settle", "60"]
        environment = {**clean_environment(self.kubeconfig), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL) as process:
            eventually(lambda: self.client.find(OURS), 60)
            process.send_signal(signal.SIGKILL)
            process.wait(10)


@contextmanager
def cluster(router: str = "bird") -> Iterator[Stack]:
    require(router)
    require("frr-pythontools")
    with ExitStack() as inside_of:
        patch = inside_of.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(states, "SESSION_LAG", 2.0)
        workshop = inside_of.enter_context(Workshop.running())
        server = inside_of.enter_context(apiserver.running())
        lab = workshop.router(router)
        server.apply(*KINDS, *documents.crds(), documents.namespace())
        for name, one in zip(NAMES, lab.nodes, strict=True):
            told = {**READY, "addresses": [{"type": "InternalIP", "address": one.address}]}
            server.apply(objects.node(name, labels={"kubernetes.io/hostname": name}, status=told))
            for which, prefix in (("metallb", SERVICE), ("pods", BLOCK)):
                about = {**SETTINGS, "port": PORT, "sourceaddress": one.address}
                peer = documents.neighbor(lab.router.spec.address, ROUTER_ASN, [prefix], **about)
                asked = {"asn": one.asn, "prefixes": [prefix], "neighbors": [peer]}
                server.apply(documents.configuration(f"{which}-{name}", name, asked))
        kubeconfig = workshop.directory / "kubeconfig"
        kubeconfig.write_text(server.kubeconfig())
        made = Stack(server, clients.client(server), lab, workshop, kubeconfig)
        daemons = []
        for name, one in zip(NAMES, lab.nodes, strict=True):
            engine = made.engines[name] = Bgpd(workshop.directory / name)
            inside_of.callback(engine.stop)
            engine.start()
            every = {"debounce": 0.3, "state_every": 0.4, "sessions_every": 0.4}
            daemons.append(FrrK8s(clients.client(server), name, engine, one.address, **every))
        inside_of.enter_context(at_work(*daemons))
        for name in NAMES:
            eventually(lambda name=name: made.paths_of(name) == {SERVICE, BLOCK}, 30)
        eventually(lambda: "all 2 sessions established" in made.bgpctl("peers", "status")[1], 60)
        yield made


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with cluster() as made:
        yield made


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """As it was before the test: what a test leaves fails it, and nobody else."""
    before = running.objects()
    yield running
    left = running.objects()
    running.clear()
    eventually(lambda: running.paths_of(NODE) == {SERVICE, BLOCK}, 60)
    assert left == before


# --- it leaves and comes back -------------------------------------------------------------------------------


def test_it_withdraws_with_its_session_up_and_comes_back_as_it_was(stack: Stack) -> None:
    session = stack.session()
    code, drained = stack.drain()
    assert (code, drained.get("proof")) == (0, "confirmed"), drained
    assert stack.has(NODE) is RouteState.ABSENT and stack.paths_of(OTHER) == {SERVICE, BLOCK}
    assert stack.lab.probe.routes_from(stack.address(NODE)).session == "established"
    assert stack.session() == session, "it was never reset"
    row = stack.row()
    assert (row["service"], row["safeToPowerOff"]) == ("drained", True)
    stack.restore()
    assert stack.session() == session


def test_what_it_would_do_is_told_and_nothing_written(stack: Stack) -> None:
    before = stack.objects()
    code, planned = stack.document("node", "drain", NODE, "--dry-run", *stack.asked)
    told = {step["step"]: step["text"] for step in planned["steps"]}
    assert code == 0 and told["Deselected"] == (
        f"create FRRConfiguration {NAME}: nothing is announced, sessions stay up"
    )
    assert "raw lines of FRR unsupported" in told["Checked"]
    assert "asked twice (confirmed)" in told["Withdrawn"]
    code, out = stack.bgpctl("providers", "-o", "json")
    (found,) = json.loads(out)["providers"]
    assert (found["provider"], found["nodes"], found["lever"]) == ("frr-k8s", 2, "withdraws")
    code, out = stack.bgpctl("node", "estimate", NODE, "-o", "json")
    worst = {one["event"]: one["worstSeconds"] for one in json.loads(out)["estimates"]}
    assert code == 0 and (worst["deselect"], worst["power-off"]) == (5, 129)
    assert stack.objects() == before


# --- without a router to ask --------------------------------------------------------------------------------


def test_without_anybody_to_ask_what_frr_runs_is_read_back(stack: Stack) -> None:
    """Nobody plays its pods here: FRRNodeState and BGPSessionState are all there is. While FRR has not taken
    the lines in, the drain is blocked, and the same command goes on."""
    session = stack.session()
    eventually(lambda: stack.drain(probes=())[0] == 0, 60)
    code, drained = stack.drain(probes=())
    assert (code, drained.get("proof")) == (0, "estimated"), drained
    assert stack.has(NODE) is RouteState.ABSENT
    stack.restore()
    assert stack.session() == session


def test_its_frr_asked_itself_reports_that_nothing_is_left(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of a real FRR, which vtysh prints in its pod."""
    monkeypatch.setattr(stack.server, "commands", played(stack.engines))
    monkeypatch.setattr(states, "SESSION_LAG", 100.0)
    daemonset = documents.daemonset()
    stack.server.apply(daemonset)
    where = {"labelSelector": "app.kubernetes.io/component=frr-k8s"}
    eventually(lambda: len(stack.client.items(paths.PODS, **where)) == 2, 60)
    code, drained = stack.drain(probes=())
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "reported"), drained
    assert "vtysh in pod metallb-system/frr-k8s" in drained["message"]
    code, back = stack.document("node", "restore", NODE, "--timeout", "40")
    assert code == 0 and "2 routes sent" in back["message"], back
    stack.client.delete(f"/apis/apps/v1/namespaces/{documents.NAMESPACE}/daemonsets/frr-k8s")
    eventually(lambda: not stack.client.items(paths.PODS, **where), 60)


# --- interrupted --------------------------------------------------------------------------------------------


def test_killed_after_its_write_it_goes_on(stack: Stack) -> None:
    session = stack.session()
    stack.killed_once_it_withdrew()
    assert stack.row()["service"] in ("draining", "drain-stopped")
    code, drained = stack.drain("--take-over")
    assert (code, drained.get("proof")) == (0, "confirmed"), drained
    stack.restore()
    assert stack.session() == session


def test_killed_after_its_write_it_is_undone(stack: Stack) -> None:
    session = stack.session()
    stack.killed_once_it_withdrew()
    stack.restore("--take-over")
    assert stack.session() == session


def test_forbidden_to_create_it_says_so_and_nothing_is_withdrawn(stack: Stack) -> None:
    stack.server.faults.add(Fault("answer", "create", "frrconfigurations", code=403))
    code, failed = stack.drain()
    assert (code, failed["status"]) == (1, "failed"), failed
    assert stack.has(NODE) is RouteState.PRESENT and stack.client.find(OURS) is None
    stack.server.faults.clear()
    stack.restore()


def test_what_a_lost_run_left_is_found_and_brought_back(stack: Stack) -> None:
    assert stack.drain()[0] == 0
    gone = {"bgpctl.io/run": None, "bgpctl.io/leave": None}
    stack.client.patch(paths.node(NODE), {"metadata": {"annotations": gone}, "spec": {"unschedulable": None}})
    stack.client.delete(paths.lease("kube-system", f"bgpctl-node-{NODE}"))
    assert stack.row()["service"] == "withdrawn"
    assert f"{NODE}: withdrawn by bgpctl" in stack.bgpctl("providers")[1]
    code, back = stack.document("node", "restore", NODE, *stack.asked, "--timeout", "40")
    assert code == 0, back
    eventually(lambda: stack.paths_of(NODE) == {SERVICE, BLOCK}, 60)


# --- peers and objects of others ----------------------------------------------------------------------------


def test_a_peer_that_comes_and_goes_while_it_is_out(stack: Stack) -> None:
    """FRR announces to one that nobody named, and reports a failure for a line about one that is gone; each
    time the next drain puts it right, and the other session never notices."""
    require("frr")
    session, another = stack.session(), stack.workshop.router("frr", nodes=1)
    assert another.nodes[0].address == stack.address(NODE)
    assert stack.drain()[0] == 0
    stack.server.apply(stack.more(another))
    eventually(lambda: stack.paths_of(NODE, another.probe) == {BLOCK}, 60)
    assert stack.row()["service"] == "announces-again"
    both = (*stack.asked, *stack.of(another))
    code, drained = stack.drain(probes=both)
    assert (code, drained.get("proof")) == (0, "confirmed"), drained
    assert stack.paths_of(NODE, another.probe) == set() and stack.row()["service"] == "drained"
    stack.client.delete(f"{BASE}/more")
    engine = stack.engines[NODE]
    eventually(lambda: "Specify remote-as" in engine.reloads[-1], 60)
    assert stack.session() == session and stack.has(NODE) is RouteState.ABSENT, "all other lines are in force"
    assert stack.drain(probes=both)[0] == 0
    eventually(lambda: engine.reloads[-1] == "", 60)
    stack.restore()
    assert stack.session() == session


@pytest.mark.parametrize("nodes", ["one", "all"])
def test_an_object_that_cannot_be_read_costs_its_nodes(stack: Stack, nodes: str) -> None:
    broken = documents.configuration(
        "broken", NODE if nodes == "one" else None, {"asn": 65001, "neighbors": [{"asn": 65000}]}
    )
    stack.server.apply(broken)
    code, refused = stack.drain()
    assert (code, refused["status"]) == (3, "blocked"), refused
    assert "FRRConfiguration broken cannot be read" in refused["message"]
    assert "neighbors[0].address must be an IP address" in refused["message"]
    rows = {row["node"]: row for row in stack.document("node", "status")[1]["nodes"]}
    assert rows[NODE]["service"] == "unknown"
    assert (rows[OTHER]["service"] == "unknown") is (nodes == "all")
    stack.client.delete(f"{BASE}/broken")
    assert stack.client.find(OURS) is None and stack.has(NODE) is RouteState.PRESENT


def test_a_reset_would_be_seen(stack: Stack) -> None:
    """The harness notices what the lines do not do."""
    session = stack.session()
    stack.engines[NODE].said("clear bgp *")
    eventually(lambda: stack.session() == (session[0] + 1, session[1] + 1), 60)
    eventually(lambda: stack.paths_of(NODE) == {SERVICE, BLOCK}, 60)


def test_with_frr_as_the_router() -> None:
    with cluster("frr") as stack:
        before, session = stack.objects(), stack.session()
        code, drained = stack.drain()
        assert (code, drained.get("proof")) == (0, "confirmed"), drained
        assert stack.has(NODE) is RouteState.ABSENT and stack.paths_of(OTHER) == {SERVICE, BLOCK}
        stack.restore()
        eventually(lambda: (stack.objects(), stack.session()) == (before, session), 10)  # the taint goes last
