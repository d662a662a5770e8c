"""When a state is written, and what happens when it cannot be."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.state import NodeState, WithdrawnRecord
from bgpctl.core.state_document import from_document, to_document
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import Client, NotFound
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from bgpctl.ports import Sink
from bgpctl.speaker.status.kubesink import KubeSink
from bgpctl.speaker.status.publisher import FileSink, Pace, Publisher
from tests.support import apiserver, clients
from tests.support.wait import eventually, throughout

RUNNING = NodeState("n", "Running", announced=1)
MORE = replace(RUNNING, announced=2)
LEFT = replace(RUNNING, phase="Withdrawn", announced=0)

# --- when (pure) ------------------------------------------------------------------------------------------


def test_the_first_state_is_due_at_once() -> None:
    assert Pace().due(RUNNING, None, -math.inf, 0) == -math.inf


def test_a_change_waits_a_second_and_a_phase_does_not() -> None:
    assert Pace().due(MORE, RUNNING, 100.0, 0) == 101.0
    assert Pace().due(LEFT, RUNNING, 100.0, 0) == 100.0


def test_without_a_change_the_heart_beats_every_minute() -> None:
    assert Pace().due(RUNNING, RUNNING, 100.0, 0) == 160.0


@pytest.mark.parametrize("offered", [RUNNING, MORE, LEFT])
def test_failures_back_off_whatever_is_offered(offered: NodeState) -> None:
    pauses = [Pace().due(offered, RUNNING, 0.0, failures) for failures in (1, 2, 3, 4, 5, 10_000)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


# --- the thread -------------------------------------------------------------------------------------------


class Memory:
    """A sink that can be told to fail, or to take its time."""

    def __init__(self) -> None:
        self.written: list[NodeState] = []
        self.tries = 0
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def read(self) -> NodeState | None:
        return None

    def write(self, state: NodeState) -> None:
        self.tries += 1
        self.entered.set()
        assert self.gate.wait(5)
        if self.fault:
            raise self.fault
        self.written.append(replace(state, heartbeat=0.0))


QUICK = Pace(minimum=0.2, heartbeat=30.0, backoff=(0.1, 0.3))


@contextmanager
def publishing(sink: Sink, pace: Pace = QUICK) -> Iterator[Publisher]:
    publisher = Publisher(sink, pace).start()
    try:
        yield publisher
    finally:
        publisher.close(NodeState("n", "Stopped"))
        assert not publisher._thread.is_alive()


def test_the_same_state_is_written_once() -> None:
    sink = Memory()
    with publishing(sink) as publisher:
        for _ in range(50):
            publisher.offer(RUNNING)
        eventually(lambda: sink.written)
        throughout(lambda: sink.tries == 1, 0.5)


def test_overtaken_states_are_not_written() -> None:
    sink = Memory()
    with publishing(sink) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: sink.written == [RUNNING])
        for announced in range(2, 60):
            publisher.offer(replace(RUNNING, announced=announced))
        eventually(lambda: sink.written[-1].announced == 59)
        assert len(sink.written) == 2


def test_a_phase_does_not_queue_behind_the_pace() -> None:
    sink = Memory()
    with publishing(sink, Pace(minimum=30.0)) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: sink.written == [RUNNING])
        publisher.offer(MORE)
        publisher.offer(LEFT)
        eventually(lambda: sink.written == [RUNNING, LEFT])


def test_the_heart_beats_with_a_new_time() -> None:
    times: list[float] = []

    class Sink(Memory):
        def write(self, state: NodeState) -> None:
            times.append(state.heartbeat)

    with publishing(Sink(), Pace(heartbeat=0.1)) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: len(times) >= 3)
    assert times == sorted(set(times))


def test_the_heart_does_not_beat_for_a_loop_that_hangs() -> None:
    """A loop offers its state every 15 s; what it said a minute ago is nobody's word."""
    now = 100.0
    publisher = Publisher(Memory(), clock=lambda: now)
    publisher.offer(RUNNING)
    publisher._write(RUNNING)
    now = 145.0
    publisher.offer(RUNNING)
    assert publisher._patience() == 15.0
    publisher._tried_at = 160.0
    assert publisher._patience() == math.inf, "not offered since 145"
    publisher.offer(MORE)
    assert publisher._patience() == 16.0, "what is new is written"


def test_a_problem_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = Memory()
    sink.fault = Temporary("the API server is away")
    with publishing(sink) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: sink.tries >= 4)
        assert publisher.problem == "the API server is away"
        sink.fault = None
        eventually(lambda: sink.written == [RUNNING])
        eventually(lambda: publisher.problem == "", why="it is written first, and noted then")
    assert caplog.messages == ["state.not_published", "state.published_again"]


def test_a_bug_in_the_sink_ends_nothing() -> None:
    sink = Memory()
    sink.fault = KeyError("s3cret")
    with publishing(sink) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: sink.tries >= 2)
        assert publisher.problem == "bug: KeyError"
        sink.fault = None
        eventually(lambda: sink.written)


def test_a_failed_heartbeat_is_tried_again_soon() -> None:
    """Two that are missed make the whole node look dead."""
    sink = Memory()
    with publishing(sink, Pace(heartbeat=1.0, backoff=(0.05, 0.1))) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: sink.written)
        sink.fault = Temporary("no")
        eventually(lambda: sink.tries >= 4, deadline=2.0)
        assert publisher.problem


