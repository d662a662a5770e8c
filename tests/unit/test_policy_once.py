"""A CiliumBGPPeeringPolicy: every fault once, what is no fault, and what an invalid one still tells."""

from __future__ import annotations

from dataclasses import fields
from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core.model import Peer
from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION
from bgpctl.core.policy.claim import Claim, Owner
from bgpctl.core.policy.nodeconfig import PeerConfig, router_settings
from bgpctl.core.policy.owners import read_claims, select_owner
from bgpctl.core.policy.peering import DEFAULTS, PeeringPolicy, parse_policy
from tests.support.objects import neighbor, policy, router

NEIGHBOR = "spec.virtualRouters[0].neighbors[0]"


def parse(document: Any) -> Claim[PeeringPolicy]:
    return parse_policy(document, "policy.yaml")


def paths(document: Any) -> list[str]:
    return [problem.path for problem in parse(document).problems]


@pytest.mark.parametrize(
    ("routers", "expected"),
    [
        ([router(asn="x"), router(neighbor("10.0.0.2/32"), asn="y")], ["[0].localASN", "[1].localASN"]),
        ([router(asn="x"), router(neighbor("10.0.0.2/32"), asn=0)], ["[0].localASN"]),
        (
            [router(), router(neighbor("10.0.0.2/32")), router(neighbor("10.0.0.3/32"))],
            ["[1].localASN", "[2].localASN"],
        ),
        ([router(neighbor(peerPort=1), neighbor(peerPort=2))], ["[0].neighbors[1].peerAddress"]),
        ([router(neighbor(peerPort=1)), router(neighbor(peerPort=2), asn=2)], []),
        (
            [router(neighbor(peerPort=1)), router(neighbor(peerPort=1), asn=2)],
            ["[1].neighbors[0].peerAddress"],
        ),
    ],
)
def test_every_fault_once(routers: Any, expected: list[str]) -> None:
    assert paths(policy(*routers)) == [f"spec.virtualRouters{place}" for place in expected]


def test_faults_say_which_document_they_are_in() -> None:
    (problem,) = parse(policy(router(neighbor(peerPort=0)))).problems
    assert (problem.source, problem.document, problem.path) == ("policy.yaml", 1, f"{NEIGHBOR}.peerPort")


@pytest.mark.parametrize(("asn", "warned"), [(65000, True), (65001, False), (0, False)])
def test_a_peer_of_any_as_may_be_internal(asn: int, warned: bool) -> None:
    """AS 0: whatever the peer's OPEN says."""
    rules = [{"selectorType": "PodCIDR", "localPreference": 10}]
    parsed = parse(policy(router(neighbor(asn=asn, advertisedPathAttributes=rules))))
    assert parsed.value is not None
    rule = parsed.value.virtual_routers[0].neighbors[0].attribute_rules[0]
    assert (rule.attributes.local_preference is None, bool(parsed.warnings)) == (warned, warned)


@pytest.mark.parametrize("created", ["", "2026-01-01T00:00:00Z"])
def test_when_it_was_made(created: str) -> None:
    parsed = parse(policy(created=created))
    assert parsed.created == created and parsed.value is not None and parsed.value.created == created
    assert not parsed.value.graceful_notification


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        (policy(), True),
        (policy(router(neighbor(peerPort=0))), True),
        (policy(nodeSelector="x"), False),
        ({**policy(), "spec": None}, False),
        ({**policy(), "spec": 5}, False),
    ],
)
def test_does_it_still_tell_which_nodes_it_is_for(document: Any, valid: bool) -> None:
    assert parse(document).node_selector_valid is valid


def test_the_n_bit_is_in_vain_for_the_peers_that_have_no_graceful_restart() -> None:
    on = {"enabled": True}
    document = policy(router(neighbor("10.0.0.1/32", gracefulRestart=on), neighbor("10.0.0.2/32")))
    document["metadata"]["annotations"] = {GRACEFUL_NOTIFICATION: "true"}
    (warning,) = parse(document).warnings
    assert warning.message == "has no effect for 10.0.0.2: graceful restart is off there"


def test_defaults_are_the_same_wherever_a_peer_is_made() -> None:
    """Of the CRD, of a configuration, and of a session."""
    made = PeerConfig("p", ip_address("192.0.2.1"), 65000)
    theirs = {
        "peerPort": made.port,
        "eBGPMultihopTTL": made.multihop_ttl,
        "connectRetryTimeSeconds": made.connect_retry_time,
        "holdTimeSeconds": made.hold_time,
        "keepAliveTimeSeconds": made.keepalive_time,
    }
    assert theirs == {name: value for name, value in DEFAULTS.items() if name != "restartTimeSeconds"}
    own = {field.name: field.default for field in fields(Peer)}
    for name in ("port", "multihop_ttl", "connect_retry_time", "hold_time", "keepalive_time", "restart_time"):
        assert getattr(made, name) == own[name]
    assert made.graceful_notification is own["graceful_notification"] is False


def test_annotations_are_complained_of_in_order() -> None:
    prefix = "cilium.io/bgp-virtual-router."
    keys = [f"{prefix}{asn}" for asn in range(9, 0, -1)]
    _, faults = router_settings(dict.fromkeys(keys, "local-port=0"))
    assert [fault.split(":")[0] for fault in faults] == [f"annotation {key}" for key in sorted(keys)]


# --- owners -------------------------------------------------------------------------------------------------


def test_warnings_are_told_where_the_object_selects() -> None:
    warned = policy(router(asn=0))
    (claim,) = read_claims([warned])
    assert any("AS 0 is reserved" in line for line in select_owner([claim], {"enable-bgp": "true"}).problems)
    assert select_owner([claim], {}).problems == ()


def test_a_claim_of_which_little_is_known_selects_every_node() -> None:
    claim = Claim(Owner("K", "n"), None)
    assert claim.selects({}, Owner()) and (claim.created, Owner()) == ("", Owner("", ""))
