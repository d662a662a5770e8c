"""The three pages that a speaker serves on the address the operator chose: `/healthz`, `/readyz` and
`/metrics`."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from bgpctl.errors import UsageError
from bgpctl.speaker.status.server import PLAIN, Page, Pages, Server

log = logging.getLogger(__name__)

METRICS = "text/plain; version=0.0.4; charset=utf-8"
QUICK = ("/healthz", "/readyz")


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
        server = Server(family, (host, port), _pages(answers), QUICK)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such host"
        raise UsageError(f"cannot listen on {listen}: {reason}", "choose another --listen address") from None
    log.info("http.listening", extra={"address": listen, "port": server.port})
    return server.start("http")


def _pages(answers: Answers) -> Pages:
    def verdict(asked: Callable[[], tuple[bool, str]]) -> Page:
        good, text = asked()
        return Page(200 if good else 503, PLAIN, text + "\n")

    return {
        "/healthz": lambda: verdict(answers.healthy),
        "/readyz": lambda: verdict(answers.ready),
        "/metrics": lambda: Page(200, METRICS, answers.metrics()),
    }
