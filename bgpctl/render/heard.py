"""A reader that has seen enough (`| head`) changes no exit code, of no command: what was still to be said is
not, and the code is that of what was found. A run goes on besides: stopped in the middle, a node would be
neither in service nor out of it. It says so on the other stream, and there it says how it ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

P = ParamSpec("P")


@dataclass(slots=True)
class Listener:
    """Who reads standard output. `needed`: what is told there is all there is to it, as of a plan, so a full
    disk is its end, and a reader that has seen enough is told nothing more. `lost`: nobody reads it any more.
    """

    needed: bool = False
    lost: bool = False

    def hears(self, say: Callable[P, None]) -> Callable[P, None]:
        """The same, and it says nothing once nobody hears it."""

        def said(*args: P.args, **kwargs: P.kwargs) -> None:
            if self.lost:
                return
            try:
                say(*args, **kwargs)
            except OSError as error:
                closed = isinstance(error, BrokenPipeError)
                if self.needed and not closed:
                    raise
                self.lost = True
                silence()
                if self.needed:
                    return
                why = "was closed" if closed else f"fails ({error.strerror})"
                self.tell(f"warning: standard output {why}: the run goes on; how it ends is said here\n")

        return said

    def tell(self, text: str) -> None:
        """To standard error, which may be gone as well: the exit code is true all the same."""
        if self.needed:
            return
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def shown(say: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Say it to whoever reads on; what the command found is its exit code all the same."""
    try:
        say(*args, **kwargs)
    except BrokenPipeError:
        silence()


def closed() -> bool:
    """Did the reader of standard output go away? Other pipes break as well."""
    with contextlib.suppress(OSError, ValueError):
        ends = select.poll()
        ends.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in ends.poll(0))
    return False


def silence() -> None:
    """Nobody reads standard output. Without this the interpreter complains about it while it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
