"""A speaker is the only one in its directory and the only one of its node, and so is its engine.

An engine that outlived its speaker announces on. A second speaker, elsewhere on the node, would say
"withdrawn" of what it never saw: it does not start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shlex
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from bgpctl.core.model import IPAddress
from bgpctl.errors import UsageError
from bgpctl.exabgp import claim, control
from bgpctl.exabgp.claim import Claim, Holder, Taken
from bgpctl.speaker import places

DIES_SECONDS = 2.0
"""For an engine that ends with its speaker (--engine own) to be gone after that was killed."""


class Orphan(UsageError):
    """An engine of this node runs in another directory. `directory` is what its speaker had, None = it cannot
    be adopted from here."""

    def __init__(self, message: str, hint: str, directory: Path | None) -> None:
        super().__init__(message, hint)
        self.directory = directory


@contextlib.contextmanager
def alone(directory: Path, node: str, source: IPAddress | None) -> Iterator[str]:
    """Yields the name of the claim that its engine has to hold. Raises UsageError."""
    with _in_directory(directory):
        engine = claim.name_of(claim.ENGINE, node, source)
        held = _claimed(claim.name_of(claim.SPEAKER, node, source), directory, node)
        try:
            _refuse_orphan(engine, directory / places.ENGINE, node)
            yield engine
        finally:
            held.close()


# --- its node -----------------------------------------------------------------------------------------------


def _claimed(name: str, directory: Path, node: str) -> Claim:
    try:
        return Claim(name, directory)
    except Taken as taken:
        if taken.holder.stranger or taken.holder.silent:
            raise _squatter(taken.holder, name, node) from None
        raise UsageError(
            f"another speaker ({_process(taken.holder)}) manages the BGP engine of node {node}"
            f"{_where(taken.holder)}",
            "stop it first: two speakers of one node take each other's sessions",
        ) from None


def _refuse_orphan(name: str, directory: Path, node: str) -> None:
    """No speaker but us runs, so an engine that is not in our directory has none."""
    deadline = time.monotonic() + DIES_SECONDS
    while (holder := claim.holder_of(name)) is not None:
        if holder.stranger:
            raise _squatter(holder, name, node)
        if holder.works_in(directory) or (holder.pid and holder.pid == control.pid_in(directory)):
            return  # adopted or replaced, as ever
        if time.monotonic() > deadline:
            raise _squatter(holder, name, node) if holder.silent else _orphan(holder, node)
        time.sleep(0.05)


def _orphan(holder: Holder, node: str) -> Orphan:
    message = (
        f"a BGP engine of node {node} runs without a speaker{_where(holder)} ({_process(holder)}): "
        "it goes on announcing what it has"
    )
    if not holder.directory:
        end = f"`kill -9 {holder.pid}` ends it" if holder.pid else "end its container"
        return Orphan(message, f"it does not answer: {end}", None)
    place = Path(holder.directory).parent
    stop = f"bgpctl speaker engine stop --leave --directory {shlex.quote(str(place))}"
    where = "" if holder.pid else ", in the container that it runs in"
    return Orphan(message, f"to withdraw its routes and end it{where}: {stop}", place if holder.pid else None)


def _process(holder: Holder) -> str:
    if holder.pid:
        return f"process {holder.pid}"
    return "in another container" if holder.directory else "it does not say who it is"


def _where(holder: Holder) -> str:
    if not holder.directory:
        return ""
    place = Path(holder.directory)
    return f" in {place.parent if place.name == places.ENGINE else place}"


# --- a name that another has --------------------------------------------------------------------------------


def _squatter(holder: Holder, name: str, node: str) -> UsageError:
    """Anybody may take a name: of one who is no user of ours, or who does not answer, only that is known."""
    who = f"process {holder.pid}" if holder.pid else "a process"
    whose = f" of user {_user(holder.uid)}" if holder.stranger else ""
    what = "it is no bgpctl of this user" if holder.stranger else "it does not answer"
    message = f"{who}{whose} has the name that keeps the BGP of node {node} to one speaker: {what}"
    if not holder.pid:
        return UsageError(message, f"to see who that is, as root on the node: ss -xap | grep {name}")
    end = f"to end it, as root: kill {holder.pid}"
    return UsageError(message, f"to see what it is: ps -fp {holder.pid}\n{end}")


def _user(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return str(uid)


# --- its directory ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _in_directory(directory: Path) -> Iterator[None]:
    """Two speakers in one directory would take each other's engine away. The kernel frees the lock of a
    speaker that was killed. Raises UsageError."""
    with _lock(directory) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = file.read(20).strip() or "unknown"
            raise UsageError(
                f"another speaker runs in {directory} (process {owner})",
                "stop it first, or pass another --directory PATH",
            ) from None
        try:
            file.truncate()
            os.write(
                file.fileno(), str(os.getpid()).encode()
            )  # no buffer, which would fail once more at the end
        except OSError as error:
            raise _unusable(directory, error) from None
        yield


def _lock(directory: Path) -> TextIO:
    """A file of its own: what a link there leads to is somebody else's, and nothing else can be locked."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        opened = os.open(directory / "lock", flags, 0o600)
    except OSError as error:
        raise _unusable(directory, error) from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise UsageError(f"{directory / 'lock'} is no file", "remove it, or pass another --directory")
    return open(opened, "r+")


def _unusable(directory: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot use directory {directory}: {error.strerror}", "make room, or pass another --directory"
    )
