"""Leaving: every route withdrawn and on the socket, then Cease, although graceful restart is on."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator, Iterator
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import Notify
from exabgp.reactor.network.error import NetworkError
from exabgp.reactor.peer import ACTION

from bgpctl.speaker.exabgp import wire
from bgpctl.speaker.exabgp.extension import routes
from bgpctl.speaker.exabgp.extension.state import EXTENSION, facts

LEAVE_SECONDS = 3.0  # for a router that stopped reading: then it is closed anyway and reported not flushed
LINGER_SECONDS = 1.0  # for the router to close its side after our Cease

ADMINISTRATIVE_SHUTDOWN = (6, 2)


def leave(request: wire.Message) -> wire.Message | None:
    """Answers when every peer is gone, with what was seen of each."""
    departure = Departure(request["id"], set(request["peers"]))
    notify = Notify(*ADMINISTRATIVE_SHUTDOWN, wire.shutdown_communication(request["reason"]))
    current = dict(EXTENSION.peers())
    for name in request["peers"]:
        EXTENSION.synced.discard(name)
        peer = current.get(name)
        if peer is not None and peer.fsm == FSM.ESTABLISHED and peer.generator:
            peer._restart = False
            routes.withdraw_all(peer.neighbor.rib.outgoing)
            peer.generator = farewell(peer, peer.generator, notify, departure)
        else:
            if peer is not None:
                peer.remove()
            departure.gone(name, None, None)
    departure.answer_when_done()
    return None


class Departure:
    """One `leave` request: answered once, when the last of its peers is gone."""

    def __init__(self, identifier: int, waiting: set[str]) -> None:
        self._identifier, self._waiting = identifier, waiting
        self._seen: dict[str, dict[str, float | None]] = {}

    def gone(self, name: str, flushed_at: float | None, closed_at: float | None) -> None:
        self._waiting.discard(name)
        self._seen[name] = {"flushed_at": flushed_at, "closed_at": closed_at}

    def answer_when_done(self) -> None:
        if not self._waiting:
            EXTENSION.send({"id": self._identifier, "ok": True, "peers": self._seen})


def farewell(peer: Any, session: Iterator[Any], notify: Any, departure: Departure) -> Iterator[Any]:
    """Takes the session's place in the reactor: steps it until each withdraw is on the socket, then Cease."""
    name = facts(peer.neighbor)["peer"]
    flushed_at = closed_at = None
    try:
        flushed_at = yield from _flush(peer, session)
        if peer.proto is not None:
            closed_at = yield from _cease(peer, notify)
    except NetworkError:
        pass  # the router was faster; what was flushed until then is known
    if peer.proto is not None:
        peer._close("left")
    peer.neighbor.rib.uncache()
    departure.gone(name, flushed_at, closed_at)
    departure.answer_when_done()


def _flush(peer: Any, session: Iterator[Any]) -> Generator[Any, None, float | None]:
    """Returns when the last withdraw was handed to the kernel, None when the router took too long or left."""
    deadline = time.monotonic() + LEAVE_SECONDS
    rib = peer.neighbor.rib.outgoing
    for action in session:
        # LATER: nothing is half written, so another message may follow on the socket.
        if action == ACTION.LATER and routes.flushed(rib):
            return time.time()
        if time.monotonic() > deadline:
            return None
        yield action
    return None


def _cease(peer: Any, notify: Any) -> Generator[Any, None, float | None]:
    """Send it and close in order: `close` with unread input would make the kernel send RST and drop what the
    router has not received yet."""
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
