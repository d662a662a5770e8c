"""The engine rests until something is due, and is there at once when something is: time and CPU."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import pairwise
from pathlib import Path

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave, Withdraw
from bgpctl.core.model import Attributes
from tests.support.bgppeer import KEEPALIVE, MARKER, OPEN, BgpPeer
from tests.support.engines import EngineUnderTest, engine, new_router, peer, up
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

ONE = ip_network("10.9.1.0/24")
PROMPT = 0.2
"""Seconds, of the median: a wait for the next full second would take half a second."""
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def eng() -> Iterator[EngineUnderTest]:
    with engine() as under_test:
        yield under_test


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with new_router() as one:
        yield one


def took(act: Callable[[], object], seen: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    eventually(seen, interval=0.001)
    return time.monotonic() - started


def cpu(eng: EngineUnderTest, seconds: float) -> float:
    """Of one core, while nothing is asked of it but its state."""
    assert eng._child is not None
    before, started = _ticks(eng._child.pid), time.monotonic()
    time.sleep(seconds)
    return (_ticks(eng._child.pid) - before) / TICKS / (time.monotonic() - started)


def _ticks(pid: int | None) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.alone
def test_no_change_waits_for_the_next_second(eng: EngineUnderTest, router: BgpPeer) -> None:
    one, two = up(eng, router, ONE), ip_network("10.9.2.0/24")
    seconds = []
    for _ in range(5):
        announce, withdraw = Announce(one.name, Attributes(), (two,)), Withdraw(one.name, (two,))
        seconds.append(took(partial(eng.perform, announce), lambda: two in router.routes()))
        seconds.append(took(partial(eng.perform, withdraw), lambda: two not in router.routes()))
    assert statistics.median(seconds) < PROMPT / 4, seconds


@pytest.mark.alone
def test_no_session_waits_for_the_next_second(eng: EngineUnderTest, router: BgpPeer) -> None:
    one, seconds = up(eng, router, ONE), []
    for number in range(2, 5):
        one = replace(one, hold_time=20 + number)
        again = partial(router.ends_of_rib, number)
        seconds.append(took(partial(eng.perform, Configure((one,))), lambda a=again: len(a()) == 2))
    assert statistics.median(seconds) < PROMPT, seconds
    left = took(lambda: eng.perform(Leave((one.name,))), lambda: len(router.endings) == router.sessions)
    assert left < PROMPT


@pytest.mark.alone
def test_a_router_that_connects_is_accepted_at_once(eng: EngineUnderTest, router: BgpPeer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = peer(router.address, 1, local_address=ip_address("127.0.0.1"), local_port=port)
    eng.perform(Configure((one,)))
    eng.session(lambda s: s.last_error)
    seconds = []
    for _ in range(3):
        before = router.sessions
        confirmed = partial(router.of_kind, KEEPALIVE, before + 1)
        seconds.append(took(partial(router.connect, "127.0.0.1", port), confirmed))
        eng.session(lambda s: s.established)
        router.hang_up()
        eng.session(lambda s: not s.established)
    assert statistics.median(seconds) < PROMPT, seconds


@pytest.mark.alone
def test_keepalives_go_on_in_time(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE, hold_time=3, keepalive_time=1)
    eventually(lambda: len(router.of_kind(KEEPALIVE)) > 5)
    times = [message.time for message in router.of_kind(KEEPALIVE)][1:]
    assert max(b - a for a, b in pairwise(times)) < 1.5, times


def test_idle_it_uses_next_to_nothing(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE, hold_time=90)
    assert cpu(eng, 3.0) < 0.01


def test_a_router_that_stopped_reading_costs_nothing(eng: EngineUnderTest) -> None:
    """And gets all of it when it reads again. ExaBGP would ask the socket as fast as it can."""
    with new_router(receive_buffer=4096) as router:
        one = up(eng, router, ONE, hold_time=90)
        router.reading.clear()
        for number in range(40):
            fat = Attributes(communities=frozenset(f"{number}:{m}" for m in range(1005)))
            block = tuple(IPv4Network((0x14000000 + number * 512 + i, 32)) for i in range(500))
            eng.perform(Announce(one.name, fat, block))
        eng.session(lambda s: s.pending)
        assert cpu(eng, 2.0) < 0.1
        router.reading.set()
        eng.session(lambda s: s.pending == 0)
        eventually(lambda: len(router.routes()) == 1 + 40 * 500, interval=0.5)


def test_a_router_that_never_confirms_costs_nothing(eng: EngineUnderTest) -> None:
    """It answers OPEN and no KEEPALIVE: ExaBGP would ask it as fast as it can until the hold time is over."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = peer("127.0.0.1", listener.getsockname()[1], hold_time=90)
        eng.perform(Configure((one,)))
        session, _ = listener.accept()
        with session, new_router() as voice:
            session.sendall(_open_of(voice))
            eng.session(lambda s: s.state == "open_confirm")
            assert cpu(eng, 2.0) < 0.05


def _open_of(router: BgpPeer) -> bytes:
    body = router._open()
    return MARKER + (19 + len(body)).to_bytes(2, "big") + bytes((OPEN,)) + body


def test_an_absent_router_costs_next_to_nothing(eng: EngineUnderTest) -> None:
    eng.perform(Configure((peer("127.0.0.9", 1),)))
    eng.session(lambda s: s.last_error)
    assert cpu(eng, 3.0) < 0.02


@pytest.mark.alone
def test_a_signal_is_served_at_once(eng: EngineUnderTest, router: BgpPeer) -> None:
    up(eng, router, ONE, restart_time=None)
    assert eng._child is not None and eng._child.pid is not None
    child = eng._child.pid
    eventually(lambda: time.time() % 1 < 0.1, interval=0.01)  # nothing else is due for the next 0.9 s
    assert took(lambda: os.kill(child, 15), lambda: router.endings == ["fin"]) < 0.7
    eng.until(lambda seen: not seen.running)
