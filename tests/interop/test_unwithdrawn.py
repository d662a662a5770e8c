"""Routes that nobody withdrew: the speaker died with its sessions, and the node was taken out meanwhile.
However often it is started again, a drain does not say that nothing was announced while the router forwards
to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bgpctl.core.state import UNPROVED
from bgpctl.exabgp import control
from bgpctl.kube import paths
from bgpctl.lab import seed
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.cluster import Lab
from bgpctl.lab.stacks.speakers import Speaker
from bgpctl.speaker import places
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support.cli import Ran, bgpctl
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"
DEADLINE = 4


def drain(lab: Lab, *flags: str) -> Ran:
    """With a kubeconfig that says nothing about routers, as a real cluster's: only the clock decides."""
    document = yaml.safe_load(lab.kubeconfig.read_text())
    for context in document["contexts"]:
        del context["context"]["extensions"]
    silent = Path(f"{lab.kubeconfig}.silent")
    silent.write_text(yaml.safe_dump(document))
    return bgpctl("node", "drain", NODE, "-o", "json", "--settle", "0", *flags, kubeconfig=silent)


def look(lab: Lab) -> RouteState:
    return parse_probe(lab.router.probe()).routes_from(lab.address_of(NODE)).routes


def relabel(lab: Lab, value: str) -> None:
    lab.client().patch(f"{kit.NODES}/{NODE}", {"metadata": {"labels": {"enable-bgp": value}}})


def again(lab: Lab, end: Callable[[Speaker], None]) -> None:
    """End the speaker and start it; until the new one has seen what it needs."""
    speaker, before = lab.speakers[0], lab.node_state(NODE)["startedAt"]
    end(speaker)
    speaker.start()

    def reports() -> bool:
        state = lab.node_state(NODE)
        return bool(state["startedAt"] != before and state["phase"] != "Starting")

    eventually(reports, deadline=20, why=speaker.last_words())


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_a_router_that_still_forwards_is_not_forgotten_over_any_restart(kind: str) -> None:
    require(kind)
    with kit.running(kind, nodes=2) as lab:
        speaker = lab.speakers[0]
        speaker.kill()
        relabel(lab, "false")
        for end in (Speaker.stop, Speaker.kill, Speaker.stop):
            again(lab, end)
            state = lab.node_state(NODE)
            assert state["phase"] == "Idle" and UNPROVED in state["problems"]
            assert [peer["announced"] > 0 for peer in state["unwithdrawn"]] == [True]
            ran = drain(lab, "--timeout", "5")
            assert look(lab) is RouteState.STALE
            assert (ran.code, "proof" in ran.document) == (DEADLINE, False), ran.out
            assert "was seen started, and the one before it did not withdraw" in ran.document["message"]
        kit.run_ok(lab, "node", "restore", NODE)
        relabel(lab, "true")
        eventually(lambda: look(lab) is RouteState.PRESENT, deadline=20)
        lab.wait_ready()
        assert "problems" not in lab.node_state(NODE) and "unwithdrawn" not in lab.node_state(NODE)
        assert drain(lab).document["proof"] == "estimated" and look(lab) is RouteState.ABSENT


def _refused(code: int) -> Callable[[Lab], None]:
    def arm(lab: Lab) -> None:
        lab.api.faults.add(Fault("answer", "create|patch", "bgpnodestates(/status)?", code=code))

    return arm


def _unknown(lab: Lab) -> None:
    lab.client().delete(f"{kit.CRDS}/bgpnodestates.bgpctl.io")


def _solved(lab: Lab) -> None:
    lab.api.faults.clear()
    lab.api.apply(*seed.crds())


@pytest.mark.parametrize(
    ("kind", "broken"),
    [("bird", _refused(403)), ("frr", _refused(503)), ("bird", _unknown)],
    ids=("403", "503", "no CRD"),
)
def test_a_speaker_that_could_never_publish_a_word_is_remembered(
    kind: str, broken: Callable[[Lab], None]
) -> None:
    """What it had is known by its own disk, from the first route on."""
    require(kind)
    with kit.running(kind, nodes=2) as lab:
        speaker = lab.speakers[0]
        speaker.stop()
        shutil.rmtree(speaker.directory)
        lab.client().delete(paths.node_state(NODE))
        broken(lab)
        speaker.start()
        eventually(lambda: look(lab) is RouteState.PRESENT, deadline=20, why=speaker.last_words())
        engine = control.pid_in(speaker.directory / places.ENGINE)
        assert engine is not None
        speaker.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signal.SIGKILL)
        relabel(lab, "false")
        _solved(lab)
        assert lab.node_state(NODE) == {}, "not a word of it is in the cluster"

        speaker.start()
        eventually(lambda: lab.node_state(NODE).get("phase") == "Idle", deadline=20)
        state = lab.node_state(NODE)
        assert UNPROVED in state["problems"] and look(lab) is RouteState.STALE
        assert [peer["peerAddress"] for peer in state["unwithdrawn"]] == [lab.place.router_address]
        ran = drain(lab, "--timeout", "5")
        assert (ran.code, "proof" in ran.document) == (DEADLINE, False), ran.out
        assert "was seen started, and the one before it did not withdraw" in ran.document["message"]
        assert f"do not power off {NODE}: routers may still" in kit.run(lab, "node", "status", NODE).out
        assert f"{NODE}: {UNPROVED}" in kit.run(lab, "peers", "status").out


def _briefly(lab: Lab) -> int:
    """Routers keep its routes for three seconds, and it has announced that many."""
    policy = lab.client().get(kit.POLICY)
    neighbor = policy["spec"]["virtualRouters"][0]["neighbors"][0]
    neighbor["gracefulRestart"] = {"enabled": True, "restartTimeSeconds": 3}
    lab.client().replace(kit.POLICY, policy)
    for peer in lab.node_state(NODE)["peers"]:
        negotiated = peer["gracefulRestart"].get("local") or {}
        if negotiated.get("restartTimeSeconds") == 3 and peer.get("endOfRIBSent"):
            return int(peer["announced"])
    return 0


def test_what_a_stopped_speaker_had_is_what_went() -> None:
    require("bird")
    with kit.running("bird", nodes=2) as lab:
        had = eventually(lambda: _briefly(lab), deadline=20)
        lab.speakers[0].stop()
        assert look(lab) is RouteState.STALE
        ran = drain(lab)
        assert (ran.code, ran.document["proof"]) == (0, "estimated"), ran.out
        assert ran.document["evidence"]["routes"] == had and look(lab) is RouteState.ABSENT
        (shown,) = kit.run_ok(lab, "node", "status", NODE, "-o", "json").document["nodes"]
        assert (shown["service"], shown.get("selectedBy")) == ("drained", None)
