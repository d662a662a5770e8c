"""What an engine keeps for the next manager, there and back."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.model import IPV6, NO_ATTRIBUTES, Attributes, IPNetwork, Peer, Secret
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.exabgp import inventory, wire

FULL = Peer(
    "65001/fd00::1",
    "65001",
    ip_address("fd00::1"),
    64512,
    65001,
    IPv4Address("10.0.0.1"),
    port=1179,
    local_address=ip_address("fd00::2"),
    local_port=1180,
    hold_time=9,
    keepalive_time=3,
    connect_retry_time=5,
    multihop_ttl=4,
    restart_time=60,
    graceful_notification=True,
    extended_next_hop=True,
    families=(IPV6,),
)
PLAIN = Peer("65001/192.0.2.1", "65001", ip_address("192.0.2.1"), 64512, 65001, IPv4Address("10.0.0.1"))

NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda p: IPv4Network(p, strict=False)),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(lambda p: IPv6Network(p, strict=False)),
)


def through_json(document: object) -> dict[str, object]:
    back = json.loads(json.dumps(document))
    assert isinstance(back, dict)
    return back


@pytest.mark.parametrize("peer", [FULL, PLAIN])
def test_a_peer_survives(peer: Peer) -> None:
    assert inventory.peer_of(through_json(inventory.definition(peer))) == peer


def test_every_field_of_a_peer_is_kept() -> None:
    """FULL has no field at its default, so one that is forgotten shows in the test above."""
    required = {"name", "instance", "address", "asn", "local_asn", "router_id", "password"}
    defaults = {f.name: f.default for f in fields(Peer) if f.name not in required}
    same = [name for name, default in defaults.items() if getattr(FULL, name) == default]
    assert same == [], "give FULL another value for these"


def test_a_password_is_not_kept_and_equals_none_that_could_be_wanted() -> None:
    peer = replace(PLAIN, password=Secret("hush"))
    document = inventory.definition(peer)
    assert "hush" not in json.dumps(document)
    back = inventory.peer_of(through_json(document))
    assert back.password is not None and back != peer and back != PLAIN
    assert back != inventory.peer_of(document)


@pytest.mark.parametrize(
    "attributes",
    [
        NO_ATTRIBUTES,
        Attributes(ip_address("fd00::9"), frozenset({"65000:1", "65535:0"}), frozenset({"1:2:3"}), 0),
    ],
)
def test_attributes_survive(attributes: Attributes) -> None:
    assert inventory.attributes_of(through_json(inventory.attributes_document(attributes))) == attributes


@given(st.lists(NETWORKS, unique=True, max_size=50))
def test_prefixes_survive(networks: list[IPNetwork]) -> None:
    assert set(wire.read_prefixes(wire.pack_prefixes(networks))) == set(networks)


@pytest.mark.parametrize(
    "packed", [{"ipv4/unicast": "GQoA"}, {"ipv4/multicast": ""}, {"ipv4/unicast": "CAo"}]
)
def test_prefixes_that_make_no_sense(packed: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        list(wire.read_prefixes(packed))


def test_an_engine_is_put_together_from_its_answers() -> None:
    one, two, six = ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"), ip_network("fd00::/64")
    rich = Attributes(communities=frozenset({"65000:1"}))
    stock = {
        "peers": {p.name: inventory.definition(p) for p in (FULL, PLAIN)},
        "synced": [FULL.name],
    }
    groups = [
        {"peer": FULL.name, "attributes": inventory.attributes_document(a), "prefixes": wire.pack_prefixes(p)}
        for a, p in ((NO_ATTRIBUTES, [one, six]), (rich, [two]))
    ]
    seen = inventory.adopted(7, through_json(stock), map(through_json, groups))
    assert (seen.generation, seen.running, seen.synced) == (7, True, frozenset({FULL.name}))
    assert dict(seen.peers) == {FULL.name: FULL, PLAIN.name: PLAIN}
    assert seen.announced == {
        FULL.name: {one: NO_ATTRIBUTES, six: NO_ATTRIBUTES, two: rich},
        PLAIN.name: {},
    }


@pytest.mark.parametrize("broken", [{}, {"peers": {"a": {}}, "synced": []}, {"peers": [], "synced": []}])
def test_answers_of_a_foreign_shape(broken: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        inventory.adopted(1, broken, ())
