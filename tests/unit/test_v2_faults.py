"""Faults and warnings of the v2 resources that stand alone: exactly one sentence for one mistake."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core.policy.claim import Owner
from bgpctl.core.policy.owners import read_claims
from bgpctl.core.policy.v2 import cluster
from bgpctl.core.policy.v2.advertisement import parse_advertisement
from bgpctl.core.policy.v2.cluster import parse_cluster_config
from bgpctl.core.policy.v2.compile import usable
from bgpctl.core.policy.v2.conditions import MAX_MESSAGE, conditions
from bgpctl.core.policy.v2.override import parse_override
from bgpctl.core.policy.v2.peer import parse_peer_config
from bgpctl.core.policy.v2.status import merged, owners, written_by_others
from tests.support import v2
from tests.support.objects import node, policy
from tests.unit.test_v2_compile import ADDRESSES, run

PARSERS = {
    "CiliumBGPClusterConfig": parse_cluster_config,
    "CiliumBGPPeerConfig": parse_peer_config,
    "CiliumBGPAdvertisement": parse_advertisement,
    "CiliumBGPNodeConfigOverride": parse_override,
}
ALL = [v2.cluster_config(), v2.peer_config(), v2.advertisement(), v2.override({"name": "main"})]


def said(document: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(problems, warnings), each as (path, message)."""
    parsed = PARSERS[document["kind"]](document, "x.yaml")
    both = (parsed.problems, parsed.warnings)
    return tuple([(p.path, p.message) for p in found] for found in both)  # type: ignore[return-value]


@pytest.mark.parametrize("document", ALL, ids=lambda document: document["kind"])
def test_a_whole_document(document: Any) -> None:
    """Its status is the operator's; a field that is nobody's is a fault in a file."""
    status = {**document, "status": {"conditions": []}}
    assert said(status) == ([], [])
    unknown = {**document, "spec": {**document["spec"], "zzz": 1}, "yyy": 2}
    problems, warnings = said(unknown)
    assert {path for path, _ in problems} == {"spec.zzz", "yyy"} and warnings == []


@pytest.mark.parametrize("document", ALL, ids=lambda document: document["kind"])
@pytest.mark.parametrize("spec", [None, 5])
def test_a_document_without_a_spec_is_one_fault(document: Any, spec: Any) -> None:
    problems, warnings = said({**document, "spec": spec})
    assert [path for path, _ in problems] == ["spec"] and warnings == []


def test_a_document_without_a_spec_tells_no_nodes() -> None:
    parsed = parse_cluster_config({**v2.cluster_config(), "spec": None}, "x.yaml")
    assert not parsed.node_selector_valid
    (claim,) = read_claims([], [{**v2.cluster_config(), "spec": None}])
    assert not claim.selects({"enable-bgp": "true"}, Owner("CiliumBGPPeeringPolicy", "rack"))


def peering(**fields: Any) -> Any:
    return v2.cluster_config(v2.instance(v2.peer(**fields)))


def discovering(gateway: Any, **fields: Any) -> Any:
    return peering(
        address=None, autoDiscovery={"mode": "DefaultGateway", "defaultGateway": gateway, **fields}
    )


def advert(kind: str, **fields: Any) -> Any:
    return v2.advertisement(v2.advert(kind, **fields))


PEER = "spec.bgpInstances[0].peers[0]"
DISCOVERY = f"{PEER}.autoDiscovery"
ADVERT = "spec.advertisements[0]"
CLUSTER_IPS = {"addresses": ["ClusterIP"]}


