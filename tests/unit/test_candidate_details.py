"""Why an address of a Service is announced from this node or not, in the words that `routes` prints."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import Context, compile_intent
from tests.support.intents import PEER, compiled, world
from tests.support.objects import endpoint, endpoint_slice, policy, router, service

ADDRESS = ip_network("203.0.113.1/32")
LOCAL = "externalTrafficPolicy is Local and "
LEAVING = {"ready": False, "serving": True, "terminating": True}


def said(web: Any, *endpoints: Any, slices: Any = None, demanding: bool = False) -> tuple[str, str]:
    """(reason, detail); no reason = it is announced."""
    given = [endpoint_slice("web", *endpoints)] if slices is None else slices
    intent = compile_intent(
        world(web, slices=given), "worker-1", Context(withdraw_without_endpoints=demanding)
    )
    if ADDRESS in intent.routes[PEER]:
        return "", intent.routes[PEER][ADDRESS].why
    (absent,) = (absent for absent in intent.absent if absent.prefix == ADDRESS)
    return absent.reason, absent.detail


@pytest.mark.parametrize(
    ("endpoints", "reason", "detail"),
    [
        ([], "noEndpoints", "the Service has no IPv4 endpoint for its ports on any node"),
        ([endpoint()], "", "1 ready endpoint is on this node"),
        ([endpoint(), endpoint(), endpoint("b")], "", "2 ready endpoints are on this node"),
        ([endpoint("b")], "noLocalEndpoints", "no ready IPv4 endpoint is on this node"),
        (
            [endpoint(**LEAVING)],
            "",
            "no node has a ready endpoint, and terminating ones on this node still serve",
        ),
        (
            [endpoint(**LEAVING), endpoint("b")],
            "noLocalEndpoints",
            "the endpoints on this node are terminating, others are ready",
        ),
        ([endpoint("b", **LEAVING)], "noLocalEndpoints", "no ready IPv4 endpoint is on this node"),
        ([endpoint(ready=False)], "noLocalEndpoints", "no ready IPv4 endpoint is on this node"),
    ],
)
def test_a_local_address(endpoints: Any, reason: str, detail: str) -> None:
    assert said(service("web", "203.0.113.1", local=True), *endpoints) == (reason, LOCAL + detail)


@pytest.mark.parametrize(
    ("demanding", "endpoints", "reason", "detail"),
    [
        (
            False,
            [],
            "",
            "externalTrafficPolicy is Cluster: every selected node announces it, with or without endpoints",
        ),
        (
            True,
            [endpoint("b")],
            "",
            "externalTrafficPolicy is Cluster: every selected node announces it, "
            "while it has a usable endpoint",
        ),
        (True, [endpoint(ready=False)], "noEndpoints", "the Service has no usable IPv4 endpoint on any node"),
    ],
)
def test_a_cluster_address(demanding: bool, endpoints: Any, reason: str, detail: str) -> None:
    web = service("web", "203.0.113.1")
    assert said(web, *endpoints, demanding=demanding) == (reason, detail)


def test_a_service_without_a_slice() -> None:
    web = service("web", "203.0.113.1", local=True)
    assert said(web, slices=[]) == ("noEndpointSlice", f"{LOCAL}the Service has no EndpointSlice")
    assert said(service("web", "203.0.113.1"), slices=[], demanding=True)[0] == "noEndpoints"


def annotated(key: str, value: str) -> Any:
    web = service("web", "203.0.113.1")
    return {**web, "metadata": {**web["metadata"], "annotations": {f"service.cilium.io/{key}": value}}}


@pytest.mark.parametrize(
    ("web", "reason", "detail"),
    [
        (
            service("web", "203.0.113.1", loadBalancerClass="other"),
            "loadBalancerClass",
            "its loadBalancerClass other belongs to another load balancer",
        ),
        (
            annotated("type", "ClusterIP"),
            None,
            "its annotation service.cilium.io/type asks for ClusterIP only",
        ),
        (
            annotated("node", "edge"),
            None,
            'its annotation service.cilium.io/node: "edge" does not match this node\'s labels',
        ),
        (
            annotated("node-selector", "a=b"),
            None,
            'its annotation service.cilium.io/node-selector: "a=b" does not match this node\'s labels',
        ),
        (
            service("web", "203.0.113.1", labels={"service.kubernetes.io/headless": ""}),
            None,
            "the Service is headless: no node answers for an address of it",
        ),
        (
            service("web", "203.0.113.1", labels={"cilium.io/ingress": "true"}),
            "",
            "Cilium's Envoy answers for this Gateway or Ingress on every node",
        ),
    ],
)
def test_what_the_service_itself_says(web: Any, reason: str | None, detail: str) -> None:
    found = said(web, slices=[])
    assert found[1] == detail and (reason is None or found[0] == reason) and bool(found[0]) is (reason != "")


def test_an_ingress_that_is_answered_elsewhere() -> None:
    web = service("web", "203.0.113.1")
    web["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "Proxy"
    assert said(web)[1] == "the ipMode of its ingress is not VIP: it is answered outside of the cluster"


def test_a_class_that_is_ours_counts() -> None:
    web = service("web", "203.0.113.1", loadBalancerClass="io.cilium/bgp-control-plane")
    assert ADDRESS in compiled(web).routes[PEER]


@pytest.mark.parametrize("spec", [{"loadBalancerClass": "other"}, {}])
def test_what_a_load_balancer_says_is_not_of_external_addresses(spec: Any) -> None:
    """Neither its class nor the ipMode of its ingress."""
    web = service("web", "203.0.113.1", externalIPs=["203.0.113.1"], **spec)
    if not spec:
        web["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "Proxy"
    router_ = router(serviceAdvertisements=["ExternalIP"])
    assert ADDRESS in compiled(web, policies=[policy(router_)]).routes[PEER]


def test_a_service_that_waits_for_an_address_is_told_where_those_are_looked_at() -> None:
    pending = service("web")
    assert [a.reason for a in compiled(pending).absent] == ["noLoadBalancerIP"]


def test_a_service_that_waits_for_an_address_is_not_told_where_nobody_looks_at_those() -> None:
    pods_only = policy(router(serviceAdvertisements=["ClusterIP"]))
    waiting = compiled(service("web"), policies=[pods_only])
    assert "noLoadBalancerIP" not in [a.reason for a in waiting.absent]


@pytest.mark.parametrize(("count", "more"), [(2, ""), (3, ""), (4, " and 1 more"), (5, " and 2 more")])
def test_services_without_a_slice_are_one_sentence(count: int, more: str) -> None:
    local = {"externalTrafficPolicy": "Local"}
    made = [service(f"s{n}", f"203.0.113.{n}", **local) for n in range(1, count + 1)]
    names = ", ".join(f"Service default/s{n}" for n in range(1, min(count, 3) + 1))
    (told,) = compiled(*made, slices=[]).problems
    assert told == f"without EndpointSlice, so not announced: {names}{more}"
