"""What ExaBGP writes, on its way into the speaker's log. Nothing here decides about the engine's life: a log
that cannot be written or read costs the log, and is told once."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from bgpctl.exabgp import relay

PIECE = 1 << 18  # octets a look: a file that grew while nobody looked must not stall the engine's thread


class ChildLog:
    """`exabgp.log` in the engine's directory. ExaBGP appends to it, one thread of ours reads it."""

    def __init__(self, directory: Path, log: logging.Logger) -> None:
        self._path, self._log = directory / relay.LOG, log
        self._offset = 0
        self._problem = ""

    def create(self) -> int:
        """A descriptor for ExaBGP's output, to an empty file; to nowhere where there can be none."""
        flags = os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_RDWR
        try:
            descriptor = _plain(self._path, flags)
        except OSError as error:
            self._failed(error)
            return os.open(os.devnull, os.O_WRONLY)
        self._offset = 0
        return descriptor

    def skip(self) -> None:
        """What is there was written for a speaker before us, who has forwarded some of it."""
        try:
            self._offset = self._path.stat(follow_symlinks=False).st_size
        except OSError as error:
            self._failed(error)

    def forward(self, level: int) -> None:
        """What ExaBGP wrote since last time, to our log; the file itself is kept small."""
        try:
            text = self._read()
        except OSError as error:
            self._failed(error)
            return
        self._problem = ""
        for line in text.decode("utf-8", "replace").splitlines():
            self._log.log(level, "engine.says", extra={"text": line.strip()})

    def _read(self) -> bytes:
        with open(_plain(self._path, os.O_RDWR), "rb") as file:
            self._offset = min(self._offset, os.fstat(file.fileno()).st_size)  # the relay may have cut it
            file.seek(self._offset)
            text = file.read(PIECE)
            self._offset += len(text)
            if self._offset > relay.LOG_LIMIT:
                os.truncate(file.fileno(), 0)
                self._offset = 0
        return text

    def _failed(self, error: OSError) -> None:
        """A file that is not there is a log that says nothing: an engine in a container logs elsewhere."""
        problem = "" if isinstance(error, FileNotFoundError) else error.strerror or type(error).__name__
        if problem and problem != self._problem:
            facts = {
                "error": f"{self._path}: {problem}",
                "hint": "what ExaBGP says is lost, and nothing else",
            }
            self._log.warning("engine.log_unreadable", extra=facts)
        self._problem = problem


def _plain(path: Path, flags: int) -> int:
    """Open a plain file. A FIFO would make us wait for its other end, a device may do anything. Raises
    OSError."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(None, "it is no plain file")
