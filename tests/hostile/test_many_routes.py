"""Routers that send a node, which uses none of them, 200,000 routes: in full UPDATEs, one by one, with the
longest AS paths."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bgpctl.core.model import Family
from bgpctl.speaker.status.build import troubles_of
from tests.support import bgppeer, engines
from tests.support.hostile import RawRouter, Wire, beside, load, memory, message

pytestmark = pytest.mark.hostile

MANY, COUNTED = 200_000, 100_000
ASN = 64512
HANGS = 60.0  # seconds; some 5 on an idle machine


def attributes(path: int) -> bytes:
    """ORIGIN, an AS_PATH of so many AS numbers in segments of 255 (RFC 4271 section 4.3), NEXT_HOP."""
    numbers = [ASN] * path
    segments = b"".join(
        struct.pack(f"!BB{len(some)}I", 2, len(some), *some)
        for some in (numbers[start : start + 255] for start in range(0, path, 255))
    )
    return (
        b"\x40\x01\x01\x00"
        + b"\x50\x02"
        + struct.pack("!H", len(segments))
        + segments
        + b"\x40\x03\x04\x7f\x00\x00\x01"
    )


def table(first: int, number: int, path: int = 1, most: int = 4096) -> Iterator[bytes]:
    """UPDATEs of at most `most` octets, or with one prefix each, that announce so many /32."""
    packed = attributes(path)
    each = max(1, (most - 23 - len(packed)) // 5)
    for start in range(first, first + number, each):
        nlri = b"".join(
            b"\x20" + struct.pack("!I", n) for n in range(start, min(start + each, first + number))
        )
        yield message(bgppeer.UPDATE, b"\0\0" + struct.pack("!H", len(packed)) + packed + nlri)


@pytest.mark.alone
def test_tables_are_counted_and_bounded_while_others_are_served() -> None:
    done = threading.Event()
    finished: list[str] = []

    def sends(name: str, updates: Iterator[bytes]) -> Callable[[Wire], None]:
        def behaviour(wire: Wire) -> None:
            wire.establish()
            chunk = b"".join(updates)
            wire.send(chunk)
            finished.append(name)
            while not done.wait(1.0):
                wire.send(message(bgppeer.KEEPALIVE))

        return behaviour

    whole = sends("whole", table(0x14000000, MANY))
    paths = sends("paths", table(0x15000000, 20_000, path=900))
    single = sends("single", table(0x16000000, 20_000, most=0))
    with beside() as scene, RawRouter(whole) as one, RawRouter(paths) as two, RawRouter(single) as three:
        routers = (one, two, three)
        peers = [engines.peer(router.address, router.port) for router in routers]
        scene.start()
        before = memory(scene.pid)
        began = time.monotonic()
        scene.add(*peers)
        slowest = 0.0
        while len(finished) < 3:
            slowest = max(slowest, scene.latency())
            assert time.monotonic() - began < HANGS, finished
        ipv4 = Family("ipv4")
        scene.eng.until(
            lambda o: [o.sessions[p.name].received.get(ipv4) for p in peers] == [COUNTED, 20_000, 20_000],
            HANGS,
        )
        took = time.monotonic() - began
        seen = scene.eng.observed()
        (trouble,) = troubles_of(seen)
        assert trouble == (
            f"router {one.address}: it announces {COUNTED} routes or more, none of which this node uses: "
            "filter them there"
        )
        grown = memory(scene.pid) - before
        assert grown < 30, f"240,000 received routes cost {grown:.0f} MB"
        assert slowest < 1.0, f"a change took {slowest:.2f} s while they came in ({took:.1f} s)"
        assert load(scene.pid, 1.0) < 0.1, "it does not calm down"
        assert all(seen.sessions[peer.name].flaps == 0 for peer in peers)
        print(f"{took:.1f} s, {grown:.1f} MB, slowest change {slowest:.3f} s")
        scene.untouched()
        done.set()
