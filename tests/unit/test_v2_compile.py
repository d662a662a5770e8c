"""The v2 resources joined for one node: instances, peers, references, advertisements, what is left out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.compile import ClusterObjects, compile_intent, owner_problem
from bgpctl.core.model import IPV4, IPV6, Intent, Secret
from tests.support import v2
from tests.support.intents import POD_CIDRS, absences, compiled, prefixes
from tests.support.objects import endpoint, endpoint_slice, neighbor, node, policy, router, service

PEER = "main/tor"


def world(*services: Any, **fields: Any) -> ClusterObjects:
    """The lab's configuration said with v2 resources, unless `fields` say otherwise."""
    fields.setdefault("cluster_configs", [v2.cluster_config()])
    fields.setdefault("peer_configs", [v2.peer_config()])
    fields.setdefault("advertisements", [v2.advertisement()])
    slices = fields.pop("slices", ())
    return ClusterObjects(
        node=fields.pop("node", node()), services=services, endpoint_slices=slices, **fields
    )


def run(*services: Any, previous: Intent | None = None, **fields: Any) -> Intent:
    return compile_intent(world(*services, **fields), "worker-1", previous=previous)


def advertising(*adverts: Any, name: str = "all") -> list[Any]:
    return [v2.advertisement(*adverts, name=name)]


# --- the same routes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [v2.V2, v2.V2ALPHA1])
def test_v2_resources_and_a_peering_policy_announce_the_same(version: str) -> None:
    services = service("web", "203.0.113.1"), service("api", "203.0.113.2", "2001:db8::2", local=True)
    slices = [endpoint_slice("api", endpoint())]
    found = run(
        *services,
        slices=slices,
        cluster_configs=[v2.cluster_config(version=version)],
        peer_configs=[v2.peer_config(version=version)],
        advertisements=[v2.advertisement(version=version)],
    )
    other = compiled(*services, slices=slices)
    assert prefixes(found, PEER) == prefixes(other) == POD_CIDRS | {"203.0.113.1/32", "203.0.113.2/32"}
    assert found.selected and found.policy == "rack" and found.problems == () and not found.stale
    (new,), (old,) = found.peers, other.peers
    assert (new.name, new.instance) == (PEER, "main")
    assert replace(new, name=old.name, instance=old.instance, families=old.families) == old
    assert set(new.families) == set(old.families)


def test_sixteen_instances_with_their_own_as_router_id_and_port() -> None:
    names = [f"i{n}" for n in range(16)]
    instances = [
        v2.instance(v2.peer(address=f"10.0.0.{n + 1}"), name=name, localASN=65100 + n, localPort=1790 + n)
        for n, name in enumerate(names)
    ]
    changes = v2.override(*({"name": name, "routerID": f"10.9.9.{n + 1}"} for n, name in enumerate(names)))
    found = run(cluster_configs=[v2.cluster_config(*instances)], overrides=[changes])
    assert found.problems == ()
    seen = [(p.name, p.local_asn, str(p.router_id), p.local_port, str(p.address)) for p in found.peers]
    assert seen == [
        (f"i{n}/tor", 65100 + n, f"10.9.9.{n + 1}", 1790 + n, f"10.0.0.{n + 1}") for n in range(16)
    ]


# --- overrides --------------------------------------------------------------------------------------------


def test_an_override_changes_its_node_only() -> None:
    change = {
        "name": "main",
        "localASN": 65009,
        "localPort": 1790,
        "peers": [{"name": "tor", "localAddress": "127.0.0.11"}],
    }
    (peer,) = run(overrides=[v2.override(change)]).peers
    assert (peer.local_asn, peer.local_port, str(peer.local_address)) == (65009, 1790, "127.0.0.11")
    assert str(peer.router_id) == "192.0.2.11"
    (other,) = run(overrides=[v2.override(change, name="worker-2")]).peers
    assert (other.local_asn, other.local_port, other.local_address) == (65001, None, None)
    (unnamed,) = run(overrides=[v2.override({**change, "name": "other"})]).peers
    assert unnamed == other


def test_an_override_can_close_the_listener() -> None:
    listening = [v2.cluster_config(v2.instance(localPort=1790))]
    assert run(cluster_configs=listening).peers[0].local_port == 1790
    closed = run(cluster_configs=listening, overrides=[v2.override({"name": "main", "localPort": -1})])
    assert closed.peers[0].local_port is None and any("does not listen" in line for line in closed.problems)


