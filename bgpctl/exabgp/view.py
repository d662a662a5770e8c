"""What an engine knows to be true of its process: small changes to one immutable value. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bgpctl.core.model import Attributes, IPNetwork, Observed, SessionState
from bgpctl.core.reading.foreign import Foreign

RIB = Mapping[IPNetwork, Attributes]


@dataclass(frozen=True, slots=True)
class Departed:
    """How one peer left. `flushed_at`: its last withdraw was on the socket; None when it was not Established
    or stopped reading. `closed_at`: Cease was on the socket; None when there was no session to close."""

    flushed_at: float | None
    closed_at: float | None


def less(rib: RIB, gone: Sequence[IPNetwork]) -> RIB:
    """A copy, which costs no look at the prefixes that stay."""
    kept = dict(rib)
    for prefix in gone:
        kept.pop(prefix, None)
    return kept


def departed(answer: Foreign) -> dict[str, Departed]:
    """Raises Unreadable."""
    peers = ((name, answer.child(name)) for name in answer.value)
    return {name: Departed(_instant(peer, "flushed_at"), _instant(peer, "closed_at")) for name, peer in peers}


def _instant(peer: Foreign, name: str) -> float | None:
    return peer.number(name) if peer.has(name) else None


def without(seen: Observed, peers: set[str]) -> Observed:
    """The engine as if it had never had these peers."""
    return replace(
        seen,
        peers={name: peer for name, peer in seen.peers.items() if name not in peers},
        announced={name: rib for name, rib in seen.announced.items() if name not in peers},
        synced=seen.synced - peers,
        sessions={name: session for name, session in seen.sessions.items() if name not in peers},
    )


def unanswered(seen: Observed) -> Observed:
    """Of a process that does not answer: its sessions are as they may be."""
    sessions = {name: replace(one, state=SessionState.UNKNOWN) for name, one in seen.sessions.items()}
    return replace(seen, sessions=sessions)
