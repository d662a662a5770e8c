"""The four v2 kinds: defaults, every fault with its path and what is allowed, warnings, versions."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.model import IPV4, IPV6, NO_ATTRIBUTES, Family
from bgpctl.core.policy.nodeconfig import AddressType, Advertisement, Source
from bgpctl.core.policy.v2 import advertisement, cluster, override, peer
from bgpctl.core.policy.v2.cluster import ClusterPeer, parse_cluster_config
from bgpctl.core.policy.v2.peer import BGPPeerConfig, PeerFamily, parse_peer_config
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.selectors import LabelSelector
from tests.support import v2

Document = dict[str, Any]

PARSERS: dict[str, Callable[..., Any]] = {
    cluster.KIND: parse_cluster_config,
    peer.KIND: parse_peer_config,
    advertisement.KIND: advertisement.parse_advertisement,
    override.KIND: override.parse_override,
}
BOTH = pytest.mark.parametrize("version", [v2.V2, v2.V2ALPHA1])


def parse(document: Document, strict: bool = True) -> Any:
    return PARSERS[document["kind"]](document, "v2.yaml", 1, strict)


def problems(document: Document) -> dict[str, str]:
    return {problem.path: problem.message for problem in parse(document).problems}


def warnings(document: Document) -> dict[str, str]:
    return {warning.path: warning.message for warning in parse(document).warnings}


def value(document: Document) -> Any:
    parsed = parse(document)
    assert parsed.problems == (), parsed.problems
    return parsed.value


# --- defaults ---------------------------------------------------------------------------------------------


def test_a_minimal_cluster_config() -> None:
    minimal = v2.cluster_config({"name": "main", "peers": [{"name": "tor"}]}, nodeSelector=None)
    found = value(minimal)
    assert found.selects({}) and found.node_selector is None and found.name == "rack"
    (instance,) = found.instances
    assert (instance.name, instance.local_asn, instance.local_port) == ("main", None, None)
    assert instance.peers == (ClusterPeer("tor"),) and instance.peers[0].asn == 0
    assert set(warnings(minimal)) == {
        "spec.bgpInstances[0].localASN",
        "spec.bgpInstances[0].peers[0].peerAddress",
        "spec.bgpInstances[0].peers[0].peerConfigRef",
    }


def test_a_minimal_peer_config_is_the_default_one() -> None:
    minimal = v2.resource(peer.KIND, "tor", {})
    assert value(minimal) == BGPPeerConfig("tor")
    found = value(minimal)
    assert (found.port, found.connect_retry_time, found.hold_time, found.keepalive_time) == (179, 120, 90, 30)
    assert (found.restart_time, found.multihop_ttl, found.secret) == (None, 1, None)
    assert found.families == (PeerFamily(IPV6), PeerFamily(IPV4))
    assert "advertise nothing" in warnings(minimal)["spec.families"]


def test_minimal_advertisements_and_overrides() -> None:
    assert value(v2.resource(advertisement.KIND, "a", {"advertisements": []})).advertisements == ()
    (found,) = value(v2.override({"name": "main"})).instances
    assert found == override.InstanceOverride("main")


# --- every field ------------------------------------------------------------------------------------------


def test_every_field_of_a_cluster_config() -> None:
    discovered = v2.peer(
        "gw", None, autoDiscovery={"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv6"}}
    )
    document = v2.cluster_config(
        v2.instance(v2.peer(), discovered, localPort=179),
        v2.instance(v2.peer("b", "2001:db8::1"), name="two"),
    )
    found = value(document)
    assert warnings(document) == {}
    assert found.selects({"enable-bgp": "true"}) and not found.selects({})
    first, second = found.instances
    assert (first.local_asn, first.local_port, second.name) == (65001, 179, "two")
    assert first.peers[0] == ClusterPeer("tor", ip_address("127.0.0.100"), 65000, None, "tor")
    assert first.peers[1] == ClusterPeer("gw", None, 65000, Family("ipv6"), "tor")
    assert second.peers[0].address == ip_address("2001:db8::1")


def test_every_field_of_a_peer_config() -> None:
    document = v2.peer_config(
        transport={"peerPort": 1179, "sourceInterface": "lo0"},
        timers={"connectRetryTimeSeconds": 5, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3},
        authSecretRef="bgp",
        gracefulRestart={"enabled": True, "restartTimeSeconds": 60},
        ebgpMultihop=4,
        families=[v2.family("ipv6")],
    )
    selector = LabelSelector((("advertise", "bgp"),))
    assert value(document) == BGPPeerConfig(
        "tor", 1179, "lo0", 5, 9, 3, "bgp", 60, 4, (PeerFamily(IPV6, selector),)
    )
    assert warnings(document) == {}


def test_every_field_of_an_advertisement() -> None:
    entries = [
        v2.advert(
            service={
                "addresses": ["ClusterIP", "ExternalIP"],
                "aggregationLengthIPv4": 24,
                "aggregationLengthIPv6": 64,
            },
            selector={"matchLabels": {"a": "b"}},
            attributes={
                "communities": {"standard": ["1:1"], "wellKnown": ["planned-shut"], "large": ["1:2:3"]},
                "localPreference": 150,
            },
        ),
        v2.advert("PodCIDR", attributes={}),
        v2.advert("Interface", interface={"name": "lo"}),
    ]
    document = v2.advertisement(*entries, name="mine")
    service, pods, interface = value(document).advertisements
    assert service.source is Source.SERVICE and service.aggregation == (24, 64)
    assert service.addresses == {AddressType.CLUSTER, AddressType.EXTERNAL}
    assert service.selector == LabelSelector((("a", "b"),)) and service.origin == "mine"
    assert service.attributes.communities == {"1:1", "65535:0"}
    assert service.attributes.large_communities == {"1:2:3"} and service.attributes.local_preference == 150
    assert pods == Advertisement(Source.POD_CIDR, origin="mine") and pods.attributes is NO_ATTRIBUTES
    assert interface == Advertisement(Source.INTERFACE, interface="lo", origin="mine")
    assert warnings(document) == {}


def test_every_field_of_an_override() -> None:
    peers = [{"name": "tor", "localAddress": "10.0.0.5", "localPort": 5}]
    document = v2.override(
        {"name": "main", "routerID": "10.0.0.9", "localPort": 1790, "localASN": 65009, "peers": peers}
    )
    (found,) = value(document).instances
    assert found == override.InstanceOverride(
        "main",
        IPv4Address("10.0.0.9"),
        1790,
        65009,
        (override.PeerOverride("tor", ip_address("10.0.0.5")),),
    )
    assert set(warnings(document)) == {"spec.bgpInstances[0].peers[0].localPort"}
    assert value(document).instance("other") == override.InstanceOverride("other")


# --- limits -----------------------------------------------------------------------------------------------


def in_cluster(name: str, given: Any) -> Document:
    one = v2.peer(**{name: given}) if name == "peerASN" else v2.peer()
    return v2.cluster_config(v2.instance(one, **({} if name == "peerASN" else {name: given})))


def in_peer(name: str, given: Any) -> Document:
    if name == "peerPort":
        return v2.peer_config(transport={name: given})
    if name == "ebgpMultihop":
        return v2.peer_config(ebgpMultihop=given)
    if name == "restartTimeSeconds":
        return v2.peer_config(gracefulRestart={"enabled": True, name: given})
    # The two timers depend on each other: take the other one out of the way.
    return v2.peer_config(timers={"keepAliveTimeSeconds": 1, "holdTimeSeconds": 65535, name: given})


def in_advertisement(name: str, given: Any) -> Document:
    return v2.advertisement(v2.advert(service={"addresses": ["ClusterIP"], name: given}))


def in_override(name: str, given: Any) -> Document:
    return v2.override({"name": "main", name: given})


INTEGERS: list[tuple[Callable[[str, Any], Document], str, Range]] = [
    *((in_cluster, name, limits) for name, limits in cluster.LIMITS.items()),
    *((in_peer, name, limits) for name, limits in peer.LIMITS.items()),
    *((in_advertisement, name, limits) for name, limits in advertisement.LIMITS.items()),
    *((in_override, name, limits) for name, limits in override.LIMITS.items()),
]
integers = pytest.mark.parametrize(("build", "name", "limits"), INTEGERS)


@integers
def test_integers_within_and_beyond_their_limits(
    build: Callable[[str, Any], Document], name: str, limits: Range
) -> None:
    for inside in limits:
        assert problems(build(name, inside)) == {}
    for beyond in (limits.low - 1, limits.high + 1):
        ((path, message),) = problems(build(name, beyond)).items()
        assert path.endswith(name) and f"must be {limits}; it is {beyond}" in message


@integers
@pytest.mark.parametrize("wrong", ["179", 1.5, True, [], {}])
def test_integers_of_a_wrong_type(
    build: Callable[[str, Any], Document], name: str, limits: Range, wrong: Any
) -> None:
    messages = problems(build(name, wrong))
    assert [m.startswith(f"must be an integer, {limits}; it is ") for m in messages.values()] == [True]


def test_the_limits_are_those_of_the_facts() -> None:
    """Written down a second time: the tables above would follow any change of the code."""
    asn, port = Range(1, 4294967295), Range(1, 65535)
    expected = {"localASN": asn, "localPort": port, "peerASN": Range(0, 4294967295)}
    assert expected == cluster.LIMITS and list(cluster.INSTANCES) == [1, 16]
    aggregation = {"aggregationLengthIPv4": Range(0, 31), "aggregationLengthIPv6": Range(0, 127)}
    assert aggregation == advertisement.LIMITS
    timers = {
        "connectRetryTimeSeconds": Range(1, 2147483647),
        "holdTimeSeconds": Range(3, 65535),
        "keepAliveTimeSeconds": port,
        "restartTimeSeconds": Range(1, 4095),
    }
    assert {**timers, "peerPort": port, "ebgpMultihop": Range(1, 255)} == peer.LIMITS


# --- faults -----------------------------------------------------------------------------------------------

INSTANCE = "spec.bgpInstances[0]"
PEER = f"{INSTANCE}.peers[0]"
ENTRY = "spec.advertisements[0]"
GATEWAY: Document = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}}


def with_peer(**fields: Any) -> Document:
    return v2.cluster_config(v2.instance(v2.peer(**fields)))


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({**v2.cluster_config(), "apiVersion": "cilium.io/v1"}, "apiVersion", '"cilium.io/v2" or "cilium'),
        ({**v2.cluster_config(), "spec": None}, "spec", "required"),
        (v2.resource(cluster.KIND, "a", {}), "spec.bgpInstances", "required; a list of BGP instances of 1"),
        (v2.resource(cluster.KIND, "a", {"bgpInstances": []}), "spec.bgpInstances", "1 to 16; it has 0"),
        (
            v2.cluster_config(*(v2.instance(name=f"i{n}") for n in range(17))),
            "spec.bgpInstances",
            "1 to 16; it has 17",
        ),
        (v2.cluster_config(v2.instance(name="")), f"{INSTANCE}.name", "a name of 1 to 255 characters"),
        (v2.cluster_config(v2.instance(name="x" * 256)), f"{INSTANCE}.name", "it has 256"),
        (v2.cluster_config({"localASN": 1}), f"{INSTANCE}.name", "required"),
        (
            v2.cluster_config(v2.instance(), v2.instance()),
            "spec.bgpInstances[1].name",
            '"main" is the name of spec.bgpInstances[0] already',
        ),
        (
            v2.cluster_config(v2.instance(v2.peer(), v2.peer())),
            f"{INSTANCE}.peers[1].name",
            f'"tor" is the name of {PEER} already',
        ),
        (with_peer(address="10.0.0.1/32"), f"{PEER}.peerAddress", "without a prefix length"),
        (with_peer(address="router"), f"{PEER}.peerAddress", 'it is "router"'),
        (with_peer(peerConfigRef={}), f"{PEER}.peerConfigRef.name", "required"),
        (with_peer(autoDiscovery={}), f"{PEER}.autoDiscovery.mode", "required; one of DefaultGateway"),
        (
            with_peer(autoDiscovery={"mode": "Unnumbered"}),
            f"{PEER}.autoDiscovery.mode",
            "must be one of DefaultGateway",
        ),
        (
            with_peer(autoDiscovery={"mode": "DefaultGateway"}),
            f"{PEER}.autoDiscovery.defaultGateway",
            "required",
        ),
        (
            with_peer(autoDiscovery={**GATEWAY, "defaultGateway": {"addressFamily": "ipv5"}}),
            f"{PEER}.autoDiscovery.defaultGateway.addressFamily",
            "one of ipv4, ipv6",
        ),
        (with_peer(peerAsn=1), f"{PEER}.peerAsn", 'Did you mean "peerASN"?'),
        (
            v2.cluster_config(nodeSelector={"matchLabels": {"a b": "c"}}),
            "spec.nodeSelector.matchLabels[a b]",
            "a label key",
        ),
        (
            v2.peer_config(timers={"holdTimeSeconds": 9}),
            "spec.timers.keepAliveTimeSeconds",
            "at most holdTimeSeconds (9); it is 30 (the default). Usual: 3",
        ),
        (
            v2.peer_config(timers={"keepAliveTimeSeconds": 91}),
            "spec.timers.keepAliveTimeSeconds",
            "at most holdTimeSeconds (90); it is 91. Usual",
        ),
        (v2.peer_config(gracefulRestart={}), "spec.gracefulRestart.enabled", "required; true or false"),
        (v2.peer_config(families=[v2.family("ip")]), "spec.families[0].afi", "one of ipv4, ipv6"),
        (v2.peer_config(families=[{"afi": "ipv4"}]), "spec.families[0].safi", "required; one of unicast"),
        (
            v2.peer_config(families=[v2.family(advertisements={"matchExpressions": [{"key": "a"}]})]),
            "spec.families[0].advertisements.matchExpressions[0].operator",
            "required; one of In",
        ),
        (v2.peer_config(transport={"localport": 1}), "spec.transport.localport", "unknown field"),
        (v2.resource(advertisement.KIND, "a", {}), "spec.advertisements", "required"),
        (v2.advertisement({}), f"{ENTRY}.advertisementType", "required; one of PodCIDR, CiliumPodIPPool"),
        (v2.advertisement(v2.advert("Pod")), f"{ENTRY}.advertisementType", "Interface"),
        (v2.advertisement(v2.advert(service=None)), f"{ENTRY}.service", "required"),
        (v2.advertisement(v2.advert(service={})), f"{ENTRY}.service.addresses", "of at least 1"),
        (v2.advertisement(v2.advert(service={"addresses": []})), f"{ENTRY}.service.addresses", "it has 0"),
        (
            v2.advertisement(v2.advert(service={"addresses": ["NodeIP"]})),
            f"{ENTRY}.service.addresses[0]",
            "must be one of LoadBalancerIP, ClusterIP, ExternalIP",
        ),
        (
            v2.advertisement(v2.advert("PodCIDR", service={"addresses": ["ClusterIP"]})),
            f"{ENTRY}.service",
            "must be absent for advertisementType PodCIDR",
        ),
        (v2.advertisement(v2.advert("PodCIDR", selector={})), f"{ENTRY}.selector", "must be absent"),
        (v2.advertisement(v2.advert("Interface")), f"{ENTRY}.interface", "required"),
        (v2.advertisement(v2.advert("Interface", interface={})), f"{ENTRY}.interface.name", "required"),
        (v2.advertisement(v2.advert(interface={"name": "lo"})), f"{ENTRY}.interface", "must be absent for"),
        (
            v2.advertisement(v2.advert(attributes={"communities": {"large": ["1:2"]}})),
            f"{ENTRY}.attributes.communities.large[0]",
            "a large community",
        ),
        (
            v2.advertisement(v2.advert(attributes={"localPreference": "1"})),
            f"{ENTRY}.attributes.localPreference",
            "must be an integer",
        ),
        (v2.override(), "spec.bgpInstances", "at least 1; it has 0"),
        (v2.override({"name": "a", "routerID": "::1"}), f"{INSTANCE}.routerID", "an IPv4 address"),
        (v2.override({"name": "a", "localPort": "x"}), f"{INSTANCE}.localPort", "must be an integer"),
        (
            v2.override({"name": "a", "peers": [{"name": "b", "localAddress": "x"}]}),
            f"{INSTANCE}.peers[0].localAddress",
            "an IPv4 or IPv6 address",
        ),
        (
            v2.override({"name": "a"}, {"name": "a"}),
            "spec.bgpInstances[1].name",
            "already; it must be unique",
        ),
    ],
)
def test_faults(document: Document, path: str, words: str) -> None:
    assert [(found, words in message) for found, message in problems(document).items()] == [(path, True)]
    assert parse(document).value is None


def test_all_faults_at_once() -> None:
    bad = v2.cluster_config(
        v2.instance(v2.peer(address="x", peerASN=-1), name="", localASN=0), nodeSelector={"matchLabels": 1}
    )
    assert set(problems(bad)) == {
        f"{INSTANCE}.name",
        f"{INSTANCE}.localASN",
        f"{PEER}.peerAddress",
        f"{PEER}.peerASN",
        "spec.nodeSelector.matchLabels",
    }
    parsed = parse(bad)
    assert (
        not parsed.node_selector_valid and parse(v2.cluster_config(v2.instance(name=""))).node_selector_valid
    )


# --- warnings: what the API server accepts and cannot take effect -------------------------------------------


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (with_peer(address="fe80::1%eth0"), f"{PEER}.peerAddress", "zone"),
        (with_peer(address="224.0.0.5"), f"{PEER}.peerAddress", "no address of one host"),
        (with_peer(address="fe80::1"), f"{PEER}.peerAddress", "link-local"),
        (with_peer(autoDiscovery=GATEWAY), f"{PEER}.autoDiscovery", "has no effect: peerAddress is set"),
        (with_peer(peerConfigRef=None), f"{PEER}.peerConfigRef", "advertise nothing"),
        (
            v2.peer_config(families=[v2.family(advertisements=None)]),
            "spec.families[0].advertisements",
            "noth",
        ),
        (
            v2.peer_config(families=[v2.family(), {"afi": "l2vpn", "safi": "evpn"}]),
            "spec.families[1]",
            "l2vpn/evpn cannot be honoured",
        ),
        (v2.advertisement(v2.advert(selector=None)), f"{ENTRY}.selector", "no Service is advertised"),
        (
            v2.advertisement(v2.advert("CiliumPodIPPool")),
            f"{ENTRY}.selector",
            "no pool is advertised",
        ),
        (
            v2.advertisement(v2.advert("Interface", interface={"name": "lo"}, selector={})),
            f"{ENTRY}.selector",
            "has no effect",
        ),
        (
            v2.advertisement(v2.advert(attributes={"localPreference": -1})),
            f"{ENTRY}.attributes.localPreference",
            "-1 cannot be honoured",
        ),
        (v2.override({"name": "a", "routerID": "0.0.0.0"}), f"{INSTANCE}.routerID", "cannot be honoured"),
        (v2.override({"name": "a", "localPort": -1}), f"{INSTANCE}.localPort", "does not listen"),
        (
            v2.peer_config(version=v2.V2ALPHA1, transport={"localPort": 1}),
            "spec.transport.localPort",
            "has no effect",
        ),
        (
            v2.cluster_config(
                v2.instance(v2.peer(peerConfigRef={"name": "a", "group": "cilium.io", "kind": "Other"})),
                version=v2.V2ALPHA1,
            ),
            f"{PEER}.peerConfigRef.kind",
            "has no effect",
        ),
    ],
)
def test_warnings(document: Document, path: str, words: str) -> None:
    assert problems(document) == {}
    assert [(found, words in message) for found, message in warnings(document).items()] == [(path, True)]


# --- versions ---------------------------------------------------------------------------------------------


@BOTH
def test_both_versions_are_read(version: str) -> None:
    documents = (
        v2.cluster_config(version=version),
        v2.peer_config(version=version),
        v2.advertisement(version=version),
        v2.override({"name": "main"}, version=version),
    )
    for document in documents:
        assert parse(document).problems == parse(document).warnings == ()


ONLY_V2 = [
    v2.cluster_config(v2.instance(v2.peer("gw", None, autoDiscovery=GATEWAY))),
    v2.peer_config(transport={"sourceInterface": "lo"}),
    v2.advertisement(v2.advert("Interface", interface={"name": "lo"})),
    v2.advertisement(v2.advert("PodCIDR", interface={"name": "lo"})),
]


@pytest.mark.parametrize("document", ONLY_V2[:3])
def test_fields_of_v2_are_unknown_in_v2alpha1(document: Document) -> None:
    assert problems(document) == {}
    assert problems({**document, "apiVersion": v2.V2ALPHA1}) != {}


def test_what_v2_forbids_passes_in_v2alpha1_as_there() -> None:
    misplaced = v2.advertisement(v2.advert("PodCIDR", service={"addresses": ["ClusterIP"]}))
    assert problems(misplaced) != {}
    old = {**misplaced, "apiVersion": v2.V2ALPHA1}
    assert problems(old) == {} and "has no effect" in warnings(old)[f"{ENTRY}.service"]


def test_a_reference_in_v2alpha1_may_name_group_and_kind() -> None:
    full = {"name": "tor", "group": "cilium.io", "kind": "CiliumBGPPeerConfig"}
    document = v2.cluster_config(v2.instance(v2.peer(peerConfigRef=full)), version=v2.V2ALPHA1)
    assert problems(document) == warnings(document) == {}
    assert "unknown field" in problems({**document, "apiVersion": v2.V2})[f"{PEER}.peerConfigRef.group"]


def test_unknown_fields_are_ignored_in_objects_of_an_api_server() -> None:
    document = v2.cluster_config(v2.instance(v2.peer(newField=1)))
    assert parse(document, strict=False).problems == () and parse(document).problems


# --- nothing crashes --------------------------------------------------------------------------------------

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
FULL = [
    v2.cluster_config(v2.instance(v2.peer(autoDiscovery=GATEWAY), localPort=179)),
    v2.peer_config(
        transport={"peerPort": 1}, timers={"holdTimeSeconds": 90}, gracefulRestart={"enabled": True}
    ),
    v2.advertisement(v2.advert(attributes={"communities": {"standard": ["1:1"]}})),
    v2.override({"name": "main", "peers": [{"name": "tor", "localAddress": "::1"}]}),
]


def _paths(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    )
    return [p for key, child in children for p in [(*path, key), *_paths(child, (*path, key))]]


@given(st.data())
def test_junk_anywhere_gives_problems_and_no_crash(data: st.DataObject) -> None:
    document = deepcopy(data.draw(st.sampled_from(FULL)))
    path = data.draw(st.sampled_from([p for p in _paths(document) if p[0] != "kind"]))
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = data.draw(junk)
    for strict in (True, False):
        parsed = parse(document, strict)
        assert (parsed.value is None) == bool(parsed.problems)