def test_offering_never_waits_for_the_sink() -> None:
    sink = Memory()
    sink.gate.clear()
    with publishing(sink) as publisher:
        publisher.offer(RUNNING)
        assert sink.entered.wait(5)
        publisher.offer(MORE)
        publisher.offer(LEFT)
        sink.gate.set()
        eventually(lambda: sink.written == [RUNNING, LEFT])


def test_close_writes_the_last_state() -> None:
    sink = Memory()
    with publishing(sink, Pace(minimum=30)) as publisher:
        publisher.offer(RUNNING)
        eventually(lambda: sink.written)
        publisher.offer(MORE)
    assert [state.phase for state in sink.written] == ["Running", "Stopped"]


def test_close_does_not_wait_for_a_sink_that_hangs() -> None:
    sink = Memory()
    sink.gate.clear()
    publisher = Publisher(sink, QUICK).start()
    publisher.offer(RUNNING)
    assert sink.entered.wait(5)
    publisher.close(LEFT, timeout=0.1)
    sink.gate.set()


# --- the object on the API server -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as running:
        running.apply(*crds())
        yield running


@pytest.fixture
def api(server: ApiServer) -> Iterator[Client]:
    server.faults.clear()
    made = clients.client(server)
    yield made
    for item in made.items(paths.NODE_STATES):
        made.delete(paths.node_state(item["metadata"]["name"]))


def status(api: Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get(paths.node_state("n"))["status"]
    return found


@pytest.mark.integration
def test_the_object_is_made_and_its_status_replaced_whole(api: Client) -> None:
    record = WithdrawnRecord("why", 1.0, 2.0, 3.0, ())
    sink = KubeSink(api, "n")
    assert sink.read() is None
    sink.write(replace(RUNNING, heartbeat=5.0, policy_problem="bad", withdrawn=record, absent={"x": 1}))
    assert status(api)["policyProblem"] == "bad"
    sink.write(replace(RUNNING, heartbeat=6.0))
    left = status(api)
    assert not {"policyProblem", "withdrawn", "absent"} & set(left)
    assert dated(sink) == replace(RUNNING, heartbeat=6.0)


@pytest.mark.integration
def test_another_writer_may_make_the_object_first(server: ApiServer, api: Client) -> None:
    server.faults.add(Fault("answer", verb="patch", resource="bgpnodestates/status", code=404, count=1))
    api.create(paths.NODE_STATES, to_document(RUNNING))
    KubeSink(api, "n").write(MORE)
    assert status(api)["routes"]["announced"] == 2


@pytest.mark.integration
def test_what_another_version_wrote_is_nothing(api: Client) -> None:
    sink = KubeSink(api, "n")
    sink.write(RUNNING)
    patch = {"status": {"heartbeatTime": None, "phase": "Running", "peers": []}}
    api.patch(f"{paths.node_state('n')}/status", patch)
    assert dated(sink) == replace(RUNNING, announced=1)


def dated(sink: KubeSink) -> NodeState:
    """What stands there, apart from the instant at which the server took it: that is always told."""
    found = sink.read()
    assert found is not None and found.reported_at > 1.7e9
    return replace(found, reported_at=0.0)


@pytest.mark.integration
def test_a_cluster_without_the_crd() -> None:
    with apiserver.running(controllers=False) as bare:
        sink = KubeSink(clients.client(bare), "n")
        assert sink.read() is None
        with pytest.raises(BgpctlError, match="CustomResourceDefinition is not installed") as caught:
            sink.write(RUNNING)
        assert not isinstance(caught.value, NotFound)


# --- the file ---------------------------------------------------------------------------------------------


def test_the_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    (tmp_path / "state.tmp").touch(0o644)  # left by a killed speaker
    sink = FileSink(path)
    assert sink.read() is None
    sink.write(RUNNING)
    assert path.stat().st_mode & 0o777 == 0o600
    assert from_document(json.loads(path.read_text())) == RUNNING
    sink.write(MORE)
    assert sink.read() == MORE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"metadata": {"name": "n"}, "status": {"heartbeatTime": "soon"}}',
        '{"metadata": {"name": "n"}, "status": {"peers": [{"localAddress": "nowhere"}]}}',
    ],
)
def test_a_file_that_nobody_wrote_properly_is_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert FileSink(path).read() is None


def test_a_server_that_wants_to_be_left_alone_is_for_a_while() -> None:
    """An hour's Retry-After is not obeyed: the state would look like a dead speaker's."""
    publisher = Publisher(_Sink(), clock=lambda: 100.0)
    publisher.offer(NodeState("n"))
    publisher._tried_at = 100.0
    publisher._failed(Temporary("busy", retry_after=12.0))
    assert publisher._patience() == 12.0
    publisher._failed(Temporary("busy", retry_after=3600.0))
    assert publisher._patience() == 30.0
    publisher._failed(Temporary("away"))
    assert publisher._patience() == 4.0


class _Sink:
    def read(self) -> NodeState | None:
        return None

    def write(self, state: NodeState) -> None:
        raise AssertionError("never written")
