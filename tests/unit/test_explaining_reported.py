"""What a node's speaker reports of a session and of its routes, as links of the chain: each in its words."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.damping import DAMPED
from bgpctl.core.intent.explaining.chain import Link, Status
from bgpctl.core.intent.explaining.reported import UNTOLD_COUNTS, reported_links
from bgpctl.core.model import IPV4, IPV6, Attributes, Intent, LastError, Route, SessionState
from bgpctl.core.state import WAITS, NodeState, WithdrawnRecord
from tests.support import node_states

NOW = 1_800_000_000.0
NAME, ADDRESS = "65001/192.0.2.1", "192.0.2.1"
NODE_STATUS, PEERS_STATUS = "bgpctl node status worker-1", "bgpctl peers status worker-1 -o wide"
ASK = "bgpctl routes --directory DIR (on worker-1) tells each route"
SERVICE = Route(
    ip_network("203.0.113.1/32"), Attributes(next_hop=ip_address("192.0.2.11")), "Service default/web"
)
SESSION = Link("session", Status.OK, "Established with 192.0.2.1", command=PEERS_STATUS)


def speaks(session: Any = None, peer: Any = None, **changes: Any) -> NodeState:
    one = replace(node_states.peer(NOW, **(session or {})), **(peer or {}))
    return replace(node_states.state("worker-1", NOW, one), **changes)


def links(
    state: NodeState | None, route: Route | None = SERVICE, peer: str = NAME, address: str = ADDRESS
) -> tuple[Link, ...]:
    return reported_links(Intent("worker-1"), state, NOW, peer, address, route)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (None, "no speaker reports for this node: whether its session is up is not known"),
        (
            speaks(unreadable="status is a list"),
            "what its speaker published cannot be read (status is a list)",
        ),
        (speaks(heartbeat=NOW - 200), "its speaker has not reported for 200 s: its session is not known"),
    ],
)
def test_of_a_silent_speaker_nothing_is_known(state: NodeState | None, says: str) -> None:
    assert links(state) == (Link("session", Status.UNKNOWN, says, command=PEERS_STATUS),)


LEFT = WithdrawnRecord("the node leaves", NOW, NOW, NOW, ())


@pytest.mark.parametrize(
    ("changes", "says", "reason"),
    [
        ({"phase": "Withdrawn", "withdrawn": LEFT}, "its speaker is Withdrawn: the node leaves", "withdrawn"),
        ({"phase": "Leaving", "withdrawn": None}, "its speaker is Leaving", "withdrawn"),
        (
            {"phase": "Leaving", "withdrawn": replace(LEFT, reason="")},
            "its speaker is Leaving",
            "withdrawn",
        ),
        ({"told_out": True}, "the node was made to announce nothing, with its sessions up", "withdrawn"),
        ({"phase": "Waiting", "problems": (f"{WAITS} Cilium has it",)}, f"{WAITS} Cilium has it", "waits"),
    ],
)
def test_a_node_that_was_taken_out(changes: Any, says: str, reason: str) -> None:
    broken = Link("withdrawal", Status.BROKEN, says, command=NODE_STATUS, reason=reason)
    assert links(speaks(**changes), None) == (broken, SESSION)
    assert links(replace(speaks(**changes), peers=()), None) == (broken,), "its sessions need no more words"


@pytest.mark.parametrize(
    ("problems", "says"),
    [
        ((), "the speaker has no session to 192.0.2.1 (any more), or not yet"),
        (
            ("peer other: no session", f"peer {NAME}: no session, because x"),
            f"peer {NAME}: no session, because x",
        ),
    ],
)
def test_a_peer_that_the_speaker_does_not_have(problems: tuple[str, ...], says: str) -> None:
    state = replace(speaks(problems=problems), peers=())
    assert links(state) == (Link("session", Status.BROKEN, says, command=PEERS_STATUS, reason="noSession"),)
    assert links(state, peer="", address="") == (), "towards nobody there is none to miss"


def test_a_peer_is_found_by_its_name_or_by_its_address() -> None:
    """Not every stack calls a session as its configuration does."""
    assert links(speaks(), None, peer="another") == (SESSION,)
    (by_name,) = links(speaks(), None, address="192.0.2.9")
    assert by_name.status is Status.OK


@pytest.mark.parametrize(
    ("state", "link"),
    [
        (
            speaks({"state": SessionState.ACTIVE}),
            Link(
                "session",
                Status.BROKEN,
                "its state is active, it would have to be established",
                command=PEERS_STATUS,
                reason="sessionDown",
            ),
        ),
        (
            speaks({"state": SessionState.IDLE, "last_error": LastError(NOW, "received", "Cease (6/2)")}),
            Link(
                "session",
                Status.BROKEN,
                "its state is idle, it would have to be established; last error (received): Cease (6/2)",
                command=PEERS_STATUS,
                reason="sessionDown",
            ),
        ),
        *(
            (
                state,
                Link(
                    "session", Status.UNKNOWN, "whether the session is up nobody tells", command=PEERS_STATUS
                ),
            )
            for state in (speaks({"state": SessionState.UNKNOWN}), speaks(sessions_told=False))
        ),
    ],
)
def test_a_session_that_is_not_up(state: NodeState, link: Link) -> None:
    first, *rest = links(state)
    assert first == link
    assert not rest or state.peers[0].session.established


UNKNOWN, OK, BROKEN = Status.UNKNOWN, Status.OK, Status.BROKEN


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (speaks(), (OK, "it reports 6 of 6 routes announced to this peer", "")),
        (speaks(peer={"intended": None}), (OK, "it reports 6 routes announced to this peer", "")),
        (speaks(peer={"announced": 7}), (OK, "it reports 7 of 6 routes announced to this peer", "")),
        (speaks(peer={"announced": None}), (Status.UNTOLD, UNTOLD_COUNTS, "")),
        (
            speaks(peer={"announced": 5}),
            (UNKNOWN, f"it announces 5 of the 6 routes that it means to: {ASK}", ""),
        ),
        (
            speaks(peer={"announced": 0, "intended": 0}),
            (BROKEN, "it announces no route to this peer", "nothingAnnounced"),
        ),
        (
            speaks(absent={DAMPED: 2}),
            (
                UNKNOWN,
                "it holds 2 routes back because they flap (damped); whether this is one, it alone can tell: "
                + ASK,
                "",
            ),
        ),
    ],
)
def test_what_is_counted(state: NodeState, expected: tuple[Status, str, str]) -> None:
    status, says, reason = expected
    assert links(state) == (SESSION, Link("speaker", status, says, reason=reason))


def test_an_invalid_policy_goes_before_what_is_counted() -> None:
    found = links(speaks(policy_problem="spec: required", absent={DAMPED: 2}))
    assert found == (SESSION, Link("speaker", Status.UNKNOWN, "spec: required", command=NODE_STATUS))


def test_only_routes_of_services_are_damped() -> None:
    assert links(speaks(absent={DAMPED: 2}), replace(SERVICE, origin="PodCIDR")) == (SESSION,)


def test_a_route_that_the_session_cannot_carry() -> None:
    session, lacking, _ = links(speaks({"families": (IPV6,)}))
    assert session == SESSION
    assert (lacking.name, lacking.status, lacking.reason) == (
        "negotiated",
        Status.BROKEN,
        "familyNotNegotiated",
    )
    assert lacking.command == PEERS_STATUS and "ipv4/unicast" in lacking.says
    for families in ((), (IPV4,)):
        assert [one.name for one in links(speaks({"families": families}))] == ["session", "speaker"]


def test_of_what_is_not_to_be_announced_nothing_is_counted() -> None:
    assert links(speaks(peer={"announced": 0}), None) == (SESSION,)
