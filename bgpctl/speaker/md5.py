"""Peers with a TCP-MD5 password that do not answer. A kernel drops segments with a wrong signature without a
word (RFC 2385 section 2.0), so neither side sees more than a connection that does not come about."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.model import Intent, Observed, Peer, Session, SessionState

# Longer than a router takes to accept after a restart of ours; no reason to hurry.
PATIENCE_SECONDS = 10.0

_CONNECTED = (SessionState.OPEN_SENT, SessionState.OPEN_CONFIRM, SessionState.ESTABLISHED)


class Silence:
    """Remembers since when each of them has been without a connection."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def problems(self, intent: Intent, observed: Observed, now: float) -> tuple[str, ...]:
        """One sentence for each that was silent for PATIENCE_SECONDS. `now` on any steady clock."""
        silent = {peer.name: peer for peer in _silent(intent, observed)}
        self._since = {name: self._since.get(name, now) for name in silent}
        late = [name for name, since in self._since.items() if now - since >= PATIENCE_SECONDS]
        return tuple(
            f"peer {name}: {silent[name].address} does not answer; a TCP-MD5 password that is not the "
            "router's looks exactly like this"
            for name in sorted(late)
        )


def _silent(intent: Intent, observed: Observed) -> Iterator[Peer]:
    for peer in intent.peers:
        session = observed.sessions.get(peer.name) or Session(peer.name)
        if peer.password is not None and peer.name in observed.peers and session.state not in _CONNECTED:
            yield peer
