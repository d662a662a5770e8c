"""Every figure of every course: what each failure does with each session at each router (golden/courses.txt),
and until when each ending leaves routes (golden/endings.txt). The rules are told in test_failures.py and
test_withdrawal.py; here is that no figure changes unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, product
from math import inf

import pytest

from bgpctl.core.timing.failures import READMITTED, RouteClass, Scenario, Span, foretell
from bgpctl.core.timing.profiles import BIRD2, FRR, GOBGP3, OPENBGPD7, UNKNOWN_ROUTER
from bgpctl.core.timing.withdrawal import Close, Event, Outcome, _matters, estimate
from bgpctl.render.text import Line, line
from tests.support.golden import check_golden
from tests.unit.test_failures import GR, GR_N, NO_GR, NOT_TOLD

FACTS = {
    "no graceful restart": NO_GR,
    "graceful restart": GR,
    "the N bit": GR_N,
    "the N bit, short": replace(GR_N, hold_time=9, keepalive_time=3, restart_time=20),
    "graceful restart of 0 s": replace(GR_N, restart_time=0),
    "hold time 0": replace(GR_N, hold_time=0, keepalive_time=0),
    "BFD": replace(GR_N, bfd=0.9),
    "BFD, slower than the hold time": replace(NO_GR, bfd=100.0),
    "long-lived": replace(GR, long_lived=30),
    "not told": NOT_TOLD,
    "the engine stays": replace(GR_N, engine_stays=True),
}
ROUTERS = (FRR, BIRD2, GOBGP3, OPENBGPD7, UNKNOWN_ROUTER)
AWAY = {
    "for good": None,
    "1 to 30 s": Span(1.0, 30.0),
    "1 to 500 s": Span(1.0, 500.0),
    "until": Span(inf, inf),
}


def span(one: Span | None) -> str:
    return "-" if one is None else f"{one.best:.4g}..{one.worst:.4g}"


def course(*words: object, **options: object) -> str:
    found = foretell(*words, **options)  # type: ignore[arg-type]
    times = f"lost {span(found.lost)} gone {span(found.gone)} back {span(found.back)} loss {span(found.loss)}"
    unknown = f"; unknown: {', '.join(found.unknown)}" if found.unknown else ""
    return f"{times}; {found.meanwhile}, then {found.then}{unknown}"


def merged(rows: Iterator[tuple[str, str]]) -> Iterator[Line]:
    """One line for neighbors that are told alike."""
    for text, some in groupby(rows, key=lambda row: row[1]):
        yield line(f"  {' | '.join(name for name, _ in some)}: {text}")


def courses() -> Iterator[Line]:
    for scenario, (named, facts) in product(Scenario, FACTS.items()):
        yield line(f"{scenario}, {named}")
        told = ((r.name, course(scenario, facts, RouteClass.CLUSTER, r, elsewhere=True)) for r in ROUTERS)
        yield from merged(told)
    for scenario, kind, elsewhere in product(Scenario, RouteClass, (True, False, None)):
        yield line(f"{scenario}, {kind}, another node: {elsewhere}")
        yield from merged(
            (named, course(scenario, GR_N, kind, FRR, elsewhere=elsewhere, away=away))
            for named, away in AWAY.items()
        )


def endings() -> Iterator[Line]:
    ends = [(event, None, 0.0) for event in Event]
    leaves = [(Event.DESELECT, close, soak) for close, soak in product(Close, (0.0, 30.0))]
    for event, close, soak in (*ends, *leaves):
        for named, facts in FACTS.items():
            yield line(f"{event}, {close or 'its own way'}, soak {soak:g} s, {named}")
            found = ((r.name, estimate(event, facts, r, close=close, soak=soak)) for r in ROUTERS)
            yield from merged(
                (name, f"{one.best:.4g}..{one.worst:.4g}; unknown: {', '.join(one.unknown) or '-'}")
                for name, one in found
            )


def test_every_course() -> None:
    check_golden("courses.txt", courses())


def test_every_ending() -> None:
    check_golden("endings.txt", endings())


def test_what_changes_the_best_case_alone_is_an_unknown_too() -> None:
    worlds = [(flag, False, False, False, False, 0.0, 1.0) for flag in (True, False)]
    for best, worst, unknown in ((2.0, 9.0, 1), (1.0, 8.0, 1), (1.0, 9.0, 0)):
        outcomes = [(worlds[0], Outcome(1.0, 9.0, "")), (worlds[1], Outcome(best, worst, ""))]
        assert len(_matters(outcomes)) == unknown  # type: ignore[arg-type]


@pytest.mark.parametrize(("worst", "kept"), [(119.0, True), (119.1, False)])
def test_routes_stay_where_the_speaker_is_back_when_the_first_router_may_let_go(
    worst: float, kept: bool
) -> None:
    """To the second: the first of 119 s, and six of them until a router takes the session again."""
    away = Span(1.0, worst - READMITTED)
    found = foretell(Scenario.RESTART, GR, RouteClass.CLUSTER, FRR, elsewhere=True, away=away)
    assert (found.gone is None) is kept


def test_a_session_that_stays_up_leaves_nothing_stale() -> None:
    for kind in RouteClass:
        assert not foretell(Scenario.NO_BACKENDS, GR, kind, FRR).stale
    assert foretell(Scenario.AGENT_DOWN, GR, RouteClass.CLUSTER, FRR).stale
    assert not foretell(Scenario.AGENT_DOWN, NO_GR, RouteClass.CLUSTER, FRR).stale
