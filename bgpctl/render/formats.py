"""The formats that `-o` offers: one table for every command that has a text and a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Concatenate, NamedTuple, ParamSpec

from bgpctl.render.envelope import Document, write_json, write_yaml
from bgpctl.render.terminal import width, write
from bgpctl.render.text import Line

P = ParamSpec("P")


class Page(NamedTuple):
    """How a text is laid out: with all columns?, and where long texts are folded (None = nowhere)."""

    wide: bool
    width: int | None


def renderers(
    text: Callable[Concatenate[Page, P], Iterable[Line]],
    document: Callable[P, Document],
    *,
    records: bool = False,
) -> Mapping[str, Callable[P, None]]:
    """What prints a finding, by format. `records`: it is one of many, so JSON has it on one line."""

    def lines(wide: bool) -> Callable[P, None]:
        return lambda *found, **named: write(text(Page(wide, width()), *found, **named))

    return {
        "text": lines(wide=False),
        "table": lines(wide=False),
        "wide": lines(wide=True),
        "json": lambda *found, **named: write_json(document(*found, **named), one_line=records),
        "yaml": lambda *found, **named: write_yaml(document(*found, **named)),
    }
