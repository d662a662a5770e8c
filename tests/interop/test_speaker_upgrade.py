"""`bgpctl speaker upgrade` on a lab with a real BIRD, which keeps the routes meanwhile; and what is refused.

The lab's speakers are processes. Here a DaemonSet stands for them: whenever it has a new pod on a node, that
node's speaker is restarted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bgpctl.lab.cluster import Lab
from tests.support import lab as kit
from tests.support.cli import Ran
from tests.support.require import require
from tests.support.running import Running
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

Document = dict[str, Any]

LABELS = {"app.kubernetes.io/name": "bgpctl-speaker"}
DAEMON_SET = "/apis/apps/v1/namespaces/kube-system/daemonsets/bgpctl-speaker"
OLD, NEW = "quay.io/example/speaker:v1", "quay.io/example/speaker:v2"
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
NODES = ("worker-1", "worker-2")


@pytest.fixture
def lab() -> Iterator[Lab]:
    require("bird")
    with kit.running("bird", nodes=2) as started:
        started.api.images.seconds[NEW] = 0.3
        started.api.apply(daemon_set())
        eventually(lambda: len(pods(started)) == 2, why="its pods")
        yield started


def daemon_set() -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "bgpctl-speaker", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "updateStrategy": ROLLING,
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "hostNetwork": True,
                    "containers": [{"name": "speaker", "image": OLD}],
                    "terminationGracePeriodSeconds": 0,
                },
            },
        },
    }


def pods(lab: Lab) -> dict[str, Document]:
    """Of the DaemonSet, by node."""
    found = lab.client().items(kit.PODS, labelSelector="app.kubernetes.io/name=bgpctl-speaker")
    return {pod["spec"]["nodeName"]: pod for pod in found if not pod["metadata"].get("deletionTimestamp")}


def images(lab: Lab) -> dict[str, str]:
    return {node: pod["spec"]["containers"][0]["image"] for node, pod in pods(lab).items()}


def strategy(lab: Lab) -> Document:
    found: Document = lab.client().get(DAEMON_SET)
    return found


def upgrade(lab: Lab, *flags: str) -> Running:
    return Running(lab.kubeconfig, "speaker", "upgrade", "--image", NEW, *flags)


def follow(lab: Lab, run: Running, deadline: float = 90.0) -> Ran:
    """Restart the speaker of each new pod, in this thread: children die with the thread that made them."""
    seen = {node: pod["metadata"]["uid"] for node, pod in pods(lab).items()}

    def ended() -> bool:
        for node, pod in pods(lab).items():
            if pod["metadata"]["uid"] != seen.get(node):
                assert strategy(lab)["spec"]["updateStrategy"] == {"type": "OnDelete"}
                seen[node] = pod["metadata"]["uid"]
                restart(lab, node)
        return run.ended

    eventually(ended, deadline, why="the upgrade ends")
    return run.finish()


def restart(lab: Lab, node: str) -> None:
    speaker = next(one for one in lab.speakers if one.node == node)
    speaker.stop()
    speaker.start()


def pullers(lab: Lab) -> list[Document]:
    return lab.client().items(kit.PODS, labelSelector="app.kubernetes.io/name=bgpctl-preflight")


def test_bird_keeps_every_route_while_all_speakers_are_upgraded(lab: Lab) -> None:
    with kit.watcher(lab, 0.1) as eye, upgrade(lab) as run:
        routes, began = {node: eye.count(node) for node in NODES}, time.time()
        ran = follow(lab, run)
        for node in NODES:
            assert routes[node] and eye.lowest(node, began) >= routes[node], "a route left"
    assert ran.code == 0, ran.out + ran.err
    assert ran.document["message"] == f"every speaker runs {NEW}; no router lost a route"
    assert ran.document["proof"] == "confirmed"
    assert images(lab) == dict.fromkeys(NODES, NEW)
    after = strategy(lab)
    assert after["spec"]["updateStrategy"] == ROLLING
    assert "bgpctl.io/upgrade" not in after["metadata"].get("annotations", {})
    assert pullers(lab) == [] and kit.journal(lab, "worker-1") is None

    again = kit.run_ok(lab, "speaker", "upgrade", "--image", NEW)
    assert f"every speaker runs {NEW}" in again.out, "there is nothing left to do"


def test_one_node_then_the_rest(lab: Lab) -> None:
    plan = kit.run_ok(lab, "speaker", "upgrade", "--image", NEW, "--dry-run")
    assert "worker-2" in plan.out and "nothing was changed" in plan.out
    assert images(lab) == dict.fromkeys(NODES, OLD) and strategy(lab)["spec"]["updateStrategy"] == ROLLING

    lab.api.images.seconds[NEW] = 30.0
    with upgrade(lab) as run:
        eventually(lambda: len(pullers(lab)) == 2, why="both nodes pull")
        run.interrupt()
        ran = run.finish()
    assert ran.code == 130 and "the DaemonSet was not changed" in ran.document["hint"], ran.out + ran.err
    assert pullers(lab) == [] and strategy(lab)["spec"]["updateStrategy"] == ROLLING
    lab.api.images.seconds[NEW] = 0.3

    with upgrade(lab, "--nodes", "worker-1") as run:
        ran = follow(lab, run)
    assert ran.code == 0, ran.out + ran.err
    assert "worker-2 keeps the old one, and the DaemonSet stays at OnDelete" in ran.document["message"]
    assert images(lab) == {"worker-1": NEW, "worker-2": OLD}
    assert strategy(lab)["spec"]["updateStrategy"] == {"type": "OnDelete"}

    with upgrade(lab) as run:
        ran = follow(lab, run)
    assert ran.code == 0, ran.out + ran.err
    assert strategy(lab)["spec"]["updateStrategy"] == ROLLING, "what it was before the first run"


def test_a_restart_time_that_is_too_short_is_refused(lab: Lab) -> None:
    ran = kit.run(lab, "speaker", "upgrade", "--image", NEW, "--expect", "10m")
    assert ran.code == 3, ran.out + ran.err
    assert "keeps the routes for 120 s, and a restart may take 600 s" in " ".join(ran.out.split())
    assert images(lab) == dict.fromkeys(NODES, OLD), "no pod was deleted"
    assert strategy(lab)["spec"]["updateStrategy"] == ROLLING, "nor was the DaemonSet changed"


def test_preflight_by_what_bird_says_and_the_last_restart(lab: Lab) -> None:
    """That BIRD helps, and has no limit of its own, it says itself: the lab's kubeconfig names its socket."""
    for node in NODES:
        restart(lab, node)
    lab.wait_ready()
    fits = kit.run(lab, "preflight", "upgrade", "--image", NEW, "-o", "json")
    assert fits.code == 0, fits.out + fits.err
    assert all(0 < one["restart"]["seconds"] < 60 for one in fits.document["nodes"])
    shorter_restart_time(lab, 2)
    lab.api.images.seconds[NEW] = 3.0
    lab.api.images.there.clear()
    short = kit.run(lab, "preflight", "upgrade", "--image", NEW)
    assert short.code == 1, short.out + short.err
    assert "keeps the routes for 1 s at least (our Restart Time)" in " ".join(short.out.split())
    assert pullers(lab) == []


