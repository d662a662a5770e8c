"""A node that Calico runs leaves and comes back: a real BIRD per node and a real BIRD as the router, which
keeps routes over a lost session. What confd and calico-node do is emulated (`bgpctl/lab/stacks/calico`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.calico import bird, nodestatus, states
from bgpctl.core.calico.leave import FILTER
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from bgpctl.lab.stacks.bird import Bird
from bgpctl.lab.stacks.calico import documents
from bgpctl.lab.stacks.calico.client import played
from bgpctl.lab.stacks.calico.documents import PLURALS, V1, V3, notes, peer, pool
from bgpctl.lab.stacks.calico.node import CalicoNode
from bgpctl.lab.stacks.rounds import at_work
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe
from tests.support import apiserver, clients, objects
from tests.support.birdctl import Bird as Control
from tests.support.cli import inside
from tests.support.kinds import KINDS
from tests.support.require import require
from tests.support.routers import PORT, ROUTER_ASN, Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = NAMES = ("worker-1", "worker-2")
BLOCK, SERVICE = "10.20.1.0/24", "203.0.113.7/32"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@dataclass
class Stack:
    """Two nodes that Calico runs, and their router."""

    server: ApiServer
    client: Client
    probe: Probe
    kubeconfig: Path
    api: str
    addresses: dict[str, str] = field(default_factory=dict)
    engines: dict[str, Bird] = field(default_factory=dict)

    @property
    def asked(self) -> tuple[str, str]:
        return "--router-probe", f"{self.probe.kind}={self.probe.target}"

    def paths_of(self, node: str) -> set[str]:
        found = self.probe.routes_from(self.addresses[node]).paths
        return {str(path.prefix) for path in found if not path.stale}

    def has(self, node: str) -> RouteState:
        return self.probe.routes_from(self.addresses[node]).routes

    def objects(self) -> dict[str, Any]:
        """All that a run writes, without what only the API server counts."""
        found = {}
        plurals = [p for p in PLURALS.values() if p != "caliconodestatuses"]
        for base in (paths.NODES, *(f"/apis/{self.api}/{plural}" for plural in plurals)):
            for one in self.client.items(base):
                head = {k: v for k, v in one["metadata"].items() if v and k in ("labels", "annotations")}
                found[f"{base}/{one['metadata']['name']}"] = (head, one.get("spec"))
        return found

    def bgpctl(self, *arguments: str) -> tuple[int, str]:
        return inside(*arguments, kubeconfig=self.kubeconfig)

    def document(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out = self.bgpctl(*arguments, "-o", "json")
        return code, json.loads(out.splitlines()[-1] if arguments[1] in ("drain", "restore") else out)

    def restore(self, *more: str) -> None:
        code, back = self.document("node", "restore", NODE, *self.asked, "--timeout", "40", *more)
        assert (code, back["status"], back.get("proof")) == (0, "done", "confirmed"), json.dumps(back)

    def session(self) -> str:
        """How the router names its session with the node: what it is, and since when."""
        line = next(
            one
            for one in Control(Path(self.probe.target)).ask("show protocols").splitlines()
            if "node1" in one
        )
        return " ".join(line.split()[-3:])


@contextmanager
def cluster(
    *more: dict[str, Any], router: str = "bird", api: str = V3, split: bool = True
) -> Iterator[Stack]:
    """`more`: Calico's objects beside the BGPPeers."""
    require(router)
    require("bird")
    with ExitStack() as inside_of:
        patch = inside_of.enter_context(pytest.MonkeyPatch.context())
        workshop = inside_of.enter_context(Workshop.running())
        server = inside_of.enter_context(apiserver.running())
        patch.setattr(nodestatus, "PERIOD_SECONDS", 1)
        patch.setattr(nodestatus, "WRITING_SECONDS", 0.5)
        patch.setattr(states, "LAG", 1.5)
        lab = workshop.router(router)
        spec = lab.router.spec
        server.apply(*KINDS, *documents.crds(api))
        addresses = dict(zip(NAMES, (one.address for one in lab.nodes), strict=True))
        asns = dict(zip(NAMES, (one.asn for one in lab.nodes), strict=True))
        for name, address in addresses.items():
            told = {**READY, "addresses": [{"type": "InternalIP", "address": address}]}
            labels = {"kubernetes.io/hostname": name, "bgp": "yes"}
            server.apply(
                objects.node(name, labels=labels, annotations=notes(address, asns[name]), status=told)
            )
        server.apply(documents.configuration(api=api), *more)
        ip = f"{spec.address}:{PORT}"
        if split:
            server.apply(
                peer("tor-1", ip, ROUTER_ASN, api=api, node=NODE, maxRestartTime="12s"),
                peer("tor-2", ip, ROUTER_ASN, api=api, nodeSelector=f"kubernetes.io/hostname == '{OTHER}'"),
            )
        else:
            server.apply(peer("tor", ip, ROUTER_ASN, api=api, nodeSelector="bgp == 'yes'"))
        client = clients.client(server)
        kubeconfig = workshop.directory / "kubeconfig"
        kubeconfig.write_text(server.kubeconfig())
        made = Stack(server, client, lab.probe, kubeconfig, api, addresses)
        agents = []
        for name in NAMES:
            engine = Bird(workshop.directory / name)
            inside_of.callback(engine.stop)
            engine.start()
            made.engines[name] = engine
            agents.append(CalicoNode(client, name, engine, lambda: ((SERVICE,), (BLOCK,)), PORT, api, hold=9))
        inside_of.enter_context(at_work(*agents))
        hidden = any(one["spec"].get("disableBGPExport") for one in more)
        wanted = {SERVICE} if hidden else {SERVICE, BLOCK}
        for name in NAMES:
            eventually(lambda name=name: made.paths_of(name) == wanted, 30)
        yield made


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with cluster(pool("pods", "10.0.0.0/8")) as made:
        yield made


