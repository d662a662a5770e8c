"""The withdrawal estimate against its tables (facts/bgp.md 0, 2), its measurements (3), and its laws."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.model import GracefulRestart, Peer, Session, SessionState
from bgpctl.core.state import describe_peer
from bgpctl.core.timing.profiles import PROFILES, UNKNOWN_ROUTER, Profile, find_profile, parse_peer_profile
from bgpctl.core.timing.withdrawal import (
    MARGIN,
    PROCESSING_BEST,
    PROCESSING_WORST,
    TIMER_GRANULARITY,
    Close,
    Event,
    PeerFacts,
    estimate,
    facts_from_peer,
    facts_from_state,
    worst_of,
)

H, K, R, L, D = 90, 30, 120, 3600, 0.9

NO_GR = PeerFacts("64512/10.0.0.1", "10.0.0.1", H, K, None, False, False, False, None, negotiated=True)
GR = replace(NO_GR, restart_time=R, graceful=True)
GR_N = replace(GR, local_n=True, peer_n=True)
GR_LLGR = replace(GR, long_lived=L)
GR_N_LLGR = replace(GR_N, long_lived=L)
UNKNOWN = replace(GR, graceful=None, local_n=True, peer_n=None, negotiated=False)

P = MARGIN  # worst case of everything immediate: P and the margin of 2.2
X = R + MARGIN


def worst(event: Event, facts: PeerFacts, profile: str = "frr10.7", close: Close | None = None) -> float:
    return estimate(event, facts, find_profile(profile), close=close).worst


# --- the table of section 0, row by row -----------------------------------------------------------------

COLUMNS = {"no GR": NO_GR, "GR, no N": GR, "GR, N": GR_N}


@pytest.mark.parametrize(
    ("event", "close", "no_gr", "gr", "gr_n"),
    [
        pytest.param(Event.WITHDRAW, None, P, P, P, id="explicit withdraw"),
        pytest.param(Event.DESELECT, None, P, P, P, id="deselect, withdrawing first"),
        pytest.param(Event.DESELECT, Close.CEASE, P, P, X, id="Cease, not Hard Reset"),
        pytest.param(Event.DESELECT, Close.HARD_RESET, P, P, P, id="Hard Reset"),
        pytest.param(Event.DESELECT, Close.SILENT, P, X, X, id="FIN"),
        pytest.param(Event.CRASH, None, P, X, X, id="SIGKILL"),
        pytest.param(Event.RESTART, None, P, X, X, id="restart of bgpctl's speaker"),
        pytest.param(Event.RESTART, Close.CEASE, P, P, X, id="restart with a Cease (Cilium 1.17.x)"),
        pytest.param(Event.POWER_OFF, None, H, H, H + R, id="power-off"),
        pytest.param(Event.LINK_DOWN, None, H, H, H + R, id="link down, not the router's own"),
    ],
)
def test_table_of_section_0(event: Event, close: Close | None, no_gr: float, gr: float, gr_n: float) -> None:
    answers = [worst(event, facts, close=close) for facts in COLUMNS.values()]
    assert answers == [no_gr, gr, gr_n]


@pytest.mark.parametrize(
    ("event", "close", "no_n", "with_n"),
    [
        pytest.param(Event.DESELECT, Close.CEASE, P, X, id="Cease"),
        pytest.param(Event.DESELECT, Close.HARD_RESET, P, P, id="Hard Reset"),
        pytest.param(Event.CRASH, None, X, X, id="FIN"),
        pytest.param(Event.POWER_OFF, None, H + R, H + R, id="power-off: even without N"),
        pytest.param(Event.LINK_DOWN, None, H + R, H + R, id="own link down: GoBGP does not look"),
    ],
)
def test_gobgp_column(event: Event, close: Close | None, no_n: float, with_n: float) -> None:
    assert worst(event, GR, "gobgp3", close) == no_n
    assert worst(event, GR_N, "gobgp3", close) == with_n


@pytest.mark.parametrize(
    ("event", "close", "bird", "gobgp_n"),
    [
        pytest.param(Event.DESELECT, None, P, P, id="explicit withdraw"),
        pytest.param(Event.DESELECT, Close.CEASE, P, X + L, id="Cease"),
        pytest.param(Event.DESELECT, Close.HARD_RESET, P, P, id="Hard Reset"),
        pytest.param(Event.CRASH, None, X + L, X + L, id="FIN"),
        pytest.param(Event.POWER_OFF, None, H + R + L, H + R + L, id="power-off: BIRD even without N"),
    ],
)
def test_long_lived_column(event: Event, close: Close | None, bird: float, gobgp_n: float) -> None:
    assert worst(event, GR_LLGR, "bird2", close) == bird
    assert worst(event, GR_N_LLGR, "gobgp3", close) == gobgp_n


@pytest.mark.parametrize(("router", "gone"), [("frr", H), ("bird2", H + R), ("gobgp3", H + R)])
def test_the_capability_with_no_time_counts_where_it_was_measured(router: str, gone: float) -> None:
    """FRR sends it always, so each measurement of an FRR had it: its hold timer ends the routes."""
    assert worst(Event.POWER_OFF, replace(GR, long_lived=0), router) == gone
    assert worst(Event.POWER_OFF, GR_LLGR, router) > gone


@pytest.mark.parametrize("facts", [NO_GR, GR, GR_N, GR_LLGR], ids=["no GR", "GR", "GR+N", "LLGR"])
@pytest.mark.parametrize("router", ["frr", "bird2"])
def test_bfd_row_flushes_in_every_mode(facts: PeerFacts, router: str) -> None:
    assert worst(Event.POWER_OFF, replace(facts, bfd=D), router) == D + PROCESSING_WORST


def test_bfd_shortens_nothing_where_the_router_may_keep_graceful_restart() -> None:
    assert worst(Event.POWER_OFF, replace(GR_N, bfd=D), "unknown") == H + R
    assert worst(Event.POWER_OFF, replace(NO_GR, bfd=D), "unknown") == D + PROCESSING_WORST


# --- the rows of section 2.1 that the table does not have ---------------------------------------------------


def test_the_stale_cap_counts_when_it_runs_from_the_drop() -> None:
    _, capped = parse_peer_profile("10.0.0.1=frr10.7,stale:50")
    assert estimate(Event.CRASH, GR, capped).worst == 50 + MARGIN
    assert estimate(Event.POWER_OFF, GR_N, capped).worst == H + 50
    long = replace(GR, restart_time=400)
    assert worst(Event.CRASH, long, "frr") == 360 + MARGIN
    assert worst(Event.CRASH, long, "exos") == 400 + MARGIN, "EXOS' cap runs from the return"


def test_a_cap_that_runs_from_the_return_is_known_not_to_count() -> None:
    answer = estimate(Event.CRASH, replace(GR, restart_time=400), find_profile("exos"))
    assert (answer.best, answer.worst) == (400 - TIMER_GRANULARITY, 400 + MARGIN)
    assert answer.unknown == ()


def test_a_cap_whose_start_is_unknown_does_not_shorten_the_worst_case() -> None:
    answer = estimate(Event.CRASH, replace(GR, restart_time=400), find_profile("junos"))
    assert (answer.best, answer.worst) == (300 - TIMER_GRANULARITY, 400 + MARGIN)
    assert answer.unknown == ("the router's stale timer",)
    assert estimate(Event.CRASH, GR, find_profile("junos")).unknown == (), "300 s never bound 120 s"


def test_hard_reset_on_an_frr_that_can_miss_it_spans_both_ends() -> None:
    answer = estimate(Event.DESELECT, GR_N, find_profile("frr"), close=Close.HARD_RESET)
    assert (answer.best, answer.worst) == (PROCESSING_BEST, X)
    assert "FRR before 10.7" in answer.why
    assert worst(Event.DESELECT, GR, "frr", Close.HARD_RESET) == P, "without N a Hard Reset is a Cease"


def test_power_off_best_case_is_hold_less_keepalive() -> None:
    assert estimate(Event.POWER_OFF, NO_GR, find_profile("frr")).best == H - K - TIMER_GRANULARITY
    assert estimate(Event.LINK_DOWN, NO_GR).best == 0.0


@pytest.mark.parametrize("router", ["bird2", "bird3", "unknown"])
def test_a_router_may_shorten_its_hold_timer(router: str) -> None:
    """RFC 4271 section 10; BIRD 2.0.12 dropped a silent node's routes after 4.46 s of a hold time of 9."""
    assert estimate(Event.POWER_OFF, NO_GR, find_profile(router)).best == 0.75 * H - K - TIMER_GRANULARITY
    assert estimate(Event.POWER_OFF, SMALL_GR, find_profile(router)).best < 4.46


