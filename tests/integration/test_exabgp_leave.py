"""Leaving and stopping, against a router of our own that records every message in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave
from bgpctl.core.model import Attributes
from tests.support import bgppeer
from tests.support.bgppeer import BgpPeer
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


def test_leave_withdraws_then_ceases_although_graceful_restart_is_on(
    eng: EngineUnderTest, router: BgpPeer
) -> None:
    one = up(eng, router, ONE, TWO, SIX)
    before = len(router.messages)
    eng.perform(Leave((one.name,), "worker-1 leaves: drain été"))
    last = eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))[0]
    leave_session = [m for m in router.messages[before:] if m.kind != bgppeer.KEEPALIVE]
    assert [m.kind for m in leave_session] == [bgppeer.UPDATE, bgppeer.UPDATE, bgppeer.NOTIFICATION]
    assert router.routes() == set()
    assert last.body[:2] == bytes((6, 2))
    assert last.body[3 : 3 + last.body[2]].decode() == "worker-1 leaves: drain été"
    eventually(lambda: router.endings == ["fin"])

    departed = eng.departed[one.name]
    assert departed.flushed_at is not None and departed.closed_at is not None
    assert departed.flushed_at <= departed.closed_at
    seen = eng.observed()
    assert (dict(seen.peers), dict(seen.announced), seen.synced) == ({}, {}, frozenset())


def test_a_peer_that_left_comes_back_with_nothing_but_what_is_announced_now(
    eng: EngineUnderTest, router: BgpPeer
) -> None:
    one = up(eng, router, ONE, TWO)
    eng.perform(Leave((one.name,)))
    eventually(lambda: router.endings)
    up(eng, router, THREE)
    assert router.sessions == 2
    assert router.routes() == {THREE}


def test_a_long_reason_is_cut_at_a_character(eng: EngineUnderTest, router: BgpPeer) -> None:
    one = up(eng, router, ONE)
    eng.perform(Leave((one.name,), "é" * 200))
    (last,) = eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))
    assert last.body[2:] == bytes((254,)) + ("é" * 127).encode()


def test_leave_of_a_peer_that_is_not_established_just_drops_it(eng: EngineUnderTest) -> None:
    absent = peer("127.0.0.9", 1)
    eng.perform(Configure((absent,)))
    eng.session(lambda s: s.last_error and "cannot connect" in s.last_error.text)
    eng.perform(Leave((absent.name,)))
    assert eng.departed[absent.name].closed_at is None
    assert not eng.observed().peers


def _stuck(eng: EngineUnderTest) -> Callable[[], bool]:
    """Does what waits to be sent not become less any more, from one question to the next?"""
    before = [0]

    def asked() -> bool:
        before.append(next(iter(eng.observed().sessions.values())).pending)
        return before[-1] > 0 and before[-1] == before[-2]

    return asked


def test_leave_of_a_router_that_stopped_reading_ends_and_says_so(eng: EngineUnderTest) -> None:
    with new_router(receive_buffer=4096) as router:
        one = up(eng, router, ONE, hold_time=90)
        router.reading.clear()
        # Attributes so fat that an UPDATE has room for five prefixes: 40 times 500 prefixes are 16 MB, four
        # times what the sender's socket may take (tcp_wmem: 4 MB).
        for n in range(40):
            fat = Attributes(communities=frozenset(f"{n}:{m}" for m in range(1005)))
            block = tuple(IPv4Network((0x14000000 + n * 512 + i, 32)) for i in range(500))
            eng.perform(Announce(one.name, fat, block))
        eventually(_stuck(eng), 60, interval=1.0)  # sooner the socket would take the withdrawals, too
        eng.perform(Leave((one.name,)))
        assert eng.departed[one.name].flushed_at is None
        assert not eng.observed().peers


def test_graceful_stop_is_a_silent_fin(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE)
    directory = eng.directory
    eng.stop(graceful=True)
    eventually(lambda: router.endings == ["fin"])
    assert router.of_kind(bgppeer.NOTIFICATION) == []
    assert router.routes() == {ONE}
    assert list(directory.iterdir()) == []


def test_hard_stop_leaves_first(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE)
    eng.stop(graceful=False, reason="bye")
    (last,) = eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))
    assert last.body == bytes((6, 2, 3)) + b"bye"
    assert router.routes() == set()


def test_several_peers_leave_at_once(eng: EngineUnderTest) -> None:
    with new_router() as first, new_router() as second:
        both = tuple(peer(router.address, router.port) for router in (first, second))
        absent = peer("127.0.0.9", 1)
        eng.perform(Configure((*both, absent)))
        for one in both:
            eng.perform(Announce(one.name, Attributes(), (ONE, SIX)))
        eng.until(lambda o: all(o.sessions[one.name].established for one in both))
        eventually(lambda: first.routes() == second.routes() == {ONE, SIX})
        eng.perform(Leave((*(one.name for one in both), absent.name, "never/heard-of")))
        assert first.routes() == second.routes() == set()
        closed = {name: departed.closed_at is not None for name, departed in eng.departed.items()}
        assert closed == {both[0].name: True, both[1].name: True, absent.name: False, "never/heard-of": False}


def test_a_router_that_closes_first_while_we_leave(eng: EngineUnderTest, router: BgpPeer) -> None:
    one = up(eng, router, ONE)
    router.hang_up()
    eng.perform(Leave((one.name,)))
    assert not eng.observed().peers
    eng.perform(Configure((one,)))
    eng.session(lambda s: s.established)