@pytest.mark.parametrize(
    ("document", "problems", "warnings"),
    [
        (peering(address="169.254.1.1"), [], []),
        (peering(address="fe80::1"), [], [f"{PEER}.peerAddress"]),
        (peering(address="0.0.0.0"), [], [f"{PEER}.peerAddress"]),
        (peering(address="224.0.0.5"), [], [f"{PEER}.peerAddress"]),
        (peering(address=" 192.0.2.1 "), [], []),
        (peering(peerConfigRef=None), [], [f"{PEER}.peerConfigRef"]),
        (peering(peerConfigRef="tor"), [f"{PEER}.peerConfigRef"], []),
        (discovering({"addressFamily": "ipv4", "x": 1}), [f"{DISCOVERY}.defaultGateway.x"], []),
        (discovering({"addressFamily": "ipv4"}, x=1), [f"{DISCOVERY}.x"], []),
        (discovering({"addressFamily": "ip"}), [f"{DISCOVERY}.defaultGateway.addressFamily"], []),
        (advert("CiliumPodIPPool", selector={}, service=CLUSTER_IPS), [f"{ADVERT}.service"], []),
        (advert("Nonsense", service=CLUSTER_IPS), [f"{ADVERT}.advertisementType"], []),
        (advert("Nonsense", interface={"name": "lo"}), [f"{ADVERT}.advertisementType"], []),
        (advert("Interface", interface={"name": "lo", "x": 1}), [f"{ADVERT}.interface.x"], []),
        (
            advert("PodCIDR", attributes={"localPreference": 2**32}),
            [],
            [f"{ADVERT}.attributes.localPreference"],
        ),
        (
            advert("PodCIDR", attributes={"localPreference": 2**63}),
            [f"{ADVERT}.attributes.localPreference"],
            [],
        ),
        (v2.peer_config(families=[{"afi": "ip", "safi": "unicast"}]), ["spec.families[0].afi"], []),
        (v2.peer_config(families=[{"afi": "ipv4", "safi": "x"}]), ["spec.families[0].safi"], []),
        (v2.peer_config(families=[{"afi": "l2vpn", "safi": "evpn"}]), [], ["spec.families[0]"]),
        (v2.override({"name": "main", "localPort": 70000}), [], ["spec.bgpInstances[0].localPort"]),
        (v2.override({"name": "main", "localPort": "x"}), ["spec.bgpInstances[0].localPort"], []),
    ],
)
def test_one_mistake_is_one_sentence(document: Any, problems: list[str], warnings: list[str]) -> None:
    found = said(document)
    assert ([path for path, _ in found[0]], [path for path, _ in found[1]]) == (problems, warnings)


def test_a_local_preference_that_no_router_takes_is_left_out() -> None:
    document = v2.advertisement(v2.advert("PodCIDR", attributes={"localPreference": 2**32}))
    parsed = parse_advertisement(document, "x.yaml")
    assert parsed.value is not None
    assert parsed.value.advertisements[0].attributes.local_preference is None


def test_what_v2alpha1_does_not_know_is_unknown_there() -> None:
    document = v2.advertisement(v2.advert("Interface", interface={"name": "lo"}), version=v2.V2ALPHA1)
    problems, _ = said(document)
    assert {path for path, _ in problems} == {f"{ADVERT}.advertisementType", f"{ADVERT}.interface"}


@pytest.mark.parametrize("restart", [None, {"enabled": True}])
def test_the_n_bit_needs_graceful_restart(restart: Any) -> None:
    document = v2.peer_config(gracefulRestart=restart)
    document["metadata"]["annotations"] = {"bgpctl.io/graceful-notification": "true"}
    assert bool(said(document)[1]) is (restart is None)


def test_labels_and_creation_of_an_object() -> None:
    document = v2.advertisement(labels={f"k{n}": "v" for n in range(9, 0, -1)})
    parsed = parse_advertisement(document, "x.yaml")
    assert parsed.labels == tuple((f"k{n}", "v") for n in range(1, 10)) and parsed.created == ""
    assert parsed.value is not None and parsed.value.labels == parsed.labels


# --- compiling ----------------------------------------------------------------------------------------------


def test_advertisements_are_told_by_name() -> None:
    """The order of the API server's list decides nothing."""
    adverts = [
        v2.advertisement(v2.advert("PodCIDR", service={"addresses": ["ClusterIP"]}), name=name)
        for name in "zyxa"
    ]
    told = [line.split()[1] for line in run(advertisements=adverts).problems]
    assert told == sorted(told)


def test_the_last_good_form_of_settings_follows_the_address_and_the_as_of_the_peer() -> None:
    first = run()
    moved = [v2.cluster_config(v2.instance(v2.peer(address="127.0.0.101", peerASN=65009)))]
    bad = [v2.peer_config(timers={"holdTimeSeconds": 1})]
    (peer,) = run(previous=first, cluster_configs=moved, peer_configs=bad).peers
    assert (str(peer.address), peer.asn, peer.hold_time) == ("127.0.0.101", 65009, first.peers[0].hold_time)


