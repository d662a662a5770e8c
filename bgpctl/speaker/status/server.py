"""An HTTP/1.0 server for a handful of pages, which no number of slow clients can hold up.

One thread reads every request and answers the quick pages by itself: a health check needs nothing that
another client can use up. A request has READ_SECONDS, however it trickles in; of more than READERS that are
not there yet the oldest goes. A page that takes time to make or to send gets a thread, one of WRITERS, and
SEND_SECONDS for its reader.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

PLAIN = "text/plain; charset=utf-8"
READERS, WRITERS = 256, 8
READ_SECONDS, SEND_SECONDS = 5.0, 30.0
LONGEST_REQUEST = 8192  # octets
BLOCK = 1 << 16
PAUSE_SECONDS = 0.1  # after a connection that could not be taken: the process has no descriptor left

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. A `body` in pieces is sent as it is made; a str goes with its length."""

    code: int
    content_type: str
    body: str | Iterable[str]


Pages = Mapping[str, Callable[[], Page]]


@dataclass(slots=True)
class _Request:
    """One that is not there yet, and until when it is waited for (monotonic)."""

    until: float
    head: bytes = b""

    @property
    def whole(self) -> bool:
        return b"\r\n\r\n" in self.head or b"\n\n" in self.head


class Server:
    """Listens from the start on and serves from `start` on. `quick` pages must be made at once and fit into a
    socket's buffer. Raises OSError, and UnicodeError for a host that is none."""

    def __init__(
        self, family: int, address: tuple[str, int] | str, pages: Pages, quick: Collection[str] = ()
    ) -> None:
        self._pages, self._quick = pages, quick
        self._requests: dict[socket.socket, _Request] = {}  # the oldest first
        self._writers = threading.BoundedSemaphore(WRITERS)
        self._ears, self._bell = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if family != socket.AF_UNIX:
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
            self._listener.listen(socket.SOMAXCONN)
        except BaseException:
            self._close()
            raise
        self._listener.setblocking(False)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self, name: str) -> Callable[[], None]:
        """Serve in a thread; returns the function that ends it."""
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.start()

        def stop() -> None:
            with self._bell:
                self._bell.send(b"x")
                thread.join()

        return stop

    # -- the thread that reads

    def _run(self) -> None:
        for one in (self._listener, self._ears):
            self._selector.register(one, selectors.EVENT_READ)
        try:
            while self._turn():
                pass
        finally:
            self._close()

    def _turn(self) -> bool:
        """Whatever is ready, each of it once. False at the end."""
        oldest = next(iter(self._requests.values()), None)
        patience = None if oldest is None else max(0.0, oldest.until - time.monotonic())
        for key, _ in self._selector.select(patience):
            if key.fileobj is self._ears:
                return False
            if key.fileobj is self._listener:
                while self._accept():
                    pass
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._requests:
                self._read(key.fileobj)
        now = time.monotonic()
        for late in [client for client, request in self._requests.items() if request.until <= now]:
            self._drop(late)
        return True

    def _accept(self) -> bool:
        """One that waits; False when there is none, or none can be taken."""
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except OSError:
            if self._requests:
                self._drop(next(iter(self._requests)))
            else:
                time.sleep(PAUSE_SECONDS)
            return False
        client.setblocking(False)
        request = _Request(time.monotonic() + READ_SECONDS)
        if _receive(client, request):  # mostly it is there already
            self._done(client, request)
            return True
        if len(self._requests) >= READERS:
            self._drop(next(iter(self._requests)))
        self._requests[client] = request
        self._selector.register(client, selectors.EVENT_READ)
        return True

    def _read(self, client: socket.socket) -> None:
        request = self._requests[client]
        if _receive(client, request):
            self._forget(client)
            self._done(client, request)

    def _done(self, client: socket.socket, request: _Request) -> None:
        if request.whole:
            self._answer(client, request.head)
        else:
            client.close()

    def _answer(self, client: socket.socket, head: bytes) -> None:
        path, refusal = _path(head)
        make = self._pages.get(path)
        if refusal or make is None:
            known = f"try {', '.join(self._pages)}\n"
            self._send(client, lambda: Page(refusal or 404, PLAIN, known))
        elif path in self._quick:
            self._send(client, make)
        else:
            self._send_elsewhere(client, make)

    def _send_elsewhere(self, client: socket.socket, make: Callable[[], Page]) -> None:
        def send() -> None:
            try:
                self._send(client, make, SEND_SECONDS)
            finally:
                self._writers.release()

        if not self._writers.acquire(blocking=False):
            self._send(client, lambda: Page(503, PLAIN, "too many ask at once; ask again\n"))
            return
        try:
            threading.Thread(target=send, name="answer", daemon=True).start()
        except RuntimeError:  # no thread is to be had
            self._writers.release()
            client.close()

    def _send(self, client: socket.socket, make: Callable[[], Page], seconds: float = 0.0) -> None:
        """A client that goes away in the middle, or reads too slowly, is no news."""
        until = time.monotonic() + seconds
        with client:
            try:
                for block in _blocks(make()):
                    client.settimeout(max(0.0, until - time.monotonic()))
                    client.sendall(block)
                client.shutdown(socket.SHUT_WR)
            except Exception:
                log.debug("http.broken", exc_info=True)

    # -- clients that go

    def _forget(self, client: socket.socket) -> None:
        del self._requests[client]
        self._selector.unregister(client)

    def _drop(self, client: socket.socket) -> None:
        self._forget(client)
        client.close()

    def _close(self) -> None:
        self._selector.close()
        for one in (self._listener, self._ears, *self._requests):
            with contextlib.suppress(OSError):
                one.close()


def _receive(client: socket.socket, request: _Request) -> bool:
    """Take what is there. Is it all that will come, or more than we read?"""
    try:
        data = client.recv(LONGEST_REQUEST)
    except BlockingIOError:
        return False
    except OSError:
        data = b""
    request.head += data
    return request.whole or not data or len(request.head) > LONGEST_REQUEST


def _path(head: bytes) -> tuple[str, int]:
    """What is asked for, and the code of a refusal (0 = none)."""
    words = head.split(b"\n", 1)[0].decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return "", 400
    return words[1].partition("?")[0], 0 if words[0] == "GET" else 501


def _blocks(page: Page) -> Iterator[bytes]:
    """Small pieces together: one write to the socket for each of 50,000 routes costs more than they do.
    HTTP/1.0: a body without a length ends with the connection."""
    lines = [f"HTTP/1.0 {page.code} {HTTPStatus(page.code).phrase}", f"Content-Type: {page.content_type}"]
    if isinstance(page.body, str):
        lines.append(f"Content-Length: {len(page.body.encode())}")
    block = bytearray("\r\n".join((*lines, "Connection: close", "", "")).encode())
    for piece in (page.body,) if isinstance(page.body, str) else page.body:
        block += piece.encode()
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
