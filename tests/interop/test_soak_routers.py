"""RFC 8326 at FRR, which listens to GRACEFUL_SHUTDOWN by itself: traffic has moved before a route goes. With
the N bit on both sides, which a node asks for in an annotation too (RFC 8538)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Synced
from bgpctl.core.model import Attributes, Intent, Route
from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION, GRACEFUL_SHUTDOWN_SOAK
from bgpctl.core.timing.soak import shut_down
from bgpctl.lab.cluster import Lab
from bgpctl.witness.frr import Vty
from tests.support import lab as kit
from tests.support.engines import engine, peer
from tests.support.require import require
from tests.support.routers import Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = "worker-1", "worker-2"
SOAK_SECONDS = 2.0


@contextmanager
def eye(directory: str, prefix: str) -> Iterator[list[tuple[float, dict[str, Any]]]]:
    """FRR's paths to a prefix, every 20 ms: (epoch seconds, the path of each neighbor)."""
    seen: list[tuple[float, dict[str, Any]]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            with Vty(directory) as bgpd:
                seen.append((time.time(), paths(bgpd, prefix)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def paths(bgpd: Vty, prefix: str) -> dict[str, Any]:
    answer = bgpd.ask(f"show bgp ipv4 unicast {prefix} json")
    return {path["peer"]["peerId"]: path for path in answer.get("paths", ())}


def best(table: dict[str, Any]) -> str:
    return next(name for name, path in table.items() if path.get("bestpath", {}).get("overall"))


def test_a_drain_moves_traffic_first() -> None:
    require("frr")
    with kit.running("frr", nodes=2) as lab:
        ours, theirs = lab.address_of(NODE), lab.address_of(OTHER)
        directory = str(lab.router.log_path.parent)
        prefix = shared(lab, directory)
        annotations = {GRACEFUL_SHUTDOWN_SOAK: f"{SOAK_SECONDS:g}s", GRACEFUL_NOTIFICATION: "true"}
        lab.client().patch(f"{kit.NODES}/{NODE}", {"metadata": {"annotations": annotations}})
        eventually(lambda: lab.node_state(NODE).get("gracefulShutdown") and notified(lab))
        lab.wait_ready()
        wide = kit.run_ok(lab, "peers", "status", NODE, "-o", "wide").out
        assert re.search(r"120 s R N F\(ipv4\) +120 s (R )?N +yes", wide), wide
        assert "local: peer configuration changed (bgpctl)" in wide
        told = kit.run_ok(
            lab, "node", "estimate", NODE, "--peer-profile", f"{lab.router.spec.address}=frr"
        ).out
        assert "After a soak of 2 s" in told and "then a Hard Reset ends the session" in told
        assert "Without the N bit up to" in told
        with eye(directory, prefix) as seen:
            ran = kit.run_ok(lab, "node", "drain", NODE, "--settle", "0s")
        assert "traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326)" in ran.out + ran.err

        soaking = [at for at, table in seen if ours in table and decided(table[ours])]
        assert soaking, "FRR never saw GRACEFUL_SHUTDOWN"
        assert soaking[-1] - soaking[0] >= SOAK_SECONDS - 0.2
        moved = [table for at, table in seen if at in soaking]
        assert all(best(table) == theirs and not multipath(table[ours]) for table in moved)
        assert not any(ours in table for at, table in seen if at > soaking[-1] + 0.5)
        assert all(theirs in table for _, table in seen)
        assert last_notification(directory, ours) == (
            "Cease/Administrative Shutdown",
            True,
            "node leaves service (bgpctl)",
        )
        record = lab.node_state(NODE)["withdrawn"]
        assert record["observedTime"] <= record["gracefulShutdownTime"] < record["sentTime"]


def notified(lab: Lab) -> bool:
    """Did both OPENs have the N bit?"""
    restart = lab.node_state(NODE)["peers"][0].get("gracefulRestart", {})
    return all(restart.get(side, {}).get("notification") for side in ("local", "peer"))


def last_notification(directory: str, neighbor: str) -> tuple[object, ...]:
    """What FRR found in it, was it in a Hard Reset, and the operator's words."""
    with Vty(directory) as bgpd:
        view = bgpd.ask(f"show bgp neighbors {neighbor} json")[neighbor]
    keys = ("lastNotificationReason", "lastNotificationHardReset", "lastShutdownDescription")
    return tuple(view.get(key) for key in keys)


def decided(path: dict[str, Any]) -> bool:
    """Has FRR read GRACEFUL_SHUTDOWN, and chosen with that?"""
    return path.get("locPrf") == 0 and not path.get("processScheduled")


def multipath(path: dict[str, Any]) -> bool:
    """Does FRR forward to it?"""
    return bool(path.get("multipath") or path.get("bestpath", {}).get("overall"))


def shared(lab: Lab, directory: str) -> str:
    """A prefix that both nodes announce."""

    def found() -> str:
        with Vty(directory) as bgpd:
            table = bgpd.ask("show bgp ipv4 unicast json")["routes"]
        both = [p for p, entries in table.items() if len({e.get("peerId") for e in entries}) == 2]
        return min(both, default="")

    return eventually(found)


def test_to_our_own_as_the_local_preference_is_0(workshop: Workshop) -> None:
    require("frr")
    lab = workshop.router("frr", nodes=1, internal=True)
    spec, node = lab.router.spec, lab.nodes[0]
    one = peer(
        spec.address,
        spec.port,
        spec.asn,
        node.address,
        local_asn=spec.asn,
        router_id=ip_address(node.address),
    )
    prefix = ip_network("10.9.1.0/24")
    intent = Intent("n", True, "policy", (one,), {one.name: {prefix: Route(prefix, Attributes())}})
    with engine() as eng:
        eng.perform(Configure((one,)))
        for stage, preference in ((intent, 100), (shut_down(intent), 0)):
            eng.perform(Announce(one.name, stage.routes[one.name][prefix].attributes, (prefix,)))
            eng.perform(Synced((one.name,)))
            eventually(lambda p=preference: _preference(lab.probe.target, str(prefix)) == p)  # type: ignore[attr-defined]


def _preference(directory: str, prefix: str) -> int | None:
    with Vty(directory) as bgpd:
        (path, *_) = [*paths(bgpd, prefix).values(), {}]
    return path.get("locPrf")
