"""What `node estimate` says of the N bit, and how a soak counts in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.core.timing.nbit import advice
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, find_profile
from bgpctl.core.timing.soak import READ_SECONDS
from bgpctl.core.timing.withdrawal import Close, Event, PeerFacts, estimate

OFF = PeerFacts("p", "192.0.2.1", 90, 30, 120, True, False, True, None, negotiated=True)
ON = replace(OFF, local_n=True)
FRR, BIRD, GOBGP = (find_profile(name) for name in ("frr", "bird", "gobgp"))


@pytest.mark.parametrize(
    ("facts", "profile", "words"),
    [
        pytest.param(OFF, FRR, "With the N bit (bgpctl.io/graceful-notification) up to 210 s", id="off"),
        pytest.param(ON, FRR, "Without the N bit up to 90 s", id="on"),
        pytest.param(replace(OFF, peer_n=None), UNKNOWN_ROUTER, "", id="GoBGP, perhaps: no difference"),
        pytest.param(OFF, GOBGP, "", id="GoBGP keeps them anyway"),
        pytest.param(replace(OFF, peer_n=False), FRR, "", id="the router has it switched off"),
        pytest.param(replace(OFF, peer_n=None), BIRD, "", id="BIRD never sends it"),
        pytest.param(replace(OFF, restart_time=None, graceful=False), FRR, "", id="no graceful restart"),
        pytest.param(replace(ON, hold_time=0), FRR, "", id="nothing notices anyway"),
    ],
)
def test_advice(facts: PeerFacts, profile: object, words: str) -> None:
    found = advice(facts, profile)  # type: ignore[arg-type]
    assert found.startswith(words) if words else found == ""


@pytest.mark.parametrize(("facts", "reset"), [(OFF, False), (ON, True)])
def test_a_leave_is_as_fast_with_the_n_bit(facts: PeerFacts, reset: bool) -> None:
    found = estimate(Event.DESELECT, facts, FRR)
    assert (found.best, found.worst) == (0.02, 5.0)
    assert ("then a Hard Reset ends the session (RFC 8538 section 3.1)" in found.why) is reset


def test_a_soak_counts_for_a_leave_of_ours_alone() -> None:
    plain, soaked = (estimate(Event.DESELECT, OFF, FRR, soak=seconds) for seconds in (0.0, 8.0))
    assert soaked.best == plain.best + 8 and soaked.worst == plain.worst + 8 + READ_SECONDS
    assert soaked.why.startswith("After a soak of 8 s with GRACEFUL_SHUTDOWN (RFC 8326), an UPDATE")
    for event, close in ((Event.DESELECT, Close.CEASE), (Event.CRASH, None), (Event.POWER_OFF, None)):
        assert estimate(event, OFF, FRR, close=close, soak=8.0) == estimate(event, OFF, FRR, close=close)
