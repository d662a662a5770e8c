"""`routes`: what is intended, what is announced, the difference, and why the rest is absent.

The word "announced" is only said of what a speaker told us, and every output names its source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from bgpctl.core.intent.compile_cache import Shared
from bgpctl.core.intent.routeview import (
    INTENT,
    SPEAKER,
    NodeRoutes,
    PeerRoutes,
    RouteRow,
    Standing,
    absent_document,
    row_document,
)
from bgpctl.core.model import Absent, Attributes
from bgpctl.render import units
from bgpctl.render.columns import Columns
from bgpctl.render.envelope import Document, Kept, envelope, present
from bgpctl.render.formats import renderers
from bgpctl.render.text import Cell, Line, Span, line, prose

NARROW = ("NODE", "PEER", "PREFIX", "STANDING", "ATTRIBUTES", "FROM")
WIDE = (*NARROW, "WHY")
ABSENT = ("NODE", "PEER", "PREFIX", "REASON", "FROM", "WHY NOT")

SOURCES = {
    SPEAKER: "source: the speaker itself, through its status socket",
    INTENT: "source: intended routes compiled here from the cluster's objects (without a speaker's own "
    "flags, such as --next-hop); announced counts as the speakers published them",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What to print: the nodes, which may be gone through again, whether absent routes are listed one by one,
    and whether a node was asked for whose speaker published garbage."""

    nodes: Iterable[NodeRoutes]
    absent: bool = False
    failed: bool = False


# --- words --------------------------------------------------------------------------------------------------


def attributes(of: Attributes) -> str:
    """Readable: `next hop 192.0.2.9, local preference 200, 65000:1 65000:2, large 1:2:3`; "-" = only the
    mandatory ones, with the session's own address as next hop."""
    parts = [
        f"next hop {of.next_hop}" if of.next_hop else "",
        f"local preference {of.local_preference}" if of.local_preference is not None else "",
        " ".join(sorted(of.communities)),
        f"large {' '.join(sorted(of.large_communities))}" if of.large_communities else "",
    ]
    return ", ".join(filter(None, parts)) or "-"


def difference(peer: PeerRoutes) -> dict[str, int]:
    """How many routes stand otherwise than announced, by standing; empty where nobody was asked."""
    found = Counter(str(row.standing) for row in peer.rows)
    return {s: found[s] for s in Standing if found[s] and s not in (Standing.ANNOUNCED, Standing.INTENDED)}


def counted(peer: PeerRoutes) -> tuple[int, int]:
    """(intended, announced) by its rows; the second says something only where the speaker was asked."""
    wanted = sum(row.standing is not Standing.WITHDRAWING for row in peer.rows)
    return wanted, sum(row.standing is Standing.ANNOUNCED for row in peer.rows)


def sentence(node: NodeRoutes, peer: PeerRoutes) -> str:
    """`worker-1 to 192.0.2.1: 5 intended, 4 announced, 1 pending`."""
    wanted, out = counted(peer)
    parts = [f"{wanted} intended"]
    if node.source == SPEAKER:
        parts += [f"{out} announced", *(f"{n} {standing}" for standing, n in difference(peer).items())]
        parts += [f"{peer.pending} not on the socket yet"] if peer.pending else []
    elif peer.reported is not None:
        intends, announced = peer.reported
        less = f", {units.count(intends - announced, 'route')} behind" if announced < intends else ""
        parts += [f"its speaker reports {announced} announced, session {peer.state}{less}"]
    else:
        parts += ["its speaker reports nothing of this peer"]
    return f"{node.node} to {peer.address}: {', '.join(parts)}"


def absences(node: NodeRoutes) -> str:
    """`noEndpoints 3, notSelected 1`: how many routes are absent for each reason."""
    found = Counter(absent.reason for absent in node.absent)
    return ", ".join(f"{reason} {number}" for reason, number in sorted(found.items()))


# --- text ---------------------------------------------------------------------------------------------------


