"""Conditions: Cilium's types, reasons and messages where something is wrong, words where nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.policy.claim import Owner
from bgpctl.core.policy.v2 import cluster
from bgpctl.core.policy.v2.conditions import MAX_MESSAGE, Condition, conditions
from tests.support import v2
from tests.support.objects import node

RACK = "CiliumBGPClusterConfig rack"
TOR = "CiliumBGPPeerConfig tor"


def found(**fields: Any) -> dict[tuple[str, str], Condition]:
    listed = conditions(
        fields.get("clusters", [v2.cluster_config()]),
        fields.get("peers", [v2.peer_config()]),
        fields.get("nodes", [node()]),
        fields.get("owners", {"worker-1": Owner(cluster.KIND, "rack")}),
        fields.get("secrets", frozenset()),
    )
    by_key = {(condition.object, condition.type): condition for condition in listed}
    assert len(by_key) == len(listed)
    return by_key


def test_all_is_well_in_words() -> None:
    listed = found()
    assert {key: (c.status, c.reason, c.message) for key, c in listed.items()} == {
        (RACK, "bgpctl.io/Invalid"): ("False", "Invalid", "it is valid"),
        (RACK, "bgpctl.io/NotHonoured"): ("False", "NotHonoured", "everything in it takes effect"),
        (RACK, "cilium.io/ConflictingClusterConfig"): (
            "False",
            "ConflictingClusterConfigs",
            "no other object has a node that it selects",
        ),
        (RACK, "cilium.io/MissingPeerConfigs"): (
            "False",
            "MissingPeerConfigs",
            "every CiliumBGPPeerConfig that it refers to exists",
        ),
        (RACK, "cilium.io/NoMatchingNode"): ("False", "NoMatchingNode", "1 node matches spec.nodeSelector"),
        (TOR, "bgpctl.io/Invalid"): ("False", "Invalid", "it is valid"),
        (TOR, "bgpctl.io/NotHonoured"): ("False", "NotHonoured", "everything in it takes effect"),
        (TOR, "cilium.io/MissingAuthSecret"): ("False", "MissingAuthSecret", "it needs no Secret"),
    }
    assert not any(condition.bad for condition in listed.values())


DANGLING = v2.cluster_config(
    v2.instance(
        v2.peer("a", peerConfigRef={"name": "z"}),
        v2.peer("b", "10.0.0.2", peerConfigRef={"name": "y"}),
        v2.peer("c", "10.0.0.3", peerConfigRef={"name": "z"}),
    )
)
SECURED = [v2.peer_config(authSecretRef="bgp")]


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"nodes": []}, "cilium.io/NoMatchingNode", "No node matches spec.nodeSelector"),
        (
            {"nodes": [node(labels={"enable-bgp": "false"})]},
            "cilium.io/NoMatchingNode",
            "No node matches spec.nodeSelector",
        ),
        (
            {"clusters": [DANGLING]},
            "cilium.io/MissingPeerConfigs",
            "Referenced CiliumBGPPeerConfig(s) are missing: [y z]",
        ),
        (
            {"owners": {"worker-1": Owner(cluster.KIND, "other")}},
            "cilium.io/ConflictingClusterConfig",
            "Selecting the same node(s) with ClusterConfig(s): [other]",
        ),
        (
            {"owners": {"worker-1": Owner("CiliumBGPPeeringPolicy", "rack")}},
            "cilium.io/ConflictingClusterConfig",
            "Selecting the same node(s) with CiliumBGPPeeringPolicy: [rack]",
        ),
        (
            {"peers": SECURED},
            "cilium.io/MissingAuthSecret",
            "Secret bgp with the key password is missing: its peers have no session",
        ),
        (
            {"peers": [v2.peer_config(families=None)]},
            "bgpctl.io/NotHonoured",
            "spec.families: is not set: sessions come up and advertise nothing",
        ),
    ],
)
def test_what_is_wrong(fields: dict[str, Any], kind: str, message: str) -> None:
    (bad,) = [condition for condition in found(**fields).values() if condition.bad]
    assert (bad.type, bad.message) == (kind, message) and bad.message in str(bad)


def test_a_secret_that_is_there_or_may_not_be_read() -> None:
    assert not found(peers=SECURED, secrets={"bgp"})[TOR, "cilium.io/MissingAuthSecret"].bad
    assert (TOR, "cilium.io/MissingAuthSecret") not in found(peers=SECURED, secrets=None)


def test_an_owner_of_a_node_that_is_not_selected_is_no_conflict() -> None:
    owners = {"worker-2": Owner(cluster.KIND, "other")}
    assert not any(condition.bad for condition in found(owners=owners).values())


def test_an_invalid_object_says_what_is_wrong_and_nothing_else() -> None:
    listed = found(clusters=[v2.cluster_config(v2.instance(localASN=0))], peers=[])
    bad = listed[RACK, "bgpctl.io/Invalid"]
    assert bad.bad and bad.message.startswith("spec.bgpInstances[0].localASN: must be 1..4294967295; it is 0")
    assert {kind for _, kind in listed} == {"bgpctl.io/Invalid", "bgpctl.io/NotHonoured"}


def test_messages_fit_a_condition() -> None:
    many = v2.cluster_config(v2.instance(*(v2.peer(f"p{n}", None) for n in range(2000))))
    message = found(clusters=[many])[RACK, "bgpctl.io/NotHonoured"].message
    assert len(message) == MAX_MESSAGE and message.endswith("…")
