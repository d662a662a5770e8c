"""Other speakers of the same node: two processes under one node name write one object, on two machines too.

Each would replace what the other told, and its word would stand for both: of the one that hangs while its
engine announces on, nobody would know. So what another one told is kept and told with ours, and that it is
there is a problem of the node, also for the process that follows this one: that it has ended, only its own
word says, or the operator, who deletes the object. From then on its routers keep its routes as long as those
of any session that ended without a withdraw.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace

from bgpctl.core.state import ANOTHER_SPEAKER, MOST_SENTENCES, NodeState, others, timestamp
from bgpctl.speaker.held import Held
from bgpctl.speaker.status.addresses import Addresses


def of_one(first: NodeState, second: NodeState) -> bool:
    """Did one process write both? A state that names no process was written by none, or by an older one."""
    if first.uid and second.uid:
        return first.uid == second.uid
    return first.started_at == second.started_at


@dataclass(slots=True)
class Beside:
    """Who else wrote the object since this process knows it, and what he knew."""

    _there: dict[str, str] = field(default_factory=dict)  # by process: the problem that it is
    _addresses: Addresses = field(default_factory=Addresses)
    _held: Held = field(default_factory=Held)

    def recall(self, before: NodeState, own: str) -> None:
        """What stands in the object when this process begins; `own` is the name of the process that it
        follows on this machine, "" = it is not known. Whoever tells of that one as another is another; whom
        else he tells of are the processes before that one."""
        told = {_process(problem): problem for problem in before.problems if _is_ours(problem)}
        if own in told and before.uid != own:
            self.met(before)
        elif told:
            self._there |= told
            self._held.remember(before.holders, time.monotonic())  # where the other's routes are, is not told

    def met(self, other: NodeState) -> None:
        """Another process told this."""
        process = other.uid or str(other.started_at)
        self._addresses.notice(other)
        self._held.remember(other.holders, time.monotonic())
        if other.ended:
            self._there.pop(process, None)
            self._begin()
        else:
            self._there[process] = _problem(other)

    def cleared(self) -> None:
        """The operator says that nobody else is there any more."""
        self._there.clear()
        self._begin()

    def _begin(self) -> None:
        """What the others left behind ends from now on, not from when it was heard of."""
        self._held.remember(self._held.unwithdrawn, time.monotonic())

    def joined(self, state: NodeState) -> NodeState:
        """Ours, with what the others knew."""
        if not self._there and not self._held and not self._addresses:
            return state
        if not self._there:
            self._held.forget(time.monotonic())
        return replace(
            state,
            problems=(*self._there.values(), *state.problems)[:MOST_SENTENCES],
            locals=self._addresses.with_those(state).told,
            unwithdrawn=(*state.unwithdrawn, *others(self._held.unwithdrawn, state.holders)),
        )


def _is_ours(problem: str) -> bool:
    return problem.startswith(ANOTHER_SPEAKER)


def _process(problem: str) -> str:
    """The name in one of our sentences; the sentence where it has none."""
    found = re.search(r": process ([\w.-]+)", problem)
    return found[1] if found else problem


def _problem(other: NodeState) -> str:
    towards = {str(peer.session.local_address) for peer in other.peers if peer.session.local_address}
    where = f" from {', '.join(sorted(towards))}" if towards else ""
    since = f", started {timestamp(other.started_at)}" if other.started_at else ""
    return (
        f"{ANOTHER_SPEAKER}: process {other.uid or '(unnamed)'}{where}{since}; what it announces is not ours"
    )
