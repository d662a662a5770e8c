"""What a session that is up cannot carry, family by family, and with which next hop the rest goes out."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.nexthops import as_sent, not_negotiated
from bgpctl.core.model import IPV4, IPV6, Attributes, Peer, Route, Session, SessionState
from bgpctl.core.state import HEARTBEAT_SECONDS, SAME_CLOCK_SECONDS, STALE_AFTER_SECONDS, NodeState, seconds
from bgpctl.core.timing.facts import facts_from_peer

V4, V6 = ip_network("203.0.113.1/32"), ip_network("2001:db8::1/128")
HERE4, HERE6 = ip_address("192.0.2.11"), ip_address("2001:db8::11")
HOP4, HOP6 = ip_address("10.0.0.1"), ip_address("2001:db8::ffff")


def session(*families: Any, here: Any = HERE4, extended: bool = False) -> Session:
    return Session(
        "p", SessionState.ESTABLISHED, families=families, local_address=here, extended_next_hop=extended
    )


@pytest.mark.parametrize(
    ("up", "lost"),
    [
        (session(IPV4, IPV6), set()),
        (session(IPV4), {V6}),
        (session(IPV6), {V4}),
        (session(), set()),  # it tells nothing
        (session(IPV4, IPV6, here=HERE6), {V4}),
        (session(IPV4, IPV6, here=HERE6, extended=True), set()),
        (session(IPV6, here=HERE6, extended=True), {V4}),
        (session(IPV4, here=HERE6, extended=True), {V6}),
    ],
)
def test_which_routes_stay_at_home(up: Session, lost: set[Any]) -> None:
    table = {prefix: Route(prefix, origin="Service a/b") for prefix in (V4, V6)}
    assert {absent.prefix for absent in not_negotiated({"p": table}, {"p": up})} == lost


@pytest.mark.parametrize(
    ("prefix", "hop", "extended", "sent"),
    [
        (V4, HOP4, True, None),
        (V4, HOP4, False, HOP4),
        (V4, None, True, None),
        (V6, HOP6, True, HOP6),
        (V6, HOP6, False, HOP6),
    ],
)
def test_the_next_hop_of_a_route_on_a_session(prefix: Any, hop: Any, extended: bool, sent: Any) -> None:
    found = as_sent(prefix, Attributes(hop, local_preference=7), session(IPV4, IPV6, extended=extended))
    assert found == Attributes(sent, local_preference=7)


@pytest.mark.parametrize(
    ("restart", "notification", "local_n", "graceful"),
    [(None, True, False, False), (120, True, True, None), (120, False, False, None)],
)
def test_the_n_bit_goes_with_graceful_restart(
    restart: int | None, notification: bool, local_n: bool, graceful: bool | None
) -> None:
    router = IPv4Address("10.0.0.1")
    peer = Peer("p", "i", router, 1, 2, router, restart_time=restart, graceful_notification=notification)
    facts = facts_from_peer(peer)
    assert (facts.local_n, facts.graceful, facts.restart_time) == (local_n, graceful, restart)


@pytest.mark.parametrize(
    ("apart", "moved"),
    [
        (SAME_CLOCK_SECONDS - 0.1, 0.0),
        (-SAME_CLOCK_SECONDS + 0.1, 0.0),
        (SAME_CLOCK_SECONDS, SAME_CLOCK_SECONDS),
        (-SAME_CLOCK_SECONDS - 9, -SAME_CLOCK_SECONDS - 9),
    ],
)
def test_clocks_that_differ_by_what_is_cut_off_are_the_same(apart: float, moved: float) -> None:
    state = NodeState("n", heartbeat=5000.0, reported_at=5000.0 + apart)
    assert state.by_server(4000.0) == pytest.approx(4000.0 + moved)


@pytest.mark.parametrize(
    ("text", "value"),
    [(None, 0.0), ("", 0.0), ("1970-01-01T00:00:09Z", 9.0), ("1970-01-01T01:00:00+01:00", 0.0)],
)
def test_seconds(text: str | None, value: float) -> None:
    assert seconds(text) == value


def test_a_state_is_stale_when_two_heartbeats_are_missing() -> None:
    """One may be lost, and the next one late."""
    assert 2 * HEARTBEAT_SECONDS < STALE_AFTER_SECONDS <= 3 * HEARTBEAT_SECONDS
    assert 1.0 < SAME_CLOCK_SECONDS <= 2.0, "a Date header has whole seconds; more is a clock that is wrong"
