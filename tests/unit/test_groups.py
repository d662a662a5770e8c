"""The routes of one peer in groups that fare alike: who else announces them, and what they serve."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.drain.vips import Vip
from bgpctl.core.model import IPV4, IPV6, Route, Session, SessionState
from bgpctl.core.timing.failures import RouteClass
from bgpctl.core.timing.groups import Announced, Group, Own, untold

WEB, API, PODS = ip_network("203.0.113.1/32"), ip_network("203.0.113.2/32"), ip_network("10.244.1.0/24")
SIX = ip_network("2001:db8::1/128")
TOR, OTHER = "192.0.2.1", "192.0.2.2"
N = {n: ip_address(f"10.0.0.{n}") for n in range(1, 6)}


def vip(prefix: Any, *nodes: str, local: bool = False, owner: str = "web", **endpoints: int) -> Vip:
    return Vip(prefix, (f"Service default/{owner}",), local, frozenset(nodes), endpoints)


def announced(*vips: Vip, **sessions: Any) -> Announced:
    return Announced(vips, sessions)


@pytest.mark.parametrize(
    ("nodes", "sessions", "hops"),
    [
        (("n1", "n2"), {"n1": {TOR: N[1]}, "n2": {TOR: N[2]}}, (2, 1)),
        (("n1", "n2"), {"n1": {TOR: N[3]}, "n2": {TOR: N[2]}}, (2, 2)),
        (("n1", "n2", "n3"), {"n1": {TOR: N[3]}, "n2": {TOR: N[2]}, "n3": {TOR: N[4]}}, (3, 2)),
        (("n1", "n2"), {"n1": {TOR: N[1]}, "n2": {OTHER: N[2]}}, (1, 1)),
        (("n1", "n2"), {"n1": {TOR: N[1]}}, (1, 1)),
        (("n1", "n2"), {"n1": {TOR: N[1]}, "n2": {TOR: None}}, (2, None)),
        (("n1", "n2"), {"n1": {TOR: None}, "n2": {TOR: N[2]}}, (2, None)),
        (("n1", "n2"), {"n1": {TOR: N[1]}, "n2": {TOR: N[1]}}, (2, None)),
        # It would be one more, at a place that nobody knows.
        (("n2",), {"n1": {TOR: N[1]}, "n2": {TOR: N[2]}}, (2, None)),
        (("n1", "n2"), {"n1": {OTHER: N[1]}, "n2": {TOR: N[2]}}, (2, None)),
        (("n1", "n2"), {"n2": {TOR: N[2]}}, (2, None)),
        ((), {"n1": {TOR: N[1]}}, (1, None)),
    ],
)
def test_how_many_next_hops_a_router_has_and_which_one_the_node_is(
    nodes: tuple[str, ...], sessions: Any, hops: tuple[int, int | None]
) -> None:
    assert announced(vip(WEB, *nodes), **sessions).next_hops(WEB, TOR, "n1") == hops


def test_ipv4_next_hops_stand_before_those_of_ipv6() -> None:
    six, four = {TOR: ip_address("2001:db8::1")}, {TOR: ip_address("192.0.2.99")}
    found = announced(vip(WEB, "n1", "n2"), n1=six, n2=four)
    assert found.next_hops(WEB, TOR, "n1") == (2, 2) and found.next_hops(WEB, TOR, "n2") == (2, 1)


@pytest.mark.parametrize(
    ("nodes", "elsewhere"), [(("n1", "n2"), True), (("n2",), True), (("n1",), False), ((), False)]
)
def test_whether_another_node_announces_it(nodes: tuple[str, ...], elsewhere: bool) -> None:
    assert announced(vip(WEB, *nodes)).elsewhere(WEB, "n1") is elsewhere
    assert announced().elsewhere(WEB, "n1") is False


def own(*vips: Vip, **routes: Any) -> Own:
    return Own("n1", routes, {one.prefix: one for one in vips})


def of(owner: str) -> Route:
    return Route(WEB, origin=f"Service default/{owner}")


def test_routes_by_what_a_failure_does_to_them() -> None:
    web = vip(WEB, "n1", "n2", n1=1, n2=2)
    api = vip(API, "n1", "n2", local=True, owner="api", n2=3)
    six = vip(SIX, "n1", owner="six", n1=1)
    sessions = {"n1": {TOR: N[1]}, "n2": {TOR: N[2]}}
    routes = {API: of("api"), SIX: of("six"), PODS: Route(PODS, origin="PodCIDR"), WEB: of("web")}
    found = own(web, api, six, tor=routes).grouped("tor", TOR, announced(web, api, six, **sessions))
    assert found == (
        Group(IPV4, RouteClass.POD_CIDR, 1, 1, None, elsewhere=False),
        Group(IPV4, RouteClass.CLUSTER, 1, 2, 1, True, ("default/web",), 3),
        Group(IPV6, RouteClass.CLUSTER, 1, 1, 1, False, ("default/six",), 1),
        Group(IPV4, RouteClass.LOCAL, 1, 2, 1, True, ("default/api",), 0),
    ), "of Local ones only the endpoints of the node count, and it has none"


def test_a_service_with_two_addresses_has_its_endpoints_once() -> None:
    both = [vip(one, "n1", n1=4) for one in (WEB, API)]
    (found,) = own(*both, tor={WEB: of("web"), API: of("web")}).grouped("tor", TOR, announced(*both))
    assert (found.prefixes, found.services, found.endpoints, found.of_each) == (2, ("default/web",), 4, 4)
    others = [both[0], vip(API, "n1", owner="api", n1=1)]
    (found,) = own(*others, tor={WEB: of("web"), API: of("api")}).grouped("tor", TOR, announced(*others))
    assert (found.services, found.endpoints, found.of_each) == (("default/api", "default/web"), 5, None)


def test_an_address_of_which_nothing_else_is_known_is_a_route_all_the_same() -> None:
    (found,) = own(tor={WEB: of("web")}).grouped("tor", TOR, announced())
    assert found == Group(IPV4, RouteClass.CLUSTER, 1, 1, None, elsewhere=False)
    assert own(tor={WEB: of("web")}).grouped("other", OTHER, announced()) == ()


@pytest.mark.parametrize(
    ("session", "groups"),
    [
        ({}, [(None, None)]),
        ({"families": (IPV6, IPV4)}, [(IPV4, None), (IPV6, None)]),
        ({"families": (IPV4,), "advertised": {IPV4: 3}}, [(IPV4, 3)]),
        ({"advertised": {IPV6: 0}}, [(IPV6, 0)]),
        ({"families": (IPV4,), "advertised": {IPV4: 3}, "state": SessionState.IDLE}, [(IPV4, None)]),
        ({"advertised": {IPV4: 3}, "state": SessionState.IDLE}, [(None, None)]),
    ],
)
def test_of_a_stack_that_does_not_tell_its_routes_only_counts_are_known(session: Any, groups: Any) -> None:
    """A count of a session that is down is of before."""
    found = untold(Session("p", **{"state": SessionState.ESTABLISHED, **session}))
    assert [(one.family, one.prefixes) for one in found] == groups
    assert {one.kind for one in found} == {RouteClass.UNKNOWN}
