"""Routers that accept and never answer, that stop in the middle of the handshake, or that stop reading."""

from __future__ import annotations

import threading
import time
from ipaddress import IPv4Network

import pytest

from bgpctl.core.intent.diff import Announce, Leave
from bgpctl.core.model import Attributes, Observed, SessionState
from bgpctl.speaker.status.build import troubles_of
from tests.support import bgppeer, engines
from tests.support.hostile import RawRouter, Wire, beside, load, memory, message, opening
from tests.support.wait import eventually

pytestmark = pytest.mark.hostile

IDLE = 0.1
"""Of a core, with four sessions that mostly wait."""


def test_silence_at_every_stage_costs_nothing_and_is_told() -> None:
    """After accept, in the middle of an OPEN, and after it (the router never confirms)."""
    done = threading.Event()

    def mute(wire: Wire) -> None:
        done.wait(60)

    def half(wire: Wire) -> None:
        wire.send(message(bgppeer.OPEN, opening())[:25])
        done.wait(60)

    def opens(wire: Wire) -> None:
        wire.send(message(bgppeer.OPEN, opening()))
        done.wait(60)

    with beside() as scene, RawRouter(mute) as one, RawRouter(half) as two, RawRouter(opens) as three:
        routers = (one, two, three)
        quiet = [engines.peer(r.address, r.port, hold_time=6, keepalive_time=1) for r in routers]
        scene.start(*quiet)
        states = (SessionState.OPEN_SENT, SessionState.OPEN_SENT, SessionState.OPEN_CONFIRM)
        scene.eng.until(lambda o: tuple(o.sessions[peer.name].state for peer in quiet) == states)
        assert load(scene.pid, 3.0) < IDLE, "ExaBGP spins on a router that says nothing"
        assert scene.latency() < 0.5

        def told(seen: Observed, words: str, *which: int) -> bool:
            errors = [seen.sessions[quiet[n].name].last_error for n in which]
            return all(error is not None and words in error.text for error in errors)

        scene.eng.until(lambda o: told(o, "Hold Timer Expired (4/0)", 2), 15)
        scene.eng.until(lambda o: told(o, "Hold Timer Expired (4/0): no OPEN within 15 s", 0, 1), 30)
        assert all(len(router.accepted) <= 6 for router in routers), "connects too often"
        scene.untouched()
        done.set()


@pytest.mark.alone
def test_a_router_that_stops_reading_delays_nobody() -> None:
    """With 50,000 routes on their way to it. Its own keepalives hold the session up."""
    done, reading = threading.Event(), threading.Event()

    def stops(wire: Wire) -> None:
        wire.establish()
        while not done.wait(0.3):
            wire.send(message(bgppeer.KEEPALIVE))
            if reading.is_set():
                _read_all(wire, table)

    table: set[IPv4Network] = set()
    with beside() as scene, RawRouter(stops, receive_buffer=1 << 16) as router:
        deaf = engines.peer(router.address, router.port, restart_time=None)
        scene.start(deaf)
        scene.eng.until(lambda o: o.sessions[deaf.name].established)
        before = memory(scene.pid)
        # Fat attributes: the kernel's buffers hold less than this.
        many = [IPv4Network((0x14000000 + n, 32)) for n in range(50_000)]
        for number in range(50):
            fat = Attributes(communities=frozenset(f"{number}:{value}" for value in range(1000)))
            scene.eng.perform(Announce(deaf.name, fat, tuple(many[number * 1000 : number * 1000 + 1000])))
        scene.eng.until(lambda o: o.sessions[deaf.name].pending)
        grown = memory(scene.pid) - before
        assert grown < 60, f"50,000 routes for a router that does not read cost {grown:.0f} MB"

        assert max(scene.latency() for _ in range(20)) < 0.5, "who reads waits for who does not"
        again = tuple(many[:5000])
        for number in range(20):  # a backlog that is only the newest state of each route
            scene.eng.perform(Announce(deaf.name, Attributes(communities=frozenset({f"1:{number}"})), again))
        assert memory(scene.pid) - before < 60
        seen = scene.eng.until(lambda o: o.sessions[deaf.name].troubles, 15)
        (trouble,) = troubles_of(seen)
        assert trouble.startswith(f"router {router.address}: it has not read what we send since ")
        assert load(scene.pid, 2.0) < IDLE, "ExaBGP spins on a router that does not read"

        reading.set()  # it was only busy: whole messages, and the newest of each
        eventually(lambda: len(table) == len(many), 30)
        scene.eng.until(lambda o: not o.sessions[deaf.name].troubles and not o.sessions[deaf.name].pending)
        scene.untouched()
        done.set()


def _read_all(wire: Wire, table: set[IPv4Network]) -> None:
    """Everything that came, for about a second; fails when the stream is no longer one of messages."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            got = wire.read(0.2)
        except TimeoutError:
            return
        assert got is not None
        if got[0] == bgppeer.UPDATE:
            table |= bgppeer.decode_update(got[1]).announced


@pytest.mark.alone
def test_leaving_a_router_that_does_not_read_ends() -> None:
    done = threading.Event()

    def stops(wire: Wire) -> None:
        wire.establish()
        done.wait(60)

    with beside() as scene, RawRouter(stops, receive_buffer=4096) as router:
        deaf = engines.peer(router.address, router.port)
        scene.start(deaf)
        scene.eng.until(lambda o: o.sessions[deaf.name].established)
        for number in range(40):
            fat = Attributes(communities=frozenset(f"{number}:{value}" for value in range(1005)))
            block = tuple(IPv4Network((0x14000000 + number * 512 + i, 32)) for i in range(500))
            scene.eng.perform(Announce(deaf.name, fat, block))
        # Stuck, and not only on its way: what is still queued could be overtaken by its own withdraws.
        scene.eng.until(lambda o: o.sessions[deaf.name].troubles, 15)
        began = time.monotonic()
        scene.eng.perform(Leave((deaf.name,)))
        assert time.monotonic() - began < 8
        assert scene.eng.departed[deaf.name].flushed_at is None
        assert scene.latency() < 0.5
        scene.untouched()
        done.set()
