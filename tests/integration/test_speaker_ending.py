"""`bgpctl speaker run` is stopped: because its node goes away, or to be restarted. At a router that records
every message and would keep the routes of a silent close (graceful restart)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from tests.support import apiserver, bgppeer, clients, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NAME, NODE, ROUTER = "worker-1", "127.88.7.2", "127.88.7.1"
GRACEFUL = bytes.fromhex("0078" + "00010180" + "00020180")  # 120 s, IPv4 and IPv6, forwarding kept
POD = ip_network("10.244.1.0/24")


class Cluster:
    """The embedded API with one node, and its speaker."""

    def __init__(self, server: ApiServer, router: BgpPeer, place: Path) -> None:
        self.server, self.router, self.place = server, router, place
        self.api, self.kubeconfig = clients.client(server), place / "kubeconfig"
        server.write_kubeconfig(self.kubeconfig)
        graceful = {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 30}}
        neighbor = objects.neighbor(f"{router.address}/32", router.asn, peerPort=router.port, **graceful)
        server.apply(*crds())
        server.apply(objects.node(NAME), objects.policy(objects.router(neighbor)))

    @contextmanager
    def speaker(self, *more: str) -> Iterator[SpeakerProcess]:
        given = ("--node-name", NAME, "--source-address", NODE, "--kubeconfig", self.kubeconfig)
        speaker = SpeakerProcess(self.place / "speaker", *given, *more).start()
        try:
            eventually(lambda: POD in self.router.routes(), why=f"announced: {speaker.log}")
            eventually(lambda: self.state().get("phase") == "Running")
            yield speaker
        finally:
            speaker.end()

    def state(self) -> dict[str, Any]:
        found = self.api.find(paths.node_state(NAME)) or {}
        return dict(found.get("status") or {})

    def node(self, **changes: Any) -> None:
        self.api.patch(paths.node(NAME), changes)

    def conditions(self, *conditions: dict[str, Any]) -> None:
        self.api.patch(f"{paths.node(NAME)}/status", {"status": {"conditions": list(conditions)}})


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with (
        speakers.workplace() as place,
        BgpPeer(ROUTER, graceful_restart=GRACEFUL) as router,
        apiserver.running(controllers=False) as server,
    ):
        yield Cluster(server, router, place)


def deleted(cluster: Cluster) -> None:
    cluster.api.delete(paths.node(NAME))


def shutting_down(cluster: Cluster) -> None:
    message = {"reason": "KubeletNotReady", "message": "node is shutting down"}
    cluster.conditions({"type": "Ready", "status": "False", **message})


def removed(cluster: Cluster) -> None:
    cluster.node(spec={"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]})


def cordoned(cluster: Cluster) -> None:
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    cluster.node(spec={"unschedulable": True, "taints": [taint]})


def ill(cluster: Cluster) -> None:
    cluster.conditions({"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting"})


def unreachable(cluster: Cluster) -> None:
    """The API server is away, and the Node had been deleted a moment before: nobody can tell for good."""
    deleted(cluster)
    cluster.server.faults.add(Fault("answer", code=503))


def stop(speaker: SpeakerProcess) -> float:
    begun = time.monotonic()
    speaker.signal(signal.SIGTERM)
    assert speaker.wait(10) == 0
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (deleted, "the Node object was deleted"),
        (shutting_down, "the kubelet shuts the node down"),
        (removed, "cluster-autoscaler removes the node"),
    ],
)
def test_a_node_that_goes_away_withdraws_and_says_why(
    cluster: Cluster, sign: Callable[[Cluster], None], words: str
) -> None:
    router = cluster.router
    with cluster.speaker() as speaker:
        sign(cluster)
        took = stop(speaker)
        assert router.routes() == set() and router.sessions == 1
        (goodbye,) = router.of_kind(bgppeer.NOTIFICATION)
        assert goodbye.body[:2] == bytes([6, 2]) and words in goodbye.body.decode(errors="replace")
        last = [m for m in router.of_kind(bgppeer.UPDATE) if bgppeer.decode_update(m.body).withdrawn][-1]
        assert last.time <= goodbye.time
        assert took < 4.0
        assert speaker.processes() == {}
        state = cluster.state()
        assert state["phase"] == "Withdrawn" and words in state["withdrawn"]["reason"]
        assert [peer["flushed"] for peer in state["withdrawn"]["peers"]] == [True]
    assert "Traceback" not in speaker.log


def test_a_leave_needs_no_right_that_the_watches_do_not_need(cluster: Cluster) -> None:
    """Without `get nodes` every leave was a restart: the routes of a deleted node stayed."""
    router = cluster.router
    with cluster.speaker() as speaker:
        cluster.server.faults.add(Fault("answer", verb="get", resource="nodes", code=403))
        deleted(cluster)
        stop(speaker)
        assert router.routes() == set()
        assert b"the Node object was deleted" in router.of_kind(bgppeer.NOTIFICATION)[0].body


@pytest.mark.parametrize("sign", [lambda cluster: None, cordoned, ill, unreachable])
def test_a_restart_says_nothing(cluster: Cluster, sign: Callable[[Cluster], None]) -> None:
    """The inverse: the same stop, without a sign that the node goes away."""
    router = cluster.router
    with cluster.speaker() as speaker:
        sign(cluster)
        assert stop(speaker) < 5.0
        eventually(lambda: router.endings)
        assert router.of_kind(bgppeer.NOTIFICATION) == []
        assert not any(update.withdrawn for update in router.updates())
        assert speaker.processes() == {}


def test_a_node_object_that_is_deleted_and_comes_back_costs_nothing(cluster: Cluster) -> None:
    router = cluster.router
    with cluster.speaker() as speaker:
        deleted(cluster)
        speaker.says("what ran before stays; a stop withdraws it")
        cluster.server.apply(objects.node(NAME))
        eventually(lambda: not cluster.state().get("problems"))
        assert not any(update.withdrawn for update in router.updates())
        assert (router.sessions, router.endings) == (1, [])


def test_a_detached_engine_leaves_with_its_node_and_ends(cluster: Cluster) -> None:
    router = cluster.router
    with cluster.speaker("--engine", "detached") as speaker:
        stop(speaker)
        assert (router.endings, POD in router.routes()) == ([], True), "a restart touches nothing"
        again = SpeakerProcess(speaker.directory, *speaker.arguments).start()
        try:
            again.says("engine.adopted")
            assert cluster.state()["engineMode"] == "detached"
            eventually(lambda: cluster.state().get("phase") == "Running")
            deleted(cluster)
            assert stop(again) < 4.0
        finally:
            again.end()
        assert router.routes() == set() and router.sessions == 1
        assert router.of_kind(bgppeer.NOTIFICATION)[0].body[:2] == bytes([6, 2])
        assert again.processes() == {}
        assert cluster.state()["phase"] == "Withdrawn"


def test_the_owner_of_a_node_keeps_it_over_a_restart(cluster: Cluster) -> None:
    """An older policy that selects the node too, with another AS, is not chosen by the next speaker."""
    router = cluster.router
    older = objects.policy(objects.router(objects.neighbor("127.88.7.9/32"), asn=65009), name="a")
    with cluster.speaker() as speaker:
        assert cluster.state()["selectedByKind"] == "CiliumBGPPeeringPolicy"
        stop(speaker)
    cluster.server.apply(older)
    with cluster.speaker() as speaker:
        eventually(lambda: router.sessions == 2)
        speaker.says("a selects this node too and is ignored here")
        assert cluster.state()["selectedBy"] == "policy"
        assert b"\xfd\xe9" in router.of_kind(bgppeer.OPEN, 2)[0].body[1:3], "AS 65001, as before"


def test_a_router_that_does_not_read_cannot_hold_the_stop_up(cluster: Cluster) -> None:
    """Within the 30 s that Kubernetes gives a pod by default."""
    with cluster.speaker() as speaker:
        deleted(cluster)
        cluster.router.reading.clear()
        assert stop(speaker) < 10.0
        assert cluster.state()["phase"] == "Withdrawn"
