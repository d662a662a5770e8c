"""`providers`: one row per stack that is in the cluster; and what `cilium prepare`, or Calico's, did or would
do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, prose
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.providers.changes import Change
    from bgpctl.providers.stack import Summary


def text(found: Sequence[Summary], width: int | None = None) -> list[Line]:
    """A row per stack, and below it why its lever does what it does."""
    rows = [
        [
            one.provider,
            str(one.nodes),
            one.version or "-",
            one.lever,
            ", ".join(one.missing) or "none",
            one.why,
        ]
        for one in found
    ]
    lines = table(("PROVIDER", "NODES", "VERSION", "LEVER", "MISSING RIGHTS", "HOW"), rows, ("NODES",), width)
    return [*lines, *(row for one in found for note in one.notes for row in prose(note, width))]


def document(found: Sequence[Summary]) -> Document:
    """The same for programs."""
    return envelope("providers", "done", providers=[_document(one) for one in found])


def _document(one: Summary) -> Document:
    fields = asdict(one)
    at_work = sorted(fields.pop("at_work"))
    return {**fields, "atWork": at_work}


RENDERERS = renderers(lambda page, found: text(found, page.width), document)


def changes_text(changes: Sequence[Change], planned: bool, width: int | None = None) -> list[Line]:
    """A row per object that is made, changed or removed."""
    rows = [[one.verb, one.name, one.why] for one in changes]
    lines = table(("VERB", "NAME", "WHY"), rows, (), width) if rows else []
    return [*lines, *prose(changes_summary(changes, planned), width, "bold")]


def changes_summary(changes: Sequence[Change], planned: bool) -> str:
    """The last line: how many, and whether that was only a plan."""
    made = [one for one in changes if one.verb != "keep"]
    if not made:
        return "nothing is to be done"
    return f"{count(len(made), 'object')} {'would be ' if planned else ''}changed"


def changes_document(command: str, changes: Sequence[Change], planned: bool) -> Document:
    """The same for programs."""
    return envelope(
        command,
        "planned" if planned else "done",
        message=changes_summary(changes, planned),
        changes=[{"verb": one.verb, "name": one.name, "why": one.why} for one in changes],
    )


CHANGES = renderers(
    lambda page, command, changes, planned: changes_text(changes, planned, page.width), changes_document
)
