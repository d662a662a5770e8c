"""A node that Cilium runs leaves and comes back: real gobgpd processes, a real BIRD that keeps routes over a
lost session, and controllers that do what Cilium's were measured to do (`bgpctl/lab/stacks/cilium/`)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.cilium import copies, soak, states
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.exec import no_containers
from bgpctl.lab.stacks.cilium import documents
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.cilium.client import daemonset, played
from bgpctl.lab.stacks.cilium.documents import ADVERTISEMENTS, CLUSTER_CONFIGS, NODE_CONFIGS, PEER_CONFIGS
from bgpctl.lab.stacks.cilium.operator import Operator
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.lab.stacks.rounds import at_work
from bgpctl.runbooks import soaked
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe
from tests.support import apiserver, clients, objects
from tests.support.birdctl import Bird
from tests.support.cli import inside
from tests.support.kinds import KINDS
from tests.support.require import require
from tests.support.routers import PORT, ROUTER_ASN, Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = NAMES = ("worker-1", "worker-2")
SELECTED = {"enable-bgp": "true"}
PREFIXES = ("10.20.1.0/24", "203.0.113.7/32")
CADENCE = 1.0  # Cilium's 5 s, for a test that does not take minutes


@dataclass
class Stack:
    """Two nodes that Cilium runs, and their router."""

    server: ApiServer
    client: Client
    probe: Probe
    control: Path
    kubeconfig: Path
    operator: Operator
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> tuple[str, str]:
        return "--router-probe", f"bird={self.probe.target}"

    def routes(self, node: str) -> int:
        return len([path for path in self.probe.routes_from(self.addresses[node]).paths if not path.stale])

    def has(self, node: str) -> RouteState:
        return self.probe.routes_from(self.addresses[node]).routes

    def objects(self) -> dict[str, Any]:
        """All that a run writes, without what only the API server counts."""
        found = {}
        for base in (NODE_CONFIGS, PEER_CONFIGS, CLUSTER_CONFIGS, paths.NODES):
            for one in self.client.items(base):
                kept = ("labels", "annotations", "ownerReferences")
                head = {k: v for k, v in one["metadata"].items() if v and k in kept}
                found[f"{base}/{one['metadata']['name']}"] = (head, one.get("spec"))
        return found

    def bgpctl(self, *arguments: str) -> tuple[int, str]:
        return inside(*arguments, kubeconfig=self.kubeconfig)

    def document(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out = self.bgpctl(*arguments, "-o", "json")
        return code, json.loads(out.splitlines()[-1] if arguments[1] in ("drain", "restore") else out)

    def restore(self) -> None:
        code, back = self.document("node", "restore", NODE, *self.asked, "--timeout", "40")
        assert (code, back["status"], back.get("proof")) == (0, "done", "confirmed"), back
        eventually(lambda: self.told(NODE), 10)

    def told(self, node: str) -> bool:
        """Does Cilium say that its session is up, and with all routes?"""
        status = (self.client.get(f"{NODE_CONFIGS}/{node}").get("status") or {}).get("bgpInstances") or [{}]
        peer = (status[0].get("peers") or [{}])[0]
        return peer.get("peeringState") == "established" and peer["routeCount"][0]["advertised"] == 3


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    require("bird")
    require("gobgp")
    with ExitStack() as inside_of:
        patch = inside_of.enter_context(pytest.MonkeyPatch.context())
        workshop = inside_of.enter_context(Workshop.running())
        server = inside_of.enter_context(apiserver.running())
        patch.setattr(states, "LAG", CADENCE + 1)
        patch.setattr(copies, "SETTLE_SECONDS", 1.0)
        lab = workshop.router("bird")
        spec = lab.router.spec
        server.apply(*KINDS, documents.crd(), daemonset())
        addresses = dict(zip(NAMES, (one.address for one in lab.nodes), strict=True))
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        for name, address in addresses.items():
            told = {**ready, "addresses": [{"type": "InternalIP", "address": address}]}
            server.apply(
                objects.node(name, labels=SELECTED, status=told), documents.cilium_node(name, SELECTED)
            )
        server.apply(
            documents.peer_config("pc", port=PORT),
            documents.cluster_config(
                "cc", documents.peer("tor", spec.address, "pc", ROUTER_ASN), selector=SELECTED
            ),
        )
        client = clients.client(server)
        kubeconfig = workshop.directory / "kubeconfig"
        kubeconfig.write_text(server.kubeconfig())
        asns = {name: one.asn for name, one in zip(NAMES, lab.nodes, strict=True)}
        operator = Operator(client, asns=asns)
        made = Stack(server, client, lab.probe, Path(lab.probe.target), kubeconfig, operator, addresses)
        agents = []
        for name in NAMES:
            engine = Gobgp(addresses[name], asns[name], spec.address, PORT, ROUTER_ASN)
            inside_of.enter_context(engine.running(workshop.directory / name))
            agents.append(Agent(client, name, engine, lambda: PREFIXES, cadence=CADENCE))
        server.commands = played({agent.node: agent for agent in agents})
        inside_of.enter_context(at_work(operator, *agents))
        for name in NAMES:
            eventually(lambda name=name: made.routes(name) == len(PREFIXES), 30)
            eventually(lambda name=name: made.told(name), 10)
        yield made


def prepared(stack: Stack) -> None:
    code, out = stack.bgpctl("cilium", "prepare")
    assert code == 0, out
    eventually(lambda: "withdraws" in stack.bgpctl("providers")[1], 10, why="the copies are of age")


def test_without_preparation_the_plan_is_the_relabel_and_says_what_preparing_buys(stack: Stack) -> None:
    before = stack.objects()
    code, planned = stack.document("node", "drain", NODE, "--dry-run", *stack.asked)
    assert (code, planned["status"]) == (0, "planned"), planned
    assert stack.objects() == before, "looking changes nothing"
    told = {step["step"]: step["text"] for step in planned["steps"]}
    assert told["Deselected"] == "label enable-bgp=false"
    assert "bgpctl cilium prepare" in told["Checked"] and "closes the sessions" in told["Checked"]


def _established(stack: Stack) -> bool:
    line = next(one for one in Bird(stack.control).ask("show protocols").splitlines() if "node1" in one)
    return "Established" in line


def test_without_a_router_it_waits_until_cilium_counts_nothing(stack: Stack) -> None:
    prepared(stack)
    began = time.time()
    with not_asked(stack):
        code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "60")
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "estimated"), drained
    assert drained["evidence"]["worstSeconds"] <= 6
    assert f"assuming {states.END_OF_RIB}" in drained["message"], "its count is 1"
    assert time.time() - began < 30, "not the worst case of a session that ended without a withdraw"
    assert stack.has(NODE) is RouteState.ABSENT
    code, text = stack.bgpctl("node", "status", NODE)
    assert code == 0 and "safe to power off" in text
    stack.restore()


def test_a_restore_takes_the_routers_word_and_does_not_wait_for_ciliums_late_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(stack)
    code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
    assert (code, drained.get("proof")) == (0, "confirmed"), drained
    monkeypatch.setattr(states, "LAG", 600.0)
    code, out = stack.bgpctl("node", "restore", NODE, *stack.asked, "--timeout", "40")
    assert code == 0 and "1/1 sessions Established (1 by the router's word)" in out, out
    assert f"{len(PREFIXES)} of" not in out and stack.routes(NODE) == len(PREFIXES)
    eventually(lambda: stack.told(NODE), 10)


def test_an_agent_that_is_asked_itself_reports_that_nothing_is_left(stack: Stack) -> None:
    prepared(stack)
    code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "60")
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "reported"), drained
    assert "gone, reported by cilium-dbg in pod kube-system/cilium" in drained["message"]
    assert drained["evidence"]["worstSeconds"] <= 6
    assert stack.has(NODE) is RouteState.ABSENT
    strict = ("--settle", "0", "--require-confirmed", "--timeout", "3")
    code, waits = stack.document("node", "drain", NODE, *strict)
    assert code == 3 and "--router-probe" in waits["message"] + waits["hint"], waits
    stack.restore()


@contextmanager
def not_asked(stack: Stack) -> Iterator[None]:
    """Nobody may run a command in the agents' pods."""
    plays, stack.server.commands = stack.server.commands, no_containers
    try:
        yield
    finally:
        stack.server.commands = plays


