"""A real `bgpctl speaker run` as a child process, with its log, its processes and a sure end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.cli import clean_environment
from tests.support.wait import eventually

TCP_MD5SIG = 14  # linux/tcp.h


class SpeakerProcess:
    """`arguments` follow `bgpctl speaker run`. The directory is short: a unix socket's path is limited."""

    def __init__(self, directory: Path, *arguments: str | Path, listen: str = "") -> None:
        self.directory, self.arguments, self.listen = directory, arguments, listen
        self.log_path = directory.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> SpeakerProcess:
        argv = [sys.executable, "-m", "bgpctl", "speaker", "run", *map(str, self.arguments)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, "--directory", str(self.directory), "--listen", self.listen],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=clean_environment(**environment),
            )
        return self

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def says(self, words: str, deadline: float = 10.0) -> None:
        eventually(lambda: words in self.log or self._died(), deadline, why=f"{words!r} in:\n{self.log}")
        assert words in self.log, self.log

    def _died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, deadline: float) -> int:
        assert self.process is not None
        return self.process.wait(deadline)

    def processes(self) -> dict[int, str]:
        """Every live process that has this directory in its command line: the speaker, ExaBGP, its relay."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self.directory) in (text := _text(entry / "cmdline")):
                    found[int(entry.name)] = text
        return found

    def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _text(path: Path) -> str:
    return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


@contextmanager
def workplace() -> Iterator[Path]:
    """A short directory in which speakers may have theirs."""
    place = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def environment_of(pid: int) -> Mapping[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(pair.partition("=")[::2] for pair in pairs if pair)


def require_md5(listener: socket.socket, address: str, password: str) -> None:
    """TCP-MD5 (RFC 2385) on a listener for one IPv4 peer. Raises OSError where the kernel cannot."""
    peer = struct.pack("HH4s120x", socket.AF_INET, 0, socket.inet_aton(address))
    key = password.encode()
    option = peer + struct.pack("BBHi80s", 0, 0, len(key), 0, key)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, option)
