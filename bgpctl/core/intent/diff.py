"""Intent against what the engine runs -> ordered actions. Decides; touches nothing.

The order carries the protocol's reasons:
1. withdrawals first: a route that must not attract traffic waits for nothing;
2. peers that go: they leave (withdraw all, flush, Cease) before they vanish from the configuration, because
   removing a neighbor closes TCP silently and under graceful restart its routes would stay for minutes. A
   peer that becomes another session to its router (`identity`) goes, and comes back as a new one: the router
   would wait for the old one's return;
3. the configuration, so that new peers have a RIB to announce into;
4. announcements;
5. `Synced`: only now may End-of-RIB be sent. RFC 4724 section 4.1: a helper drops what the restarting
   speaker did not send before its End-of-RIB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bgpctl.core.model import Attributes, Intent, IPNetwork, Observed, Peer, RouteTable

LEAVING_REASON = "node leaves service (bgpctl)"
REMOVED_REASON = "peer removed from the configuration (bgpctl)"
CHANGED_REASON = "peer configuration changed (bgpctl)"


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
    """The actions that turn `observed` into `intent`, in the order in which they must happen. `reason` is for
    a node that leaves; a peer that goes alone is told so."""
    return tuple(_actions(intent, observed, reason))


def _actions(intent: Intent, observed: Observed, reason: str) -> Iterator[Action]:
    wanted = {peer.name: peer for peer in intent.peers}
    removed = {name for name in observed.peers if name not in wanted}
    changed = {
        n for n, peer in observed.peers.items() if n in wanted and identity(peer) != identity(wanted[n])
    }

    for name in observed.peers:
        if name not in removed | changed:
            yield from _withdrawals(intent, observed, name)
    for going, why in ((removed, REMOVED_REASON if intent.selected else reason), (changed, CHANGED_REASON)):
        if going:
            yield Leave(tuple(sorted(going)), why)
    if dict(observed.peers) != wanted:
        yield Configure(tuple(intent.peers))
    for name in wanted:
        announced = {} if name in changed else observed.announced.get(name, {})
        yield from _announcements(intent, announced, name)
    if unsynced := tuple(sorted(set(wanted) - (observed.synced - changed))):
        yield Synced(unsynced)


def identity(peer: Peer) -> tuple[object, ...]:
    """What makes a session another one, to the router or to the engine; the rest can change under graceful
    restart, which keeps the routes meanwhile."""
    return peer.address, peer.port, peer.local_address, peer.local_asn, peer.asn, peer.router_id


def _withdrawals(intent: Intent, observed: Observed, peer: str) -> Iterator[Withdraw]:
    # As sets, because those compare without computing a hash again; there are thousands of prefixes.
    gone = set(observed.announced.get(peer, {})).difference(intent.routes.get(peer, {}))
    if gone:
        yield Withdraw(peer, tuple(sorted(gone, key=lambda p: (p.version, p))))


def _announcements(
    intent: Intent, announced: Mapping[IPNetwork, Attributes], peer: str
) -> Iterator[Announce]:
    table = intent.routes.get(peer, {})
    if isinstance(table, RouteTable) and table.wire == announced:
        return
    groups: dict[Attributes, list[IPNetwork]] = defaultdict(list)
    for prefix, route in table.items():
        had = announced.get(prefix)
        if had is not route.attributes and had != route.attributes:  # mostly the very same
            groups[route.attributes].append(prefix)
    for attributes, prefixes in groups.items():
        yield Announce(peer, attributes, tuple(prefixes))
