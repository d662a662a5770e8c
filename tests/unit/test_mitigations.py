"""What helps: the guide's advice where it applies, with figures that `foretell` gives, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.timing.disruption import Scheme
from bgpctl.core.timing.failures import RouteClass, Scenario, Span
from bgpctl.core.timing.forecast import _saves
from bgpctl.core.timing.mitigations import Case, Measure, Mitigation, _dearer, mitigations
from bgpctl.core.timing.profiles import BIRD2, FRR, GOBGP3, PROFILES
from bgpctl.core.timing.withdrawal import MARGIN, Close
from bgpctl.render.text import Line, line
from tests.support.golden import check_golden
from tests.unit.test_failures import GR, GR_N, NO_GR, NOT_TOLD

S, C = Scenario, RouteClass
CASE = Case(GR_N, C.CLUSTER, FRR, True, Span(1.0, 30.0), next_hops=4, endpoints=8)


def told(scenario: Scenario, case: Case) -> dict[str, Mitigation]:
    return {one.name: one for one in mitigations(scenario, case)}


@pytest.mark.parametrize(
    ("scenario", "case", "names"),
    [
        (S.AGENT_DOWN, replace(CASE, facts=NO_GR, kind=C.POD_CIDR, elsewhere=False),
         {"graceful restart on", "drain the node"}),
        (S.AGENT_DOWN, replace(CASE, facts=NO_GR),
         {"graceful restart on", "resilient hashing", "Maglev and DSR"}),
        (S.AGENT_DOWN, replace(CASE, facts=GR), {"resilient hashing", "Maglev and DSR"}),
        (S.RESTART, CASE, set()),  # kept, and back in time: nothing to mend
        (S.RESTART, replace(CASE, facts=replace(GR, restart_time=10), kind=C.POD_CIDR, elsewhere=False),
         {"longer restart time"}),
        (S.UPGRADE, replace(CASE, kind=C.POD_CIDR, elsewhere=False), {"pull the image first"}),
        (S.POWER_OFF, replace(CASE, kind=C.LOCAL),
         {"take it out first", "without the N bit", "graceful restart off", "hold 3, keepalive 1", "BFD",
          "resilient hashing"}),
        (S.POWER_OFF, replace(CASE, facts=replace(NO_GR, bfd=0.9), kind=C.LOCAL, scheme=Scheme.RESILIENT),
         {"take it out first"}),
        (S.POWER_OFF, replace(CASE, elsewhere=False, next_hops=1),
         {"without the N bit", "graceful restart off", "hold 3, keepalive 1", "BFD", "more next hops"}),
        (S.LINK_DOWN, replace(CASE, kind=C.POD_CIDR, elsewhere=False), set()),
        (S.LINK_DOWN, replace(CASE, profile=GOBGP3, scheme=Scheme.RENDEZVOUS, kind=C.LOCAL),
         {"graceful restart off", "hold 3, keepalive 1"}),
        (S.DESELECT, replace(CASE, close=Close.CEASE, kind=C.POD_CIDR, elsewhere=False), {"withdraw first"}),
        (S.DESELECT, replace(CASE, scheme=Scheme.RESILIENT), {"Maglev and DSR"}),
        (S.OPERATOR_DOWN, CASE, {"more replicas"}),
        (S.NO_BACKENDS, CASE, {"keep an endpoint"}),
        (S.NO_BACKENDS, replace(CASE, kind=C.POD_CIDR), set()),
    ],
)  # fmt: skip
def test_what_helps_against_what(scenario: Scenario, case: Case, names: set[str]) -> None:
    assert set(told(scenario, case)) == names


def test_the_figures() -> None:
    off = told(S.POWER_OFF, CASE)
    assert off["graceful restart off"].before == Span(178.0, 210.0)
    assert off["graceful restart off"].after == Span(59.0, 90.0)
    assert (
        off["graceful restart off"].cost
        == "when its agent is down the routes go within 5 s, today within 125 s"
    )
    assert off["without the N bit"].after == Span(59.0, 90.0)
    assert "NOTIFICATION or the hold timer" in off["without the N bit"].cost
    assert off["hold 3, keepalive 1"].after == Span(119.0 + 1.0, 123.0)
    assert off["take it out first"].after == Span(0.0, 0.0)
    moved = off["resilient hashing"]
    assert (moved.measure, moved.after) == (Measure.MOVED, Span(0.25, 0.25))
    asked = replace(NO_GR, peer_n=None, peer_graceful=True)
    on = told(S.AGENT_DOWN, replace(CASE, facts=asked))["graceful restart on"]
    assert (on.how, on.before, on.after) == (
        "restartTimeSeconds: 120",
        Span(0.02, MARGIN),
        Span(119.0, 125.0),
    )
    assert on.cost == "after a power-off the routes go within 210 s, today within 90 s"


def test_graceful_restart_that_the_router_does_not_offer_is_turned_on_there() -> None:
    half = replace(GR, graceful=False)
    found = told(S.AGENT_DOWN, replace(CASE, facts=half, profile=BIRD2))["graceful restart on"]
    assert found.how == "on the router, for every family"
    assert found.after == Span(119.0, 125.0)


def test_a_longer_restart_time_keeps_the_routes() -> None:
    case = replace(CASE, facts=replace(GR, restart_time=10), kind=C.POD_CIDR, elsewhere=False)
    found = told(S.RESTART, case)["longer restart time"]
    assert found.how == "restartTimeSeconds: 37"
    assert found.before is not None and found.before.worst > 0
    assert found.after == Span(0.0, 0.0)


FACTS = {
    "no graceful restart": NO_GR,
    "asked for": replace(NO_GR, peer_n=None, peer_graceful=True),
    "not by the router": replace(GR, graceful=False),
    "graceful restart": GR,
    "of 10 s": replace(GR, restart_time=10),
    "the N bit": GR_N,
    "the N bit, short": replace(GR_N, hold_time=9, keepalive_time=3, restart_time=20),
    "BFD": replace(GR_N, bfd=0.9),
    "long-lived": replace(GR, long_lived=30),
    "not told": NOT_TOLD,
}
CASES = {
    "as in the guide": CASE,
    "nobody else": replace(CASE, elsewhere=False, next_hops=1),
    "who knows": replace(CASE, elsewhere=None, next_hops=None, away=None),
    "BIRD, by Cease": replace(CASE, profile=BIRD2, close=Close.CEASE, scheme=Scheme.MODULO, endpoints=1),
    "GoBGP, soaked": replace(CASE, profile=GOBGP3, soak=30.0, scheme=Scheme.RESILIENT, node="n1"),
}


def shown(one: Span | None) -> str:
    return "-" if one is None else f"{one.best:.4g}..{one.worst:.4g}"


def every_piece() -> Iterator[Line]:
    """Each case with each kind of routes; and of the guide's case all that a session may have negotiated."""
    guides = [(named, CASE, facts, C.CLUSTER) for named, facts in FACTS.items()]
    others = [(title, case, GR_N, kind) for title, case in CASES.items() for kind in RouteClass]
    for title, case, facts, kind in (*guides, *others):
        yield line(f"{title}, {kind}")
        whole = replace(case, facts=facts, kind=kind)
        for one in (one for scenario in Scenario for one in mitigations(scenario, whole)):
            figures = f"{one.measure} {shown(one.before)} => {shown(one.after)}"
            yield line(f"  {one.scenario}: {one.name} ({figures}): {one.how}; {one.cost}")


