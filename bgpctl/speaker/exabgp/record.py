"""What the child remembers of one peer, and how it tells it: plain values, nothing of ExaBGP.

One record is sent whole with every change, so a lost event costs nothing and a speaker that comes back needs
no history.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from bgpctl.speaker.exabgp.wire import CEASE, read_cease

MAX_RECEIVED = 250_000
"""Distinct received prefixes that are counted per peer; more are reported as this many."""


@dataclass(slots=True)
class Record:
    """The session of one peer. Times are seconds since the epoch."""

    peer: str
    state: str = "idle"
    since: float = field(default_factory=time.time)
    established_at: float | None = None
    local_address: str | None = None
    hold_time: int | None = None
    keepalive_time: int | None = None
    families: tuple[str, ...] = ()
    local_gr: dict[str, Any] | None = None
    peer_gr: dict[str, Any] | None = None
    llgr: str | None = None
    flaps: int = 0
    last_error: dict[str, Any] | None = None
    end_of_rib: bool = False
    awaiting_end_of_rib: set[str] = field(default_factory=set)
    received: dict[str, set[bytes]] = field(default_factory=dict)
    told_at: float = 0.0
    notified: bool = False

    def enter(self, state: str) -> None:
        """The state machine moved. Leaving Established is a flap and forgets what that session had."""
        if state == self.state:
            return
        now = time.time()
        if self.state == "established":
            self.flaps += 1
            self.established_at = None
            self.end_of_rib = False
            self.awaiting_end_of_rib.clear()
            self.received.clear()
        if state == "established":
            self.established_at = now
        if state == "connect":
            self.notified = False
        self.state, self.since = state, now

    def note_notification(self, direction: str, code: int, subcode: int, data: bytes) -> None:
        """A NOTIFICATION went out or came in: that is why the session ends."""
        inner, text = read_cease(subcode, data) if code == CEASE else (None, "")
        self.notified = True
        self.last_error = {
            "time": time.time(),
            "direction": direction,
            "code": code,
            "subcode": subcode,
            "inner": inner,
            "text": text,
        }

    def note_failure(self, text: str) -> None:
        """The session or the connection attempt ended without a NOTIFICATION."""
        repeated = self.last_error is not None and self.last_error["text"] == text
        if not self.notified and not repeated:
            self.last_error = {"time": time.time(), "direction": "local", "text": text}

    def count(self, family: str, nlri: bytes, announced: bool) -> None:
        """One received prefix came or went."""
        known = self.received.setdefault(family, set())
        if not announced:
            known.discard(nlri)
        elif len(known) < MAX_RECEIVED:
            known.add(nlri)

    def tell(self, advertised: dict[str, int], pending: int) -> dict[str, Any]:
        """The record as an event's body."""
        self.told_at = time.monotonic()
        return {
            "peer": self.peer,
            "state": self.state,
            "since": self.since,
            "established_at": self.established_at,
            "local_address": self.local_address,
            "hold_time": self.hold_time,
            "keepalive_time": self.keepalive_time,
            "families": list(self.families),
            "local_gr": self.local_gr,
            "peer_gr": self.peer_gr,
            "llgr": self.llgr,
            "advertised": advertised,
            "received": {family: len(known) for family, known in self.received.items()},
            "pending": pending,
            "end_of_rib": self.end_of_rib,
            "flaps": self.flaps,
            "last_error": self.last_error,
        }
