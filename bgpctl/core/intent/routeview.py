"""What each peer should get beside what it got: one row per route, with how it stands. Values and wire form.

Only the speaker knows what it announced (source `speaker`); whoever compiles the intent from the cluster's
objects knows what should be announced, and nothing more (source `intent`): its rows all stand `intended`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import itemgetter
from typing import Any

from bgpctl.core.intent.compile_cache import Shared
from bgpctl.core.intent.nexthops import as_sent, refused
from bgpctl.core.model import Absent, Attributes, Intent, IPNetwork, Observed, Route, Session, SessionState
from bgpctl.core.reading import kinds
from bgpctl.core.reading.addresses import parse_network, parse_zoned
from bgpctl.core.reading.foreign import Foreign
from bgpctl.core.reading.kinds import REQUIRED_TEXT, TEXT
from bgpctl.core.reading.table import Field, Table, each, nested
from bgpctl.errors import UsageError

Document = dict[str, Any]

SPEAKER, INTENT = "speaker", "intent"
MOST = 1_000_000  # rows of one peer: ten times what any table here was measured with


class Standing(StrEnum):
    """How one route stands towards one peer."""

    INTENDED = "intended"  # it should be announced; nobody was asked whether it is
    ANNOUNCED = "announced"  # the engine has it, and the session carries it
    PENDING = "pending"  # the engine was not told yet
    CHANGING = "changing"  # announced, with other attributes than it should have
    WITHDRAWING = "withdrawing"  # announced, though it should not be any more
    NO_SESSION = "no-session"  # the engine has it, and sends it once the session is Established
    NOT_NEGOTIATED = "not-negotiated"  # the session cannot carry it: its family, or its next hop


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One route of one peer. `attributes` are those it should have (for WITHDRAWING those it has);
    `announced` are the ones it still has while CHANGING."""

    prefix: IPNetwork
    standing: Standing
    attributes: Attributes
    announced: Attributes | None = None
    origin: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class PeerRoutes:
    """One peer's routes. `reported` are the counts (intended, announced) that the speaker published, None
    when it published none for this peer; `state` is the session's, "" = not known. `pending` counts routes
    that are not on the socket yet."""

    name: str
    address: str
    rows: tuple[RouteRow, ...] = ()
    state: str = ""
    pending: int = 0
    reported: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class NodeRoutes:
    """One node's routes. `source` is SPEAKER or INTENT, `at` the epoch second of the look. `notes` are
    sentences that a reader must know before believing the rows; `unreadable`: what the speaker published is
    garbage."""

    node: str
    source: str
    at: float
    peers: tuple[PeerRoutes, ...] = ()
    absent: tuple[Absent, ...] = ()
    notes: tuple[str, ...] = ()
    unreadable: bool = False


# --- comparing --------------------------------------------------------------------------------------------


def compared(intent: Intent, observed: Observed, peer: str) -> Iterator[RouteRow]:
    """Every route that `peer` should have or has, in the order of prefixes."""
    wanted: Mapping[IPNetwork, Route] = intent.routes.get(peer, {})
    has = observed.announced.get(peer, {})
    session = observed.sessions.get(peer) or Session(peer)
    for prefix in sorted({*wanted, *has}, key=order):
        yield _row(prefix, wanted.get(prefix), has.get(prefix), session)


class Intended:
    """Every route that a peer should have, in the order of prefixes. Most of them are the same `Route` for
    many peers and nodes (`core.intent.fleet`): its row is there once, for all of them."""

    def __init__(self) -> None:
        self._rows = Shared(_placed)

    def of(self, intent: Intent, peer: str) -> tuple[RouteRow, ...]:
        """() for a peer that the intent does not know, or has no routes for."""
        placed = self._rows.of(intent.routes.get(peer, {}).values())
        return tuple([row for _, row in sorted(placed, key=itemgetter(0))])


def _placed(route: Route) -> tuple[tuple[int, int, int], RouteRow]:
    """A route's row and where it stands."""
    row = RouteRow(route.prefix, Standing.INTENDED, route.attributes, None, route.origin, route.why)
    return order(route.prefix), row


