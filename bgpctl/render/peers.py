"""`peers status`: what may be said of each session, and how it looks as table, JSON and YAML.

The rule that everything here follows: only a fresh heartbeat may say "established".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.model import IPV4, IPV6, Family, GracefulRestart, Session, SessionState
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.state_document import to_document
from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import Cell, Line, Span, Style, line, prose

NO_SPEAKER = "no speaker"
NO_NODE = "no such node"
NOT_SELECTED = "not selected"
NAMED = 5  # nodes that the summary names

# With the names of nodes and addresses that are common, and both families, no wider than 80 columns.
NARROW = ("NODE", "PEER ADDRESS", "STATE", "AGE", "FAMILY", "RECEIVED", "ADVERTISED")
WIDE = (
    "NODE",
    "LOCAL AS",
    "PEER AS",
    *NARROW[1:],
    "HOLD/KEEPALIVE",
    "GRACEFUL RESTART",
    "LOCAL GR",
    "PEER GR",
    "EOR SENT",
    "FLAPS",
    "LAST ERROR",
)
NUMBERS = ("LOCAL AS", "PEER AS", "RECEIVED", "ADVERTISED", "FLAPS")


@dataclass(frozen=True, slots=True)
class Row:
    """One session, or one node that has none (`peer` None). `state` is what may be shown of it, and `since`
    when it is so (0 = nobody tells); `unselected`: no policy gives the node a session."""

    node: str
    state: str
    established: bool = False
    peer: PeerState | None = None
    since: float = 0.0
    unselected: bool = False

    @property
    def word(self) -> str:
        """The state without what explains it: `withdrawn` of `withdrawn (sent 5m ago)`."""
        return self.state.partition(" (")[0].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Picture:
    """What was seen at `now`. `missing` are nodes asked for by name that have no speaker, and what is known
    of them (NO_SPEAKER or NO_NODE)."""

    states: tuple[NodeState, ...]
    missing: Mapping[str, str]
    now: float

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every session of every node, in the order of their names."""
        found = {state.node: tuple(_node_rows(state, self.now)) for state in self.states}
        absent = {name: (Row(name, words),) for name, words in self.missing.items()}
        merged = {**absent, **found}
        return tuple(row for name in sorted(merged) for row in merged[name])

    @property
    def all_established(self) -> bool:
        """Is there at least one session, and is every one of them up? A node may be to have none."""
        rows = [row for row in self.rows if not row.unselected]
        return bool(rows) and all(row.established for row in rows)


# --- what may be said ---------------------------------------------------------------------------------------


def _node_rows(state: NodeState, now: float) -> Iterator[Row]:
    override = node_word(state, now)
    peers = state.peers
    if not peers and state.withdrawn and state.phase == "Withdrawn":
        peers = tuple(peer.state for peer in state.withdrawn.peers)
    if not peers:
        none = not (override or state.selected_by or state.policy_problem)
        yield Row(state.node, override or NOT_SELECTED, since=_word_since(state, now), unselected=none)
    for peer in peers:
        yield _peer_row(state, peer, override, now)


def _peer_row(state: NodeState, peer: PeerState, override: str, now: float) -> Row:
    session = peer.session
    if override:
        return Row(state.node, override, False, peer, _word_since(state, now))
    since = session.established_at if session.established else session.since
    return Row(state.node, str(session.state), session.established, peer, since or 0.0)


def _word_since(state: NodeState, now: float) -> float:
    """Since when a node's word is true: its withdraws were sent, or its speaker was last heard."""
    if state.unreadable:
        return 0.0
    if state.phase == "Withdrawn":
        return state.withdrawn.sent_at if state.withdrawn else 0.0
    return state.last_seen if state.phase == "Stopped" or state.stale(now) else 0.0


