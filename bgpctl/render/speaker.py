"""`speaker status`: what one speaker says of itself, and its sessions as `peers status` shows them."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.render import peers, units
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import GAP, Line, Span, folded, line


def text(state: NodeState, directory: str, now: float, width: int | None = None) -> list[Line]:
    """A line per fact, then the sessions, problems and their summary."""
    facts = list(_facts(state, directory, now))
    names = max(len(name) for name, _ in facts) + len(GAP)
    lines = [line(Span(f"{name:{names}}", "dim"), value) for name, value in facts]
    rows = [row for one in lines for row in folded(one, width, names)]
    return [*rows, line(""), *peers.text(peers.Picture((state,), {}, now), width=width)]


def _facts(state: NodeState, directory: str, now: float) -> Iterator[tuple[str, str]]:
    yield "node", state.node
    yield "phase", state.phase
    if state.stale(now):
        yield "stuck", f"its loop has not run for {units.duration(now - state.heartbeat)}"
    if state.started_at:
        yield "up", units.age(now - state.started_at)
    engine = f", {state.engine_version}" if state.engine_version else ""
    yield "version", f"bgpctl {state.speaker_version}{engine}, replaced {state.engine_restarts} times"
    if state.engine_mode:
        yield "engine", state.engine_mode
    yield "selected by", f"{state.selected_by_kind} {state.selected_by}".strip() or "no policy"
    yield "routes", f"{state.announced} of {units.count(state.intended or 0, 'route')} announced"
    if state.absent:
        yield "not announced", ", ".join(f"{reason} {n}" for reason, n in sorted(state.absent.items()))
    yield "directory", directory


def document(state: NodeState, directory: str, now: float) -> Document:
    """BGPNodeState's own keys, as the speaker has them now."""
    status = to_document(state)["status"]
    return envelope(
        "speaker status",
        "done",
        observedAt=units.rfc3339(now),
        directory=directory,
        node=state.node,
        stale=state.stale(now),
        **status,
    )


RENDERERS = renderers(lambda page, state, directory, now: text(state, directory, now, page.width), document)
