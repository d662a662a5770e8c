"""Hundreds of malformed messages at one engine, in every stage of a session; a good router beside them."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from bgpctl.core.intent.diff import Announce
from bgpctl.core.model import Attributes, Session
from bgpctl.speaker.status.build import troubles_of
from tests.support import bgppeer, engines
from tests.support.bgppeer import KEEPALIVE, NOTIFICATION, OPEN, ROUTE_REFRESH, UPDATE
from tests.support.hostile import PLAIN, Beside, Wire, beside, descriptors, memory, message, opening
from tests.support.wait import eventually

pytestmark = pytest.mark.hostile

DIALLERS = 8
ASN = 64512


@dataclass(frozen=True)
class Case:
    """What a router sends before (`early`) or after the session is up. `survives`: the session stays."""

    name: str
    raw: bytes
    early: bool = False
    survives: bool = False


def headers() -> Iterator[Case]:
    for early in (True, False):
        for kind in (OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH, 0, 6, 255):
            for length in (0, 1, 18, 4097, 65535):
                yield Case(f"type {kind}, length {length}", message(kind, length=length), early)
        yield Case("bad marker", message(KEEPALIVE, marker=b"\xff" * 15 + b"\0"), early)
        yield Case("no marker", message(KEEPALIVE, marker=bytes(16)), early)
        yield Case("HTTP", b"GET / HTTP/1.1\r\nHost: bgp\r\n\r\n", early)
        yield Case("TLS", bytes.fromhex("16030100f8010000f4030300") + bytes(64), early)
        yield Case("a long KEEPALIVE", message(KEEPALIVE, b"\0"), early)
        for kind in (0, 6, 7, 200, 255):
            yield Case(f"unknown type {kind}", message(kind, b"abc"), early)


def opens() -> Iterator[Case]:
    good = opening(ASN)
    for length in range(len(good)):
        yield Case(f"OPEN cut at {length}", message(OPEN, good[:length]), early=True)
    for name, body in {
        "version 3": b"\3" + good[1:],
        "another AS": opening(64999),
        "hold time 1": opening(ASN, hold=1),
        "router id 0": good[:5] + bytes(4) + good[9:],
        "an optional parameter of unknown type": opening(ASN, parameters=b"\xfe\x02ab"),
        "a parameter that is too long": opening(ASN, parameters=b"\x02\xffab"),
        "a capability that is too long": opening(ASN, parameters=b"\x02\x04\x01\xff\x00\x01"),
        "a multiprotocol capability of one octet": opening(ASN, parameters=b"\x02\x03\x01\x01\x00"),
        "a graceful restart capability of three octets": opening(
            ASN, parameters=b"\x02\x05\x40\x03\x00\x78\x00"
        ),
        "a four octet AS of two octets": opening(ASN, parameters=b"\x02\x04\x41\x02\xfc\x00"),
        "an empty hostname": opening(ASN, parameters=b"\x02\x02\x49\x00"),
        "a hostname of lies": opening(ASN, parameters=b"\x02\x05\x49\x03\xff\x1b\x5b"),
        "add-path of two octets": opening(ASN, parameters=b"\x02\x04\x45\x02\x00\x01"),
    }.items():
        yield Case(f"OPEN with {name}", message(OPEN, body), early=True)
    yield Case("a second OPEN", message(OPEN, good))


def attribute(code: int, value: bytes, flags: int = 0x40) -> bytes:
    return struct.pack("!BBB", flags, code, len(value)) + value


PATH = (
    attribute(1, b"\0") + attribute(2, b"\2\1" + struct.pack("!I", ASN)) + attribute(3, bytes((127, 0, 0, 1)))
)
PREFIX = bytes((24, 203, 0, 113))


def update(attributes: bytes = PATH, nlri: bytes = PREFIX, withdrawn: bytes = b"") -> bytes:
    head = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes))
    return message(UPDATE, head + attributes + nlri)


def updates() -> Iterator[Case]:
    """The session stays: nothing of an UPDATE is used here, and its frame is sound."""
    odd = {
        "an impossible ORIGIN": attribute(1, b"\x09") + PATH[4:],
        "an ORIGIN of two octets": attribute(1, b"\0\0") + PATH[4:],
        "no attributes": b"",
        "every attribute twice": PATH * 2,
        "an AS path of garbage": attribute(1, b"\0") + attribute(2, b"\x09\xff\1"),
        "an AS path with our own AS": attribute(1, b"\0") + attribute(2, b"\2\1" + struct.pack("!I", 65001)),
        "a next hop of three octets": attribute(3, b"abc"),
        "a next hop that is us": attribute(3, bytes(4)),
        "a cut attribute": PATH + b"\x40",
        "an attribute longer than the UPDATE": PATH + b"\xc0\x08\xff\0",
        "an unknown well-known attribute": PATH + attribute(200, b"abc", flags=0x40),
        "an AGGREGATOR of one octet": PATH + attribute(7, b"\0", flags=0xC0),
        "communities of three octets": PATH + attribute(8, b"abc", flags=0xC0),
        "MP_REACH of one octet": PATH + attribute(14, b"\0", flags=0x80),
        "MP_REACH of an unknown family": PATH + attribute(14, b"\x40\x04\x47\x00\x00abc", flags=0x80),
        "MP_UNREACH of garbage": PATH + attribute(15, b"\0\2\1\xff", flags=0x80),
    }
    for name, attributes in odd.items():
        yield Case(f"UPDATE with {name}", update(attributes), survives=True)
    yield Case("UPDATE with a prefix of 33 bits", update(nlri=bytes((33, 1, 2, 3, 4, 5))), survives=True)
    yield Case("UPDATE with a cut prefix", update(nlri=b"\x20\x0a"), survives=True)
    yield Case("UPDATE that withdraws garbage", update(b"", b"", b"\xff\xff"), survives=True)
    yield Case("UPDATE with lengths that lie", message(UPDATE, b"\xff\xff\xff\xff"), survives=True)
    yield Case("UPDATE of one octet", message(UPDATE, b"\0"))
    yield Case("ROUTE-REFRESH of an unknown family", message(ROUTE_REFRESH, b"\x40\x04\0\x47"), survives=True)
    dice = random.Random(4271)
    good = update()
    for number in range(150):
        changed = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            changed[dice.randrange(19, len(changed))] = dice.randrange(256)
        yield Case(f"UPDATE mutation {number}", bytes(changed), survives=True)


def notifications() -> Iterator[Case]:
    for code, subcode in ((0, 0), (6, 2), (6, 4), (6, 9), (6, 255), (99, 99), (255, 255)):
        for data in (
            b"",
            b"\xff",
            b"\x05\xff\xfe\xfd\xfc\xfb",
            b"\x10\x1b[31mred\x1b]0;title\x07",
            b"\x05a\nb\rc",
        ):
            yield Case(
                f"NOTIFICATION {code}/{subcode} {data!r}",
                message(NOTIFICATION, bytes((code, subcode)) + data),
            )
    yield Case("NOTIFICATION of one octet", message(NOTIFICATION, b"\6"))
    yield Case("NOTIFICATION of none", message(NOTIFICATION))


class Dialler:
    """A router that connects to the engine, which then pauses for nobody. Plays its cases one by one."""

    def __init__(self, number: int) -> None:
        self.address = engines.new_address()
        self.peer = engines.peer(
            self.address, 1, local=engines.new_address(), local_port=17900 + number, restart_time=None
        )

    def play(self, cases: list[Case]) -> list[str]:
        """What is wrong with the engine's answers."""
        return list(filter(None, map(self._one, cases)))

    def _one(self, case: Case) -> str:
        place = (str(self.peer.local_address), self.peer.local_port)
        with socket.create_connection(place, 5, source_address=(self.address, 0)) as sock:
            wire = Wire(sock)
            try:
                if not case.early:
                    wire.establish()
                    _skip_table(wire)
                wire.send(case.raw)
                if case.survives:
                    return _alive(wire, case)
                with contextlib.suppress(OSError):  # it may have closed already: that is what is waited for
                    sock.shutdown(socket.SHUT_WR)
                wire.to_the_end(8.0)
            except (AssertionError, TimeoutError, OSError) as error:
                return f"{case.name}: {error!r}"
        return ""


