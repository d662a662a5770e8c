"""What no API server would send, and watches that are dead without an end: at one mirror, quickly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bgpctl.kube import paths
from bgpctl.kube.watch import Mirror, Timing
from bgpctl.lab.api import ApiServer
from tests.support import apiserver, clients, objects, wire_server
from tests.support.wait import eventually, throughout
from tests.support.wire_server import Behaviour

pytestmark = pytest.mark.hostile

QUICK = Timing(watch=20.0, silence=0.4, backoff=(0.05, 0.3), healthy=5.0)


class Proxy:
    """Between a client and the server, byte by byte; `cut` leaves every connection open and silent, and
    `instead` answers new ones."""

    def __init__(self, server: ApiServer) -> None:
        host, port = server.url.removeprefix("http://").rsplit(":", 1)
        self._target = (host, int(port))
        self.forwarding = threading.Event()
        self.forwarding.set()
        self.instead: Behaviour | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.forwarding.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.instead is not None:
                with client:
                    client.recv(65536)
                    self.instead(client)
                return
            server = socket.create_connection(self._target)
        except OSError:
            return
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, target, self.forwarding), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, open_: threading.Event) -> None:
        try:
            while data := source.recv(65536):
                if not open_.is_set():
                    return  # both stay open: no FIN, no answer
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as made:
        made.apply(objects.node("a"))
        yield made


@contextmanager
def mirror(proxy: Proxy, server: ApiServer, timing: Timing = QUICK) -> Iterator[Mirror]:
    client = clients.plain_client(proxy.url, server.admin_token)
    made = Mirror(client, paths.NODES, lambda: None, timing=timing).start()
    try:
        assert made.synced.wait(5)
        yield made
    finally:
        made.stop()
        proxy.close()


def names(made: Mirror) -> list[str]:
    return sorted(item["metadata"]["name"] for item in made.items())


def test_a_watch_that_is_dead_without_an_end_is_noticed_and_nothing_is_missed(server: ApiServer) -> None:
    proxy = Proxy(server)
    with mirror(proxy, server) as made:
        proxy.cut()
        server.apply(objects.node("b"))
        proxy.forwarding = threading.Event()  # for what is opened from now on
        proxy.forwarding.set()
        eventually(lambda: names(made) == ["a", "b"], 10 * QUICK.silence)


def lines(*events: object) -> Behaviour:
    body = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return wire_server.http("200 OK", body)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * (1 << 20))


NONSENSE = {
    "a login page": wire_server.http("200 OK", b"<html>log in</html>", "Content-Type: text/html"),
    "an empty answer": wire_server.http("200 OK", b""),
    "a list that is none": wire_server.http("200 OK", b"[]"),
    "an object of another kind": wire_server.http("200 OK", b'{"kind": "Pod"}'),
    "items that are none": wire_server.http("200 OK", b'{"items": [1, null, {}], "metadata": {}}'),
    "garbage": wire_server.http("200 OK", bytes(range(256)) * 20),
    "not HTTP": lambda connection: connection.sendall(b"\x16\x03\x01\x02\x00" * 20),
    "an internal error": wire_server.http("500 Oops", b'{"kind": "Status", "message": "etcd is away"}'),
    "a refusal": wire_server.http("403 Forbidden", b'{"kind": "Status", "reason": "Forbidden"}'),
    "an expired token": wire_server.http("401 Unauthorized", b""),
    "a redirect": wire_server.http("302 Found", b"", "Location: http://127.0.0.1:1/"),
    "a Retry-After of nonsense": wire_server.http("500 Oops", b"", "Retry-After: soon"),
    "a reset": wire_server.reset,
    "half an answer": lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
    ),
    "an ERROR event, 410": lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}}),
    "an ERROR event without an object": lines({"type": "ERROR", "object": None}),
    "an event of nothing": lines({"type": "ADDED", "object": {}}),
    "an event that is a list": lines([1, 2]),
    "an event without end": endless,
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_changes_nothing_and_is_told(server: ApiServer, what: str) -> None:
    proxy = Proxy(server)
    with mirror(proxy, server) as made:
        proxy.instead = NONSENSE[what]
        proxy.cut()  # the watch dies, and what follows meets the nonsense
        # Of the nonsense, not of the watch that was dead before it: that one is forgotten with the next try.
        problem = eventually(lambda: "timed out" not in made.problem and made.problem, 10)
        assert "Traceback" not in problem and len(problem) < 500
        throughout(lambda: names(made) == ["a"], 0.3)
        server.apply(objects.node("b"))
        proxy.instead, proxy.forwarding = None, threading.Event()
        proxy.forwarding.set()
        eventually(lambda: names(made) == ["a", "b"], 10)
        eventually(lambda: not made.problem, 10)
