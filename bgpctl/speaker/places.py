"""Where a speaker and its engine keep their files, and what they are called."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bgpctl.errors import UsageError
from bgpctl.kube import paths

STATUS_SOCKET = "status.sock"
ENGINE = "engine"
STATE = "state.json"
"""Of a speaker without Kubernetes."""


def base() -> Path:
    """The directory of this user's speakers, each in one of its own; made by the first speaker, mode 0700."""
    return Path(tempfile.gettempdir()) / f"bgpctl-{os.getuid()}"


def where(given: Path | None, node: str) -> Path:
    """The speaker's directory, there or not."""
    return Path(os.path.abspath(given)) if given else base() / paths.named(node)


def directory(given: Path | None, node: str) -> Path:
    """The speaker's directory, made when missing and private: it holds the engine's socket and configuration,
    which may have passwords in it. Absolute, because ExaBGP runs in a directory of its own. Raises
    UsageError."""
    place = where(given, node)
    try:
        if given is None:
            _private(base())  # anybody may make this name in a shared /tmp before us
        _private(place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot use directory {place}: {reason}", "pass --directory PATH") from None
    return place


def _private(place: Path) -> None:
    """Ours alone, made when missing. Raises OSError."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if place.stat(follow_symlinks=False).st_uid != os.getuid():
        raise OSError("it belongs to another user")
    place.chmod(0o700)


def give(place: Path, user: int) -> None:
    """Make a speaker's directory for another user, mode 0700. One that is theirs stays as it is; what is no
    directory (a link, say) is not touched. Raises UsageError."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(handle).st_uid != user:
                os.fchmod(handle, 0o700)
                os.fchown(handle, user, user)
        finally:
            os.close(handle)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot give {place} to user {user}: {reason}", "run it as root") from None


def memory(directory: Path, node: str) -> Path:
    """What the node's speaker keeps for the next one. A directory that another node's had is not its own."""
    return directory / f"{paths.named(node)}.{STATE}"
