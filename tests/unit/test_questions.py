"""Routers are asked at once, and one that hangs is waited for once."""

from __future__ import annotations

import threading

import pytest

from bgpctl.runbooks import questions as module
from bgpctl.runbooks.questions import Question, Questions
from bgpctl.witness.model import RouterAnswer, RouteState
from tests.support.wait import eventually

SECONDS = 10.0  # a test that fails takes so long


def word(routes: RouteState, detail: str = "") -> RouterAnswer:
    return RouterAnswer("bird", "10.0.0.1", routes, detail=detail)


def says(routes: RouteState) -> Question:
    return lambda: word(routes)


class Frozen:
    """A router that gives no answer until it goes on; `asked` counts."""

    def __init__(self) -> None:
        self.goes_on, self.asked, self.routes = threading.Event(), 0, RouteState.UNKNOWN

    def __call__(self) -> RouterAnswer:
        self.asked += 1
        if self.asked > 1:  # the first question times out by itself
            assert self.goes_on.wait(SECONDS), "it was waited for"
        return word(self.routes, "timed out")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives no answer hangs, however soon that is known."""
    monkeypatch.setattr(module, "HANGS_SECONDS", -1.0)


def test_all_are_asked_at_once() -> None:
    meeting = threading.Barrier(3, timeout=SECONDS)

    def meets() -> RouterAnswer:
        meeting.wait()
        return word(RouteState.ABSENT)

    assert [one.routes for one in Questions().ask([meets] * 3)] == [RouteState.ABSENT] * 3


def test_answers_keep_the_order_of_the_questions() -> None:
    wanted = [RouteState.ABSENT, RouteState.UNKNOWN, RouteState.STALE, RouteState.PRESENT]
    for at_once in (True, False):
        assert [one.routes for one in Questions(at_once).ask(list(map(says, wanted)))] == wanted


def test_one_that_hangs_is_waited_for_once_and_asked_anew_when_it_answers(soon: None) -> None:
    asking, frozen = Questions(), Frozen()
    both: list[Question] = [frozen, says(RouteState.ABSENT)]
    assert [one.routes for one in asking.ask(both)] == [RouteState.UNKNOWN, RouteState.ABSENT]
    for _ in range(3):  # the second question is behind the scenes, and blocks nobody
        first, second = asking.ask(both)
        assert (first.routes, first.detail, second.routes) == (
            RouteState.UNKNOWN,
            "timed out",
            RouteState.ABSENT,
        )
    assert frozen.asked == 2
    frozen.routes = RouteState.PRESENT
    frozen.goes_on.set()
    eventually(lambda: asking._hanging[0].over)
    frozen.routes = RouteState.ABSENT
    assert asking.ask(both)[0].routes is RouteState.ABSENT, (
        "what it said behind the scenes is of another time"
    )
    assert frozen.asked == 3


def test_one_that_hangs_on_is_asked_again_behind_the_scenes(soon: None) -> None:
    asking, frozen = Questions(), Frozen()
    asking.ask([frozen])
    frozen.goes_on.set()  # each question times out
    eventually(lambda: asking._hanging[0].over)
    for count in (3, 4):
        assert asking.ask([frozen])[0].routes is RouteState.UNKNOWN
        eventually(lambda n=count: frozen.asked == n and asking._hanging[0].over)


def test_one_that_refuses_at_once_does_not_hang() -> None:
    asking, frozen = Questions(), Frozen()
    frozen.goes_on.set()
    asking.ask([frozen])
    frozen.routes = RouteState.ABSENT
    assert asking.ask([frozen])[0].routes is RouteState.ABSENT
    assert frozen.asked == 2


@pytest.mark.parametrize("at_once", [True, False])
def test_a_bug_in_a_probe_is_one(at_once: bool) -> None:
    def broken() -> RouterAnswer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Questions(at_once).ask([says(RouteState.ABSENT), broken])