@pytest.mark.parametrize("event", [Event.CRASH, Event.POWER_OFF])
def test_a_router_that_remembers_graceful_restart_is_told_of(event: Event) -> None:
    """Bgp.md 3.8: GoBGP keeps the routes of a session without it as an earlier one with it had asked for."""
    assert "an earlier session" in estimate(event, NO_GR, find_profile("gobgp")).why
    assert "an earlier session" not in estimate(event, GR, find_profile("gobgp")).why
    assert "an earlier session" not in estimate(event, NO_GR, find_profile("frr")).why
    assert "an earlier session" not in estimate(Event.DESELECT, NO_GR, find_profile("gobgp")).why


def test_a_hold_time_of_zero_never_ends_by_itself() -> None:
    answer = estimate(Event.POWER_OFF, replace(NO_GR, hold_time=0, keepalive_time=0))
    assert answer.worst == inf
    assert "nothing notices" in answer.why
    assert (
        worst(Event.POWER_OFF, replace(NO_GR, hold_time=0, keepalive_time=0, bfd=D)) == D + PROCESSING_WORST
    )


# --- unknown values (2.2, last lines) -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "close", "expected"),
    [
        (Event.DESELECT, None, P),
        (Event.DESELECT, Close.CEASE, X),
        (Event.DESELECT, Close.HARD_RESET, X),
        (Event.CRASH, None, X),
        (Event.RESTART, None, X),
        (Event.POWER_OFF, None, H + R),
        (Event.LINK_DOWN, None, H + R),
    ],
)
def test_an_unknown_peer_takes_its_worst_case(event: Event, close: Close | None, expected: float) -> None:
    assert estimate(event, UNKNOWN, close=close).worst == expected


