"""Self is the rule; a prefix of the other IP version, or the operator's word, are the exceptions."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from bgpctl.core.model import Attributes, Peer, Route
from bgpctl.core.nexthops import with_next_hops

V4, V6 = ip_network("203.0.113.1/32"), ip_network("2001:db8::1/128")
NODE4, NODE6 = ip_address("10.0.0.1"), ip_address("2001:db8:ffff::1")
TAGGED = Attributes(communities=frozenset({"65000:1"}))


def peer(name: str, address: str) -> Peer:
    return Peer(name, "65001", ip_address(address), 65000, 65001, IPv4Address("10.0.0.1"))


P4, P6 = peer("p4", "192.0.2.1"), peer("p6", "2001:db8::ff")
TABLE = {V4: Route(V4), V6: Route(V6, TAGGED)}


def hops(peer_: Peer, *addresses: object, named: tuple[object, ...] = ()) -> dict[str, object]:
    tables = with_next_hops({peer_.name: TABLE}, [peer_], addresses, named)  # type: ignore[arg-type]
    return {str(p): r.attributes.next_hop for p, r in tables[peer_.name].items()}


def test_self_where_the_session_has_the_right_version() -> None:
    assert hops(P4, NODE4)[str(V4)] is None
    assert hops(P6, NODE6)[str(V6)] is None


def test_the_nodes_own_address_for_the_other_version() -> None:
    assert hops(P4, NODE4, NODE6) == {str(V4): None, str(V6): NODE6}
    assert hops(P6, NODE4, NODE6) == {str(V4): NODE4, str(V6): None}


def test_a_node_without_such_an_address_keeps_self() -> None:
    assert hops(P4, NODE4) == {str(V4): None, str(V6): None}


def test_the_operators_word_counts_on_every_session() -> None:
    other = ip_address("198.51.100.7")
    assert hops(P4, NODE4, NODE6, named=(other,)) == {str(V4): other, str(V6): NODE6}
    assert hops(P6, NODE4, NODE6, named=(other,))[str(V4)] == other


def test_attributes_stay_shared_and_other_values_stay() -> None:
    more = {ip_network(f"2001:db8::{n:x}/128"): TAGGED for n in range(2, 9)}
    table = {prefix: Route(prefix, attributes) for prefix, attributes in more.items()}
    routes = with_next_hops({"p4": table}, [P4], [NODE4, NODE6])["p4"].values()
    assert len({id(route.attributes) for route in routes}) == 1
    assert next(iter(routes)).attributes.communities == TAGGED.communities
    assert TAGGED.next_hop is None
