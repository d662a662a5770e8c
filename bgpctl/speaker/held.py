"""Which routers may have routes of the node that nobody withdrew: every peer that had a session, until its
withdraws were flushed, or until the longest time for which a router keeps such routes has passed.

A peer that left the policy is still in here: its router knows nothing of policies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bgpctl.core.state import PeerState
from bgpctl.core.timing.withdrawal import Event, estimate, facts_from_state
from bgpctl.ports import Departure

ENDS = (Event.POWER_OFF, Event.CRASH, Event.RESTART)  # of a session that ended without a withdraw


def kept_for(peer: PeerState) -> float:
    """Seconds for which a router may keep the routes of a session that ended without a withdraw: the worst
    that fits what was negotiated."""
    facts = facts_from_state(peer)
    return max(estimate(event, facts).worst for event in ENDS)


@dataclass(frozen=True, slots=True)
class Holder:
    """A peer as it was last, seen at `at` (monotonic seconds). `up`: its session is."""

    peer: PeerState
    at: float
    up: bool = False

    def over(self, now: float) -> bool:
        """Has it surely none any more?"""
        return not self.up and now - self.at > kept_for(self.peer)


Key = tuple[str, str]
"""A peer's name, and the address of the node that its session came from, "" = not known: to a router that is
who its neighbor is, and one from another address takes nothing of it away."""


class Held:
    """All times are monotonic seconds of this process: what an earlier one knew counts from its own begin,
    which is later than what it waits for began. Never changed in place: two threads may look at it."""

    def __init__(self) -> None:
        self._holders: dict[Key, Holder] = {}
        self._here: dict[str, str] = {}  # by peer name: where its session comes from now, or came from last

    def __bool__(self) -> bool:
        return bool(self._holders)

    @property
    def unwithdrawn(self) -> tuple[PeerState, ...]:
        """Those without a session, which a withdraw would reach."""
        return tuple(holder.peer for holder in self._holders.values() if not holder.up)

    def remember(self, peers: Iterable[PeerState], now: float) -> None:
        """What an earlier process published."""
        known = tuple(peers)
        self._here = {**{peer.name: _local(peer) for peer in known}, **self._here}
        self._holders = {**self._holders, **{(p.name, _local(p)): Holder(p, now) for p in known}}

    def watch(self, peers: Collection[PeerState], now: float) -> None:
        """What the engine has now. A session that is not up yet says nothing of what the last one left, and
        a peer that never had one has nothing."""
        up = {(peer.name, _local(peer)) for peer in peers if peer.session.established}
        self._here = {**self._here, **dict(up)}
        holders = {
            key: Holder(one.peer, now) if one.up and key not in up else one
            for key, one in self._holders.items()
            if key[1] or (key[0], self._here.get(key[0], "")) not in up  # from nobody knows where: from here
        }
        for peer in peers:
            key = (peer.name, _local(peer) or self._here.get(peer.name, ""))
            if key in up or peer.session.hold_time is not None:
                holders[key] = Holder(peer, now, key in up)
        self._holders = holders

    def left(self, names: Iterable[str], departed: Mapping[str, Departure]) -> None:
        """These peers were left. One whose withdraws did not get out may keep all that it had, and whoever
        has routes of a session from another address keeps those."""
        out = {name for name in names if name in departed and departed[name].flushed_at}
        gone = {(name, self._here.get(name, "")) for name in out}
        self._holders = {key: one for key, one in self._holders.items() if key not in gone}

    def forget(self, now: float) -> None:
        """Those whose time has passed."""
        self._holders = {key: one for key, one in self._holders.items() if not one.over(now)}


def _local(peer: PeerState) -> str:
    return str(peer.session.local_address or "")