def text(shown: Shown, *, wide: bool = False, columns: int | None = None) -> Iterator[Line]:
    """The table of routes, with `absent` that of absent ones, a sentence per peer, notes, and the source. The
    nodes are gone through twice, for the widths of the columns and for the rows: there may be a million."""
    routes = Columns(WIDE if wide else NARROW, width=columns, nothing="-")
    absent = Columns(ABSENT, width=columns, nothing="-")
    cells, sources, sentences = Shared(partial(_cells, wide)), dict[str, None](), list[Line]()
    for node in shown.nodes:
        routes.measure(_rows(node, cells))
        absent.measure(_absent_rows(node) if shown.absent else ())
        sentences += [row for words in _sentences(node, shown.absent) for row in prose(words, columns)]
        sources[SOURCES[node.source]] = None
    if not sources:
        yield from prose("no policy selects any node, and no speaker has a session", columns, "accent")
    if routes.rows:
        yield from routes.lines(row for node in shown.nodes for row in _rows(node, cells))
        yield line("")
    if absent.rows:
        yield from absent.lines(row for node in shown.nodes for row in _absent_rows(node))
        yield line("")
    yield from sentences
    for words in sources:
        yield from prose(words, columns, "dim")


def _rows(node: NodeRoutes, cells: Shared[RouteRow, Line]) -> Iterator[Line]:
    for peer in node.peers:
        whose = Span(node.node), Span(peer.address)
        yield from ((*whose, *row) for row in cells.of(peer.rows))


def _cells(wide: bool, row: RouteRow) -> Line:
    """What a row says whoever has it."""
    good = row.standing in (Standing.ANNOUNCED, Standing.INTENDED)
    words = attributes(row.attributes)
    if row.announced is not None:
        words = f"{words} (announced with {attributes(row.announced)})"
    standing = Span(str(row.standing), "" if good else "accent")
    return line(str(row.prefix), standing, words, row.origin or "-", *([row.why] if wide else ()))


def _absent_rows(node: NodeRoutes) -> Iterator[list[Cell]]:
    return (_absent_row(node, absent) for absent in node.absent)


def _absent_row(node: NodeRoutes, absent: Absent) -> list[Cell]:
    address = next((p.address for p in node.peers if p.name == absent.peer), absent.peer)
    prefix = str(absent.prefix) if absent.prefix else "-"
    return [node.node, address or "all", prefix, absent.reason, absent.origin, absent.detail]


def _sentences(node: NodeRoutes, listed: bool) -> Iterator[str]:
    yield from (sentence(node, peer) for peer in node.peers)
    if not node.peers:
        yield f"{node.node}: no peers"
    if node.absent:
        yield f"{node.node}: not announced: {absences(node)}" + ("" if listed else " (--absent says why)")
    yield from (f"{node.node}: {note}" for note in node.notes)


# --- documents ----------------------------------------------------------------------------------------------


def document(shown: Shown) -> Document:
    """Its nodes come one by one."""
    rows = Shared[RouteRow, Kept](lambda row: Kept(row_document(row)))
    status = "failed" if shown.failed else "done"
    return envelope("routes", status, nodes=(_node(node, shown.absent, rows) for node in shown.nodes))


def _node(node: NodeRoutes, listed: bool, rows: Shared[RouteRow, Kept]) -> Document:
    found: Document = {
        "node": node.node,
        "source": node.source,
        "observedAt": units.rfc3339(node.at),
        "peers": (_peer(node, peer, rows) for peer in node.peers),
        "absentReasons": dict(Counter(absent.reason for absent in node.absent)),
        "notes": list(node.notes),
    }
    return {**found, "absent": [absent_document(a) for a in node.absent]} if listed else found


def _peer(node: NodeRoutes, peer: PeerRoutes, rows: Shared[RouteRow, Kept]) -> Document:
    wanted, out = counted(peer)
    speaks = node.source == SPEAKER
    reported = peer.reported and {"intended": peer.reported[0], "announced": peer.reported[1]}
    return present(
        name=peer.name,
        peerAddress=peer.address,
        state=peer.state or None,
        intended=wanted,
        announced=out if speaks else None,
        difference=difference(peer) if speaks else None,
        reportedBySpeaker=reported,
        pending=peer.pending,
        routes=iter(rows.of(peer.rows)),
    )


RENDERERS = renderers(lambda page, shown: text(shown, wide=page.wide, columns=page.width), document)