def _skip_table(wire: Wire) -> None:
    ends = 0
    while ends < 2:
        update = bgppeer.decode_update(wire.expect(UPDATE))
        ends += bool(update.end_of_rib)


def _alive(wire: Wire, case: Case) -> str:
    """A refresh is answered, after what was sent before it was read."""
    wire.send(message(ROUTE_REFRESH, b"\0\1\0\1"))
    while (got := wire.read(5.0)) is not None:
        if got[0] == UPDATE:
            return ""
        if got[0] == NOTIFICATION:
            return f"{case.name}: ended with {got[1]!r}"
    return f"{case.name}: closed"


@pytest.fixture
def scene() -> Iterator[tuple[Beside, list[Dialler]]]:
    with beside() as made:
        diallers = [Dialler(number) for number in range(DIALLERS)]
        made.start(*(dialler.peer for dialler in diallers))
        for dialler in diallers:
            made.eng.perform(Announce(dialler.peer.name, Attributes(), PLAIN))
        yield made, diallers


@pytest.mark.alone
def test_nothing_that_a_router_sends_touches_the_others(scene: tuple[Beside, list[Dialler]]) -> None:
    made, diallers = scene
    cases = [*headers(), *opens(), *updates(), *notifications()]
    shares = [cases[number::DIALLERS] for number in range(DIALLERS)]
    warm = [case for case in cases if case.survives][:DIALLERS]
    with ThreadPoolExecutor(DIALLERS) as threads:
        for dialler, case in zip(diallers, warm, strict=True):
            dialler.play([case])
        before = memory(made.pid), descriptors(made.pid)
        wrong = [text for found in threads.map(Dialler.play, diallers, shares) for text in found]
    assert not wrong, wrong
    made.untouched()
    eventually(lambda: descriptors(made.pid) <= before[1], why="descriptors leak")
    grown = memory(made.pid) - before[0]
    assert grown < 12, f"{len(cases)} malformed messages cost {grown:.1f} MB"
    sessions = made.eng.observed().sessions
    assert all(sessions[d.peer.name].flaps > 10 for d in diallers)
    assert made.latency() < 0.5


