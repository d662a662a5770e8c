"""CiliumBGPPeeringPolicy documents: defaults, every fault with its path and what is allowed, warnings."""

from __future__ import annotations

from copy import deepcopy
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.policy.claim import Claim
from bgpctl.core.policy.nodeconfig import AddressType, Source
from bgpctl.core.policy.peering import DEFAULTS, LIMITS, PeeringPolicy, parse_policy
from tests.support.objects import neighbor, policy, router

NEIGHBOR = "spec.virtualRouters[0].neighbors[0]"


def parse(document: Any, strict: bool = True) -> Claim[PeeringPolicy]:
    return parse_policy(document, "policy.yaml", 1, strict)


def problems(document: Any) -> dict[str, str]:
    return {problem.path: problem.message for problem in parse(document).problems}


def with_neighbor(**fields: Any) -> dict[str, Any]:
    return policy(router({**neighbor(), **fields}))


def test_defaults() -> None:
    minimal = policy(
        {"localASN": 65001, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65000}]},
        nodeSelector=None,
    )
    parsed = parse(minimal)
    assert parsed.problems == parsed.warnings == ()
    assert parsed.value is not None and parsed.value.selects({})
    virtual_router = parsed.value.virtual_routers[0]
    assert not virtual_router.export_pod_cidr and virtual_router.service_selector is None
    assert virtual_router.service_advertisements == (AddressType.LOAD_BALANCER,)
    peer = virtual_router.neighbors[0]
    assert (peer.port, peer.multihop_ttl, peer.connect_retry_time) == (179, 1, 120)
    assert (peer.hold_time, peer.keepalive_time, peer.restart_time) == (90, 30, None)
    assert peer.families == (IPV4, IPV6) and peer.auth_secret is None and peer.attribute_rules == ()


def test_every_field_is_read() -> None:
    full = policy(
        router(
            neighbor(
                "2001:db8::1/128",
                65001,
                peerPort=1179,
                authSecretRef="bgp",
                connectRetryTimeSeconds=5,
                holdTimeSeconds=9,
                keepAliveTimeSeconds=4,
                gracefulRestart={"enabled": True, "restartTimeSeconds": 60},
                families=[{"afi": "ipv6", "safi": "unicast"}],
                advertisedPathAttributes=[
                    {
                        "selectorType": "CiliumLoadBalancerIPPool",
                        "selector": {"matchLabels": {"pool": "a"}},
                        "communities": {
                            "standard": ["65001:1", "4259840099"],
                            "wellKnown": ["no-export"],
                            "large": ["65001:1:2"],
                        },
                        "localPreference": 150,
                    }
                ],
            ),
            serviceAdvertisements=["ClusterIP", "ExternalIP"],
        )
    )
    parsed = parse(full)
    assert parsed.problems == parsed.warnings == ()
    assert parsed.value is not None
    peer = parsed.value.virtual_routers[0].neighbors[0]
    assert peer.address == ip_address("2001:db8::1") and peer.port == 1179 and peer.auth_secret == "bgp"
    assert (peer.connect_retry_time, peer.hold_time, peer.keepalive_time, peer.restart_time) == (5, 9, 4, 60)
    assert peer.families == (IPV6,)
    rule = peer.attribute_rules[0]
    assert rule.source is Source.LB_POOL and rule.selector is not None
    assert rule.attributes.communities == {"65001:1", "65000:99", "65535:65281"}
    assert rule.attributes.large_communities == {"65001:1:2"} and rule.attributes.local_preference == 150
    assert parsed.value.virtual_routers[0].service_advertisements == (
        AddressType.CLUSTER,
        AddressType.EXTERNAL,
    )


def test_graceful_restart_block_that_is_off() -> None:
    parsed = parse(with_neighbor(gracefulRestart={"enabled": False, "restartTimeSeconds": 60}))
    assert parsed.value is not None
    assert parsed.value.virtual_routers[0].neighbors[0].restart_time is None


NEIGHBOR_INTEGERS = [
    "peerASN",
    "peerPort",
    "eBGPMultihopTTL",
    "connectRetryTimeSeconds",
    "holdTimeSeconds",
    "keepAliveTimeSeconds",
]


@pytest.mark.parametrize("name", NEIGHBOR_INTEGERS)
@pytest.mark.parametrize("beyond", ["low", "high"])
def test_out_of_range(name: str, beyond: str) -> None:
    limits = LIMITS[name]
    value = limits.low - 1 if beyond == "low" else limits.high + 1
    message = problems(with_neighbor(**{name: value}))[f"{NEIGHBOR}.{name}"]
    assert f"must be {limits}; it is {value}" in message


