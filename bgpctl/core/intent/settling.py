"""A session that is not there yet starts once what it is made of has stood still for a moment. Pure.

A CiliumBGPClusterConfig and its CiliumBGPNodeConfigOverride that are applied together arrive as two events:
the session would start, and be reset some 30 ms later by a definition that is another one; GoBGP then needs 5
s. Only what does not run waits. Withdrawals, and whatever changes on a session that runs, wait for nothing;
nor does a session that an engine has lost and that is defined as it was.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from bgpctl.core.model import Peer

SETTLE = 0.2
LONGEST = (
    5.0  # of all pauses of one peer, in units of one: somebody who never stops changing is not waited for
)


class Seen(NamedTuple):
    """A definition, since when it is this one, and since when there is any of this name."""

    peer: Peer
    since: float
    first: float


Memory = Mapping[str, Seen]


class Settled(NamedTuple):
    """The peers that must wait, what to remember, and in how many seconds the next one is due (inf =
    none)."""

    held: frozenset[str]
    memory: Memory
    due: float = math.inf


def settle(
    peers: Iterable[Peer], running: Collection[str], memory: Memory, now: float, pause: float = SETTLE
) -> Settled:
    """`running`: the peers that the engine has. `now` is on any steady clock, `pause` in seconds."""
    known = {peer.name: _seen(peer, memory.get(peer.name), now) for peer in peers}
    left = {
        name: min(seen.since + pause, seen.first + LONGEST * pause) - now
        for name, seen in known.items()
        if name not in running
    }
    held = {name: wait for name, wait in left.items() if wait > 0}
    return Settled(frozenset(held), known, min(held.values(), default=math.inf))


def _seen(peer: Peer, before: Seen | None, now: float) -> Seen:
    if before is None:
        return Seen(peer, now, now)
    return before if before.peer == peer else Seen(peer, now, before.first)
