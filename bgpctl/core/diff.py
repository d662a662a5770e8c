"""Intent against what the engine runs -> ordered actions. Decides; touches nothing.

The order carries the protocol's reasons:
1. withdrawals first: a route that must not attract traffic waits for nothing;
2. peers that go: they leave (withdraw all, flush, Cease) before they vanish from the configuration, because
   removing a neighbor closes TCP silently and under graceful restart its routes would stay for minutes;
3. the configuration, so that new peers have a RIB to announce into;
4. announcements;
5. `Synced`: only now may End-of-RIB be sent. RFC 4724 section 4.1: a helper drops what the restarting
   speaker did not send before its End-of-RIB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from bgpctl.core.model import Attributes, Intent, IPNetwork, Observed, Peer

LEAVING_REASON = "node leaves service (bgpctl)"


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Send UPDATE withdraws for these prefixes to one peer."""

    peer: str
    prefixes: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Announce prefixes that share their attributes to one peer."""

    peer: str
    attributes: Attributes
    prefixes: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """Withdraw everything, wait until it is on the socket, send Cease/Administrative Shutdown with `reason`
    (RFC 9003), and do not come back. The same whether or not graceful restart was negotiated."""

    peers: tuple[str, ...]
    reason: str = LEAVING_REASON


@dataclass(frozen=True, slots=True)
class Configure:
    """Make these the configured peers. Peers whose definition is unchanged keep their session."""

    peers: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class Synced:
    """The first full set of routes of these peers is out: End-of-RIB may follow it, now and after every
    reconnect."""

    peers: tuple[str, ...]


Action = Withdraw | Announce | Leave | Configure | Synced


def diff(intent: Intent, observed: Observed, reason: str = LEAVING_REASON) -> tuple[Action, ...]:
    """The actions that turn `observed` into `intent`, in the order in which they must happen."""
    return tuple(_actions(intent, observed, reason))


def _actions(intent: Intent, observed: Observed, reason: str) -> Iterator[Action]:
    wanted = {peer.name: peer for peer in intent.peers}
    kept = [name for name in observed.peers if name in wanted]
    going = tuple(sorted(name for name in observed.peers if name not in wanted))

    for name in kept:
        yield from _withdrawals(intent, observed, name)
    if going:
        yield Leave(going, reason)
    if dict(observed.peers) != wanted:
        yield Configure(tuple(intent.peers))
    for name in wanted:
        yield from _announcements(intent, observed, name)
    if unsynced := tuple(sorted(set(wanted) - observed.synced)):
        yield Synced(unsynced)


def _withdrawals(intent: Intent, observed: Observed, peer: str) -> Iterator[Withdraw]:
    routes = intent.routes.get(peer, {})
    gone = tuple(p for p in observed.announced.get(peer, {}) if p not in routes)
    if gone:
        yield Withdraw(peer, gone)


def _announcements(intent: Intent, observed: Observed, peer: str) -> Iterator[Announce]:
    announced = observed.announced.get(peer, {})
    groups: dict[Attributes, list[IPNetwork]] = defaultdict(list)
    for prefix, route in intent.routes.get(peer, {}).items():
        if announced.get(prefix) != route.attributes:
            groups[route.attributes].append(prefix)
    for attributes, prefixes in groups.items():
        yield Announce(peer, attributes, tuple(prefixes))
