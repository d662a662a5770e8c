"""`/healthz`, `/readyz` and `/metrics` of one speaker, on the address the operator chose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bgpctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Answers:
    """What the three paths say. `healthy`, `ready` return (yes?, one sentence)."""

    healthy: Callable[[], tuple[bool, str]]
    ready: Callable[[], tuple[bool, str]]
    metrics: Callable[[], str]


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `:PORT` or `[v6]:PORT`."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {text!r} is not HOST:PORT", "for example --listen 127.0.0.1:9180")
    return host.strip("[]") or "0.0.0.0", int(port)


def serve(listen: str, answers: Answers) -> Callable[[], None]:
    """Start serving in a thread; returns the function that ends it."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._send(200, answers.metrics(), "text/plain; version=0.0.4; charset=utf-8")
            elif self.path in ("/healthz", "/readyz"):
                good, text = (answers.healthy if self.path == "/healthz" else answers.ready)()
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

    host, port = parse_listen(listen)
    if ":" in host:
        import socket

        Server.address_family = socket.AF_INET6
    try:
        server = Server((host, port), Handler)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {listen}: {error.strerror}", "choose another --listen address"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
