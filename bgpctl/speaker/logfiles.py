"""A speaker's log in a file, read once or followed like `tail -F`: through truncation and rotation."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from bgpctl.errors import UsageError

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class FileLog:
    """One log file. Lines that name no node are of a node named after the file."""

    path: Path
    named = True

    @property
    def key(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def node(self) -> str:
        return self.path.stem

    def check(self) -> None:
        """Raises UsageError for what cannot be read. Opens nothing: a pipe can be read only once."""
        if not self.path.exists():
            raise self._unreadable("there is no such file")
        if self.path.is_dir():
            raise self._unreadable("it is a directory")
        if not os.access(self.path, os.R_OK):
            raise self._unreadable("permission denied")

    def _unreadable(self, why: str) -> UsageError:
        return UsageError(f"cannot read {self.path}: {why}", "pass --file PATH of a log that is there")

    def lines(self, follow: bool, since_seconds: float | None) -> Iterator[str]:
        """Every line (the reader drops what is too old). Raises UsageError."""
        file = self._open()
        if file is None:
            self.check()
            raise self._unreadable("it cannot be opened")
        if follow:
            yield from self._tail(file)
        with file:
            yield from file

    def _tail(self, file: TextIO) -> Iterator[str]:
        """What is there, then what is written. The file is opened anew when another one has its name."""
        rest = ""
        while True:
            part = file.readline()
            rest += part
            if rest.endswith("\n"):
                yield rest
                rest = ""
            elif not part:
                time.sleep(POLL_SECONDS)
                if self._replaced(file) and (fresh := self._open()):
                    file.close()
                    file, rest = fresh, ""

    def _open(self) -> TextIO | None:
        try:
            return self.path.open(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def _replaced(self, file: TextIO) -> bool:
        """By another file, or by a shorter form of itself; False between the two files of a rotation."""
        try:
            now = self.path.stat()
        except OSError:
            return False
        return now.st_ino != os.fstat(file.fileno()).st_ino or now.st_size < file.tell()
