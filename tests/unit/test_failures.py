"""What failures do to traffic: the guide's scenarios as a table, and the laws of every course."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import (
    ELSEWHERE,
    LONGEST_REFUSAL,
    READMISSION,
    READMITTED,
    READMITTED_OTHER,
    WATCHED,
    Course,
    Fate,
    RouteClass,
    Scenario,
    Span,
    foretell,
)
from bgpctl.core.timing.profiles import BIRD2, FRR, GOBGP3, OPENBGPD7, PROFILES, UNKNOWN_ROUTER, Profile
from bgpctl.core.timing.withdrawal import MARGIN, PROCESSING_WORST, Close, Event, estimate

H, K, R = 90, 30, 120
NO_GR = PeerFacts("64512/10.0.0.1", "10.0.0.1", H, K, None, False, False, False, None, negotiated=True)
GR = replace(NO_GR, restart_time=R, graceful=True)
GR_N = replace(GR, local_n=True, peer_n=True)
NOT_TOLD = replace(GR_N, graceful=None, peer_n=None, negotiated=False)
SHORT = Span(1.0, 10.0)
NONE, ALL = Span(0.0, 0.0), Span(inf, inf)
S, C, F = Scenario, RouteClass, Fate


@pytest.mark.parametrize(
    ("scenario", "facts", "kind", "meanwhile", "then", "loss"),
    [
        # Cilium Agent Down: without graceful restart the routes go; with it, later. The node forwards on.
        (S.AGENT_DOWN, NO_GR, C.POD_CIDR, F.UNHARMED, F.UNREACHABLE, ALL),
        (S.AGENT_DOWN, NO_GR, C.CLUSTER, F.UNHARMED, F.REDIRECTED, NONE),
        (S.AGENT_DOWN, GR, C.LOCAL, F.UNHARMED, F.REDIRECTED, NONE),
        # Node Down, involuntary: hold time, and with the N bit the restart time on top.
        (S.POWER_OFF, NO_GR, C.CLUSTER, F.BLACK_HOLED, F.REDIRECTED, Span(59.0, 90.0)),
        (S.POWER_OFF, GR, C.CLUSTER, F.BLACK_HOLED, F.REDIRECTED, Span(59.0, 90.0)),
        (S.POWER_OFF, GR_N, C.CLUSTER, F.BLACK_HOLED, F.REDIRECTED, Span(178.0, 210.0)),
        (S.POWER_OFF, GR_N, C.POD_CIDR, F.BLACK_HOLED, F.UNREACHABLE, ALL),
        # Node Down, voluntary.
        (S.DESELECT, GR_N, C.CLUSTER, F.UNHARMED, F.REDIRECTED, NONE),
        (S.DESELECT, GR_N, C.POD_CIDR, F.UNHARMED, F.UNREACHABLE, ALL),
        # Peering Link Down.
        (S.LINK_DOWN, GR_N, C.CLUSTER, F.BLACK_HOLED, F.REDIRECTED, Span(0.0, PROCESSING_WORST)),
        (S.REMOTE_LINK_DOWN, GR_N, C.CLUSTER, F.BLACK_HOLED, F.REDIRECTED, Span(178.0, 210.0)),
        # Cilium Operator Down, Service Losing All Backends.
        (S.OPERATOR_DOWN, GR_N, C.CLUSTER, F.UNHARMED, F.UNHARMED, NONE),
        (S.NO_BACKENDS, GR_N, C.CLUSTER, F.RESET, F.RESET, ALL),
        (S.NO_BACKENDS, GR_N, C.LOCAL, F.RESET, F.UNREACHABLE, ALL),
        (S.NO_BACKENDS, GR_N, C.POD_CIDR, F.UNHARMED, F.UNHARMED, NONE),
    ],
)
def test_the_guides_scenarios(
    scenario: Scenario, facts: PeerFacts, kind: RouteClass, meanwhile: Fate, then: Fate, loss: Span
) -> None:
    found = foretell(scenario, facts, kind, FRR, elsewhere=True)
    assert (found.meanwhile, found.then, found.loss) == (meanwhile, then, loss)
    assert found.redirected is (then is F.REDIRECTED)


@pytest.mark.parametrize(
    ("facts", "profile", "gone", "loss"),
    [
        (GR, FRR, None, NONE),  # kept, and back in time
        (replace(GR, restart_time=12), FRR, Span(11.0, 17.0), Span(0.0, SHORT.worst + READMITTED - 11.0)),
        (NO_GR, FRR, Span(0.02, MARGIN), Span(0.3, SHORT.worst + READMITTED - 0.02)),
        (NO_GR, BIRD2, Span(0.02, MARGIN), Span(0.3, SHORT.worst + 300.0 + READMITTED - 0.02)),
    ],
)
def test_an_agent_that_comes_back(facts: PeerFacts, profile: Profile, gone: Span | None, loss: Span) -> None:
    """Measured for 2 s away: no flap with graceful restart, else a gap of 1.6 to 5.2 s (docs/routers.md)."""
    found = foretell(S.RESTART, facts, C.POD_CIDR, profile, away=SHORT)
    assert (found.gone, found.loss) == (gone, pytest.approx(loss))
    assert found.back == Span(1.0, pytest.approx(loss.worst + (gone.best if gone else 0.0)) if gone else 16.0)


def test_what_nobody_knows_is_named_and_taken_at_its_worst() -> None:
    lonely, sure = (foretell(S.POWER_OFF, GR_N, C.UNKNOWN, FRR, elsewhere=e) for e in (None, True))
    assert lonely.loss == Span(sure.loss.best, inf)
    assert ELSEWHERE in lonely.unknown and ELSEWHERE not in sure.unknown
    back = foretell(S.RESTART, NO_GR, C.CLUSTER, UNKNOWN_ROUTER, away=SHORT)
    assert READMISSION in back.unknown
    assert back.back == Span(1.0, SHORT.worst + LONGEST_REFUSAL)
    link = foretell(S.LINK_DOWN, GR_N, C.CLUSTER, OPENBGPD7, elsewhere=True)
    assert WATCHED in link.unknown
    assert link.gone == Span(0.0, estimate(Event.LINK_DOWN, GR_N, OPENBGPD7).worst)


def test_a_restart_that_may_or_may_not_be_graceful_is_taken_back_as_late_as_without() -> None:
    sure, unsure = (foretell(S.RESTART, facts, C.POD_CIDR, BIRD2, away=SHORT) for facts in (GR, NOT_TOLD))
    assert sure.back == Span(1.0, 16.0) and sure.gone is None
    assert unsure.back == Span(1.0, 316.0)


def test_when_the_session_is_lost_and_how_long_routes_are_stale() -> None:
    gobgp = foretell(S.POWER_OFF, GR, C.CLUSTER, GOBGP3, elsewhere=True)
    assert gobgp.lost == Span(59.0, 90.0), "the hold time"
    assert gobgp.gone == Span(178.0, 210.0), "and the restart time: GoBGP keeps them without the N bit too"
    assert gobgp.stale
    assert not foretell(S.POWER_OFF, GR, C.CLUSTER, FRR, elsewhere=True).stale
    assert not foretell(S.OPERATOR_DOWN, GR, C.CLUSTER, FRR).stale


def test_an_engine_that_outlives_its_speaker_feels_nothing() -> None:
    stays = replace(NO_GR, engine_stays=True)
    for scenario in (S.AGENT_DOWN, S.RESTART, S.UPGRADE):
        found = foretell(scenario, stays, C.POD_CIDR, FRR)
        assert (found.lost, found.gone, found.loss) == (None, None, NONE)
        assert "provided that it does not end too" in found.why
    assert foretell(S.POWER_OFF, stays, C.POD_CIDR, FRR).loss == ALL


def test_how_a_stack_closes_counts_when_it_leaves() -> None:
    cease, hard = (foretell(S.DESELECT, GR_N, C.LOCAL, FRR, close=how) for how in (Close.CEASE, None))
    assert cease.gone == Span(R - 1.0, R + MARGIN)
    assert hard.gone == Span(0.02, MARGIN)
    soaked = foretell(S.DESELECT, GR_N, C.LOCAL, FRR, soak=7.0)
    assert soaked.gone is not None and soaked.gone.best == 7.02
    assert foretell(S.AGENT_DOWN, GR_N, C.LOCAL, FRR, close=Close.CEASE, soak=7.0) == foretell(
        S.AGENT_DOWN, GR_N, C.LOCAL, FRR
    )


# --- laws -------------------------------------------------------------------------------------------------


def test_another_stack_may_wait_before_it_connects() -> None:
    """A GoBGP does, for 5 s; nobody knows it of all."""
    for facts in (NO_GR, replace(GR, restart_time=12)):
        ours, other = (
            foretell(S.RESTART, facts, C.POD_CIDR, FRR, away=SHORT, readmitted=seconds)
            for seconds in (READMITTED, READMITTED_OTHER)
        )
        assert ours.back and other.back and other.back.best == ours.back.best
        later = READMITTED_OTHER - READMITTED
        assert other.back.worst - ours.back.worst == later
        assert other.loss.worst - ours.loss.worst == pytest.approx(later)


def test_bird_keeps_the_routes_of_a_dead_node_that_sends_the_capability_of_rfc_9494() -> None:
    """With a stale time of 0 too, as every FRR sends it: measured on BIRD 2.0.12 and FRR 8.4."""
    for facts, gone in ((GR, H), (replace(GR, long_lived=0), H + R)):
        for each in (facts, replace(facts, graceful=None)):
            course = foretell(S.POWER_OFF, each, C.CLUSTER, BIRD2, elsewhere=True)
            assert course.gone is not None and course.gone.worst == gone


FACTS = st.sampled_from([NO_GR, GR, GR_N, NOT_TOLD, replace(GR, long_lived=30), replace(GR_N, bfd=0.9)])
AWAYS = st.one_of(
    st.none(), st.tuples(st.floats(0.5, 200), st.floats(0, 200)).map(lambda two: Span(two[0], sum(two)))
)
GIVEN = {
    "scenario": st.sampled_from(Scenario),
    "facts": FACTS,
    "kind": st.sampled_from(RouteClass),
    "profile": st.sampled_from(PROFILES),
    "elsewhere": st.sampled_from([True, False, None]),
    "away": AWAYS,
}


@given(**GIVEN, at=st.tuples(*[st.floats(0, 1)] * 2))
def test_loss_is_what_the_timeline_says(at: tuple[float, float], **case: object) -> None:
    """Let the routes go and come back at any instant of their spans: what is lost then is in `loss`."""
    found = foretell(**case)  # type: ignore[arg-type]
    lost = lost_in(found, *at)
    assert found.loss.worst >= lost - 1e-9
    assert found.loss.best <= found.loss.worst


def lost_in(course: Course, gone_at: float, back_at: float) -> float:
    """Seconds without an answer in one world."""
    gone, back = (
        within(span, at) if span else inf for span, at in ((course.gone, gone_at), (course.back, back_at))
    )
    dark = (Fate.BLACK_HOLED, Fate.UNREACHABLE, Fate.RESET)
    before = min(gone, back) if course.meanwhile in dark else 0.0
    after = max(0.0, back - gone) if course.then in dark and gone < inf else 0.0
    return before + after


def within(span: Span, at: float) -> float:
    return span.best if span.best == span.worst else span.best + at * (span.worst - span.best)


@given(**GIVEN)
def test_the_routes_go_when_the_estimate_says(**case: object) -> None:
    found = foretell(**case)  # type: ignore[arg-type]
    events = {S.AGENT_DOWN: Event.CRASH, S.POWER_OFF: Event.POWER_OFF, S.REMOTE_LINK_DOWN: Event.POWER_OFF}
    if found.scenario in events and found.gone is not None:
        said = estimate(events[found.scenario], case["facts"], case["profile"])  # type: ignore[arg-type]
        assert found.gone == (said.best, said.worst)
        assert set(said.unknown) <= set(found.unknown)


@given(**GIVEN)
def test_to_know_more_never_makes_it_worse(**case: object) -> None:
    unsure = foretell(**{**case, "elsewhere": None})  # type: ignore[arg-type]
    for elsewhere in (True, False):
        known = foretell(**{**case, "elsewhere": elsewhere})  # type: ignore[arg-type]
        assert unsure.loss.best <= known.loss.best
        assert known.loss.worst <= unsure.loss.worst
