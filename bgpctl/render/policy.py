"""`policy check`: every fault of the files with its place, and what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgpctl.errors import Problem
from bgpctl.render.envelope import Document, envelope, present
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, Span, line
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.documents.check import CheckedDocument, CheckReport

COMMAND = "policy check"


def text(report: CheckReport) -> list[Line]:
    """One line per warning and per fault, as compilers print them; then the verdict."""
    warnings = [line("warning: ", str(problem)) for problem in report.warnings]
    faults = [line(Span("error: ", "accent"), str(problem)) for problem in report.problems]
    return [*warnings, *faults, line(Span(summary(report), "bold" if report.ok else "accent"))]


def summary(report: CheckReport) -> str:
    """How many documents are valid, and how many faults there are."""
    documents = count(len(report.documents), "document")
    warned = f", {count(len(report.warnings), 'warning')}" if report.warnings else ""
    if report.ok:
        return f"{documents} valid{warned}"
    places = {(problem.source, problem.document) for problem in report.problems}
    return f"{count(len(report.problems), 'problem')} in {len(places)} of {documents}{warned}"


def document(report: CheckReport) -> Document:
    """Status "done" or, with problems, "usage" (exit code 2)."""
    return envelope(
        COMMAND,
        "done" if report.ok else "usage",
        message=summary(report),
        documents=[_checked(checked) for checked in report.documents],
        problems=[_problem(problem) for problem in report.problems],
        warnings=[_problem(problem) for problem in report.warnings],
    )


def _checked(checked: CheckedDocument) -> Document:
    return {
        "file": checked.source,
        "document": checked.document,
        "line": checked.line,
        "kind": checked.kind,
        "name": checked.name,
        "verdict": checked.verdict.value,
        "problems": checked.problems,
        "warnings": checked.warnings,
    }


def _problem(problem: Problem) -> Document:
    return present(
        file=problem.source,
        document=problem.document,
        line=problem.line,
        path=problem.path,
        message=problem.message,
    )


RENDERERS = renderers(lambda page, report: text(report), document)
