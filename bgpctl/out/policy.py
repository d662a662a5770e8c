"""`policy check`: every fault of the files with its place, or what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bgpctl.errors import Problem
from bgpctl.out.envelope import Document, envelope, write_json
from bgpctl.out.terminal import write
from bgpctl.out.text import Line, Span, line
from bgpctl.out.units import count

COMMAND = "policy check"


def summary(files: Sequence[str], problems: Sequence[Problem]) -> str:
    if not problems:
        return f"{count(len(files), 'file')} valid"
    bad = len({problem.source for problem in problems})
    return f"{count(len(problems), 'problem')} in {count(bad, 'file')}"


def text(files: Sequence[str], problems: Sequence[Problem]) -> list[Line]:
    """One line per fault, as compilers print them, then their number."""
    faults = [line(str(problem)) for problem in problems]
    return [*faults, line(Span(summary(files, problems), "accent" if problems else "bold"))]


def document(files: Sequence[str], problems: Sequence[Problem]) -> Document:
    status = "usage" if problems else "done"
    found = [_problem(problem) for problem in problems]
    return envelope(COMMAND, status, message=summary(files, problems), files=list(files), problems=found)


def _problem(problem: Problem) -> Document:
    document = {
        "file": problem.source,
        "line": problem.line,
        "document": problem.document,
        "path": problem.path,
        "message": problem.message,
    }
    return {key: value for key, value in document.items() if value is not None}


RENDERERS: Mapping[str, Callable[[Sequence[str], Sequence[Problem]], None]] = {
    "text": lambda files, problems: write(text(files, problems)),
    "json": lambda files, problems: write_json(document(files, problems)),
}
