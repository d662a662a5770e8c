"""Real routers that look as if a node's routes were gone, or as if they were the router that was meant: what
`bgpctl node drain` says of each (docs/confirmed.md has the table). A real speaker, the embedded API."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.lab import seed
from bgpctl.lab.cluster import Lab
from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support import misled
from tests.support.cli import Ran
from tests.support.misled import mislead
from tests.support.require import require
from tests.support.router_paths import paths
from tests.support.routers import Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = "worker-1", "worker-2"
FAST = ("-o", "json", "--settle", "0")
DONE, BLOCKED, DEADLINE = 0, 3, 4


def drain(lab: Lab, *flags: str) -> Ran:
    return kit.run(lab, "node", "drain", NODE, *FAST, *flags)


def look(lab: Lab, node: str = NODE) -> RouterAnswer:
    return parse_probe(lab.router.probe()).routes_from(lab.address_of(node))


def prior(lab: Lab) -> Any:
    """What a drain that is refused leaves as it was."""
    found = kit.node(lab, NODE)
    return found["metadata"]["labels"], found["metadata"].get("annotations"), found["spec"]


def never_seen(ran: Ran) -> None:
    """Out of service, but by the clock: the router never showed what it was to lose."""
    assert ran.code == DONE, ran.out
    assert ran.document["proof"] == "estimated"
    (missing,) = ran.document["evidence"]["missing"]
    assert re.search(r"was never seen to have a route of this node: is it the right one\?$", missing)
    assert "confirmed by" not in ran.out


# --- the right neighbor, another table ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", misled.ANOTHER_TABLE)
def test_a_session_whose_routes_are_in_another_table_is_never_confirmed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VRF (GoBGP), a second RIB (OpenBGPD): established with the right router, and nothing to be seen."""
    require(kind)
    mislead(monkeypatch, kind, misled.ANOTHER_TABLE[kind])
    with kit.running(kind, nodes=2) as lab:
        seen = look(lab)
        assert (seen.routes, seen.session, seen.local) == (
            RouteState.ABSENT,
            "established",
            lab.place.router_address,
        )
        never_seen(drain(lab))
        strict = drain(lab, "--require-confirmed", "--timeout", "3")
        assert strict.code == DEADLINE, strict.out
        assert "--require-confirmed waits for a router's word" in strict.out


def test_a_neighbor_of_another_instance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """FRR with the node in a view of its own: the instance that is asked knows nobody."""
    require("frr")
    mislead(monkeypatch, "frr", misled.frr_view)
    with kit.running("frr", nodes=2) as lab:
        before = prior(lab)
        ran = drain(lab)
        assert ran.code == BLOCKED
        assert f"router has no neighbor {lab.address_of(NODE)}" in ran.document["message"]
        assert prior(lab) == before


def test_a_table_that_bird_names_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    require("bird")
    mislead(monkeypatch, "bird", misled.bird_table)
    with kit.running("bird", nodes=2) as lab:
        assert look(lab).routes is RouteState.PRESENT
        ran = drain(lab)
        assert (ran.code, ran.document["proof"], look(lab).routes) == (DONE, "confirmed", RouteState.ABSENT)


# --- a range of neighbors -----------------------------------------------------------------------------------


def test_a_dynamic_neighbor_is_confirmed_by_a_router_that_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """FRR with `bgp listen range`: after the Cease it has no such neighbor."""
    require("frr")
    mislead(monkeypatch, "frr", misled.DYNAMIC["frr"])
    with kit.running("frr", nodes=2) as lab:
        ran = drain(lab, "--require-confirmed", "--timeout", "20")
        assert (ran.code, ran.document["proof"]) == (DONE, "confirmed"), ran.out
        assert (look(lab).routes, look(lab).session) == (RouteState.ABSENT, "none")


def test_a_required_confirmation_is_refused_where_the_router_will_not_know_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GoBGP with `dynamic-neighbors`."""
    require("gobgp")
    mislead(monkeypatch, "gobgp", misled.DYNAMIC["gobgp"])
    with kit.running("gobgp", nodes=1) as lab:
        before = prior(lab)
        ran = drain(lab, "--require-confirmed", "--allow-last-path", "--allow-address-gap")
        assert ran.code == BLOCKED, ran.out
        assert "forgets a dynamic neighbor with its session" in ran.document["message"]
        assert prior(lab) == before


# --- a router that takes nothing ----------------------------------------------------------------------------


def test_an_import_filter_that_takes_nothing_is_never_confirmed(
    helper_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mislead(monkeypatch, helper_kind, misled.TAKES_NOTHING[helper_kind])
    with kit.running(helper_kind, nodes=2) as lab:
        seen = look(lab)
        assert (seen.routes, seen.session) == (RouteState.ABSENT, "established")
        never_seen(drain(lab))


# --- another router -----------------------------------------------------------------------------------------


def test_another_router_that_knows_the_node_is_refused_and_another_node_does_not_count(
    helper_kind: str,
) -> None:
    """Two routers, both with sessions and routes of the node; then the right probes, and who still announces
    the Service."""
    with kit.running(helper_kind, nodes=2) as lab, misled.second_router(lab, helper_kind) as (address, probe):
        before, first = prior(lab), lab.place.router_address
        wrong = f"{probe}@{first}"
        ran = drain(lab, "--router-probe", wrong, "--router-probe", f"{probe}@{address}")
        assert ran.code == BLOCKED, ran.out
        sentence = f"its session with this node is from {address}, not {first}: another router?"
        assert sentence in ran.document["message"]
        assert prior(lab) == before

        right = ("--router-probe", f"{lab.router.probe()}@{first}", "--router-probe", f"{probe}@{address}")
        ran = drain(lab, *right)
        assert (ran.code, ran.document["proof"]) == (DONE, "confirmed"), ran.out
        service = ip_network(f"{seed.WEB_VIP}/32")
        for one in (lab.router.probe(), probe):
            left = paths(parse_probe(one), service)
            assert {path.neighbor for path in left} == {lab.address_of(OTHER)}


# --- several paths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", misled.ADD_PATH)
def test_a_prefix_is_there_until_its_last_path_is_gone(
    kind: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """add-path (RFC 7911): one withdrawal of two leaves a route that forwards."""
    require(kind)
    mislead(monkeypatch, kind, misled.ADD_PATH[kind])
    lab = workshop.router(kind)
    speaker = workshop.speaker(lab, add_path=True)
    paths = lambda: lab.probe.routes_from(lab.nodes[0].address).paths  # noqa: E731
    speaker.start()
    for number in (1, 2):
        speaker.announce("10.9.1.0/24", path=number)
    eventually(lambda: len(paths()) == 2)
    speaker.withdraw("10.9.1.0/24", path=1)
    eventually(lambda: len(paths()) == 1)
    assert lab.probe.routes_from(lab.nodes[0].address).routes is RouteState.PRESENT
    speaker.withdraw("10.9.1.0/24", path=2)
    eventually(lambda: lab.probe.routes_from(lab.nodes[0].address).routes is RouteState.ABSENT)
