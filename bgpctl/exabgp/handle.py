"""The process behind an engine: one that we started, or one that we found running."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
from pathlib import Path
from typing import Protocol

from bgpctl.exabgp.relay import process_of


class Handle(Protocol):
    """`pid` None: it lives in a container that we cannot see into, and cannot be signalled or awaited."""

    @property
    def pid(self) -> int | None: ...
    def signal(self, number: signal.Signals) -> None: ...
    def wait(self, seconds: float) -> bool:
        """Is it over within `seconds`?"""
        ...

    def close(self) -> None: ...


class Started:
    """Our child, with its process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """To the whole group; nothing happens when the process is over."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Reaps it, so that no zombie stays."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Reaps it if it is over; one that runs goes on."""
        self._process.poll()


class Found:
    """Somebody else's child, held by a descriptor: its number may be another process's when it has ended."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        self._descriptor: int | None = None
        if pid is not None:
            try:
                self._descriptor = os.pidfd_open(pid)
            except OSError:
                self.pid = None

    def signal(self, number: signal.Signals) -> None:
        """Nothing happens when it is over, or cannot be seen."""
        if self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def wait(self, seconds: float) -> bool:
        """Nobody can tell of one that we cannot see: then it is False at once."""
        if self._descriptor is None:
            return False
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def close(self) -> None:
        """Lets go of it: it runs on, and cannot be signalled from here any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def behind(connection: socket.socket) -> Found:
    """The ExaBGP whose relay is at the other end: the relay's parent."""
    relay = process_of(connection)
    try:
        fields = Path(f"/proc/{relay}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Found(None)
    return Found(int(fields[1]) or None) if relay else Found(None)
