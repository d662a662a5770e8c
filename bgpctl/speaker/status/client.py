"""Ask a speaker on this machine through its status socket. Needs no Kubernetes.

A socket is believed only when it belongs to who asks: anybody may put one into a shared /tmp.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bgpctl.core.intent.routeview import NodeRoutes, read_node_routes
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import from_document
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.speaker import places

RUN = "bgpctl speaker run --node-name NODE"
TIMEOUT_SECONDS = 10.0
LONGEST = 64 << 20  # octets of an answer: 50,000 routes take 12 MB

Document = dict[str, Any]
T = TypeVar("T")


def state(directory: Path) -> NodeState:
    """What the speaker in `directory` says of its node. Raises BgpctlError when none answers."""
    return _understood(directory, from_document, _ask(directory, "/state"))


def routes(directory: Path) -> NodeRoutes:
    """Every route, intended and announced, of the speaker in `directory`. Raises BgpctlError."""
    return _understood(directory, read_node_routes, _ask(directory, "/routes"))


def find(directory: Path | None) -> Path:
    """The given directory, else that of this user's only speaker on this machine. Raises BgpctlError when
    there is none, UsageError when there are several."""
    if directory is not None:
        return directory
    base = places.base()
    try:
        found = sorted(socket.parent for socket in base.glob(f"*/{places.STATUS_SOCKET}"))
    except OSError:
        found = []
    if not found:
        raise BgpctlError(
            f"no speaker of {_user(os.geteuid())} was found on this machine (looked in {base})",
            "pass the --directory DIR that `bgpctl speaker run` was given; in a pod, ask from inside of it",
        )
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise UsageError(f"{len(found)} speakers run on this machine: {names}", "choose one with --directory")
    return found[0]


def _ask(directory: Path, page: str) -> Document:
    path = directory / places.STATUS_SOCKET
    _own(directory, path)
    try:
        answer, body = _get(path, page)
    except (OSError, http.client.HTTPException) as error:
        raise _unanswered(directory, error) from None
    if answer == 503:
        raise BgpctlError(f"the speaker in {directory} has too many to answer", "ask again in a moment")
    if answer != 200:
        raise BgpctlError(f"the speaker in {directory} does not know {page}", "it may be of another version")
    return _understood(directory, _object, body)


def _object(body: bytes) -> Document:
    return dict(Foreign.of(parse_json(body, LONGEST)).value)


def _own(directory: Path, path: Path) -> None:
    """Is the socket there, and ours?"""
    try:
        owner = path.lstat().st_uid
    except PermissionError:
        raise BgpctlError(
            f"{directory} belongs to {_owner(directory)}", "run this as the user that the speaker runs as"
        ) from None
    except OSError:
        raise BgpctlError(
            f"no speaker runs in {directory}",
            f"start it with `{RUN}`, or pass another --directory",
        ) from None
    if owner != os.geteuid():
        raise BgpctlError(
            f"the status socket {path} belongs to {_user(owner)}: what it says is not believed",
            f"run this as {_user(owner)}, or pass another --directory",
        )


def _get(path: Path, page: str) -> tuple[int, bytes]:
    """One HTTP request over the socket, whose path may be longer than a socket's name may be."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT_SECONDS)
    try:
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(TIMEOUT_SECONDS)
        connection.sock.connect(f"/proc/self/fd/{descriptor}/{path.name}")
        connection.request("GET", page)
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST + 1)
    finally:
        connection.close()
        os.close(descriptor)


def _unanswered(directory: Path, error: Exception) -> BgpctlError:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        killed = f"no speaker runs in {directory}: the last one was killed"
        if _engine_runs(directory):
            killed += "; its BGP engine lives on: it keeps its sessions, and announces what it has"
        return BgpctlError(killed, f"start it with `{RUN}`")
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return BgpctlError(f"the speaker in {directory} does not answer: {words}", "see its log")


def _engine_runs(directory: Path) -> bool:
    from bgpctl.exabgp import control

    with contextlib.suppress(OSError):
        return control.runs(directory / places.ENGINE)
    return False


def _understood(directory: Path, read: Callable[[Any], T], answer: Any) -> T:
    try:
        return read(answer)
    except Unreadable:
        raise BgpctlError(
            f"the speaker in {directory} gave an answer that cannot be read",
            "it ended in the middle, or it is of another version; ask again",
        ) from None


def _owner(directory: Path) -> str:
    try:
        return _user(directory.stat(follow_symlinks=False).st_uid)
    except OSError:
        return "somebody else"


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"
