"""What is read of a Service: which addresses, whose endpoints, and what is left of one that is malformed."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.intent.services import read_service
from bgpctl.core.policy.nodeconfig import AddressType
from tests.support.objects import service

LB, CLUSTER, EXTERNAL = AddressType.LOAD_BALANCER, AddressType.CLUSTER, AddressType.EXTERNAL


def with_status(*ingress: Any, **spec: Any) -> dict[str, Any]:
    return {**service("web", **spec), "status": {"loadBalancer": {"ingress": list(ingress)}}}


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"type": "ClusterIP", "clusterIP": "10.96.0.1"}, ((CLUSTER, ("10.96.0.1",)),)),
        ({"type": "ClusterIP", "clusterIP": "None"}, ()),
        (
            {"type": "ClusterIP", "clusterIPs": ["10.96.0.1", "fd00::1"]},
            ((CLUSTER, ("10.96.0.1", "fd00::1")),),
        ),
        ({"type": "NodePort", "externalIPs": ["198.51.100.1"]}, ((EXTERNAL, ("198.51.100.1",)),)),
        ({"type": "ExternalName", "externalIPs": ["198.51.100.1"]}, ()),
    ],
)
def test_addresses_by_type(spec: dict[str, Any], texts: Any) -> None:
    assert read_service(service("web", "203.0.113.1", **spec)).texts == texts


def test_a_load_balancer_with_everything() -> None:
    found = read_service(
        with_status({"ip": "203.0.113.1"}, clusterIP="10.96.0.1", externalIPs=["198.51.100.1"])
    )
    assert found.texts == ((LB, ("203.0.113.1",)), (CLUSTER, ("10.96.0.1",)), (EXTERNAL, ("198.51.100.1",)))
    assert (found.pending, found.problem, found.warning, found.not_vips) == ("", "", "", frozenset())


@pytest.mark.parametrize(
    ("policies", "local"),
    [
        ({}, ()),
        ({"externalTrafficPolicy": "Local"}, ("externalTrafficPolicy",)),
        ({"internalTrafficPolicy": "Local"}, ("internalTrafficPolicy",)),
        ({"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "x"}, ()),
    ],
)
def test_traffic_policies_that_are_local(policies: dict[str, str], local: tuple[str, ...]) -> None:
    assert read_service(service("web", **policies)).local == local


@pytest.mark.parametrize(
    ("ingress", "not_vips"),
    [
        ([{"ip": "203.0.113.1"}], set()),
        ([{"ip": "203.0.113.1", "ipMode": "VIP"}], set()),
        ([{"ip": "203.0.113.1", "ipMode": "Proxy"}], {"203.0.113.1"}),
        ([{"ip": "203.0.113.1", "ipMode": "Proxy"}, {"ip": "203.0.113.1"}], set()),
        ([{"hostname": "a", "ipMode": "Proxy"}, {"ip": "203.0.113.1"}], set()),
        ([{"ip": "203.0.113.1", "ipMode": "Proxy"}, {"ip": "203.0.113.2"}], {"203.0.113.1"}),
    ],
)
def test_addresses_that_are_answered_elsewhere(ingress: Any, not_vips: set[str]) -> None:
    assert read_service(with_status(*ingress)).not_vips == not_vips


@pytest.mark.parametrize("namespace", ["default", "team-a"])
def test_whose_it_is(namespace: str) -> None:
    found = read_service(service("web", namespace=namespace, labels={"a": "b"}))
    assert found.key == (namespace, "web") and found.labels == {
        "a": "b",
        "io.kubernetes.service.name": "web",
        "io.kubernetes.service.namespace": namespace,
    }
    bare = {**service("web"), "metadata": {"name": "web"}}
    assert read_service(bare).key == ("default", "web")


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"metadata": {"name": "web"}}, ("default", "web")),
        ({"metadata": {"name": "web", "namespace": "a"}, "spec": 5}, ("a", "web")),
        ({"metadata": {"name": 5}, "spec": {}}, ("default", "")),
        ({"metadata": {"name": "web", "namespace": 5}, "spec": {}}, ("default", "web")),
        (5, ("?", "?")),
    ],
)
def test_a_malformed_one_is_named(document: Any, key: tuple[str, str]) -> None:
    found = read_service(document)
    assert found.key == key and not found.texts
    assert found.problem.startswith(f"Service {key[0]}/{key[1]} was left out: it is malformed (")
    assert not any(words in found.problem for words in ("object has no", "must be str", "indices", "'spec'"))
