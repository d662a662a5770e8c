"""An engine without a manager: prepared, run in the foreground, ended. And what its directory holds."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bgpctl.core.model import Peer
from bgpctl.errors import BgpctlError
from bgpctl.exabgp import child, link, process, relay, wire
from bgpctl.exabgp.config import render_config
from bgpctl.exabgp.events import parse_line
from bgpctl.exabgp.handle import behind

GENERATION = "generation"
END_SECONDS = 10.0
"""Longer than the engine takes to leave a router that does not read (leave.LEAVE_SECONDS, LINGER_SECONDS)."""


def prepare(directory: Path) -> None:
    """Make `directory` private, with a configuration without peers: routes come before sessions. Raises
    OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    write_config(directory, ())


def write_config(directory: Path, peers: Sequence[Peer]) -> None:
    """Replaced as a whole, 0600: it holds passwords."""
    text = render_config(peers, (sys.executable, "-I", "-S", relay.__file__, str(directory)))
    _write(directory / child.CONFIG, text)


def next_generation(directory: Path) -> int:
    """Counts the engines of a directory that outlive their managers; 1 where there was none."""
    path, last = directory / GENERATION, 0
    with contextlib.suppress(FileNotFoundError, ValueError):
        last = int(path.read_text())
    _write(path, str(last + 1))
    return last + 1


def clean(directory: Path) -> None:
    """Leave nothing of an engine that has ended but the count; nothing is touched when there is one again."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError), child.alone(directory):
        for name in (child.CONFIG, relay.SOCKET, relay.LOG):
            with contextlib.suppress(OSError):  # one that is a directory, say, costs the others nothing
                (directory / name).unlink()


def run_foreground(directory: Path) -> NoReturn:
    """Become the engine of `directory`; ExaBGP's log goes to stderr. Raises OSError, and BgpctlError when one
    runs there already."""
    if runs(directory):
        raise BgpctlError(f"a BGP engine runs in {directory} already", "`bgpctl speaker engine stop` ends it")
    prepare(directory)
    with contextlib.suppress(OSError):
        (directory / relay.LOG).unlink()  # of an engine that logged there
    generation = next_generation(directory)
    os.execv(sys.executable, [*process.COMMAND, "--generation", str(generation), str(directory)])  # noqa: S606


def runs(directory: Path) -> bool:
    """Is there an engine in `directory`, whoever manages it?"""
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), link.connect(directory):
        return True
    return False


def pid_in(directory: Path) -> int | None:
    """The process id of the engine of `directory`; None where none runs or it cannot be seen."""
    with contextlib.suppress(OSError), link.connect(directory) as connection:
        found = behind(connection)
        found.close()
        return found.pid
    return None


def end(directory: Path, *, leave: bool, reason: str) -> bool:
    """End the engine of `directory`. False when none runs. `leave`: withdraw and close every session first;
    otherwise only those whose router would not keep the routes over a silent close.

    Raises Temporary while a manager has it, BgpctlError when it cannot be ended from here.
    """
    try:
        connection = link.connect(directory)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    with connection:
        handle = behind(connection)
        try:
            asked = _ask(connection, directory, leave, reason)
            over = (asked and handle.wait(END_SECONDS)) or (handle.pid is None and _closed(connection))
            for number in (signal.SIGTERM, signal.SIGKILL):
                if not over:
                    handle.signal(number)
                    over = handle.wait(END_SECONDS)
        finally:
            handle.close()
    if not over:
        raise BgpctlError(
            f"the BGP engine in {directory} did not end", "end the container or the process that runs it"
        )
    return True


def _ask(connection: socket.socket, directory: Path, leave: bool, reason: str) -> bool:
    """Did it agree to end? False when it does not answer or is too old to know the word."""
    rest, deadline = b"", time.monotonic() + END_SECONDS
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(wire.encode_request("shutdown", "shutdown", {"leave": leave, "reason": reason}))
    while link.readable(connection, max(0.0, deadline - time.monotonic())):
        try:
            data = connection.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            return True
        *lines, rest = (rest + data).split(b"\n")
        for line in filter(None, map(parse_line, lines)):
            if refusal := link.taken(line, directory):
                raise refusal
            if line.get("id") == "shutdown":
                return bool(line.get("ok"))
    return False


def _closed(connection: socket.socket) -> bool:
    """Did the other end close within END_SECONDS?"""
    poller = select.poll()
    poller.register(connection, select.POLLRDHUP)
    return bool(poller.poll(END_SECONDS * 1000))


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    temporary.rename(path)