def test_an_instance_without_local_asn_needs_an_override() -> None:
    bare = [v2.cluster_config(v2.instance(localASN=None))]
    found = run(cluster_configs=bare)
    assert found.selected and found.peers == ()
    assert any("instance main was left out" in line for line in found.problems)
    assert (
        run(cluster_configs=bare, overrides=[v2.override({"name": "main", "localASN": 7})]).peers[0].external
    )


def test_an_invalid_override_changes_nothing() -> None:
    broken = [v2.override({"name": "main", "localASN": 0})]
    good = run(overrides=[v2.override({"name": "main", "localASN": 65009})])
    stale = run(overrides=broken, previous=good)
    assert stale.stale and stale.peers == good.peers and "localASN" in owner_problem(stale)
    fresh = run(overrides=broken)
    assert fresh.selected and fresh.stale and fresh.peers == ()


def test_a_local_address_of_the_other_version_costs_the_peer() -> None:
    change = {"name": "main", "peers": [{"name": "tor", "localAddress": "::1"}]}
    found = run(overrides=[v2.override(change)])
    assert found.peers == () and any("other IP version" in line for line in found.problems)


# --- references -------------------------------------------------------------------------------------------


def two_peers(**second: Any) -> list[Any]:
    return [v2.cluster_config(v2.instance(v2.peer(), v2.peer("second", "10.0.0.2", **second)))]


def test_a_dangling_reference_costs_its_peer_only() -> None:
    found = run(cluster_configs=two_peers(peerConfigRef={"name": "gone"}))
    assert [p.name for p in found.peers] == [PEER]
    sentence = "peer main/second: no session, because CiliumBGPPeerConfig gone does not exist"
    assert sentence in found.problems


def test_no_reference_is_the_default_config_which_advertises_nothing() -> None:
    found = run(service("web", "203.0.113.1"), cluster_configs=two_peers(peerConfigRef=None))
    second = found.peers[1]
    assert (second.port, second.hold_time, second.keepalive_time, second.restart_time) == (179, 90, 30, None)
    assert set(second.families) == {IPV4, IPV6} and found.routes["main/second"] == {}
    assert {a.reason for a in found.absent if a.peer == "main/second"} == {"noMatchingAdvertisement"}