def test_a_link_local_gateway_of_ipv4_can_be_a_peer() -> None:
    block = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}}
    configs = [v2.cluster_config(v2.instance(v2.peer(address=None, autoDiscovery=block)))]
    found = run(cluster_configs=configs, gateways={"ipv4": ip_address("169.254.0.1")})
    assert [str(peer.address) for peer in found.peers] == ["169.254.0.1"]


def test_addresses_that_nobody_can_reach() -> None:
    useless = [ip_address(text) for text in ("0.0.0.0", "224.0.0.1", "::", "ff02::1")]
    assert list(map(str, usable([*useless, *ADDRESSES]))) == ["192.0.2.5", "2001:db8::5"]


# --- conditions ---------------------------------------------------------------------------------------------


def judged(clusters: Any = (), peers: Any = (), **fields: Any) -> dict[tuple[str, str], str]:
    secrets = fields.get("secrets", frozenset())
    listed = conditions(clusters, peers, fields.get("nodes", [node()]), fields.get("owners", {}), secrets)
    return {(c.object.split()[1], c.type.split("/")[1]): c.message for c in listed}


@pytest.mark.parametrize(
    ("messages", "key", "message"),
    [
        (
            lambda: judged([v2.cluster_config()], nodes=[node(), node("b")]),
            ("rack", "NoMatchingNode"),
            "2 nodes match spec.nodeSelector",
        ),
        (
            lambda: judged([v2.cluster_config()], nodes=[]),
            ("rack", "NoMatchingNode"),
            "No node matches spec.nodeSelector",
        ),
        (lambda: judged([peering(peerConfigRef=None)]), ("rack", "MissingPeerConfigs"), "it refers to none"),
        (
            lambda: judged(peers=[v2.peer_config(authSecretRef="s")], secrets={"s"}),
            ("tor", "MissingAuthSecret"),
            "Secret s has a password",
        ),
        (
            lambda: judged(peers=[v2.peer_config(authSecretRef="s")]),
            ("tor", "MissingAuthSecret"),
            "Secret s with the key password is missing: its peers have no session",
        ),
    ],
)
def test_a_condition_says(messages: Any, key: tuple[str, str], message: str) -> None:
    assert messages()[key] == message


def test_an_invalid_object_says_what_stays_in_force() -> None:
    bad = judged(peers=[v2.peer_config(timers={"holdTimeSeconds": 1})])
    assert bad.keys() == {("tor", "Invalid"), ("tor", "NotHonoured")}
    assert bad["tor", "Invalid"].endswith("; what it was before stays in force where it was")


def test_objects_are_judged_in_the_order_of_their_names() -> None:
    names = [f"n{n}" for n in range(9)]
    clusters = [v2.cluster_config(name=name) for name in reversed(names)]
    peers = [v2.peer_config(name) for name in reversed(names)]
    listed = conditions(clusters, peers, [], {}, None)
    assert list(dict.fromkeys(c.object for c in listed)) == [
        *(f"CiliumBGPClusterConfig {name}" for name in names),
        *(f"CiliumBGPPeerConfig {name}" for name in names),
    ]


def test_a_newer_field_is_no_reason_for_a_condition() -> None:
    newer = [v2.cluster_config(), v2.peer_config()]
    for document in newer:
        document["spec"]["sinceTomorrow"] = 1
    found = judged(newer[:1], newer[1:])
    assert found["rack", "Invalid"] == found["tor", "Invalid"] == "it is valid"


@pytest.mark.parametrize("over", [0, 1])
def test_a_message_is_cut_only_where_it_does_not_fit(over: int) -> None:
    start = len("Referenced CiliumBGPPeerConfig(s) are missing: []")
    name = "x" * (MAX_MESSAGE - start + over)
    message = judged([peering(peerConfigRef={"name": name})])["rack", "MissingPeerConfigs"]
    assert len(message) == MAX_MESSAGE and message.endswith("x…" if over else "x]")


# --- who has a node, and whose conditions -------------------------------------------------------------------


