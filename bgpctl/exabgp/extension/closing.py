"""How a session ends on purpose: which NOTIFICATION, and in which order things are closed.

| why | without graceful restart | with it | with the N bit on both sides |
|---|---|---|---|
| we leave | Cease 6/2 and words | Cease 6/2 and words | Hard Reset 6/9 around 6/2 and words |
| the peer's definition changed | Cease 6/4 and words | silence | silence |

RFC 9003 gives words to 6/2 and 6/4 alone. RFC 8538 section 5.1: a plain Cease is graceful where both sides
sent the N bit, so who leaves must reset hard. Silence is what keeps the routes on every router (RFC 4724
section 4), also when the change switches graceful restart off: then the routes were away for at most 3 ms on
BIRD, FRR, GoBGP and OpenBGPD (measured), after a Cease for up to 24 ms, on GoBGP for 6 s. ExaBGP by itself is
silent where the router offered no graceful restart, too, and says 6/3 where we did not.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Generator, Iterator
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import Notify
from exabgp.bgp.message.open.capability import Capability
from exabgp.reactor.network.error import NetworkError
from exabgp.reactor.peer import ACTION

from bgpctl.core.bgp.capabilities import NOTIFICATION
from bgpctl.core.bgp.notification import (
    ADMINISTRATIVE_RESET,
    ADMINISTRATIVE_SHUTDOWN,
    HARD_RESET,
    shutdown_communication,
)
from bgpctl.core.intent.diff import CHANGED_REASON

LINGER_SECONDS = 1.0  # for the router to close its side after our Cease

TALKING = (FSM.OPENSENT, FSM.OPENCONFIRM, FSM.ESTABLISHED)


def leave_notification(peer: Any, reason: str) -> Any:
    """The NOTIFICATION of a leave: the routes go, whatever was negotiated."""
    words = shutdown_communication(reason)
    if all(_flags(side) & NOTIFICATION for side in _opens(peer)):
        return Notify(*HARD_RESET, bytes(ADMINISTRATIVE_SHUTDOWN) + words)
    return Notify(*ADMINISTRATIVE_SHUTDOWN, words)


def renewal(peer: Any, session: Iterator[Any]) -> Iterator[Any]:
    """Takes the session's place in the reactor and ends it, so that the next one has the new definition.
    A leave that comes meanwhile steps the session through it."""
    if peer.fsm == FSM.ESTABLISHED:
        deadline = time.monotonic() + LINGER_SECONDS
        for action in session:
            # LATER: nothing is half written, so another message may follow on the socket.
            if peer._restart and (action == ACTION.LATER or time.monotonic() > deadline):
                break
            yield action
        else:
            return
    try:
        if not kept(peer):
            yield from cease(peer, Notify(*ADMINISTRATIVE_RESET, shutdown_communication(CHANGED_REASON)))
    except NetworkError:
        pass  # the router was faster
    peer._reset(CHANGED_REASON)
    peer._delay.reset()


def kept(peer: Any) -> bool:
    """Would the router keep our routes over a silent close? Before its OPEN, it may hold those of a session
    before."""
    sent, received = _opens(peer)
    return _has_restart(sent) and (received is None or _has_restart(received))


def cease(peer: Any, notify: Any) -> Generator[Any, None, float | None]:
    """Send it and close in order: `close` with unread input would make the kernel send RST and drop what the
    router has not received yet. Returns when it was on the socket, None when the router does not read."""
    deadline = time.monotonic() + LINGER_SECONDS
    for _ in peer.proto.write(notify):
        if time.monotonic() > deadline:
            return None
        yield ACTION.NOW
    closed_at = time.time()
    io = peer.proto.connection.io
    try:
        io.shutdown(socket.SHUT_WR)
        while time.monotonic() < deadline:
            try:
                if not io.recv(1 << 16):
                    break
            except BlockingIOError:
                yield ACTION.LATER
    except OSError:
        pass
    return closed_at


def _opens(peer: Any) -> tuple[Any, Any]:
    negotiated = peer.proto.negotiated
    return negotiated.sent_open, negotiated.received_open


def _has_restart(side: Any) -> bool:
    return side is not None and Capability.CODE.GRACEFUL_RESTART in side.capabilities


def _flags(side: Any) -> int:
    return side.capabilities[Capability.CODE.GRACEFUL_RESTART].restart_flag if _has_restart(side) else 0
