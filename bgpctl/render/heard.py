"""A run whose output nobody reads any more (`| head`, a full disk) goes on: stopped in the middle, a node
would be neither in service nor out of it. It says so on the other stream, and there it says how it ended."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

P = ParamSpec("P")


@dataclass(slots=True)
class Listener:
    """Who reads standard output. `needed`: what is told there is all there is to it, as of a plan. `lost`:
    nobody reads it any more."""

    needed: bool = False
    lost: bool = False

    def hears(self, say: Callable[P, None]) -> Callable[P, None]:
        """The same, and where the run does not need it, it says nothing once nobody hears it."""

        def said(*args: P.args, **kwargs: P.kwargs) -> None:
            if self.lost:
                return
            try:
                say(*args, **kwargs)
            except OSError as error:
                if self.needed:
                    raise
                self.lost = True
                silence()
                why = "was closed" if isinstance(error, BrokenPipeError) else f"fails ({error.strerror})"
                self.tell(f"warning: standard output {why}: the run goes on; how it ends is said here\n")

        return said

    def tell(self, text: str) -> None:
        """To standard error, which may be gone as well: the exit code is true all the same."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def silence() -> None:
    """Nobody reads standard output. Without this the interpreter complains about it while it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
