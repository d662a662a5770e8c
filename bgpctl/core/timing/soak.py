"""Before a planned leave, routes are announced once more with GRACEFUL_SHUTDOWN, for a while (RFC 8326).

Routers that listen give such a route the least preference and move traffic to another path while this one
still works; FRR does so by itself on eBGP, others by policy (facts: bgp.md 3.7). When the while is over the
node leaves as ever. A node that is selected again meanwhile is simply announced as before.

Times are seconds on one clock of the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bgpctl.core.model import Attributes, Intent, Observed, Peer

GRACEFUL_SHUTDOWN = "65535:0"

READ_SECONDS = 5.0
"""How long routers get to read the announcements; the soak then begins, whatever they have read."""


@dataclass(frozen=True, slots=True)
class Soak:
    """A leave that waits `seconds` from `out`, when the last announcement was on the socket. `began`: the
    node was seen to be deselected."""

    seconds: float
    began: float
    out: float | None = None

    @property
    def ends(self) -> float:
        """On the clock of `began`; while an announcement is on its way, as if it took all of READ_SECONDS."""
        return (self.began + READ_SECONDS if self.out is None else self.out) + self.seconds


def proceed(soak: Soak | None, seconds: float, observed: Observed, now: float) -> Soak | None:
    """The soak of a deselected node after a look at its engine. None = there is nothing to wait for: no
    `seconds`, or no router that is connected and has a route."""
    tables = list(_tables(observed))
    if seconds <= 0 or not tables:
        return None
    soak = replace(soak, seconds=seconds) if soak else Soak(seconds, now)
    if soak.out is None and all(_out(attributes, pending) for attributes, pending in tables):
        return replace(soak, out=min(now, soak.began + READ_SECONDS))
    return soak


def _tables(observed: Observed) -> Iterator[tuple[list[Attributes], int]]:
    """Per router that is connected and has routes: their attributes, and how many are not on the socket."""
    for name in observed.peers:
        session, table = observed.sessions.get(name), observed.announced.get(name)
        if session is not None and session.established and table:
            yield list(table.values()), session.pending


def _out(attributes: list[Attributes], pending: int) -> bool:
    return not pending and all(GRACEFUL_SHUTDOWN in one.communities for one in attributes)


def shut_down(intent: Intent) -> Intent:
    """The same routes, each with GRACEFUL_SHUTDOWN and, to a peer of our own AS, local preference 0 (RFC 8326
    section 4.2; eBGP has none). Nothing selects the node."""
    routes = {
        peer.name: {p: replace(r, attributes=_tagged(r.attributes, peer)) for p, r in table.items()}
        for peer in intent.peers
        if (table := intent.routes.get(peer.name)) is not None
    }
    return replace(intent, selected=False, policy="", routes=routes)


def _tagged(attributes: Attributes, peer: Peer) -> Attributes:
    preference = attributes.local_preference if peer.external else 0
    communities = attributes.communities | {GRACEFUL_SHUTDOWN}
    return replace(attributes, communities=communities, local_preference=preference)
