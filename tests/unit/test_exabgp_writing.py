"""The way to the socket, at a socket that takes a little at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from exabgp.bgp.message import Notify
from exabgp.bgp.message.open.holdtime import HoldTime
from exabgp.reactor.network.connection import Connection
from exabgp.reactor.network.error import LostConnection, NetworkError

from bgpctl.exabgp.extension import writing

FULL = b"\x02" * (1 << 22)  # more than a socket takes at once
KEEPALIVE = b"\x04" * 19


class Wire:
    """A connection of ExaBGP's with our writer, and the router's end of it."""

    def __init__(self) -> None:
        ours, self.router = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        self.connection: Any = object.__new__(Connection)
        self.connection.io, self.connection.unsent, self.connection.given = ours, b"", 0
        self.connection.stuck_at = None
        self.connection.close = self.hang_up

    def hang_up(self) -> None:
        self.connection.io = None

    def write(self, data: bytes) -> Iterator[bool]:
        return writing.writer(self.connection, data)

    def read(self) -> bytes:
        """All that has arrived."""
        data = b""
        self.router.setblocking(False)
        try:
            while chunk := self.router.recv(1 << 20):
                data += chunk
        except BlockingIOError:
            pass
        return data


def test_a_keepalive_waits_for_the_end_of_the_message_before_it() -> None:
    wire = Wire()
    table = wire.write(FULL)
    assert next(table) is False and writing.blocked(wire.connection)
    keepalive, heard = wire.write(KEEPALIVE), b""
    while next(keepalive, None) is not None:
        heard += wire.read()
    assert heard + wire.read() == FULL + KEEPALIVE
    assert list(table) == [], "its octets are out, by the hand of another"
    assert not writing.blocked(wire.connection)


def test_what_an_abandoned_writer_left_goes_out_with_the_next() -> None:
    wire = Wire()
    next(wire.write(FULL))
    last, heard = wire.write(KEEPALIVE), b""
    while next(last, None) is not None:
        heard += wire.read()
    assert heard + wire.read() == FULL + KEEPALIVE


def test_a_socket_that_takes_all_of_it_takes_one_step() -> None:
    wire = Wire()
    assert list(wire.write(KEEPALIVE)) == [True]
    assert wire.read() == KEEPALIVE


def test_a_router_that_is_gone() -> None:
    wire = Wire()
    wire.router.close()
    with pytest.raises(NetworkError, match="cannot write to the router"):
        list(wire.write(KEEPALIVE))
    with pytest.raises(LostConnection):
        list(wire.write(KEEPALIVE))


def test_a_notification_does_not_wait_for_a_router_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire()
    next(wire.write(FULL))
    monkeypatch.setattr(writing, "NOTIFY_SECONDS", 0.0)
    bounded = writing._bounded(lambda protocol, notification: wire.write(notification))
    with pytest.raises(NetworkError, match="does not read"):
        list(bounded(SimpleNamespace(connection=wire.connection), KEEPALIVE))


def test_a_router_that_reads_nothing_for_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9687: its own keepalives would hold the session up for ever."""
    wire = Wire()
    next(wire.write(FULL))
    next(wire.write(KEEPALIVE))
    assert wire.connection.stuck_at is not None
    session = SimpleNamespace(connection=wire.connection, negotiated=SimpleNamespace(holdtime=HoldTime(90)))
    writing._end_when_stuck(session)
    wire.connection.stuck_at -= 481
    with pytest.raises(Notify) as raised:
        writing._end_when_stuck(session)
    assert (raised.value.code, raised.value.subcode) == (8, 0)
    session.negotiated.holdtime = HoldTime(300)
    writing._end_when_stuck(session)
    wire.read()
    next(wire.write(KEEPALIVE))
    assert wire.connection.stuck_at is None, "it took something"