def test_the_sentence_names_what_was_unknown_and_only_what_matters() -> None:
    crash = estimate(Event.CRASH, UNKNOWN)
    assert crash.unknown == ("whether graceful restart is negotiated", "the router's stale timer")
    assert crash.why.endswith(f"unknown and taken at its worst: {', '.join(crash.unknown)}.")
    assert estimate(Event.DESELECT, UNKNOWN).unknown == ()
    assert "the router's N bit" in estimate(Event.POWER_OFF, UNKNOWN).unknown
    assert "the router's hold time" in estimate(Event.POWER_OFF, UNKNOWN).unknown
    assert estimate(Event.POWER_OFF, GR_N, find_profile("frr")).unknown == ()


def test_a_product_that_never_has_the_n_bit_settles_it() -> None:
    assert estimate(Event.POWER_OFF, UNKNOWN, find_profile("bird2")).worst == H
    assert estimate(Event.POWER_OFF, UNKNOWN, find_profile("frr")).worst == H + R


# --- measured (section 3) must lie within [best, worst] -----------------------------------------------------

SMALL = replace(NO_GR, hold_time=9, keepalive_time=3)
SMALL_GR = replace(SMALL, restart_time=20, graceful=True)
SMALL_N = replace(SMALL_GR, local_n=True, peer_n=True)
SMALL_LLGR = replace(SMALL_GR, restart_time=5, long_lived=15)
BFD_90 = replace(NO_GR, bfd=0.9)

