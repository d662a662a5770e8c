"""One ExaBGP process from spawn, or adoption, to its end: its link and its log. Knows nothing of routes.

A thread per process owns it: it starts it (the kernel ties the child's life to the *thread* that started it),
reads its lines and buries it. Whatever ends that thread, `on_exit` is called and the process is buried; and
`trouble` tells from outside whether thread, process and answers are there, so that nobody needs to believe
that.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgpctl.errors import Temporary
from bgpctl.exabgp import link, relay
from bgpctl.exabgp.childlog import ChildLog
from bgpctl.exabgp.handle import Handle, Started, behind
from bgpctl.exabgp.link import ANSWER_SECONDS, Line, Link

START_SECONDS = 20.0
STOP_SECONDS = 5.0
LAST_SECONDS = 1.0
"""For an engine whose link broke: longer, and it is alive and only the link is gone."""

COMMAND = (sys.executable, "-P", "-m", "bgpctl.exabgp.child")


class EngineProcess:
    """`on_line` gets every event, `on_exit` one sentence when it is over; both on the owner thread.
    `on_silence` is called there too, when it stopped answering and when it answers again.

    `connection`: to the engine that runs already; without it one is started, as `generation`. `lasting`: it
    is not ours to end when the link breaks, and does not die with us.
    """

    def __init__(
        self,
        directory: Path,
        on_line: Callable[[Line], None],
        on_exit: Callable[[EngineProcess, str], None],
        on_silence: Callable[[], None],
        log: logging.Logger,
        *,
        lasting: bool,
        generation: int = 0,
        connection: socket.socket | None = None,
    ) -> None:
        self._directory, self._on_line, self._on_exit = directory, on_line, on_exit
        self._on_silence, self._silent = on_silence, False
        self._log, self._lasting, self._generation = log, lasting, generation
        self._said = ChildLog(directory, log)
        self._found = connection
        self._handle: Handle | None = None
        self._link: Link | None = None
        self._ready = threading.Event()
        self._over = threading.Event()
        self._stopping = self._released = False
        self._thread = threading.Thread(target=self._own, name="bgp-engine", daemon=True)

    # -- from other threads

    def start(self) -> None:
        """Returns when it takes requests. Raises Temporary when it does not come up."""
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._ready.wait(0.05):
            if self._over.is_set() or time.monotonic() > deadline:
                self.kill()
                raise Temporary("the BGP engine did not start", "its words are in the log above")

    def request(self, operation: str, timeout: float = ANSWER_SECONDS, **fields: Any) -> Line:
        """Send, wait for the answer. Raises Temporary when it is an error, late, or the engine is gone."""
        if self._link is None:
            raise Temporary("the BGP engine is not running")
        return self._link.request(operation, timeout, **fields)

    def release(self) -> None:
        """Let go of it: it runs on. Returns when the link is closed."""
        self._released = True
        if self._link is not None:
            self._link.hang_up()
        self._over.wait(STOP_SECONDS)

    def terminate(self) -> None:
        """SIGTERM: ExaBGP ends as for a restart. Returns when the process is gone."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        if not self._over.wait(STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """SIGKILL. Returns when the process is gone, at the latest after STOP_SECONDS."""
        self._stopping = True
        self._signal(signal.SIGKILL)
        self._over.wait(STOP_SECONDS)

    @property
    def pid(self) -> int | None:
        """None before it is started, and where it lives in a container that we cannot see into."""
        return self._handle.pid if self._handle else None

    @property
    def owned(self) -> bool:
        """Is there a thread that reads it and will bury it?"""
        return self._thread.ident is None or self._thread.is_alive()

    @property
    def silent(self) -> bool:
        """Has it not answered for so long that what it said before may not be so any more?"""
        return self._link is not None and time.monotonic() - self._link.answered_at > link.SILENT_SECONDS

    def trouble(self) -> str:
        """Why it must not be taken for an engine that runs, in words; "" = it runs and answers. From any
        thread, at once."""
        if not self.owned:
            return "the thread that owns the BGP engine is gone"
        if self._handle is not None and self._handle.wait(0.0):
            return "the BGP engine's process is gone"
        late = f"the BGP engine has not answered for more than {link.SILENT_SECONDS:g} s"
        return late if self.silent else ""

    def abandon(self) -> None:
        """Bury what an owner thread left behind, in its place."""
        if self._link is not None:
            self._link.hang_up()
        self._bury()

    def _signal(self, number: signal.Signals) -> None:
        if self._handle is not None:
            self._handle.signal(number)

    # -- the owner thread

    def _own(self) -> None:
        reason = "the BGP engine could not be started"
        try:
            connection = self._spawn() if self._found is None else self._join(self._found)
            self._link = Link(connection, self._directory, self._on_line, self._poll)
            self._ready.set()
            reason = self._link.read()
        except OSError as error:
            reason = f"{reason}: {error}"
        except Exception as error:
            self._log.error("engine.bug", exc_info=error)
            reason = f"bug: {type(error).__name__} in the BGP engine's thread, see the speaker's log"
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        """The world hears of the end, whatever the burial meets."""
        try:
            if self._bury():
                reason = f"{reason}, or only our link to it broke"
        finally:
            self._over.set()
            self._on_exit(self, reason)

    def _poll(self) -> None:
        self._forward_log()
        if self.silent != self._silent:
            self._silent = self.silent
            self._on_silence()

    def _join(self, connection: socket.socket) -> socket.socket:
        self._handle = behind(connection)
        self._said.skip()
        return connection

    def _spawn(self) -> socket.socket:
        command = [*COMMAND, "--generation", str(self._generation)]
        if not self._lasting:
            command += ["--parent", str(os.getpid())]
        with contextlib.suppress(FileNotFoundError):
            (self._directory / relay.SOCKET).unlink()
        log = self._said.create()
        try:
            process = subprocess.Popen(
                [*command, str(self._directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._handle = Started(process)
        return self._connect(process)

    def _connect(self, process: subprocess.Popen[bytes]) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return link.connect(self._directory)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if process.poll() is not None:
                    raise OSError("it ended at once") from error
                if time.monotonic() > deadline:
                    raise
                self._over.wait(0.01)

    def _bury(self) -> bool:
        """Returns True when the process was left alone, which may be alive."""
        spared = False
        if self._handle is not None:
            spared = self._spared()
            if not spared and not self._handle.wait(STOP_SECONDS if self._stopping else 0.0):
                self._handle.signal(signal.SIGKILL)
                self._handle.wait(STOP_SECONDS)
            self._handle.close()
        self._forward_log()
        return spared

    def _spared(self) -> bool:
        """Is it alive, and to stay so although our link to it is gone?"""
        if self._released:
            return True
        hung = self._link is not None and self._link.hung
        if not self._lasting or self._stopping or hung or self._handle is None:
            return False
        return not self._handle.wait(LAST_SECONDS)

    def _forward_log(self) -> None:
        self._said.forward(logging.DEBUG if self._stopping else logging.WARNING)
