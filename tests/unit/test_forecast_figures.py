"""Every figure of a node's forecast: scenario by scenario, router by router (golden/forecast_*.txt)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf

import pytest

from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.timing.disruption import Scheme, Share
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import RouteClass, Scenario, Span
from bgpctl.core.timing.forecast import (
    HASHING,
    Forecast,
    Router,
    Subject,
    brief,
    forecast,
    gone_at_worst,
    worst_loss,
)
from bgpctl.core.timing.groups import Group
from bgpctl.core.timing.profiles import find_profile
from bgpctl.core.timing.whatif import Settings
from bgpctl.core.timing.withdrawal import Close
from bgpctl.render.text import Line, line
from tests.support.golden import check_golden

WITH = PeerFacts("p", "192.0.2.1", 90, 30, 120, True, False, False, None, negotiated=True, peer_graceful=True)
WITHOUT = replace(WITH, address="192.0.2.2", restart_time=None, graceful=False, peer_graceful=False)
BOTH_N = replace(WITH, hold_time=9, keepalive_time=3, local_n=True, peer_n=True)
UNTOLD = replace(WITH, graceful=None, peer_n=None, negotiated=False, peer_graceful=None)

PODS = Group(IPV4, RouteClass.POD_CIDR, 1, 1, 1, False)
SHARED = Group(IPV4, RouteClass.CLUSTER, 2, 3, 2, True, ("default/web",), 4)
OWN = Group(IPV4, RouteClass.LOCAL, 1, 1, 1, False, ("default/own",), 2)
NEAR = Group(IPV6, RouteClass.LOCAL, 3, 3, 1, True, ("a/b", "a/c"), 2)
DARK = Group(None, RouteClass.UNKNOWN, None)

SUBJECTS: Mapping[str, tuple[Subject, Settings | None]] = {
    "graceful": (
        Subject(
            "n", (Router(WITH, (PODS, SHARED, OWN), find_profile("frr"), Scheme.HASH_THRESHOLD),), pods=7
        ),
        None,
    ),
    "plain": (
        Subject(
            "n",
            (Router(WITHOUT, (SHARED, OWN, NEAR), find_profile("bird"), Scheme.MODULO),),
            close=Close.CEASE,
        ),
        Settings(hold_time=9, graceful=True),
    ),
    "nbit": (
        Subject(
            "n",
            (Router(BOTH_N, (SHARED, NEAR), find_profile("gobgp"), Scheme.RESILIENT, frozenset({IPV6})),),
            soak=30.0,
            away=Span(1.0, 200.0),
        ),
        Settings(hold_time=30),
    ),
    "untold": (Subject("n", (Router(UNTOLD, (DARK,)), Router(WITHOUT, (PODS,)))), None),
}


def span(one: Span | Share | None) -> str:
    return "-" if one is None else f"{one[0]:.4g}..{one[1]:.4g}"


def told(found: Forecast) -> Iterator[Line]:
    for row in found.rows:
        course = row.course
        times = ("lost", course.lost), ("gone", course.gone), ("back", course.back), ("loss", course.loss)
        shown = " ".join(f"{word} {span(one)}" for word, one in times)
        yield line(
            f"{course.scenario} {row.router.facts.address} {row.group.kind} {row.group.family}: {shown}"
        )
        yield line(f"  {course.meanwhile}, then {course.then}: {course.why}")
        resets = ", ".join(f"{path} {span(share)}" for path, share in row.reset.items()) or "-"
        yield line(f"  moved {span(row.moved)} returned {span(row.returned)} reset {resets}")
        if row.changed is not None:
            yield line(f"  otherwise gone {span(row.changed.gone)} loss {span(row.changed.loss)}")
        for name in course.unknown:
            yield line(f"  unknown: {name}")
    for one in found.advice:
        figures = f"{span(one.before)} => {span(one.after)}"
        yield line(f"{one.scenario} advice {one.name} ({one.measure} {figures}): {one.how}; {one.cost}")
    yield line(f"unknown: {', '.join(found.unknown) or '-'}")
    gone = gone_at_worst(found.rows)
    yield line(f"worst loss {worst_loss(found.rows):g}, gone at worst {'-' if gone is None else f'{gone:g}'}")


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_figure(name: str) -> None:
    subject, settings = SUBJECTS[name]
    check_golden(f"forecast_{name}.txt", told(forecast(subject, tuple(Scenario), settings)))


def test_of_no_rows_nothing_is_lost_and_nothing_goes() -> None:
    found = forecast(Subject("n", ()), tuple(Scenario))
    assert (found.rows, found.advice, found.unknown) == ((), (), ())
    assert worst_loss(()) == 0.0 and gone_at_worst(()) is None


def test_the_worst_of_all_routers() -> None:
    """Of one node among many: by scenario, whichever router costs most."""
    both = Subject("n", (Router(WITH, ()), Router(WITHOUT, ())))
    found = brief(both, (Scenario.POWER_OFF, Scenario.DESELECT))
    alone = {
        router.facts.address: brief(replace(both, routers=(router,)), tuple(found)) for router in both.routers
    }
    for scenario, course in found.items():
        assert course.loss.worst == max(one[scenario].loss.worst for one in alone.values())
    assert brief(Subject("n", ()), tuple(Scenario)) == {}
    quick = brief(both, (Scenario.POWER_OFF,), Settings(hold_time=3))
    assert quick[Scenario.POWER_OFF].loss.worst < found[Scenario.POWER_OFF].loss.worst < inf


def test_how_a_router_hashes_matters_where_flows_move() -> None:
    for groups, unknown in (((PODS,), False), ((OWN,), False), ((SHARED,), True), ((PODS, SHARED), True)):
        found = forecast(Subject("n", (Router(WITH, groups),)), tuple(Scenario))
        assert (HASHING in found.unknown) is unknown
    known = forecast(Subject("n", (Router(WITH, (SHARED,), scheme=Scheme.MODULO),)), tuple(Scenario))
    assert HASHING not in known.unknown
