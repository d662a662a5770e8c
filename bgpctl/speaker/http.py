"""`/healthz`, `/readyz` and `/metrics` of one speaker, on the address the operator chose."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bgpctl.errors import UsageError

log = logging.getLogger(__name__)


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
    try:
        server = _server(host, port, answers)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such host"
        raise UsageError(f"cannot listen on {listen}: {reason}", "choose another --listen address") from None
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    log.info("http.listening", extra={"address": listen, "port": server.server_address[1]})

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def _server(host: str, port: int, answers: Answers) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0  # seconds for a client that connects and says nothing

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._send(200, answers.metrics(), "text/plain; version=0.0.4; charset=utf-8")
            elif path in ("/healthz", "/readyz"):
                good, text = (answers.healthy if path == "/healthz" else answers.ready)()
                self._send(200 if good else 503, text + "\n", "text/plain; charset=utf-8")
            else:
                self._send(404, "try /healthz, /readyz or /metrics\n", "text/plain; charset=utf-8")

        def _send(self, code: int, text: str, content_type: str) -> None:
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Probes every few seconds are not worth a log line."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            """Without HTTPServer's look-up of our own name, which waits for a DNS server that is away."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = host, self.server_address[1]

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away in the middle is no news."""
            log.debug("http.broken", exc_info=True)

    return Server((host, port), Handler)
