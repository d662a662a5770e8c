"""The time of a run: ours where the API server's Date allows it, and never moved by whoever sets a clock."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bgpctl.core.state import NodeState
from bgpctl.errors import Temporary
from bgpctl.kube.client import ApiError, Client
from bgpctl.kube.lease import boot
from bgpctl.runbooks import clock as module
from bgpctl.runbooks.clock import UNCERTAIN, Clock, same

WALL, STEADY = 1_800_000_000.4, 5000.0


class Server:
    """What a client knows of its server's clock; `asked` counts the questions."""

    def __init__(self, earliest: float, latest: float, *, away: int = 0) -> None:
        self.bounds, self.away, self.asked = (earliest, latest), away, 0

    def get(self, path: str) -> dict[str, Any]:
        self.asked += 1
        assert path == "/version", "anybody may ask for it"
        if self.asked <= self.away:
            raise Temporary("the API server did not answer")
        return {}

    def now(self) -> float:
        return self.bounds[0]

    def latest(self) -> float:
        return self.bounds[1]

    present = Client.present


@pytest.fixture(autouse=True)
def clocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The local clocks; `wall` is the one that somebody may set."""
    shown = {"wall": WALL, "steady": STEADY}
    monkeypatch.setattr(module.time, "time", lambda: shown["wall"])
    monkeypatch.setattr(module.time, "clock_gettime", lambda which: shown["steady"])
    return shown


def clock(server: Server) -> Clock:
    return Clock(cast(Client, server))


@pytest.mark.parametrize(
    ("earliest", "latest", "expected"),
    [
        (WALL - 0.4, WALL + 0.6, WALL),  # the Date header has whole seconds: ours fits
        (WALL + 3600.0, WALL + 3601.0, WALL + 3600.0),  # we are an hour behind
        (WALL - 3601.0, WALL - 3600.0, WALL - 3600.0),  # we are an hour ahead
    ],
)
def test_the_local_clock_counts_unless_the_servers_contradicts_it(
    earliest: float, latest: float, expected: float
) -> None:
    ours = clock(Server(earliest, latest))
    assert ours.now() == pytest.approx(expected)
    assert ours.name == f"{boot()}/{expected - STEADY:.3f}"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/5.0", "a/6.0", True),  # the Date header has whole seconds
        ("a/5.0", "a/6.1", False),  # another server, or a clock that was set
        ("a/5.0", "b/5.0", False),  # another machine, or it was booted meanwhile
        ("", "a/5.0", False),  # a journal of the version before
        ("a/x", "a/5.0", False),
        ("unknown/5.0", "unknown/5.0", False),
        ("a/nan", "a/nan", False),
        ("", "", True),
    ],
)
def test_whose_waits_go_on(one: str, other: str, expected: bool) -> None:
    assert same(one, other) is same(other, one) is expected


def test_a_clock_that_somebody_sets_during_the_run_moves_no_wait(clocks: dict[str, float]) -> None:
    ours = clock(Server(WALL - 0.4, WALL + 0.6))
    begun = ours.now()
    clocks.update(wall=WALL + 3600.0, steady=STEADY + 7.0)
    assert ours.now() - begun == pytest.approx(7.0)


def test_while_the_server_is_away_the_local_clock_has_to_do(clocks: dict[str, float]) -> None:
    server = Server(WALL + 3600.0, WALL + 3601.0, away=1)
    ours = clock(server)
    assert ours.now() == WALL
    assert ours.now() == pytest.approx(WALL + 3600.0)
    assert (ours.now(), server.asked) == (pytest.approx(WALL + 3600.0), 2), "asked once, when it was there"


def test_a_refusal_is_dated_too() -> None:
    class Refusing(Server):
        def get(self, path: str) -> dict[str, Any]:
            super().get(path)
            raise ApiError(403, "Forbidden", "you may not", {})

    server = Refusing(WALL + 3600.0, WALL + 3601.0)
    ours = clock(server)
    assert (ours.now(), ours.now(), server.asked) == (pytest.approx(WALL + 3600.0), ours.now(), 1)


@pytest.mark.parametrize(("seconds", "slept"), [(1.5, 1.5), (0.25, 0.25), (0.0, 0.0), (-3.0, 0.0)])
def test_a_sleep_is_never_a_step_back(monkeypatch: pytest.MonkeyPatch, seconds: float, slept: float) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(module.time, "sleep", sleeps.append)
    clock(Server(WALL, WALL)).sleep(seconds)
    assert sleeps == [slept]


@pytest.mark.parametrize(
    ("heartbeat", "reported", "expected"),
    [
        (WALL, WALL - 0.4, WALL - 30.0),  # the same clock: managedFields has whole seconds
        (WALL - 3600.0, WALL, WALL + 3570.0),  # the speaker is an hour behind
        (WALL + 100.0, WALL, WALL - 130.0),
        (WALL, 0.0, WALL - 30.0),  # nobody says when it was written
    ],
)
def test_an_instant_of_a_speaker_by_the_servers_clock(
    heartbeat: float, reported: float, expected: float
) -> None:
    state = NodeState("n", heartbeat=heartbeat, reported_at=reported)
    assert state.by_server(WALL - 30.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("b/0", "b/0", True),
        ("b", "b", True),
        ("b", f"b/{UNCERTAIN}", True),
        ("b", f"b/-{UNCERTAIN}", True),
        (f"b/{UNCERTAIN}", "b", True),
        (f"b/-{UNCERTAIN}", "b/", True),
        ("b", f"b/{UNCERTAIN + 0.5}", False),
        (f"b/-{UNCERTAIN + 0.5}", "b", False),
        ("b/1", "c/1", False),
        ("b/x", "b/1", False),
    ],
)
def test_one_clock_is_one_boot_and_no_further_apart_than_two_answers(
    one: str, other: str, alike: bool
) -> None:
    assert same(one, other) is alike
