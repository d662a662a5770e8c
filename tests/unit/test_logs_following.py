"""`logs`: several logs as one, once and for as long as they are written. Time is a number here, and each log
is a list; threads give what they have at once."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bgpctl.cli.logs import _files
from bgpctl.core.loglines import LogLine, Wanted, Window
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.queries import logs as module
from bgpctl.queries.logs import Follower, once
from tests.support.cli import inside
from tests.support.fake_api import fake_api
from tests.support.wait import eventually

BEGUN = 1_800_000_000.0


def line(at: float, text: str = "m") -> str:
    return f"time=2027-01-15T08:00:{at:09.6f}Z level=info msg={text} subsys=bgp-control-plane"


@dataclass
class Log:
    """Gives these texts each time it is read: one list after the other, the last one for ever."""

    node: str
    reads: list[Any]
    name: str = "pod agent"
    named: bool = False
    asked: list[tuple[bool, float | None]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"key of {self.name}"

    def lines(self, follow: bool, since_seconds: float | None) -> Iterator[str]:
        self.asked.append((follow, since_seconds))
        texts = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(texts, Exception):
            raise texts
        yield from texts


@dataclass
class Time:
    """Moves by `step` seconds whenever somebody asks for it."""

    now: float = 0.0
    wall: float = BEGUN + 60.0
    step: float = 0.0

    def monotonic(self) -> float:
        self.now += self.step
        return self.now

    def time(self) -> float:
        return self.wall


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(module, "time", made)
    return made


def told(lines: Any) -> list[tuple[str, str, float]]:
    return [(one.node, one.message, one.at - BEGUN) for one in lines]


# --- once ---------------------------------------------------------------------------------------------------


def test_the_lines_of_all_logs_by_time(clock: Time) -> None:
    first, second = Log("n1", [[line(1, "a"), line(3, "c"), "noise"]]), Log("n2", [[line(2, "b")]])
    found = once([first, second], Wanted(), lambda text: pytest.fail(text))
    assert told(found) == [("n1", "a", 1.0), ("n2", "b", 2.0), ("n1", "c", 3.0)]
    assert first.asked == second.asked == [(False, None)]


def test_only_what_is_wanted_is_asked_for(clock: Time) -> None:
    log = Log("n1", [[line(1, "a"), line(10, "b")]])
    found = once([log], Wanted(since=BEGUN + 5.0), lambda text: pytest.fail(text))
    assert told(found) == [("n1", "b", 10.0)]
    assert log.asked == [(False, 55.0)], "as seconds before now"


def test_one_that_cannot_be_read_costs_itself(clock: Time) -> None:
    complaints: list[str] = []
    bad = Log("n1", [BgpctlError("it is gone", "a hint")], name="pod x/y")
    found = once([bad, Log("n2", [[line(2)]])], Wanted(), complaints.append)
    assert told(found) == [("n2", "m", 2.0)]
    assert complaints == ["pod x/y: it is gone"]


def test_none_that_can_be_read_is_a_failure(clock: Time) -> None:
    complaints: list[str] = []
    bad = [Log(name, [BgpctlError("it is gone")], name=name) for name in ("n1", "n2")]
    with pytest.raises(BgpctlError, match="no log could be read"):
        list(once(bad, Wanted(), complaints.append))
    assert complaints == ["n1: it is gone", "n2: it is gone"]
    assert list(once([], Wanted(), complaints.append)) == []


def test_a_file_that_cannot_be_read_is_said_before_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there.log").touch()
    _files([tmp_path / "there.log"])
    for path, why in ((tmp_path / "no.log", "there is no such file"), (tmp_path, "it is a directory")):
        with pytest.raises(UsageError, match=re.escape(f"cannot read {path}: {why}")):
            _files([tmp_path / "there.log", path])


def test_a_usage_error_is_one(clock: Time) -> None:
    with pytest.raises(UsageError):
        list(once([Log("n1", [UsageError("no such file")])], Wanted(), lambda text: None))


# --- following ----------------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Threads that have done all that they do when they are started; those that were made."""
    made: list[threading.Thread] = []
    real = threading.Thread

    class AtOnce(real):  # type: ignore[misc, valid-type]
        def start(self) -> None:
            made.append(self)
            super().start()
            self.join(0.5)

    monkeypatch.setattr(module.threading, "Thread", AtOnce)
    return made


