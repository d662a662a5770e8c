"""Why a route is not there, or is there once for several, in the words that `routes` prints."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.candidates import batch
from bgpctl.core.intent.nexthops import not_negotiated
from bgpctl.core.intent.routes import Routes, compile_routes
from bgpctl.core.intent.services import Candidate
from bgpctl.core.model import IPV4, IPV6, Attributes, Route, Session, SessionState
from bgpctl.core.policy.nodeconfig import AddressType, Advertisement, FamilyConfig, PeerConfig, Source
from bgpctl.core.policy.pools import read_pools
from bgpctl.core.reading.selectors import LabelSelector

V4, V6 = ip_network("203.0.113.1/32"), ip_network("2001:db8::1/128")
ALL = LabelSelector()
GOLD, SILVER = LabelSelector((("tier", "gold"),)), LabelSelector((("tier", "silver"),))
LB, CLUSTER, EXTERNAL = AddressType.LOAD_BALANCER, AddressType.CLUSTER, AddressType.EXTERNAL


def candidate(source: Source = Source.SERVICE, prefix: Any = V4, **fields: Any) -> Candidate:
    kind = fields.pop("kind", LB if source is Source.SERVICE else None)
    origin = fields.pop("origin", "Service default/web")
    return Candidate(origin, kind, prefix, fields.pop("labels", {}), source=source, **fields)


def services(selector: LabelSelector | None, *kinds: AddressType) -> Advertisement:
    return Advertisement(Source.SERVICE, frozenset(kinds or (LB,)), selector)


def compiled(candidates: Any, *advertisements: Advertisement, families: Any = (IPV4,)) -> Routes:
    configs = tuple(FamilyConfig(family, advertisements) for family in families)
    peer = PeerConfig("p", ip_address("192.0.2.1"), 65000, families=configs)
    return compile_routes([(peer, ())], [batch(candidates)], read_pools(None, []))


@pytest.mark.parametrize(
    ("wanted", "advertisements", "detail"),
    [
        (candidate(), (), "no advertisement is selected for this peer: nothing is advertised"),
        (candidate(Source.POD_CIDR), (services(ALL),), "the policy does not export PodCIDRs to this peer"),
        (
            candidate(Source.INTERFACE, interface="lo0"),
            (Advertisement(Source.INTERFACE, interface="eth0"),),
            "no advertisement names interface lo0 to this peer for this IP version",
        ),
        (
            candidate(Source.POD_POOL),
            (services(ALL), Advertisement(Source.POD_POOL)),
            "no pool selector is set for this peer: no pool is advertised",
        ),
        (
            candidate(Source.POD_POOL, labels={"tier": "tin"}),
            (services(ALL), Advertisement(Source.POD_POOL, selector=GOLD)),
            'its labels do not match the pool selector "tier=gold"',
        ),
        (
            candidate(),
            (services(None), Advertisement(Source.POD_POOL, selector=ALL)),
            "no service selector is set for this peer: no Service is advertised",
        ),
        (
            candidate(labels={"tier": "tin"}),
            (services(GOLD), services(SILVER)),
            'its labels do not match the service selector "tier=gold" or "tier=silver"',
        ),
        (
            candidate(kind=EXTERNAL, labels={"tier": "silver"}),
            # in no order, as a set has none
            (services(GOLD), replace(services(SILVER), addresses=(LB, CLUSTER))),
            "ExternalIP is not among the advertised address types (ClusterIP, LoadBalancerIP)",
        ),
    ],
)
def test_why_no_advertisement_means_it(wanted: Candidate, advertisements: Any, detail: str) -> None:
    (absent,) = compiled([wanted], *advertisements).absent
    assert (absent.reason, absent.detail) == ("noMatchingAdvertisement", detail)


@pytest.mark.parametrize(
    ("wanted", "advertisement"),
    [
        (candidate(), services(ALL)),
        (candidate(Source.POD_CIDR), Advertisement(Source.POD_CIDR)),
    ],
)
def test_what_only_another_family_advertises(wanted: Candidate, advertisement: Advertisement) -> None:
    """To say that LoadBalancerIP is not among the advertised types (LoadBalancerIP) helps nobody."""
    families = FamilyConfig(IPV4, (services(GOLD),)), FamilyConfig(IPV6, (advertisement,))
    peer = PeerConfig("p", ip_address("192.0.2.1"), 65000, families=families)
    (absent,) = compile_routes([(peer, ())], [batch([wanted])], read_pools(None, [])).absent
    assert absent.reason == "noMatchingAdvertisement"
    assert absent.detail == "only advertisements of ipv6/unicast mean it, by its family none is selected"


def test_the_families_that_the_peer_has() -> None:
    (absent,) = compiled([candidate(prefix=V6)], services(ALL)).absent
    assert (absent.reason, absent.prefix) == ("familyNotConfigured", V6)
    assert absent.detail == "the peer's families (ipv4/unicast) do not have ipv6/unicast"


@pytest.mark.parametrize(
    ("origins", "route"),
    [
        (("Service a/x", "Service a/x"), ("Service a/x", "first")),
        (
            ("Service a/x", "Service a/y"),
            ("Service a/x, Service a/y", "2 owners share the address; Service a/x: first"),
        ),
    ],
)
def test_a_route_of_several_owners(origins: tuple[str, str], route: tuple[str, str]) -> None:
    both = [candidate(origin=o, detail=d) for o, d in zip(origins, ("first", "second"), strict=True)]
    found = compiled(both, services(ALL)).tables["p"][V4]
    assert (found.origin, found.why) == route


def test_a_session_says_what_it_cannot_carry_only_while_it_is_up() -> None:
    table = {V6: Route(V6, origin="Service a/x")}
    up = Session("up", SessionState.ESTABLISHED, families=(IPV4,))
    sessions = {
        "up": up,
        "down": Session("down"),
        "both": Session("both", SessionState.ESTABLISHED, families=(IPV4, IPV6)),
    }
    found = list(not_negotiated(dict.fromkeys(("gone", "down", "both", "up"), table), sessions))
    assert [(absent.peer, absent.prefix, absent.reason) for absent in found] == [
        ("up", V6, "familyNotNegotiated")
    ]
    assert found[0].detail == "the peer did not agree to ipv6/unicast in its OPEN"


def test_the_attributes_of_several_advertisements_join() -> None:
    one = Advertisement(
        Source.SERVICE, frozenset({LB}), ALL, Attributes(communities=frozenset({"1:1"}), local_preference=50)
    )
    two = Advertisement(
        Source.SERVICE, frozenset({LB}), ALL, Attributes(communities=frozenset({"1:2"}), local_preference=70)
    )
    found = compiled([candidate()], one, two).tables["p"][V4].attributes
    assert found == Attributes(communities=frozenset({"1:1", "1:2"}), local_preference=70)
