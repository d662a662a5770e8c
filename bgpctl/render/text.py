"""Lines of styled text, as values (tables: columns.py). Pure: nothing is written here.

One accent colour, bold and dim, and for the states of sessions green and red are all the styles there are;
without them the text says the same. A table's cells are never cut: an address that lost its tail is worse
than a long line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Style = Literal["", "bold", "dim", "accent", "good", "bad"]

GAP = "  "
MINIMUM_TEXT = 40  # columns that a text has at least that folds in a table
LEAST_TEXT = 20  # and anywhere, however narrow the terminal


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]
Cell = str | Span


def line(*cells: Cell) -> Line:
    """Pieces of text, one after the other."""
    return tuple(span_of(cell) for cell in cells)


def plain(text: Line) -> str:
    """The line without its styles and without trailing blanks."""
    return "".join(span.text for span in text).rstrip()


def folded(row: Line, width: int | None, hang: int) -> list[Line]:
    """The line in lines of at most `width` (None: as it is) that break at blanks behind column `hang`, and go
    on below it; further to the left where a word would not fit there. No word is broken: it sticks out."""
    from textwrap import wrap

    whole = "".join(span.text for span in row)
    if width is None or len(whole.rstrip()) <= width:
        return [row]
    longest = max(map(len, whole[hang:].split()), default=0)
    left = min(hang, max(len(GAP), width - max(longest, LEAST_TEXT)))
    rows = wrap(
        whole[hang:],
        max(width, left + LEAST_TEXT),
        initial_indent=" " * hang,
        subsequent_indent=" " * left,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines, at = list[Line](), hang
    for text in map(str.strip, rows):
        begin = whole.index(text, at)
        at = begin + len(text)
        lines.append((blank(left), *_cut(row, begin, at)) if lines else tuple(_cut(row, 0, at)))
    return lines or [row]


def _cut(row: Line, begin: int, end: int) -> Iterator[Span]:
    """The characters of a line from `begin` to `end`, in their styles."""
    at = 0
    for span in row:
        if text := span.text[max(0, begin - at) : max(0, end - at)]:
            yield Span(text, span.style)
        at += len(span.text)


def prose(text: str, width: int | None, style: Style = "") -> list[Line]:
    """A sentence; what does not fit goes on below it, a bit to the right."""
    first, *rest = wrapped(text, width)
    if not rest:
        return [line(Span(first, style))]
    assert width is not None, "it was broken"
    more = wrapped(" ".join(rest), width - len(GAP))
    return [line(Span(first, style)), *(line(GAP, Span(row, style)) for row in more)]


@lru_cache(maxsize=256)
def blank(length: int) -> Span:
    """That many spaces, made once."""
    return Span(" " * length)


def span_of(cell: Cell) -> Span:
    """A cell as it may be printed: see `printable`."""
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
    rows = wrap(whole, max(width, LEAST_TEXT), break_long_words=False, break_on_hyphens=False)
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
