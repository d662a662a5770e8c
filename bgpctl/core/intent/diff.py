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
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bgpctl.core.intent.tables import Announced, Change, Table, change, in_order
from bgpctl.core.model import Attributes, Intent, IPNetwork, Observed, Peer

LEAVING_REASON = "node leaves service (bgpctl)"
REMOVED_REASON = "peer removed from the configuration (bgpctl)"
CHANGED_REASON = "peer configuration changed (bgpctl)"

NO_ROUTES: Table = {}


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

    changes = _changes(intent, observed, changed)

    for name in observed.peers:
        if name not in removed | changed and changes[name].gone:
            yield Withdraw(name, in_order(changes[name].gone))
    for going, why in ((removed, REMOVED_REASON if intent.selected else reason), (changed, CHANGED_REASON)):
        if going:
            yield Leave(tuple(sorted(going)), why)
    if dict(observed.peers) != wanted:
        yield Configure(tuple(intent.peers))
    for name in wanted:
        yield from _announcements(name, changes[name].come)
    if unsynced := tuple(sorted(set(wanted) - (observed.synced - changed))):
        yield Synced(unsynced)


def identity(peer: Peer) -> tuple[object, ...]:
    """What makes a session another one, to the router or to the engine; the rest can change under graceful
    restart, which keeps the routes meanwhile."""
    return peer.address, peer.port, peer.local_address, peer.local_asn, peer.asn, peer.router_id


def _changes(intent: Intent, observed: Observed, fresh: Collection[str]) -> dict[str, Change]:
    """By name of each wanted peer; to those that are `fresh` nothing was announced. Of peers that share their
    table and have the same, it is found once."""
    found: dict[str, Change] = {}
    known: list[tuple[Table, Announced, Change]] = []
    for peer in intent.peers:
        table = intent.routes.get(peer.name, NO_ROUTES)
        had = {} if peer.name in fresh else observed.announced.get(peer.name, {})
        made = next((made for wanted, has, made in known if wanted is table and has == had), None)
        if made is None:
            made = change(table, had)
            known.append((table, had, made))
        found[peer.name] = made
    return found


def _announcements(peer: str, come: Announced) -> Iterator[Announce]:
    groups: dict[Attributes, list[IPNetwork]] = defaultdict(list)
    for prefix, attributes in come.items():
        groups[attributes].append(prefix)
    for attributes, prefixes in groups.items():
        yield Announce(peer, attributes, tuple(prefixes))
