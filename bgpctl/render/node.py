"""`node status`: what runs or ran on each node, and what is true of it now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgpctl.core.model import SessionState
from bgpctl.core.state import NodeState, WithdrawnRecord, timestamp
from bgpctl.queries.since import UNCORDONED, UNKNOWN
from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.peers import NO_SPEAKER, node_word
from bgpctl.render.text import Cell, Line, Span, hint_lines, line, prose
from bgpctl.runbooks import evidence
from bgpctl.runbooks.kept import words

if TYPE_CHECKING:
    from bgpctl.queries.nodes import NodeReport
    from bgpctl.runbooks.journal import Journal

COMMAND = "node status"
NOBODY_ASKED = "no router was asked whether the routes are gone"
NOT_CONFIRMED = "that the routes are gone is not confirmed"
NOT_KNOWN = "whether a router was asked is not known: the journal {}"
HEADER = ("NODE", "SERVICE", "SCHEDULING", "SELECTED BY", "SESSIONS", "ANNOUNCED", "RUN")


# --- words --------------------------------------------------------------------------------------------------


def scheduling(report: NodeReport) -> str:
    """The words of the column: `schedulable`, or `cordoned, not ready`."""
    words = "cordoned" if report.unschedulable else "schedulable"
    return words if report.ready else f"{words}, not ready"


def sessions(report: NodeReport, now: float) -> str:
    """The speaker's word (stale, withdrawn …), or `2/2 established`. A session that nobody tells is unknown,
    not down."""
    if report.state is None:
        return NO_SPEAKER
    if not report.state.peers and not node_word(report.state, now):
        return "not selected"
    if word := node_word(report.state, now):
        return word
    unknown = _unknown(report.state)
    rest = f", {unknown} unknown" if unknown else ""
    return "unknown" if unknown == len(report.state.peers) else f"{report.state.sessions} established{rest}"


def selected_by(report: NodeReport, now: float) -> str:
    """The policy that selects the node by its speaker's word, "" = none does. A drain's relabel is newer than
    what a speaker said that says nothing any more."""
    state, journal = report.state, report.record
    out = journal is not None and journal.command == "drain" and journal.finished("Deselected")
    return "" if state is None or (out and node_word(state, now)) else state.selected_by


def run(report: NodeReport, now: float) -> str:
    """What the journal says: the command, in which step it is or how it was done, since when, and who holds
    it now."""
    journal = report.record
    if journal is None:
        return report.problem or "-"
    return f"{journal.command} {journal.run}: {_progress(report, journal, now)}"


def _progress(report: NodeReport, journal: Journal, now: float) -> str:
    if journal.done_at and not report.running:
        ago = f"{units.age(now - journal.done_at)} ago"
        return f"done, {_by_whom(journal)}, {ago}" if report.drained else f"was done {ago}"
    held = f", run by {report.holder}" if report.holder else ""
    where = f"{'at' if report.running else 'stopped at'} {report.step}, " if report.step else ""
    return f"{where}began {units.age(now - journal.started_at)} ago{held}"


def _by_whom(journal: Journal) -> str:
    """By whose word the routes are gone."""
    found = journal.evidence
    by = f" by {found['by']}" if found.get("by") else ""
    return f"{found['proof']}{by}" if found.get("proof") else "nothing was announced"


def proof(report: NodeReport) -> str:
    """How it is known that the routes are gone: confirmed, estimated, or "" (not known, or not gone)."""
    back = report.since is not None and report.since.word != UNCORDONED
    return str(report.journal.evidence.get("proof") or "") if report.journal and not back else ""


def announces(report: NodeReport, now: float) -> bool:
    """Does it have routes on its routers by the word of a speaker that reports?"""
    state = report.state
    if state is None or node_word(state, now) or (state.told_out and not state.announced):
        return False
    return state.announced > 0 if state.announced is not None else state.established > 0


def in_service(report: NodeReport, now: float) -> bool:
    """Ready, schedulable, and every session of its speaker up."""
    state = report.state
    if state is None or not _fit(report, state, now):
        return False
    return bool(state.peers) and state.established == len(state.peers)


def _fit(report: NodeReport, state: NodeState, now: float) -> bool:
    """May it serve, as far as its sessions allow?"""
    return not (node_word(state, now) or not report.ready or report.unschedulable or state.told_out)


def service(report: NodeReport, now: float) -> str:
    """The journal's word, unless the node claims to serve and does not, or nobody tells whether it does."""
    if report.service != "in-service" or in_service(report, now):
        return report.service
    return UNKNOWN if untold(report, now) else "degraded"


