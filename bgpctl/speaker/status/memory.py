"""Where a speaker's state is kept: the object that others read, and a file in its own directory.

The object may never get there: the API server refuses it, is away, or does not know its kind. What the next
speaker of the node must know of the sessions of this one then stands in the file alone. Whichever has the
higher number was told last (a clock may have been corrected in between); the next write replaces both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from bgpctl.core.state import MOST_WRITES, NodeState, PeerState, others
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.ports import Sink
from bgpctl.speaker.status.addresses import Addresses
from bgpctl.speaker.status.publisher import Pace, Publisher, awaited
from bgpctl.speaker.status.waiting import Waiting

log = logging.getLogger("bgpctl.speaker")


def newest(node: str, *found: NodeState | None) -> NodeState | None:
    """Of those that are this node's, the one that was told last, of equals the first. A process numbers what
    it tells. Of two processes one may not have known what the other told, so whatever routers either of them
    names may have routes; so too where the numbers have come to their end (a damaged file), which orders
    nothing any more. Addresses that another speaker told stand in one of the two places only."""
    ours = [state for state in found if state is not None and state.node == node]
    last = max(
        ours, key=lambda state: (state.sequence, 0 if state.sequence else state.heartbeat), default=None
    )
    if last is None:
        return None
    known = Addresses()
    for state in (*ours, last):
        known.remember(state.locals)
    last = replace(last, locals=known.told)
    ended = last.sequence >= MOST_WRITES
    foreign = [state for state in ours if ended or not state.uid or state.uid != last.uid]
    for state in foreign:
        lost = _missed(state.holders, last.holders)
        last = replace(last, unwithdrawn=(*last.unwithdrawn, *lost)) if lost else last
    return last


def _missed(peers: tuple[PeerState, ...], known: tuple[PeerState, ...]) -> tuple[PeerState, ...]:
    """Those that are not among the known. A session that is not up says nothing of one from an address."""
    placed = [peer for peer in peers if peer.session.local_address]
    sure = [peer for peer in known if peer.session.local_address]
    return (*others(placed, sure), *others((peer for peer in peers if peer not in placed), known))


def remembered(state: NodeState) -> Hashable:
    """What the next speaker must know even if this one is killed within the second: its routers too, and
    where its sessions come from."""
    return awaited(state), frozenset((p.address, p.port, p.session.local_address) for p in state.holders)


@dataclass(frozen=True, slots=True)
class Joined:
    """As `sink`, of each state what `joined` makes of it: what other speakers told must not go with the
    object."""

    sink: Sink
    joined: Callable[[NodeState], NodeState]

    def read(self) -> NodeState | None:
        return self.sink.read()

    def write(self, state: NodeState) -> None:
        self.sink.write(self.joined(state))


class Memory:
    """A sink of two, each written by a thread of its own: neither a disk nor an API server that hangs keeps
    the other from knowing. `kept` is the file, None = `told` is one already. Counts wait
    on the way to the API server, which has a fleet of writers, and not to a file."""

    def __init__(self, node: str, told: Sink, kept: Sink | None = None) -> None:
        self._node, self._sinks = node, (told, kept)
        self._last = NodeState(node)
        self._told = Publisher(told, waiting=Waiting() if kept else None)
        self._kept = Publisher(kept, Pace(urgent=remembered), word="kept") if kept else None

    def read(self) -> NodeState | None:
        """The newest that can be read; what is written from now on is newer. Raises Temporary while that
        cannot be told, BgpctlError where nothing is known."""
        found = self._read()
        if found is not None:
            self._last = found
        return found

    def _read(self) -> NodeState | None:
        told, kept = self._sinks
        own = newest(self._node, kept.read() if kept else None)
        try:
            return newest(self._node, told.read(), own)
        except Temporary:
            raise
        except BgpctlError as error:
            if own is None:
                raise
            log.warning("speaker.state_unreadable", extra={"error": error.message, "instead": "its file"})
            return own

    def write(self, state: NodeState) -> None:
        """The file's thread is woken first; neither is waited for."""
        numbered = self._numbered(state)
        for publisher in self._publishers:
            publisher.offer(numbered)

    def keep_again(self) -> None:
        """What is kept is more than what was offered, and has changed."""
        if self._kept:
            self._kept.again()

    def start(self) -> None:
        for publisher in self._publishers:
            publisher.start()

    def close(self, last: NodeState) -> None:
        """It is tried once."""
        numbered = self._numbered(last)
        for publisher in self._publishers:
            publisher.close(numbered)

    def _numbered(self, state: NodeState) -> NodeState:
        """With its number, which is another one only where something else is: the same state told again is no
        news."""
        same = replace(state, sequence=self._last.sequence)
        if same != self._last:
            self._last = replace(state, sequence=min(self._last.sequence + 1, MOST_WRITES))
        return self._last

    @property
    def told_at(self) -> float | None:
        """The epoch second of the last state that others can read, None = there was none yet."""
        return self._told.told_at

    @property
    def untold(self) -> str:
        """Why others cannot read the state, "" = they can."""
        return self._told.problem

    @property
    def unkept(self) -> str:
        """A sentence about a file that is not written, "" = it is."""
        reason = self._kept.problem if self._kept else ""
        return (
            reason
            and f"what this speaker knows of its sessions is not kept on its disk ({reason}): "
            "announcements are untouched, but one that is started after it was killed knows of them by its "
            "BGPNodeState alone; make room there, or pass another --directory"
        )

    @property
    def trouble(self) -> str:
        """Why the state will not be written any more, "" = it will."""
        return next(filter(None, (publisher.trouble for publisher in self._publishers)), "")

    @property
    def _publishers(self) -> tuple[Publisher, ...]:
        return (self._kept, self._told) if self._kept else (self._told,)
