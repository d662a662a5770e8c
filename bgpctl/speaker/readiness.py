"""The operator's own word on whether a node may take traffic again: a URL (kube-proxy's healthz, say), a
command.

Asked every second while somebody waits for it, and by nobody else: it is a gate on the way up only.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from bgpctl import __version__
from bgpctl.errors import UsageError

EVERY_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
NOT_ASKED = "the readiness check has not answered yet"
MAX_STATUS_LINE = 1024

Check = Callable[[], str]
"""Returns why the node is not ready, "" when it is. Its words do not change from one second to the next."""


class Readiness:
    """All of `checks` must agree. `ring` is called when the answer changed; without checks it is always
    yes."""

    def __init__(
        self,
        checks: Sequence[Check] = (),
        ring: Callable[[], None] = lambda: None,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._checks, self._ring, self._every = tuple(checks), ring, every
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._round = 0  # an answer to an earlier wait must not open a later one
        self._answer = NOT_ASKED if checks else ""
        self._thread: threading.Thread | None = None

    @property
    def unconfirmed(self) -> str:
        """Why the node is not confirmed to be ready, "" when it is."""
        return self._answer

    def want(self, waiting: bool) -> None:
        """Is somebody waiting for a yes? What was said before counts no more, the next time that one
        waits."""
        if not self._checks or waiting == self._wanted.is_set():
            return
        with self._lock:
            self._round += 1
            self._answer = NOT_ASKED
        if not waiting:
            self._wanted.clear()
            return
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._wanted.wait():
            asked = self._round
            answer = "; ".join(filter(None, (check() for check in self._checks)))
            with self._lock:
                new = asked == self._round and answer != self._answer
                if new:
                    self._answer = answer
            if new:
                self._ring()
            time.sleep(self._every)


def of_url(url: str) -> Check:
    """A GET that must be answered with 2xx. Redirects are not followed: nobody is asked whom the operator did
    not name. Raises UsageError."""
    try:
        parts, printable = urlsplit(url), all("!" <= character <= "~" for character in url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, printable, parts = None, None, False, urlsplit("")
    if not host or not printable or parts.scheme not in ("http", "https") or parts.username is not None:
        hint = "write http://127.0.0.1:10256/healthz, without a user and a password"
        raise UsageError(f"--ready-url: {_shown(url)} is no URL that can be asked", hint)
    place = host, port or (443 if parts.scheme == "https" else 80)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    lines = (f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", f"User-Agent: bgpctl/{__version__}")
    request = "\r\n".join((*lines, "Accept: */*", "Connection: close", "", "")).encode()
    name = _shown(url)

    def check() -> str:
        try:
            status = _status(place, request, parts.scheme == "https")
        except OSError as error:
            return f"{name} cannot be asked: {error.strerror or type(error).__name__}"
        return "" if 200 <= status < 300 else f"{name} answers {status or 'no HTTP'}"

    return check


def of_command(argv: Sequence[str]) -> Check:
    """A command, without a shell, that must end with 0. What it prints is not kept: nobody bounds it."""

    def check() -> str:
        try:
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        except (OSError, ValueError) as error:
            return f"{argv[0]} cannot be run: {getattr(error, 'strerror', None) or error}"
        try:
            code = process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{argv[0]} did not end within {TIMEOUT_SECONDS:g} s"
        return f"{argv[0]} ended with {code}" if code else ""

    return check


def _status(place: tuple[str, int], request: bytes, tls: bool) -> int:
    """The status code, 0 for what is no HTTP. Raises OSError; takes TIMEOUT_SECONDS at most, however slowly
    it is answered."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(socket.create_connection(place, TIMEOUT_SECONDS))
        if tls:
            import ssl

            stream.settimeout(max(0.01, deadline - time.monotonic()))
            context = ssl.create_default_context()
            stream = stack.enter_context(context.wrap_socket(stream, server_hostname=place[0]))
        stream.sendall(request)
        head = b""
        while b"\n" not in head and len(head) < MAX_STATUS_LINE:
            stream.settimeout(max(0.01, deadline - time.monotonic()))
            data = stream.recv(MAX_STATUS_LINE)
            if not data:
                break
            head += data
    found = re.match(rb"HTTP/1\.[01] (\d{3})\b", head)
    return int(found[1]) if found else 0


def _shown(url: str) -> str:
    """Without what may be a secret: a user, a password, a query."""
    text = re.sub(r"//[^/@]*@", "//", url.partition("?")[0])
    return repr(text[:100]) if not text.isprintable() or not text else text[:100]
