"""One ExaBGP process from spawn to reaping: its lines, its answers, its log. Knows nothing of routes.

A thread per process owns it: it starts it (the kernel ties the child's life to the *thread* that started it),
reads its lines and buries it. Requests come from any other thread.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bgpctl.errors import Temporary
from bgpctl.speaker.exabgp import relay, wire
from bgpctl.speaker.exabgp.events import parse_line

START_SECONDS = 20.0
ANSWER_SECONDS = 15.0
POLL_SECONDS = 2.0
"""The child is asked for its state this often: counts are refreshed, and a child that hangs is noticed."""
HUNG_SECONDS = 30.0
STOP_SECONDS = 5.0
LOG_LIMIT = 1 << 20

Line = Mapping[str, Any]


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.answer: Line | None = None


class ChildProcess:
    """`on_line` gets every event, `on_exit` one sentence when it is over; both on the owner thread."""

    def __init__(
        self,
        directory: Path,
        on_line: Callable[[Line], None],
        on_exit: Callable[[str], None],
        log: logging.Logger,
        *,
        outlive: bool,
    ) -> None:
        self._directory, self._on_line, self._on_exit = directory, on_line, on_exit
        self._log, self._outlive = log, outlive
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._ready = threading.Event()
        self._over = threading.Event()
        self._stopping = False
        self._log_offset = 0
        self._thread = threading.Thread(target=self._own, name="bgp-engine", daemon=True)

    # -- from other threads

    def start(self) -> None:
        """Returns when the child takes requests. Raises Temporary when it does not come up."""
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._ready.wait(0.05):
            if self._over.is_set() or time.monotonic() > deadline:
                self.kill()
                raise Temporary("the BGP engine did not start", "its words are in the log above")

    def request(self, operation: str, timeout: float = ANSWER_SECONDS, **fields: Any) -> Line:
        """Send, wait for the answer. Raises Temporary when it is an error, late, or the child is gone."""
        number, pending = next(self._numbers), _Pending()
        self._pending[number] = pending
        try:
            self._send(wire.encode_request(number, operation, fields))
            if not pending.done.wait(timeout):
                raise Temporary(f"the BGP engine did not answer `{operation}` within {timeout:.0f} s")
        finally:
            self._pending.pop(number, None)
        if pending.answer is None:
            raise Temporary(f"the BGP engine stopped during `{operation}`")
        if not pending.answer.get("ok"):
            raise Temporary(f"the BGP engine refused `{operation}`: {pending.answer.get('error')}")
        return pending.answer

    def terminate(self) -> None:
        """SIGTERM: ExaBGP closes its sessions silently. Returns when the process is gone."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        if not self._over.wait(STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        self._stopping = True
        self._signal(signal.SIGKILL)
        self._over.wait(STOP_SECONDS)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _send(self, line: bytes) -> None:
        if self._socket is None:
            raise Temporary("the BGP engine is not running")
        try:
            with self._sending:
                self._socket.sendall(line)
        except OSError as error:
            raise Temporary(f"the BGP engine does not take requests: {error}") from error

    # -- the owner thread

    def _own(self) -> None:
        reason = "the BGP engine could not be started"
        try:
            self._spawn()
            self._connect()
            self._ready.set()
            reason = self._read()
        except OSError as error:
            reason = f"{reason}: {error}"
        finally:
            self._bury(reason)

    def _spawn(self) -> None:
        command = [sys.executable, "-P", "-m", "bgpctl.speaker.exabgp.child"]
        if not self._outlive:
            command += ["--parent", str(os.getpid())]
        with contextlib.suppress(FileNotFoundError):
            (self._directory / relay.SOCKET).unlink()
        flags = os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY
        log = os.open(self._directory / "exabgp.log", flags, 0o600)
        try:
            self._process = subprocess.Popen(
                [*command, str(self._directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _connect(self) -> None:
        """Through the directory's descriptor, because the path of a unix socket is limited to 107 bytes."""
        deadline = time.monotonic() + START_SECONDS
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while True:
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    connection.connect(f"/proc/self/fd/{descriptor}/{relay.SOCKET}")
                    break
                except (FileNotFoundError, ConnectionRefusedError) as error:
                    connection.close()
                    if self._process is None or self._process.poll() is not None:
                        raise OSError("it ended at once") from error
                    if time.monotonic() > deadline:
                        raise
                    self._over.wait(0.01)
        finally:
            os.close(descriptor)
        connection.settimeout(ANSWER_SECONDS)
        self._socket = connection

    def _read(self) -> str:
        """Lines until the end; returns why it ended."""
        rest, heard, asked = b"", time.monotonic(), 0.0
        assert self._socket is not None
        while True:
            readable, _, _ = select.select([self._socket], [], [], POLL_SECONDS)
            now = time.monotonic()
            if readable:
                data = self._socket.recv(1 << 16)
                if not data:
                    return "the BGP engine stopped"
                heard = now
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._dispatch(line)
            if now - heard > HUNG_SECONDS:
                return f"the BGP engine was silent for {HUNG_SECONDS:.0f} s"
            if now - asked > POLL_SECONDS:
                asked = now
                self._forward_log()
                with contextlib.suppress(Temporary):
                    self._send(wire.encode_request(0, "state", {}))

    def _dispatch(self, raw: bytes) -> None:
        line = parse_line(raw)
        if line is None:
            return
        if line.get("id"):
            if pending := self._pending.get(line["id"]):
                pending.answer = line
                pending.done.set()
        else:
            self._on_line(line)

    def _bury(self, reason: str) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.close()
        if self._process is not None:
            if not self._stopping:
                self._signal(signal.SIGKILL)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
        self._socket = None
        self._forward_log()
        self._over.set()
        for pending in list(self._pending.values()):
            pending.done.set()
        self._on_exit(reason)

    def _forward_log(self) -> None:
        """What ExaBGP wrote since last time, to our log; the file itself is kept small."""
        path = self._directory / "exabgp.log"
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(self._log_offset)
            text = file.read()
            self._log_offset += len(text)
            for line in text.decode("utf-8", "replace").splitlines():
                level = logging.DEBUG if self._stopping else logging.WARNING
                self._log.log(level, "engine.says", extra={"text": line.strip()})
            if self._log_offset > LOG_LIMIT:
                os.truncate(path, 0)
                self._log_offset = 0