def test_every_piece_of_advice_as_it_is_told() -> None:
    check_golden("mitigations.txt", every_piece())


@pytest.mark.parametrize(
    ("before", "after", "helps"),
    [(None, None, True), (Span(1, 2), None, True), (None, Span(1, 2), True), (Span(1, 9), Span(1, 9), False)],
)
def test_what_has_no_figure_helps_without_one(before: Span | None, after: Span | None, helps: bool) -> None:
    for measure in Measure:
        assert Mitigation(S.RESTART, "n", "h", "c", measure, before, after).helps is helps


@pytest.mark.parametrize(
    ("before", "after", "saves"),
    [
        (None, None, 0.0),
        (Span(0, 9), None, 0.0),
        (None, Span(0, 9), 0.0),
        (Span(0, 9), Span(0, 9), 0.0),
        (Span(0, 9), Span(0, 2), 7.0),
        (Span(0, 2), Span(0, 9), 7.0),
        (Span(0, inf), Span(0, inf), 0.0),
    ],
)
def test_how_much_a_piece_saves(before: Span | None, after: Span | None, saves: float) -> None:
    """Of several classes of routes the one is told that it saves most."""
    assert _saves(Mitigation(S.RESTART, "n", "h", "c", Measure.GONE, before, after)) == saves


