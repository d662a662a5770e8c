"""Lines of styled text and aligned tables, as values. Pure: nothing is written here.

One accent colour, bold and dim are all the styles there are; without them the text says the same. A table's
cells are never cut: an address that lost its tail is worse than a long line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    columns = Columns(header, right, width)
    columns.measure(rows)
    return list(columns.lines(rows))


class Columns:
    """The columns of a table whose rows come twice, so that none has to be kept: `measure` sees all of them
    before `lines` does. `rows`: how many there were."""

    def __init__(self, header: Sequence[str], right: Collection[str] = (), width: int | None = None) -> None:
        self.rows = 0
        self._header, self._width = header, width
        self._flush = [name in right for name in header]
        self._widths = [len(name) for name in header]

    def measure(self, rows: Iterable[Sequence[Cell]]) -> None:
        """May be called for some of the rows at a time."""
        for row in rows:
            self.rows += 1
            self._widths = [*map(max, self._widths, [len(_span(cell).text) for cell in row])]

    def lines(self, rows: Iterable[Sequence[Cell]]) -> Iterator[Line]:
        """The names of the columns, and the rows."""
        room = None
        if self._width is not None:
            before = sum(self._widths[:-1]) + len(GAP) * (len(self._widths) - 1)
            room = max(self._width - before, MINIMUM_TEXT)
            self._widths[-1] = 0  # the end of a line is not filled up
        yield _aligned([Span(name, "dim") for name in self._header], self._widths, self._flush)
        for row in rows:
            spans = [_span(cell) for cell in row]
            for one in [spans] if room is None else _folded(spans, room):
                yield _aligned(one, self._widths, self._flush)


def _folded(row: list[Span], room: int) -> Iterator[list[Span]]:
    """A row whose last cell is too long becomes several; words and addresses stay whole."""
    from textwrap import wrap

    first, *rest = wrap(row[-1].text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield [*row[:-1], Span(first, row[-1].style)]
    for more in rest:
        yield [*[Span("")] * (len(row) - 1), Span(more, row[-1].style)]


def _aligned(row: Sequence[Span], widths: Sequence[int], flush: Sequence[bool]) -> Line:
    spans: list[Span] = []
    for span, width, right in zip(row, widths, flush, strict=True):
        padding = max(0, width - len(span.text))
        spans += [_blank(padding), span, _blank(len(GAP))] if right else [span, _blank(padding + len(GAP))]
    return tuple(spans)


@lru_cache(maxsize=256)
def _blank(length: int) -> Span:
    return Span(" " * length)


def _span(cell: Cell) -> Span:
    span = cell if isinstance(cell, Span) else Span(cell)
    if span.text.isprintable():
        return span
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