def left_in_the_middle(stack: Stack) -> None:
    """Withdrawn, and not closed: the run's time is up while it waits for Cilium's word."""
    prepared(stack)
    with not_asked(stack):
        code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "4")
    assert (code, drained["status"]) == (4, "deadline"), drained
    eventually(lambda: stack.has(NODE) is RouteState.ABSENT, 5)
    assert _established(stack)


def test_what_a_lost_run_left_is_found_taken_over_and_brought_back(stack: Stack) -> None:
    prepared(stack)
    before = stack.objects()
    left_in_the_middle(stack)
    stack.client.patch(
        paths.node(NODE), {"metadata": {"annotations": {"bgpctl.io/run": None, "bgpctl.io/leave": None}}}
    )
    stack.client.delete(paths.lease("kube-system", f"bgpctl-node-{NODE}"))
    stack.client.patch(paths.node(NODE), {"spec": {"unschedulable": None}})
    code, status = stack.document("node", "status", NODE)
    (row,) = status["nodes"]
    assert (code, row["service"], row["inService"]) == (1, "withdrawn", False), status
    code, text = stack.bgpctl("providers")
    assert code == 0 and f"{NODE}: withdrawn by bgpctl" in text
    code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0", "--timeout", "60")
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "reported"), drained
    stack.restore()
    assert stack.objects() == before


