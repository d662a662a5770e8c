"""What decides how long a peer keeps our routes: a session's word where there was one, else the policy's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.model import GracefulRestart, Session, SessionState
from bgpctl.core.state import PeerState
from bgpctl.core.timing.facts import PeerFacts, facts_from_state

CONFIGURED = PeerState(
    "p", "192.0.2.1", 179, 65000, 65001, Session("p"), 120, 90, 30, configured_notification=True
)
SPOKEN = Session("p", SessionState.ESTABLISHED, hold_time=9, keepalive_time=3)


def told(**fields: Any) -> PeerFacts:
    return facts_from_state(replace(CONFIGURED, session=replace(SPOKEN, **fields)))


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({}, PeerFacts("p", "192.0.2.1", 90, 30, 120, None, True, None, None)),
        (
            {"configured_restart_time": None},
            PeerFacts("p", "192.0.2.1", 90, 30, None, False, False, None, None),
        ),
        (
            {"configured_notification": False},
            PeerFacts("p", "192.0.2.1", 90, 30, 120, None, False, None, None),
        ),
    ],
)
def test_a_session_that_never_came_up(changes: Any, facts: PeerFacts) -> None:
    found = facts_from_state(replace(CONFIGURED, **changes))
    assert found == facts and not found.negotiated and not found.engine_stays and found.bfd is None


OURS, THEIRS = GracefulRestart(60), GracefulRestart(30)


@pytest.mark.parametrize(
    ("fields", "restart_time", "graceful", "local_n", "peer_n", "long_lived"),
    [
        ({}, None, False, False, False, None),
        ({"local_gr": OURS}, 60, False, False, False, None),
        ({"peer_gr": THEIRS}, None, False, False, False, None),
        ({"local_gr": OURS, "peer_gr": THEIRS}, 60, True, False, False, None),
        ({"local_gr": replace(OURS, notification=True), "peer_gr": THEIRS}, 60, True, True, False, None),
        ({"local_gr": OURS, "peer_gr": replace(THEIRS, notification=True)}, 60, True, False, True, None),
        ({"local_gr": OURS, "peer_gr": THEIRS, "long_lived": 3600}, 60, True, False, False, 3600),
    ],
)
def test_what_was_negotiated(
    fields: Any,
    restart_time: int | None,
    graceful: bool,
    local_n: bool,
    peer_n: bool,
    long_lived: int | None,
) -> None:
    offers = fields.get("peer_gr") is not None
    assert told(**fields) == PeerFacts(
        "p",
        "192.0.2.1",
        9,
        3,
        restart_time,
        graceful,
        local_n,
        peer_n,
        long_lived,
        negotiated=True,
        peer_graceful=offers,
    )


@pytest.mark.parametrize(("hold", "keepalive", "used"), [(90, None, 30), (10, None, 3), (9, 0, 0), (9, 4, 4)])
def test_a_keepalive_time_that_no_engine_told_is_a_third(hold: int, keepalive: int | None, used: int) -> None:
    """RFC 4271 section 4.4."""
    assert told(hold_time=hold, keepalive_time=keepalive).keepalive_time == used


def test_a_session_that_is_down_again_keeps_what_it_negotiated() -> None:
    assert told(state=SessionState.IDLE).hold_time == 9
