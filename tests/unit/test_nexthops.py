"""Self is the rule; a prefix of the other IP version, or the operator's word, are the exceptions. What a
session then carries depends on what its two sides agreed on."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import Context, compile_intent
from bgpctl.core.intent.nexthops import carriage, next_hops, not_negotiated
from bgpctl.core.intent.routeview import Standing, compared
from bgpctl.core.model import IPV4, IPV6, Intent, Observed, Peer, Session, SessionState
from bgpctl.core.state import NodeState, describe_peer
from bgpctl.queries.routes import beside
from bgpctl.speaker.status.build import peer_state
from tests.support.intents import PEER, POD_CIDRS, compiled, world
from tests.support.objects import neighbor, node, policy, router, service

NODE4, NODE6 = ip_address("10.0.0.1"), ip_address("2001:db8:ffff::1")


def peer(name: str, address: str) -> Peer:
    return Peer(name, "65001", ip_address(address), 65000, 65001, IPv4Address("10.0.0.1"))


P4, P6 = peer("p4", "192.0.2.1"), peer("p6", "2001:db8::ff")


def hops(peer_: Peer, *addresses: object, named: tuple[object, ...] = ()) -> dict[int, object]:
    return dict(next_hops(peer_, addresses, named))  # type: ignore[arg-type]


def test_self_where_the_session_has_the_right_version() -> None:
    assert hops(P4, NODE4) == {} == hops(P6, NODE6)


def test_the_nodes_own_address_for_the_other_version() -> None:
    assert hops(P4, NODE4, NODE6) == {6: NODE6}
    assert hops(P6, NODE4, NODE6) == {4: NODE4}


def test_of_several_addresses_the_first_one() -> None:
    assert hops(P6, NODE4, ip_address("10.0.0.2")) == {4: NODE4}


def test_a_node_without_such_an_address_keeps_self() -> None:
    assert hops(P6, NODE6) == {}


def test_the_operators_word_counts_on_every_session() -> None:
    other = ip_address("198.51.100.7")
    assert hops(P4, NODE4, NODE6, named=(other,)) == {4: other, 6: NODE6}
    assert hops(P6, NODE4, NODE6, named=(other,)) == {4: other}


def test_routes_carry_them_and_attributes_stay_shared() -> None:
    addresses = [{"type": "InternalIP", "address": str(address)} for address in (NODE4, NODE6)]
    tagged = policy(
        router(
            {
                "peerAddress": "127.0.0.100/32",
                "peerASN": 65000,
                "advertisedPathAttributes": [
                    {"selectorType": "CiliumLoadBalancerIPPool", "communities": {"standard": ["65000:1"]}}
                ],
            }
        )
    )
    many = [service(f"web-{n}", f"2001:db8::{n:x}", f"203.0.113.{n}") for n in range(2, 9)]
    intent = compiled(*many, policies=[tagged], node=node(status={"addresses": addresses}))
    by_version = {v: [r for p, r in intent.routes[PEER].items() if p.version == v] for v in (4, 6)}
    assert {r.attributes.next_hop for r in by_version[4]} == {None}
    assert {r.attributes.next_hop for r in by_version[6]} == {NODE6}
    of_services = [r.attributes for r in by_version[6] if r.origin.startswith("Service")]
    assert len({id(attributes) for attributes in of_services}) == 1
    assert of_services[0].communities == {"65000:1"}
    assert ip_network("2001:db8::2/128") in intent.routes[PEER]


# --- IPv4 over IPv6 sessions --------------------------------------------------------------------------------

FAMILIES = [{"afi": "ipv4", "safi": "unicast"}]
OVER6, SELF6 = "65001/2001:db8::ff", ip_address("2001:db8:ffff::1")
V4 = {"10.244.1.0/24", "203.0.113.1/32"}


def over_ipv6(*addresses: str, named: Any = (), **fields: Any) -> Intent:
    """A node with these InternalIPs, one IPv6 session, and a Service of each IP version."""
    status = {"addresses": [{"type": "InternalIP", "address": address} for address in addresses]}
    told = policy(router(neighbor("2001:db8::ff/128", **fields)))
    seen = world(service("web", "203.0.113.1", "2001:db8::1"), policies=[told], node=node(status=status))
    return compile_intent(seen, "worker-1", Context(next_hops=named))


def session(extended: bool, families: Any = (IPV4, IPV6), local: str = str(SELF6)) -> Session:
    return Session(
        OVER6,
        SessionState.ESTABLISHED,
        local_address=ip_address(local),
        families=families,
        extended_next_hop=extended,
    )


def running(intent: Intent, found: Session) -> Observed:
    """An engine that was told all of it."""
    announced = {p: r.attributes for p, r in intent.routes[OVER6].items()}
    peers = {peer.name: peer for peer in intent.peers}
    return Observed(1, True, peers, {OVER6: announced}, frozenset(peers), {OVER6: found})


@pytest.mark.parametrize(
    ("neighbor_fields", "named", "offered"),
    [
        ({}, [], True),
        ({"families": FAMILIES}, [], True),
        ({"families": [{"afi": "ipv6", "safi": "unicast"}]}, [], False),
        ({}, ["198.51.100.7"], False),  # the operator's word is to be sent as it is
        ({}, ["2001:db8::7"], True),
    ],
)
def test_to_whom_an_ipv6_next_hop_of_ipv4_routes_is_offered(
    neighbor_fields: Any, named: list[str], offered: bool
) -> None:
    hops = [ip_address(text) for text in named]
    (peer,) = over_ipv6(str(NODE6), named=hops, **neighbor_fields).peers
    assert peer.extended_next_hop == offered
    (four,) = compiled().peers
    assert not four.extended_next_hop


@pytest.mark.parametrize(
    ("addresses", "extended", "refused", "hop"),
    [
        (["2001:db8::11"], True, set(), None),
        (["2001:db8::11", "192.0.2.11"], True, set(), None),  # as Cilium: self all the same
        (["2001:db8::11", "192.0.2.11"], False, set(), ip_address("192.0.2.11")),
        (["2001:db8::11"], False, V4, None),
    ],
)
def test_what_a_session_carries(addresses: list[str], extended: bool, refused: set[str], hop: Any) -> None:
    intent, found = over_ipv6(*addresses), session(extended)
    absent = list(not_negotiated(intent.routes, {OVER6: found}))
    assert {str(a.prefix) for a in absent} == refused
    assert {a.reason for a in absent} == ({"nextHopNotNegotiated"} if refused else set())
    assert all("RFC 8950" in a.detail and a.peer == OVER6 for a in absent)
    rows = {str(row.prefix): row for row in compared(intent, running(intent, found), OVER6)}
    assert {text for text, row in rows.items() if row.standing is Standing.NOT_NEGOTIATED} == refused
    assert {rows[text].attributes.next_hop for text in V4} == {hop}
    state = peer_state(OVER6, running(intent, found), intent)
    assert state.intended == state.announced == len(POD_CIDRS) + 2 - len(refused)
    assert list(not_negotiated(intent.routes, {OVER6: session(False, local="192.0.2.11")})) == []


def test_a_session_that_carries_nothing_of_a_family_says_so_from_outside_too() -> None:
    """`bgpctl routes --absent`, without a way to the speaker's own socket."""
    intent = over_ipv6("2001:db8::11")
    (peer,) = intent.peers
    state = NodeState("worker-1", selected_by="policy", peers=(describe_peer(peer, session(False), 2, 2),))
    seen = beside(intent, state, 1.0)
    assert {(str(a.prefix), a.reason) for a in seen.absent} == {(p, "nextHopNotNegotiated") for p in V4}
    assert seen.notes == ()


