"""`lab drill`: what was lost against what was foretold: one table, one picture, one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isinf

from bgpctl.core.timing.drills import OWN, Held, Measured, Report, Verdict
from bgpctl.core.timing.failures import Fate
from bgpctl.render import forecast_words as words
from bgpctl.render import timeline, units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, line, prose
from bgpctl.render.text import Span as Piece

COMMAND = "lab drill"
HEADER = ("DRILL", "ROUTES", "SENT", "LOST", "MOVED", "FOR", "FORECAST", "VERDICT")
RIGHT = ("SENT", "LOST", "MOVED", "FOR")
NAMES = {"bird": "BIRD", "frr": "FRR", "gobgp": "GoBGP", "openbgpd": "OpenBGPD"}
EXPLAINED = {
    Verdict.LONGER: "longer: traffic was lost for longer than the worst case.",
    Verdict.SHORTER: "shorter: traffic was lost for less time than the best case says at least.",
}


def text(reports: Sequence[Report], width: int | None = None) -> list[Line]:
    """The table, what went wrong, and how many drills went as foretold."""
    problems = [row for one in reports if one.problem for row in prose(f"{_name(one)}: {one.problem}", width)]
    found = {row.verdict for one in reports for row in one.rows}
    explained = [row for verdict, told in EXPLAINED.items() if verdict in found for row in prose(told, width)]
    notes = [*explained, *problems]
    return [
        *table(HEADER, list(_rows(reports)), RIGHT, width),
        line(""),
        *notes,
        *([line("")] if notes else []),
        *prose(summary(reports), width, "bold"),
    ]


def _rows(reports: Iterable[Report]) -> Iterator[Sequence[str | Piece]]:
    """A line for each scenario, and below it one for each setting and class of routes."""
    before: object = None
    for one in reports:
        if one.drill.scenario is not before:
            yield (Piece(str(one.drill.scenario), "accent"), *[""] * (len(HEADER) - 1))
            before = one.drill.scenario
        setting = str(one.drill.setting)
        if not one.rows:
            yield (setting, *[""] * (len(HEADER) - 2), Piece("failed", "bold"))
        for row in one.rows:
            yield setting, *_cells(row, one.problem)
            setting = ""


def _cells(row: Held, problem: str) -> Iterator[str | Piece]:
    found = row.measured
    yield str(row.course.kind)
    yield str(found.sent)
    yield str(found.lost)
    yield f"{found.moved * 100:.0f} %"
    yield lasts(found)
    yield words.span(row.course.loss)
    verdict = "failed" if problem and row.verdict is Verdict.HELD else str(row.verdict)
    yield Piece(verdict, "" if verdict == Verdict.HELD else "bold")


def lasts(found: Measured) -> str:
    """For how long requests were lost: `8.2 s`."""
    return f"{found.seconds:.1f} s" if found.lost else "-"


def _name(one: Report) -> str:
    return f"{one.drill.scenario}, {one.drill.setting}"


def summary(reports: Sequence[Report]) -> str:
    """`bird: 14 drills, all as foretold`, `bird, cilium nodes: …`."""
    routers = ", ".join(dict.fromkeys(one.router for one in reports))
    routers += _stacks(reports)
    failed = [one for one in reports if not one.passed]
    drills = units.count(len(reports), "drill")
    if not failed:
        return f"{routers}: {drills}, {'as' if len(reports) == 1 else 'all as'} foretold"
    return f"{routers}: {len(failed)} of {drills} not as foretold: {'; '.join(map(_name, failed))}"


def _stacks(reports: Sequence[Report]) -> str:
    """`, cilium nodes`; of our own speaker nothing is said."""
    others = dict.fromkeys(one.stack for one in reports if one.stack != OWN)
    return "".join(f", {name} nodes" for name in others)


def document(reports: Sequence[Report]) -> Document:
    """`drills`: one for each drill. `worstSeconds` null = for ever."""
    status = "done" if all(one.passed for one in reports) else "failed"
    return envelope(COMMAND, status, message=summary(reports), drills=[_report(one) for one in reports])


def _report(one: Report) -> Document:
    setting = one.drill.setting
    return {
        "router": one.router,
        "stack": one.stack,
        "scenario": str(one.drill.scenario),
        "holdTimeSeconds": setting.hold,
        "keepAliveTimeSeconds": setting.keepalive,
        "restartTimeSeconds": setting.restart,
        "notification": setting.notification,
        "passed": one.passed,
        "problem": one.problem,
        "routes": [_held(row) for row in one.rows],
    }


def _held(row: Held) -> Document:
    found, loss = row.measured, row.course.loss
    return {
        "routes": str(row.course.kind),
        "sent": found.sent,
        "lost": found.lost,
        "refused": found.refused,
        "movedShare": round(found.moved, 3),
        "lostSeconds": round(found.seconds, 3),
        "lostBetween": [[round(begin, 3), round(end, 3)] for begin, end in found.stretches],
        "bestSeconds": loss.best,
        "worstSeconds": None if isinf(loss.worst) else loss.worst,
        "verdict": str(row.verdict),
        "why": row.course.why,
        "unknown": list(row.course.unknown),
    }


RENDERERS = renderers(lambda page, reports: text(reports, page.width), document)


# --- the page ----------------------------------------------------------------------------------------------


LEAD = (
    "Thick bars: the forecast, of what was negotiated. Thin bars: what became of requests, dark while they "
    "were lost. 20+N/9: graceful restart of 20 s with the N bit, hold time 9 s."
)
LONGEST = 120.0  # of the axis: a router may take a node back after minutes, at worst


def page(reports: Sequence[Report]) -> str:
    """One self-contained HTML document: forecast and fact on one timeline, and the figures."""
    routers = ", ".join(NAMES.get(name, name) for name in dict.fromkeys(one.router for one in reports))
    title = f"Drills at {routers}{_stacks(reports)}"
    drawn = list(_drawn(reports))
    longest = max(
        (row.course.loss.worst for one in reports for row in one.rows if not isinf(row.course.loss.worst)),
        default=0.0,
    )
    rows = [[cell.text if isinstance(cell, Piece) else cell for cell in cells] for cells in _rows(reports)]
    body = (
        timeline.picture(title, drawn, min(longest, LONGEST))
        + timeline.html_table(HEADER, rows)
        + "".join(timeline.paragraph(f"{_name(one)}: {one.problem}") for one in reports if one.problem)
        + timeline.paragraph(summary(reports))
    )
    return timeline.document(title, LEAD, body)


def _drawn(reports: Iterable[Report]) -> Iterator[timeline.Row]:
    before: object = None
    for one in reports:
        for row in one.rows:
            event = "" if one.drill.scenario is before else str(one.drill.scenario)
            before = one.drill.scenario
            routes = f"{row.course.kind}, {one.drill.setting.short}"
            told = words.lost(row.course)
            yield timeline.Row(
                event,
                routes,
                row.course,
                "nothing lost" if told == "none" else f"lost {told}",
                _Fact(row.measured),
                f"{lasts(row.measured)} {row.verdict}".removeprefix("- "),
            )


class _Fact:
    """A thin bar of what became of requests."""

    def __init__(self, found: Measured) -> None:
        self._found = found

    def __call__(self, scale: timeline.Scale, y: float, height: float) -> Iterator[str]:
        yield from timeline.rectangle(scale, 0.0, scale.end, y, height, "var(--unharmed)")
        fate = Fate.RESET if self._found.refused * 2 > self._found.lost else Fate.BLACK_HOLED
        for begin, end in self._found.stretches:
            yield from timeline.rectangle(scale, begin, end, y, height, f"var(--{fate})")