@pytest.mark.parametrize("name", NEIGHBOR_INTEGERS)
@pytest.mark.parametrize("value", ["179", 1.5, True, [], {}])
def test_wrong_type(name: str, value: Any) -> None:
    message = problems(with_neighbor(**{name: value}))[f"{NEIGHBOR}.{name}"]
    assert message.startswith(f"must be an integer, {LIMITS[name]}; it is ")


@pytest.mark.parametrize("name", [n for n in NEIGHBOR_INTEGERS if n != "peerASN"])
def test_bounds_are_allowed(name: str) -> None:
    # The two timers depend on each other: take the other one out of the way.
    for value in LIMITS[name]:
        fields = {"keepAliveTimeSeconds": 1, "holdTimeSeconds": 65535, name: value}
        assert problems(with_neighbor(**fields)) == {}


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"peerAddress": "10.0.0.1"}, "peerAddress", "Write 10.0.0.1/32"),
        ({"peerAddress": "10.0.0.0/24"}, "peerAddress", "one host in CIDR notation"),
        ({"peerAddress": "2001:db8::1/64"}, "peerAddress", "Write 2001:db8::1/128"),
        ({"peerAddress": "router.example"}, "peerAddress", "10.0.0.1/32, or 2001:db8::1/128"),
        ({"peerAddress": "224.0.0.5/32"}, "peerAddress", "the address of a router"),
        ({"peerAddress": "0.0.0.0/32"}, "peerAddress", "the address of a router"),
        ({"peerAddress": None}, "peerAddress", "required"),
        ({"peerASN": None}, "peerASN", "required; an integer, 0..4294967295"),
        ({"holdTimeSeconds": 0}, "holdTimeSeconds", "must be 3..65535; it is 0"),
        (
            {"holdTimeSeconds": 9},
            "keepAliveTimeSeconds",
            "at most holdTimeSeconds (9); it is 30 (the default)",
        ),
        ({"keepAliveTimeSeconds": 91}, "keepAliveTimeSeconds", "at most holdTimeSeconds (90); it is 91"),
        ({"gracefulRestart": {}}, "gracefulRestart.enabled", "required; true or false"),
        ({"gracefulRestart": True}, "gracefulRestart", "must be an object; it is true"),
        (
            {"gracefulRestart": {"enabled": "yes"}},
            "gracefulRestart.enabled",
            'must be true or false; it is "yes"',
        ),
        (
            {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 4096}},
            "gracefulRestart.restartTimeSeconds",
            "must be 1..4095; it is 4096",
        ),
        (
            {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 0}},
            "gracefulRestart.restartTimeSeconds",
            "must be 1..4095; it is 0",
        ),
        ({"families": [{"afi": "ipv5", "safi": "unicast"}]}, "families[0].afi", "one of ipv4, ipv6"),
        ({"families": [{"afi": "ipv4"}]}, "families[0].safi", "required; one of unicast"),
        ({"families": "ipv4"}, "families", 'must be a list; it is "ipv4"'),
        ({"authSecretRef": ""}, "authSecretRef", "the name of a Secret"),
        ({"peerAsn": 1}, "peerAsn", 'unknown field. Did you mean "peerASN"?'),
        (
            {"advertisedPathAttributes": [{}]},
            "advertisedPathAttributes[0].selectorType",
            "required; one of PodCIDR, CiliumLoadBalancerIPPool, CiliumPodIPPool",
        ),
        (
            {"advertisedPathAttributes": [{"selectorType": "PodCIDR", "localPreference": -1}]},
            "advertisedPathAttributes[0].localPreference",
            "must be 0..4294967295",
        ),
        (
            {
                "advertisedPathAttributes": [
                    {"selectorType": "PodCIDR", "communities": {"standard": ["65536:1"]}}
                ]
            },
            "advertisedPathAttributes[0].communities.standard[0]",
            "0..65535:0..65535",
        ),
        (
            {"advertisedPathAttributes": [{"selectorType": "PodCIDR", "communities": {"standard": [650]}}]},
            "advertisedPathAttributes[0].communities.standard[0]",
            "a number: quote it",
        ),
        (
            {"advertisedPathAttributes": [{"selectorType": "PodCIDR", "communities": {"wellKnown": ["x"]}}]},
            "advertisedPathAttributes[0].communities.wellKnown[0]",
            "one of internet, planned-shut",
        ),
        (
            {"advertisedPathAttributes": [{"selectorType": "PodCIDR", "communities": {"large": ["1:2"]}}]},
            "advertisedPathAttributes[0].communities.large[0]",
            '"A:B:C"',
        ),
    ],
)
def test_neighbor_faults(change: dict[str, Any], path: str, words: str) -> None:
    found = problems(with_neighbor(**change))
    assert list(found) == [f"{NEIGHBOR}.{path}"]
    assert words in found[f"{NEIGHBOR}.{path}"]


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (policy(router(asn=-1)), "spec.virtualRouters[0].localASN", "must be 0..4294967295"),
        (policy(router(asn=4294967296)), "spec.virtualRouters[0].localASN", "must be 0..4294967295"),
        (policy(router(neighbors=[])), "spec.virtualRouters[0].neighbors", "at least 1; it has 0"),
        (policy(router(neighbors=None)), "spec.virtualRouters[0].neighbors", "required; a list"),
        (policy(router(exportPodCIDR=1)), "spec.virtualRouters[0].exportPodCIDR", "must be true or false"),
        (
            policy(router(serviceAdvertisements=["NodePort"])),
            "spec.virtualRouters[0].serviceAdvertisements[0]",
            "one of LoadBalancerIP, ClusterIP, ExternalIP",
        ),
        (policy(nodeSelector="all"), "spec.nodeSelector", 'must be an object; it is "all"'),
        ({**policy(), "spec": None}, "spec", "required"),
        ({**policy(), "spec": []}, "spec", "must be an object; it is a list"),
        ({**policy(), "status": {}}, "status", "unknown field"),
        ({**policy(), "apiVersion": "cilium.io/v2"}, "apiVersion", 'must be "cilium.io/v2alpha1"'),
        ({**policy(), "metadata": {}}, "metadata.name", "required"),
        (policy(name="Not_DNS"), "metadata.name", "a DNS-1123 subdomain"),
    ],
)
def test_policy_faults(document: Any, path: str, words: str) -> None:
    found = problems(document)
    assert list(found) == [path]
    assert words in found[path]