def test_a_family_without_the_other_is_told_by_its_own_name() -> None:
    intent = over_ipv6("2001:db8::11")
    reasons = {
        (str(a.prefix), a.reason) for a in not_negotiated(intent.routes, {OVER6: session(False, (IPV6,))})
    }
    assert reasons == {(prefix, "familyNotNegotiated") for prefix in V4}


@pytest.mark.parametrize(
    ("state", "families", "certain"),
    [
        (SessionState.ESTABLISHED, (IPV4, IPV6), True),
        (SessionState.ESTABLISHED, (IPV4,), False),
        (SessionState.ESTABLISHED, (IPV6,), False),
        (SessionState.ESTABLISHED, (), True),
        (SessionState.CONNECT, (IPV4,), True),
    ],
)
def test_nodes_whose_sessions_carry_everything_are_alike(
    state: SessionState, families: Any, certain: bool
) -> None:
    """One of them is looked at for all; a session that may refuse some route makes a node another one."""
    session = Session("p", state, families=families, local_address=ip_address("10.0.0.1"))
    assert (carriage(session, ()) is None) is certain
    assert carriage(None, ()) is None
    if not certain:
        other = Session("p", state, families=families, local_address=ip_address("10.0.0.1"))
        assert carriage(session, ((6, NODE6),)) == carriage(other, ((6, NODE6),)) != carriage(other, ())
