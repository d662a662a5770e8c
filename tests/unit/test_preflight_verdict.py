"""Which nodes may be upgraded without a router dropping their routes: the table of verdicts."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.preflight.verdict import (
    Case,
    Measured,
    Peering,
    Verdict,
    Word,
    judge,
    wanted,
)
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.profiles import NO_CAP, UNKNOWN_ROUTER, CapStart, find_profile

BIRD, FRR = find_profile("bird"), find_profile("frr")
FACTS = PeerFacts("p", "192.0.2.1", 90, 30, 120, True, True, True, None, negotiated=True, peer_graceful=True)
GOOD = Peering(FACTS, BIRD)
FITS, SLOW, UNKNOWN = Verdict.FITS, Verdict.TOO_SLOW, Verdict.UNKNOWN


def took(seconds: float) -> Measured:
    return Measured(seconds, Word.REPORTED, "by its kubelet")


def case(pull: float = 3.0, restart: float = 8.0, *peers: Peering) -> Case:
    return Case("n", took(pull), took(restart), peers or (GOOD,))


def over(least: float) -> Measured:
    return Measured(how="time was up", least=least)


@pytest.mark.parametrize(
    ("given", "verdict", "why"),
    [
        (
            case(3, 8),
            FITS,
            "3 s + restart 8 s = 11 s, and 192.0.2.1 keeps the routes for 119 s at least",
        ),
        (case(111, 8), FITS, "= 119 s"),
        (case(111.1, 8), SLOW, "pull 111.1 s + restart 8 s = 119.1 s, and 192.0.2.1 keeps"),
        (case(8, 111.1), SLOW, "= 119.1 s"),
        (case(0, 119.5), SLOW, "restart 119.5 s, and 192.0.2.1 keeps the routes for 119 s at least"),
        # what is too much already does not become less by what is not known
        (replace(case(), pull=over(130)), SLOW, "pull over 130 s + restart 8 s"),
        (replace(case(130), restart=Measured(how="none was seen")), SLOW, "pull 130 s, and"),
        (replace(case(), pull=over(3)), UNKNOWN, "how long the pull takes is not known: time was up"),
        (replace(case(), pull=Measured(how="the node is not Ready")), UNKNOWN, "the node is not Ready"),
        (replace(case(), restart=Measured(how="none was seen")), UNKNOWN, "how long a restart takes is not"),
        (replace(case(), doubt="its speaker is silent"), UNKNOWN, "its speaker is silent"),
        # peers
        (case(3, 8, replace(GOOD, facts=replace(FACTS, restart_time=None))), SLOW, "is off on the node"),
        (case(3, 8, replace(GOOD, facts=replace(FACTS, graceful=False))), SLOW, "does not offer graceful"),
        (case(3, 8, replace(GOOD, facts=replace(FACTS, graceful=None))), UNKNOWN, "is not told"),
        (case(3, 8, replace(GOOD, facts=replace(FACTS, graceful=None), helps=True)), FITS, "119 s"),
        (case(3, 8, replace(GOOD, facts=replace(FACTS, graceful=None), helps=False)), SLOW, "any restart"),
        (case(3, 8, replace(GOOD, uncovered=frozenset({IPV6}))), SLOW, "does not cover ipv6/unicast"),
        (
            case(3, 8, replace(GOOD, uncovered=frozenset({IPV6, IPV4}))),
            SLOW,
            "does not cover ipv4/unicast, ipv6/unicast",
        ),
        (case(3, 8, replace(GOOD, down="active")), UNKNOWN, "the session to 192.0.2.1 is active"),
        (case(0, 0, replace(GOOD, facts=replace(FACTS, restart_time=0))), SLOW, "any restart loses routes"),
        # routers' own limits
        (case(3, 8, Peering(FACTS)), UNKNOWN, "(--peer-profile 192.0.2.1=NAME)"),
        (
            case(100, 8, Peering(FACTS, cap=110.0)),
            FITS,
            "the routes for 109 s at least (its own limit)",
        ),
        (case(101.1, 8, Peering(FACTS, cap=110.0)), SLOW, "(its own limit)"),
        (case(3, 8, Peering(FACTS, cap=120.0)), FITS, "(our Restart Time)"),
        (case(100, 8, Peering(FACTS, FRR)), FITS, "(our Restart Time)"),
        (
            case(400, 8, Peering(replace(FACTS, restart_time=600), FRR)),
            SLOW,
            "359 s at least (its own",
        ),
        (case(400, 8, Peering(replace(FACTS, restart_time=600), FRR, cap=NO_CAP)), FITS, "599 s at least"),
        (case(3, 8, GOOD, Peering(replace(FACTS, address="192.0.2.2"))), UNKNOWN, "192.0.2.2 drops stale"),
        (case(3, 8, Peering(FACTS), replace(GOOD, facts=replace(FACTS, restart_time=9))), SLOW, "8 s at"),
        # nobody to lose anything
        (Case("n", took(500)), FITS, "it has no BGP peer: there is nothing to lose"),
        (Case("n", Measured(how="time was up")), UNKNOWN, "how long the pull takes"),
        (Case("n", failed="ErrImagePull: not found"), SLOW, "cannot be pulled: ErrImagePull: not found"),
    ],
)
def test_verdicts(given: Case, verdict: Verdict, why: str) -> None:
    judged = judge(given)
    assert judged.verdict is verdict, judged.whys
    assert any(why in text for text in judged.whys), judged.whys


def test_a_limit_that_runs_from_the_return_ends_no_wait() -> None:
    profile = replace(FRR, stale_cap=10.0, stale_cap_start=CapStart.RETURN)
    assert judge(case(3, 8, Peering(FACTS, profile))).verdict is FITS
    unsure = replace(profile, stale_cap_start=CapStart.UNKNOWN)
    assert judge(case(3, 8, Peering(FACTS, unsure))).verdict is SLOW, "it may run from the drop"


def test_what_is_kept() -> None:
    assert judge(case(3, 8, GOOD, Peering(FACTS, cap=60.0))).kept == 59
    assert judge(case(3, 8, GOOD, Peering(FACTS))).kept is None
    assert judge(Case("n", took(1))).kept == inf
    assert judge(replace(case(), doubt="silent")).kept is None
    off = replace(GOOD, facts=replace(FACTS, graceful=False))
    assert judge(case(3, 8, off, Peering(FACTS))).kept == 0, "whatever the other one does"


def test_words() -> None:
    assert judge(case()).patience[0].word is Word.ESTIMATED, "the limit is the product's, not this router's"
    assert judge(case(3, 8, Peering(FACTS, cap=60.0))).patience[0].word is Word.REPORTED
    assert judge(case(3, 8, Peering(FACTS))).patience[0].word is Word.UNKNOWN


def test_what_would_help() -> None:
    slow = judge(case(140, 8))
    assert slow.with_image and wanted(slow) == 296
    assert not judge(case(3, 130)).with_image
    assert judge(case(3, 119)).with_image and not judge(case(3, 119.5)).with_image
    assert wanted(judge(replace(case(), failed="no"))) is None
    assert wanted(judge(case(4000, 8))) == 4095, "RFC 4724 has 12 bits for it"


seconds = st.none() | st.floats(0, 300)
flags = st.none() | st.booleans()


@given(seconds, seconds, seconds, flags, flags, st.none() | st.integers(0, 4095), st.booleans())
def test_unknown_never_fits_and_what_fits_is_within_every_limit(
    pull: float | None,
    restart: float | None,
    cap: float | None,
    graceful: bool | None,
    helps: bool | None,
    restart_time: int | None,
    known: bool,
) -> None:
    facts = replace(FACTS, graceful=graceful, restart_time=restart_time)
    peering = Peering(facts, BIRD if known else UNKNOWN_ROUTER, helps=helps, cap=cap)
    judged = judge(Case("n", Measured(pull), Measured(restart), (GOOD, peering)))
    if judged.verdict is FITS:
        assert pull is not None and restart is not None and restart_time is not None
        assert graceful or (graceful is None and helps)
        assert known or cap is not None
        assert pull + restart < min(restart_time, 120, inf if cap is None else cap)
    if None in (pull, restart):
        assert judged.verdict is not FITS
    assert judged.whys, "every verdict has its reason"