def test_conditions_that_are_no_objects_stay() -> None:
    document = {"metadata": {}, "status": {"conditions": [5]}}
    verdict = conditions([v2.cluster_config()], [], [], {}, None)[:1]
    found = merged(document, verdict, 1, "2026-11-25T04:00:00Z")
    assert found is not None and found[0] == 5 and len(found) == 2


def test_a_key_that_names_no_type() -> None:
    fields = {"f:status": {"f:conditions": {"k:{}": {}, 'k:{"type":"a"}': {}}}}
    assert written_by_others([{"manager": "x", "fieldsV1": fields}]) == {"", "a"}


@pytest.mark.parametrize("selected_by", [{}, {"worker-1": ""}, {"worker-1": "gone"}])
def test_a_node_of_which_no_speaker_reports_a_name(selected_by: dict[str, str]) -> None:
    broken = policy(name="", nodeSelector={"matchLabels": "x"})
    found = owners([broken, policy()], [v2.cluster_config()], [node()], selected_by)
    assert found == {"worker-1": Owner("CiliumBGPPeeringPolicy", "policy")}


def test_a_name_that_a_speaker_reports_counts_only_for_what_selects_the_node() -> None:
    """Both are called the same, and the policy selects other nodes."""
    other = policy(name="rack", nodeSelector={"matchLabels": {"x": "y"}})
    first = policy(name="a")
    found = owners([other, first], [v2.cluster_config()], [node()], {"worker-1": "rack"})
    assert found == {"worker-1": Owner(cluster.KIND, "rack")}


def test_a_peer_that_only_a_newer_version_could_find_has_no_address() -> None:
    """v2alpha1 does not know autoDiscovery; an API server would have dropped it."""
    document = {**discovering({"addressFamily": "ipv4"}), "apiVersion": v2.V2ALPHA1}
    lenient = parse_cluster_config(document, "", strict=False)
    assert f"{PEER}.peerAddress" in [warning.path for warning in lenient.warnings]


def test_missing_settings_are_listed_in_order() -> None:
    peers = [v2.peer(f"p{n}", f"10.0.0.{n}", peerConfigRef={"name": f"c{n}"}) for n in range(9, 0, -1)]
    message = judged([v2.cluster_config(v2.instance(*peers))])["rack", "MissingPeerConfigs"]
    assert message.endswith(f"[{' '.join(f'c{n}' for n in range(1, 10))}]")


def test_managed_fields_that_cannot_be_read_say_nothing() -> None:
    theirs = {"f:status": {"f:conditions": {'k:{"type":"a"}': {}}}}
    entries = [{"manager": "x", "fieldsV1": theirs}, {"manager": "y", "fieldsV1": {"f:status": 5}}]
    assert written_by_others(entries) == frozenset()
    assert written_by_others(entries[:1]) == {"a"}


@pytest.mark.parametrize(
    ("document", "low", "high", "place"),
    [
        (
            lambda n: v2.override({"name": "main", "localPort": n}),
            -(2**31),
            2**31 - 1,
            "spec.bgpInstances[0].localPort",
        ),
        (
            lambda n: advert("PodCIDR", attributes={"localPreference": n}),
            -(2**63),
            2**63 - 1,
            f"{ADVERT}.attributes.localPreference",
        ),
    ],
)
def test_what_the_crd_lets_pass_is_a_warning_at_most(document: Any, low: int, high: int, place: str) -> None:
    for number in (low, high):
        problems, warnings = said(document(number))
        assert (problems, [path for path, _ in warnings]) == ([], [place])
    for number in (low - 1, high + 1):
        problems, _ = said(document(number))
        assert [path for path, _ in problems] == [place]


@pytest.mark.parametrize("preference", [0, 1, 2**32 - 1])
def test_a_local_preference_of_four_octets(preference: int) -> None:
    parsed = parse_advertisement(advert("PodCIDR", attributes={"localPreference": preference}), "x.yaml")
    assert parsed.value is not None and not parsed.warnings
    assert parsed.value.advertisements[0].attributes.local_preference == preference


@pytest.mark.parametrize("document", ALL, ids=lambda document: document["kind"])
def test_a_fault_says_which_document_of_a_file_it_is_in(document: Any) -> None:
    """The first, where nobody says."""
    (problem,) = PARSERS[document["kind"]]({**document, "spec": None}, "x.yaml").problems
    assert (problem.source, problem.document) == ("x.yaml", 1)