def prepared(stack: Stack) -> None:
    code, out = stack.bgpctl("calico", "prepare")
    assert code == 0, out
    told = f"/apis/{stack.api}/caliconodestatuses"
    eventually(lambda: all((one.get("status") or {}).get("bgp") for one in stack.client.items(told)), 10)


def test_looking_writes_nothing_and_tells_what_a_drain_would_do(stack: Stack) -> None:
    prepared(stack)
    before = stack.objects()
    code, planned = stack.document("node", "drain", NODE, "--dry-run", *stack.asked)
    assert (code, planned["status"]) == (0, "planned"), planned
    told = {step["step"]: step["text"] for step in planned["steps"]}
    assert (
        told["Deselected"] == f"let BGPPeer tor-1 announce nothing (BGPFilter {FILTER}), its session stays up"
    )
    assert "on Calico's own BIRD nobody tried it" in told["Checked"]
    assert "asked twice (confirmed)" in told["Withdrawn"]
    eventually(lambda: "all 2 sessions established" in stack.bgpctl("peers", "status")[1], 10)
    code, out = stack.bgpctl("node", "status")
    assert code == 0 and "in-service" in out
    code, out = stack.bgpctl("providers", "-o", "json")
    (found,) = json.loads(out)["providers"]
    assert (found["provider"], found["nodes"], found["lever"]) == ("calico", 2, "withdraws")
    code, out = stack.bgpctl("node", "estimate", NODE, "-o", "json")
    worst = {one["event"]: one["worstSeconds"] for one in json.loads(out)["estimates"]}
    assert code == 0 and worst["deselect"] == 5 and worst["power-off"] == 240 + 12
    code, out = stack.bgpctl("routes")
    assert "cannot be told from outside" in out
    assert stack.objects() == before


