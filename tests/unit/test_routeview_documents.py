"""`routes -o json` key by key, and what `--peer` leaves."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.routeview import (
    ATTRIBUTES,
    NodeRoutes,
    PeerRoutes,
    RouteRow,
    Standing,
    absent_document,
    only_peer,
    peer_head,
    read_node_routes,
    row_document,
)
from bgpctl.core.model import IPV4, IPV6, Absent, Attributes, Session, SessionState
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import UsageError

P = ip_network("203.0.113.1/32")


@pytest.mark.parametrize(
    ("attributes", "document"),
    [
        (Attributes(), {}),
        (
            Attributes(
                ip_address("192.0.2.1"),
                frozenset({"1:2", "1:1"}),
                frozenset({"1:1:2", "1:1:1"}),
                local_preference=0,
            ),
            {
                "nextHop": "192.0.2.1",
                "communities": ["1:1", "1:2"],
                "largeCommunities": ["1:1:1", "1:1:2"],
                "localPreference": 0,
            },
        ),
    ],
)
def test_attributes(attributes: Attributes, document: dict[str, Any]) -> None:
    assert ATTRIBUTES.write(attributes) == document


@pytest.mark.parametrize(
    ("row", "document"),
    [
        (
            RouteRow(P, Standing.ANNOUNCED, Attributes()),
            {"prefix": "203.0.113.1/32", "standing": "announced", "attributes": {}},
        ),
        (
            RouteRow(
                P, Standing.CHANGING, Attributes(), Attributes(local_preference=7), "Service a/b", "why"
            ),
            {
                "prefix": "203.0.113.1/32",
                "standing": "changing",
                "attributes": {},
                "announcedAttributes": {"localPreference": 7},
                "origin": "Service a/b",
                "why": "why",
            },
        ),
    ],
)
def test_a_row(row: RouteRow, document: dict[str, Any]) -> None:
    assert row_document(row) == document


@pytest.mark.parametrize(
    ("absent", "document"),
    [
        (Absent("o", None, "r", ""), {"origin": "o", "reason": "r"}),
        (
            Absent("o", P, "r", "d", "p"),
            {"origin": "o", "prefix": "203.0.113.1/32", "reason": "r", "detail": "d", "peer": "p"},
        ),
    ],
)
def test_what_is_absent(absent: Absent, document: dict[str, Any]) -> None:
    assert absent_document(absent) == document


def test_a_peer_before_its_routes() -> None:
    session = Session("p", SessionState.ESTABLISHED, families=(IPV4, IPV6), pending=3)
    assert peer_head("p", "192.0.2.1", session) == {
        "name": "p",
        "peerAddress": "192.0.2.1",
        "state": "established",
        "families": ["ipv4/unicast", "ipv6/unicast"],
        "pending": 3,
    }


def test_an_answer_of_an_older_speaker() -> None:
    peer = {"name": "p", "peerAddress": "192.0.2.1", "state": "idle", "routes": []}
    found = read_node_routes({"node": "n", "at": 1, "peers": [peer], "absent": []})
    assert found == NodeRoutes("n", "speaker", 1.0, (PeerRoutes("p", "192.0.2.1", state="idle"),))


# --- one peer -----------------------------------------------------------------------------------------------


def node(name: str, *addresses: str) -> NodeRoutes:
    absent = tuple(Absent(f"of {peer}", None, "r", "", peer) for peer in ("", *addresses, "other"))
    return NodeRoutes(name, "speaker", 1.0, tuple(PeerRoutes(a, a) for a in addresses), absent)


def test_a_peer_keeps_what_concerns_it() -> None:
    nodes = [node("a", "192.0.2.1", "192.0.2.2"), node("b", "192.0.2.2"), node("c")]
    (found,) = only_peer(nodes, "192.0.2.1")
    assert found.node == "a" and [peer.name for peer in found.peers] == ["192.0.2.1"]
    assert [absent.peer for absent in found.absent] == ["", "192.0.2.1"]


@pytest.mark.parametrize(
    ("nodes", "address", "problem", "hint"),
    [
        ([], "192.0.2.1", "no node has a peer 192.0.2.1", "the peers are: none"),
        (
            [node("a", *(f"192.0.2.{n}" for n in range(9, 1, -1))), node("b", "192.0.2.2")],
            "192.0.2.1",
            "no node has a peer 192.0.2.1",
            "the peers are: " + ", ".join(f"192.0.2.{n}" for n in range(2, 10)),
        ),
        ([], "tor", "--peer: 'tor' is not an IP address", "write 192.0.2.1"),
    ],
)
def test_a_peer_that_nobody_has(nodes: Any, address: str, problem: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        only_peer(nodes, address)
    assert (str(caught.value), caught.value.hint) == (problem, hint)


ROW = {"prefix": "203.0.113.1/32", "standing": "announced", "attributes": {}}
PEER = {"name": "p", "peerAddress": "192.0.2.1", "state": "idle", "routes": [ROW]}
ANSWER = {"node": "n", "at": 1, "peers": [PEER], "absent": []}


def test_a_row_that_is_changing() -> None:
    row = {**ROW, "standing": "changing", "announcedAttributes": {"localPreference": 7}}
    ((found,),) = (
        peer.rows for peer in read_node_routes({**ANSWER, "peers": [{**PEER, "routes": [row]}]}).peers
    )
    assert found == RouteRow(P, Standing.CHANGING, Attributes(), Attributes(local_preference=7))


def test_a_peer_without_an_address_has_none() -> None:
    peer = {key: value for key, value in PEER.items() if key != "peerAddress"}
    assert read_node_routes({**ANSWER, "peers": [peer]}).peers[0].address == ""


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        ({**ANSWER, "at": None}, "at must be there; it is null"),
        ({**ANSWER, "peers": None}, "peers must be there; it is null"),
        ({**ANSWER, "absent": None}, "absent must be there; it is null"),
        ({**ANSWER, "node": None}, "node must be a string; it is null"),
        (
            {**ANSWER, "peers": [{**PEER, "routes": [{**ROW, "prefix": ""}]}]},
            'peers[0].routes[0].prefix must be a prefix; it is ""',
        ),
        (
            {**ANSWER, "peers": [{**PEER, "routes": [{**ROW, "standing": "x"}]}]},
            "peers[0].routes[0].standing must be " + " or ".join(Standing) + '; it is "x"',
        ),
    ],
)
def test_an_answer_that_is_none(answer: Any, refusal: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_node_routes(answer)
    assert caught.value.message == refusal