def node_word(state: NodeState, now: float) -> str:
    """The word that replaces a node's session states when its speaker does not run as usual, else "".

    A withdrawal stays true when the speaker is gone (that is what a drain is for), so it wins over stale.
    """
    if state.unreadable:
        return f"unreadable: {state.unreadable}"
    seen = f"last seen {units.age(now - state.last_seen)} ago" if state.last_seen else "never seen"
    stale = state.stale(now)
    if state.phase == "Withdrawn":
        sent = (
            f"sent {units.age(now - state.withdrawn.sent_at)} ago"
            if state.withdrawn
            else "not known when sent"
        )
        return f"withdrawn ({sent}; {seen})" if stale else f"withdrawn ({sent})"
    if state.phase == "Stopped":
        return f"stopped ({seen})"
    if stale:
        return f"stale ({seen})"
    if state.phase == "Waiting":
        return "waiting (another stack has the node)"
    return "starting" if state.phase == "Starting" and not state.peers else ""


def summary(shown: Sequence[Row]) -> str:
    """The sentence that comes last: how many are up, and what is not."""
    if not shown:
        return "no node runs a bgpctl speaker"
    sessions = [row for row in shown if row.peer]
    up = sum(row.established for row in sessions)
    if up == len(shown):
        return (
            f"all {units.count(up, 'session')} established" if up > 1 else "the only session is established"
        )
    total = f"{up} of {units.count(len(sessions), 'session')} established" if sessions else "no session"
    down = list(dict.fromkeys(f"{row.node}: {row.word}" for row in shown if not row.established))
    more = f", and {len(down) - NAMED} more" if len(down) > NAMED else ""
    return f"{total}; {', '.join(down[:NAMED])}{more}"


# --- text ---------------------------------------------------------------------------------------------------


def text(picture: Picture, *, wide: bool = False, width: int | None = None) -> list[Line]:
    """The table, a note per session that is down, and the summary."""
    shown, now = picture.rows, picture.now
    if not shown:
        return prose(summary(shown), width, "accent")
    header, cells = (WIDE, _wide_cells) if wide else (NARROW, _narrow_cells)
    body = [cells(one, now) for one in shown]
    down = dict.fromkeys(note for row in shown if (note := _note(row, now, wide)))
    notes = [row for told in (*down, *_problems(picture)) for row in prose(told, width)]
    last = prose(summary(shown), width, "bold" if picture.all_established else "accent")
    rows = table(header, body, NUMBERS, width, "-")
    return [*rows, *([line(""), *notes] if notes else []), line(""), *last]


_STYLES: Mapping[str, Style] = {"withdrawn": "dim", NOT_SELECTED: "dim", "waiting": "dim", NO_SPEAKER: "dim"}
"""Of what is not established and is meant to be so."""


def _state(row: Row) -> Span:
    return Span(row.word, "good" if row.established else _STYLES.get(row.word, "bad"))


def _narrow_cells(row: Row, now: float) -> list[Cell]:
    age = units.age(now - row.since) if row.since else "-"
    if row.peer is None:
        return [row.node, "-", _state(row), age, "-", "-", "-"]
    return [row.node, _address(row.peer), _state(row), age, *_routes(row)]


def _wide_cells(row: Row, now: float) -> list[Cell]:
    node, *rest = _narrow_cells(row, now)
    if row.peer is None:
        return [node, "-", "-", *rest, *["-"] * (len(WIDE) - len(NARROW) - 2)]
    return [node, str(row.peer.local_asn), str(row.peer.asn), *rest, *_negotiations(row.peer)]


def _address(peer: PeerState) -> str:
    if peer.port == 179:
        return peer.address
    return f"[{peer.address}]:{peer.port}" if ":" in peer.address else f"{peer.address}:{peer.port}"


def _routes(row: Row) -> list[Cell]:
    """The families of a session that is up, `v4/v6`, and for each how many routes were received and
    advertised, in the same order: `5/0`."""
    if row.peer is None or not row.established:
        return ["-", "-", "-"]
    session = row.peer.session
    families = sorted(set(session.families) | set(session.advertised) | set(session.received))
    if not families:
        return ["-", "-", "-"]
    counts = [
        [str(of.get(family, 0)) for family in families] for of in (session.received, session.advertised)
    ]
    return ["/".join(map(_short, families)), *("/".join(count) for count in counts)]


def _short(family: Family) -> str:
    if family.safi != "unicast":
        return f"{family.afi}-{family.safi}"
    return family.afi.removeprefix("ip") if family in (IPV4, IPV6) else family.afi