def test_without_a_router_it_is_blocked_and_goes_on_with_one(stack: Stack) -> None:
    """What Calico's BIRD sent it does not tell; that the session is up the CalicoNodeStatus does."""
    prepared(stack)
    before, session = stack.objects(), stack.session()
    code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "30")
    assert (code, drained["status"]) == (3, "blocked"), drained
    assert (
        "its BGP stack does not say whether it did" in drained["message"]
        and "--router-probe" in drained["hint"]
    )
    eventually(lambda: stack.has(NODE) is RouteState.ABSENT, 5)
    stack.restore()
    assert (stack.session(), stack.objects()) == (session, before)


def test_its_bird_asked_itself_reports_that_nothing_is_left(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of a real BIRD 2, which birdcl would print in calico-node's pod."""
    prepared(stack)
    monkeypatch.setattr(stack.server, "commands", played(stack.engines))
    before, session = stack.objects(), stack.session()
    stack.server.apply(documents.daemonset())
    where = {"labelSelector": "k8s-app=calico-node"}
    eventually(lambda: len(stack.client.items(paths.PODS, **where)) == 2, 10)
    code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "30")
    assert code == 3 and stack.has(NODE) is RouteState.ABSENT, "its BIRD was started a moment ago"
    monkeypatch.setattr(bird, "RECOVERY_SECONDS", 0.0)
    code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "30")
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "reported"), drained
    assert "birdcl in pod kube-system/calico-node" in drained["message"]
    stack.restore()
    assert (stack.session(), stack.objects()) == (session, before)


def test_what_a_lost_run_left_is_found_and_brought_back(stack: Stack) -> None:
    prepared(stack)
    before = stack.objects()
    code, _ = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
    assert code == 0
    gone = {"bgpctl.io/run": None, "bgpctl.io/leave": None}
    stack.client.patch(paths.node(NODE), {"metadata": {"annotations": gone}, "spec": {"unschedulable": None}})
    stack.client.delete(paths.lease("kube-system", f"bgpctl-node-{NODE}"))
    code, status = stack.document("node", "status", NODE)
    assert (code, status["nodes"][0]["service"]) == (1, "withdrawn"), status
    assert f"{NODE}: withdrawn by bgpctl" in stack.bgpctl("providers")[1]
    code, out = stack.bgpctl("calico", "prepare", "--undo")
    assert code == 3 and f"bgpctl node restore {NODE}" in out
    code, back = stack.document("node", "restore", NODE, *stack.asked, "--timeout", "40")
    assert code == 0, back
    eventually(lambda: stack.paths_of(NODE) == {SERVICE, BLOCK}, 10)
    assert stack.objects() == before


def test_a_filter_that_goes_while_nodes_are_out_is_noticed(stack: Stack) -> None:
    prepared(stack)
    before = stack.objects()
    code, _ = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
    assert code == 0
    path = f"/apis/{stack.api}/bgpfilters/{FILTER}"
    stack.client.delete(path)
    eventually(lambda: stack.paths_of(NODE) == {SERVICE, BLOCK}, 10)
    (row,) = stack.document("node", "status", NODE)[1]["nodes"]
    assert row["service"] == "announces-again", row
    code, again = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0", "--timeout", "5")
    assert code != 0 and "bgpctl calico prepare" in json.dumps(again), again
    prepared(stack)
    code, again = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
    assert (code, again.get("proof")) == (0, "confirmed"), again
    stack.restore()
    assert stack.objects() == before


def test_undone_nothing_of_it_is_left_and_a_drain_says_what_is_missing(stack: Stack) -> None:
    code, out = stack.bgpctl("calico", "prepare", "--undo")
    assert code == 0, out
    assert stack.client.items(f"/apis/{stack.api}/bgpfilters") == []
    assert stack.client.items(f"/apis/{stack.api}/caliconodestatuses") == []
    before = stack.objects()
    code, refused = stack.document("node", "drain", NODE, *stack.asked)
    assert (code, refused["status"]) == (3, "blocked")
    assert "bgpctl calico prepare makes it" in refused["message"]
    code, out = stack.bgpctl("peers", "status")
    assert code == 1 and "bgpctl calico prepare" in out, out
    assert stack.objects() == before
    assert stack.bgpctl("calico", "prepare", "--dry-run")[0] == 0
    assert stack.objects() == before