@dataclass
class Queue:
    """Waits for the threads by the clock alone, and a blink for those that are not joined."""

    clock: Time
    kept: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def put(self, item: Any) -> None:
        self.kept.put(item)

    def get(self, timeout: float) -> Any:
        try:
            return self.kept.get(timeout=0.001)
        except queue.Empty:
            self.clock.now += timeout
            assert self.clock.now < 60.0, "it waits for ever"
            raise


def follower(
    clock: Time, find: Callable[[], list[Log]], complain: Callable[[str], None] | None = None, **wanted: Any
) -> Follower:
    waiting: Any = Queue(clock)
    return Follower(find, Wanted(**wanted), complain or (lambda text: pytest.fail(text)), waiting)


def test_what_is_written_comes_merged_and_only_what_is_wanted(clock: Time, at_once: Any) -> None:
    """A line waits half a second for an earlier one of another log."""
    logs = [
        Log("n1", [[line(1, "a"), line(3, "c")]]),
        Log("n2", [[line(2, "b"), line(0.5, "old")]], name="other"),
    ]
    lines = follower(clock, lambda: logs, since=BEGUN + 1.0).lines()
    assert told([next(lines) for _ in range(4)]) == [
        ("n1", "a", 1.0),
        ("n2", "b", 2.0),
        ("n2", "old", 2.0),
        ("n1", "c", 3.0),
    ]
    assert clock.now >= 0.5
    assert [log.asked for log in logs] == [[(True, 59.0)], [(True, 59.0)]]
    assert all(thread.daemon for thread in at_once), "^C ends the command, whatever is being read"


def test_what_the_first_look_raises_is_the_callers(clock: Time) -> None:
    def none() -> list[Log]:
        raise UsageError("no pod")

    with pytest.raises(UsageError):
        next(follower(clock, none).lines())


def test_new_logs_are_found_every_five_seconds_and_old_ones_gone_on_with(clock: Time, at_once: Any) -> None:
    """`since` counts whole seconds on the API server: lines that were seen come again, and are left out."""
    first = Log("n1", [[line(1, "a"), line(2, "b")], [line(2, "b"), line(2.5, "c")], []])
    new = Log("n2", [[line(9, "new")], []], name="new")
    looks: list[float] = []

    def find() -> list[Log]:
        looks.append(clock.now)
        return [first] if len(looks) == 1 else [first, new]

    lines = follower(clock, find, since=BEGUN + 1.0).lines()
    assert [message for _, message, _ in told([next(lines) for _ in range(4)])] == ["a", "b", "c", "new"]
    assert 5.0 <= looks[1] - looks[0] < 6.0
    assert first.asked[:2] == [(True, 59.0), (True, 58.0)], "from the last line that it gave"


def test_a_log_that_is_still_read_is_not_read_twice(clock: Time) -> None:
    """It is followed by a thread of its own until it ends."""
    held = threading.Event()

    class Endless(Log):
        def lines(self, follow: bool, since_seconds: float | None) -> Iterator[str]:
            yield from super().lines(follow, since_seconds)
            held.wait(1)

    log = Endless("n1", [[line(1, "a")], [line(2, "b")], []])
    looks: list[float] = []

    def find() -> list[Log]:
        looks.append(clock.now)
        if len(looks) == 3:
            held.set()
        return [log]

    lines = follower(clock, find).lines()
    assert told([next(lines) for _ in range(2)]) == [("n1", "a", 1.0), ("n1", "b", 2.0)]
    assert len(looks) >= 3
    assert log.asked[:2] == [(True, None), (True, 59.0)], "all of it, then what came after the last line"


