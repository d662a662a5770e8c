"""What an intent says besides peers and routes: why nothing is decided, why something is held back."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import compile_intent, owner_problem
from bgpctl.core.intent.gates import EXCLUDE_LABEL
from bgpctl.core.model import Intent
from bgpctl.core.policy.claim import NO_OWNER
from bgpctl.core.policy.owners import read_claims, select_owner
from tests.support import v2
from tests.support.intents import PEER, compiled, world
from tests.support.objects import endpoint, endpoint_slice, node, policy, service
from tests.unit.test_v2_compile import run

OFF = node(labels={"enable-bgp": "false"})
FAULTY = {"cilium.io/bgp-virtual-router.65001": "local-port=0"}


def test_a_node_that_nothing_selects_still_names_what_is_malformed() -> None:
    annotated = node(labels={}, annotations=FAULTY)
    broken = {"metadata": {"name": "broken"}, "spec": 5}
    problems = "\n".join(compiled(broken, node=annotated).problems)
    assert "Service default/broken was left out" in problems and "local-port must be" in problems


@pytest.mark.parametrize("previous", [None, Intent("worker-1")])
def test_a_node_that_was_never_seen(previous: Intent | None) -> None:
    lost = compile_intent(world(node=None), "worker-1", previous=previous)
    assert lost.problems == ("Node worker-1 was not found: no policy can select it",)
    assert lost.stale and not lost.selected


def test_a_broken_selector_takes_no_node_that_nobody_had() -> None:
    off = compiled(node=OFF)
    broken = policy(nodeSelector={"matchLabels": "x"})
    assert not compile_intent(world(policies=[broken]), "worker-1", previous=off).selected
    assert not read_claims([broken])[0].selects({}, NO_OWNER)
    assert select_owner(read_claims([broken, policy(name="b")]), {"enable-bgp": "true"}).owner is not None


@pytest.mark.parametrize(
    ("intent", "problem"),
    [
        (Intent("n", True, "p", problems=("CiliumBGPPeeringPolicy p is invalid: x",)), ""),
        (
            Intent("n", True, "p", problems=("CiliumBGPPeeringPolicy p is invalid: x",), stale=True),
            "CiliumBGPPeeringPolicy p is invalid: x; nothing is announced",
        ),
        (Intent("n", True, "p", problems=("CiliumBGPPeeringPolicy q is invalid: x",), stale=True), ""),
        (
            Intent("n", True, "p", problems=("CiliumBGPNodeConfigOverride n is invalid: x",), stale=True),
            "CiliumBGPNodeConfigOverride n is invalid: x; nothing is announced",
        ),
    ],
)
def test_why_what_is_written_is_not_in_force(intent: Intent, problem: str) -> None:
    assert owner_problem(intent) == problem


def test_a_new_owner_does_not_inherit_the_last_good_form_of_another() -> None:
    """Both refer to a CiliumBGPPeerConfig that is invalid by now."""
    first = run()
    bad = [v2.peer_config(timers={"holdTimeSeconds": 1})]
    assert run(previous=first, peer_configs=bad).peers == first.peers
    other = run(previous=first, cluster_configs=[v2.cluster_config(name="other")], peer_configs=bad)
    assert other.policy == "other" and other.peers == ()
    old = compiled()
    taken = run(previous=old, peer_configs=bad)
    assert taken.policy == "rack" and taken.peers == ()


def test_a_gate_holds_back_services_and_says_why_and_leaves_the_rest_its_reason() -> None:
    excluded = node(labels={"enable-bgp": "true", EXCLUDE_LABEL: ""})
    web, slices = service("web", "203.0.113.1"), [endpoint_slice("web", endpoint())]
    free, held = compiled(web, slices=slices), compiled(web, slices=slices, node=excluded)
    (absent,) = held.absent
    assert absent.reason == "nodeLabeledExcludeBalancers" and EXCLUDE_LABEL in absent.detail
    pods = ip_network("10.244.1.0/24")
    assert held.routes[PEER][pods] == free.routes[PEER][pods] and held.routes[PEER][pods].why


@pytest.mark.parametrize(
    ("interfaces", "detail"),
    [
        (None, "the addresses of interface lo are not known here"),
        ({}, "interface lo is not up on this node"),
        ({"lo": [ip_address("127.0.0.1")]}, "interface lo has no usable address"),
    ],
)
def test_why_an_interface_has_nothing_to_announce(interfaces: Any, detail: str) -> None:
    adverts = [v2.advertisement(v2.advert("Interface", interface={"name": "lo"}))]
    found = run(advertisements=adverts, interfaces=interfaces)
    details = [absent.detail for absent in found.absent if absent.origin == "Interface lo"]
    assert details == [detail]


def test_an_interface_that_has_an_address_says_nothing_else() -> None:
    adverts = [v2.advertisement(v2.advert("Interface", interface={"name": "lo"}))]
    found = run(advertisements=adverts, interfaces={"lo": [ip_address("192.0.2.77")]})
    assert [absent.origin for absent in found.absent] == ["PodCIDR", "PodCIDR"]


@pytest.mark.parametrize(
    ("names", "verb"),
    [
        (("b",), "CiliumBGPPeeringPolicy b selects"),
        (("b", "c"), "CiliumBGPPeeringPolicy b, CiliumBGPPeeringPolicy c select"),
    ],
)
def test_who_selects_the_node_in_vain(names: tuple[str, ...], verb: str) -> None:
    claims = read_claims([policy(name=name) for name in ("a", *names)])
    (problem,) = select_owner(claims, {"enable-bgp": "true"}).problems
    assert problem == f"{verb} this node too and is ignored here: CiliumBGPPeeringPolicy a has it already"


def test_a_field_that_a_newer_server_has_costs_nothing() -> None:
    newer = v2.cluster_config()
    newer["spec"]["sinceTomorrow"] = 1
    settings, advert = v2.peer_config(sinceTomorrow=1), v2.advertisement()
    advert["spec"]["sinceTomorrow"] = 1
    changed = v2.override({"name": "main", "sinceTomorrow": 1})
    found = run(
        cluster_configs=[newer], peer_configs=[settings], advertisements=[advert], overrides=[changed]
    )
    assert found == run() and found.problems == ()


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 ready endpoint is on this node"), (2, "2 ready endpoints are on this node")]
)
def test_how_many_endpoints_keep_a_local_address_here(count: int, words: str) -> None:
    slices = [endpoint_slice("web", *[endpoint()] * count)]
    route = compiled(service("web", "203.0.113.1", local=True), slices=slices).routes[PEER][
        ip_network("203.0.113.1/32")
    ]
    assert route.why == f"externalTrafficPolicy is Local and {words}"


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (
            {"loadBalancer": {"ingress": [{"hostname": "a.b"}]}},
            "its load balancer status has a host name and no IP address",
        ),
        (
            {"loadBalancer": None},
            "no address has been allocated to it yet (status.loadBalancer.ingress is empty)",
        ),
        ({}, "no address has been allocated to it yet (status.loadBalancer.ingress is empty)"),
        (None, "no address has been allocated to it yet (status.loadBalancer.ingress is empty)"),
    ],
)
def test_why_a_service_has_no_address(status: Any, detail: str) -> None:
    (absent,) = compiled({**service("web"), "status": status}).absent
    assert (absent.reason, absent.detail) == ("noLoadBalancerIP", detail)
