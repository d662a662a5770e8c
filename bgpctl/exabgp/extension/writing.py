"""The way to the socket: whole messages in order, however much of one the kernel takes, and a table in a few
writes.

ExaBGP lets a keepalive in between the two halves of an UPDATE that the socket did not take at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from exabgp.bgp.message import _NOP, Notify
from exabgp.bgp.message.update import Update
from exabgp.reactor import protocol
from exabgp.reactor.network.connection import Connection
from exabgp.reactor.network.error import LostConnection, NetworkError, error

from bgpctl.exabgp.extension.state import EXTENSION

NOTIFY_SECONDS = 1.0
"""For a NOTIFICATION to be written: longer, and the router does not read."""

SEND_HOLD_SECONDS = 480.0
"""RFC 9687 section 3.2: who takes nothing for so long, or for twice the hold time, is dead."""
SEND_HOLD_TIMER_EXPIRED = (8, 0)

_UPDATE = Update([], b"")  # `_main` wants a message of this kind at the end


def install() -> None:
    """All goes through `writer`: UPDATEs in bursts, and a NOTIFICATION not for ever."""
    Connection.unsent, Connection.given, Connection.stuck_at = b"", 0, None
    Connection.writer = writer
    protocol.Protocol.new_update = new_update
    protocol.Protocol.new_keepalive = _ended(protocol.Protocol.new_keepalive)
    protocol.Protocol.new_notification = _bounded(protocol.Protocol.new_notification)


def blocked(connection: Any) -> bool:
    """Does something wait for the router to read?"""
    return connection is not None and bool(connection.unsent)


def writer(self: Any, data: bytes) -> Iterator[bool]:
    """Append to what waits, and step until it is with the kernel. Who does not step to the end leaves the
    rest to the next one. `given` counts every octet of the connection, sent or not."""
    self.unsent += data
    self.given += len(data)
    end = self.given
    while self.given - len(self.unsent) < end:
        _push(self)
        yield not self.unsent


def _push(connection: Any) -> None:
    if not connection.io:
        raise LostConnection("the connection is closed")
    try:
        number = connection.io.send(connection.unsent)
    except OSError as problem:
        if problem.errno in error.block:
            connection.stuck_at = connection.stuck_at or time.monotonic()
            return
        connection.close()
        raise NetworkError(f"cannot write to the router: {problem.strerror}") from None
    connection.unsent, connection.stuck_at = connection.unsent[number:], None


def new_update(self: Any, include_withdraw: bool) -> Iterator[Any]:
    """All that waits for this router. ExaBGP drops the withdraws of a session's first batch: no loss to a
    fresh router, but one that kept our routes over a graceful restart would keep them."""
    for number, burst in self.neighbor.rib.outgoing.bursts(self.negotiated):
        self.peer.stats["send-update"] += number
        for _ in self.connection.writer(burst):
            _end_when_stuck(self)
            yield _NOP
    EXTENSION.on_flushed(self.peer)
    yield _UPDATE


def _ended(original: Any) -> Any:
    def new_keepalive(self: Any, comment: str = "") -> Iterator[Any]:
        for step in original(self, comment):
            _end_when_stuck(self)
            yield step

    return new_keepalive


def _end_when_stuck(session: Any) -> None:
    """Raises Notify when the router has taken nothing for too long."""
    stuck_at = session.connection.stuck_at
    limit = max(SEND_HOLD_SECONDS, 2.0 * session.negotiated.holdtime)
    if stuck_at is not None and time.monotonic() - stuck_at > limit:
        raise Notify(*SEND_HOLD_TIMER_EXPIRED, f"nothing was read for {limit:.0f} s")


def _bounded(original: Any) -> Any:
    def new_notification(self: Any, notification: Any) -> Iterator[Any]:
        """ExaBGP waits for ever, and holds the session's place, when the router does not read."""
        deadline = time.monotonic() + NOTIFY_SECONDS
        for step in original(self, notification):
            if blocked(self.connection) and time.monotonic() > deadline:
                raise NetworkError("the router does not read")
            yield step

    return new_notification
