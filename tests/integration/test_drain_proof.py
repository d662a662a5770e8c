"""What a drain says about the routes, and by whose word: asked routers, silent ones, dead speakers, and the
guards that refuse before anything is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bgpctl.core.nodestate import timestamp
from bgpctl.lab.cluster import Lab
from tests.kit import lab as kit
from tests.kit.cli import Ran, bgpctl
from tests.kit.wait import eventually

pytestmark = pytest.mark.integration

NODE, OTHER = "worker-1", "worker-2"
STATE = f"/apis/bgpctl.io/v1alpha1/bgpnodestates/{NODE}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with kit.running(nodes=2) as started:
        yield started


@pytest.fixture
def silent(lab: Lab, tmp_path: Path) -> Path:
    """A kubeconfig that says nothing about routers, as a real cluster's."""
    document = yaml.safe_load(lab.kubeconfig.read_text())
    for context in document["contexts"]:
        del context["context"]["extensions"]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(autouse=True)
def in_service(lab: Lab) -> Iterator[None]:
    yield
    ran = kit.run(lab, "node", "restore", NODE)
    assert ran.code == 0, ran.out + ran.err


def drain(kubeconfig: Path, *flags: str) -> Ran:
    return bgpctl("node", "drain", NODE, "--settle", "0", "-o", "json", *flags, kubeconfig=kubeconfig)


def test_without_a_router_to_ask_it_waits_and_calls_it_estimated(silent: Path) -> None:
    ran = drain(silent)
    document = ran.document
    assert (ran.code, document["proof"]) == (0, "estimated")
    assert "estimated" in document["message"]
    assert "confirmed" not in ran.out
    step = next(step for step in document["steps"] if step["step"] == "Withdrawn")
    took = _seconds(step["endedAt"]) - _seconds(step["startedAt"])
    assert took >= document["evidence"]["worstSeconds"] - 0.5


def _seconds(text: str) -> float:
    return time.mktime(time.strptime(text.partition(".")[0], "%Y-%m-%dT%H:%M:%S"))


def test_a_router_that_cannot_be_asked_leaves_it_to_the_clock(silent: Path) -> None:
    ran = drain(silent, "--router-probe", "bird=/nonexistent/bird.ctl")
    assert (ran.code, ran.document["proof"]) == (0, "estimated")
    assert "cannot be asked" in ran.out


def test_a_dead_speaker_is_never_confirmed(lab: Lab, silent: Path) -> None:
    """Nobody withdraws: the routers' own timers end it, counted for a node that died."""
    _short_timers(lab)
    speaker = next(s for s in lab.speakers if s.node == NODE)
    speaker.kill()
    long_ago = timestamp(time.time() - 3600)
    lab.client().patch(f"{STATE}/status", {"status": {"heartbeatTime": long_ago}})
    try:
        ran = drain(silent)
    finally:
        speaker.start()
    assert (ran.code, ran.document["proof"]) == (0, "estimated")
    assert "silent" in ran.out
    assert "confirmed" not in ran.out
    eventually(lambda: lab.node_state(NODE)["heartbeatTime"] != long_ago, deadline=20)


def _short_timers(lab: Lab) -> None:
    policy = lab.client().get(kit.POLICY)
    neighbor = policy["spec"]["virtualRouters"][0]["neighbors"][0]
    neighbor.update(holdTimeSeconds=3, keepAliveTimeSeconds=1)
    neighbor["gracefulRestart"]["restartTimeSeconds"] = 2
    lab.client().replace(kit.POLICY, policy)

    def negotiated() -> bool:
        peers = lab.node_state(NODE)["peers"]
        return bool(peers) and peers[0]["timers"].get("appliedHoldTimeSeconds") == 3

    eventually(negotiated, deadline=20, why="the speaker follows the policy")
    lab.wait_ready()


def test_the_last_path_is_refused_before_anything_is_changed(lab: Lab) -> None:
    _select(lab, OTHER, "false")
    before = kit.node(lab, NODE)
    refused = kit.run(lab, "node", "drain", NODE)
    assert refused.code == 3
    assert "203.0.113.10" in refused.out
    assert "--allow-last-path" in refused.out
    assert kit.node(lab, NODE) == before
    allowed = drain(lab.kubeconfig, "--allow-last-path")
    assert (allowed.code, allowed.document["proof"]) == (0, "confirmed")
    kit.run_ok(lab, "node", "restore", NODE)
    _select(lab, OTHER, "true")


def _select(lab: Lab, name: str, value: str) -> None:
    lab.client().patch(f"{kit.NODES}/{name}", {"metadata": {"labels": {"enable-bgp": value}}})
    phase = "Running" if value == "true" else "Withdrawn"
    eventually(lambda: lab.node_state(name)["phase"] == phase, why=f"{name} is {phase}")
