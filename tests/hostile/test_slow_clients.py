"""Hundreds of clients that trickle their requests, or do not read their answers, at the speaker's port."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import urllib3

from bgpctl.speaker.status import server
from bgpctl.speaker.status.server import PLAIN, Page, Server
from tests.support import hostile_node, objects, speakers
from tests.support.hostile_node import NAME, POD, service, written
from tests.support.ports import free_port
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.hostile

CLIENTS = 400


class Crowd:
    """Clients that each send an octet from time to time, and come again when they are sent away."""

    def __init__(self, port: int) -> None:
        self._port, self._over = port, threading.Event()
        self.turned_away = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def there(self) -> Iterator[Crowd]:
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(self._fresh()) for _ in range(CLIENTS)]
            while not self._over.wait(0.25):
                for number, client in enumerate(clients):
                    try:
                        client.send(b"G")
                    except OSError:
                        self.turned_away += 1
                        client.close()
                        clients[number] = stack.enter_context(self._fresh())

    def _fresh(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), 5)


def asked(port: int, page: str, timeout: float = 1.0) -> tuple[int, str]:
    answer = urllib3.request("GET", f"http://127.0.0.1:{port}/{page}", retries=False, timeout=timeout)
    return answer.status, answer.data.decode()


def count(pid: int, what: str) -> int:
    return len(os.listdir(f"/proc/{pid}/{what}"))


def test_a_speaker_answers_its_health_checks_among_hundreds_that_trickle() -> None:
    with speakers.workplace() as place, hostile_node.witness() as router:
        neighbor = objects.neighbor(f"{router.address}/32", router.asn, peerPort=router.port)
        policy = objects.policy(objects.router(neighbor))
        path = written(place / "state.yaml", objects.node(NAME), policy, *service("web", "192.0.2.80"))
        port = free_port()
        given = ("--node-name", NAME, "--source-address", hostile_node.SOURCE, "--file", path)
        speaker = SpeakerProcess(place / "s", *given, listen=f"127.0.0.1:{port}").start()
        try:
            eventually(lambda: POD in router.routes(), 45)
            assert speaker.process is not None
            pid = speaker.process.pid
            threads, files = count(pid, "task"), count(pid, "fd")
            with Crowd(port).there() as crowd:
                eventually(lambda: crowd.turned_away > CLIENTS, 30)  # the port is full
                for _ in range(30):
                    assert asked(port, "healthz") == (200, "ok\n")
                    assert asked(port, "readyz")[0] == 200
                    assert "bgpctl" in asked(port, "metrics")[1]
                    assert count(pid, "task") <= threads + 2
                    assert count(pid, "fd") <= files + server.READERS + 5
            eventually(lambda: count(pid, "fd") <= files + 1, server.READ_SECONDS + 5)
            assert router.sessions == 1
        finally:
            speaker.end()


@contextmanager
def served(make: Callable[[], Page]) -> Iterator[int]:
    pages = {"/large": make, "/healthz": lambda: Page(200, PLAIN, "ok")}
    port = free_port()
    stop = Server(socket.AF_INET, ("127.0.0.1", port), pages, ("/healthz",)).start("served")
    try:
        yield port
    finally:
        stop()


def test_clients_that_do_not_read_cost_a_bounded_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SEND_SECONDS", 2.0)
    threads = threading.active_count()
    with (
        served(lambda: Page(200, PLAIN, ("x" * 65536 for _ in range(400)))) as port,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(50):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        eventually(lambda: threading.active_count() >= threads + server.WRITERS)
        assert threading.active_count() <= threads + 1 + server.WRITERS
        assert asked(port, "healthz") == (200, "ok")
        assert asked(port, "large") == (503, "too many ask at once; ask again\n")
        eventually(lambda: threading.active_count() <= threads + 1, 10)
        assert asked(port, "large", 10)[0] == 200


@pytest.mark.alone
def test_a_request_has_its_time_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "READ_SECONDS", 1.0)
    with served(lambda: Page(200, PLAIN, "")) as port:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), 5) as client, pytest.raises(OSError):
            while time.monotonic() < began + 5:
                client.sendall(b"G")
                time.sleep(0.05)  # no pause is long
        assert 0.9 < time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("request_line", "code"),
    [
        (b"GET /healthz HTTP/1.0", 200),
        (b"GET /healthz?verbose=1 HTTP/1.1", 200),
        (b"POST /healthz HTTP/1.1", 501),
        (b"GET /healthz", 400),
        (b"\x16\x03\x01\x02", 400),
        (b"GET /other HTTP/1.1", 404),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1", 0),
    ],
)
def test_requests_of_every_kind(request_line: bytes, code: int) -> None:
    with served(lambda: Page(200, PLAIN, "")) as port:
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", port), 5) as client,
            contextlib.suppress(ConnectionError),
        ):
            client.sendall(request_line + b"\r\n\r\n")
            while data := client.recv(4096):
                answer += data
        assert answer.split(b" ")[1:2] == ([str(code).encode()] if code else [])
        assert asked(port, "healthz") == (200, "ok")