def test_the_state_says_what_was_wrong_and_nothing_that_a_terminal_obeys(
    scene: tuple[Beside, list[Dialler]],
) -> None:
    made, (one, two, three, four, *_) = scene
    one.play([Case("no marker", message(KEEPALIVE, marker=bytes(16)))])
    two.play([Case("words", message(NOTIFICATION, b"\6\2\x12bye\x1b[31m\xff\x07\xe2\x80\xae\nred"))])
    three.play([Case("version 3", message(OPEN, b"\3" + opening(ASN)[1:]), early=True)])

    def said(dialler: Dialler, words: str) -> None:
        made.eng.until(lambda o: words in _error(o.sessions[dialler.peer.name]))

    said(one, "Message Header Error/Connection Not Synchronized (1/1): ")
    said(two, "Cease/Administrative Shutdown (6/2): bye")
    said(three, "OPEN Message Error/Unsupported Version Number (2/1)")
    assert _error(made.eng.observed().sessions[two.peer.name]).isprintable()
    assert all(line.isprintable() for line in made.eng.logged)

    place = (str(four.peer.local_address), four.peer.local_port)
    with socket.create_connection(place, 5, source_address=(four.address, 0)) as sock:
        wire = Wire(sock)
        wire.establish()
        wire.send(update(nlri=b"\x21abcde"))
        seen = made.eng.until(lambda o: o.sessions[four.peer.name].troubles)
        assert troubles_of(seen) == (
            f"router {four.address}: it sent an UPDATE that cannot be read, which was ignored: "
            "an ipv4/unicast prefix of 33 bits does not fit",
        )
    made.eng.until(lambda o: not o.sessions[four.peer.name].troubles)
    made.untouched()


def _error(session: Session) -> str:
    return session.last_error.text if session.last_error else ""
