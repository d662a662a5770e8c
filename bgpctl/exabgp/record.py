"""What the child remembers of one peer, and how it tells it: plain values, nothing of ExaBGP.

One record is sent whole with every change, so a lost event costs nothing and a speaker that comes back needs
no history.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bgpctl.core.bgp.notification import CEASE, read_cease
from bgpctl.exabgp.events import SESSION
from bgpctl.exabgp.received import Received

STUCK_SECONDS = 5.0  # a router that is busy for longer is worth a word
JUMP_SECONDS = 0.5
"""What the machine's clock may be slewed by before that counts as a jump."""


class Calendar:
    """Moments of the monotonic clock as seconds since the epoch. When the machine's clock jumps they move
    with it, so that no session grows a year old, or younger than nothing; in between they stay the same."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def date(self, moment: float) -> float:
        """Epoch seconds of a monotonic moment."""
        offset = time.time() - time.monotonic()
        if abs(offset - self._offset) > JUMP_SECONDS:
            self._offset = offset
        return moment + self._offset


CALENDAR = Calendar()


@dataclass(slots=True)
class Record:
    """The session of one peer. Times are on the monotonic clock; `tell` dates them. `lost_by` is what ended
    it last: an attempt that fails on the way back is worth telling only until one succeeds."""

    peer: str
    state: str = "idle"
    since: float = field(default_factory=time.monotonic)
    established_at: float | None = None
    local_address: str | None = None
    hold_time: int | None = None
    keepalive_time: int | None = None
    families: tuple[str, ...] = ()
    extended_next_hop: bool = False
    local_gr: dict[str, Any] | None = None
    peer_gr: dict[str, Any] | None = None
    llgr: str | None = None
    flaps: int = 0
    last_error: dict[str, Any] | None = None
    lost_by: dict[str, Any] | None = None
    end_of_rib: bool = False
    awaiting_end_of_rib: set[str] = field(default_factory=set)
    received: Received = field(default_factory=Received)
    told_at: float = 0.0
    notified: bool = False

    def enter(self, state: str) -> None:
        """The state machine moved. Leaving Established is a flap and forgets what that session had."""
        if state == self.state:
            return
        now = time.monotonic()
        if self.state == "established":
            self.flaps += 1
            self.lost_by = self.last_error
            self.established_at = None
            self.end_of_rib = False
            self.awaiting_end_of_rib.clear()
            self.received = Received()
        if state == "established":
            self.established_at = now
            self.last_error = self.lost_by or self.last_error
        if state == "connect":
            self.notified = False
        self.state, self.since = state, now

    def note_notification(self, direction: str, code: int, subcode: int, data: bytes) -> None:
        """A NOTIFICATION went out or came in: that is why the session ends."""
        inner, text = read_cease(subcode, data) if code == CEASE else (None, _words(direction, data))
        self.notified = True
        self.last_error = {
            "time": time.monotonic(),
            "direction": direction,
            "code": code,
            "subcode": subcode,
            "inner": inner,
            "text": text,
        }

    def note_failure(self, text: str) -> None:
        """The session or the connection attempt ended without a NOTIFICATION."""
        text = re.sub(r"\[Errno \w+\] ", "", text)  # ExaBGP's numbers of an error that it has words for
        repeated = self.last_error is not None and self.last_error["text"] == text
        if not self.notified and not repeated:
            self.last_error = {"time": time.monotonic(), "direction": "local", "text": text}

    def tell(self, advertised: dict[str, int], pending: int, stuck_at: float | None = None) -> dict[str, Any]:
        """The record as an event's body. `stuck_at`: since when the router takes nothing of what waits."""
        self.told_at = time.monotonic()
        told = {
            "since": CALENDAR.date(self.since),
            "established_at": _dated(self.established_at),
            "advertised": advertised,
            "received": self.received.counts(),
            "pending": pending,
            "troubles": list(self._troubles(stuck_at)),
            "last_error": _dated_error(self.last_error),
        }
        return {
            one.name: told[one.name] if one.name in told else getattr(self, one.name)
            for one in SESSION.fields
        }

    def _troubles(self, stuck_at: float | None) -> Iterator[str]:
        """What is wrong with a session that is up, in the form "router 192.0.2.1: it …"."""
        yield from self.received.troubles()
        if stuck_at is not None and time.monotonic() - stuck_at > STUCK_SECONDS:
            since = datetime.fromtimestamp(CALENDAR.date(stuck_at), UTC)
            yield f"it has not read what we send since {since:%H:%M:%S} UTC"


def _dated(moment: float | None) -> float | None:
    return None if moment is None else CALENDAR.date(moment)


def _dated_error(error: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if error is None else {**error, "time": CALENDAR.date(error["time"])}


def _words(direction: str, data: bytes) -> str:
    """ExaBGP says in ASCII what was wrong with a message; a router's own octets are not text."""
    try:
        text = data.decode("ascii") if direction == "sent" else ""
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""
