"""The watch over the routers: when each is asked, what its answers become, and that nothing of it stays."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from bgpctl.runbooks import router_watch as module
from bgpctl.runbooks.router_watch import RouterWatch
from bgpctl.runbooks.routers import Target
from bgpctl.witness.model import Path, RouterAnswer, RouteState

PEER = "192.0.2.1", 179
ROUTES = tuple(Path(ip_network(f"192.0.2.{n}/32"), "10.0.0.1") for n in range(3))


@dataclass
class Clock:
    """Time that only waits and looks move."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 5000.0 + self.now


@dataclass
class Stopped:
    """An event that is set after so many waits, which it remembers."""

    clock: Clock
    after: int
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        self.waits.append(round(seconds, 6))
        self.clock.now += seconds
        return len(self.waits) > self.after


@dataclass
class Router:
    """Takes so long for each answer."""

    clock: Clock
    takes: list[float]
    answers: list[RouterAnswer]
    peer: str | None = None
    kind: str = "bird"
    target: str = "/run/bird.ctl"
    asked: list[str] = field(default_factory=list)

    def routes_from(self, neighbor: str) -> RouterAnswer:
        self.asked.append(neighbor)
        self.clock.now += self.takes.pop(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(
    routes: RouteState = RouteState.PRESENT, at: float = 0.0, paths: tuple[Path, ...] = ROUTES
) -> RouterAnswer:
    return RouterAnswer("bird", "10.0.0.1", routes, paths, at=at)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def watched(router: Router, looks: int) -> tuple[RouterWatch, Stopped]:
    """Its thread's work, done here."""
    router_watch = RouterWatch([Target(router, PEER, "10.0.0.1")])
    stopped = Stopped(router.clock, looks)
    router_watch._stopped = stopped  # type: ignore[assignment]
    router_watch._watch(*router_watch._targets[0])
    return router_watch, stopped


def test_a_router_is_asked_ten_times_a_second_and_a_slow_one_at_once_again(clock: Clock) -> None:
    """What was missed is not made up for in a burst."""
    router = Router(clock, [0.0, 0.25, 0.25, 0.0, 0.03, 0.0], [answer()])
    _, stopped = watched(router, 6)
    assert stopped.waits == [0.1, 0.1, 0.0, 0.0, 0.0, 0.07, 0.1]
    assert router.asked == ["10.0.0.1"] * 6


def test_what_the_answers_become(clock: Clock) -> None:
    """Dated by the router's answer, else by us; one that cannot be had is none, whatever it shows."""
    answers = [answer(at=100.0), answer(at=107.5), answer(RouteState.UNKNOWN, at=300.0), answer(at=108.0)]
    router_watch, _ = watched(Router(clock, [0.0] * 4, answers), 4)
    ((_, gaps),) = router_watch._targets
    assert (gaps.router, gaps.looks, gaps.unanswered) == ("bird /run/bird.ctl", 3, 1)
    assert (gaps.longest_pause, gaps.routes) == (7.5, 3)
    router_watch, _ = watched(Router(clock, [2.0] * 2, [answer()], peer="192.0.2.1"), 2)
    ((_, gaps),) = router_watch._targets
    assert (gaps.router, gaps.longest_pause) == ("bird 192.0.2.1", 2.0)


def test_the_first_look_is_the_baseline_and_nothing_stays(clock: Clock) -> None:
    """One thread for each router, which holds no process up, and has ended with the watch."""
    before = set(threading.enumerate())
    routers = [Router(clock, [0.0] * 9, [answer()]), Router(clock, [0.0] * 9, [answer(paths=ROUTES[:1])])]
    router_watch = RouterWatch([Target(router, PEER, "10.0.0.1") for router in routers], interval=3600.0)
    router_watch.start()
    begun = set(threading.enumerate()) - before
    assert [len(router.asked) for router in routers] == [1, 1]
    assert [thread.daemon for thread in begun] == [True, True]
    first, second = router_watch.stop()
    assert not any(thread.is_alive() for thread in begun)
    assert (first.looks, first.routes, second.routes) == (1, 3, 1)


def test_who_answers_not_every_look_was_not_watched(clock: Clock) -> None:
    """It may have lost routes meanwhile (issue 7)."""
    router_watch, _ = watched(Router(clock, [0.0] * 3, [answer(), answer(), answer(RouteState.UNKNOWN)]), 2)
    ((_, gaps),) = router_watch._targets
    assert gaps.throughout
    answers = [answer(), answer(RouteState.UNKNOWN), answer()]
    router_watch, _ = watched(Router(clock, [0.0] * 3, answers), 3)
    ((_, gaps),) = router_watch._targets
    assert (gaps.looks, gaps.unanswered, gaps.routes, gaps.throughout) == (2, 1, 3, False)
    router_watch, _ = watched(Router(clock, [0.0] * 2, [answer(paths=())]), 2)
    ((_, gaps),) = router_watch._targets
    assert (gaps.unanswered, gaps.throughout) == (0, False), "it had nothing that could be lost"


def test_a_router_that_does_not_come_back_was_not_watched() -> None:
    """Its last answer is still to come when the watch ends."""

    class Hangs(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            assert timeout is not None

        def is_alive(self) -> bool:
            return True

    router_watch = RouterWatch([Target(Router(Clock(), [], []), PEER, "10.0.0.1")])
    router_watch._threads = [Hangs()]
    (gaps,) = router_watch.stop()
    assert (gaps.unanswered, gaps.throughout) == (1, False)
