"""The receiver under the lab's ExaBGP: events in (recorded from ExaBGP 5.0.15), the RIB out."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.routers import receiver
from bgpctl.lab.routers.receiver import Rib
from tests.support.wait import eventually

EVENTS = (Path(__file__).parent / "data" / "witness" / "exabgp" / "events.jsonl").read_bytes()
NODE, OTHER = "127.0.1.1", "127.0.1.2"
FRESH = {"session": "active", "local": "", "routes": {}}


def learn(rib: Rib, *lines: bytes) -> list[bool]:
    return [rib.learn(receiver._event(line)) for line in lines]


def routes(rib: Rib, address: str = NODE) -> dict[str, str]:
    return dict(rib.document()["neighbors"][address]["routes"])


def session(rib: Rib, address: str = NODE) -> str:
    return str(rib.document()["neighbors"][address]["session"])


def test_a_session_from_connect_to_down() -> None:
    rib = Rib([NODE, OTHER])
    word, connected, up, four, six, eor4, eor6, gone4, gone6, down = EVENTS.splitlines()
    assert learn(rib, word, connected) == [False, False]
    assert learn(rib, up, four, six) == [True, True, True]
    assert session(rib) == "established"
    assert rib.document()["neighbors"][NODE]["local"] == "127.0.0.10", "the receiver's own end"
    assert routes(rib) == {
        "10.9.1.0/24": "192.0.2.1",
        "10.9.2.0/24": "192.0.2.1",
        "fd00:9::/64": "2001:db8::1",
    }
    assert learn(rib, eor4, eor6) == [False, False]
    learn(rib, gone4)
    assert set(routes(rib)) == {"10.9.2.0/24", "fd00:9::/64"}
    learn(rib, gone6, down)
    assert (session(rib), routes(rib)) == ("active", {})
    assert (session(rib, OTHER), routes(rib, OTHER)) == ("active", {})


def test_a_second_connection_beside_a_living_session_takes_nothing_away() -> None:
    rib = Rib([NODE])
    _, connected, up, four, *_ = EVENTS.splitlines()
    learn(rib, up, four)
    learn(rib, connected)
    assert session(rib) == "established"
    assert len(routes(rib)) == 2


def test_a_new_session_starts_without_routes() -> None:
    rib = Rib([NODE])
    _, _, up, four, *_ = EVENTS.splitlines()
    learn(rib, up, four, up)
    assert routes(rib) == {}


@contextmanager
def running(path: Path) -> Iterator[int]:
    """`run` in a thread, fed through the pipe whose end is given."""
    source, sink = os.pipe()
    thread = threading.Thread(target=receiver.run, args=(source, path, Rib([NODE])))
    thread.start()
    try:
        yield sink
    finally:
        os.close(sink)
        thread.join(5)
        os.close(source)
        assert not thread.is_alive(), "end of input ends it"


def saved(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def test_the_file_is_there_at_once_and_follows(tmp_path: Path) -> None:
    path = tmp_path / "rib.json"
    with running(path) as sink:
        eventually(lambda: saved(path).get("neighbors") == {NODE: FRESH})
        middle = len(EVENTS) // 3
        os.write(sink, EVENTS[:middle])  # an event may arrive in pieces
        os.write(sink, EVENTS[middle : EVENTS.index(b"withdraw") - 200])
        eventually(lambda: len(saved(path)["neighbors"][NODE]["routes"]) == 3)
        assert saved(path)["pid"] == os.getpid()
        assert saved(path)["schema"] == receiver.SCHEMA
        os.utime(path, (1, 1))
        eventually(lambda: path.stat().st_mtime > 1, why="the heartbeat")


def test_nothing_is_left_when_exabgp_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rib.json"
    source, sink = os.pipe()
    os.close(sink)
    monkeypatch.setattr(receiver.sys, "stdin", os.fdopen(source))
    monkeypatch.setattr(receiver.signal, "signal", lambda *_: None)
    receiver.main([str(path), NODE])
    assert list(tmp_path.iterdir()) == []
