"""`bgpctl node drain` and `restore` against real routers, every one with graceful restart on, asserted at the
router by an eye of its own (polled every 50 ms), not by what bgpctl says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping

import pytest

from bgpctl.lab.cluster import Lab
from bgpctl.lab.watcher import Watcher
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = "worker-1", "worker-2"
REASON = "node leaves service (bgpctl)"
GONE_SECONDS = 1.0  # after the relabel: the bound
BACK_SECONDS = 20.0  # a node that returns at once; a lab's routers do not make it wait (bgp.md 3.8)


def test_a_drained_node_leaves_the_router_at_once_and_a_restored_one_comes_back(helper_kind: str) -> None:
    require(helper_kind)
    with kit.running(helper_kind, nodes=2) as lab, kit.watcher(lab) as eye:
        before = {node: eye.count(node) for node in lab.nodes}
        assert all(before.values())
        assert _graceful_restart(lab), "the promise is made for sessions with graceful restart"

        relabelled = _drain(lab, eye)

        gone = eye.first(NODE, relabelled, gone=True)
        assert gone is not None
        assert gone - relabelled <= GONE_SECONDS
        assert not [change for change in eye.of(NODE, relabelled) if change.stale], "a stale entry was seen"
        assert _routes(lab) is RouteState.ABSENT
        eventually(lambda: REASON in WORDS[helper_kind](lab), deadline=3, why="the router knows the reason")

        ran = kit.run_ok(lab, "node", "restore", NODE, "-o", "json", "--timeout", f"{BACK_SECONDS:g}")
        assert ran.document["status"] == "done"
        assert ran.document["proof"] == "confirmed"
        assert eye.count(NODE) > 0
        assert _routes(lab) is RouteState.PRESENT
        assert eye.lowest(OTHER, since=0) >= before[OTHER], "the other node lost routes"
        print(f"\n{helper_kind}: gone {gone - relabelled:.3f} s after the relabel")


def _drain(lab: Lab, eye: Watcher) -> float:
    """Run it; the epoch second of the relabel."""
    ran = kit.run_ok(lab, "node", "drain", NODE, "-o", "json", "--settle", "1")
    document = ran.document
    assert (document["status"], document["proof"]) == ("done", "confirmed")
    journal = kit.journal(lab, NODE)
    assert journal is not None
    assert document["evidence"]["secondsAfterRelabel"] <= GONE_SECONDS
    assert kit.pods_on(lab, NODE) == []
    assert eye.count(NODE) == 0
    return journal.marks["Relabelled"]


def _routes(lab: Lab) -> RouteState:
    return parse_probe(lab.router.probe()).routes_from(lab.address_of(NODE)).routes


def _graceful_restart(lab: Lab) -> bool:
    """Negotiated, by what both sides' OPEN said."""
    peer = lab.node_state(NODE)["peers"][0]
    return {"local", "peer"} <= peer["gracefulRestart"].keys()


# --- the router's own words about the last NOTIFICATION (RFC 9003) ------------------------------------------


def _log(name: str, subcode: str) -> Callable[[Lab], str]:
    """The lines of a log that are about an administrative shutdown."""

    def words(lab: Lab) -> str:
        lines = (lab.router.log_path.parent / name).read_text().splitlines()
        marked = [index for index, line in enumerate(lines) if subcode in line]
        return "\n".join("\n".join(lines[index : index + 2]) for index in marked)

    return words


def _frr(lab: Lab) -> str:
    """`show bgp neighbors … json`: FRR's log says nothing of it without debugging."""
    question = f"show bgp neighbors {lab.address_of(NODE)} json"
    argv = ("vtysh", "--vty_socket", str(lab.router.log_path.parent), "-c", question)
    said = subprocess.run(argv, capture_output=True, text=True, timeout=5, check=True).stdout
    neighbor = json.loads(said)[lab.address_of(NODE)]
    shut_down = neighbor.get("lastNotificationReason") == "Cease/Administrative Shutdown"
    return str(neighbor.get("lastShutdownDescription")) if shut_down else ""


WORDS: Mapping[str, Callable[[Lab], str]] = {
    "bird": _log("bird.log", "Administrative shutdown"),
    "frr": _frr,
    "gobgp": _log("output.log", '"Subcode":2'),
    "openbgpd": _log("output.log", "administratively down"),
}