def order(prefix: IPNetwork) -> tuple[int, int, int]:
    """IPv4 before IPv6, then by address."""
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def _row(prefix: IPNetwork, route: Route | None, has: Attributes | None, session: Session) -> RouteRow:
    if route is None:
        assert has is not None, "a row has at least one side"
        return RouteRow(prefix, Standing.WITHDRAWING, has, why="no object asks for it any more")
    if has is None:
        standing = Standing.PENDING
    elif not session.established:
        standing = Standing.NO_SESSION
    elif refused(prefix, route.attributes, session)[0]:
        standing = Standing.NOT_NEGOTIATED
    else:
        standing = Standing.ANNOUNCED if has == route.attributes else Standing.CHANGING
    other = as_sent(prefix, has, session) if has is not None and standing is Standing.CHANGING else None
    shown = as_sent(prefix, route.attributes, session)
    return RouteRow(prefix, standing, shown, other, route.origin, route.why)


@dataclass(frozen=True, slots=True)
class OnlyPeer:
    """What concerns the peer of this address, on the nodes that have it; absences that hold for every peer
    stay."""

    nodes: Iterable[NodeRoutes]
    address: str

    def __iter__(self) -> Iterator[NodeRoutes]:
        for node in self.nodes:
            peers = tuple(peer for peer in node.peers if peer.address == self.address)
            names = {"", *(peer.name for peer in peers)}
            if peers:
                absent = tuple(a for a in node.absent if a.peer in names)
                yield replace(node, peers=peers, absent=absent)


def only_peer(nodes: Iterable[NodeRoutes], address: str) -> OnlyPeer:
    """Raises UsageError when no node has a peer of this address."""
    try:
        wanted = str(parse_zoned(address))
    except ValueError:
        raise UsageError(f"--peer: {address!r} is not an IP address", "write 192.0.2.1") from None
    found = OnlyPeer(nodes, wanted)
    if next(iter(found), None) is None:
        known = ", ".join(sorted({peer.address for node in nodes for peer in node.peers})) or "none"
        raise UsageError(f"no node has a peer {address}", f"the peers are: {known}")
    return found


# --- wire -------------------------------------------------------------------------------------------------


ADDRESS = kinds.parsed(parse_zoned, "an IP address")
PREFIX = kinds.parsed(parse_network, "a prefix")

ATTRIBUTES = Table(
    Attributes,
    Field("nextHop", "next_hop", ADDRESS),
    Field("communities", "communities", kinds.WORDS, terse=True),
    Field("largeCommunities", "large_communities", kinds.WORDS, terse=True),
    Field("localPreference", "local_preference", kinds.integer(default=None)),
)
"""`nextHop` is left out where it is the session's local address."""

ROW = Table(
    RouteRow,
    Field("prefix", "prefix", kinds.required(PREFIX, "a prefix")),
    Field("standing", "standing", kinds.choice(Standing)),
    Field("attributes", "attributes", nested(ATTRIBUTES, empty=True)),
    Field("announcedAttributes", "announced", nested(ATTRIBUTES, empty=True), default=None),
    Field("origin", "origin", TEXT, terse=True),
    Field("why", "why", TEXT, terse=True),
)

ABSENT = Table(
    Absent,
    Field("origin", "origin", REQUIRED_TEXT),
    Field("prefix", "prefix", PREFIX),
    Field("reason", "reason", REQUIRED_TEXT),
    Field("detail", "detail", TEXT, terse=True),
    Field("peer", "peer", TEXT, terse=True),
)

PEER = Table(
    PeerRoutes,
    Field("name", "name", REQUIRED_TEXT),
    Field("peerAddress", "address", kinds.as_text(ADDRESS)),
    Field("state", "state", kinds.choice(SessionState)),
    Field("pending", "pending", kinds.integer()),
    Field("routes", "rows", each(ROW, MOST)),
)

row_document, absent_document = ROW.write, ABSENT.write


def peer_head(name: str, address: str, session: Session) -> Document:
    """What a peer's document says before its routes."""
    return {
        "name": name,
        "peerAddress": address,
        "state": str(session.state),
        "families": [str(family) for family in session.families],
        "pending": session.pending,
    }


def read_node_routes(document: Any) -> NodeRoutes:
    """What a speaker answered -> values. Raises Unreadable for what is no answer of one."""
    answer = Foreign.of(document)
    for name in ("at", "peers", "absent"):
        if not answer.has(name):
            answer.refuse(name, "there")
    return NodeRoutes(
        node=answer.required("node"),
        source=SPEAKER,
        at=answer.number("at"),
        peers=tuple(map(PEER.read, answer.children("peers"))),
        absent=tuple(map(ABSENT.read, answer.children("absent", MOST))),
        notes=answer.texts("problems"),
    )
