"""What an intent says of one target towards one peer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import compile_intent
from bgpctl.core.intent.explaining.verdict import (
    NO_CANDIDATE,
    NO_SESSION,
    NOTHING_IN_FORCE,
    UNREADABLE,
    Target,
    Verdict,
    verdict,
    without_session,
)
from bgpctl.core.model import Absent, Attributes, Intent, Route
from bgpctl.core.policy.nodeconfig import Source
from tests.support import objects as kit
from tests.support.changing import NAME
from tests.support.intents import PEER, world

WEB, OTHER = ip_network("203.0.113.1/32"), ip_network("203.0.113.9/32")
ORIGIN = "Service default/web"
TARGET, UNADDRESSED = Target(ORIGIN, WEB), Target(ORIGIN, None)
INTENT = compile_intent(world(kit.service("other", "203.0.113.77")), NAME)


def route(prefix: Any, origin: str = ORIGIN) -> Route:
    return Route(ip_network(prefix), Attributes(next_hop=ip_address("192.0.2.11")), origin)


def having(*routes: Route, absent: tuple[Absent, ...] = (), problems: tuple[str, ...] = ()) -> Intent:
    table = {one.prefix: one for one in routes}
    return replace(INTENT, routes={PEER: table}, absent=absent, problems=problems)


def test_its_own_route() -> None:
    own = route("203.0.113.1/32")
    assert verdict(having(own), TARGET, PEER) == Verdict(route=own)
    assert verdict(having(own), TARGET, PEER).there and not Verdict("x").there


@pytest.mark.parametrize(
    ("prefix", "origin", "there"),
    [
        ("203.0.113.0/24", f"Service a/b, {ORIGIN}", True),
        ("128.0.0.0/1", ORIGIN, True),
        ("0.0.0.0/0", ORIGIN, True),
        ("203.0.113.0/24", "Service a/b", False),
        ("203.0.112.0/24", ORIGIN, False),
    ],
)
def test_a_shorter_route_that_stands_for_it(prefix: str, origin: str, there: bool) -> None:
    assert verdict(having(route(prefix, origin)), TARGET, PEER).there is there


def test_without_an_address_any_route_of_its_own_will_do() -> None:
    own = route("203.0.113.9/32")
    assert verdict(having(route("10.0.0.0/8", "PodCIDR"), own), UNADDRESSED, PEER).route == own
    waits = Absent(ORIGIN, None, "noLoadBalancerIP", "no address yet")
    found = verdict(having(own, absent=(waits,)), UNADDRESSED, PEER)
    assert (found.reason, found.there) == ("noLoadBalancerIP", False), "another one is waited for"
    elsewhere = Absent("Service a/b", None, "noLoadBalancerIP", "no address yet")
    assert verdict(having(own, absent=(elsewhere,)), UNADDRESSED, PEER).there


def test_the_first_absence_of_its_own() -> None:
    absent = (
        Absent("Service a/b", WEB, "headless", "another's"),
        Absent(ORIGIN, WEB, "headless", "to another peer", peer="65001/192.0.2.9"),
        Absent(ORIGIN, OTHER, "headless", "of another address"),
        Absent(ORIGIN, WEB, "noEndpoints", "it has none", peer=PEER),
        Absent(ORIGIN, WEB, "headless", "to every peer"),
    )
    found = verdict(having(absent=absent), TARGET, PEER)
    assert found == Verdict("noEndpoints", "it has none", prefix=WEB)
    assert verdict(having(absent=absent[:3]), TARGET, PEER).reason == NO_CANDIDATE


def test_that_it_has_no_address_goes_before_what_is_wrong_with_another() -> None:
    absent = (Absent(ORIGIN, OTHER, "headless", "b"), Absent(ORIGIN, None, "noLoadBalancerIP", "a"))
    found = verdict(having(absent=absent), UNADDRESSED, PEER)
    assert (found.reason, found.prefix) == ("noLoadBalancerIP", None)
    assert verdict(having(absent=absent[:1]), UNADDRESSED, PEER).prefix == OTHER


def test_an_object_that_was_left_out() -> None:
    problem = f"{ORIGIN} was left out: it is malformed"
    found = verdict(having(problems=("Service a/b was left out: x", problem)), TARGET, PEER)
    assert found == Verdict(UNREADABLE, problem, prefix=WEB)


@pytest.mark.parametrize(
    ("target", "detail"),
    [
        (TARGET, f"{ORIGIN} has no address of a type that is advertised here"),
        (Target("PodCIDR", WEB, Source.POD_CIDR), "203.0.113.1/32 is not of node worker-1"),
        (Target("CiliumPodIPPool x", None, Source.POD_POOL), "CiliumPodIPPool x is not of node worker-1"),
    ],
)
def test_nobody_thought_of_it(target: Target, detail: str) -> None:
    assert verdict(having(), target, PEER) == Verdict(NO_CANDIDATE, detail, prefix=target.prefix)


def test_a_node_that_no_policy_selects() -> None:
    out = compile_intent(world(kit.service(), node=kit.node(labels={})), NAME)
    assert verdict(out, TARGET, PEER).reason == "notSelected"
    silent = replace(out, absent=())
    assert verdict(silent, TARGET, PEER).detail == "no policy selects node worker-1"
    told = replace(
        out, absent=(Absent("PodCIDR", None, "headless", "x"), Absent("PodCIDR", None, "notSelected", "y"))
    )
    assert verdict(told, TARGET, PEER).detail == "y"


def test_a_policy_of_which_nothing_is_in_force() -> None:
    broken = kit.policy(kit.router(kit.neighbor(holdTimeSeconds=1)))
    found = verdict(compile_intent(world(policies=[broken]), NAME), TARGET, PEER)
    assert found.reason == NOTHING_IN_FORCE and found.prefix == WEB and "holdTimeSeconds" in found.detail


@pytest.mark.parametrize(
    ("problems", "peer", "detail"),
    [
        ((), "x", "what is in force names no such peer"),
        (
            ("peer x: no session, because a", "peer y: no session, because b"),
            "x",
            "peer x: no session, because a",
        ),
        (("instance main was left out: a", "Service x"), "x", "instance main was left out: a"),
        (("peer x: its session is slow",), "x", "what is in force names no such peer"),
    ],
)
def test_a_peer_without_a_session(problems: tuple[str, ...], peer: str, detail: str) -> None:
    assert verdict(having(problems=problems), TARGET, peer) == Verdict(NO_SESSION, detail, prefix=WEB)


def test_towards_any_peer() -> None:
    """Announced when one of them is told; else what the first is not told."""
    two = [kit.policy(kit.router(kit.neighbor(), kit.neighbor("127.0.0.9/32")))]
    intent = compile_intent(world(policies=two), NAME)
    first, second = (peer.name for peer in intent.peers)
    own = route("203.0.113.1/32")
    assert verdict(replace(intent, routes={first: {}, second: {WEB: own}}), TARGET).route == own
    absent = tuple(Absent(ORIGIN, WEB, name, name, peer=name) for name in (second, first))
    assert verdict(replace(intent, routes={first: {}, second: {}}, absent=absent), TARGET).reason == first
    nobody = replace(intent, peers=(), routes={}, problems=("peer a: no session, because x",))
    assert verdict(nobody, TARGET).detail == "peer a: no session, because x"
    assert verdict(replace(nobody, problems=()), TARGET).detail == "what is in force names no peer"


def test_the_peers_that_have_no_session() -> None:
    problems = (
        "peer b: no session, because x",
        "peer a: slow",
        "peer b: no session, because y",
        "peer c d: no session, because z",
    )
    assert without_session(having(problems=problems)) == ("b", "c d")
