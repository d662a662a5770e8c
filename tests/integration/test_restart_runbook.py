"""`bgpctl speaker restart` on a lab: by a command, by deleting a pod, refused, failed, killed and resumed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.cluster import Lab
from tests.support import lab as kit
from tests.support.cli import Ran
from tests.support.running import Running
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE = "worker-1"
AGENTS = {"labelSelector": "app=node-agent", "fieldSelector": f"spec.nodeName={NODE}"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with kit.running(nodes=2) as started:
        yield started


@pytest.fixture
def flag() -> Iterator[Path]:
    """A file that the restart command makes: the test, whose children the speakers are, restarts then."""
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    yield directory / "restart"
    shutil.rmtree(directory)


def start(lab: Lab, *flags: str) -> Running:
    return Running(lab.kubeconfig, "speaker", "restart", NODE, *flags)


def restart_now(lab: Lab) -> None:
    """In this thread: children die with the thread that made them."""
    lab.speakers[0].stop()
    lab.speakers[0].start()


def no_gap(ran: Ran) -> dict[str, Any]:
    """The run's document, after checking what it claims."""
    assert ran.code == 0, ran.out + ran.err
    document = ran.document
    assert document["status"] == "done" and document["command"] == "speaker restart"
    (router,) = document["evidence"]["routers"]
    assert document["evidence"]["watched"] and router["looks"] > 5 and router["routes"] >= 2
    assert router["longestGapSeconds"] == 0 and router["gone"] == 0
    assert "no gap seen in" in document["message"]
    return document


def test_by_a_command(lab: Lab, flag: Path) -> None:
    before = lab.node_state(NODE)["startedAt"]
    with kit.watcher(lab) as eye, start(lab, "--restart-command", f"touch {flag}") as run:
        eventually(flag.exists, why="the command was run")
        restart_now(lab)
        document = no_gap(run.finish())
        assert eye.lowest(NODE, 0.0) == document["evidence"]["routers"][0]["routes"], (
            "an eye of our own saw no gap either"
        )
    assert document["proof"] == "confirmed"
    assert lab.node_state(NODE)["startedAt"] != before
    assert kit.journal(lab, NODE) is None
    assert kit.run_ok(lab, "node", "status", NODE, "-o", "json").document["nodes"][0]["inService"]


def test_by_deleting_its_pod(lab: Lab) -> None:
    """The lab's DaemonSet stands for the speaker's: its pod is deleted, and made anew by its controller."""
    (old,) = lab.client().items(kit.PODS, **AGENTS)
    with start(lab, "--pod-selector", "app=node-agent") as run:
        run.until("Restarted", "waiting")
        eventually(lambda: _uids(lab) - {old["metadata"]["uid"]}, why="another pod")
        restart_now(lab)
        no_gap(run.finish())
    assert old["metadata"]["uid"] not in _uids(lab)


def _uids(lab: Lab) -> set[str]:
    return {pod["metadata"]["uid"] for pod in lab.client().items(kit.PODS, **AGENTS)}


def test_a_restart_time_that_is_too_short_is_refused(lab: Lab, flag: Path) -> None:
    ran = kit.run(lab, "speaker", "restart", NODE, "--restart-command", f"touch {flag}", "--expect", "10m")
    assert ran.code == 3, ran.out + ran.err
    assert "keeps the routes for 120 s, and a restart may take 600 s" in ran.out
    assert "--allow-route-loss" in ran.out
    assert not flag.exists() and kit.journal(lab, NODE) is None


def test_a_drained_node_is_left_alone(lab: Lab, flag: Path) -> None:
    kit.run_ok(lab, "node", "drain", NODE, "--settle", "0")
    try:
        ran = kit.run(lab, "speaker", "restart", NODE, "--restart-command", f"touch {flag}")
        assert ran.code == 3 and "has the node" in ran.out and not flag.exists()
    finally:
        kit.run_ok(lab, "node", "restore", NODE)


def test_a_command_that_fails(lab: Lab, flag: Path) -> None:
    ran = kit.run(lab, "speaker", "restart", NODE, "--restart-command", "false")
    assert ran.code == 1 and "the restart command false ended with 1" in ran.out + ran.err
    seen = kit.run_ok(lab, "node", "status", NODE, "-o", "json").document["nodes"][0]
    assert (seen["service"], seen["running"]) == ("restart-stopped", False)
    assert "the restart command false ended with 1" in seen["stopped"]
    with start(lab, "--restart-command", f"touch {flag}") as run:
        eventually(flag.exists, deadline=30, why="it is tried again")
        restart_now(lab)
        no_gap(run.finish())


def test_killed_while_waiting_it_goes_on(lab: Lab, flag: Path) -> None:
    with start(lab, "--restart-command", f"touch {flag}") as first:
        first.until("Restarted", "waiting")
        first.kill()
    restart_now(lab)
    with start(lab, "--restart-command", "false", "--take-over") as second:
        ran = second.finish(60)
    assert ran.code == 0, ran.out + ran.err
    assert "the routers were not watched" in ran.document["message"], "it cannot know of the first half"
    assert not ran.document["evidence"]["watched"] and not ran.document.get("proof")
    assert kit.journal(lab, NODE) is None