def test_an_invalid_peer_config_keeps_its_last_good_form() -> None:
    good = run(peer_configs=[v2.peer_config(timers={"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3})])
    broken = [v2.peer_config(timers={"holdTimeSeconds": 1})]
    kept = run(peer_configs=broken, previous=good)
    assert kept.peers == good.peers and kept.routes == good.routes
    assert any("CiliumBGPPeerConfig tor is invalid: spec.timers.hold" in line for line in kept.problems)
    assert run(peer_configs=broken, previous=kept) == kept
    fresh = run(peer_configs=broken)
    assert fresh.peers == () and any("tor is invalid" in line for line in fresh.problems)


def test_a_missing_secret_costs_its_peers() -> None:
    secured = [v2.peer_config(authSecretRef="bgp")]
    assert run(peer_configs=secured).peers == ()
    assert run(peer_configs=secured, secrets={"bgp": Secret("x")}).peers[0].password == Secret("x")


def test_peer_values() -> None:
    config = v2.peer_config(
        transport={"peerPort": 1179},
        timers={"connectRetryTimeSeconds": 5, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3},
        gracefulRestart={"enabled": True},
        ebgpMultihop=4,
        families=[v2.family("ipv6")],
    )
    (peer,) = run(peer_configs=[config]).peers
    assert (peer.port, peer.connect_retry_time, peer.hold_time, peer.keepalive_time) == (1179, 5, 9, 3)
    assert (peer.restart_time, peer.multihop_ttl, peer.families) == (120, 4, (IPV6,))


# --- addresses --------------------------------------------------------------------------------------------


def discovering(family: str = "ipv4", address: str | None = None) -> list[Any]:
    block = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": family}}
    return [v2.cluster_config(v2.instance(v2.peer(address=address, autoDiscovery=block)))]


def test_the_default_gateway_is_the_peer() -> None:
    gateways = {"ipv4": ip_address("192.0.2.1"), "ipv6": ip_address("2001:db8::1")}
    assert [str(p.address) for p in run(cluster_configs=discovering(), gateways=gateways).peers] == [
        "192.0.2.1"
    ]
    assert [str(p.address) for p in run(cluster_configs=discovering("ipv6"), gateways=gateways).peers] == [
        "2001:db8::1"
    ]


@pytest.mark.parametrize("gateways", [{"ipv4": ip_address("192.0.2.1")}, {}, None])
def test_an_address_goes_before_discovery(gateways: Any) -> None:
    found = run(cluster_configs=discovering(address="192.0.2.7"), gateways=gateways)
    assert [str(p.address) for p in found.peers] == ["192.0.2.7"]


@pytest.mark.parametrize(
    ("gateways", "words"),
    [
        ({}, "default gateway of ipv6, which does not exist on this node"),
        (None, "which is not known here"),
        ({"ipv6": ip_address("fe80::1")}, "fe80::1 is link-local"),
    ],
)
def test_a_gateway_that_cannot_be_a_peer(gateways: Any, words: str) -> None:
    found = run(cluster_configs=discovering("ipv6"), gateways=gateways)
    assert found.peers == () and any(words in line for line in found.problems)


def test_a_peer_without_any_address() -> None:
    found = run(cluster_configs=[v2.cluster_config(v2.instance(v2.peer(address=None)))])
    assert found.peers == () and any("no peerAddress that can be used" in line for line in found.problems)


ADDRESSES = [
    ip_address(text)
    for text in ("127.0.0.1", "192.0.2.5", "192.0.2.5", "::1", "fe80::5", "2001:db8::5", "::ffff:1.2.3.4")
]


def test_the_source_interface_gives_the_local_address() -> None:
    config = [v2.peer_config(transport={"sourceInterface": "lo"})]
    found = run(peer_configs=config, interfaces={"lo": ADDRESSES})
    assert [str(p.local_address) for p in found.peers] == ["192.0.2.5"]
    v6 = [v2.cluster_config(v2.instance(v2.peer(address="2001:db8::1")))]
    found = run(peer_configs=config, interfaces={"lo": ADDRESSES}, cluster_configs=v6)
    assert [str(p.local_address) for p in found.peers] == ["2001:db8::5"]
    changed = v2.override({"name": "main", "peers": [{"name": "tor", "localAddress": "10.0.0.5"}]})
    found = run(peer_configs=config, overrides=[changed])
    assert [str(p.local_address) for p in found.peers] == ["10.0.0.5"]


@pytest.mark.parametrize(
    ("interfaces", "words"),
    [
        ({}, "sourceInterface lo is not up on this node"),
        ({"lo": ADDRESSES[3:]}, "has 0 usable IPv4 addresses, not one"),
        ({"lo": [*ADDRESSES, ip_address("169.254.0.1")]}, "has 2 usable IPv4 addresses"),
    ],
)
def test_a_source_interface_without_exactly_one_address(interfaces: Any, words: str) -> None:
    config = [v2.peer_config(transport={"sourceInterface": "lo"})]
    found = run(peer_configs=config, interfaces=interfaces)
    assert found.peers == () and any(words in line for line in found.problems)


def test_a_reader_elsewhere_lists_the_peer_all_the_same() -> None:
    config = [v2.peer_config(transport={"sourceInterface": "lo"})]
    found = run(peer_configs=config, interfaces=None)
    assert [p.local_address for p in found.peers] == [None] and found.problems == ()


# --- sessions that would be the same ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (v2.instance(name="two", localASN=65002), 1),  # one router cannot tell them apart
        (v2.instance(v2.peer(peerConfigRef={"name": "other"}), name="two"), 1),  # nor can ExaBGP
        (v2.instance(v2.peer(peerConfigRef={"name": "other"}), name="two", localASN=65002), 2),
        (v2.instance(v2.peer(address="127.0.0.101"), name="two"), 2),
    ],
)
def test_two_peers_that_would_be_one_session(second: Any, kept: int) -> None:
    configs = [v2.peer_config(), v2.peer_config("other", transport={"peerPort": 1790})]
    found = run(cluster_configs=[v2.cluster_config(v2.instance(), second)], peer_configs=configs)
    assert [p.name for p in found.peers] == ["main/tor", "two/tor"][:kept]
    lost = "peer two/tor: no session, because main/tor has the session to 127.0.0.100 already"
    assert (lost in found.problems) == (kept == 1) and set(found.routes) == {p.name for p in found.peers}


def test_names_with_slashes_do_not_meet() -> None:
    one = v2.instance(v2.peer("b/c", "10.0.0.1"), name="a")
    two = v2.instance(v2.peer("c", "10.0.0.2"), name="a/b")
    found = run(cluster_configs=[v2.cluster_config(one, two)])
    assert [str(p.address) for p in found.peers] == ["10.0.0.1"]
    assert any("called the same" in line for line in found.problems)


# --- advertisements ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "advertised"),
    [(v2.ADVERTISED, True), ({"advertise": "no"}, False), ({}, False)],
)
def test_labels_choose_the_advertisements(labels: dict[str, str], advertised: bool) -> None:
    found = run(service("web", "203.0.113.1"), advertisements=[v2.advertisement(labels=labels)])
    expected = POD_CIDRS | {"203.0.113.1/32"} if advertised else set()
    assert prefixes(found, PEER) == expected


@pytest.mark.parametrize(
    ("selector", "advertised"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"advertise": "bgp"}}, True),
        ({"matchLabels": {"a": "b"}}, False),
    ],
)
def test_nil_and_empty_selectors_of_a_family(selector: Any, advertised: bool) -> None:
    config = v2.peer_config(families=[v2.family(advertisements=selector)])
    assert bool(prefixes(run(peer_configs=[config]), PEER)) == advertised