def test_what_cannot_be_read_is_complained_about_once_and_tried_again(clock: Time, at_once: Any) -> None:
    complaints: list[str] = []
    log = Log("n1", [BgpctlError("it is gone"), BgpctlError("it is gone"), [line(1, "a")]])
    looks: list[int] = []

    def find() -> list[Log]:
        looks.append(1)
        if len(looks) in (3, 4):
            raise BgpctlError("no API server")
        return [log]

    lines = follower(clock, find, complaints.append).lines()
    assert told([next(lines)]) == [("n1", "a", 1.0)]
    assert complaints == ["pod agent: it is gone", "no API server"]
    assert len(looks) == 5


def test_an_error_that_is_none_of_ours_ends_the_log_all_the_same(clock: Time, at_once: Any) -> None:
    """A log that is not marked as ended would never be begun again."""
    hook, threading.excepthook = threading.excepthook, lambda args: None
    try:
        log = Log("n1", [RuntimeError("bug"), [line(1, "a")]])
        assert told([next(follower(clock, lambda: [log]).lines())]) == [("n1", "a", 1.0)]
    finally:
        threading.excepthook = hook


def test_no_more_is_read_than_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever pages through what is followed takes nothing for hours."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    given: list[int] = []

    def endless() -> Iterator[str]:
        for number in range(1000):
            given.append(number)
            yield line(number / 1000)

    made = Follower(lambda: [], Wanted(), lambda text: pytest.fail(text))
    made._begin([Log("n1", [endless()])])
    eventually(lambda: made._queue.qsize() >= 3)
    assert made._queue.full() and len(given) <= 4


def test_a_turn_takes_a_tenth_of_a_second(clock: Time) -> None:
    """Whatever has come by then is taken at once."""
    made = Follower(lambda: [], Wanted(), lambda text: pytest.fail(text))
    window = Window(hold=0.0)
    for number in range(3):
        made._queue.put(("k", LogLine(BEGUN + number, "n1", {})))
    clock.step = 0.04
    made._take(window)
    assert len(window.release(99.0)) == 1, "0.12 s after its begin the turn was over"
    clock.step = 0.0
    taken: list[float] = []

    class Empty:
        def get(self, timeout: float) -> Any:
            taken.append(round(timeout, 6))
            raise queue.Empty

    made._queue = Empty()  # type: ignore[assignment]
    made._take(window)
    assert taken == [0.1]


def test_which_pods_and_containers_are_read(tmp_path: Path) -> None:
    """Those that the table names of who speaks BGP, with the times at which their lines were written."""
    with fake_api(tmp_path) as (api, kubeconfig):
        containers = [{"name": name} for name in ("controller", "frr", "reloader")]
        meta = {"name": "frr-k8s-1", "namespace": "frr", "uid": "u"}
        api.collections[paths.PODS] = [
            {"metadata": meta, "spec": {"hostNetwork": True, "nodeName": "a", "containers": containers}}
        ]
        said = "2026-11-23T18:32:55Z 2026/11/23 18:32:55 BGP: %ADJCHANGE: neighbor 192.0.2.1 Down\n"
        api.texts = {f"{paths.pod('frr', 'frr-k8s-1')}/log": (200, said)}
        code, out = inside("logs", "--provider", "frr-k8s", kubeconfig=kubeconfig)
        assert code == 0 and "%ADJCHANGE: neighbor 192.0.2.1 Down" in out
        asked = [path for path in api.requests if "/log?" in path]
        assert len(asked) == 1 and "container=frr" in asked[0] and "timestamps=true" in asked[0]
        api.requests.clear()
        inside("logs", "--pod-selector", "app=x", kubeconfig=kubeconfig)
        assert sum("/log?" in path for path in api.requests) == 3
        api.requests.clear()
        del api.collections[paths.PODS][0]["spec"]["hostNetwork"]  # a tenant's, with the stack's labels
        code, out = inside("logs", "--provider", "frr-k8s", kubeconfig=kubeconfig)
        assert code == 1 and "ADJCHANGE" not in out and not any("/log?" in path for path in api.requests)
