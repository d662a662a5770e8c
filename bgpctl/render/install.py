"""`install --apply` and `uninstall`: a line per object as it is done, and the last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgpctl.render.envelope import Document, envelope
from bgpctl.render.text import Line, Span, Style, line, prose
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.install.apply import Done

WIDTH = len("unchanged")


def row(one: Done) -> Line:
    """One object."""
    style: Style = "dim" if one.verb == "unchanged" else ""
    why = f"  ({one.why})" if one.why and one.verb in ("kept", "pruned", "keep") else ""
    return line(Span(f"{one.verb:<{WIDTH}}  {one.name}{why}", style))


def summary(done: Sequence[Done], planned: bool) -> str:
    """How many of each, and whether that was only a plan."""
    verbs = Counter(one.verb for one in done)
    told = ", ".join(f"{number} {verb}" for verb, number in verbs.items()) or "nothing to do"
    return f"{count(len(done), 'object')}: {told}" + ("; nothing was changed" if planned else "")


def last(text: str, width: int | None) -> list[Line]:
    """The important thing."""
    return prose(text, width, "bold")


def document(command: str, done: Sequence[Done], planned: bool, **more: object) -> Document:
    """The same for programs."""
    return envelope(
        command,
        "planned" if planned else "done",
        message=summary(done, planned),
        objects=[
            {"verb": one.verb, "name": one.name, **({"why": one.why} if one.why else {})} for one in done
        ],
        **more,
    )
