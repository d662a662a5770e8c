"""Which nodes announce which Service address, and where its ready endpoints are."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.vips import Vip
from bgpctl.core.model import Intent, Route
from tests.support.intents import seen
from tests.support.objects import endpoint, endpoint_slice, service


def intent(node: str, *routes: tuple[str, str]) -> Intent:
    table = {ip_network(prefix): Route(ip_network(prefix), origin=origin) for prefix, origin in routes}
    return Intent(node, routes={"p": table})


def found(*slices: Any, services: Any = (), owner: str = "Service default/web") -> Vip:
    (vip,) = seen([intent("n", ("203.0.113.1/32", owner))], services, slices)
    return vip


def test_addresses_are_in_order_ipv4_first() -> None:
    prefixes = ["2001:db8::1/128", *(f"203.0.113.{n}/32" for n in range(9, 0, -1)), "10.0.0.1/32"]
    announced = [intent(f"n{n}", (prefix, "Service a/b")) for n, prefix in enumerate(prefixes)]
    expected = ["10.0.0.1/32", *(f"203.0.113.{n}/32" for n in range(1, 10)), "2001:db8::1/128"]
    assert [str(vip.prefix) for vip in seen(announced, [], [])] == expected


@pytest.mark.parametrize(
    ("slices", "endpoints"),
    [
        ([], {}),
        ([endpoint_slice("web", endpoint("a"), endpoint("a"), endpoint("b"))], {"a": 2, "b": 1}),
        ([endpoint_slice("web", endpoint("a", ready=True), endpoint("b", ready=False))], {"a": 1}),
        ([endpoint_slice("web", {"addresses": ["10.0.0.1"]}, endpoint("a"))], {"a": 1}),  # on no node
        ([endpoint_slice("api", endpoint("a"))], {}),
        ([endpoint_slice("web", endpoint("a"), namespace="other")], {}),
        ([endpoint_slice("web", endpoint("a")), endpoint_slice("web", endpoint("a"), suffix="y")], {"a": 2}),
        ([{**endpoint_slice("web"), "endpoints": None}, endpoint_slice("web", endpoint("a"))], {"a": 1}),
        (
            [
                {"metadata": {"name": "x"}},
                {"metadata": {"labels": None}},
                endpoint_slice("web", endpoint("a")),
            ],
            {"a": 1},
        ),
        ([{**endpoint_slice("web"), "endpoints": 5}, 7, endpoint_slice("web", endpoint("a"))], {"a": 1}),
    ],
)
def test_ready_endpoints_by_node(slices: Any, endpoints: dict[str, int]) -> None:
    assert found(*slices, services=[service("web", "203.0.113.1"), service("api")]).endpoints == endpoints


@pytest.mark.parametrize(
    ("services", "local"),
    [
        ([service("web", "203.0.113.1", local=True)], True),
        ([service("web", "203.0.113.1")], False),
        ([service("web", "203.0.113.2", local=True)], False),
        (
            [5, {"spec": {}}, service("web", "ten", local=True), service("web", "203.0.113.1", local=True)],
            True,
        ),
    ],
)
def test_an_address_is_local_by_the_policy_of_its_owner(services: Any, local: bool) -> None:
    assert found(services=services).local is local


def test_an_address_of_two_owners_is_local_only_where_both_are() -> None:
    both = "Service default/web, Service default/api"
    services = [service("web", "203.0.113.1", local=True), service("api", "203.0.113.1")]
    assert not found(services=services, owner=both).local
    assert found(owner=both).owners == ("Service default/web", "Service default/api")


GATEWAY = {"io.cilium.gateway/owning-gateway": "edge"}


@pytest.mark.parametrize(
    ("address", "slices", "local"),
    [
        ("203.0.113.1", [], False),  # Envoy answers on every node
        ("203.0.113.1", [endpoint_slice("web", endpoint("n"))], True),  # its own endpoints do (TCPRoute)
        ("203.0.113.7", [], True),  # Envoy does not know external addresses
    ],
)
def test_what_follows_its_endpoints_of_a_gateway(address: str, slices: Any, local: bool) -> None:
    web = service("web", "203.0.113.1", local=True, labels=GATEWAY, externalIPs=["203.0.113.7"])
    (found,) = seen([intent("n", (f"{address}/32", "Service default/web"))], [web], slices)
    assert found.local is local
