"""`bgpctl top`: the whole fleet on one screen, as values. Pure: it is told what was seen, keys and the size.

What needs somebody comes first. A view is a value, and a key makes another one of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bgpctl.queries.nodes import NodeReport
from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.node import announces, in_service, run, service, sessions
from bgpctl.render.node import text as of_node
from bgpctl.render.peers import Picture
from bgpctl.render.peers import text as of_peers
from bgpctl.render.text import Cell, Line, Span, Style, line, plain

HEADER = ("NODE", "SERVICE", "SESSIONS", "ROUTES", "RUN")
KEYS = "up/down select  enter detail  / filter  p problems only  q quit"
LEAVE = "esc back  q quit"
TYPING = "enter keep  esc clear"
_FEW = 6  # lines of a screen that cannot hold more

_LONGEST_FILTER = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. `at`: epoch seconds; `problem`: why it is not current, "" = it is."""

    reports: tuple[NodeReport, ...] = ()
    at: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """`chosen`: the node that the cursor is on; `words`: what a node's row has to contain; `typing`: keys are
    letters of it; `detail`: the chosen node alone; `scrolled`: lines that have left the detail at its top."""

    chosen: str = ""
    words: str = ""
    typing: bool = False
    problems: bool = False
    detail: bool = False
    scrolled: int = 0


# --- what is shown ------------------------------------------------------------------------------------------


def wrong(report: NodeReport, now: float) -> bool:
    """Does somebody have to look at this node, or is a run at work on it?"""
    said = service(report, now)
    return bool(report.problem) or not (in_service(report, now) or said in ("drained", "no-bgp"))


def chosen(seen: Seen, view: View) -> list[NodeReport]:
    """The nodes of the list, those with a problem first."""
    found = [one for one in seen.reports if view.words.casefold() in _searched(one, seen.at)]
    if view.problems:
        found = [one for one in found if wrong(one, seen.at)]
    return sorted(found, key=lambda one: (not wrong(one, seen.at), one.node))


def _searched(report: NodeReport, now: float) -> str:
    return " ".join((report.node, service(report, now), sessions(report, now), run(report, now))).casefold()


def frame(seen: Seen, view: View, columns: int, rows: int) -> list[Line]:
    """Exactly `rows` lines, none wider than `columns`."""
    body = _detail(seen, view, columns) if view.detail else None
    room = max(_FEW, rows) - 3
    lines = [_head(seen, columns), line("")]
    lines += _list(seen, view, columns, room) if body is None else body[view.scrolled : view.scrolled + room]
    lines += [line("")] * (max(_FEW, rows) - 1 - len(lines))
    return [_cut(one, columns) for one in [*lines, _foot(seen, view)][:rows]]


def _head(seen: Seen, columns: int) -> Line:
    """How many nodes, sessions and routes; how many nodes need somebody."""
    reports, now = seen.reports, seen.at
    states = [one.state for one in reports if one.state and not one.state.stale(now)]
    up, all_ = sum(s.established for s in states), sum(len(s.peers) for s in states)
    routes = sum(s.announced or 0 for s in states)
    runs = sum(one.running for one in reports)
    bad = sum(wrong(one, now) for one in reports)
    told = [
        units.count(len(reports), "node"),
        f"{up} of {units.count(all_, 'session')} up",
        f"{units.count(routes, 'route')} announced",
        *([f"{units.count(runs, 'run')} at work"] if runs else []),
    ]
    row = line(Span(", ".join(told), "bold"), Span(f"  {bad} to look at" if bad else "", "accent"))
    clock = Span(f"  {units.clock(now)[:8]} UTC" if now else "", "dim")
    return (*row, clock) if len(plain((*row, clock))) <= columns else row


