"""What the nouns say of themselves: a secret that tells nothing, an intent that waits or decides nothing."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest

from bgpctl.core.model import IPV4, IPV6, Family, Intent, Peer, Secret, Session, SessionState, family_of
from bgpctl.core.policy.nodeconfig import NodeConfig


def test_a_secret_is_its_text_and_shows_nothing() -> None:
    one, same, other = Secret("a"), Secret("a"), Secret("b")
    assert one == same and one != other and one != "a"
    assert len({one, same, other}) == 2
    assert {hash(Secret(text)) for text in "abcdefgh"} != {hash(one)}
    assert f"{one} {one!r}" == "Secret(…) Secret(…)" and one.reveal() == "a"


@pytest.mark.parametrize(
    ("fields", "waiting", "undecided"),
    [
        ({}, False, False),
        ({"selected": True}, False, False),
        ({"selected": True, "config": NodeConfig("p")}, True, False),
        ({"selected": True, "config": NodeConfig("p"), "opened": True}, False, False),
        ({"config": NodeConfig("p")}, False, False),  # it soaks
        ({"stale": True}, False, True),
        ({"stale": True, "selected": True}, False, True),
        ({"stale": True, "config": NodeConfig("p")}, False, False),
    ],
)
def test_an_intent(fields: Any, waiting: bool, undecided: bool) -> None:
    intent = Intent("n", **fields)
    assert (intent.waiting, intent.undecided) == (waiting, undecided)


def test_families() -> None:
    assert family_of(ip_network("10.0.0.0/8")) == IPV4 == Family("ipv4", "unicast")
    assert family_of(ip_network("::/0")) == IPV6 == Family("ipv6", "unicast")
    assert [str(family) for family in (IPV4, IPV6)] == ["ipv4/unicast", "ipv6/unicast"]


@pytest.mark.parametrize(("asn", "external"), [(65000, True), (65001, False), (0, True)])
def test_a_peer_with_the_defaults(asn: int, external: bool) -> None:
    """RFC 4271's hold and keepalive times, as the CRD has them."""
    peer = Peer("p", "i", IPv4Address("192.0.2.1"), asn, 65001, IPv4Address("10.0.0.1"))
    assert (peer.port, peer.hold_time, peer.keepalive_time, peer.connect_retry_time) == (179, 90, 30, 120)
    assert (peer.multihop_ttl, peer.families, peer.restart_time) == (1, (IPV4, IPV6), None)
    assert (peer.external, peer.graceful_notification) == (external, False)


@pytest.mark.parametrize("state", SessionState)
def test_only_one_state_is_established(state: SessionState) -> None:
    assert Session("p", state).established is (state == "established")
    assert not Session("p").established
