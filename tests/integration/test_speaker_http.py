"""/healthz, /readyz and /metrics over real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3
import yaml

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.state import NodeState
from bgpctl.errors import UsageError
from bgpctl.speaker import run
from bgpctl.speaker.counters import Bell
from bgpctl.speaker.manager import Manager
from bgpctl.speaker.sources import FileSource, KubeSource
from bgpctl.speaker.status import pages
from bgpctl.speaker.status.publisher import Publisher
from tests.support import apiserver, clients, objects
from tests.support.cli import bgpctl
from tests.support.fake_engine import FakeEngine, FakeSource
from tests.support.ports import free_port
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

YES = pages.Answers(lambda: (True, "ok"), lambda: (True, "fine"), lambda: "metric 1\n")


@contextmanager
def serving(answers: pages.Answers, host: str = "127.0.0.1") -> Iterator[str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = f"{host}:{free_port(family, host.strip('[]'))}"
    stop = pages.serve(address, answers)
    try:
        yield f"http://{address}"
    finally:
        stop()


def get(url: str) -> tuple[int, str]:
    answer = urllib3.request("GET", url, retries=False, timeout=5)
    return answer.status, answer.data.decode()


# --- the server -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_three_paths_and_no_more(host: str) -> None:
    if host == "[::1]" and not _has_ipv6():
        pytest.skip("no IPv6 on loopback")
    with serving(YES, host) as url:
        assert get(f"{url}/healthz") == (200, "ok\n")
        assert get(f"{url}/readyz?verbose") == (200, "fine\n")
        assert get(f"{url}/metrics") == (200, "metric 1\n")
        assert get(f"{url}/")[0] == 404
        assert get(f"{url}/metricsx")[0] == 404
        head = urllib3.request("GET", f"{url}/metrics", retries=False).headers
        assert head["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def _has_ipv6() -> bool:
    try:
        free_port(socket.AF_INET6, "::1")
    except OSError:
        return False
    return True


def test_no_is_503_with_the_reason() -> None:
    no = replace(YES, healthy=lambda: (False, "stuck"), ready=lambda: (False, "waiting"))
    with serving(no) as url:
        assert get(f"{url}/healthz") == (503, "stuck\n")
        assert get(f"{url}/readyz") == (503, "waiting\n")


def test_clients_that_misbehave_are_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise RuntimeError("no traceback on the terminal")

    with serving(replace(YES, metrics=broken)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as silent:
            with socket.create_connection(("127.0.0.1", port)) as rude:
                rude.sendall(b"\x16\x03\x01 GET nonsense\r\n\r\n")
            with pytest.raises(urllib3.exceptions.HTTPError):
                get(f"{url}/metrics")
            assert get(f"{url}/healthz")[0] == 200, "one silent client holds nobody up"
            assert silent.fileno() > 0
    assert capfd.readouterr().err == ""


def test_after_stop_nobody_listens() -> None:
    with serving(YES) as url:
        get(f"{url}/healthz")
    with pytest.raises(urllib3.exceptions.HTTPError):
        get(f"{url}/healthz")


# --- where it listens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9180", ("127.0.0.1", 9180)),
        (":9180", ("0.0.0.0", 9180)),
        ("[::1]:80", ("::1", 80)),
        ("[::]:80", ("::", 80)),
        ("host.example:0", ("host.example", 0)),
    ],
)
def test_listen(text: str, address: tuple[str, int]) -> None:
    assert pages.parse_listen(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "9180", "host", "host:", "host:x", "h:65536", "h:-1", "h:²", "::1:80", "h:999999999999", "h: 80"],
)
def test_listen_that_is_wrong(text: str) -> None:
    with pytest.raises(UsageError, match="is not HOST:PORT"):
        pages.parse_listen(text)


def test_an_address_that_cannot_be_had() -> None:
    with serving(YES) as url:
        taken = url.removeprefix("http://")
        with pytest.raises(UsageError, match=f"cannot listen on {taken}: Address already in use"):
            pages.serve(taken, YES)
    for text in ("no-such-host.invalid:1", "192.0.2.77:1", "x" * 80 + ":1"):
        with pytest.raises(UsageError, match="cannot listen on"):
            pages.serve(text, YES)


def test_the_command_exits_with_2() -> None:
    ran = bgpctl("speaker", "run", "--node-name", "n", "--file", "/dev/null", "--listen", "here")
    assert (ran.code, ran.out) == (2, "")
    assert "--listen 'here' is not HOST:PORT" in ran.err and "127.0.0.1:9180" in ran.err


# --- what a speaker answers -------------------------------------------------------------------------------


class Nowhere:
    def read(self) -> NodeState | None:
        return None

    def write(self, state: NodeState) -> None:
        raise SystemExit  # as nothing but a thread's own end is: no Exception


def speaker(seen: ClusterObjects | None) -> tuple[Manager, FakeSource, pages.Answers]:
    source = FakeSource(seen)
    manager = Manager("worker-1", source, FakeEngine(), lambda state: None, bell=Bell())
    return manager, source, run._answers(manager, source, Publisher(Nowhere()))


SEEN = ClusterObjects(node=objects.node(), policies=(objects.policy(),))


def test_ready_once_everything_was_read_and_announced() -> None:
    manager, source, answers = speaker(None)
    source.sentences = ("the API server is away",)
    assert answers.ready() == (False, "waiting for the first objects: the API server is away")
    assert answers.healthy() == (True, "ok")
    source.objects = SEEN
    assert not answers.ready()[0]
    manager.tick()
    assert answers.ready() == (True, "Running, 0/1 peers established")
    assert "reconcile_run_duration_seconds_count 1\n" in answers.metrics()


def test_a_node_out_of_service_is_ready() -> None:
    """It is as it should be; a rollout must not wait for it."""
    manager, _, answers = speaker(replace(SEEN, node=objects.node(labels={})))
    manager.tick()
    assert answers.ready() == (True, "Idle, 0/0 peers established")


@pytest.mark.parametrize("phase", ["Starting", "Leaving", "Stopped"])
def test_not_ready_on_the_way(phase: str) -> None:
    manager, _, answers = speaker(SEEN)
    manager.tick()
    manager._reporting.state = NodeState("worker-1", phase)
    assert not answers.ready()[0]


def test_a_loop_that_hangs_is_neither_healthy_nor_ready() -> None:
    manager, _, answers = speaker(SEEN)
    manager.tick()
    manager.counters.ticked_at = time.monotonic() - run.STUCK_AFTER - 5
    assert answers.healthy() == (False, "the loop has not run for 65 s")
    assert answers.ready() == answers.healthy()


def test_an_engine_that_is_gone_is_neither_healthy_nor_ready_whatever_was_seen() -> None:
    manager, _, answers = speaker(SEEN)
    manager.tick()
    assert answers.ready()[0]
    assert isinstance(manager._engine, FakeEngine)
    manager._engine.trouble = "the BGP engine's process is gone"
    assert answers.healthy() == answers.ready() == (False, "the BGP engine's process is gone")
    manager.tick()
    assert "the BGP engine's process is gone" in manager.state.problems


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_threads_that_are_gone_are_no_health(tmp_path: Path) -> None:
    """Whatever they follow or tell stays as it was for ever."""
    publisher = Publisher(Nowhere()).start()
    manager, _, _ = speaker(SEEN)
    publisher.offer(manager.state)
    gone = "the thread that publishes the state is gone"
    answers = run._answers(manager, FakeSource(SEEN), publisher)
    eventually(lambda: answers.healthy() == (False, gone))

    def dead() -> None:
        raise SystemExit

    path = tmp_path / "state.yaml"
    path.write_text(yaml.safe_dump_all([objects.node(), objects.policy()]))
    file = FileSource(path, "worker-1", dead, poll=0.02)
    file.start()
    path.write_text("kind: [")
    eventually(lambda: file.trouble() == f"the thread that follows {path} is gone")
    assert run._answers(manager, file, Publisher(Nowhere())).healthy() == (False, file.trouble())

    with apiserver.running(controllers=False) as server:
        cluster = KubeSource(clients.client(server), "worker-1", "kube-system", lambda: None)
        cluster._services._ring = dead
        cluster.start()
        try:
            eventually(lambda: cluster.trouble() == "the thread that watches /api/v1/services is gone")
        finally:
            cluster.stop()