def _list(seen: Seen, view: View, columns: int, room: int) -> list[Line]:
    nodes = chosen(seen, view)
    if not nodes:
        none = "no node matches" if view.words or view.problems else "no nodes"
        return [line(none if seen.at else "looking …")]
    at = _place(nodes, view.chosen)
    first = max(0, min(at - (room - 2) // 2, len(nodes) - (room - 1)))
    shown = nodes[first : first + room - 1]
    body = [_row(one, seen.at, one.node == nodes[at].node) for one in shown]
    head, *lines = table(HEADER, body, ("ROUTES",))
    return [head, *lines]


def _row(report: NodeReport, now: float, here: bool) -> list[Cell]:
    style: Style = "bold" if here else "accent" if wrong(report, now) else ""
    state = report.state
    routes = str(state.announced) if state and announces(report, now) and state.announced is not None else "-"
    mark = ">" if here else " "
    cells = (f"{mark} {report.node}", service(report, now), sessions(report, now), routes, run(report, now))
    return [Span(cell, style) for cell in cells]


def _place(nodes: Sequence[NodeReport], name: str) -> int:
    """Where the cursor is: on the node that was chosen, else on the first."""
    return next((place for place, one in enumerate(nodes) if one.node == name), 0)


def _detail(seen: Seen, view: View, columns: int) -> list[Line] | None:
    """All that `node status` and `peers status` say of the node; None = it is gone."""
    found = [one for one in seen.reports if one.node == view.chosen]
    if not found:
        return None
    (report,) = found
    peers = of_peers(Picture((report.state,), {}, seen.at), width=columns) if report.state else []
    return [*of_node((report,), seen.at, columns), line(""), *peers]


def _foot(seen: Seen, view: View) -> Line:
    if view.typing:
        return line(Span(f"/{view.words}_  ", "bold"), Span(TYPING, "dim"))
    if seen.problem:
        return line(Span(f"not current: {seen.problem}", "accent"))
    kept = f"/{view.words}  " if view.words else ""
    only = "problems only  " if view.problems else ""
    return line(Span(kept + only, "bold"), Span(LEAVE if view.detail else KEYS, "dim"))


def _cut(row: Line, columns: int) -> Line:
    """What is wider than the screen would begin another line of it."""
    if len(plain(row)) <= columns:
        return row
    spans, left = [], columns
    for span in row:
        spans.append(Span(span.text[:left], span.style))
        left -= len(span.text)
        if left <= 0:
            break
    return tuple(spans)


# --- what keys do -------------------------------------------------------------------------------------------


def pressed(key: str, seen: Seen, view: View, page: int = 10) -> View | None:
    """The view after a key (`up`, `enter`, a letter …); None = it ends. `page`: the lines of a screen."""
    if key == "ctrl-c":
        return None
    if view.typing:
        return _typed(key, view)
    if view.detail:
        return _read(key, seen, view, page)
    return _chosen(key, seen, view, page)


def _typed(key: str, view: View) -> View:
    if key == "enter":
        return replace(view, typing=False)
    if key == "escape":
        return replace(view, typing=False, words="")
    if key == "backspace":
        return replace(view, words=view.words[:-1])
    fits = len(key) == 1 and key.isprintable() and len(view.words) < _LONGEST_FILTER
    return replace(view, words=view.words + key) if fits else view


def _read(key: str, seen: Seen, view: View, page: int) -> View | None:
    if key == "q":
        return None
    if key in ("escape", "enter", "left", "backspace"):
        return replace(view, detail=False, scrolled=0)
    moved = _MOVES.get(key)
    last = max(0, len(_detail(seen, view, 80) or ()) - 1)
    return view if moved is None else replace(view, scrolled=max(0, min(view.scrolled + moved(page), last)))


def _chosen(key: str, seen: Seen, view: View, page: int) -> View | None:
    nodes = chosen(seen, view)
    match key:
        case "q":
            return None
        case "/":
            return replace(view, typing=True)
        case "p":
            return replace(view, problems=not view.problems)
        case "escape":
            return replace(view, words="", problems=False)
        case "enter" | "right" if nodes:
            return replace(view, detail=True, scrolled=0, chosen=nodes[_place(nodes, view.chosen)].node)
    moved = _MOVES.get(key)
    if moved is None or not nodes:
        return view
    at = max(0, min(_place(nodes, view.chosen) + moved(page), len(nodes) - 1))
    return replace(view, chosen=nodes[at].node)


_END = 1 << 30
_MOVES: Mapping[str, Callable[[int], int]] = {
    "up": lambda _: -1,
    "k": lambda _: -1,
    "down": lambda _: 1,
    "j": lambda _: 1,
    "page-up": lambda page: -page,
    "page-down": lambda page: page,
    " ": lambda page: page,
    "home": lambda _: -_END,
    "g": lambda _: -_END,
    "end": lambda _: _END,
    "G": lambda _: _END,
}