def test_what_would_never_end_is_saved_the_more_the_sooner_it_ends() -> None:
    ends = [Mitigation(S.RESTART, "n", "h", "c", Measure.GONE, Span(0, inf), Span(0, at)) for at in (9, 2)]
    back = [replace(one, before=one.after, after=one.before) for one in ends]
    for one, other in (ends, back):
        assert 1000 < _saves(one) < _saves(other) < inf


@given(
    scenario=st.sampled_from(Scenario),
    facts=st.sampled_from([NO_GR, GR, GR_N, NOT_TOLD, replace(GR_N, bfd=0.9), replace(GR, long_lived=30)]),
    kind=st.sampled_from(RouteClass),
    profile=st.sampled_from(PROFILES),
    elsewhere=st.sampled_from([True, False, None]),
    next_hops=st.sampled_from([None, 1, 2, 9]),
    scheme=st.sampled_from(Scheme),
)
def test_every_piece_changes_its_figure(
    scenario: Scenario, facts: object, kind: RouteClass, profile: object, elsewhere: bool | None,
    next_hops: int | None, scheme: Scheme,
) -> None:  # fmt: skip
    case = Case(facts, kind, profile, elsewhere, Span(1.0, 30.0), next_hops=next_hops, scheme=scheme)  # type: ignore[arg-type]
    for one in mitigations(scenario, case):
        assert one.scenario is scenario and one.how and one.cost
        if one.before is None or one.after is None:
            continue
        longer = one.name in ("graceful restart on",)
        better = one.after.worst > one.before.worst if longer else one.after.worst < one.before.worst
        assert better, one
        assert one.before.worst <= (1.0 if one.measure.share else inf)


def test_which_measures_count_a_share_of_flows() -> None:
    assert [one for one in Measure if one.share] == [Measure.MOVED, Measure.RESET]


@pytest.mark.parametrize(
    ("today", "then", "told"),
    [
        (None, None, "nothing else changes"),
        (None, Span(1, 9), "nothing else changes"),
        (Span(1, 9), None, "nothing else changes"),
        (Span(1, 9), Span(1, 9), "nothing else changes"),
        (Span(1, 9), Span(1, 20), "they go within 20 s, today within 9 s"),
        (Span(1, inf), Span(1, 20), "they go within 20 s, today within no time"),
    ],
)
def test_what_it_costs_elsewhere(today: Span | None, then: Span | None, told: str) -> None:
    assert _dearer("they go", today, then) == told


def test_a_longer_restart_time_is_no_advice_for_an_upgrade() -> None:
    """How long its image takes nobody knows."""
    case = replace(CASE, facts=replace(GR, restart_time=10), kind=C.POD_CIDR, elsewhere=False)
    assert "longer restart time" in told(S.RESTART, case)
    assert not any("longer restart time" in told(one, case) for one in S if one is not S.RESTART)
