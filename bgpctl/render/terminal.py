"""Where lines go: a terminal in colour, or a pipe as plain text. The only place that knows which it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from bgpctl.render.text import Line, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_RICH = {"": "", "bold": "bold", "dim": "dim", "accent": "cyan", "good": "green", "bad": "red"}


def colourful(stream: TextIO | None = None) -> bool:
    """Colours only on a terminal that wants them (https://no-color.org; TERM=dumb has none)."""
    return interactive(stream) and not os.environ.get("NO_COLOR")


def interactive(stream: TextIO | None = None) -> bool:
    """May lines be redrawn?"""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def width(stream: TextIO | None = None) -> int | None:
    """Where to fold long texts: COLUMNS, else the terminal's; None in a pipe (one line is one record, as of
    kubectl)."""
    import shutil

    if not (stream or sys.stdout).isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return None
    return shutil.get_terminal_size().columns


def write(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print lines, one each. Never wraps and never cuts: a terminal folds long lines by itself."""
    stream = stream or sys.stdout
    if not colourful(stream):
        stream.writelines(plain(line) + "\n" for line in lines)
        stream.flush()
        return
    target = console(stream)
    for line in lines:
        target.print(rich_text(line), soft_wrap=True)


def console(stream: TextIO | None = None) -> Console:
    """A rich console on `stream`; rich takes its width from COLUMNS, then from the terminal."""
    from rich.console import Console

    class Heard(Console):
        def on_broken_pipe(self) -> None:
            """rich would end the program here, in the middle of a run; `heard` knows better. Called while it
            is handled."""
            raise

    return Heard(file=stream or sys.stdout, highlight=False, no_color=not colourful(stream))


def rich_text(line: Line) -> Text:
    """Without the blanks at its end; what is wider than the terminal folds."""
    from rich.text import Text

    text = Text(overflow="fold")
    for span in line:
        text.append(span.text, _RICH[span.style])
    text.rstrip()
    return text
