"""One speaker and one engine per node and network namespace, wherever their directories are.

A claim is a listening socket with an abstract name (unix(7)). Such names live in the network namespace, as
BGP sessions do, whatever container a process is in; and the kernel takes one back with the process that has
it, however that ends: none is ever stale. Whoever connects is told in which directory its holder works.
Any user of the machine may take a name, as any may take a port: whose process it is, the kernel tells.
Stdlib only: the engine's process uses it too.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from bgpctl.exabgp.relay import credentials_of

ENGINE, SPEAKER = "engine", "speaker"
ANSWER_SECONDS = 1.0
LONGEST = 1 << 13  # octets of an answer: PATH_MAX and two numbers
SOCKETS = Path("/proc/net/unix")  # of our network namespace
ROOT = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a claim. `pid` 0: in a container that we cannot see into. `directory` "", `place` None: it does
    not say; else the directory's path as the holder sees it, and its device and inode. `uid`: whose process
    it was when it took the name, None = nobody answers there."""

    pid: int = 0
    directory: str = ""
    place: tuple[int, int] | None = None
    uid: int | None = None

    @property
    def stranger(self) -> bool:
        """Another user, who is not root: whatever it says, it is no bgpctl of ours."""
        return self.uid not in (None, ROOT, os.getuid())

    @property
    def silent(self) -> bool:
        """It has the name and is not there for who asks."""
        return self.uid is None

    def works_in(self, directory: Path) -> bool:
        """Is it that directory, by device and inode? False where the holder does not say."""
        with contextlib.suppress(OSError):
            return self.place == _place(directory)
        return False


class Taken(Exception):
    """Somebody else has it."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"process {holder.pid or 'of another container'} has it: {holder.directory}")
        self.holder = holder


def name_of(kind: str, node: str, source: IPv4Address | IPv6Address | None) -> str:
    """The claim's name, without the zero octet that makes it abstract. A node has one, whatever address its
    sessions come from; but many nodes, of many clusters, may be played on one machine's loopback."""
    lab = str(source) if source is not None and source.is_loopback else ""
    return f"bgpctl-{kind}-{hashlib.sha256(f'{node} {lab}'.encode()).hexdigest()[:32]}"


class Claim:
    """Held from here until `close`, or the end of this process. Raises Taken."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        device, inode = _place(directory)
        self._words = f"{device} {inode} {directory}".encode()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(f"\0{name}")
        except OSError as error:
            self._listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise Taken(holder_of(name) or Holder()) from None
        self._listener.listen(8)
        threading.Thread(target=self._answer, name="claim", daemon=True).start()

    def close(self) -> None:
        """A thread in `accept` would hold it on: shut down first."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self) -> None:
        while self._listener.fileno() >= 0:
            try:
                comer, _ = self._listener.accept()
                with comer:
                    comer.settimeout(ANSWER_SECONDS)
                    comer.sendall(self._words)
            except OSError:
                time.sleep(0.1)  # no descriptors left, say; the claim holds all the same


def holder_of(name: str) -> Holder | None:
    """Who has the claim, None = nobody. Never raises: one who cannot be asked holds it too, and so does one
    who does not listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(f"\0{name}")
        except ConnectionRefusedError:
            return Holder() if _bound(name) else None
        except OSError:
            return Holder()
        pid, uid = credentials_of(connection)
        try:
            return _understood(pid, uid, connection.recv(LONGEST))
        except (OSError, ValueError):
            return Holder(pid, uid=uid)


def _bound(name: str) -> bool:
    """Does somebody have the name who does not listen? To connect says the same as where nobody has it."""
    with contextlib.suppress(OSError):
        return any(line.endswith(f" @{name}".encode()) for line in SOCKETS.read_bytes().splitlines())
    return False


def _understood(pid: int, uid: int, words: bytes) -> Holder:
    """Anybody on this machine may hold a name and say anything. Raises ValueError."""
    device, inode, directory = words.decode().split(" ", 2)
    if not directory.isprintable():
        raise ValueError("not a directory's name")
    return Holder(pid, directory, (int(device), int(inode)), uid)


def _place(directory: Path) -> tuple[int, int]:
    found = os.stat(directory)
    return found.st_dev, found.st_ino
