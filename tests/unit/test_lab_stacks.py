"""The BGP stacks of the lab as a table, and what their nodes announce."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from bgpctl.cli import lab as cli
from bgpctl.errors import UsageError
from bgpctl.lab import routers, seed, stacks
from bgpctl.lab.stacks.announced import prefixes
from tests.support import direct


def test_the_flag_offers_the_stacks_of_the_table() -> None:
    assert get_args(get_args(cli.Stack)[0]) == tuple(stacks.STACKS)


@pytest.mark.parametrize("name", [name for name in stacks.STACKS if name != stacks.DEFAULT])
def test_what_is_no_product_of_ours_is_said_to_be_emulated(name: str) -> None:
    assert "emulated" in stacks.STACKS[name].says


def test_a_missing_engine_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = replace(routers.DRIVERS["gobgp"], find=lambda: None)
    monkeypatch.setitem(routers.DRIVERS, "gobgp", gone)
    with pytest.raises(UsageError) as raised:
        stacks.choose("cilium")
    assert raised.value.hint.startswith("apt install gobgpd")


def test_an_unknown_stack_is_told_which_there_are() -> None:
    with pytest.raises(UsageError) as raised:
        stacks.choose("nobody")
    assert "bgpctl, cilium" in raised.value.hint


def test_a_node_announces_its_pods_and_a_local_service_only_where_an_endpoint_is_ready() -> None:
    api = direct.Api()
    api.server.apply(*seed.cluster(["192.0.2.1", "192.0.2.2"], ()))
    client = direct.Wire(api).client()
    for node, ready in (("worker-1", True), ("worker-2", False)):
        api.server.apply(_slice(node, ready))
    web, local = f"{seed.WEB_VIP}/32", f"{seed.API_VIP}/32"
    assert prefixes(client, "worker-1") == tuple(sorted(("10.244.1.0/24", web, local)))
    assert prefixes(client, "worker-2") == tuple(sorted(("10.244.2.0/24", web)))


def _slice(node: str, ready: bool) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"api-{node}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "api"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "nodeName": node}],
    }