def untold(report: NodeReport, now: float) -> str:
    """Why nobody knows whether a node serves that may: none of its sessions is known to be down, and of some
    nobody tells. "" = it is known."""
    state = report.state
    if report.service != "in-service" or state is None or not _fit(report, state, now):
        return ""
    unknown = _unknown(state)
    if not unknown or state.established + unknown < len(state.peers):
        return ""
    why = "; ".join(state.problems) or "its speaker does not say"
    return f"whether its sessions are up is not known: {why}"


def _unknown(state: NodeState) -> int:
    """Of how many of its sessions nobody tells whether they are up."""
    return sum(peer.session.state is SessionState.UNKNOWN for peer in state.peers)


# --- text ---------------------------------------------------------------------------------------------------


def text(reports: Sequence[NodeReport], now: float, width: int | None = None) -> list[Line]:
    """One line per node; how it is known that routes are gone follows for nodes that left."""
    rows = [_row(report, now) for report in reports]
    details = [row for report in reports for row in _details(report, now, width)]
    good = all(in_service(report, now) and not report.since for report in reports)
    last = prose(summary(reports, now), width, "bold" if good else "accent")
    shown = table(HEADER, rows, width=width, nothing="-")
    return [*shown, *([line(""), *details] if details else []), line(""), *last]


def _details(report: NodeReport, now: float, width: int | None) -> list[Line]:
    why = untold(report, now)
    unknown = prose(f"{report.node}: {why}", width, "accent") if why else []
    return [*_stopped(report, width), *unknown, *_silent(report, now, width), *_withdrawal(report, width)]


def _silent(report: NodeReport, now: float, width: int | None) -> list[Line]:
    """Since when its speaker says nothing, and that this is no end of its routes."""
    state = report.state
    if state is None or not node_word(state, now).startswith("stale"):
        return []
    at = f"{units.day(state.last_seen)} {units.clock(state.last_seen)[:8]} UTC"
    silent = f"has been silent since {at}" if state.last_seen else "was never heard"
    told = f"its speaker {silent}: one that hangs, or only lost the API server, still announces"
    here = ("-A", "-o", "wide", "--field-selector", f"spec.nodeName={report.node}")
    look = f"to look at its pods: {report.typed.kubectl('get', 'pods', *here)}"
    logs = f"to read its log: {report.typed.other('logs', report.node)}"
    rows = hint_lines(f"{look}\n{logs}", width, first="  ")
    return [*prose(f"{report.node}: {told}", width, "accent"), *map(line, rows)]


def _row(report: NodeReport, now: float) -> list[Cell]:
    state, words = report.state, sessions(report, now)
    fresh = state is not None and not node_word(state, now)
    return [
        report.node,
        service(report, now),
        Span(scheduling(report), "accent" if report.unschedulable or not report.ready else ""),
        selected_by(report, now) or "-",
        words if fresh else Span(words, "accent"),
        _counted(state) if state and fresh else "-",
        run(report, now),
    ]


def _counted(state: NodeState) -> str:
    """How many routes it announces; "?" where nobody counts them."""
    announced = "?" if state.announced is None else str(state.announced)
    return announced if state.intended is None else f"{announced} of {units.count(state.intended, 'route')}"


def _stopped(report: NodeReport, width: int | None) -> list[Line]:
    """Why nobody goes on with a run that did not come to its end; what is safe, and what to type."""
    told = [report.problem] if report.problem else []
    if report.stopped and report.journal:
        told.append(f"the {report.journal.command} stopped: {report.stopped}")
    elif report.since:
        told.append("the drain was done, and what it did is not true any more")
    why = [row for text in told for row in prose(f"{report.node}: {text}", width, "accent")]
    return [*why, *map(line, hint_lines("\n".join(report.ways), width, first="  "))]


