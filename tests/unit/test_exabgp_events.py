"""What the child tells, read as values."""

from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_address

import pytest

from bgpctl.core.model import IPV4, IPV6, GracefulRestart, LastError, Session, SessionState
from bgpctl.exabgp import events
from bgpctl.exabgp.record import CALENDAR, Record


def established() -> Record:
    record = Record("65001/10.0.0.1")
    record.enter("open_confirm")
    record.enter("established")
    record.local_address, record.hold_time, record.keepalive_time = "10.0.0.11", 9, 3
    record.families = ("ipv4/unicast", "ipv6/unicast")
    record.peer_gr = {"time": 120, "flags": 0xC, "families": {"ipv4/unicast": 0x80, "ipv6/unicast": 0}}
    record.local_gr = {"time": 30, "flags": 0x8, "families": {}}
    record.llgr = "00010100" + "00000a" + "00020100" + "000e10" + "00018000" + "ffffff"
    record.received.take(bytes.fromhex("0000" + "0000" + "080a"))
    return record


def test_a_session_as_the_child_tells_it() -> None:
    record = established()
    session = events.session_of(record.tell({"ipv4/unicast": 2}, 0))
    assert session == Session(
        "65001/10.0.0.1",
        SessionState.ESTABLISHED,
        since=CALENDAR.date(record.since),
        established_at=CALENDAR.date(record.since),
        local_address=ip_address("10.0.0.11"),
        hold_time=9,
        keepalive_time=3,
        families=(IPV4, IPV6),
        local_gr=GracefulRestart(30, restart_state=True),
        peer_gr=GracefulRestart(120, True, True, ((IPV4, True), (IPV6, False))),
        long_lived=3600,
        advertised={IPV4: 2},
        received={IPV4: 1},
    )


@pytest.mark.parametrize(
    ("flags", "restart_state", "notification"), [(0, False, False), (8, True, False), (4, False, True)]
)
def test_flags(flags: int, restart_state: bool, notification: bool) -> None:
    side = events.graceful_restart({"time": 0, "flags": flags, "families": {}})
    assert side is not None
    assert (side.restart_state, side.notification) == (restart_state, notification)


def test_leaving_established_is_a_flap_and_forgets() -> None:
    record = established()
    record.end_of_rib = True
    record.enter("idle")
    session = events.session_of(record.tell({}, 0))
    assert (session.flaps, session.established_at, session.end_of_rib) == (1, None, False)
    assert session.received == {}
    assert session.hold_time == 9, "what was negotiated last stays known"
    record.enter("idle")
    assert record.flaps == 1


def test_a_notification_explains_the_end_better_than_the_closed_socket() -> None:
    record = established()
    record.note_notification("received", 6, 2, b"\x04 bye")
    record.note_failure("the TCP connection was closed")
    error = events.session_of(record.tell({}, 0)).last_error
    assert error is not None
    assert (error.direction, error.code, error.subcode) == ("received", 6, 2)
    assert error.text == "Cease/Administrative Shutdown (6/2): bye"
    record.enter("idle")
    record.enter("connect")
    record.note_failure("the TCP connection was closed")
    error = events.session_of(record.tell({}, 0)).last_error
    assert error is not None
    assert (error.direction, error.text, error.code) == ("local", "the TCP connection was closed", None)


def test_what_ended_the_session_outlasts_the_attempts_to_come_back() -> None:
    record = established()
    record.note_notification("received", 6, 9, bytes((6, 4, 3)) + b"bye")
    record.enter("idle")
    record.enter("connect")
    record.note_failure("the TCP connection was closed")
    assert record.last_error is not None and record.last_error["direction"] == "local"
    record.enter("established")
    error = events.session_of(record.tell({}, 0)).last_error
    assert error is not None and (error.code, error.subcode) == (6, 9)
    assert error.text == "Cease/Hard Reset (6/9): Cease/Administrative Reset (6/4): bye"


def test_a_repeated_failure_is_one_failure() -> None:
    record = Record("p")
    record.note_failure("refused")
    first = record.last_error
    record.note_failure("refused")
    assert record.last_error is first


def test_a_failure_is_told_in_words() -> None:
    record = Record("p")
    record.note_failure("reading on the socket: [Errno ECONNRESET] [Errno 104] Connection reset by peer")
    assert record.last_error is not None
    assert record.last_error["text"] == "reading on the socket: Connection reset by peer"


@pytest.mark.parametrize("line", [b"", b"done", b"[1]", b"{", b"\xff\xfe", b"12"])
def test_foreign_lines_are_nothing(line: bytes) -> None:
    assert events.parse_line(line) is None


def test_a_dead_engine_leaves_no_lie() -> None:
    session = events.session_of(established().tell({"ipv4/unicast": 2}, 0))
    after = events.interrupted(session, 5.0, "it died")
    assert after == replace(
        session,
        state=SessionState.IDLE,
        since=5.0,
        established_at=None,
        advertised={},
        received={},
        flaps=1,
        last_error=LastError(5.0, "local", "it died"),
    )
    assert events.interrupted(after, 6.0, "again").flaps == 1


def test_no_attribute_of_a_session_is_forgotten() -> None:
    told = {one.name for one in events.SESSION.fields}
    assert told - {"llgr"} == {one.name for one in fields(Session)} - {"long_lived", "gr_told"}
