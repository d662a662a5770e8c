"""Lines of styled text and aligned tables, as values. Pure: nothing is written here.

One accent colour, bold and dim are all the styles there are; without them the text says the same. A table's
cells are never cut: an address that lost its tail is worse than a long line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "bold", "dim", "accent"]

GAP = "  "
MINIMUM_TEXT = 40  # columns that a folded text has at least, however narrow the terminal


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]
Cell = str | Span


def line(*cells: Cell) -> Line:
    """Pieces of text, one after the other."""
    return tuple(_span(cell) for cell in cells)


def plain(text: Line) -> str:
    """The line without its styles and without trailing blanks."""
    return "".join(span.text for span in text).rstrip()


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: Collection[str] = (),
    width: int | None = None,
) -> list[Line]:
    """Columns under their names (dim), two blanks apart; the columns named in `right` hold numbers.

    With a `width`, the last column goes on below itself where it would be too long. A column that is empty in
    every row is kept: scripts that cut columns rely on their places.
    """
    cells = [[_span(cell) for cell in row] for row in rows]
    if width is not None:
        cells = _folded(header, cells, width)
    widths = [max([len(name), *(len(row[index].text) for row in cells)]) for index, name in enumerate(header)]
    flush = [name in right for name in header]
    head = [Span(name, "dim") for name in header]
    return [_aligned(row, widths, flush) for row in [head, *cells]]


def _folded(header: Sequence[str], cells: list[list[Span]], width: int) -> list[list[Span]]:
    """Rows whose last cell is too long become several; words and addresses stay whole."""
    from textwrap import wrap

    before = sum(max([len(name), *(len(row[i].text) for row in cells)]) for i, name in enumerate(header[:-1]))
    room = max(width - before - len(GAP) * (len(header) - 1), MINIMUM_TEXT)
    folded: list[list[Span]] = []
    for row in cells:
        first, *rest = wrap(row[-1].text, room, break_long_words=False, break_on_hyphens=False) or [""]
        folded.append([*row[:-1], Span(first, row[-1].style)])
        folded += [[*[Span("")] * (len(row) - 1), Span(more, row[-1].style)] for more in rest]
    return folded


def _aligned(row: Sequence[Span], widths: Sequence[int], flush: Sequence[bool]) -> Line:
    spans: list[Span] = []
    for span, width, right in zip(row, widths, flush, strict=True):
        padding = " " * (width - len(span.text))
        spans += [Span(padding), span, Span(GAP)] if right else [span, Span(padding + GAP)]
    return tuple(spans)


def _span(cell: Cell) -> Span:
    span = cell if isinstance(cell, Span) else Span(cell)
    return Span(printable(span.text), span.style)


def printable(text: str) -> str:
    """Text that may come from a router or an object, without what a terminal would obey (escapes, lines)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\n\r\t" else f"\\x{ord(c):02x}" for c in text)


_COMMAND = re.compile(r"^(?P<words>.*?:) (?P<command>(?:bgpctl|kubectl) .*)$")
_NO_BREAK = "\0"


def wrapped(text: str, width: int | None) -> list[str]:
    """Prose in lines of at most `width` (None: as it is). No word is broken, nor a command in `backticks`."""
    from textwrap import wrap

    text = printable(text)
    if width is None:
        return [text]
    whole = re.sub(r"`[^`]*`", lambda found: found[0].replace(" ", _NO_BREAK), text)
    rows = wrap(whole, max(width, MINIMUM_TEXT), break_long_words=False, break_on_hyphens=False)
    return [row.replace(_NO_BREAK, " ") for row in rows] or [""]


def hint_lines(hint: str, width: int | None = None, first: str = "hint: ") -> list[str]:
    """A hint as it is shown: prose under itself, and every command at the end of a line of the hint on a line
    of its own, whole, however long it is."""
    shown: list[str] = []
    for text in hint.splitlines():
        found = _COMMAND.match(text)
        room = None if width is None else width - len(first)
        rows = wrapped(found["words"] if found else text, room)
        shown += rows + ([f"  {printable(found['command'])}"] if found else [])
    return [f"{first if number == 0 else ' ' * len(first)}{row}" for number, row in enumerate(shown)]
