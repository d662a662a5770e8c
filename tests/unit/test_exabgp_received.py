"""What a router sends, counted: right, bounded, and never an exception."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.bgp import update
from bgpctl.exabgp import received
from bgpctl.exabgp.received import Received
from bgpctl.exabgp.record import CALENDAR, Record

ONE, TWO = bytes.fromhex("180a0901"), bytes.fromhex("180a0902")
SIX = bytes.fromhex("40fd00000900000000")
ORIGIN = bytes.fromhex("400101 00".replace(" ", ""))


def bodies(*messages: bytes) -> list[bytes]:
    return [message[19:] for message in messages]


def told(*changes: bytes) -> Received:
    seen = Received()
    for body in changes:
        seen.take(body)
    return seen


def test_both_families_come_and_go() -> None:
    four = bodies(*update.announced((1, 1), ORIGIN, b"", [ONE, TWO], 4096))
    six = bodies(*update.announced((2, 1), ORIGIN, bytes(16), [SIX], 4096))
    seen = told(*four, *four, *six)
    assert seen.counts() == {"ipv4/unicast": 2, "ipv6/unicast": 1}
    for body in bodies(*update.withdrawn((1, 1), [ONE], 4096), *update.withdrawn((2, 1), [SIX], 4096)):
        seen.take(body)
    assert seen.counts() == {"ipv4/unicast": 1, "ipv6/unicast": 0}
    assert list(seen.troubles()) == []


def test_end_of_rib_and_families_of_others_are_nothing() -> None:
    vpn = bytes.fromhex("0000" + "0009" + "800e06" + "000180" + "00" + "00" + "ff")
    assert told(bytes(4), bytes.fromhex("00000006800f03000201"), vpn).counts() in ({}, {"ipv4/unicast": 0})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "the length of the withdrawn routes is beyond its end"),
        ("00", "the length of the withdrawn routes is beyond its end"),
        ("ffff0000", "the length of the withdrawn routes is beyond its end"),
        ("0000", "the length of the path attributes is beyond its end"),
        ("00000005400101", "the length of the path attributes is beyond its end"),
        ("0000000240ff", "a path attribute is cut"),
        ("00000004400109 00", "path attribute 1 is longer than its UPDATE"),
        ("000000045001ffff", "path attribute 1 is longer than its UPDATE"),
        ("000000005901020304", "an ipv4/unicast prefix of 89 bits does not fit"),
        ("00000000200a", "an ipv4/unicast prefix of 32 bits does not fit"),
        ("00000005800e02" + "0002", "MP_REACH_NLRI is too short"),
        ("00000008800e05" + "00020110" + "00", "MP_REACH_NLRI is too short"),
        ("00000005800f02" + "0002", "MP_UNREACH_NLRI is too short"),
        ("00000007800f04" + "000201" + "ff", "an ipv6/unicast prefix of 255 bits does not fit"),
    ],
)
def test_what_cannot_be_read_is_told_and_changes_nothing(body: str, words: str) -> None:
    seen = told(bytes.fromhex("00000000") + ONE, bytes.fromhex(body.replace(" ", "")))
    assert seen.counts() == {"ipv4/unicast": 1}
    assert list(seen.troubles()) == [f"it sent an UPDATE that cannot be read, which was ignored: {words}"]


@given(st.binary(max_size=200))
def test_nothing_that_a_router_sends_raises(body: bytes) -> None:
    told(body, bytes(4) + body, b"\0\0" + struct.pack("!H", len(body)) + body)


def test_a_table_is_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "MOST", 3)
    seen = told(*(bytes(4) + bytes((24, 10, 9, n)) for n in range(5)))
    assert seen.counts() == {"ipv4/unicast": 3}
    seen.take(b"\0\4" + ONE + b"\0\0")
    assert seen.counts() == {"ipv4/unicast": 3}, "what was not counted cannot be counted down"
    (trouble,) = seen.troubles()
    assert trouble == "it announces 3 routes or more, none of which this node uses: filter them there"


def test_a_session_that_ends_forgets_what_was_wrong() -> None:
    record = Record("65001/10.0.0.1")
    record.enter("established")
    record.received.take(b"")
    assert record.tell({}, 0)["troubles"]
    record.enter("idle")
    assert record.tell({}, 0)["troubles"] == []


def test_a_router_that_does_not_read_is_a_trouble_after_a_while() -> None:
    record = Record("65001/10.0.0.1")
    record.enter("established")
    now = record.since
    assert record.tell({}, 0, now)["troubles"] == []
    (trouble,) = record.tell({}, 0, now - 60)["troubles"]
    assert trouble.startswith("it has not read what we send since ")


def test_moments_follow_a_clock_that_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = CALENDAR.date(100.0)
    assert CALENDAR.date(100.0) == now, "the same to the digit, or every look would be a change"
    monkeypatch.setattr("bgpctl.exabgp.record.time.time", lambda: now + 3600)
    monkeypatch.setattr("bgpctl.exabgp.record.time.monotonic", lambda: 100.0)
    assert CALENDAR.date(100.0) == now + 3600
    monkeypatch.undo()
    assert abs(CALENDAR.date(100.0) - now) < 1
