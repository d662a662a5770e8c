"""The formats that `-o` offers: one table for every command that has a text and a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Concatenate, Generic, NamedTuple, ParamSpec

from bgpctl.render.envelope import Document, plain_data, write_json, write_text, write_yaml
from bgpctl.render.terminal import width, write
from bgpctl.render.text import Line

P = ParamSpec("P")

JSONPATH = "jsonpath="
"""How the format begins that has a template behind it (`core.reading.jsonpath`)."""


class Page(NamedTuple):
    """How a text is laid out: with all columns?, and where long texts are folded (None = nowhere)."""

    wide: bool
    width: int | None


class Formats(dict[str, Callable[P, None]], Generic[P]):
    """What prints a finding, by format. One with a template is made when it is asked for;
    ValueError where that is none."""

    def __init__(self, document: Callable[P, Document], known: dict[str, Callable[P, None]]) -> None:
        super().__init__(known)
        self._document = document

    def __missing__(self, output: str) -> Callable[P, None]:
        if not output.startswith(JSONPATH):
            raise KeyError(output)
        from bgpctl.core.reading.jsonpath import evaluate, parse

        parts = parse(output.removeprefix(JSONPATH))

        def show(*found: P.args, **named: P.kwargs) -> None:
            write_text(evaluate(parts, plain_data(self._document(*found, **named))))

        return show


def renderers(
    text: Callable[Concatenate[Page, P], Iterable[Line]],
    document: Callable[P, Document],
    *,
    records: bool = False,
) -> Formats[P]:
    """What prints a finding, by format. `records`: it is one of many, so JSON has it on one line."""

    def lines(wide: bool) -> Callable[P, None]:
        return lambda *found, **named: write(text(Page(wide, width()), *found, **named))

    return Formats(
        document,
        {
            "text": lines(wide=False),
            "table": lines(wide=False),
            "wide": lines(wide=True),
            "json": lambda *found, **named: write_json(document(*found, **named), one_line=records),
            "yaml": lambda *found, **named: write_yaml(document(*found, **named)),
            "name": lambda *found, **named: write_text("".join(names(document(*found, **named)))),
        },
    )


def names(document: Document) -> Iterator[str]:
    """The nodes of a document as kubectl takes them, one a line: `node/worker-1`."""
    for node in document["nodes"]:
        yield f"node/{node['node']}\n"
