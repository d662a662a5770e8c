"""Keys of a terminal, one at a time, without echo; the terminal is as before afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
from collections.abc import Iterator

# What terminals send (xterm's ctlseqs, "PC-Style Function Keys"); of the rest nothing is made.
_SEQUENCES = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "OA": "up",
    "OB": "down",
    "OC": "right",
    "OD": "left",
    "[5~": "page-up",
    "[6~": "page-down",
    "[H": "home",
    "[F": "end",
    "OH": "home",
    "OF": "end",
    "[1~": "home",
    "[4~": "end",
}
_NAMED = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x03": "ctrl-c",
    "\x04": "ctrl-c",
}
_ESCAPE = "\x1b"
_SEQUENCE = re.compile(r"\x1b((?:O.|\[[0-9;]*[@-~])?)")
_TOGETHER = 0.05  # seconds in which the rest of a sequence comes: else it was the key Escape
_MOST = 4096


class Keys:
    """`read` waits for the next key."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._left = descriptor, ""

    def read(self, seconds: float) -> str:
        """Its name, or its letter; "" = none came in so many seconds. EOFError when the terminal is gone."""
        if not self._left and not self._more(seconds):
            return ""
        key = self._left[0]
        if key != _ESCAPE:
            self._left = self._left[1:]
            return _NAMED.get(key, key if key.isprintable() else "")
        return self._sequence()

    def _sequence(self) -> str:
        if len(self._left) == 1:
            self._more(_TOGETHER)
        found = _SEQUENCE.match(self._left)
        assert found, "it begins with Escape"
        self._left = self._left[found.end() :]
        return _SEQUENCES.get(found[1], "") if found[1] else "escape"

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return False
        octets = os.read(self._descriptor, _MOST)
        if not octets:
            raise EOFError
        self._left += octets.decode(errors="replace")
        return True


@contextlib.contextmanager
def keys() -> Iterator[Keys]:
    """Those of standard input, which must be a terminal."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
