"""`bgpctl preflight upgrade` against the embedded API, whose kubelets take their time for images."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.model import IPV4, IPV6, GracefulRestart
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from bgpctl.lab.stacks.cilium import documents
from tests.support.apiserver import running
from tests.support.cli import Ran, bgpctl, clean_environment, inside
from tests.support.node_states import peer, state
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

Document = dict[str, Any]

IMAGE = "quay.io/example/speaker:v2"
NODES = ("worker-1", "worker-2")
LABELS = {"app.kubernetes.io/name": "bgpctl-speaker"}
PULLERS = "app.kubernetes.io/name=bgpctl-preflight"
KNOWN = ("--peer-profile", "192.0.2.1=bird")


def speaking(node: str, restart_time: int = 120, ago: float = 30.0) -> NodeState:
    """A speaker that began `ago` seconds ago, with one session that was up 5 s later."""
    now = time.time()
    families = ((IPV4, True), (IPV6, True))
    ours = GracefulRestart(restart_time, False, True, families)
    one = peer(now, local_gr=ours, established_at=now - ago + 5)
    one = replace(one, configured_restart_time=restart_time)
    return state(node, now, one, started_at=now - ago)


def daemon_set(
    name: str = "bgpctl-speaker",
    labels: dict[str, str] = LABELS,
    container: str = "speaker",
    *,
    host_network: bool = True,
) -> Document:
    one = {"name": container, "image": "quay.io/example/speaker:v1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "bgp"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": host_network,
                    "containers": [one],
                    "imagePullSecrets": [{"name": "registry"}],
                },
            },
        },
    }


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running(start_delay=0.0) as api:
        api.apply(*crds())
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgp"}})
        for name in NODES:
            api.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
            api.apply(to_document(speaking(name)))
        api.images.seconds[IMAGE] = 0.5
        yield api


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    server.write_kubeconfig(tmp_path / "kubeconfig", server.person_token)
    return tmp_path / "kubeconfig"


def pods(server: ApiServer, namespace: str = "") -> list[Document]:
    return [
        pod
        for pod in server.objects("pods", namespace)
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == "bgpctl-preflight"
    ]


def preflight(kubeconfig: Path, *flags: str) -> Ran:
    return bgpctl("preflight", "upgrade", "--image", IMAGE, *flags, kubeconfig=kubeconfig)


def test_every_node_pulls_and_nothing_is_left(server: ApiServer, kubeconfig: Path) -> None:
    ran = preflight(kubeconfig, *KNOWN, "-o", "json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.document["status"] == "done" and ran.document["message"] == "2 of 2 nodes fit"
    one, other = ran.document["nodes"]
    assert (one["node"], other["node"]) == NODES
    assert one["pull"] == {"seconds": 0.5, "word": "reported", "how": "by its kubelet"}
    assert one["restart"]["seconds"] == pytest.approx(5, abs=1)
    assert one["restart"]["word"] == "reported"
    assert one["peers"][0]["seconds"] == 119
    assert pods(server) == []


def test_a_pull_slower_than_the_restart_time_does_not_fit(server: ApiServer, kubeconfig: Path) -> None:
    """The inverse: the same node, image and routers, with a Restart Time shorter than its pull."""
    server.images.seconds["worker-2", IMAGE] = 2.5
    for name in NODES:
        server.apply(to_document(speaking(name, restart_time=8)))
    ran = preflight(kubeconfig, *KNOWN)
    assert ran.code == 1, ran.out + ran.err
    told = " ".join(ran.out.split())
    assert "worker-1 fits 0.5 s reported" in told
    assert "worker-2 does not fit 2.5 s reported" in told
    assert "pull 2.5 s + restart 5 s = 7.5 s, and 192.0.2.1 keeps the routes for 7 s at least" in told
    assert "the image is on worker-2 now: run this again" in told
    assert f"an upgrade to {IMAGE} would lose routes on worker-2" in told
    assert pods(server) == []

    again = preflight(kubeconfig, *KNOWN)
    assert again.code == 0, "the image is there, and the pull is measured as an upgrade would find it"


def test_without_a_profile_the_routers_limit_is_unknown_and_nothing_fits(kubeconfig: Path) -> None:
    code, text = inside("preflight", "upgrade", "--image", IMAGE, kubeconfig=kubeconfig)
    told = " ".join(text.split())
    assert code == 1
    assert "(--peer-profile 192.0.2.1=NAME)" in told
    assert "0 of 2 nodes fit; unknown: worker-1, worker-2" in told


def test_an_image_that_no_registry_has(server: ApiServer, kubeconfig: Path) -> None:
    server.images.missing.add(IMAGE)
    ran = preflight(kubeconfig, *KNOWN)
    assert ran.code == 1
    assert "the image cannot be pulled: ErrImagePull: failed to pull" in " ".join(ran.out.split())
    assert pods(server) == []


def test_the_pods_have_no_rights_and_the_login_of_the_stacks_own(server: ApiServer, kubeconfig: Path) -> None:
    server.apply(daemon_set())
    eventually(lambda: len(server.objects("pods", "bgp")) == 2, why="the DaemonSet's pods")
    server.images.seconds[IMAGE] = 30.0
    with Process(kubeconfig, *KNOWN) as run:
        found = eventually(lambda: len(pods(server, "bgp")) == 2 and pods(server, "bgp"), why="two pods")
        spec = found[0]["spec"]
        assert {one["spec"]["nodeName"] for one in found} == set(NODES)
        assert spec["automountServiceAccountToken"] is False
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert spec["tolerations"] == [{"operator": "Exists"}]
        assert spec["containers"][0]["imagePullPolicy"] == "Always"
        assert "hostNetwork" not in spec and "volumes" not in spec
        run.end(signal.SIGINT)
    assert pods(server) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_removes_its_pods(server: ApiServer, kubeconfig: Path, number: int) -> None:
    server.images.seconds[IMAGE] = 30.0
    with Process(kubeconfig, *KNOWN) as run:
        eventually(lambda: len(pods(server)) == 2, why="two pods")
        code, told = run.end(number)
    assert code == 130 and "interrupted" in told
    assert pods(server) == []


def test_interrupted_while_a_creation_is_under_way(server: ApiServer, kubeconfig: Path) -> None:
    """The API server carries it out all the same, when we have looked already."""
    server.images.seconds[IMAGE] = 30.0
    server.faults.add(Fault("latency", "create", "pods", count=1, seconds=1.0))
    with Process(kubeconfig, *KNOWN) as run:
        eventually(lambda: server.faults.describe()["faults"][0]["left"] == 0, why="the order for a pod")
        code, _ = run.end(signal.SIGINT)
    assert code == 130
    throughout(lambda: pods(server) == [], 2.0, why="it was carried out, and removed")


def test_what_changed_while_it_pulled(server: ApiServer, kubeconfig: Path) -> None:
    server.images.seconds[IMAGE] = 3.0
    with Process(kubeconfig, *KNOWN) as run:
        eventually(lambda: len(pods(server)) == 2, why="two pods")
        server.apply(to_document(speaking("worker-2", restart_time=4)))
        code, told = run.finish()
    assert code == 1 and "worker-2 does not fit" in " ".join(told.split()), told


def test_killed_it_leaves_them_and_the_next_one_removes_them(server: ApiServer, kubeconfig: Path) -> None:
    server.images.seconds[IMAGE] = 30.0
    with Process(kubeconfig, *KNOWN) as run:
        left = eventually(lambda: len(pods(server)) == 2 and pods(server), why="two pods")
        run.end(signal.SIGKILL)
    assert len(pods(server)) == 2, "nobody could remove them: the test would notice"
    assert left[0]["spec"]["activeDeadlineSeconds"] <= 661, "its kubelet ends it"
    server.images.seconds[IMAGE] = 0.2
    ran = preflight(kubeconfig, *KNOWN)
    assert ran.code == 0 and "removed 2 pods that an earlier preflight left" in ran.err
    assert pods(server) == []


def test_time_is_up(server: ApiServer, kubeconfig: Path) -> None:
    server.images.seconds["worker-2", IMAGE] = 60.0
    ran = preflight(kubeconfig, *KNOWN, "--timeout", "3s")
    told = " ".join(ran.out.split())
    assert ran.code == 4, ran.out + ran.err
    assert "worker-1 fits" in told and "worker-2 unknown" in told
    assert "time was up on worker-2" in told
    assert pods(server) == []


def test_time_is_up_and_it_took_too_long_already(server: ApiServer, kubeconfig: Path) -> None:
    server.apply(to_document(speaking("worker-2", restart_time=7)))
    server.images.seconds["worker-2", IMAGE] = 60.0
    ran = preflight(kubeconfig, *KNOWN, "--timeout", "3s", "--nodes", "worker-2")
    assert ran.code == 4 and "worker-2 does not fit over 3" in " ".join(ran.out.split()).replace("3.", "3")


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        (("--nodes", "worker-1,worker-9"), 2, "node worker-9 does not exist"),
        (("--canary", "worker-9"), 2, "node worker-9 does not exist"),
        (("-l", "rack=9"), 2, "no node has the labels rack=9"),
        (("-l", "rack in"), 2, "rack in"),
        (("--nodes", "worker-1", "-l", "rack=9"), 2, "--nodes and --selector both choose nodes"),
        (("--peer-profile", "192.0.2.9=bird"), 2, "192.0.2.9: none of these nodes has such a peer"),
        (("--peer-profile", "192.0.2.1=nobody"), 2, "no router profile is called 'nobody'"),
        (("-n", "nowhere"), 2, "namespace nowhere does not exist"),
        (("--image", "Not an image"), 2, "'Not an image' is no name of an image"),
        (("--canary", "worker-1", *KNOWN), 3, "exactly one pod on worker-1 must speak BGP"),
        (("--canary", "worker-1"), 3, "a restart of the canary worker-1 may lose routes"),
    ],
)
def test_what_is_refused(
    server: ApiServer, kubeconfig: Path, flags: tuple[str, ...], code: int, told: str
) -> None:
    ended, text = inside("preflight", "upgrade", "--image", IMAGE, *flags, kubeconfig=kubeconfig)
    assert (ended, told in " ".join(text.split())) == (code, True), text
    assert pods(server) == []


def test_the_right_that_is_missing_is_named(server: ApiServer, kubeconfig: Path) -> None:
    server.rights = ("get *", "list *", "watch *", "delete pods")
    ran = preflight(kubeconfig, *KNOWN)
    assert ran.code == 3
    assert "the right to create pods in namespace kube-system is missing" in ran.err


def test_who_may_not_see_events_gets_an_estimate(server: ApiServer, kubeconfig: Path) -> None:
    server.rights = ("get *", "list nodes", "list pods", "list bgpnodestates*", "* pods")
    ran = preflight(kubeconfig, *KNOWN, "-o", "json")
    pull = ran.document["nodes"][0]["pull"]
    assert pull["word"] == "estimated" and pull["seconds"] >= 0.5, "not shorter than it was"
    assert ran.code == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("cut", "create", "pods", count=1),
        Fault("answer", "delete", "pods", count=2, code=500),
        Fault("answer", "list", "events", count=3, code=503),
    ],
    ids=["a pod of which nobody told", "no removal", "no events"],
)
def test_an_api_server_in_trouble(server: ApiServer, kubeconfig: Path, fault: Fault) -> None:
    server.faults.add(fault)
    ran = preflight(kubeconfig, *KNOWN)
    assert ran.code == 0, ran.out + ran.err
    assert pods(server) == []


def test_a_node_that_is_not_ready_is_unknown(server: ApiServer, kubeconfig: Path) -> None:
    server.apply(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "worker-2"},
            "status": {"conditions": [{"type": "Ready", "status": "False"}]},
        }
    )
    ran = preflight(kubeconfig, *KNOWN)
    assert ran.code == 1
    assert "the node is not Ready: no kubelet would pull it" in " ".join(ran.out.split())


def test_the_canary_is_restarted_and_measured(server: ApiServer, kubeconfig: Path) -> None:
    server.apply(daemon_set())
    (old,) = eventually(lambda: [p for p in speakers(server) if p["spec"]["nodeName"] == "worker-1"])
    with Process(kubeconfig, *KNOWN, "--canary", "worker-1", "-o", "json") as run:
        eventually(lambda: old["metadata"]["uid"] not in uids(server), deadline=20, why="it is restarted")
        again = speaking("worker-1", ago=0.0)
        again = replace(again, uid="another", started_at=time.time())
        server.apply(to_document(again))
        code, told = run.finish()
    assert code == 0, told
    document = Ran(code, told, "").document
    one, other = document["nodes"]
    assert document["canary"] == "worker-1"
    assert one["restart"]["word"] == "reported" and "restart of pod bgp/" in one["restart"]["how"]
    assert other["restart"]["word"] == "estimated" and other["restart"]["how"] == "as on the canary worker-1"
    assert uids(server) - {old["metadata"]["uid"]}, "its DaemonSet made another"
    assert not server.objects("leases", "kube-system")


def test_who_only_has_the_labels_is_not_asked(server: ApiServer, kubeconfig: Path) -> None:
    """Else his namespace would get the pods that pull, and his Secrets would be named in them."""
    server.apply(daemon_set(host_network=False))
    eventually(lambda: len(speakers(server)) == 2, why="somebody's pods")
    code, told = inside("preflight", "upgrade", "--image", IMAGE, *KNOWN, kubeconfig=kubeconfig)
    assert code == 0 and "pods in namespace kube-system" in told


def test_the_canary_does_not_come_back(server: ApiServer, kubeconfig: Path) -> None:
    server.apply(daemon_set())
    eventually(lambda: len(speakers(server)) == 2, why="the DaemonSet's pods")
    ran = preflight(kubeconfig, *KNOWN, "--canary", "worker-1", "--timeout", "4s")
    assert ran.code == 4 and "its sessions are not back (1 of 1 missing)" in " ".join(ran.err.split())
    assert not server.objects("leases", "kube-system")


# --- Cilium's agents ----------------------------------------------------------------------------------------


def cilium(node: str, established: float) -> Document:
    """What its agent has written of the session, as of then."""
    peer = {
        "name": "tor",
        "peerAddress": "192.0.2.1",
        "peerASN": 65000,
        "peeringState": "established",
        "establishedTime": datetime.fromtimestamp(established, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "timers": {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3},
    }
    config = documents.peer("tor", "192.0.2.1", "tor")
    return {
        "apiVersion": documents.API,
        "kind": "CiliumBGPNodeConfig",
        "metadata": {"name": node},
        "spec": {"bgpInstances": [{"name": "main", "localASN": 65001, "peers": [config]}]},
        "status": {"bgpInstances": [{"name": "main", "localASN": 65001, "peers": [peer]}]},
    }


@pytest.fixture
def agents(server: ApiServer) -> ApiServer:
    server.apply(documents.crd())
    server.apply(documents.peer_config("tor"), daemon_set("cilium", {"k8s-app": "cilium"}, "cilium-agent"))
    for name in NODES:
        server.apply(cilium(name, time.time() - 600))
    eventually(lambda: len(server.objects("pods", "bgp")) == 2, why="the agents' pods")
    return server


def test_ciliums_agents(agents: ApiServer, kubeconfig: Path) -> None:
    """Whether graceful restart was negotiated Cilium does not tell: without a router's word nothing fits."""
    flags = ("--provider", "cilium", *KNOWN)
    ran = preflight(kubeconfig, *flags)
    assert ran.code == 1 and "offers graceful restart is not told" in " ".join(ran.out.split())
    refused = preflight(kubeconfig, *flags, "--canary", "worker-1")
    assert refused.code == 3 and "--allow-route-loss" in refused.err

    (old,) = [pod for pod in agents.objects("pods", "bgp") if pod["spec"]["nodeName"] == "worker-1"]
    lifted = (*flags, "--canary", "worker-1", "--allow-route-loss", "-o", "json")
    with Process(kubeconfig, *lifted) as run:
        gone = old["metadata"]["uid"]
        eventually(
            lambda: gone not in {pod["metadata"]["uid"] for pod in agents.objects("pods", "bgp")},
            deadline=20,
            why="the agent is restarted",
        )
        time_of_return = time.time()
        assert run.runs, "what was established before does not count as back"
        agents.apply(cilium("worker-1", time_of_return + 1))
        code, told = run.finish()
    document = Ran(code, told, "").document
    one = document["nodes"][0]
    assert code == 1 and one["restart"]["word"] == "reported" and one["restart"]["seconds"] > 0
    assert one["verdict"] == "unknown", "how long it takes does not tell whether routes are kept"


def speakers(server: ApiServer) -> list[Document]:
    found = server.objects("pods", "bgp")
    return [pod for pod in found if pod["metadata"]["labels"] == LABELS and pod["spec"].get("nodeName")]


def uids(server: ApiServer) -> set[str]:
    return {pod["metadata"]["uid"] for pod in speakers(server)}


class Process:
    """A preflight while it runs. As a context manager it kills what still runs at the end."""

    def __init__(self, kubeconfig: Path, *flags: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bgpctl", "preflight", "upgrade", "--image", IMAGE, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if "json" not in flags else subprocess.DEVNULL,
            text=True,
            env=clean_environment(kubeconfig),
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def end(self, number: int) -> tuple[int, str]:
        self._process.send_signal(number)
        return self.finish()

    def finish(self) -> tuple[int, str]:
        out, _ = self._process.communicate(timeout=30)
        return self._process.returncode, out
