"""Withdrawals never wait; a burst of announcements does, for a bounded time."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Synced, Withdraw
from bgpctl.core.intent.pacing import WINDOW, keeps_forwarding, peers_to_leave_on_stop, release
from bgpctl.core.model import Attributes, GracefulRestart, Observed, Session, SessionState

P = ip_network("203.0.113.1/32")
WITHDRAW, ANNOUNCE, SYNCED = Withdraw("p", (P,)), Announce("p", Attributes(), (P,)), Synced(("p",))


def test_the_first_announcement_after_a_pause_goes_at_once() -> None:
    assert release((ANNOUNCE, SYNCED), now=100.0, last_release=99.0) == ((ANNOUNCE, SYNCED), None)


def test_a_burst_waits_but_its_withdrawals_do_not() -> None:
    now, due = release((WITHDRAW, ANNOUNCE, SYNCED), now=100.03, last_release=100.0)
    assert now == (WITHDRAW,)
    assert due == pytest.approx(0.07)


def test_withdrawals_alone_are_never_held() -> None:
    assert release((WITHDRAW,), now=100.0, last_release=100.0) == ((WITHDRAW,), None)


def test_the_wait_is_bounded_whatever_comes_in() -> None:
    """Wake-ups every 10 ms do not push the release out: it is counted from the last one."""
    times = [100.0 + n / 100 for n in range(1, 12)]
    released = [t for t in times if release((ANNOUNCE,), t, 100.0)[1] is None]
    assert released[0] <= 100.11


UP = Session("p", SessionState.ESTABLISHED, local_gr=GracefulRestart(120), peer_gr=GracefulRestart(0))


@pytest.mark.parametrize(
    ("session", "kept"),
    [
        (UP, True),
        (replace(UP, local_gr=None), False),
        (replace(UP, peer_gr=None), False),
        (replace(UP, state=SessionState.CONNECT), False),
    ],
)
def test_only_negotiated_graceful_restart_allows_a_silent_close(session: Session, kept: bool) -> None:
    assert keeps_forwarding(session) is kept
    seen = Observed(1, True, {"p": None}, sessions={"p": session})  # type: ignore[dict-item]
    assert peers_to_leave_on_stop(seen) == (() if kept else ("p",))


def test_who_must_be_told_of_a_stop_is_in_order_and_a_peer_without_a_session_too() -> None:
    names = [f"p{n}" for n in range(9)]
    seen = Observed(1, True, dict.fromkeys(reversed(names)), sessions={"p3": UP})  # type: ignore[arg-type]
    assert peers_to_leave_on_stop(seen) == tuple(name for name in names if name != "p3")


def test_a_burst_waits_no_longer_than_a_person_would_notice() -> None:
    _, due = release((ANNOUNCE,), now=100.0, last_release=100.0)
    assert due == pytest.approx(WINDOW) and WINDOW <= 0.1