def _negotiations(peer: PeerState) -> list[Cell]:
    session = peer.session
    error = session.last_error
    timers = f"{session.hold_time}/{session.keepalive_time} s" if session.hold_time is not None else "-"
    return [
        timers,
        restart(peer),
        *(_side(side) if session.gr_told else "?" for side in (session.local_gr, session.peer_gr)),
        {True: "yes", False: "no", None: "?"}[session.end_of_rib] if session.established else "-",
        str(session.flaps),
        f"{error.direction}: {error.text}" if error else "-",
    ]


def restart(peer: PeerState) -> str:
    """Graceful restart as negotiated: off, or the time for which the router keeps our routes, and N. Where
    nobody tells that, what the node offers."""
    session, offered = peer.session, peer.configured_restart_time
    told = session.hold_time is not None or session.local_gr is not None
    if told and session.gr_told:
        return _negotiated(session)
    if not session.established and session.state is not SessionState.UNKNOWN:
        return "-"
    if offered is not None:
        return f"{offered} s offered"
    return "off" if session.gr_told else "?"


def _negotiated(session: Session) -> str:
    if session.local_gr is None or session.peer_gr is None:
        return "off"
    both = session.local_gr.notification and session.peer_gr.notification
    return f"{session.local_gr.restart_time} s" + (" N" if both else "")


def _side(side: GracefulRestart | None) -> str:
    """One side's capability: its time, its bits and the families whose F bit is set, "120 s R N F(ipv4)"."""
    if side is None:
        return "-"
    bits = [letter for letter, on in (("R", side.restart_state), ("N", side.notification)) if on]
    forwarding = [f.afi if f.safi == "unicast" else str(f) for f, bit in side.families if bit]
    kept = [f"F({', '.join(forwarding)})"] if forwarding else []
    return " ".join([f"{side.restart_time} s", *bits, *kept])


def _note(row: Row, now: float, wide: bool) -> str | None:
    """Why a session is down when its speaker is alive to tell (the wide table has that in a column);
    else what explains the node's word."""
    if row.state != row.word:
        return f"{row.node}: {row.state}"
    if wide or row.established or row.peer is None or row.state != str(row.peer.session.state):
        return None
    error = row.peer.session.last_error
    since = f" for {units.age(now - row.since)}" if row.since else ""
    why = f": {error.direction} {error.text}, {units.age(now - error.time)} ago" if error else ""
    return f"{row.node} {_address(row.peer)} is {row.state}{since}{why}"


def _problems(picture: Picture) -> list[str]:
    """What speakers that are alive complain about: a policy they cannot use, objects they left out."""
    return [
        f"{state.node}: {problem}"
        for state in picture.states
        if not state.stale(picture.now)
        for problem in filter(None, (state.policy_problem, *state.problems))
    ]


# --- documents ----------------------------------------------------------------------------------------------


def document(picture: Picture) -> Document:
    """The JSON and YAML form: BGPNodeState's own keys per node, with the states that may be shown."""
    nodes = [_node(state, picture.now) for state in picture.states]
    nodes += [{"node": name, "state": words, "peers": []} for name, words in picture.missing.items()]
    return envelope(
        "peers status",
        "done" if picture.all_established else "failed",
        message=summary(picture.rows),
        observedAt=units.rfc3339(picture.now),
        nodes=sorted(nodes, key=lambda node: str(node["node"])),
    )


def _node(state: NodeState, now: float) -> dict[str, Any]:
    if state.unreadable:
        return {"node": state.node, "state": node_word(state, now), "peers": []}
    status = to_document(state)["status"]
    word = node_word(state, now)
    if word:
        kind = "stale" if state.stale(now) and state.phase != "Withdrawn" else state.phase.lower()
        status["peers"] = [_not_current(peer, kind) for peer in status["peers"]]
        status["lastReportedSessions"] = status.pop("sessions")
    shown = word or (NOT_SELECTED if not state.peers else "current")
    return {"node": state.node, "state": shown, "stale": state.stale(now), **status}


def _not_current(peer: dict[str, Any], kind: str) -> dict[str, Any]:
    """A session of which nothing current is known: its last state moves to another key."""
    return {**peer, "state": kind, "lastReportedState": peer["state"]}


RENDERERS = renderers(lambda page, picture: text(picture, wide=page.wide, width=page.width), document)
