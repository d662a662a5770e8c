"""What an API server's Date headers say about its clock: honest ones narrow it, others change nothing."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.timing.servertime import DRIFT, Bounds, epoch, refined
from bgpctl.kube.clock import ServerClock

NOW = 1_790_000_000.0
OFFSETS = st.floats(NOW - 1e6, NOW + 1e6)
SECONDS = st.floats(0, 30)
# Of one answer: after how long it was asked for, dated, and received, each after the instant before.
ANSWERS = st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=20)


def told(offset: float, answers: list[tuple[float, float, float]]) -> tuple[Bounds, float]:
    """The bounds after the answers of an honest server whose clock is `offset` from ours, and our instant."""
    bounds, instant = None, 100.0
    for pause, way, back in answers:
        sent = instant + pause
        date = math.floor(sent + way + offset)
        instant = sent + way + back
        bounds = refined(bounds, date, sent, instant)
    assert bounds is not None
    return bounds, instant


@given(OFFSETS, ANSWERS)
def test_an_honest_server_is_always_within(offset: float, answers: list[tuple[float, float, float]]) -> None:
    bounds, instant = told(offset, answers)
    assert bounds.earliest(instant) - 1e-5 <= instant + offset <= bounds.latest(instant) + 1e-5


@given(OFFSETS, ANSWERS)
def test_each_answer_only_narrows(offset: float, answers: list[tuple[float, float, float]]) -> None:
    """At any instant after it, as drift is counted from the last answer on."""
    before, _ = told(offset, answers[:-1] or answers)
    after, instant = told(offset, answers)
    assert after.earliest(instant) >= before.earliest(instant) - 1e-5
    assert after.latest(instant) <= before.latest(instant) + 1e-5


@given(OFFSETS, ANSWERS, st.floats(0, NOW * 5), SECONDS, SECONDS)
def test_a_strange_answer_stays_within_what_is_known(
    offset: float, answers: list[tuple[float, float, float]], date: float, pause: float, wait: float
) -> None:
    known, instant = told(offset, answers)
    received = instant + pause + wait
    bounds = refined(known, date, instant + pause, received)
    assert known.earliest(received) - 1e-5 <= bounds.earliest(received)
    assert bounds.latest(received) <= known.latest(received) + 1e-5
    assert bounds.earliest(received) < bounds.latest(received)


def test_many_answers_come_close() -> None:
    bounds, instant = told(NOW + 0.4321, [(0.137, 0.001, 0.001)] * 200)
    assert bounds.latest(instant) - bounds.earliest(instant) < 0.1


def test_a_clock_that_was_set_is_believed_as_slowly_as_one_that_drifts() -> None:
    known = refined(None, NOW, 0.0, 0.0)
    for second in range(1, 1000):
        known = refined(known, NOW + second + 5.0, second, second)
    assert known.latest(1000.0) <= NOW + 1000.0 + 2.0
    for second in range(1000, 8000):
        known = refined(known, NOW + second + 5.0, second, second)
    assert known.latest(8000.0) > NOW + 8000.0 + 5.0


# --- the header -------------------------------------------------------------------------------------------


@given(st.datetimes(datetime(2020, 1, 1), datetime(2199, 12, 31)))
def test_dates_are_read(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    assert epoch(format_datetime(whole, usegmt=True)) == whole.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "now",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 31 Feb 2026 00:00:00 GMT",
        "Sat, 28 Nov 2026 24:00:00 GMT",
        "Sat, 28 Nov 2026 16:55:55 +0100",
        "Sat, 28 Nov 2026 16:55:55 GMT, Sat, 28 Nov 2026 16:55:55 GMT",
        "Sat, 28 Nov ٢٠٢٦ 16:55:55 GMT",
        "Sat, 28 Nov 2026 16:55:55 GMT\n",
    ],
)
def test_anything_else_is_no_date(text: str | None) -> None:
    assert epoch(text) is None


@given(st.text())
def test_no_text_is_a_crash(text: str) -> None:
    epoch(text)


# --- the clock --------------------------------------------------------------------------------------------


class Here:
    """Our own clocks: the steady one, and one that people set."""

    steady = 50.0
    wall = NOW


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def clock(here: Here) -> ServerClock:
    return ServerClock(lambda: here.steady, lambda: here.wall)


def dated(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def test_without_a_date_it_is_the_local_clock(here: Here, clock: ServerClock) -> None:
    clock.hear(None, 50.0, 50.0)
    here.steady += 7.0
    here.wall += 3600.0  # somebody sets it: nothing that waits may notice
    assert not clock.heard
    assert clock.now() == clock.latest() == NOW + 7.0


def test_a_server_that_is_an_hour_ahead(here: Here, clock: ServerClock) -> None:
    clock.hear(dated(NOW + 3600.0), 50.0, 50.2)
    here.steady = 60.2
    assert clock.heard
    assert clock.now() == pytest.approx(NOW + 3610.0, abs=10 * DRIFT)
    assert clock.latest() == pytest.approx(NOW + 3611.2, abs=10 * DRIFT)


def test_it_never_runs_backwards_whatever_the_server_says(here: Here, clock: ServerClock) -> None:
    clock.hear(dated(NOW), 50.0, 50.0)
    before = clock.now()
    for says in (NOW - 3600.0, NOW + 3600.0, NOW + 0.0, NOW + 1.0, NOW - 1.0, NOW + 86400.0 * 365):
        here.steady += 0.25
        clock.hear(dated(says), here.steady, here.steady)
        assert before <= clock.now() < before + 2.0
        before = clock.now()
