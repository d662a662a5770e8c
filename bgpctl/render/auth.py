"""`auth check`: what is missing, the roles that would grant it, and the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.manifests import text as yaml_of
from bgpctl.render.text import Line, line, prose
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.install.check import Report
    from bgpctl.install.rights import Right

HEAD = ("MISSING", "FOR", "WITHOUT IT")
REFUSES = "it refuses"


def text(report: Report, width: int | None = None) -> list[Line]:
    """A row per missing right, then the YAML that grants them all."""
    rows = [_row(right) for right in (*report.missing, *report.optional)]
    if not rows:
        return prose(summary(report), width, "bold")
    lines = table(HEAD, rows, (), width)
    granted = "---\n".join(yaml_of(role) for role in report.grants())
    shown = [line(row) for row in granted.splitlines()]
    return [*lines, line(""), *shown, line(""), *prose(summary(report), width, "bold")]


def _row(right: Right) -> list[str]:
    return [right.words, right.why, right.without or REFUSES]


def summary(report: Report) -> str:
    """One sentence."""
    asked = count(len(report.answers), "right")
    if not report.missing and not report.optional:
        return f"{report.role}: all of {asked} are there"
    optional = f", and {len(report.optional)} without which it goes on" if report.optional else ""
    return f"{report.role}: {len(report.missing)} of {asked} are missing{optional}"


def document(report: Report) -> Document:
    """The same for programs."""
    status = "failed" if report.missing else "done"
    return envelope(
        "auth check",
        status,
        role=report.role,
        message=summary(report),
        asked=len(report.answers),
        missing=[_fields(right) for right in report.missing],
        optional=[_fields(right) for right in report.optional],
        grants=report.grants() or None,
    )


def _fields(right: Right) -> Document:
    return {
        "verb": right.verbs[0],
        "group": right.group,
        "resource": right.resources[0],
        **({"namespace": right.namespace} if right.namespace else {}),
        **({"names": list(right.names)} if right.names else {}),
        "why": right.why,
        **({"without": right.without} if right.without else {}),
    }


RENDERERS = renderers(lambda page, report: text(report, page.width), document)