@pytest.mark.parametrize(
    ("selector", "advertised"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"io.kubernetes.service.name": "web"}}, True),
        ({"matchExpressions": [{"key": "k", "operator": "NotIn", "values": ["never"]}]}, True),
    ],
)
def test_nil_and_empty_selectors_of_services(selector: Any, advertised: bool) -> None:
    found = run(service("web", "203.0.113.1"), advertisements=advertising(v2.advert(selector=selector)))
    assert prefixes(found, PEER) == ({"203.0.113.1/32"} if advertised else set())
    assert any(a.reason == "noMatchingAdvertisement" for a in found.absent)


def test_a_family_advertises_its_own_prefixes_only() -> None:
    only = v2.peer_config(families=[v2.family(), v2.family("ipv6", advertisements=None)])
    found = run(service("web", "203.0.113.1", "2001:db8::1"), peer_configs=[only])
    assert prefixes(found, PEER) == {"10.244.1.0/24", "203.0.113.1/32"}
    assert ("Service default/web", "2001:db8::1/128", "noMatchingAdvertisement") in absences(found)


def test_a_family_that_is_written_twice_advertises_both() -> None:
    config = v2.peer_config(
        families=[v2.family(), v2.family(advertisements={"matchLabels": {"advertise": "pods"}})]
    )
    adverts = [
        v2.advertisement(v2.advert(), name="a"),
        v2.advertisement(v2.advert("PodCIDR"), name="b", labels={"advertise": "pods"}),
    ]
    found = run(service("web", "203.0.113.1"), peer_configs=[config], advertisements=adverts)
    assert prefixes(found, PEER) == {"203.0.113.1/32", "10.244.1.0/24"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("LoadBalancerIP", "203.0.113.1/32"),
        ("ExternalIP", "203.0.113.2/32"),
        ("ClusterIP", "10.96.0.1/32"),
    ],
)
def test_address_types(kind: str, expected: str) -> None:
    web = service("web", "203.0.113.1", externalIPs=["203.0.113.2"], clusterIPs=["10.96.0.1"])
    found = run(web, advertisements=advertising(v2.advert(service={"addresses": [kind]})))
    assert prefixes(found, PEER) == {expected}


def attributed(preference: int | None = None, *communities: str, **fields: Any) -> Any:
    attributes: dict[str, Any] = {"communities": {"standard": list(communities)}}
    if preference is not None:
        attributes["localPreference"] = preference
    return v2.advert(attributes=attributes, **fields)


INTERNAL = [v2.cluster_config(v2.instance(v2.peer(peerASN=65001)))]


def test_overlapping_advertisements_are_merged() -> None:
    adverts = [
        v2.advertisement(attributed(100, "65001:1"), attributed(200, "65001:2"), name="a"),
        v2.advertisement(attributed(150, "65001:3"), name="b"),
        v2.advertisement(attributed(900, "65001:9", selector={"matchLabels": {"app": "other"}}), name="c"),
    ]
    found = run(service("web", "203.0.113.1"), advertisements=adverts, cluster_configs=INTERNAL)
    attributes = found.routes[PEER][ip_network("203.0.113.1/32")].attributes
    assert attributes.communities == {"65001:1", "65001:2", "65001:3"} and attributes.local_preference == 200


