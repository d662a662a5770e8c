"""`doctor`: findings, the gravest last; what was not checked; one line about all of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgpctl.core.doctor.finding import Severity
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import Page, renderers
from bgpctl.render.text import GAP, Cell, Line, Span, folded, line, printable, prose, wrapped
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.core.doctor.finding import Report, Row, Unchecked

COMMAND = "doctor"
HEADER = ("SEVERITY", "RULE", "OBJECT", "WHY", "FIX")
MOST = 3
FIX = "  fix: "
COMMAND_LINE = re.compile(r"(bgpctl|kubectl) ")
PAGES = "docs/doctor.md"


def text(page: Page, report: Report) -> list[Line]:
    """What there is to say, then what was not checked, then the summary. A pipe gets one line for each
    finding; a terminal short paragraphs, in which no command is broken."""
    lines = _lines(report) if page.width is None else _paragraphs(report, page.width)
    lines += prose(told, page.width) if (told := not_checked(report)) else []
    return [*lines, line(Span(summary(report), "accent" if report.fails else "bold"))]


def _lines(report: Report) -> list[Line]:
    rows = [(_severity(row), row.rule, _objects(row.objects), row.why, row.fix) for row in report.rows]
    return table(HEADER, rows) if rows else []


def _paragraphs(report: Report, width: int) -> list[Line]:
    found: list[Line] = []
    for row in report.rows:
        head = line(_severity(row), GAP, Span(row.rule, "bold"), GAP, _objects(row.objects))
        found += folded(head, width, len(row.severity) + len(GAP))
        found += [line(GAP, text) for text in wrapped(row.why, width - len(GAP))]
        found += _fix(row.fix, width)
        found.append(line(""))
    return found


def _fix(fix: str, width: int) -> list[Line]:
    whole = COMMAND_LINE.match(fix)
    texts = [printable(fix)] if whole else wrapped(fix, width - len(FIX))
    return [line(Span(" " * len(FIX) if number else FIX, "dim"), text) for number, text in enumerate(texts)]


def _severity(row: Row) -> Cell:
    return Span(row.severity, "accent") if row.severity is Severity.ERROR else str(row.severity)


def _objects(names: Sequence[str]) -> str:
    """The first few; of a thousand nodes the rest is a number. JSON has them all."""
    shown = ", ".join(names[:MOST])
    return f"{shown} and {len(names) - MOST} more" if len(names) > MOST else shown


def not_checked(report: Report) -> str:
    """The first reasons in one sentence; "" = every rule could judge everything. Of rules that could judge
    only some objects: how many they could not. JSON has all."""
    reasons: dict[str, list[Unchecked]] = {}
    for one in report.unchecked:
        reasons.setdefault(one.why, []).append(one)
    if not reasons:
        return ""
    told = [f"{_who(some)}: {why}" for why, some in reasons.items()]
    more = [f"{len(told) - MOST} more reasons (-o json)"] if len(told) > MOST + 1 else told[MOST:]
    return f"not checked: {'; '.join((*told[:MOST], *more))}"


def _who(some: Sequence[Unchecked]) -> str:
    most = max(one.count for one in some)
    names = some[0].rule if len(some) == 1 else count(len(some), "rule")
    return f"{names} of {count(most, 'object')}" if most else names


def summary(report: Report) -> str:
    """`3 nodes, 80 rules: 1 error, 2 warnings`, or that nothing was found."""
    kinds = [(severity, report.count(severity)) for severity in Severity]
    found = ", ".join(count(number, severity) for severity, number in kinds if number)
    asked = f"{count(report.nodes, 'node')}, {count(report.checked, 'rule')}"
    return f"{asked}: {found or 'nothing found'}"


def document(report: Report) -> Document:
    """Status "done", or "failed" (exit code 1) with an error or a warning. A row has all of its objects."""
    return envelope(
        COMMAND,
        "failed" if report.fails else "done",
        message=summary(report),
        nodes=report.nodes,
        rulesChecked=report.checked,
        findings=[_finding(row) for row in report.rows],
        notChecked=[{"rule": one.rule, "why": one.why, "objects": one.count} for one in report.unchecked],
    )


def _finding(row: Row) -> Document:
    return {
        "severity": str(row.severity),
        "rule": row.rule,
        "page": f"{PAGES}#{row.rule}",
        "objects": list(row.objects),
        "why": row.why,
        "fix": row.fix,
    }


RENDERERS = renderers(text, document)