def shorter_restart_time(lab: Lab, seconds: int) -> None:
    policy = lab.client().get(kit.POLICY)
    neighbor = policy["spec"]["virtualRouters"][0]["neighbors"][0]
    neighbor["gracefulRestart"] = {"enabled": True, "restartTimeSeconds": seconds}
    lab.client().replace(kit.POLICY, policy)

    def told() -> bool:
        peers = [peer for node in NODES for peer in lab.node_state(node)["peers"]]
        return all(peer["configured"].get("restartTimeSeconds") == seconds for peer in peers)

    eventually(told, deadline=20, why="the speakers follow the policy")
    lab.wait_ready()


def test_it_stops_at_the_first_node_that_does_not_come_back_and_goes_on(lab: Lab) -> None:
    """Its pod is made anew, and nobody speaks in it."""
    with upgrade(lab) as run:
        eventually(lambda: images(lab).get("worker-1") == NEW, deadline=30, why="its pod is another one")
        run.interrupt()
        ran = run.finish()
    assert ran.code == 130 and "updateStrategy OnDelete" in ran.document["hint"], ran.out + ran.err
    with upgrade(lab, "--timeout", "6s") as run:
        ran = run.finish(60)
    assert ran.code == 4, ran.out + ran.err
    document = ran.document
    assert document["message"].startswith("worker-1: ") and "1 more keep the old image" in document["message"]
    assert "the DaemonSet keeps updateStrategy OnDelete" in document["hint"]
    assert images(lab) == {"worker-1": NEW, "worker-2": OLD}, "the next node was not touched"
    restart(lab, "worker-1")
    with upgrade(lab) as run:
        ran = follow(lab, run)
    assert ran.code == 0, ran.out + ran.err
    assert images(lab) == dict.fromkeys(NODES, NEW) and strategy(lab)["spec"]["updateStrategy"] == ROLLING


def test_it_stops_at_the_first_route_that_a_router_lost(lab: Lab) -> None:
    """The inverse: no graceful restart, and nobody minds."""
    policy = lab.client().get(kit.POLICY)
    policy["spec"]["virtualRouters"][0]["neighbors"][0]["gracefulRestart"] = {"enabled": False}
    lab.client().replace(kit.POLICY, policy)
    eventually(
        lambda: "restartTimeSeconds" not in lab.node_state("worker-1")["peers"][0]["configured"],
        deadline=20,
        why="the speaker follows the policy",
    )
    lab.wait_ready()
    refused = kit.run(lab, "speaker", "upgrade", "--image", NEW)
    assert refused.code == 3 and "graceful restart is not negotiated" in " ".join(refused.out.split())
    with upgrade(lab, "--allow-route-loss") as run:
        ran = follow(lab, run)
    assert ran.code == 3, ran.out + ran.err
    assert "worker-1: a router lost routes" in ran.document["message"]
    assert images(lab) == {"worker-1": NEW, "worker-2": OLD}


def test_what_is_refused(lab: Lab) -> None:
    for flags, code, told in (
        (("--nodes", "worker-9"), 2, "node worker-9 does not exist"),
        (("--nodes", ","), 2, "names no node"),
        (("--container", "sidecar"), 2, "has no container sidecar"),
        (("--namespace", "elsewhere"), 3, "exactly one DaemonSet must run the speakers"),
        (("--image", "no image"), 2, "'no image' is no name of an image"),
    ):
        ran = kit.run(lab, "speaker", "upgrade", "--image", NEW, *flags)
        assert (ran.code, told in " ".join((ran.err + ran.out).split())) == (code, True), ran.out + ran.err
    lab.api.images.missing.add(NEW)
    ran = kit.run(lab, "speaker", "upgrade", "--image", NEW)
    assert ran.code == 3 and "ErrImagePull" in ran.out and "no speaker was restarted" in ran.out
    assert strategy(lab)["spec"]["updateStrategy"] == ROLLING and pullers(lab) == []
