"""Timers that count time, not what the machine's clock says: it may jump.

ExaBGP counts on the wall clock. One that is set forward ends every session (hold timer expired), one that is
set back sends no keepalive and opens no session until it has caught up.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from exabgp.bgp import timer
from exabgp.bgp.timer import ReceiveTimer
from exabgp.reactor import delay, peer

STEADY = SimpleNamespace(time=time.monotonic)
"""In the place of the module `time` where nothing but `time.time()` is asked of it."""


class Wait(ReceiveTimer):  # type: ignore[misc]
    """Waiting for an OPEN or a keepalive. ExaBGP says "connection not synchronized" when no OPEN comes; that
    is the hold timer too (RFC 4271 section 8.2.2, OpenSent)."""

    def __init__(self, session: Any, holdtime: int, code: int, subcode: int, message: str = "") -> None:
        if code != HOLD_TIMER_EXPIRED:
            code, subcode, message = HOLD_TIMER_EXPIRED, 0, f"no OPEN within {holdtime} s"
        super().__init__(session, holdtime, code, subcode, message)


HOLD_TIMER_EXPIRED = 4


def install() -> None:
    """Hold timers and pauses count on STEADY, and waiting for an OPEN is `Wait`'s."""
    timer.time = delay.time = STEADY
    peer.ReceiveTimer = Wait