def test_without_a_status_the_router_tells_of_the_session(stack: Stack) -> None:
    """The BGPFilter is enough for a drain with a router, and for its restore."""
    prepared(stack)
    for name in NAMES:
        stack.client.delete(f"/apis/{stack.api}/caliconodestatuses/{nodestatus.name_for(name)}")
    session = stack.session()
    code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
    assert (code, drained.get("proof")) == (0, "confirmed"), drained
    stack.restore()
    assert stack.session() == session


# --- other clusters -----------------------------------------------------------------------------------------


def test_in_the_crds_of_its_datastore_with_frr_as_the_router() -> None:
    with cluster(pool("pods", "10.0.0.0/8", api=V1), router="frr", api=V1) as stack:
        prepared(stack)
        before = stack.objects()
        code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
        assert (code, drained.get("proof")) == (0, "confirmed"), drained
        assert stack.has(NODE) is RouteState.ABSENT and stack.paths_of(OTHER) == {SERVICE, BLOCK}
        answer = stack.probe.routes_from(stack.addresses[NODE])
        assert answer.session == "established"
        stack.restore()
        assert stack.objects() == before


def test_a_peer_that_nodes_share_is_refused_and_a_label_closes_it() -> None:
    with cluster(pool("pods", "10.0.0.0/8"), split=False) as stack:
        prepared(stack)
        stack.server.commands = played(stack.engines)
        stack.server.apply(documents.daemonset())
        before = stack.objects()
        code, refused = stack.document("node", "drain", NODE, *stack.asked)
        assert (code, refused["status"]) == (3, "blocked")
        assert f"BGPPeer tor is shared with {OTHER} (nodeSelector bgp == 'yes')" in refused["message"]
        assert stack.objects() == before
        (row,) = json.loads(stack.bgpctl("providers", "-o", "json")[1])["providers"]
        assert row["lever"] == "nothing" and "more than one node has BGPPeer tor" in row["why"]
        label = ("--deselect-label", "bgp=no")
        code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0", *label)
        assert (code, drained.get("proof")) == (0, "confirmed"), drained
        assert stack.has(NODE) is RouteState.ABSENT and stack.paths_of(OTHER) == {SERVICE, BLOCK}
        assert stack.document("node", "status", NODE)[1]["nodes"][0]["service"] == "drained"
        stack.restore()
        assert stack.objects() == before


def test_where_no_pool_is_announced_the_exclude_label_withdraws_everything() -> None:
    with cluster(pool("pods", "10.0.0.0/8", disableBGPExport=True), split=False) as stack:
        before, session = stack.objects(), stack.session()
        code, planned = stack.document("node", "drain", NODE, "--dry-run", *stack.asked)
        told = {step["step"]: step["text"] for step in planned["steps"]}
        assert told["Deselected"] == f"label {EXCLUDE}=true"
        code, drained = stack.document("node", "drain", NODE, *stack.asked, "--settle", "0")
        assert (code, drained.get("proof")) == (0, "confirmed"), drained
        assert stack.has(NODE) is RouteState.ABSENT and stack.paths_of(OTHER) == {SERVICE}
        assert stack.session() == session
        assert stack.document("node", "status", NODE)[1]["nodes"][0]["service"] == "drained"
        stack.restore()
        assert stack.objects() == before


def test_a_change_that_resets_the_session_would_be_seen(stack: Stack) -> None:
    """The harness notices what the filter does not do."""
    session = stack.session()
    path = f"/apis/{stack.api}/bgppeers/tor-1"
    stack.client.patch(path, {"spec": {"maxRestartTime": "13s"}})
    eventually(lambda: stack.session() != session, 10)
    stack.client.patch(path, {"spec": {"maxRestartTime": "12s"}})
    eventually(lambda: "Established" in stack.session() and stack.paths_of(NODE) == {SERVICE, BLOCK}, 20)
