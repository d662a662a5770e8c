"""Time: keepalives as configured, reconnecting within seconds, connecting without hammering."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from exabgp.bgp.message.open.holdtime import HoldTime
from exabgp.reactor.delay import Delay
from exabgp.reactor.network.outgoing import Outgoing
from exabgp.reactor.network.tcp import nagle

from bgpctl.exabgp.extension.state import EXTENSION
from bgpctl.exabgp.record import Record

ATTEMPT_SECONDS = 5.0  # of one SYN: a router that was away is found by a fresh one, not by the kernel's 64 s
STEADY_SECONDS = 10.0  # a session that lasted so long is no attempt any more
REFUSED_SECONDS = 1.0  # pause after "connection refused"
OFF_BEAT_SECONDS = 0.5  # added to every pause: routers start over on whole seconds
RETRY_SECONDS = 5.0  # longest pause before a failed session is tried again; ConnectRetryTime only shortens it

CONNECTING: WeakSet[PacedOutgoing] = WeakSet()
"""Those on their way to a router: no peer holds them until they are there."""


class PacedHold(HoldTime):  # type: ignore[misc]
    """The negotiated hold time with a keepalive time of its own: never more than a third (RFC 4271 4.4)."""

    def __new__(cls, hold: int, keepalive: int) -> PacedHold:
        self: PacedHold = super().__new__(cls, hold)
        self.configured = keepalive
        return self

    def keepalive(self) -> int:
        """Seconds; a third where no time is configured."""
        third = int(self) // 3
        return min(self.configured, third) if self.configured else third


class PacedDelay(Delay):  # type: ignore[misc]
    """The pause after a session ended. ExaBGP's grows to a minute, in which a returned router waits, and
    starts over with every session, however short: a router that resets at once would be a loop.

    No pause but the first, which is none, is a whole number of seconds. FRR (seen with 8.4) starts a neighbor
    again one second after its session ended, a passive one with an event that says "open failed"; a session
    that comes up in that instant takes it for its own, and is cleared with all its routes."""

    _time: float
    _next: int

    def __init__(self, longest: float) -> None:
        super().__init__()
        self._longest = longest
        self._up_at: float | None = None

    def reset(self) -> None:
        """There is a session, or a reason to have one at once."""
        self._time = self._up_at = time.monotonic()

    def increase(self) -> None:
        """A session or an attempt has ended: after one that lasted STEADY_SECONDS the pauses start over."""
        if self._up_at is not None and time.monotonic() - self._up_at > STEADY_SECONDS:
            self._next = 0
        self._up_at = None
        late = OFF_BEAT_SECONDS if self._next else 0.0
        super().increase()
        self._time = min(self._time + late, time.monotonic() + self._longest)
        self._next = min(self._next, int(self._longest))


class PacedOutgoing(Outgoing):  # type: ignore[misc]
    """Connecting with a pause after a refusal and a bound on silence. ExaBGP tries in every turn of its loop,
    and leaves a lost SYN to the kernel."""

    io: Any
    local: Any
    due = 0.0
    """When there is something to do although the socket is silent, by the monotonic clock."""

    def establish(self) -> Iterator[bool]:
        """Yields False until TCP is up, then ends. After a refusal, or silence, it tries once more."""
        CONNECTING.add(self)
        try:
            yield from self._establish()
        finally:
            CONNECTING.discard(self)

    def _establish(self) -> Iterator[bool]:
        while True:
            started = time.monotonic()
            self.due = started + ATTEMPT_SECONDS
            try:
                if (issue := self._connect()) is not None:
                    raise OSError(str(issue))
                while not self._decided():
                    if time.monotonic() - started > ATTEMPT_SECONDS:
                        raise TimeoutError(f"no answer within {ATTEMPT_SECONDS:.0f} s")
                    yield False
                self.success()
                nagle(self.io, self.peer)
                self.local = self.local or self.io.getsockname()[0]
                return  # ExaBGP's own yields once more, which would cost a rest
            except OSError as error:
                self._give_up(error.strerror or str(error))
            self.due = started + REFUSED_SECONDS
            while time.monotonic() - started < REFUSED_SECONDS:
                yield False

    def _decided(self) -> bool:
        """Is TCP up? OSError when it will not be. ExaBGP's `ready` reads the error once, which clears it, and
        then takes a refused connection for a good one."""
        poller = select.poll()
        poller.register(self.io, select.POLLOUT)
        if not poller.poll(0):
            return False
        if error := self.io.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        return True

    def _give_up(self, reason: str) -> None:
        if self.io is not None:
            self.io.close()
            self.io = None
        text = f"cannot connect to {self.peer} port {self.port}: {reason}"
        for name, peer in EXTENSION.peers():
            neighbor = peer.neighbor
            if neighbor["peer-address"].top() == self.peer and neighbor["connect"] == self.port:
                record = EXTENSION.records.setdefault(name, Record(name))
                repeated = record.last_error is not None and record.last_error["text"] == text
                record.note_failure(text)
                if not repeated:
                    EXTENSION.tell(record)
