"""How sessions come about at real routers: families, addresses, ports, hops, passwords, the default gateway,
and what the routes carry. One node, five instances, six sessions; see tests/support/transport."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bgpctl.witness.probe import Probe
from tests.support import transport
from tests.support.require import require
from tests.support.speakers import workplace
from tests.support.transport import BIRD, FRR, NODE, NODE6, TO_GATEWAY, Transport
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

PODS = {"10.244.1.0/24", "fd00:10:244:1::/64"}
WEB = {"203.0.113.10/32", "2001:db8:10::1/128"}
POOL, AGGREGATE = "10.8.1.0/24", "198.51.100.16/28"


@pytest.fixture(scope="module")
def lab() -> Iterator[Transport]:
    require("netns", "frr", "bird")
    with workplace() as place, transport.running(place) as started:
        yield started


def routes(probe: Probe, neighbor: str) -> set[str]:
    return {str(path.prefix) for path in probe.routes_from(neighbor).paths}


@pytest.mark.parametrize("neighbor", [NODE, NODE6])
def test_both_families_over_a_session_of_either(lab: Transport, neighbor: str) -> None:
    lab.established("dual/v4" if neighbor == NODE else "dual/v6")
    expected = PODS | WEB | {POOL, AGGREGATE}
    eventually(lambda: routes(lab.frr, neighbor) == expected, why=f"{routes(lab.frr, neighbor)}")
    hops = {":" in str(p.prefix): p.next_hop for p in lab.frr.routes_from(neighbor).paths}
    assert hops == {False: NODE, True: NODE6}


def test_attributes_at_the_router(lab: Transport) -> None:
    eventually(lambda: routes(lab.frr, NODE) >= PODS)
    path = lab.frr_path("10.244.1.0/24")
    assert set(path["community"]["list"]) == {"65001:100", "noExport"}
    assert path["largeCommunity"]["list"] == ["65001:1:2"]
    assert path["aspath"]["string"] == "65001" and path["origin"] == "IGP"
    assert "community" not in lab.frr_path("203.0.113.10/32")
    lab.established("inside/bird")
    eventually(lambda: "BGP.local_pref: 250" in lab.bird_says("show route 203.0.113.10/32 all"))


def test_addresses_ports_and_router_id_of_each_instance(lab: Transport) -> None:
    """The source of sourceInterface, the router ID of the override, and a session that the router opens."""
    inside = lab.established("inside/bird")
    assert str(inside.session.local_address) == transport.BY_INTERFACE
    assert f"Neighbor ID:      {transport.ROUTER_ID}" in lab.bird_says("show protocols all inside")
    lab.established("inbound/in", deadline=30)
    told = lab.bird_says("show protocols all inbound")
    assert "Established" in told and f"Neighbor ID:      {NODE}" in told
    assert eventually(lambda: set(lab.bird_says("show route protocol inbound").split()) | PODS >= PODS)
    assert lab.listening() == {f"{NODE}:{transport.LISTEN_PORT}"}


def test_a_router_two_hops_away_needs_its_ttl(lab: Transport) -> None:
    lab.established("farther/far")
    eventually(lambda: "10.244.1.0/24" in routes(lab.far, NODE))
    lab.tell(transport.documents(hops=1))
    try:
        eventually(lambda: not (p := lab.peer("farther/far")) or not p.session.established)
        throughout(lambda: lab.far.routes_from(NODE).session != "established", 2.5)
    finally:
        lab.tell(transport.documents())
    lab.established("farther/far")


def test_the_session_follows_the_default_gateway(lab: Transport) -> None:
    before = lab.established("edge/gateway")
    assert before.address == FRR
    eventually(lambda: "10.244.1.0/24" in routes(lab.frr, TO_GATEWAY))
    lab.node.run("ip", "route", "del", "default", "via", FRR)
    eventually(lambda: (p := lab.peer("edge/gateway")) and p.address == BIRD and p.session.established)
    eventually(lambda: "10.244.1.0/24" in routes(lab.bird, TO_GATEWAY))
    eventually(lambda: not routes(lab.frr, TO_GATEWAY), why="the old gateway forwards to nobody")
    lab.node.run("ip", "route", "add", "default", "via", FRR, "metric", "100")
    eventually(lambda: (p := lab.peer("edge/gateway")) and p.address == FRR and p.session.established)


def test_a_password_that_is_wrong_missing_and_right_again(lab: Transport) -> None:
    web = "203.0.113.10/32"
    lab.established("inside/bird")
    others = {name: lab.established(name).session.established_at for name in ("dual/v4", "dual/v6")}
    lab.tell(transport.documents(password="battery staple"))
    eventually(lambda: web not in routes(lab.bird, transport.BY_INTERFACE))
    throughout(lambda: lab.bird.routes_from(transport.BY_INTERFACE).session != "established", 2.5)
    peer = lab.peer("inside/bird")
    assert peer is not None and not peer.session.established
    silent = "peer inside/bird: 10.77.0.2 does not answer; a TCP-MD5 password that is not the router's"
    eventually(lambda: any(p.startswith(silent) for p in lab.problems()), deadline=30)

    lab.tell(transport.documents(password=None))
    eventually(lambda: lab.peer("inside/bird") is None)
    words = 'peer inside/bird: no session, because Secret "bgp" (key password) is missing'
    eventually(lambda: lab.problems() == (words,))

    lab.tell(transport.documents())
    lab.established("inside/bird")
    eventually(lambda: web in routes(lab.bird, transport.BY_INTERFACE))
    eventually(lambda: lab.problems() == ())
    assert others == {name: lab.established(name).session.established_at for name in others}
