"""The estimate whole: its two ends in seconds, and the sentence that says why, as people read it."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from bgpctl.core.timing.profiles import find_profile
from bgpctl.core.timing.withdrawal import Close, Event, PeerFacts, estimate

PLAIN = PeerFacts("p", "10.0.0.1", 90, 30, None, False, False, False, None, negotiated=True)
GR = replace(PLAIN, restart_time=120, graceful=True)
GR_N = replace(GR, local_n=True, peer_n=True)
UNKNOWN = replace(GR, graceful=None, local_n=True, peer_n=None, negotiated=False)

WITHDRAWN = "An UPDATE withdraws every route, graceful restart or not (RFC 4271 section 4.3)"
ALONE = "Without graceful restart a closed session takes its routes along (RFC 4271 section 6)"
PLAIN_CEASE = "A NOTIFICATION ends graceful restart without the N bit on both sides (RFC 4724 section 4)"
SILENT = "No NOTIFICATION ends the session, so the router keeps the routes for"
HOLD = "The hold timer notices the silence within 90 s"
NEW, FRR, BIRD, GOBGP = (
    f"read with the profile of {product}"
    for product in ("FRR 10.7 or newer", "FRR 8.3 to 10.6", "BIRD 2", "GoBGP 3 or 4")
)
BACK = "if the speaker does not come back"


@pytest.mark.parametrize(
    ("profile", "event", "close", "facts", "best", "worst", "why"),
    [
        ("frr10.7", Event.WITHDRAW, None, PLAIN, 0.02, 5.0, f"{WITHDRAWN}."),
        ("frr10.7", Event.WITHDRAW, Close.SILENT, GR, 0.02, 5.0, f"{WITHDRAWN}."),
        (
            "frr10.7",
            Event.DESELECT,
            None,
            GR_N,
            0.02,
            5.0,
            f"{WITHDRAWN}, then a Hard Reset ends the session (RFC 8538 section 3.1).",
        ),
        ("frr10.7", Event.DESELECT, Close.CEASE, PLAIN, 0.02, 5.0, f"{ALONE}."),
        ("frr10.7", Event.DESELECT, Close.CEASE, GR, 0.02, 5.0, f"{PLAIN_CEASE}, {NEW}."),
        (
            "frr10.7",
            Event.DESELECT,
            Close.CEASE,
            GR_N,
            119.0,
            125.0,
            "With the N bit on both sides a Cease is graceful: the router keeps the routes for our Restart "
            f"Time of 120 s (RFC 8538 section 4), {NEW}.",
        ),
        (
            "frr10.7",
            Event.DESELECT,
            Close.HARD_RESET,
            GR_N,
            0.02,
            5.0,
            "A Hard Reset flushes the routes in spite of the N bit on both sides (RFC 8538 section 3.1), "
            f"{NEW}.",
        ),
        (
            "frr",
            Event.DESELECT,
            Close.HARD_RESET,
            GR_N,
            0.02,
            125.0,
            "A router that misses the Hard Reset (FRR before 10.7 can) keeps the routes for our Restart Time "
            f"of 120 s (RFC 8538 section 4), {FRR}.",
        ),
        (
            "frr",
            Event.CRASH,
            None,
            GR,
            119.0,
            125.0,
            f"{SILENT} our Restart Time of 120 s (RFC 4724 section 4.2), {BACK}, {FRR}.",
        ),
        (
            "frr",
            Event.CRASH,
            None,
            replace(GR, restart_time=400),
            359.0,
            365.0,
            f"{SILENT} its stale time of 360 s (RFC 4724 section 4.2), {BACK}, {FRR}.",
        ),
        (
            "frr",
            Event.CRASH,
            None,
            replace(GR, restart_time=360),
            359.0,
            365.0,
            f"{SILENT} our Restart Time of 360 s (RFC 4724 section 4.2), {BACK}, {FRR}.",
        ),
        (
            "frr",
            Event.CRASH,
            None,
            replace(GR, restart_time=0),
            0.02,
            5.0,
            f"{SILENT} our Restart Time of 0 s (RFC 4724 section 4.2), {FRR}.",
        ),
        (
            "bird2",
            Event.CRASH,
            None,
            replace(GR, long_lived=3600),
            3719.0,
            3725.0,
            f"{SILENT} our Restart Time of 120 s and the long-lived 3600 s (RFC 9494) "
            f"(RFC 4724 section 4.2), {BACK}, {BIRD}.",
        ),
        (
            "bird2",
            Event.CRASH,
            None,
            replace(GR, restart_time=0, long_lived=15),
            14.0,
            20.0,
            f"{SILENT} our Restart Time of 0 s and the long-lived 15 s (RFC 9494) "
            f"(RFC 4724 section 4.2), {BACK}, {BIRD}.",
        ),
        ("frr", Event.CRASH, None, PLAIN, 0.02, 5.0, f"{ALONE}."),
        ("frr", Event.RESTART, None, PLAIN, 0.02, 5.0, f"{WITHDRAWN}."),
        (
            "frr",
            Event.RESTART,
            None,
            replace(GR, engine_stays=True),
            119.0,
            125.0,
            f"{SILENT} our Restart Time of 120 s (RFC 4724 section 4.2), {BACK}, "
            f"provided that ExaBGP ends too (it outlives its speaker here), {FRR}.",
        ),
        (
            "frr",
            Event.POWER_OFF,
            None,
            PLAIN,
            59.0,
            90.0,
            f"{HOLD} and the router drops the routes (RFC 4271 section 6.5).",
        ),
        (
            "frr",
            Event.POWER_OFF,
            None,
            GR,
            59.0,
            90.0,
            f"{HOLD} and the router drops the routes (RFC 4271 section 6.5, RFC 4724 section 4), {FRR}.",
        ),
        (
            "frr",
            Event.POWER_OFF,
            None,
            GR_N,
            178.0,
            210.0,
            f"{HOLD}, then the router keeps the routes for our Restart Time of 120 s (RFC 8538 section 4), "
            f"{FRR}.",
        ),
        (
            "gobgp",
            Event.POWER_OFF,
            None,
            GR,
            178.0,
            210.0,
            f"{HOLD}, then the router keeps the routes for our Restart Time of 120 s "
            f"(unlike RFC 4724 section 4: GoBGP, and BIRD with RFC 9494), {GOBGP}.",
        ),
        (
            "frr",
            Event.POWER_OFF,
            None,
            replace(PLAIN, bfd=0.9),
            0.02,
            1.6,
            "BFD notices within 0.9 s and the router flushes the routes (RFC 5882 section 4.3).",
        ),
        (
            "frr",
            Event.POWER_OFF,
            None,
            replace(PLAIN, bfd=89.3),  # no sooner than the hold timer
            59.0,
            90.0,
            f"{HOLD} and the router drops the routes (RFC 4271 section 6.5).",
        ),
        (
            "frr",
            Event.POWER_OFF,
            None,
            replace(PLAIN, hold_time=0),
            0.02,
            inf,
            "With a hold time of 0 nothing notices the silence (RFC 4271 section 4.2).",
        ),
        (
            "frr",
            Event.LINK_DOWN,
            None,
            PLAIN,
            0.0,
            90.0,
            "A router drops its own failed link's next hop at once; if a link further away fails, "
            "the hold timer notices the silence within 90 s and the router drops the routes "
            "(RFC 4271 section 6.5).",
        ),
        (
            "unknown",
            Event.CRASH,
            None,
            UNKNOWN,
            0.02,
            125.0,
            f"{SILENT} our Restart Time of 120 s (RFC 4724 section 4.2), {BACK}; unknown and taken at its "
            "worst: whether graceful restart is negotiated, the router's stale timer.",
        ),
        (
            "unknown",
            Event.POWER_OFF,
            None,
            UNKNOWN,
            0.25,  # 0.75 of the smallest hold time, less a keepalive and what a timer rounds
            210.0,
            f"{HOLD}, then the router keeps the routes for our Restart Time of 120 s (RFC 8538 section 4), "
            "unless the router wants no hold timer (0); "
            "unknown and taken at its worst: whether graceful restart is negotiated, the router's N bit, "
            "whether the router keeps routes after its hold timer, the router's stale timer, "
            "the router's hold time.",
        ),
        (
            "gobgp",
            Event.CRASH,
            None,
            PLAIN,
            0.02,
            5.0,
            f"{ALONE}, unless an earlier session had graceful restart, which GoBGP 3 or 4 does not forget.",
        ),
        (
            "gobgp",
            Event.DESELECT,
            Close.CEASE,
            GR,
            0.02,
            5.0,
            f"{PLAIN_CEASE}, {GOBGP}, unless an earlier session had the N bit, which GoBGP 3 or 4 does not "
            "forget.",
        ),
        (
            "gobgp",
            Event.DESELECT,
            Close.CEASE,
            GR_N,
            119.0,
            125.0,
            "With the N bit on both sides a Cease is graceful: the router keeps the routes for our Restart "
            f"Time of 120 s (RFC 8538 section 4), {GOBGP}.",
        ),
    ],
)
def test_an_estimate(
    profile: str,
    event: Event,
    close: Close | None,
    facts: PeerFacts,
    best: float,
    worst: float,
    why: str,
) -> None:
    found = estimate(event, facts, find_profile(profile), close=close)
    assert (pytest.approx(found.best), found.worst, found.why) == (best, worst, why)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("close", [None, Close.WITHDRAW_FIRST, Close.CEASE])
def test_only_a_leave_that_withdraws_first_is_soaked(event: Event, close: Close | None) -> None:
    """And says so: 5 s more, and what routers take to read it."""
    dry, soaked = (estimate(event, GR_N, find_profile("frr"), close=close, soak=soak) for soak in (0.0, 5.0))
    if event is Event.DESELECT and close is not Close.CEASE:
        assert soaked.best == dry.best + 5.0 < soaked.worst - dry.worst + dry.best
        assert soaked.why.startswith("After a soak of 5 s with GRACEFUL_SHUTDOWN (RFC 8326), an UPDATE")
    else:
        assert soaked == dry


@pytest.mark.parametrize(
    ("word", "text"), [(Close.WITHDRAW_FIRST, "withdraw-first"), (Close.SILENT, "silent")]
)
def test_the_words_of_a_close(word: Close, text: str) -> None:
    assert word == text
