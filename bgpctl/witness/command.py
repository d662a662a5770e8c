"""Asking a router through its own client program: JSON out, or Unanswered with the client's words.

The arguments are ours or typed values. A client that does not end, or says more than any table takes, is
killed.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from bgpctl.core.reading.foreign import Unreadable, parse_json
from bgpctl.witness.asking import TIMEOUT_SECONDS
from bgpctl.witness.model import LONGEST, Unanswered


class Client:
    """A router's client program; `words` are what every question begins with. All questions together have one
    deadline. `router` names it in errors."""

    def __init__(self, router: str, words: Sequence[str]) -> None:
        self._router, self._words = router, tuple(words)
        self._ends = time.monotonic() + TIMEOUT_SECONDS

    def ask(self, *words: str) -> Any:
        """The JSON of one answer."""
        argv = (*self._words, *words)
        try:
            code, out, complaint = self._run(argv)
        except FileNotFoundError as error:
            raise Unanswered(f"cannot ask {self._router}: {argv[0]} is not installed") from error
        except OSError as error:
            raise Unanswered(f"cannot ask {self._router}: {argv[0]}: {error.strerror}") from error
        if code != 0:
            raise Unanswered(f"cannot ask {self._router}: {_last_line(complaint or out, code)}")
        return read_json(out, self._router)

    def _run(self, argv: Sequence[str]) -> tuple[int, bytes, bytes]:
        """Exit code, output and complaints."""
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process:
            try:
                assert process.stdout is not None and process.stderr is not None, "they are pipes"
                out, complaint = self._listen(process.stdout.fileno(), process.stderr.fileno())
                return process.wait(self._left()), out, complaint
            except subprocess.TimeoutExpired:
                raise self._late() from None
            finally:
                process.kill()

    def _listen(self, *pipes: int) -> list[bytes]:
        """What comes out of each, until all are closed."""
        heard = {pipe: bytearray() for pipe in pipes}
        with selectors.DefaultSelector() as waiting:
            for pipe in pipes:
                waiting.register(pipe, selectors.EVENT_READ)
            while waiting.get_map():
                for key, _ in waiting.select(self._left()):
                    chunk = os.read(key.fd, 1 << 16)
                    heard[key.fd] += chunk
                    if not chunk:
                        waiting.unregister(key.fd)
                    if sum(map(len, heard.values())) > LONGEST:
                        raise Unanswered(f"{self._router} answered more than {LONGEST >> 20} MiB")
        return [bytes(octets) for octets in heard.values()]

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> Unanswered:
        return Unanswered(f"{self._router} did not answer within {TIMEOUT_SECONDS:g} s")


def read_json(text: bytes | str, router: str) -> Any:
    """The answer as JSON; Unanswered when it is none."""
    try:
        return parse_json(text or "{}", LONGEST)
    except Unreadable as error:
        raise Unanswered(f"{router} answered something that is no JSON: {text[:80]!r}") from error


def _last_line(words: bytes, code: int) -> str:
    lines = words[-4096:].decode(errors="replace").strip().splitlines()
    if not lines:
        return f"its client ended with {code}"
    # gobgp -j writes {"error":"context deadline exceeded"}: nobody answered.
    told = re.fullmatch(r'\{"error":"(.*)"\}', lines[-1])
    return told[1] if told else lines[-1]