def test_local_preference_is_for_internal_peers() -> None:
    adverts = advertising(attributed(200, "65001:1"))
    found = run(service("web", "203.0.113.1"), advertisements=adverts)
    attributes = found.routes[PEER][ip_network("203.0.113.1/32")].attributes
    assert attributes.local_preference is None and attributes.communities == {"65001:1"}
    assert any("localPreference of all has no effect" in line for line in found.problems)


def test_a_peer_of_any_as_keeps_its_local_preference() -> None:
    """ExaBGP learns the AS from the OPEN and sends LOCAL_PREF to an internal one only."""
    any_as = [v2.cluster_config(v2.instance(v2.peer(peerASN=0)))]
    found = run(
        service("web", "203.0.113.1"), advertisements=advertising(attributed(200)), cluster_configs=any_as
    )
    assert found.peers[0].asn == 0
    assert found.routes[PEER][ip_network("203.0.113.1/32")].attributes.local_preference == 200


def test_an_invalid_advertisement_keeps_its_last_good_form() -> None:
    web = service("web", "203.0.113.1")
    good = run(
        web, advertisements=[v2.advertisement(v2.advert("PodCIDR"), name="pods"), *advertising(v2.advert())]
    )
    broken = v2.advertisement(v2.advert(service={"addresses": ["NodeIP"]}))
    kept = run(web, advertisements=[broken], previous=good)
    assert prefixes(kept, PEER) == {"203.0.113.1/32"}
    assert any("CiliumBGPAdvertisement all is invalid" in line for line in kept.problems)
    assert prefixes(run(web, advertisements=[broken]), PEER) == set()


# --- aggregation ------------------------------------------------------------------------------------------


def aggregated(v4: int | None = 24, v6: int | None = None, **fields: Any) -> Any:
    block: dict[str, Any] = {"addresses": ["LoadBalancerIP"], "aggregationLengthIPv4": v4}
    block["aggregationLengthIPv6"] = v6
    return v2.advert(service={k: v for k, v in block.items() if v is not None}, **fields)


def test_aggregation_only_where_the_traffic_policy_is_cluster() -> None:
    services = (
        service("a", "203.0.113.1"),
        service("b", "203.0.113.2"),
        service("c", "203.0.113.3", local=True),
    )
    found = run(*services, slices=[endpoint_slice("c", endpoint())], advertisements=advertising(aggregated()))
    assert prefixes(found, PEER) == {"203.0.113.0/24", "203.0.113.3/32"}
    route = found.routes[PEER][ip_network("203.0.113.0/24")]
    assert route.origin == "Service default/a, Service default/b"
    left = run(services[0], advertisements=advertising(aggregated()))
    assert prefixes(left, PEER) == {"203.0.113.0/24"}


def test_the_internal_policy_governs_cluster_ips() -> None:
    one = v2.advert(service={"addresses": ["ClusterIP"], "aggregationLengthIPv4": 16})
    web = service("web", clusterIPs=["10.96.7.1"], local=True)
    assert prefixes(run(web, advertisements=advertising(one)), PEER) == {"10.96.0.0/16"}
    local = service("web", clusterIPs=["10.96.7.1"], internalTrafficPolicy="Local")
    slices = [endpoint_slice("web", endpoint())]
    assert prefixes(run(local, slices=slices, advertisements=advertising(one)), PEER) == {"10.96.7.1/32"}


def test_each_family_has_its_own_length() -> None:
    web = service("web", "203.0.113.1", "2001:db8::1")
    assert prefixes(run(web, advertisements=advertising(aggregated(0, 64))), PEER) == {
        "0.0.0.0/0",
        "2001:db8::/64",
    }
    assert prefixes(run(web, advertisements=advertising(aggregated(None, 64))), PEER) == {
        "203.0.113.1/32",
        "2001:db8::/64",
    }


def test_two_lengths_are_two_routes_each_with_its_attributes() -> None:
    adverts = advertising(
        attributed(None, "65001:32"), aggregated(24, attributes={"communities": {"standard": ["65001:24"]}})
    )
    found = run(service("web", "203.0.113.1"), advertisements=adverts)
    shown = {str(p): r.attributes.communities for p, r in found.routes[PEER].items()}
    assert shown == {"203.0.113.1/32": {"65001:32"}, "203.0.113.0/24": {"65001:24"}}


