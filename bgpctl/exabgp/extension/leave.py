"""Leaving: every route withdrawn and on the socket, then Cease, although graceful restart is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.network.error import NetworkError
from exabgp.reactor.peer import ACTION

from bgpctl.exabgp import wire
from bgpctl.exabgp.extension import closing
from bgpctl.exabgp.extension.state import EXTENSION, facts

LEAVE_SECONDS = 3.0  # for a router that stopped reading: then it is closed anyway and reported not flushed

RESTART_REASON = "speaker stops (bgpctl)"

Seen = dict[str, dict[str, float | None]]
"""Per peer: when its last withdraw was on the socket, when Cease was; None = it was not."""


def leave(request: wire.Message) -> wire.Message | None:
    """Answers when every peer is gone, with what was seen of each."""
    identifier = request["id"]
    depart(
        request["peers"],
        request["reason"],
        lambda seen: EXTENSION.send({"id": identifier, "ok": True, "peers": seen}),
    )
    return None


def shutdown(request: wire.Message) -> wire.Message:
    """End ExaBGP; answered before. `leave`: every peer is left; otherwise see `end`. Of a shape that never
    changes: a manager of any version may ask."""
    end([name for name, _ in EXTENSION.peers()] if request["leave"] else _not_kept(), request["reason"])
    return {}


def end(peers: Iterable[str] | None = None, reason: str = RESTART_REASON) -> None:
    """Leave `peers` (None: those whose router would not keep our routes over a silent close), then stop,
    which closes the others without a word."""
    leaving = list(_not_kept() if peers is None else peers)
    depart(leaving, reason, lambda seen: setattr(EXTENSION.reactor.signal, "received", Signal.SHUTDOWN))


def _not_kept() -> list[str]:
    """As `core.intent.pacing.keeps_forwarding`, of the sessions that there are."""
    records = (EXTENSION.record(peer.neighbor) for _, peer in EXTENSION.peers())
    return [r.peer for r in records if r.state == "established" and not (r.local_gr and r.peer_gr)]


def depart(names: Iterable[str], reason: str, done: Callable[[Seen], None]) -> None:
    """Start to leave these peers; `done` is called once, when the last of them is gone."""
    waiting = list(names)
    departure = Departure(set(waiting), done)
    current = dict(EXTENSION.peers())
    for name in waiting:
        EXTENSION.synced.discard(name)
        peer = current.get(name)
        if peer is not None and peer.fsm in closing.TALKING and peer.generator:
            peer._restart = False
            if peer.fsm == FSM.ESTABLISHED:
                peer.neighbor.rib.outgoing.withdraw_all()
            peer.generator = leave_session(peer, peer.generator, reason, departure)
        else:
            if peer is not None:
                peer.remove()
            departure.gone(name, None, None)
    departure.tell_when_done()


class Departure:
    """Peers on their way out, and what was seen of those that are gone."""

    def __init__(self, waiting: set[str], done: Callable[[Seen], None]) -> None:
        self._waiting, self._done = waiting, done
        self._seen: Seen = {}

    def gone(self, name: str, flushed_at: float | None, closed_at: float | None) -> None:
        """Epoch seconds as in `Seen`. The manager is not told before `tell_when_done`."""
        self._waiting.discard(name)
        self._seen[name] = {"flushed_at": flushed_at, "closed_at": closed_at}
        EXTENSION.departed[name] = dict(self._seen[name])

    def tell_when_done(self) -> None:
        """Calls `done` when no peer is waited for; at once where there was none."""
        if not self._waiting:
            self._done(self._seen)


def leave_session(peer: Any, session: Iterator[Any], reason: str, departure: Departure) -> Iterator[Any]:
    """Takes the session's place in the reactor: steps it until each withdraw is on the socket, then Cease."""
    name = facts(peer.neighbor)["peer"]
    flushed_at = closed_at = None
    try:
        if peer.fsm == FSM.ESTABLISHED:
            flushed_at = yield from _flush(peer, session)
        if peer.proto is not None:
            closed_at = yield from closing.cease(peer, closing.leave_notification(peer, reason))
    except NetworkError:
        pass  # the router was faster; what was flushed until then is known
    if peer.proto is not None:
        peer._close("left")
    peer.neighbor.rib.uncache()
    departure.gone(name, flushed_at, closed_at)
    departure.tell_when_done()


def _flush(peer: Any, session: Iterator[Any]) -> Generator[Any, None, float | None]:
    """Returns when the last withdraw was handed to the kernel, None when the router took too long or left."""
    deadline = time.monotonic() + LEAVE_SECONDS
    rib = peer.neighbor.rib.outgoing
    for action in session:
        # LATER: the session has nothing more to do, so its turn ends here.
        if action == ACTION.LATER and rib.flushed():
            return time.time()
        if time.monotonic() > deadline:
            return None
        yield action
    return None