def test_an_owner_that_somebody_gives_back_in_the_middle_is_seen_and_taken_away_again(stack: Stack) -> None:
    from bgpctl.providers.cilium import Cilium

    left_in_the_middle(stack)
    (back,) = Cilium(stack.client).lever(stack.client.get(paths.node(NODE))).back
    stack.client.patch(back.path, list(back.operations), "json")
    eventually(lambda: stack.routes(NODE) == len(PREFIXES), 10)
    code, status = stack.document("node", "status", NODE)
    assert status["nodes"][0]["service"] == "drain-stopped" and status["nodes"][0]["announcing"] is True
    code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
    assert (code, drained.get("proof")) == (0, "confirmed"), drained
    assert stack.has(NODE) is RouteState.ABSENT
    stack.restore()


def test_a_soak_shows_the_community_at_the_router_before_the_routes_go(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soaked, "READ_SECONDS", 0.5)
    monkeypatch.setattr(soak, "SETTLE_SECONDS", 1.0)
    stack.server.apply(documents.advertisement("bgp", {"advertise": "bgp"}, {"expose": "bgp"}))
    code, out = stack.bgpctl("node", "drain", NODE, *stack.asked, "--soak", "3")
    assert code == 2 and "bgpctl cilium prepare --soak" in out, out
    code, out = stack.bgpctl("cilium", "prepare", "--soak")
    assert code == 0 and "bgp.bgpctl-soak" in out, out
    asked = ("node", "drain", NODE, *stack.asked, "--soak", "3", "--settle", "0")
    eventually(lambda: stack.bgpctl(*asked, "--dry-run")[0] == 0, 10, why="the copies are of age")
    before = stack.objects()
    with (
        tagged(stack.control, "node1") as ours,
        tagged(stack.control, "node2") as others,
    ):
        code, drained = stack.document(*asked)
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "confirmed"), drained
    every = len(PREFIXES)
    counts = [(count, tags) for count, tags, _ in ours]
    turns = [one for one, _ in groupby(one for one in counts if set(one) <= {0, every})]
    assert all(count == every for count, tags in counts if tags < count), "none goes without the community"
    assert turns == [(every, 0), (every, every), (0, 0)], (
        "with the community, then gone; none was missing before"
    )
    assert {(count, tags) for count, tags, _ in others} == {(every, 0)}, "no other node has it"
    since = [
        since for count, _, since in ours if count
    ]  # BIRD counts it back from now: a millisecond more or less
    assert min(since) >= 0 and max(since) - min(since) < 0.1, "one session all the time"
    stack.restore()
    assert stack.objects() == before
    code, out = stack.bgpctl("cilium", "prepare", "--undo")
    assert code == 0, out
    assert not any("bgpctl" in one["metadata"]["name"] for one in stack.client.items(ADVERTISEMENTS))
    stack.client.delete(f"{ADVERTISEMENTS}/bgp")
    prepared(stack)


@contextmanager
def tagged(control: Path, protocol: str) -> Iterator[list[tuple[int, int, float]]]:
    """Twenty times a second, while it lasts: how many routes the router has over it, how many of them with
    GRACEFUL_SHUTDOWN, and the second of the day since which the session is established (-1 = it is not)."""
    seen: list[tuple[int, int, float]] = []
    over, bird = threading.Event(), Bird(control)

    def look() -> None:
        told = bird.ask(f"show route all protocol {protocol} table master4")
        line = next(one for one in bird.ask("show protocols").splitlines() if protocol in one)
        clock, word = line.split()[4:6]  # name, protocol, table, state, since, info, and why it is not up
        hours, minutes, seconds = clock.split(":")
        since = int(hours) * 3600 + int(minutes) * 60 + float(seconds) if word == "Established" else -1.0
        seen.append((told.count("BGP.next_hop"), told.count("(65535,0)"), since))

    def rounds() -> None:
        while not over.wait(0.05):
            look()

    look()
    thread = threading.Thread(target=rounds, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(5)


def test_what_only_looks(stack: Stack) -> None:
    code, out = stack.bgpctl("peers", "status")
    assert code == 0 and "all 2 sessions established" in out
    code, out = stack.bgpctl("node", "status")
    assert code == 0 and "in-service" in out
    code, out = stack.bgpctl("routes")
    assert code == 0, out
    code, out = stack.bgpctl("providers", "-o", "json")
    (found,) = json.loads(out)["providers"]
    assert (found["provider"], found["nodes"], found["lever"]) == ("cilium", 2, "withdraws")
    code, out = stack.bgpctl("node", "estimate", OTHER)
    assert code == 0 and "withdraws every route" in out