def test_empty_virtual_routers() -> None:
    document = policy()
    document["spec"]["virtualRouters"] = []
    assert "at least 1" in problems(document)["spec.virtualRouters"]


@pytest.mark.parametrize(
    ("routers", "path"),
    [
        ([router(neighbor(), neighbor())], "spec.virtualRouters[0].neighbors[1].peerAddress"),
        ([router(neighbor(), neighbor(asn=65009))], "spec.virtualRouters[0].neighbors[1].peerAddress"),
        ([router(), router(asn=65002)], "spec.virtualRouters[1].neighbors[0].peerAddress"),
        ([router(), router(neighbor("10.0.0.2/32"))], "spec.virtualRouters[1].localASN"),
    ],
)
def test_duplicates(routers: list[dict[str, Any]], path: str) -> None:
    found = problems(policy(*routers))
    assert list(found) == [path] and "already" in found[path]


def test_one_host_with_two_ports_is_two_peers_for_two_routers() -> None:
    routers = [router(neighbor(peerPort=1790)), router(neighbor(peerPort=1791), asn=65002)]
    assert problems(policy(*routers)) == {}


def test_all_faults_at_once() -> None:
    bad = policy(router(neighbor(peerPort=0, holdTimeSeconds=2), asn="x"), extra=1)
    assert set(problems(bad)) == {
        f"{NEIGHBOR}.peerPort",
        f"{NEIGHBOR}.holdTimeSeconds",
        "spec.virtualRouters[0].localASN",
        "spec.extra",
    }


def test_one_fault_does_not_cause_another() -> None:
    two_bad_asns = policy(router(asn="x"), router(neighbor("10.0.0.2/32"), asn="y"))
    assert set(problems(two_bad_asns)) == {f"spec.virtualRouters[{i}].localASN" for i in (0, 1)}