def _withdrawal(report: NodeReport, width: int | None) -> list[Line]:
    """When the routes went, and who says so; and that it is safe to power off where that is still true."""
    record, how = report.state.withdrawn if report.state else None, proof(report)
    gone = report.state is not None and report.state.phase == "Withdrawn"
    if report.drained and report.journal:
        told = f"safe to power off — {evidence.gone(report.journal.evidence)}"
    elif how and report.journal:
        told = evidence.gone(report.journal.evidence)
    elif gone and not report.since:
        told = _unproved(report)
    else:
        return []
    why = str(report.journal.evidence.get("why") or "") if report.journal and how else ""
    rests = f"; {why}" if why else ""
    return prose(f"{report.node}: {told}{_sent(record)}{rests}", width)


def _unproved(report: NodeReport) -> str:
    """Of a node that withdrew, and no proof is written down that its routes are gone."""
    if report.journal:
        return NOT_CONFIRMED
    if report.lost or report.orphan:
        return NOT_KNOWN.format("was removed")
    return NOT_KNOWN.format("cannot be read") if report.problem else NOBODY_ASKED


def _sent(record: WithdrawnRecord | None) -> str:
    if record is None:
        return ""
    took = units.duration(max(0.0, record.sent_at - record.observed_at))
    at = f"{units.day(record.sent_at)} {units.clock(record.sent_at)} UTC"
    return f"; withdraws sent {at}, {took} after the speaker saw the relabel"


def summary(reports: Sequence[NodeReport], now: float) -> str:
    """How many nodes are in service, which are not, of which nobody knows, and which of those out have
    routes all the same."""
    serving = sum(in_service(report, now) for report in reports)
    unknown = [report.node for report in reports if untold(report, now)]
    out = [report for report in reports if not in_service(report, now) and report.node not in unknown]
    total = units.count(len(reports), "node")
    if serving == len(reports):
        return f"{total} in service"
    named = {
        "not in service": [report.node for report in out],
        "not known": unknown,
        "still announcing": [report.node for report in out if announces(report, now)],
    }
    rest = "".join(f"; {words}: {', '.join(names)}" for words, names in named.items() if names)
    return f"{serving} of {total} in service{rest}"


# --- documents ----------------------------------------------------------------------------------------------


def document(reports: Sequence[NodeReport], now: float) -> Document:
    """The JSON of `node status`; "failed" when one of the nodes is. `now` in epoch seconds."""
    return envelope(
        COMMAND,
        "failed" if any(report.fails for report in reports) else "done",
        message=summary(reports, now),
        observedAt=units.rfc3339(now),
        nodes=[_document(report, now) for report in reports],
    )


def _document(report: NodeReport, now: float) -> Document:
    state = report.state
    document = {
        "node": report.node,
        "service": service(report, now),
        "inService": in_service(report, now),
        "announcing": announces(report, now),
        "safeToPowerOff": report.drained if report.record and report.record.done_at else None,
        "ready": report.ready,
        "cordoned": report.unschedulable,
        "speaker": sessions(report, now),
        "selectedBy": selected_by(report, now) or None,
        "phase": state.phase if state and not state.unreadable else None,
        "stale": state.stale(now) if state and not state.unreadable else None,
        "proof": proof(report) or None,
        "withdrawn": _record(state.withdrawn) if state and state.withdrawn else None,
        "run": _journal(report.journal, report.step) if report.journal else None,
        "holder": report.holder or None,
        "running": report.running if report.journal else None,
        "stopped": report.stopped or None,
        "hint": "\n".join(report.ways) or None,
        "problem": report.problem or untold(report, now) or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _record(record: WithdrawnRecord) -> Document:
    return {
        "reason": record.reason,
        "routes": record.routes,
        "observedTime": timestamp(record.observed_at),
        "sentTime": timestamp(record.sent_at),
        "closedTime": timestamp(record.closed_at),
    }


def _journal(journal: Journal, step: str) -> Document:
    """`step`: the one that it is or stopped in, null = it is done."""
    return {
        "id": journal.run,
        "command": "speaker restart" if journal.command == "restart" else f"node {journal.command}",
        "order": journal.order,
        "options": list(words(journal.asked)),
        "holder": journal.holder,
        "startedAt": units.rfc3339(journal.started_at),
        "step": step or None,
        "steps": {name: units.rfc3339(at) for name, at in journal.steps.items()},
        "evidence": dict(journal.evidence),
    }


RENDERERS = renderers(lambda page, reports, now: text(reports, now, page.width), document)
