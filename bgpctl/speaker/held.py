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


@dataclass(frozen=True, slots=True)
class Holder:
    """A peer as it was last, seen at `at` (monotonic seconds). `up`: its session is."""

    peer: PeerState
    at: float
    up: bool = False

    def over(self, now: float) -> bool:
        """Has it surely none any more? By the worst router that fits what was negotiated."""
        facts = facts_from_state(self.peer)
        return not self.up and now - self.at > max(estimate(event, facts).worst for event in ENDS)


class Held:
    """By peer name. All times are monotonic seconds of this process: what an earlier one knew counts from
    its own begin, which is later than what it waits for began."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}

    def __bool__(self) -> bool:
        return bool(self._holders)

    @property
    def unwithdrawn(self) -> tuple[PeerState, ...]:
        """Those without a session, which a withdraw would reach."""
        return tuple(holder.peer for holder in self._holders.values() if not holder.up)

    def remember(self, peers: Iterable[PeerState], now: float) -> None:
        """What an earlier process published."""
        self._holders |= {peer.name: Holder(peer, now) for peer in peers}

    def watch(self, peers: Collection[PeerState], now: float) -> None:
        """What the engine has now. A session that is not up yet says nothing of what the last one left, and
        a peer that never had one has nothing."""
        up = {peer.name for peer in peers if peer.session.established}
        for name, holder in self._holders.items():
            if holder.up and name not in up:
                self._holders[name] = Holder(holder.peer, now)
        had = (peer for peer in peers if peer.name in up or peer.session.hold_time is not None)
        self._holders |= {peer.name: Holder(peer, now, peer.name in up) for peer in had}

    def left(self, names: Iterable[str], departed: Mapping[str, Departure]) -> None:
        """These peers were left. One whose withdraws did not get out may keep all that it had."""
        for name in names:
            if name in departed and departed[name].flushed_at:
                self._holders.pop(name, None)

    def forget(self, now: float) -> None:
        """Those whose time has passed."""
        self._holders = {name: one for name, one in self._holders.items() if not one.over(now)}
