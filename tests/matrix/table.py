"""Results as a table: one row per event and graceful restart, one column per router. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.matrix.cells import ROWS, Cell, Event, Fate, Graceful
from tests.matrix.complaints import Bounds
from tests.matrix.result import Result
from tests.matrix.watcher import INTERVAL

NOT_RUN = "not run"
NOTABLE_PAUSE = 0.5  # seconds; a shorter one changes nothing of what the table says
NAMES = {"frr": "FRR", "bird": "BIRD", "gobgp": "GoBGP", "openbgpd": "OpenBGPD"}
UNSEEN = "a shorter flap could hide there"
# usr.sbin/bgpd/rde_peer.c, peer_stale(): "make sure new prefixes start on a higher timestamp".
SILENCE = {
    "openbgpd": "the process that has its RIB sleeps when a session becomes stale, and changes nothing"
}
GR = {Graceful.OFF: "off", Graceful.ON: "on", Graceful.NOTIFICATION: "on, N bit"}


def word(result: Result) -> str:
    """One cell: what became of the routes, and in brackets what the estimate allowed. † as in `summary`."""
    if result.complaints:
        return f"FAILED: {result.complaints[0]}"
    return _fate(result) + ("†" if result.seen.pause > NOTABLE_PAUSE else "")


def _fate(result: Result) -> str:
    seen, allowed = result.seen, span(result.bounds)
    match result.fate:
        case Fate.LEAVES:
            return f"{seen.gone_at:.1f} s ({allowed})"
        case Fate.RETURNS if seen.missing_at is None:
            return f"gap < {INTERVAL} s ({allowed})"
        case Fate.RETURNS:
            return f"{seen.missing_at:.1f} s ({allowed}), gap {seen.gap:.1f} s"
        case Fate.CHANGES:
            left = result.left.gone_at if result.left and result.left.gone_at is not None else 0.0
            return f"{left:.1f} s ({allowed}), no flap"
        case Fate.STAYS:
            return f"no flap, stale {seen.stale:.1f} s" if seen.stale else "no flap"
        case _:
            return "untouched"


def span(bounds: Bounds) -> str:
    """The estimate in seconds: "0–5", "5–∞"."""
    return f"{_number(bounds.best)}–{'∞' if bounds.worst is None else _number(bounds.worst)}"


def _number(seconds: float) -> str:
    return f"{round(seconds, 1):g}" if seconds >= 0.05 else "0"


def grid(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """The header, then the rows; rows and columns that nothing was run for are left out."""
    found: Mapping[Cell, Result] = {result.cell: result for result in results}
    routers = [kind for kind in NAMES if any(cell.router == kind for cell in found)]
    yield ("event", "GR", *(NAMES[kind] for kind in routers))
    for event in Event:
        for graceful in Graceful:
            cells = [Cell(kind, event, graceful) for kind in routers]
            if any(cell in found for cell in cells):
                words = (word(found[cell]) if cell in found else NOT_RUN for cell in cells)
                yield (ROWS[event].words, GR[graceful], *words)


def text(results: Sequence[Result]) -> str:
    """For a terminal."""
    rows = list(grid(results))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", *summary(results)])


def markdown(results: Sequence[Result]) -> str:
    """For docs/routers.md. An event is named once for both of its rows."""
    header, *rows = grid(results)
    lines = [_markdown_row(header), "|---" * len(header) + "|"]
    for index, (event, *cells) in enumerate(rows):
        again = index > 0 and rows[index - 1][0] == event
        lines.append(_markdown_row(("" if again else event, *cells)))
    return "\n".join([*lines, "", *summary(results)])


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def summary(results: Sequence[Result]) -> Iterator[str]:
    """How many are in order, how well the routers were watched, and every complaint."""
    failed = [result for result in results if result.complaints]
    slowest = max((result.seen.interval for result in results), default=0.0)
    yield f"{len(results)} cells, {len(failed)} failed; a look every {slowest:.2f} s or more often."
    for kind, name in NAMES.items():
        pause = max((result.seen.pause for result in results if result.router == kind), default=0.0)
        if pause > NOTABLE_PAUSE:
            yield f"† {name} answered nobody for up to {pause:.1f} s: {SILENCE.get(kind, UNSEEN)}."
    for result in failed:
        yield from (f"{result.cell}: {complaint}" for complaint in result.complaints)
