"""`bgpctl speaker status` and the status socket: real speakers without Kubernetes, and sockets that lie."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.routeview import Standing
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.speaker import places
from bgpctl.speaker.counters import Bell
from bgpctl.speaker.manager import Manager
from bgpctl.speaker.status import client as speaker_client
from bgpctl.speaker.status import socket as status_socket
from tests.support import objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.cli import bgpctl
from tests.support.fake_engine import FakeEngine, FakeSource
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE, ROUTER = "127.88.4.2", "127.88.4.1"
PEER = "65001/127.0.0.100"
SEEN = ClusterObjects(
    node=objects.node(),
    policies=(objects.policy(),),
    services=(objects.service("web", "192.0.2.80"), objects.service("dark", "192.0.2.81", local=True)),
    endpoint_slices=(objects.endpoint_slice("web", objects.endpoint()),),
)


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as made:
        yield made


def serving(directory: Path, seen: ClusterObjects = SEEN) -> tuple[Manager, object]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    manager = Manager("worker-1", FakeSource(seen), FakeEngine(), lambda state: None, bell=Bell())
    return manager, status_socket.serve(directory, manager)


@pytest.fixture
def served(place: Path) -> Iterator[tuple[Path, Manager]]:
    manager, stop = serving(place / "speaker")
    yield place / "speaker", manager
    stop()  # type: ignore[operator]


# --- the socket -------------------------------------------------------------------------------------------


def test_it_is_private_and_goes_with_its_speaker(place: Path) -> None:
    _, stop = serving(place / "speaker")
    path = place / "speaker" / places.STATUS_SOCKET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stop()  # type: ignore[operator]
    assert not path.exists()


def test_what_a_killed_speaker_left_is_replaced(place: Path) -> None:
    (place / "speaker").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "speaker" / places.STATUS_SOCKET))
    with pytest.raises(BgpctlError, match=r"no speaker runs in .*: the last one was killed"):
        speaker_client.state(place / "speaker")
    _, stop = serving(place / "speaker")
    assert speaker_client.state(place / "speaker").node == "worker-1"
    stop()  # type: ignore[operator]


def test_a_directory_may_have_a_long_name(place: Path) -> None:
    directory = place / ("x" * 120)
    _, stop = serving(directory)
    assert speaker_client.state(directory).node == "worker-1"
    stop()  # type: ignore[operator]


def test_state_and_routes(served: tuple[Path, Manager]) -> None:
    directory, manager = served
    assert speaker_client.state(directory).phase == "Starting"
    assert speaker_client.routes(directory).peers == (), "nothing is intended before the first look"
    manager.tick()
    state = speaker_client.state(directory)
    assert (state.phase, state.announced, state.established) == ("Running", 3, 0)
    assert not state.stale(state.heartbeat + 1)
    found = speaker_client.routes(directory)
    (peer,) = found.peers
    assert {str(row.prefix) for row in peer.rows} == {"192.0.2.80/32", "10.244.1.0/24", "fd00:10:244:1::/64"}
    assert {row.standing for row in peer.rows} == {Standing.NO_SESSION}, "no session, so nothing is announced"
    assert [(a.origin, a.reason) for a in found.absent] == [("Service default/dark", "noEndpointSlice")]


def test_a_loop_that_hangs_is_stale(served: tuple[Path, Manager]) -> None:
    directory, manager = served
    manager.tick()
    manager.counters.ticked_at -= 1000
    state = speaker_client.state(directory)
    ran = bgpctl("speaker", "status", "--directory", directory)
    assert state.stale(state.heartbeat + 1000)
    assert "stuck" in ran.out and "its loop has not run for 16m" in ran.out


# --- who may be believed ----------------------------------------------------------------------------------


def test_nobody_there(place: Path) -> None:
    ran = bgpctl("speaker", "status", "--directory", place)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: no speaker runs in {place}\nhint: ")


def test_a_socket_of_somebody_else_is_not_believed(served: tuple[Path, Manager]) -> None:
    directory, _ = served
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(directory / places.STATUS_SOCKET, 65534, -1)
    ran = bgpctl("speaker", "status", "--directory", directory, "-o", "json")
    assert ran.code == 1
    assert "belongs to user nobody: what it says is not believed" in ran.document["message"]


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense", b'HTTP/1.0 200 OK\r\n\r\n{"node": 1', b"HTTP/1.0 200 OK\r\n\r\n[]"]
)
def test_an_answer_that_is_none(place: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / places.STATUS_SOCKET))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(BgpctlError, match=r"does not answer|cannot be read"):
            speaker_client.state(place)
        thread.join()


def test_the_only_speaker_is_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "base", lambda: place)
    with pytest.raises(BgpctlError, match=r"no speaker of user .* was found"):
        speaker_client.find(None)
    _, stop = serving(place / "one")
    assert speaker_client.find(None) == place / "one"
    _, other = serving(place / "two")
    with pytest.raises(UsageError, match="2 speakers run on this machine"):
        speaker_client.find(None)
    for end in (stop, other):
        end()  # type: ignore[operator]


# --- a real speaker, from a file --------------------------------------------------------------------------


def test_a_speaker_without_kubernetes_tells_all(place: Path) -> None:
    import yaml

    with BgpPeer(ROUTER) as router:
        neighbor = objects.neighbor(f"{ROUTER}/32", router.asn, peerPort=router.port)
        documents = (
            objects.node(),
            objects.policy(objects.router(neighbor)),
            *SEEN.services,
            *SEEN.endpoint_slices,
        )
        state = place / "state.yaml"
        state.write_text(yaml.safe_dump_all(documents))
        speaker = SpeakerProcess(
            place / "speaker", "--node-name", "worker-1", "--source-address", NODE, "--file", state
        ).start()
        try:
            directory = speaker.directory
            eventually(lambda: (directory / places.STATUS_SOCKET).exists(), why="it serves its status")
            eventually(
                lambda: speaker_client.state(directory).established == 1, deadline=20, why="Established"
            )
            eventually(lambda: _standings(directory) == {Standing.ANNOUNCED}, why="all routes are announced")
            ran = bgpctl("speaker", "status", "--directory", directory)
            assert ran.code == 0, ran.err
            assert "Running" in ran.out and ROUTER in ran.out and "noEndpointSlice 1" in ran.out
            document = json.loads(bgpctl("speaker", "status", "--directory", directory, "-o", "json").out)
            assert document["command"] == "speaker status" and document["peers"][0]["state"] == "established"
        finally:
            speaker.end()


def _standings(directory: Path) -> set[Standing]:
    return {row.standing for peer in speaker_client.routes(directory).peers for row in peer.rows}
