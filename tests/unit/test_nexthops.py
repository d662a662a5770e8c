"""Self is the rule; a prefix of the other IP version, or the operator's word, are the exceptions."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from bgpctl.core.model import Peer
from bgpctl.core.nexthops import next_hops
from tests.kit.intents import PEER, compiled
from tests.kit.objects import node, policy, router, service

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
