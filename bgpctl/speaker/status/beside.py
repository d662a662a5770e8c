"""Other speakers of the same node: two processes under one node name write one object, on two machines too.

Each would replace what the other told, and its word would stand for both: of the one that hangs while its
engine announces on, nobody would know. So what another one told is kept and told with ours, and that it is
there is a problem of the node, also for the process that follows this one: that it has ended, only its own
word says, or the operator, in an annotation (`core.state.ENDED`). That the object is gone says nothing: the
API server's garbage collector deletes it too, and what was told in it since we read it goes with it. From
when one has ended its routers keep its routes as long as those of any session that ended without a withdraw.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from bgpctl.core.model import IPAddress
from bgpctl.core.state import (
    ANOTHER_SPEAKER,
    DOUBT,
    ENDS_WITH_SPEAKER,
    MOST_SENTENCES,
    NodeState,
    PeerState,
    is_another,
    others,
    process_of,
    timestamp,
)
from bgpctl.speaker.held import Held, kept_for
from bgpctl.speaker.status.addresses import Addresses, Router

UNPLACED = " from an address that it did not tell"
LONG = 86400.0  # seconds; some routers never let go


def of_one(first: NodeState, second: NodeState) -> bool:
    """Did one process write both? A state that names no process was written by none, or by an older one."""
    if first.uid and second.uid:
        return first.uid == second.uid
    return first.started_at == second.started_at


@dataclass(slots=True)
class Beside:
    """Who else wrote the object since this process knows it, and what he knew. Two threads look at it; it is
    changed by one."""

    _there: dict[str, str] = field(default_factory=dict)  # by process: the problem that it is
    _addresses: Addresses = field(default_factory=Addresses)
    _held: Held = field(default_factory=Held)
    _before: NodeState | None = None  # who told last, and did not say that he ended
    _ours: frozenset[tuple[str, int, IPAddress]] = frozenset()  # sessions: what becomes of these we know
    _doubt: float = 0.0  # until then, in monotonic seconds, one may be there of whom nothing is known

    def recall(self, before: NodeState, own: str) -> None:
        """What stands in the object when this process begins; `own` is the name of the process that it
        follows on this machine, "" = it is not known. Whoever tells of that one as another is another; whom
        else he tells of are the processes before that one. So is whoever left an engine that lives on without
        him, and whoever had other addresses, once ours are known: he may hang, and announce on."""
        told = {process_of(problem): problem for problem in before.problems if is_another(problem)}
        if any(problem.startswith(DOUBT) for problem in before.problems):
            self.lost(before)
        if (own in told and before.uid != own) or before.uid in self._there:
            self.met(before)
        elif told:
            self._there |= told
            self._held.remember(before.holders, time.monotonic())  # where the other's routes are, is not told
        if before.uid and before.uid != own and not before.ended and before.uid not in self._there:
            if before.engine_mode in ENDS_WITH_SPEAKER:
                self._before = before
            else:
                self.met(before)

    def met(self, other: NodeState) -> None:
        """Another process told this."""
        process = other.uid or "unnamed"
        self._addresses.notice(other)
        self._held.remember(other.holders, time.monotonic())
        if other.ended:
            self._there.pop(process, None)
            self._begin()
        else:
            self._there[process] = _problem(other)

    def ended(self, processes: Collection[str], state: NodeState) -> None:
        """The operator says that these have. One that is met again has not."""
        gone = [self._there.pop(name) for name in processes if name in self._there]
        if self._before is not None and self._before.uid in processes:
            self._held.remember(self._before.holders, time.monotonic())
            self._before = None
        if gone:
            self._begin()
        if any(UNPLACED in problem for problem in gone):
            self.lost(state)

    def lost(self, state: NodeState) -> None:
        """What another one may have told is, as when the object is gone: from where his sessions came no
        router can be asked. If he has ended since, they let go in the time in which ours would, or would have
        before we left."""
        left = tuple(peer.state for peer in state.withdrawn.peers) if state.withdrawn else ()
        longest = max(map(kept_for, (*state.holders, *left)), default=0.0)
        self._doubt = max(self._doubt, time.monotonic() + longest)

    def _begin(self) -> None:
        """What the others left behind ends from now on, not from when it was heard of."""
        self._held.remember(self._held.unwithdrawn, time.monotonic())

    def joined(self, state: NodeState) -> NodeState:
        """Ours, with what the others knew."""
        suspect = self._suspect(state)
        self._ours |= {
            (peer.address, peer.port, peer.session.local_address)
            for peer in state.peers
            if peer.session.local_address
        }
        there = [*self._there.values(), *suspect, *self._doubts()]
        if not there and not self._held and not self._addresses:
            return state
        if not there:
            self._held.forget(time.monotonic())
        return replace(
            state,
            problems=(*there, *state.problems)[:MOST_SENTENCES],
            locals=self._addresses.with_those(state).told,
            unwithdrawn=(*state.unwithdrawn, *others(self._theirs, state.holders)),
        )

    def _suspect(self, state: NodeState) -> tuple[str, ...]:
        """The problem that whoever told last may be, also one who had left: he may have come back since, and
        not have been able to tell. A session of ours from where his came says that he is gone, one from
        elsewhere that he may not be; and he may be what keeps ours from coming up. Where none is wanted,
        because the node leaves, only the operator knows."""
        before = self._before
        if before is None or not (before.peers or before.locals or before.phase == "Starting"):
            return ()
        if _elsewhere(state, before):
            self._before = None
            self.met(before)
            return ()
        if _in_his_place(state, before):
            self._before = None
            return ()
        return (_problem(before),)

    @property
    def _theirs(self) -> tuple[PeerState, ...]:
        left = self._held.unwithdrawn
        return tuple(p for p in left if (p.address, p.port, p.session.local_address) not in self._ours)

    def _doubts(self) -> tuple[str, ...]:
        left = self._doubt - time.monotonic()
        if left <= 0:
            return ()
        until = timestamp(math.ceil(time.time() + left)) if left < LONG else "nobody knows when"
        return (f"{DOUBT}: what it told is lost, and routers may keep its routes until {until}",)


def _elsewhere(state: NodeState, before: NodeState) -> bool:
    """Does a session of ours come from another address than the one that he had to the same router?"""
    had = _places(before)
    return any(had.get(router, local) != local for router, local in _up(state).items())


def _in_his_place(state: NodeState, before: NodeState) -> bool:
    """Does a session of ours come from where his to the same router came? Where that is not known, none: of
    one who was only starting, and told of no place, only the operator knows."""
    had = _places(before)
    return any(had.get(router) == local for router, local in _up(state).items())


def _up(state: NodeState) -> dict[Router, str]:
    """From where the sessions come that are established."""
    return {
        (p.address, p.port): str(p.session.local_address)
        for p in state.peers
        if p.session.established and p.session.local_address
    }


def _places(before: NodeState) -> dict[Router, str]:
    """From where his session to each router came last, also one that was down when he told it."""
    earlier = {(one.peer, one.port): one.addresses[-1] for one in before.locals if one.addresses}
    told = {
        (p.address, p.port): str(p.session.local_address) for p in before.peers if p.session.local_address
    }
    return {**earlier, **told}


def _problem(other: NodeState) -> str:
    towards = set(_places(other).values())
    where = f" from {', '.join(sorted(towards))}" if towards else UNPLACED
    since = f", started {timestamp(other.started_at)}" if other.started_at else ""
    return (
        f"{ANOTHER_SPEAKER}: process {other.uid or '(unnamed)'}{where}{since}; what it announces is not ours"
    )
