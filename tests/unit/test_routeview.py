"""Intended beside announced: how each route stands, and that its wire form loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.routeview import (
    SPEAKER,
    Intended,
    NodeRoutes,
    PeerRoutes,
    RouteRow,
    Standing,
    compared,
    read_node_routes,
)
from bgpctl.core.model import (
    IPV4,
    IPV6,
    Absent,
    Attributes,
    Intent,
    Observed,
    Route,
    Secret,
    Session,
    SessionState,
)
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.speaker.status.socket import routes_text
from tests.support import intents, objects

PEER = "65001/192.0.2.1"
A, B, V6 = ip_network("192.0.2.80/32"), ip_network("10.244.1.0/24"), ip_network("2001:db8::/64")
PLAIN = Attributes()
MARKED = Attributes(ip_address("192.0.2.9"), frozenset({"65000:2", "65000:1"}), frozenset({"1:2:3"}), 200)
UP = Session(PEER, SessionState.ESTABLISHED, families=(IPV4,))


def standing(
    wanted: Attributes | None, has: Attributes | None, session: Session = UP, prefix: Any = A
) -> str:
    intent = Intent("n", routes={PEER: {prefix: Route(prefix, wanted)}} if wanted else {})
    observed = Observed(announced={PEER: {prefix: has}} if has else {}, sessions={PEER: session})
    (row,) = compared(intent, observed, PEER)
    return str(row.standing)


@pytest.mark.parametrize(
    ("wanted", "has", "session", "expected"),
    [
        (PLAIN, PLAIN, UP, "announced"),
        (PLAIN, None, UP, "pending"),
        (None, PLAIN, UP, "withdrawing"),
        (MARKED, PLAIN, UP, "changing"),
        (PLAIN, PLAIN, replace(UP, state=SessionState.ACTIVE), "no-session"),
        (PLAIN, PLAIN, replace(UP, families=(IPV6,)), "not-negotiated"),
        (PLAIN, None, replace(UP, state=SessionState.ACTIVE), "pending"),
    ],
)
def test_standing(wanted: Attributes | None, has: Attributes | None, session: Session, expected: str) -> None:
    assert standing(wanted, has, session) == expected


def test_a_peer_without_a_session_has_announced_nothing() -> None:
    intent = Intent("n", routes={PEER: {A: Route(A)}})
    (row,) = compared(intent, Observed(announced={PEER: {A: PLAIN}}), PEER)
    assert row.standing is Standing.NO_SESSION


def test_rows_are_in_the_order_of_prefixes() -> None:
    table = {prefix: Route(prefix) for prefix in (V6, A, B)}
    assert [row.prefix for row in Intended().of(Intent("n", routes={PEER: table}), PEER)] == [B, A, V6]
    assert {row.standing for row in Intended().of(Intent("n", routes={PEER: table}), PEER)} == {
        Standing.INTENDED
    }


def test_the_wire_form_loses_nothing() -> None:
    intent = Intent(
        "n",
        routes={PEER: {A: Route(A, MARKED, "Service default/web", 'a "why"'), B: Route(B)}},
        absent=(
            Absent("Service default/api", V6, "noLocalEndpoints", "none here", PEER),
            Absent("PodCIDR", None, "x", ""),
        ),
    )
    peer = intents.compiled().peers[0]
    observed = Observed(
        peers={PEER: replace(peer, name=PEER)},
        announced={PEER: {A: PLAIN, B: PLAIN, V6: PLAIN}},
        sessions={PEER: replace(UP, pending=3)},
    )
    pieces = list(routes_text(intent, observed, ("a problem",), 12.5))
    found = read_node_routes(json.loads("".join(pieces)))
    rows = (
        RouteRow(B, Standing.ANNOUNCED, PLAIN),
        RouteRow(A, Standing.CHANGING, MARKED, PLAIN, "Service default/web", 'a "why"'),
        RouteRow(V6, Standing.WITHDRAWING, PLAIN, why="no object asks for it any more"),
    )
    shown = PeerRoutes(PEER, str(peer.address), rows, "established", 3)
    assert found == NodeRoutes("n", SPEAKER, 12.5, (shown,), intent.absent, ("a problem",))
    assert len(pieces) > 8, "it is streamed"


def test_a_speaker_without_peers_has_a_document() -> None:
    found = read_node_routes(json.loads("".join(routes_text(Intent("n"), Observed(), (), 1.0))))
    assert found == NodeRoutes("n", SPEAKER, 1.0)


def test_a_password_is_in_no_document() -> None:
    secret = {"authSecretRef": "bgp"}
    policy = objects.policy(objects.router(objects.neighbor(**secret)))
    intent = intents.compiled(policies=[policy], secrets={"bgp": Secret("hunter2")})
    assert intent.peers[0].password is not None
    observed = Observed(peers={peer.name: peer for peer in intent.peers})
    assert "hunter2" not in "".join(routes_text(intent, observed, (), 1.0))


@pytest.mark.parametrize("nonsense", [{}, {"node": "n"}, {"node": "n", "at": "x", "peers": [], "absent": []}])
def test_nonsense_is_told_apart(nonsense: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_node_routes(nonsense)
