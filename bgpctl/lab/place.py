"""Where a lab lives: a private directory, and a stretch of addresses that no other lab of this user has.

The directory's lock is held as long as its lab lives. A lab that was killed (`kill -9`) leaves its directory
unlocked; its processes end with it (PR_SET_PDEATHSIG). The next lab removes what is not locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from bgpctl.errors import UsageError
from bgpctl.speaker.places import STATUS_SOCKET

ROUTER_PORT = 1790  # above 1023: no root needed
BLOCKS = 64 * 250  # 127.64.1.0/24 … 127.127.250.0/24: far from what a machine's own daemons use
AUTHORITY = "ca.crt"
_LOCK = "lock"
_KUBECONFIG, _OUTSIDE = "kubeconfig", "kubeconfig.outside"


@dataclass(frozen=True, slots=True)
class Place:
    """A lab's own directory (0700) and addresses: the router at .1, worker N at .10+N of `network`/24."""

    directory: Path
    network: IPv4Address

    @property
    def router_address(self) -> str:
        return str(self.network + 1)

    def node_address(self, number: int) -> str:
        """`number` from 1 on: 1 gives .11."""
        return str(self.network + 10 + number)

    def next_hop(self, number: int) -> str:
        """What a node on loopback announces. Its own address is no next hop for a router elsewhere, and GoBGP
        before 3.20 takes such routes for withdrawn: documentation addresses (RFC 5737) stand in."""
        return f"192.0.2.{number}"

    @property
    def kubeconfig(self) -> Path:
        """The lab's own copy."""
        return self.directory / _KUBECONFIG

    def publish(self, outside: Path) -> Path:
        """A copy of the kubeconfig where the user wants it. It goes with the lab, or with its leftovers.
        UsageError when a file is there already: it may be somebody's real one."""
        outside = outside.absolute()
        refuse(outside)
        (self.directory / _OUTSIDE).write_text(str(outside))
        try:
            with open(os.open(outside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(self.kubeconfig.read_text())
        except FileExistsError:  # since it was looked for
            (self.directory / _OUTSIDE).unlink()
            raise _taken(outside) from None
        except OSError as error:
            raise UsageError(f"cannot write {outside}: {error.strerror}", "choose another path") from None
        return outside


def refuse(outside: Path) -> None:
    """UsageError where no file can be written: before a lab is started, which takes a while."""
    if outside.is_dir():
        raise UsageError(f"{outside} is a directory", "give the path of a file that is not there yet")
    if outside.exists() or outside.is_symlink():
        raise _taken(outside)
    if not os.access(outside.absolute().parent, os.W_OK | os.X_OK):
        why = "cannot be written to" if outside.absolute().parent.is_dir() else "is no directory"
        raise UsageError(f"cannot write {outside}: {outside.absolute().parent} {why}", "choose another path")


def _taken(outside: Path) -> UsageError:
    return UsageError(f"{outside} exists already", "choose another path, or remove it")


@contextlib.contextmanager
def claimed(base: Path | None = None) -> Iterator[Place]:
    """A fresh place, removed at the end; leftovers of labs that are gone are removed first."""
    root = base or _root()
    with _locked_root(root):
        remove_leftovers(root)
        place = _take(root)
        lock = _try_lock(place.directory)
        assert lock is not None, "nobody else takes locks while the root is locked"
    try:
        yield place
    finally:
        with _locked_root(root):
            _remove(place.directory)
            os.close(lock)
            with contextlib.suppress(OSError):  # another lab lives there
                root.rmdir()


def speakers_of(kubeconfigs: Iterable[str]) -> list[Path]:
    """The directories of the speakers of the lab whose kubeconfig is among these files, one per node; empty
    when none is a lab's. Another lab on this machine has nodes of the same names."""
    try:
        root = _root()
        if root.stat(follow_symlinks=False).st_uid != os.getuid():
            return []
        labs = [lab for lab in root.iterdir() if any(_names(path, lab) for path in kubeconfigs)]
    except OSError:
        return []
    return sorted(socket.parent for lab in labs for socket in lab.glob(f"*/{STATUS_SOCKET}"))


def _names(kubeconfig: str, lab: Path) -> bool:
    """Does the file name this lab's authority?"""
    try:
        return str(lab / AUTHORITY).encode() in Path(kubeconfig).read_bytes()
    except OSError:
        return False


def _root() -> Path:
    return Path(tempfile.gettempdir()) / f"bgpctl-lab-{os.getuid()}"


def remove_leftovers(root: Path) -> None:
    """Directories of labs that are gone."""
    for leftover in root.iterdir():
        lock = _try_lock(leftover)
        if lock is not None:
            _remove(leftover)
            os.close(lock)


def _take(root: Path) -> Place:
    """Distinct labs get distinct /24s, so that their routers never meet."""
    for number in range(os.getpid(), os.getpid() + BLOCKS):
        block = number % BLOCKS
        candidate = IPv4Address(f"127.{64 + block // 250}.{1 + block % 250}.0")
        with contextlib.suppress(FileExistsError):
            directory = root / str(candidate)
            directory.mkdir(mode=0o700)
            return Place(directory, candidate)
    raise UsageError(f"{BLOCKS} labs run already", f"see {root}")


def _remove(directory: Path) -> None:
    """The directory, and the kubeconfig outside of it unless somebody changed that one."""
    with contextlib.suppress(OSError):
        outside = Path((directory / _OUTSIDE).read_text())
        if outside.read_bytes() == (directory / _KUBECONFIG).read_bytes():
            outside.unlink()
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _locked_root(root: Path) -> Iterator[None]:
    """One lab at a time looks for its place. The directory itself is the lock; it goes with the last lab, so
    what was locked must still be what is there."""
    while True:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_uid != os.getuid():
                raise UsageError(f"{root} belongs to another user", "set TMPDIR to a directory of your own")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.stat(root).st_ino == os.fstat(descriptor).st_ino:
                    yield
                    return
        finally:
            os.close(descriptor)


def _try_lock(directory: Path) -> int | None:
    """The descriptor that holds the directory's lock; None when its lab lives."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
