"""A node that a router knows by two addresses, two routers at one address, and a resumed drain that asks
another router than the first run did: none of it is "confirmed" (docs/confirmed.md has the table).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

import pytest

from bgpctl.lab.cluster import Lab
from bgpctl.lab.place import ROUTER_PORT
from bgpctl.lab.stacks.speakers import Speaker
from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support import misled
from tests.support.cli import Ran
from tests.support.misled import LATER, mislead
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"
DONE, BLOCKED, DEADLINE = 0, 3, 4


def drain(lab: Lab, *flags: str) -> Ran:
    """Withdraw-first: the routers are asked at once. Only their word counts."""
    order = ("--order", "withdraw-first", "--settle", "0", "--require-confirmed")
    return kit.run(lab, "node", "drain", NODE, "-o", "json", *order, *flags)


def look(probe: str, address: str) -> RouterAnswer:
    return parse_probe(probe).routes_from(address)


# --- the node had another address ---------------------------------------------------------------------------

WHO_KNOWS: Mapping[str, bool] = {"the Node": True, "its speaker": False}


@pytest.mark.parametrize("who", WHO_KNOWS)
def test_stale_routes_from_an_earlier_address_are_seen(who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The speaker is killed, and the node's next one has another source address. The router keeps what it had
    from the first one for the restart time; it has nothing from the second one any more."""
    require("frr")
    mislead(monkeypatch, "frr", misled.knows_both)
    with kit.running("frr", nodes=2) as lab:
        probe, before, now = lab.router.probe(), lab.address_of(NODE), str(lab.place.network + LATER)
        old = lab.speakers[0]
        old.kill()
        eventually(lambda: look(probe, before).routes is RouteState.STALE, deadline=20)
        if not WHO_KNOWS[who]:
            lab.client().patch(f"{kit.NODES}/{NODE}/status", {"status": {"addresses": []}})
        lab.speakers[0] = Speaker(NODE, now, old.directory, old.kubeconfig, old.next_hop)
        lab.speakers[0].start()
        eventually(lambda: look(probe, now).routes is RouteState.PRESENT, deadline=20)
        lab.wait_ready()

        ran = drain(lab, "--timeout", "5")
        assert ran.code == DEADLINE, ran.out
        assert f"from {before}: " in ran.document["message"]
        assert "still forwarding" in ran.document["message"]
        assert look(probe, now).routes is RouteState.ABSENT
        assert look(probe, before).routes is RouteState.STALE, "it was true"


# --- two routers at one address -----------------------------------------------------------------------------


def test_a_second_router_at_the_same_address_has_to_be_asked() -> None:
    require("frr")
    with kit.running("frr", nodes=2) as lab:
        first, node, address = lab.router.probe(), lab.address_of(NODE), lab.place.router_address
        with misled.same_address(lab, "frr") as (second_port, second):
            ran = drain(lab, "--router-probe", f"{first}@{address}")
            assert ran.code == BLOCKED, ran.out
            assert f"the node has 2 peers at {address} ({address}:{ROUTER_PORT}, " in ran.document["message"]

            one = ("--router-probe", f"{first}@{address}:{ROUTER_PORT}")
            ran = drain(lab, *one)
            assert ran.code == BLOCKED, ran.out
            assert f"none asks {address}:{second_port}" in ran.document["message"]
            assert look(second, node).routes is RouteState.PRESENT

            ran = drain(lab, *one, "--router-probe", f"{second}@[{address}]:{second_port}")
            assert (ran.code, ran.document["proof"]) == (DONE, "confirmed"), ran.out
            routers = {each["peer"]: each["routesBefore"] for each in ran.document["evidence"]["routers"]}
            assert set(routers) == {f"{address}:{ROUTER_PORT}", f"{address}:{second_port}"}
            assert all(routers.values())
            assert {look(probe, node).routes for probe in (first, second)} == {RouteState.ABSENT}


# --- another router in the next run -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["frr", "bird"])
def test_a_resumed_drain_does_not_take_another_routers_word(kind: str) -> None:
    """The first run saw the routes on the right router and gave up. The second one asks a router that has the
    node as a neighbor, and never had a session with it."""
    require(kind)
    with kit.running(kind, nodes=2) as lab, misled.idle_router(lab, kind, host=3) as (_, other):
        peer, right = lab.place.router_address, lab.router.probe()
        os.kill(lab.speakers[0].pid, signal.SIGSTOP)
        try:
            ran = drain(lab, "--router-probe", f"{right}@{peer}", "--timeout", "3")
            assert ran.code == DEADLINE, ran.out
        finally:
            os.kill(lab.speakers[0].pid, signal.SIGCONT)
        ran = drain(lab, "--router-probe", f"{other}@{peer}", "--timeout", "10")
        assert ran.code == BLOCKED, ran.out
        message = ran.document["message"]
        assert f"{other}" in message
        assert f"is not the router that showed the routes before ({right}" in message
        ran = drain(lab, "--router-probe", f"{right}@{peer}")
        assert (ran.code, ran.document["proof"]) == (DONE, "confirmed"), ran.out