@given(
    st.lists(st.ip_addresses(v=4).filter(lambda a: not a.is_loopback), min_size=1, max_size=6, unique=True),
    st.integers(0, 31),
)
def test_every_address_lies_in_an_announced_aggregate(addresses: list[Any], length: int) -> None:
    services = [service(f"s{n}", str(address)) for n, address in enumerate(addresses)]
    table = run(*services, advertisements=advertising(aggregated(length))).routes[PEER]
    assert all(prefix.prefixlen == length for prefix in table)
    assert {ip_network((a, length), strict=False) for a in addresses} == set(table)


# --- interfaces -------------------------------------------------------------------------------------------

ON_LO = advertising(v2.advert("Interface", interface={"name": "lo"}))


def test_the_usable_addresses_of_an_interface() -> None:
    found = run(
        advertisements=ON_LO,
        interfaces={"lo": [*ADDRESSES, ip_address("169.254.0.1")], "eth0": [ip_address("10.0.0.1")]},
    )
    assert prefixes(found, PEER) == {"192.0.2.5/32", "169.254.0.1/32", "2001:db8::5/128"}
    route = found.routes[PEER][ip_network("192.0.2.5/32")]
    assert route.origin == "Interface lo" and "has this address" in route.why


@pytest.mark.parametrize("interfaces", [{}, {"lo": []}, {"lo": [ip_address("127.0.0.1")]}, None])
def test_an_interface_without_addresses_is_a_reason(interfaces: Any) -> None:
    found = run(advertisements=ON_LO, interfaces=interfaces)
    assert ("Interface lo", "", "noInterfaceAddress") in absences(found)


def test_interfaces_that_nobody_names_are_no_candidates() -> None:
    assert not any("lo" in a.origin for a in run(interfaces={"lo": ADDRESSES}).absent)


# --- who owns the node ------------------------------------------------------------------------------------


def test_a_peering_policy_goes_before_a_cluster_config_on_a_fresh_node() -> None:
    found = run(policies=[policy()])
    assert found.policy == "policy" and [p.name for p in found.peers] == ["65001/127.0.0.100"]
    assert any("CiliumBGPClusterConfig rack selects this node too" in line for line in found.problems)


def test_no_second_object_takes_the_sessions_down() -> None:
    first = run()
    for second in (
        {"policies": [policy(created="2020-01-01T00:00:00Z")]},
        {
            "cluster_configs": [
                v2.cluster_config(),
                v2.cluster_config(name="a", created="2020-01-01T00:00:00Z"),
            ]
        },
    ):
        found = run(previous=first, **second)
        assert found.policy == "rack" and found.peers == first.peers
        assert any("is ignored here: CiliumBGPClusterConfig rack has it" in line for line in found.problems)


def test_when_the_policy_goes_the_cluster_config_takes_over() -> None:
    before = run(policies=[policy()])
    after = run(previous=before)
    assert after.policy == "rack" and after.config is not None and after.problems == ()


def test_the_oldest_cluster_config_has_a_fresh_node() -> None:
    young = v2.cluster_config(name="a", created="2026-02-01T00:00:00Z")
    old = v2.cluster_config(name="z", created="2026-01-01T00:00:00Z")
    assert run(cluster_configs=[young, old]).policy == "z"


def test_objects_of_both_kinds_may_have_the_same_name() -> None:
    other = policy(router(neighbor("10.0.0.9/32")), name="rack")
    found = run(previous=run(), policies=[other])
    assert [p.name for p in found.peers] == [PEER]


def test_an_invalid_cluster_config_keeps_the_previous_intent() -> None:
    web = service("web", "203.0.113.1")
    good = run(web)
    broken = [v2.cluster_config(v2.instance(localASN=0))]
    stale = run(web, cluster_configs=broken, previous=good)
    assert stale.stale and stale.peers == good.peers and stale.routes == good.routes
    assert "CiliumBGPClusterConfig rack is invalid" in owner_problem(stale)
    assert run(cluster_configs=broken).peers == ()
    assert not run(web, cluster_configs=broken, previous=good, node=node(labels={})).selected


def test_a_node_that_nothing_selects() -> None:
    found = run(service("web", "203.0.113.1"), node=node(labels={}))
    assert not found.selected and {reason for _, _, reason in absences(found)} == {"notSelected"}


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_owner_does_not_depend_on_the_order(names: list[str]) -> None:
    assert run(cluster_configs=[v2.cluster_config(name=name) for name in names]).policy == "a"
