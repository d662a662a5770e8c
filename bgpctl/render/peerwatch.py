"""`peers status --watch` on the screen: redrawn in place on a terminal, a block per change in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bgpctl.render import units
from bgpctl.render.envelope import write_json, write_yaml
from bgpctl.render.peers import Picture, document, text
from bgpctl.render.terminal import console, interactive, rich_text, width, write
from bgpctl.render.text import Line, Span, line, prose

Show = Callable[[Picture, str], None]


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
    elif output == "yaml":
        print("---")
        write_yaml(document(picture))
    else:
        head = line(Span(f"{units.day(picture.now)} {units.clock(picture.now)} UTC", "dim"))
        write([head, *_lines(picture, problem, output == "wide"), line("")])


def _lines(picture: Picture, problem: str, wide: bool) -> list[Line]:
    columns = width()
    lines = text(picture, wide=wide, width=columns)
    return [*lines, *prose(f"not current: {problem}", columns, "accent")] if problem else lines


@contextmanager
def _redrawn(wide: bool) -> Iterator[Show]:
    from rich.live import Live
    from rich.text import Text

    with Live(console=console(), auto_refresh=False) as live:

        def show(picture: Picture, problem: str) -> None:
            drawn = Text("\n").join(rich_text(row) for row in _lines(picture, problem, wide))
            live.update(drawn, refresh=True)

        yield show
