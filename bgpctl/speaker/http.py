"""A small HTTP server for pages that are made when they are asked for, and the three pages that a speaker
serves on the address the operator chose: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bgpctl.errors import UsageError

log = logging.getLogger(__name__)


PLAIN = "text/plain; charset=utf-8"
BLOCK = 1 << 16
METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. A `body` in pieces is sent as it is made; a str goes with its length."""

    code: int
    content_type: str
    body: str | Iterable[str]


Pages = Mapping[str, Callable[[], Page]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the three paths say. `healthy`, `ready` return (yes?, one sentence)."""

    healthy: Callable[[], tuple[bool, str]]
    ready: Callable[[], tuple[bool, str]]
    metrics: Callable[[], str]


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `:PORT` or `[v6]:PORT`. Raises UsageError."""
    host, separator, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else -1
    bracketed = host.startswith("[") and host.endswith("]")
    if not separator or not 0 <= number <= 65535 or (":" in host and not bracketed):
        raise UsageError(
            f"--listen {text!r} is not HOST:PORT", "for example --listen 127.0.0.1:9180 or [::1]:9180"
        )
    return host.strip("[]") or "0.0.0.0", number


def serve(listen: str, answers: Answers) -> Callable[[], None]:
    """Start serving in a thread; returns the function that ends it. Raises UsageError."""
    host, port = parse_listen(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = make_server(family, (host, port), _pages(answers))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such host"
        raise UsageError(f"cannot listen on {listen}: {reason}", "choose another --listen address") from None
    log.info("http.listening", extra={"address": listen, "port": server.server_address[1]})
    return start(server, "http")


def start(server: ThreadingHTTPServer, name: str) -> Callable[[], None]:
    """Serve in a thread; returns the function that ends it."""
    threading.Thread(target=server.serve_forever, name=name, daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def _pages(answers: Answers) -> Pages:
    def verdict(asked: Callable[[], tuple[bool, str]]) -> Page:
        good, text = asked()
        return Page(200 if good else 503, PLAIN, text + "\n")

    return {
        "/healthz": lambda: verdict(answers.healthy),
        "/readyz": lambda: verdict(answers.ready),
        "/metrics": lambda: Page(200, METRICS, answers.metrics()),
    }


def make_server(family: int, address: tuple[str, int] | str, pages: Pages) -> ThreadingHTTPServer:
    """A server for TCP or a unix socket that listens already and serves nothing yet. Raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0  # seconds for a client that connects and says nothing

        def do_GET(self) -> None:
            make = pages.get(self.path.partition("?")[0])
            self._send(make() if make else Page(404, PLAIN, f"try {', '.join(pages)}\n"))

        def _send(self, page: Page) -> None:
            """HTTP/1.0: a body without a length ends with the connection."""
            self.send_response(page.code)
            self.send_header("Content-Type", page.content_type)
            pieces = (page.body,) if isinstance(page.body, str) else page.body
            if isinstance(page.body, str):
                self.send_header("Content-Length", str(len(page.body.encode())))
            self.end_headers()
            for block in _blocks(pieces):
                self.wfile.write(block)

        def log_message(self, *args: object) -> None:
            """Probes every few seconds are not worth a log line."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = family

        def server_bind(self) -> None:
            """Without HTTPServer's look-up of our own name, which waits for a DNS server that is away."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = str(self.server_address[0]), 0

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away in the middle is no news."""
            log.debug("http.broken", exc_info=True)

    return Server(address, Handler)  # type: ignore[arg-type]


def _blocks(pieces: Iterable[str]) -> Iterator[bytes]:
    """Small pieces together: one write to the socket for each of 50,000 routes costs more than they do."""
    block = bytearray()
    for piece in pieces:
        block += piece.encode()
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
