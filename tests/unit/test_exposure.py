"""Services that Cilium has not on a node, or not by this address, and those that its Envoy answers for."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.intent.compile import Context, compile_intent
from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.services import read_service
from tests.support.intents import POD_CIDRS, absences, compiled, prefixes, world
from tests.support.objects import endpoint, endpoint_slice, node, policy, router, service

KINDS = ["LoadBalancerIP", "ExternalIP", "ClusterIP"]
LB, EXTERNAL, CLUSTER = "203.0.113.1/32", "198.51.100.1/32", "10.96.0.1/32"
ALL = {LB, EXTERNAL, CLUSTER}
EVERY_KIND = [policy(router(serviceAdvertisements=KINDS))]


def web(labels: Any = None, annotations: Any = None, **spec: Any) -> Any:
    """A Service with an address of each kind."""
    made = service(
        "web", "203.0.113.1", **{"externalIPs": ["198.51.100.1"], "clusterIPs": ["10.96.0.1"], **spec}
    )
    made["metadata"]["labels"].update(labels or {})
    made["metadata"]["annotations"] = annotations or {}
    return made


def announced(*services: Any, **fields: Any) -> set[str]:
    return prefixes(compiled(*services, policies=EVERY_KIND, **fields)) - POD_CIDRS


@pytest.mark.parametrize(
    ("change", "kept", "reason"),
    [
        ({}, ALL, ""),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, set(), "headless"),
        ({"clusterIP": "none"}, set(), "headless"),  # Cilium lowers it
        ({"labels": {"service.kubernetes.io/headless": ""}}, set(), "headless"),
        (
            {"annotations": {"service.cilium.io/type": "LoadBalancer"}},
            {LB, EXTERNAL},
            "serviceTypeNotExposed",
        ),
        (
            {"annotations": {"service.cilium.io/type": "ClusterIP"}},
            {CLUSTER, EXTERNAL},
            "serviceTypeNotExposed",
        ),
        ({"annotations": {"service.cilium.io/type": "NodePort"}}, {EXTERNAL}, "serviceTypeNotExposed"),
        ({"annotations": {"service.cilium.io/node": "beefy"}}, ALL, ""),
        ({"annotations": {"service.cilium.io/node": "slow"}}, set(), "serviceNotOnNode"),
        ({"annotations": {"service.cilium.io/node": ""}}, set(), "serviceNotOnNode"),
        ({"annotations": {"service.cilium.io/node-selector": "zone in (a, b),!gone"}}, ALL, ""),
        ({"annotations": {"service.cilium.io/node-selector": ""}}, ALL, ""),
        ({"annotations": {"service.cilium.io/node-selector": "zone=b"}}, set(), "serviceNotOnNode"),
        (
            {"annotations": {"service.cilium.io/node-selector": "zone=a", "service.cilium.io/node": "slow"}},
            ALL,
            "",
        ),
    ],
)
def test_what_a_service_says_against_its_addresses(change: Any, kept: set[str], reason: str) -> None:
    here = node(labels={"enable-bgp": "true", "service.cilium.io/node": "beefy", "zone": "a"})
    intent = compiled(web(**change), policies=EVERY_KIND, node=here)
    assert prefixes(intent) - POD_CIDRS == kept
    assert {found[2] for found in absences(intent)} == ({reason} if reason else set())
    assert intent.problems == ()


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"service.cilium.io/type": "ExternalName"}, "must be one of ClusterIP, NodePort, LoadBalancer"),
        ({"service.cilium.io/node-selector": "zone in (a"}, "is no requirement of a label selector"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_ignored_and_told(annotations: Any, words: str) -> None:
    intent = compiled(web(annotations=annotations), policies=EVERY_KIND)
    assert prefixes(intent) - POD_CIDRS == ALL
    (problem,) = intent.problems
    assert problem.startswith("warning: Service default/web: annotation service.cilium.io/")
    assert words in problem


def test_a_label_of_the_node_moves_only_the_services_that_look_at_it() -> None:
    memo = Memo()
    bound = read_service(web(annotations={"service.cilium.io/node": "beefy"}))
    free = read_service(service("free", "203.0.113.9"))
    before = compile_intent(world(bound, free), "worker-1", memo=memo)
    labelled = node(labels={"enable-bgp": "true", "service.cilium.io/node": "beefy"})
    after = compile_intent(world(bound, free, node=labelled), "worker-1", memo=memo)
    assert prefixes(before) - POD_CIDRS == {"203.0.113.9/32"}
    assert prefixes(after) - POD_CIDRS == {LB, "203.0.113.9/32"}


@pytest.mark.parametrize(
    ("modes", "kept"),
    [
        ((None,), True),
        (("VIP",), True),
        (("Proxy",), False),
        (("Proxy", "VIP"), True),
        ((None, "Proxy"), True),
    ],
)
def test_an_ingress_that_is_answered_outside(modes: tuple[str | None, ...], kept: bool) -> None:
    proxied = web()
    proxied["status"]["loadBalancer"]["ingress"] = [
        {"ip": "203.0.113.1", **({"ipMode": mode} if mode else {})} for mode in modes
    ]
    intent = compiled(proxied, policies=EVERY_KIND)
    assert prefixes(intent) - POD_CIDRS == (ALL if kept else ALL - {LB})
    assert {found[2] for found in absences(intent)} == (set() if kept else {"ipModeProxy"})


# --- ports --------------------------------------------------------------------------------------------------


def ports(*names: str | None) -> list[Any]:
    return [{"port": 80 + n, **({"name": name} if name is not None else {})} for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (["http"], ["http"], True),
        (["http"], ["metrics"], False),
        (["http", "metrics"], ["metrics"], True),
        (["http"], ["metrics", "http"], True),
        ([None], ["metrics"], True),
        ([""], ["metrics"], True),
        (["http"], [None], True),
        (["http"], [], True),
        ([], ["http"], True),
    ],
)
def test_endpoints_of_another_named_port_are_no_backends(ours: Any, theirs: Any, kept: bool) -> None:
    local = web(externalTrafficPolicy="Local", ports=ports(*ours))
    other = {**endpoint_slice("web", endpoint()), "ports": ports(*theirs)}
    assert announced(local, slices=[other]) == (ALL if kept else {CLUSTER})


def test_slices_with_different_ports_are_told_apart() -> None:
    """Also where the ones that count come after, and where two of a kind add up."""
    local = web(externalTrafficPolicy="Local", ports=ports("http"))
    other = {**endpoint_slice("web", endpoint()), "ports": ports("metrics")}
    far = {**endpoint_slice("web", endpoint("worker-2")), "ports": ports("http")}
    near = {**endpoint_slice("web", endpoint()), "ports": ports("http")}
    assert announced(local, slices=[other, far]) == {CLUSTER}
    assert announced(local, slices=[other, far, near]) == ALL


# --- Gateway and Ingress ------------------------------------------------------------------------------------

GATEWAY = {"io.cilium.gateway/owning-gateway": "edge"}
INGRESS = {"cilium.io/ingress": "true"}
DUMMY = {
    **endpoint_slice("web", {"addresses": ["192.192.192.192"]}),
    "ports": [{"port": 9999}],
}


@pytest.mark.parametrize("policy_name", ["Local", "Cluster"])
@pytest.mark.parametrize("labels", [GATEWAY, INGRESS, {}])
@pytest.mark.parametrize("demanding", [True, False])
def test_envoy_answers_for_gateways_on_every_node(policy_name: str, labels: Any, demanding: bool) -> None:
    """The load balancer's address only; with the dummy endpoint, or where labels tell without any."""
    made = web(labels, externalTrafficPolicy=policy_name)
    for slices in ([DUMMY], [], [endpoint_slice("web")]) if labels else ([DUMMY],):
        intent = compile_intent(
            world(made, slices=slices, policies=EVERY_KIND),
            "worker-1",
            Context(withdraw_without_endpoints=demanding),
        )
        assert LB in prefixes(intent)
        assert (EXTERNAL in prefixes(intent)) == (policy_name == "Cluster" and not demanding)


@pytest.mark.parametrize(
    ("labels", "slices", "kept"),
    [
        (GATEWAY, [endpoint_slice("web", endpoint("worker-2"))], False),  # its own: TCPRoute, UDPRoute
        (GATEWAY, [endpoint_slice("web", endpoint())], True),
        (GATEWAY, [DUMMY, endpoint_slice("web", endpoint("worker-2"))], False),
        ({"cilium.io/ingress": "false"}, [], False),
        ({"gateway.networking.k8s.io/gateway-name": "edge"}, [], False),  # others' gateways are pods
        ({}, [endpoint_slice("web", {"addresses": ["192.192.192.192"]})], False),  # an address like others
    ],
)
def test_what_envoy_does_not_answer_for(labels: Any, slices: Any, kept: bool) -> None:
    assert (LB in announced(web(labels, externalTrafficPolicy="Local"), slices=slices)) == kept