MEASURED = [
    # 3.1 a, a2, a4/a5: explicit withdraw
    ("a", "frr", Event.DESELECT, None, SMALL, [0.08, 0.09]),
    ("a", "bird2", Event.DESELECT, None, SMALL, [0.09, 0.06]),
    ("a", "gobgp3", Event.WITHDRAW, None, SMALL_GR, [0.02, 0.07, 0.05]),
    ("a", "openbgpd7", Event.DESELECT, None, SMALL_GR, [0.11, 0.07, 0.05]),
    ("a4", "frr", Event.DESELECT, None, SMALL_N, [0.15, 0.15]),
    # 3.1 b, b4, b5, b6: Cease
    ("b", "frr", Event.DESELECT, Close.CEASE, SMALL, [0.15]),
    ("b4", "frr", Event.DESELECT, Close.CEASE, SMALL_GR, [0.15]),
    ("b4", "bird2", Event.DESELECT, Close.CEASE, SMALL_GR, [0.06, 0.05]),
    ("b4", "openbgpd7", Event.DESELECT, Close.CEASE, SMALL_GR, [0.05, 0.06]),
    ("b5", "frr", Event.DESELECT, Close.CEASE, SMALL_N, [20.08, 20.13, 20.12]),
    ("b5", "gobgp3", Event.DESELECT, Close.CEASE, SMALL_N, [20.09, 20.00]),
    ("b5", "gobgp3", Event.DESELECT, Close.CEASE, SMALL_GR, [0.05]),
    # 3.1 b7, b10, b11: Hard Reset, with payload, bare, and with a RST at its heels
    ("b7", "frr", Event.DESELECT, Close.HARD_RESET, SMALL_N, [0.15]),
    ("b7", "gobgp3", Event.DESELECT, Close.HARD_RESET, SMALL_N, [0.05]),
    # 3.1 c, c3, d1, d2: the end of the TCP connection; 3.3 the same over IPv6
    ("c", "frr", Event.CRASH, None, SMALL_GR, [20.09, 20.12, 20.08]),
    ("c", "bird2", Event.CRASH, None, SMALL_GR, [20.09, 20.10, 20.00, 20.11]),
    ("c", "gobgp3", Event.RESTART, None, SMALL_GR, [20.08, 19.99, 20.06, 20.02, 20.01]),
    ("c", "openbgpd7", Event.CRASH, None, SMALL_GR, [19.26, 19.65, 19.84, 19.86, 19.44]),
    ("d1", "frr", Event.CRASH, None, SMALL, [0.09, 0.15]),
    ("d1", "bird2", Event.CRASH, None, SMALL, [0.05, 0.10]),
    ("d1", "openbgpd7", Event.CRASH, None, SMALL, [0.05]),
    ("s1", "frr,stale:8", Event.CRASH, None, SMALL_GR, [8.07]),
    # 3.2 unreachable and keepalives stopped, hold 9; 3.3
    ("silent", "frr", Event.POWER_OFF, None, SMALL, [7.84, 7.77]),
    ("silent", "bird2", Event.POWER_OFF, None, SMALL, [6.55, 6.95]),
    ("silent", "gobgp3", Event.POWER_OFF, None, SMALL, [7.86]),
    ("silent", "openbgpd7", Event.POWER_OFF, None, SMALL, [6.60, 6.79]),
    ("silent GR", "frr", Event.POWER_OFF, None, SMALL_GR, [7.64, 7.57, 7.52]),
    ("silent GR", "bird2", Event.POWER_OFF, None, SMALL_GR, [7.54, 5.88, 7.23, 4.46]),
    ("silent GR", "gobgp3", Event.POWER_OFF, None, SMALL_GR, [27.66, 27.52, 27.5]),
    ("silent GR", "openbgpd7", Event.POWER_OFF, None, SMALL_GR, [6.75, 6.85, 7.14]),
    ("silent N", "frr", Event.POWER_OFF, None, SMALL_N, [27.5, 27.6]),
    ("silent N", "gobgp3", Event.POWER_OFF, None, SMALL_N, [27.44]),
    # 3.5 BFD 3 x 300 ms, hold 90
    ("bfd", "frr", Event.POWER_OFF, None, BFD_90, [1.03]),
    ("bfd", "frr", Event.POWER_OFF, None, replace(GR_N, bfd=0.9), [0.84]),
    ("bfd", "bird2", Event.POWER_OFF, None, replace(GR, bfd=0.9), [0.73]),
    # 3.6 the router's own interface down
    ("link", "frr", Event.LINK_DOWN, None, GR, [0.15]),
    ("link", "bird2", Event.LINK_DOWN, None, NO_GR, [0.05]),
    # 3.7 LLGR: R=5, L=15
    ("llgr fin", "bird2", Event.CRASH, None, SMALL_LLGR, [20.08]),
    ("llgr fin", "gobgp3", Event.CRASH, None, SMALL_LLGR, [20.08]),
    ("llgr fin R=0", "bird2", Event.CRASH, None, replace(SMALL_LLGR, restart_time=0), [15.07]),
    ("llgr silent", "bird2", Event.POWER_OFF, None, SMALL_LLGR, [26.99]),
    ("llgr silent", "gobgp3", Event.POWER_OFF, None, SMALL_LLGR, [27.5]),
    ("llgr cease", "bird2", Event.DESELECT, Close.CEASE, SMALL_LLGR, [0.05]),
    ("llgr off", "frr", Event.CRASH, None, replace(SMALL_GR, restart_time=5), [5.06]),
    ("llgr off R=0", "frr", Event.CRASH, None, replace(SMALL_GR, restart_time=0), [0.15]),
]


