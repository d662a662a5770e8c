"""A connection to a router's Unix socket that ends in time, however the other side behaves.

The whole conversation has one deadline: a router that trickles octets for ever, or sends more than any table
takes, has not answered.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from bgpctl.witness.model import LONGEST, Unanswered


class Conversation:
    """`router` names the other side in messages; `seconds` is for everything that is said and heard."""

    def __init__(self, path: str, router: str, seconds: float) -> None:
        self._path, self._router, self._ends = path, router, time.monotonic() + seconds
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Conversation:
        try:
            self._socket.settimeout(self._left())
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise Unanswered(
                f"cannot reach {self._router} at {self._path}: {error.strerror or error}"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, octets: bytes) -> None:
        """Raises Unanswered, also when it is not taken in time."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(octets)
        except OSError as error:
            raise Unanswered(
                f"{self._router} at {self._path} went away: {error.strerror or error}"
            ) from error

    def hear(self, ended: Callable[[bytearray], bool]) -> bytes:
        """What comes, until `ended` says of all of it that it is whole."""
        heard = bytearray()
        while not ended(heard):
            heard += self._chunk()
            if len(heard) > LONGEST:
                raise Unanswered(f"{self._router} at {self._path} answered more than {LONGEST >> 20} MiB")
        return bytes(heard)

    def _chunk(self) -> bytes:
        try:
            self._socket.settimeout(self._left())
            chunk = self._socket.recv(1 << 16)
        except OSError as error:
            why = error.strerror or error
            raise Unanswered(f"{self._router} at {self._path} did not answer: {why}") from error
        if not chunk:
            raise Unanswered(f"{self._router} at {self._path} closed the connection")
        return chunk

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Unanswered(f"{self._router} at {self._path} did not answer: timed out")
        return left
