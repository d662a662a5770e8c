"""The CIDRs of a node's pods: from the Node, from its CiliumNode, from CiliumPodIPPools by label."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import Context, compile_intent
from bgpctl.core.model import Intent
from tests.support import v2
from tests.support.intents import PEER, POD_CIDRS, absences, compiled, prefixes
from tests.support.objects import cilium_node, neighbor, node, policy, pool, router
from tests.unit.test_v2_compile import PEER as V2_PEER
from tests.unit.test_v2_compile import run, world

BLUE = cilium_node(blue=["10.8.1.0/24", "fd08:0:0:1::/64"])
BLUE_CIDRS = {"10.8.1.0/24", "fd08:0:0:1::/64"}


def by_policy(selector: Any, *pools: Any, held: Any = BLUE, **fields: Any) -> Intent:
    made = {} if selector is None else {"podIPPoolSelector": selector}
    policies = [policy(router(neighbor(**fields), exportPodCIDR=False, **made))]
    return compiled(policies=policies, pod_pools=pools, cilium_node=held)


def by_v2(selector: Any, *pools: Any, held: Any = BLUE, **fields: Any) -> Intent:
    adverts = [v2.advertisement(v2.advert("CiliumPodIPPool", selector=selector, **fields))]
    return run(advertisements=adverts, pod_pools=pools, cilium_node=held)


@pytest.mark.parametrize(
    ("selector", "matching"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"color": "blue"}}, True),
        ({"matchLabels": {"color": "red"}}, False),
        ({"matchLabels": {"io.cilium.podippool.name": "blue"}}, True),
        ({"matchLabels": {"io.cilium.podippool.namespace": ""}}, True),
        ({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["y"]}]}, True),
    ],
)
def test_a_selector_picks_the_pools_whose_cidrs_are_announced(selector: Any, matching: bool) -> None:
    expected = BLUE_CIDRS if matching else set()
    for compile_by, peer in ((by_policy, PEER), (by_v2, V2_PEER)):
        intent = compile_by(selector, pool("blue", color="blue"))
        assert prefixes(intent, peer) == expected and intent.problems == tuple(
            line for line in intent.problems if line.startswith("warning:")
        )
        reasons = {("CiliumPodIPPool blue", cidr, "noMatchingAdvertisement") for cidr in BLUE_CIDRS}
        assert (reasons <= absences(intent)) is not matching


def test_only_the_cidrs_that_this_node_has_are_announced() -> None:
    held = cilium_node(blue=["10.8.1.0/24"], red=["10.9.1.0/24"])
    intent = by_v2({"matchLabels": {"color": "blue"}}, pool("blue", color="blue"), pool("red"), held=held)
    assert prefixes(intent, V2_PEER) == {"10.8.1.0/24"}
    assert intent.routes[V2_PEER][ip_network("10.8.1.0/24")].origin == "CiliumPodIPPool blue"


def test_pools_that_give_nothing_have_a_reason() -> None:
    gone = by_v2({}, held=BLUE)
    assert {(o, r) for o, _, r in absences(gone) if "Pool" in o} == {("CiliumPodIPPool blue", "noPodIPPool")}
    empty = by_v2({}, pool("blue"), pool("red"), held=cilium_node(blue=["10.8.1.0/24"]))
    assert ("CiliumPodIPPool red", "", "noPodIPPoolCIDR") in absences(empty)
    nobody = by_v2({}, pool("blue"), held=None)
    assert prefixes(nobody, V2_PEER) == set()
    assert ("CiliumPodIPPool blue", "", "noPodIPPoolCIDR") in absences(nobody)


def test_without_their_labels_no_pool_is_announced() -> None:
    adverts = [v2.advertisement(v2.advert("CiliumPodIPPool", selector={}))]
    intent = run(advertisements=adverts, pod_pools=None, cilium_node=BLUE)
    assert prefixes(intent, V2_PEER) == set()
    assert {a.reason for a in intent.absent if "Pool" in a.origin} == {"noPodIPPool"}
    assert any("can be read" in a.detail for a in intent.absent)


def test_attributes_of_pools() -> None:
    tagged = by_v2({}, pool("blue"), attributes={"communities": {"large": ["65001:1:2"]}})
    route = tagged.routes[V2_PEER][ip_network("10.8.1.0/24")]
    assert route.attributes.large_communities == {"65001:1:2"}
    for selector, expected in (({}, {"65001:3"}), ({"matchLabels": {"color": "red"}}, set())):
        rule = {
            "selectorType": "CiliumPodIPPool",
            "selector": selector,
            "communities": {"standard": ["65001:3"]},
        }
        other = {"selectorType": "PodCIDR", "communities": {"standard": ["65001:9"]}}
        intent = by_policy({}, pool("blue", color="blue"), advertisedPathAttributes=[rule, other])
        found = intent.routes[PEER][ip_network("10.8.1.0/24")].attributes.communities
        assert found == expected


def test_what_is_malformed_costs_itself() -> None:
    held = cilium_node(blue=["10.8.1.0/24", "10.8.2.1/24", "x"])
    held["spec"]["ipam"]["pools"]["allocated"] += [7, {"pool": 1}, {"pool": "red", "cidrs": "10.0.0.0/8"}]
    intent = by_v2({}, pool("blue"), held=held)
    assert prefixes(intent, V2_PEER) == {"10.8.1.0/24"}
    assert sum("CiliumNode" in line for line in intent.problems) == 5
    for nonsense in (
        {},
        {"spec": 1},
        {"spec": {"ipam": []}},
        {"spec": {"ipam": {"pools": {"allocated": 1}}}},
    ):
        assert prefixes(by_v2({}, pool("blue"), held=nonsense), V2_PEER) == set()


# --- the node's own ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "ipam", "expected"),
    [
        ({"podCIDRs": ["10.244.1.0/24"]}, None, {"10.244.1.0/24"}),
        ({"podCIDR": "10.244.1.0/24"}, None, {"10.244.1.0/24"}),
        ({}, ["10.0.1.0/24"], {"10.0.1.0/24"}),
        ({"podCIDRs": ["10.244.1.0/24"]}, [], {"10.244.1.0/24"}),
        ({"podCIDRs": ["10.244.1.0/24"]}, ["10.244.1.0/24"], {"10.244.1.0/24"}),
        # cluster-pool beside a controller manager that allocates too: pods have Cilium's
        ({"podCIDRs": ["10.244.1.0/24"]}, ["10.0.1.0/24"], {"10.0.1.0/24"}),
        ({}, None, set()),
        ({"podCIDRs": "10.244.1.0/24"}, None, set()),
    ],
)
def test_the_cilium_nodes_cidrs_go_before_the_nodes(spec: Any, ipam: Any, expected: set[str]) -> None:
    held = None if ipam is None else cilium_node(pod_cidrs=ipam)
    intent = compiled(node=node(spec=spec), cilium_node=held)
    assert prefixes(intent) == expected
    differs = bool(ipam and spec) and ipam != spec["podCIDRs"]
    assert any("are what Cilium gives to pods" in line for line in intent.problems) is differs


def test_a_cidr_that_is_none_is_named_with_its_place() -> None:
    intent = compiled(cilium_node=cilium_node(pod_cidrs=["10.0.1.1/24", "10.0.2.0/24"]))
    assert prefixes(intent) == {"10.0.2.0/24"}
    assert "CiliumNode worker-1: spec.ipam.podCIDRs has '10.0.1.1/24', which is no CIDR" in intent.problems


def test_a_node_that_is_not_ready_yet_withholds_pools_too() -> None:
    away = {"conditions": [{"type": "Ready", "status": "False"}]}
    adverts = [v2.advertisement(v2.advert("CiliumPodIPPool", selector={}), v2.advert("PodCIDR"))]
    objects = world(
        node=node(status=away), advertisements=adverts, pod_pools=[pool("blue")], cilium_node=BLUE
    )
    intent = compile_intent(objects, "worker-1")
    assert prefixes(intent, V2_PEER) == set()
    assert {a.reason for a in intent.absent} == {"nodeNotReady"}
    assert (
        prefixes(compile_intent(objects, "worker-1", Context(opened=True)), V2_PEER) == BLUE_CIDRS | POD_CIDRS
    )


def test_reasons_in_whole_sentences() -> None:
    held = cilium_node(gone=["10.7.1.0/24"], blue=["10.8.1.0/24"])
    intent = by_v2(
        {"matchLabels": {"color": "blue"}},
        pool("blue", color="blue"),
        pool("x", color="blue"),
        pool("red"),
        held=held,
    )
    details = {
        absent.origin: absent.detail
        for absent in intent.absent
        if absent.origin.startswith("CiliumPodIPPool")
    }
    assert details.pop("CiliumPodIPPool gone").startswith("its labels do not match")
    assert details == {
        "CiliumPodIPPool x": "this node has no CIDR from pool x (spec.ipam.pools.allocated of its CiliumNode)"
    }


@pytest.mark.parametrize(
    ("pools", "what"),
    [([], "CiliumPodIPPool gone does not exist"), (None, "no CiliumPodIPPool can be read")],
)
def test_a_pool_whose_labels_nobody_knows_has_its_implicit_ones(pools: Any, what: str) -> None:
    selector = {"matchLabels": {"io.cilium.podippool.name": "gone", "io.cilium.podippool.namespace": ""}}
    adverts = [v2.advertisement(v2.advert("CiliumPodIPPool", selector=selector))]
    held = cilium_node(gone=["10.7.1.0/24"])
    intent = run(advertisements=adverts, pod_pools=pools, cilium_node=held)
    (absent,) = (absent for absent in intent.absent if absent.origin == "CiliumPodIPPool gone")
    assert absent.detail == f"{what}: its labels are not known"


@pytest.mark.parametrize("cidrs", [None, []])
def test_a_pool_that_gave_the_node_nothing(cidrs: Any) -> None:
    held = cilium_node(blue=cidrs)
    intent = by_v2({}, pool("blue"), held=held)
    assert prefixes(intent, V2_PEER) == set() and not any("left out" in line for line in intent.problems)


def test_a_cidr_that_is_none_is_not_announced_in_its_place() -> None:
    intent = by_v2({}, pool("blue"), held=cilium_node(blue=["ten", "10.8.1.0/24"]))
    assert prefixes(intent, V2_PEER) == {"10.8.1.0/24"}
    assert sum("which is no CIDR" in line for line in intent.problems) == 1


def test_what_the_cilium_node_has_besides_the_nodes_own_is_told_in_full() -> None:
    intent = compiled(cilium_node=cilium_node(pod_cidrs=["10.0.1.0/24", "10.0.2.0/24"]))
    (told,) = (line for line in intent.problems if "are what Cilium gives" in line)
    assert told.startswith(
        "warning: CiliumNode worker-1 has the pod CIDRs 10.0.1.0/24, 10.0.2.0/24, the Node 10.244.1.0/24, "
        "fd00:10:244:1::/64: "
    )


def test_a_cidr_of_the_node_that_is_none_is_named_with_its_place() -> None:
    intent = compiled(node=node(spec={"podCIDRs": ["ten"]}))
    assert "Node worker-1: spec.podCIDRs has 'ten', which is no CIDR" in intent.problems


def test_pools_without_a_cidr_are_in_order_and_one_selector_of_several_is_enough() -> None:
    pools = [pool(f"p{n}", color="blue" if n % 2 else "red") for n in range(9, 0, -1)]
    adverts = [
        v2.advertisement(v2.advert("CiliumPodIPPool", selector={"matchLabels": {"color": color}}), name=color)
        for color in ("blue", "red")
    ]
    intent = run(advertisements=adverts, pod_pools=pools, cilium_node=cilium_node())
    origins = [absent.origin for absent in intent.absent if absent.origin.startswith("CiliumPodIPPool")]
    assert origins == [f"CiliumPodIPPool p{n}" for n in range(1, 10)]


def test_the_namespace_of_a_pool_is_a_label_too() -> None:
    spaced = pool("blue")
    spaced["metadata"]["namespace"] = "team-a"
    selector = {"matchLabels": {"io.cilium.podippool.namespace": "team-a"}}
    assert prefixes(by_v2(selector, spaced), V2_PEER) == BLUE_CIDRS