@pytest.mark.parametrize("router", ["its profile", "unknown"])
@pytest.mark.parametrize(("row", "name", "event", "close", "facts", "values"), MEASURED)
def test_measured_values_lie_within_the_estimate(
    row: str,
    name: str,
    event: Event,
    close: Close | None,
    facts: PeerFacts,
    values: list[float],
    router: str,
) -> None:
    profile = UNKNOWN_ROUTER if router == "unknown" else parse_peer_profile(f"10.0.0.1={name}")[1]
    answer = estimate(event, facts, profile, close=close)
    assert all(answer.best <= value <= answer.worst for value in values), (row, answer)


def test_the_estimate_with_everything_known_is_tight() -> None:
    """The other direction of the rows above: it would be easy to be right with [0, inf]."""
    for row, name, event, close, facts, values in MEASURED:
        if event is Event.LINK_DOWN or "bfd" in row or close is Close.HARD_RESET:
            continue  # one link or the other, a race: these are wide because the world is
        profile = parse_peer_profile(f"10.0.0.1={name}")[1]
        answer = estimate(event, facts, profile, close=close)
        assert answer.worst - max(values) <= MARGIN + TIMER_GRANULARITY, (row, answer)
        width = SMALL.keepalive_time + SMALL.hold_time * (1 - profile.earliest_hold) + 2 * TIMER_GRANULARITY
        assert min(values) - answer.best <= width, (row, answer)


# --- laws ---------------------------------------------------------------------------------------------------

flags = st.none() | st.booleans()
events = st.sampled_from(Event)
closes = st.none() | st.sampled_from(Close)
profiles = st.sampled_from(PROFILES)


@st.composite
def peer_facts(draw: st.DrawFn) -> PeerFacts:
    hold = draw(st.integers(3, 600))
    restart = draw(st.none() | st.integers(0, 4095))
    return PeerFacts(
        peer="p",
        address="10.0.0.1",
        hold_time=hold,
        keepalive_time=draw(st.integers(1, hold)),
        restart_time=restart,
        graceful=False if restart is None else draw(flags),
        local_n=restart is not None and draw(st.booleans()),
        peer_n=draw(flags),
        long_lived=draw(st.none() | st.integers(0, 86400)),
        # Faster than the smallest hold timer, as BFD is: a slower one would lose the race, which is no law.
        bfd=draw(st.none() | st.floats(0.05, 2)),
        negotiated=draw(st.booleans()),
    )


@given(events, closes, peer_facts(), profiles)
def test_best_is_never_above_worst(
    event: Event, close: Close | None, facts: PeerFacts, profile: Profile
) -> None:
    answer = estimate(event, facts, profile, close=close)
    assert 0 <= answer.best <= answer.worst
    assert answer.why.endswith(".") and ("RFC" in answer.why)


@given(events, closes, peer_facts(), profiles, st.integers(0, 1000))
def test_worst_grows_with_every_timer(
    event: Event, close: Close | None, facts: PeerFacts, profile: Profile, more: int
) -> None:
    base = estimate(event, facts, profile, close=close).worst
    longer = [replace(facts, hold_time=facts.hold_time + more)]
    if facts.restart_time is not None:
        longer.append(replace(facts, restart_time=facts.restart_time + more))
    if facts.long_lived:
        longer.append(replace(facts, long_lived=facts.long_lived + more))
    assert all(estimate(event, changed, profile, close=close).worst >= base for changed in longer)


