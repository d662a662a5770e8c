"""`preflight upgrade`: one row per node, what would help, and the verdict on all of them last."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from math import isinf
from typing import TYPE_CHECKING

from bgpctl.core.preflight.verdict import Judged, Measured, Verdict, Word, in_seconds, wanted
from bgpctl.errors import Exit
from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope, present
from bgpctl.render.formats import Page, renderers
from bgpctl.render.text import Cell, Line, Span, Style, hint_lines, line, prose

if TYPE_CHECKING:
    from bgpctl.queries.preflight import Report

COMMAND = "preflight upgrade"
HEADER = ("NODE", "VERDICT", "PULL", "RESTART", "KEPT", "WHY")
OURS = "bgpctl"  # the provider of our own speakers, which `speaker upgrade` is for
NAMED = 5  # nodes in a sentence


def text(page: Page, report: Report) -> list[Line]:
    """The table, how restarts are known, what helps, the summary."""
    width = page.width
    rows = [_row(one) for one in report.judged]
    notes = [row for note in _notes(report) for row in prose(note, width, "dim")]
    told = report.typed.aimed("\n".join(_hints(report)))
    hints = [line(row) for row in hint_lines(told, width, "")]
    style: Style = "bold" if report.exit_code is Exit.DONE else "accent"
    shown = [*table(HEADER, rows, ("KEPT",), width), line(""), *notes, *hints]
    return [*shown, *prose(summary(report), width, style)]


def _row(one: Judged) -> list[Cell]:
    verdict = one.verdict.value
    cell: Cell = verdict if one.verdict is Verdict.FITS else Span(verdict, "accent")
    case = one.case
    return [one.node, cell, _took(case.pull), _took(case.restart), _kept(one), "; ".join(one.whys)]


def _took(took: Measured) -> str:
    if took.seconds is None:
        return f"over {in_seconds(took.least)}" if took.least else Word.UNKNOWN.value
    return f"{in_seconds(took.seconds)} {took.word}"


def _kept(one: Judged) -> str:
    if one.kept is None:
        return Word.UNKNOWN.value
    return "-" if isinf(one.kept) else in_seconds(one.kept)


def _notes(report: Report) -> Iterator[str]:
    """By what the restart times are known."""
    ways: dict[str, list[str]] = {}
    for one in report.judged:
        if one.case.restart.seconds is not None:
            ways.setdefault(one.case.restart.how, []).append(one.node)
    for how, nodes in ways.items():
        yield f"restart on {_names(nodes)}: {how}"


def _hints(report: Report) -> Iterator[str]:
    slow = [one for one in report.judged if one.verdict is Verdict.TOO_SLOW and not one.case.failed]
    if again := [one.node for one in slow if one.with_image and one.case.pull.seconds is not None]:
        yield (
            f"the image is on {_names(again)} now: run this again, and the pull takes as long as it would in "
            "an upgrade soon after"
        )
    needed = [wanted(one) for one in slow if not one.with_image and one.kept]
    if known := [number for number in needed if number is not None]:
        node = next(one.node for one in slow if not one.with_image and one.kept)
        option = f"gracefulRestart.restartTimeSeconds={max(known)}"
        yield (
            f"a Restart Time of {max(known)} s would do (gracefulRestart.restartTimeSeconds); what else it "
            "changes: "
            f"bgpctl forecast {node} --set {option}"
        )
    if report.exit_code is Exit.DONE and report.judged and report.provider == OURS:
        only = ["--nodes", ",".join(one.node for one in report.judged)] if report.some else []
        command = shlex.join(["bgpctl", "speaker", "upgrade", "--image", report.image, *only])
        yield f"to upgrade them, one after the other: {command}"


def summary(report: Report) -> str:
    """The sentence that comes last."""
    by = {kind: [one.node for one in report.judged if one.verdict is kind] for kind in Verdict}
    total, fit = len(report.judged), len(by[Verdict.FITS])
    told = [f"{fit} of {units.count(total, 'node')} fit{'s' if total == 1 else ''}"]
    if slow := by[Verdict.TOO_SLOW]:
        told.append(f"an upgrade to {report.image} would lose routes on {_names(slow)}")
    if unknown := by[Verdict.UNKNOWN]:
        told.append(f"unknown: {_names(unknown)}")
    if report.late:
        told.append(f"time was up on {_names(report.late)} (--timeout gives it longer)")
    return "; ".join(told)


def _names(nodes: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
    return ", ".join(nodes[:NAMED]) + more


_STATUS = {Exit.DONE: "done", Exit.DEADLINE: "deadline"}


def document(report: Report) -> Document:
    """Seconds, each with the word for what it rests on; a peer without `seconds` is not known."""
    return envelope(
        COMMAND,
        _STATUS.get(report.exit_code, "failed"),
        message=summary(report),
        image=report.image,
        provider=report.provider,
        canary=report.canary or None,
        nodes=[_node(one) for one in report.judged],
    )


def _node(one: Judged) -> Document:
    peers = [present(peer=p.peer, seconds=p.seconds, word=p.word.value, why=p.why) for p in one.patience]
    return {
        "node": one.node,
        "verdict": one.verdict.value,
        "pull": _measured(one.case.pull),
        "restart": _measured(one.case.restart),
        "peers": peers,
        "why": list(one.whys),
    }


def _measured(took: Measured) -> Document:
    seconds = None if took.seconds is None else round(took.seconds, 3)
    least = round(took.least, 3) if took.least else None
    return present(seconds=seconds, atLeast=least, word=took.word.value, how=took.how or None)


RENDERERS = renderers(text, document)
