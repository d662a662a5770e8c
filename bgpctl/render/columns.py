"""Aligned tables. Pure.

Without a width a row is one line (a pipe: scripts cut columns by their places). With one, what is too wide
is put on decks: the columns that do not fit come below the others, a bit to the right, under their names.
Texts fold at blanks; no word is ever cut.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from bgpctl.render.text import GAP, LEAST_TEXT, MINIMUM_TEXT, Cell, Line, Span, blank, span_of

INDENT = 4  # columns, of the second deck and those after it
NARROW_TEXT = 24  # columns that a text keeps at least beside others

Deck = tuple[int, ...]  # numbers of columns


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: Collection[str] = (),
    width: int | None = None,
    nothing: str = "",
) -> list[Line]:
    """Columns under their names (dim), two blanks apart; the columns named in `right` hold numbers. A column
    that is empty in every row is kept: scripts that cut columns rely on their places."""
    columns = Columns(header, right, width, nothing)
    columns.measure(rows)
    return list(columns.lines(rows))


class Columns:
    """The columns of a table whose rows come twice, so that none has to be kept: `measure` sees all of them
    before `lines` does. `nothing`: how a cell is written that says nothing; a deck of them is left out.
    `rows`: how many there were."""

    def __init__(
        self,
        header: Sequence[str],
        right: Collection[str] = (),
        width: int | None = None,
        nothing: str = "",
    ) -> None:
        self.rows = 0
        self._nothing = ("", nothing)
        self._header, self._width = [Span(name, "dim") for name in header], width
        self._flush = [name in right for name in header]
        self._widths = [len(name) for name in header]
        self._words = list(self._widths)  # the longest of each column
        self._silent = set(range(len(header)))  # the columns in which no row says anything

    def measure(self, rows: Iterable[Sequence[Cell]]) -> None:
        """May be called for some of the rows at a time."""
        for row in rows:
            self.rows += 1
            texts = [span_of(cell).text for cell in row]
            self._widths = [*map(max, self._widths, map(len, texts))]
            if self._width is not None:
                self._words = [*map(max, self._words, map(_longest_word, texts))]
                self._silent -= {n for n in self._silent if texts[n] not in self._nothing}

    def lines(self, rows: Iterable[Sequence[Cell]]) -> Iterator[Line]:
        """The names of the columns, and the rows."""
        first, *more = self._decks()
        decks = [first, *(deck for deck in more if not self._silent.issuperset(deck))]
        yield from self._row(self._header, decks)
        for row in rows:
            yield from self._row([span_of(cell) for cell in row], decks)

    def _row(self, row: Sequence[Span], decks: Sequence[Deck]) -> Iterator[Line]:
        """One line, or several: decks on which it has nothing to say are left out."""
        first, *more = decks
        rest = [deck for deck in more if any(row[n].text not in self._nothing for n in deck)]
        if not rest or any(row[n].text for n in first):
            yield from self._deck([(row[n], n) for n in first], 0)
        for deck in rest:
            yield from self._deck([(row[n], n) for n in deck], INDENT)

    def _deck(self, cells: Sequence[tuple[Span, int]], indent: int) -> Iterator[Line]:
        folded = [self._folded(span, number) for span, number in cells]
        for height in range(max(map(len, folded))):
            spans = [blank(indent)] if indent else []
            for texts, (span, number) in zip(folded, cells, strict=True):
                text = texts[height] if height < len(texts) else ""
                pad = blank(max(0, self._widths[number] - len(text)))
                one = Span(text, span.style)
                spans += [pad, one, blank(len(GAP))] if self._flush[number] else [one, pad, blank(len(GAP))]
            yield tuple(spans)

    def _folded(self, span: Span, number: int) -> list[str]:
        from textwrap import wrap

        if len(span.text) <= self._widths[number]:
            return [span.text]
        return wrap(span.text, self._widths[number], break_long_words=False, break_on_hyphens=False) or [""]

    # -- where the columns go

    def _decks(self) -> list[Deck]:
        """The columns of each deck. What a column is given for a width is what its cells fold at."""
        numbers = tuple(range(len(self._widths)))
        if self._width is None or _together(self._widths) <= self._width:
            return [numbers]
        if self._end_folds(numbers, 0):
            return [numbers]
        natural = list(self._widths)
        self._widths = [max(word, min(w, NARROW_TEXT)) for w, word in zip(natural, self._words, strict=True)]
        decks: list[Deck] = [()]
        for number in numbers:
            indent = INDENT if len(decks) > 1 else 0
            wider = (*decks[-1], number)
            ends = number == numbers[-1]
            if not decks[-1] or self._fits(wider, indent) or (ends and self._end_folds(wider, indent)):
                decks[-1] = wider
            else:
                decks.append((number,))
        for place, deck in enumerate(decks):
            self._stretch(deck, natural, INDENT if place else 0)
        return decks

    def _fits(self, deck: Deck, indent: int) -> bool:
        assert self._width is not None
        return indent + _together([self._widths[n] for n in deck]) <= self._width

    def _end_folds(self, deck: Deck, indent: int) -> bool:
        """Is there room for a text at the end of a deck? Then it takes what is left. Behind next to nothing
        there is: on a deck of its own it would have no more."""
        assert self._width is not None
        *before, last = deck
        used = indent + sum(self._widths[n] + len(GAP) for n in before)
        room = self._width - used
        least = min(MINIMUM_TEXT, max(LEAST_TEXT, self._width - INDENT))
        if room < min(self._widths[last], least) and used > 2 * INDENT:
            return False
        self._widths[last] = max(room, least)
        return True

    def _stretch(self, deck: Deck, natural: Sequence[int], indent: int) -> None:
        """What is left of a deck goes to the columns that fold."""
        assert self._width is not None
        for number in deck:
            left = self._width - indent - _together([self._widths[n] for n in deck])
            more = max(0, min(left, natural[number] - self._widths[number]))
            self._widths[number] += more


def _together(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)