@given(events, closes, peer_facts(), profiles, st.booleans(), st.booleans())
def test_more_knowledge_only_narrows(
    event: Event, close: Close | None, facts: PeerFacts, profile: Profile, graceful: bool, peer_n: bool
) -> None:
    # How the speaker closes depends on what it negotiated; hold that still to compare like with like.
    how = close or (Close.SILENT if event is Event.RESTART else None)
    vague = estimate(event, replace(facts, graceful=None, peer_n=None), UNKNOWN_ROUTER, close=how)
    known = replace(facts, graceful=graceful, peer_n=peer_n)
    for learned in (known, replace(facts, graceful=None, peer_n=peer_n), replace(known, peer_n=None)):
        for router in (UNKNOWN_ROUTER, profile):
            answer = estimate(event, learned, router, close=how)
            assert vague.best <= answer.best and answer.worst <= vague.worst


@given(events, peer_facts(), profiles)
def test_a_session_that_negotiates_a_smaller_hold_time_only_narrows(
    event: Event, facts: PeerFacts, profile: Profile
) -> None:
    before = estimate(event, replace(facts, negotiated=False), profile)
    for hold in {3, max(3, facts.hold_time // 2), facts.hold_time}:
        session = replace(facts, hold_time=hold, keepalive_time=max(1, hold // 3), negotiated=True)
        after = estimate(event, session, profile)
        assert before.best <= after.best and after.worst <= before.worst


@given(closes, peer_facts(), profiles)
def test_bgpctls_own_speaker_leaves_promptly_from_every_router(
    close: Close | None, facts: PeerFacts, profile: Profile
) -> None:
    own = estimate(Event.DESELECT, facts, profile)
    assert own.worst == MARGIN and own.unknown == ()
    assert own.worst <= estimate(Event.DESELECT, facts, profile, close=close).worst


# --- facts --------------------------------------------------------------------------------------------------

PEER = Peer(
    name="64512/10.0.0.1",
    instance="64512",
    address=IPv4Address("10.0.0.1"),
    asn=64500,
    local_asn=64512,
    router_id=IPv4Address("10.0.0.9"),
    restart_time=R,
)


def session(**changes: object) -> Session:
    base = Session(
        peer=PEER.name,
        state=SessionState.ESTABLISHED,
        hold_time=9,
        keepalive_time=3,
        local_gr=GracefulRestart(60, notification=True),
        peer_gr=GracefulRestart(120, notification=False),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_facts_from_a_session_use_our_restart_time_not_the_routers() -> None:
    facts = facts_from_state(describe_peer(PEER, session(), 1, 1))
    assert facts == PeerFacts(
        PEER.name, "10.0.0.1", 9, 3, 60, True, True, False, None, negotiated=True, peer_graceful=True
    )


@pytest.mark.parametrize("missing", ["local_gr", "peer_gr"])
def test_graceful_restart_needs_both_sides(missing: str) -> None:
    facts = facts_from_state(describe_peer(PEER, session(**{missing: None}), 1, 1))
    assert facts.graceful is False
    assert estimate(Event.CRASH, facts).worst == P


def test_a_session_that_is_down_keeps_what_it_negotiated() -> None:
    facts = facts_from_state(describe_peer(PEER, session(state=SessionState.IDLE), 1, 1))
    assert facts.negotiated and facts.hold_time == 9


def test_facts_without_a_session_are_the_policys() -> None:
    never = describe_peer(PEER, Session(PEER.name), 1, 0)
    assert facts_from_state(never) == facts_from_peer(PEER)
    assert facts_from_peer(PEER).graceful is None
    assert facts_from_peer(replace(PEER, restart_time=None)).graceful is False


def test_worst_of_takes_the_slowest_peer() -> None:
    slow = estimate(Event.CRASH, replace(GR, peer="b"))
    assert worst_of([estimate(Event.CRASH, NO_GR), slow]) is slow
    assert worst_of([]) is None