def test_unknown_fields_from_an_api_server_are_ignored() -> None:
    document = with_neighbor(newField=1)
    assert problems(document)
    assert parse(document, strict=False).value is not None


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (
            with_neighbor(families=[{"afi": "l2vpn", "safi": "evpn"}, {"afi": "ipv4", "safi": "unicast"}]),
            f"{NEIGHBOR}.families[0]",
            "l2vpn/evpn cannot be honoured",
        ),
        (
            with_neighbor(advertisedPathAttributes=[{"selectorType": "PodCIDR", "localPreference": 10}]),
            f"{NEIGHBOR}.advertisedPathAttributes[0].localPreference",
            "the peer is external",
        ),
        (with_neighbor(peerASN=65001, eBGPMultihopTTL=5), f"{NEIGHBOR}.eBGPMultihopTTL", "iBGP"),
        (policy(router(asn=0)), "spec.virtualRouters[0].localASN", "RFC 7607"),
        (with_neighbor(peerAddress="fe80::1/128"), f"{NEIGHBOR}.peerAddress", "link-local"),
    ],
)
def test_what_cannot_take_effect_is_a_warning(document: Any, path: str, words: str) -> None:
    parsed = parse(document)
    assert parsed.value is not None and parsed.problems == ()
    warnings = {warning.path: warning.message for warning in parsed.warnings}
    assert list(warnings) == [path] and words in warnings[path]


def test_an_invalid_policy_still_says_which_nodes_it_is_for() -> None:
    parsed = parse(with_neighbor(peerPort=0))
    assert parsed.value is None and parsed.node_selector_valid
    assert parsed.node_selector is not None and parsed.node_selector.matches({"enable-bgp": "true"})
    assert not parse(policy(nodeSelector="x")).node_selector_valid


def test_local_preference_of_an_external_peer_is_dropped() -> None:
    rules = [{"selectorType": "PodCIDR", "localPreference": 10}]
    for asn, expected in ((65000, None), (65001, 10)):
        parsed = parse(with_neighbor(peerASN=asn, advertisedPathAttributes=rules))
        assert parsed.value is not None
        rule = parsed.value.virtual_routers[0].neighbors[0].attribute_rules[0]
        assert rule.attributes.local_preference == expected


# --- properties -------------------------------------------------------------------------------------------


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(p for key, child in children for p in _paths(child, (*path, key)))]


FULL = policy(
    router(
        neighbor(
            gracefulRestart={"enabled": True, "restartTimeSeconds": DEFAULTS["restartTimeSeconds"]},
            families=[{"afi": "ipv4", "safi": "unicast"}],
            advertisedPathAttributes=[
                {
                    "selectorType": "PodCIDR",
                    "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
                    "communities": {"standard": ["1:1"], "wellKnown": ["no-peer"], "large": ["1:2:3"]},
                }
            ],
        ),
        serviceAdvertisements=["ClusterIP"],
    )
)


@given(st.sampled_from([p for p in _paths(FULL) if p]), junk)
def test_any_junk_anywhere_gives_a_policy_or_problems_never_an_exception(
    path: tuple[Any, ...], value: Any
) -> None:
    document = deepcopy(FULL)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    parsed = parse(document)
    assert (parsed.value is None) == bool(parsed.problems)


@pytest.mark.parametrize(
    ("change", "problems", "warnings"),
    [
        ({"families": [{"afi": "ip", "safi": "unicast"}]}, ["families[0].afi"], []),
        ({"families": [{"afi": "ipv4", "safi": "x"}]}, ["families[0].safi"], []),
        ({"families": [{"afi": "ipv4", "safi": "unicast", "x": 1}]}, ["families[0].x"], []),
        ({"advertisedPathAttributes": [{"selectorType": "PodCIDR"}]}, [], []),
    ],
)
def test_one_mistake_is_one_sentence(change: Any, problems: list[str], warnings: list[str]) -> None:
    parsed = parse(with_neighbor(**change))
    assert [problem.path for problem in parsed.problems] == [f"{NEIGHBOR}.{path}" for path in problems]
    assert [warning.path for warning in parsed.warnings] == [f"{NEIGHBOR}.{path}" for path in warnings]


@pytest.mark.parametrize(
    ("timers", "message"),
    [
        ({"holdTimeSeconds": 9}, "must be at most holdTimeSeconds (9); it is 30 (the default). Usual: 3"),
        (
            {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 10},
            "must be at most holdTimeSeconds (9); it is 10. Usual: 3",
        ),
    ],
)
def test_a_keepalive_time_above_the_hold_time(timers: dict[str, int], message: str) -> None:
    assert problems(with_neighbor(**timers)) == {f"{NEIGHBOR}.keepAliveTimeSeconds": message}


def test_a_policy_selects_by_its_labels() -> None:
    parsed = parse(policy())
    assert parsed.value is not None
    assert parsed.value.selects({"enable-bgp": "true"}) and not parsed.value.selects({})
