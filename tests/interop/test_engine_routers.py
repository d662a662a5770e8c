"""The engine against real routers: what leaves and what stays, asserted at the router."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address, ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave, Synced, Withdraw
from bgpctl.core.model import Attributes, IPNetwork, Peer
from bgpctl.witness.model import RouteState
from tests.support.engines import EngineUnderTest, engine, peer
from tests.support.require import require
from tests.support.routers import Lab, Workshop
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

ONE, TWO, SIX = (ip_network(text) for text in ("10.9.1.0/24", "10.9.2.0/24", "fd00:9::/64"))
# Next hops that are not loopback: GoBGP before 3.20 takes a route with a loopback one for withdrawn.
FOUR_VIA = Attributes(next_hop=ip_address("192.0.2.1"), communities=frozenset({"65000:99"}))
SIX_VIA = Attributes(next_hop=IPv6Address("2001:db8::1"))


@pytest.fixture
def eng() -> Iterator[EngineUnderTest]:
    with engine() as under_test:
        yield under_test


def as_peer(lab: Lab, **fields: object) -> Peer:
    """The lab's router as the first node's peer."""
    spec, node = lab.router.spec, lab.nodes[0]
    return peer(
        spec.address,
        spec.port,
        spec.asn,
        node.address,
        local_asn=node.asn,
        router_id=ip_address(node.address),
        **fields,
    )


def speak(eng: EngineUnderTest, one: Peer, *prefixes: IPNetwork) -> None:
    eng.perform(Configure((one,)))
    for version, attributes in ((4, FOUR_VIA), (6, SIX_VIA)):
        if some := tuple(p for p in prefixes if p.version == version):
            eng.perform(Announce(one.name, attributes, some))
    eng.perform(Synced((one.name,)))


def present(lab: Lab, *prefixes: IPNetwork) -> bool:
    """The router has exactly these from the node, none of them stale."""
    seen = lab.probe.routes_from(lab.nodes[0].address)
    return {path.prefix for path in seen.paths} == set(prefixes) and not any(p.stale for p in seen.paths)


def absent(lab: Lab) -> bool:
    return lab.probe.routes_from(lab.nodes[0].address).routes is RouteState.ABSENT


def test_routes_arrive_change_and_go(eng: EngineUnderTest, router_kind: str, workshop: Workshop) -> None:
    lab = workshop.router(router_kind, nodes=1)
    one = as_peer(lab)
    speak(eng, one, ONE, TWO, SIX)
    eventually(lambda: present(lab, ONE, TWO, SIX))
    eng.session(lambda s: s.end_of_rib and s.pending == 0)
    eng.perform(Withdraw(one.name, (TWO, SIX)))
    eventually(lambda: present(lab, ONE), deadline=2)


@pytest.mark.alone
def test_leave_takes_the_routes_at_once_although_graceful_restart_is_on(
    eng: EngineUnderTest, helper_kind: str, workshop: Workshop
) -> None:
    lab = workshop.router(helper_kind, nodes=1)
    one = as_peer(lab, restart_time=120)
    speak(eng, one, ONE, SIX)
    eventually(lambda: present(lab, ONE, SIX))
    assert eng.session(lambda s: s.end_of_rib).peer_gr is not None, "graceful restart was not negotiated"

    started = time.monotonic()
    eng.perform(Leave((one.name,), "interop drain"))
    eventually(lambda: absent(lab), deadline=2, interval=0.02)
    assert time.monotonic() - started < 1.0
    throughout(lambda: absent(lab), 1.0)
    departed = eng.departed[one.name]
    assert departed.flushed_at is not None and departed.closed_at is not None


def test_the_routers_log_has_the_operators_words(eng: EngineUnderTest, workshop: Workshop) -> None:
    require("bird")
    lab = workshop.router("bird", nodes=1)
    one = as_peer(lab)
    speak(eng, one, ONE)
    eventually(lambda: present(lab, ONE))
    eng.perform(Leave((one.name,), "worker-1: été"))
    log = lab.router.log_path.parent / "bird.log"
    eventually(lambda: 'Received: Administrative shutdown: "worker-1: été"' in log.read_text())


@pytest.mark.parametrize("kind", ["bird", "frr", "gobgp"])
def test_a_restart_with_graceful_restart_loses_no_route(kind: str, workshop: Workshop) -> None:
    """A graceful stop, a new engine, and the router never without the routes; then one that was not announced
    again is gone with our End-of-RIB."""
    require(kind)
    lab = workshop.router(kind, nodes=1)
    one = as_peer(lab, restart_time=60)
    with engine() as first:
        speak(first, one, ONE, TWO)
        eventually(lambda: present(lab, ONE, TWO))
        first.session(lambda s: s.end_of_rib)
        first.stop(graceful=True)
        throughout(lambda: has(lab, ONE, TWO), 0.5)
        with engine() as second:
            speak(second, one, ONE)
            throughout(lambda: has(lab, ONE), 1.0)
            second.session(lambda s: s.end_of_rib, deadline=30)
            eventually(lambda: present(lab, ONE), deadline=5)


def has(lab: Lab, *prefixes: IPNetwork) -> bool:
    """The router uses at least these, stale or not."""
    seen = lab.probe.routes_from(lab.nodes[0].address)
    return set(prefixes) <= {path.prefix for path in seen.paths}


def test_a_killed_engine_comes_back_without_a_gap(eng: EngineUnderTest, workshop: Workshop) -> None:
    require("bird")
    lab = workshop.router("bird", nodes=1)
    one = as_peer(lab, restart_time=60)
    speak(eng, one, ONE)
    eventually(lambda: present(lab, ONE))
    eng.session(lambda s: s.end_of_rib)
    eng.kill()
    eng.start_when_allowed()
    speak(eng, one, ONE)
    throughout(lambda: has(lab, ONE), 1.0)
    eng.session(lambda s: s.end_of_rib and s.flaps == 1)


def test_without_graceful_restart_the_same_stop_is_seen(eng: EngineUnderTest, workshop: Workshop) -> None:
    """The inverse: the harness would have seen a gap."""
    require("bird")
    lab = workshop.router("bird", nodes=1)
    speak(eng, as_peer(lab, restart_time=None), ONE)
    eventually(lambda: present(lab, ONE))
    eng.stop(graceful=True)
    eventually(lambda: absent(lab), deadline=2)
