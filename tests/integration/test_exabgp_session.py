"""What the engine puts on the wire and reads from it, against a router of our own."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Synced, Withdraw
from bgpctl.core.model import IPV4, IPV6, Attributes, Family, Secret, SessionState
from tests.support import bgppeer
from tests.support.bgppeer import EXTENDED_NEXT_HOP, OPEN, BgpPeer, capabilities_of
from tests.support.engines import EngineUnderTest, engine, new_router, peer, up
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

ONE, TWO, THREE = (ip_network(f"10.9.{n}.0/24") for n in (1, 2, 3))
SIX = ip_network("fd00:9::/64")


@pytest.fixture
def eng() -> Iterator[EngineUnderTest]:
    with engine() as under_test:
        yield under_test


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with new_router() as one:
        yield one


def test_routes_then_end_of_rib_and_what_was_negotiated(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE, TWO, SIX)
    updates = router.updates()
    kinds = ["end" if update.end_of_rib else "routes" for update in updates]
    assert kinds == sorted(kinds, reverse=True), "an End-of-RIB came before a route"
    assert router.routes() == {ONE, TWO, SIX}
    assert sorted(router.ends_of_rib()) == ["ipv4", "ipv6"]

    session = eng.session(lambda s: s.pending == 0)
    assert session.state is SessionState.ESTABLISHED
    assert (session.hold_time, session.keepalive_time) == (9, 3)
    assert {str(f) for f in session.families} == {"ipv4/unicast", "ipv6/unicast"}
    assert session.local_gr is not None and session.peer_gr is not None
    assert (session.local_gr.restart_time, session.local_gr.restart_state) == (30, True)
    assert (session.peer_gr.restart_time, session.peer_gr.notification) == (120, True)
    assert session.peer_gr.restart_state is False
    assert session.peer_gr.families == ((Family("ipv4"), True),)
    assert session.advertised == {Family("ipv4"): 2, Family("ipv6"): 1}
    assert str(session.local_address).startswith("127.")

    (opened,) = router.of_kind(bgppeer.OPEN)
    (restart,) = capabilities_of(opened.body)[bgppeer.GRACEFUL_RESTART]
    assert struct.unpack("!H", restart[:2])[0] == 0x8000 | 30, "R bit in the first OPEN, our time"


def test_end_of_rib_waits_for_synced(eng: EngineUnderTest, router: BgpPeer) -> None:
    one = peer(router.address, router.port)
    eng.perform(Configure((one,)))
    eng.session(lambda s: s.established)
    eng.perform(Announce(one.name, Attributes(), (ONE,)))
    eventually(lambda: router.routes() == {ONE})
    assert router.ends_of_rib() == []
    eng.perform(Synced((one.name,)))
    eng.session(lambda s: s.end_of_rib)
    eventually(lambda: len(router.ends_of_rib()) == 2)


def test_pending_is_never_the_zero_of_before(eng: EngineUnderTest, router: BgpPeer) -> None:
    """At the acknowledgement the session tells that something waits, or that it is on the socket."""
    many = tuple(IPv4Network((0x14000000 + n, 32)) for n in range(4000))
    one = up(eng, router, ONE)
    eng.perform(Announce(one.name, Attributes(), many))
    session = eng.observed().sessions[one.name]
    assert session.pending or session.advertised[Family("ipv4")] == 4001
    eng.session(lambda s: s.pending == 0)
    eventually(lambda: len(router.routes()) == 4001, deadline=1)


def test_the_last_change_of_a_prefix_wins_whatever_waits(eng: EngineUnderTest) -> None:
    """Before the session is up all of it queues: announce, withdraw, announce must keep their order."""
    with new_router() as router:
        router.reading.clear()  # no OPEN is answered before this
        one = peer(router.address, router.port)
        red, blue = (Attributes(communities=frozenset({f"65000:{n}"})) for n in (1, 2))
        eng.perform(Configure((one,)))
        eng.perform(Announce(one.name, red, (ONE, TWO)))
        eng.perform(Withdraw(one.name, (ONE,)))
        eng.perform(Announce(one.name, blue, (ONE,)))
        eng.perform(Announce(one.name, red, (THREE,)))
        eng.perform(Withdraw(one.name, (THREE,)))
        eng.perform(Synced((one.name,)))
        router.reading.set()
        eng.session(lambda s: s.end_of_rib)
        eventually(lambda: len(router.ends_of_rib()) == 2)
        assert router.routes() == {ONE, TWO}
        communities = {p: u.attributes.get(8) for u in router.updates() for p in u.announced}
        assert communities == {ONE: struct.pack("!HH", 65000, 2), TWO: struct.pack("!HH", 65000, 1)}


def test_many_ipv6_prefixes_share_an_update(eng: EngineUnderTest, router: BgpPeer) -> None:
    many = tuple(IPv6Network((int(IPv6Address("fd00:b::")) + n, 128)) for n in range(1000))
    up(eng, router, *many)
    assert router.routes() == set(many)
    carrying = [update for update in router.updates() if update.announced]
    assert len(carrying) < 20, "ExaBGP's own way is one UPDATE per prefix"


def test_attributes_on_the_wire(eng: EngineUnderTest) -> None:
    """iBGP: empty AS_PATH and LOCAL_PREF; the next hop is self or given; communities as they are."""
    with new_router(asn=65001) as router:
        one = peer(router.address, router.port, asn=65001)
        rich = Attributes(
            next_hop=IPv6Address("2001:db8::1"),
            communities=frozenset({"65000:99", "65535:0"}),
            large_communities=frozenset({"4200000000:1:2"}),
            local_preference=50,
        )
        eng.perform(Configure((one,)))
        eng.perform(Announce(one.name, rich, (ONE, SIX)))
        eventually(lambda: router.routes() == {ONE, SIX})
        by_prefix = {p: u.attributes for u in router.updates() for p in u.announced}
        assert by_prefix[ONE][2] == b""
        assert by_prefix[ONE][5] == struct.pack("!I", 50)
        assert by_prefix[ONE][8] == struct.pack("!HHHH", 65000, 99, 65535, 0)
        assert by_prefix[ONE][32] == struct.pack("!III", 4200000000, 1, 2)
        assert by_prefix[ONE][3][:1] == b"\x7f", "another family's next hop is not used: self"
        assert by_prefix[SIX][14][4:20] == IPv6Address("2001:db8::1").packed


def test_received_routes_are_counted_and_a_notification_is_kept(
    eng: EngineUnderTest, router: BgpPeer
) -> None:
    up(eng, router, ONE)
    router.announce("10.1.0.0/16", "10.2.0.0/16", "10.2.0.0/16")
    assert eng.session(lambda s: s.received).received == {Family("ipv4"): 2}
    router.notify(6, 4, bytes((9,)) + b"new rules")
    session = eng.session(lambda s: s.last_error)
    assert session.last_error is not None
    assert (session.last_error.direction, session.last_error.code, session.last_error.subcode) == (
        "received",
        6,
        4,
    )
    assert session.last_error.text == "Cease/Administrative Reset (6/4): new rules"
    # and it is back, with its routes, within the reconnect bound
    eng.session(lambda s: s.established and s.flaps == 1)
    eventually(lambda: router.routes() == {ONE})


def test_a_router_that_returns_is_found_within_seconds(eng: EngineUnderTest) -> None:
    with new_router() as first:
        address, port = first.address, first.port
        up(eng, first, ONE, connect_retry_time=120)
    eng.session(lambda s: s.last_error and "cannot connect" in s.last_error.text)
    with BgpPeer(address, port=port) as second:
        eng.session(lambda s: s.established, deadline=5)
        eventually(lambda: second.routes() == {ONE})
        eventually(lambda: len(second.ends_of_rib()) == 2)


def test_listening_for_the_router(eng: EngineUnderTest) -> None:
    """`local_port` without `local_address`: the router may open the session too."""
    with new_router() as router:
        local_port = 20000 + os.getpid() % 10000
        one = peer(router.address, 1, local_port=local_port)
        eng.perform(Configure((one,)))
        eng.perform(Announce(one.name, Attributes(), (ONE, SIX)))
        eng.session(lambda s: s.last_error)
        eventually(lambda: connects(router, local_port))
        eng.session(lambda s: s.established)
        eventually(lambda: router.routes() == {ONE, SIX})
        (update,) = (u for u in router.updates() if ONE in u.announced)
        assert update.attributes[3] == bytes((127, 0, 0, 1)), "next hop self is where the session ends"


def connects(router: BgpPeer, port: int) -> bool:
    try:
        router.connect("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    return True


def test_a_password_makes_the_session_and_a_wrong_one_does_not(eng: EngineUnderTest) -> None:
    with new_router() as router:
        password = "p4ss w\"o'rd é"
        router.protect("127.0.0.1", password.encode())
        up(eng, router, ONE, password=Secret(password))
        eng.perform(Configure((peer(router.address, router.port, password=Secret("wrong")),)))
        eng.session(lambda s: s.last_error and "no answer within 5 s" in s.last_error.text, deadline=15)
        assert router.sessions == 1


@pytest.mark.parametrize("agreed", [True, False])
def test_over_ipv6(eng: EngineUnderTest, agreed: bool) -> None:
    """Routes of both IP versions have the session's address as next hop, IPv4 ones where both sides agreed to
    that (RFC 8950); the router ID is the next hop of nothing."""
    with BgpPeer("::1", extended_next_hop=agreed) as router:
        up(eng, router, ONE, SIX, router_id=IPv4Address("192.0.2.7"), extended_next_hop=True)
        (told,) = router.of_kind(OPEN)
        assert capabilities_of(told.body)[EXTENDED_NEXT_HOP] == [bytes.fromhex("000100010002")]
        by_prefix = {p: u.attributes for u in router.updates() for p in u.announced}
        assert set(by_prefix) == ({ONE, SIX} if agreed else {SIX})
        for attributes in by_prefix.values():
            assert attributes[14][4:20] == IPv6Address("::1").packed and 3 not in attributes
        seen = eng.session(lambda s: s.established)
        assert (str(seen.local_address), seen.extended_next_hop) == ("::1", agreed)
        assert seen.advertised == {IPV4: int(agreed), IPV6: 1}


def test_over_ipv6_without_the_offer(eng: EngineUnderTest) -> None:
    """The router would agree; we were told to send an address of our own."""
    with BgpPeer("::1", extended_next_hop=True) as router:
        one = up(eng, router, ONE)
        assert router.routes() == set() and not eng.session(lambda s: s.established).extended_next_hop
        eng.perform(Announce(one.name, Attributes(next_hop=IPv4Address("192.0.2.8")), (ONE,)))
        (update,) = eventually(lambda: [u for u in router.updates() if u.announced])
        assert update.attributes[3] == IPv4Address("192.0.2.8").packed and 14 not in update.attributes


def test_long_lived_stale_time_of_the_router() -> None:
    # IPv4 unicast 0 s, IPv6 unicast 3600 s (RFC 9494 section 3.1)
    times = struct.pack("!HBB", 1, 1, 0) + bytes(3) + struct.pack("!HBB", 2, 1, 0) + (3600).to_bytes(3, "big")
    with new_router(long_lived=times) as router, engine() as eng:
        up(eng, router, ONE)
        assert eng.session(lambda s: s.established).long_lived == 3600


def test_a_wrong_as_is_told(eng: EngineUnderTest, router: BgpPeer) -> None:
    eng.perform(Configure((peer(router.address, router.port, asn=64999),)))
    error = eng.session(lambda s: s.last_error and s.last_error.code).last_error
    assert error is not None
    words = "OPEN Message Error/Bad Peer AS (2/2): ASN in OPEN (64512) did not match ASN expected (64999)"
    assert (error.direction, error.text) == ("sent", words)


def test_many_routes_in_several_requests(eng: EngineUnderTest, router: BgpPeer) -> None:
    many = tuple(IPv4Network((0x14000000 + n, 32)) for n in range(20_000))
    one = up(eng, router, *many)
    assert router.routes() == set(many)
    eng.perform(Withdraw(one.name, many[:10_000]))
    eventually(lambda: router.routes() == set(many[10_000:]), interval=0.3)
    assert len(eng.observed().announced[one.name]) == 10_000
