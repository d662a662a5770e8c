"""`peers status --watch` on the screen: redrawn in place on a terminal, a block per change in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bgpctl.render import units
from bgpctl.render.envelope import write_json
from bgpctl.render.formats import JSONPATH
from bgpctl.render.peers import RENDERERS, Picture, document, text
from bgpctl.render.terminal import console, interactive, rich_text, width, write
from bgpctl.render.text import Line, Span, line, prose

Show = Callable[[Picture, str], None]

AGES_OLD = 60.0  # seconds after which a screen on which nothing changed is drawn again


@contextmanager
def viewer(output: str) -> Iterator[Show]:
    """A function that shows a picture, with a problem of the watch ("" = none) as its last line."""
    if output in ("table", "wide") and interactive():
        with _redrawn(output == "wide") as show:
            yield show
        return
    blocks = Blocks()

    def show_block(picture: Picture, problem: str) -> None:
        if blocks.changed(picture, problem):
            _block(output, picture, problem)

    yield show_block


class Blocks:
    """Tells a change from mere passing of time: uptimes and ages are no news."""

    def __init__(self) -> None:
        self._last: object = None

    def changed(self, picture: Picture, problem: str) -> bool:
        """Since the last call; a new problem of the watch is a change too."""
        rows = [(row.node, row.state.partition("(")[0], row.peer) for row in picture.rows]
        news = (rows, problem)
        if news == self._last:
            return False
        self._last = news
        return True


def _block(output: str, picture: Picture, problem: str) -> None:
    if output == "json":
        write_json(document(picture), one_line=True)
    elif output in ("table", "wide"):
        write([*_lines(picture, problem, output == "wide"), line("")])
    else:
        if output == "yaml":
            print("---")
        RENDERERS[output](picture)
        if output.startswith(JSONPATH):
            write([line("")])


def _lines(picture: Picture, problem: str, wide: bool) -> list[Line]:
    """Of when it is comes first: ages are as of then."""
    columns = width()
    head = line(Span(f"{units.day(picture.now)} {units.clock(picture.now)} UTC", "dim"))
    lines = [head, *text(picture, wide=wide, width=columns)]
    return [*lines, *prose(f"not current: {problem}", columns, "accent")] if problem else lines


@contextmanager
def _redrawn(wide: bool) -> Iterator[Show]:
    from rich.live import Live
    from rich.text import Text

    changes = Changes()
    with Live(console=console(), auto_refresh=False) as live:

        def show(picture: Picture, problem: str) -> None:
            if changes.worth(picture, problem, width()):
                drawn = Text("\n").join(rich_text(row) for row in _lines(picture, problem, wide))
                live.update(drawn, refresh=True)

        yield show


class Changes:
    """When a screen is drawn again: for a change, another width, or since its ages are a minute old."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._drawn, self._width = 0.0, 0

    def worth(self, picture: Picture, problem: str, columns: int | None) -> bool:
        """Is there anything to be seen that the screen does not show?"""
        changed = self._blocks.changed(picture, problem)
        aged = not 0 <= picture.now - self._drawn < AGES_OLD
        if not changed and not aged and columns == self._width:
            return False
        self._drawn, self._width = picture.now, columns or 0
        return True
