"""One connection to a running engine: requests and their answers, events, a poll. Knows nothing of processes
and nothing of routes.

One thread owns a link and reads it; requests come from any other.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bgpctl.errors import Temporary
from bgpctl.exabgp import relay, wire
from bgpctl.exabgp.events import LONGEST, parse_line

ANSWER_SECONDS = 15.0
POLL_SECONDS = 2.0
"""The engine is asked for its state this often: counts are refreshed, and one that hangs is noticed."""
SILENT_SECONDS = 15.0
"""Without an answer for so long, what it said before is not known to be so any more. Longer than the longest
request that it answers takes; a probe or two of a liveness check."""
HUNG_SECONDS = 30.0
"""And after this it is ended, where it is ours to end."""

STOPPED = "the BGP engine stopped"

Line = Mapping[str, Any]


def connect(directory: Path) -> socket.socket:
    """Raises FileNotFoundError or ConnectionRefusedError when no engine runs in `directory`. Through the
    directory's descriptor, because the path of a unix socket is limited to 107 bytes."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/{relay.SOCKET}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(descriptor)
    connection.settimeout(ANSWER_SECONDS)
    return connection


def readable(connection: socket.socket, seconds: float) -> bool:
    """Is there something to read, or the end, within `seconds`? Not by select(2), which takes no descriptor
    above 1023."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def taken(line: Line, directory: Path) -> Temporary | None:
    """The relay's word that another speaker has the engine."""
    if line.get("event") != "refused":
        return None
    owner = f"process {line['pid']}" if line.get("pid") else "in another container"
    return Temporary(
        f"another speaker ({owner}) manages the BGP engine in {directory}", "stop that one first"
    )


class Late(Temporary):
    """The engine did not answer in time."""


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.answer: Line | None = None


class Link:
    """Owns `connection`. `on_line` gets every event and every polled state, `on_poll` is called every
    POLL_SECONDS; both on the thread that reads."""

    def __init__(
        self,
        connection: socket.socket,
        directory: Path,
        on_line: Callable[[Line], None],
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket, self._directory = connection, directory
        self._on_line, self._on_poll = on_line, on_poll
        self._sending = threading.Lock()
        self._name = uuid.uuid4().hex  # an answer to a speaker that died must not be taken for ours
        self._numbers = itertools.count(1)
        self._pending: dict[str, _Pending] = {}
        self._closed = False
        self._over = threading.Event()
        self._refusal: Temporary | None = None
        self.answered_at = time.monotonic()
        self.hung = False

    # -- from other threads

    def request(self, operation: str, timeout: float = ANSWER_SECONDS, **fields: Any) -> Line:
        """Send, wait for the answer. Raises Temporary when it is an error, late, or the engine is gone."""
        identifier, pending = f"{self._name}.{next(self._numbers)}", _Pending()
        self._pending[identifier] = pending
        try:
            self._send(wire.encode_request(identifier, operation, fields))
            if not pending.done.wait(timeout):
                raise Late(f"the BGP engine did not answer `{operation}` within {timeout:.0f} s")
        except OSError as error:
            self._over.wait(1.0)  # a relay that refuses us says why before it closes
            raise self._refusal or Temporary(f"the BGP engine does not take requests: {error}") from error
        finally:
            self._pending.pop(identifier, None)
        if pending.answer is None:
            raise self._refusal or Temporary(f"{STOPPED} during `{operation}`")
        if not pending.answer.get("ok"):
            raise Temporary(f"the BGP engine refused `{operation}`: {pending.answer.get('error')}")
        return pending.answer

    def hang_up(self) -> None:
        """Ends `read`; the engine goes on."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    # -- the thread that reads

    def read(self) -> str:
        """Lines until the end; returns why it ended."""
        try:
            return self._lines()
        except OSError as error:
            return f"{STOPPED}: {error}"
        finally:
            self._closed = True
            self._socket.close()
            self._over.set()
            for pending in list(self._pending.values()):
                pending.done.set()

    def _lines(self) -> str:
        rest, heard, asked = b"", time.monotonic(), 0.0
        while True:
            something = readable(self._socket, POLL_SECONDS)
            now = time.monotonic()
            if something:
                data = self._socket.recv(1 << 18)
                if not data:
                    return self._refusal.message if self._refusal else STOPPED
                heard = now
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > LONGEST:
                    return "the BGP engine began a line that does not end"
                for line in lines:
                    self._dispatch(line)
            if now - heard > HUNG_SECONDS:
                self.hung = True
                return f"the BGP engine was silent for {HUNG_SECONDS:.0f} s"
            if now - asked > POLL_SECONDS:
                asked = now
                self._on_poll()
                with contextlib.suppress(Temporary, OSError):
                    self._send(wire.encode_request("", "state", {}))

    def _dispatch(self, raw: bytes) -> None:
        line = parse_line(raw)
        if line is None:
            return
        if "id" in line:
            self.answered_at = time.monotonic()
        if refusal := taken(line, self._directory):
            self._refusal = refusal
        elif identifier := line.get("id"):
            if pending := self._pending.get(str(identifier)):
                pending.answer = line
                pending.done.set()
        else:
            self._on_line(line)

    def _send(self, line: bytes) -> None:
        if self._closed:
            raise self._refusal or Temporary("the BGP engine is not running")
        with self._sending:
            self._socket.sendall(line)
