"""Which pool an address belongs to: blocks as ranges, both IP versions, and pools that are malformed."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.policy.nodeconfig import AddressType
from bgpctl.core.policy.pools import read_pools
from bgpctl.core.reading.selectors import LabelSelector
from tests.support.objects import lb_pool

GOLD = LabelSelector((("tier", "gold"),))


def holds(address: str, *pools: Any, selector: LabelSelector | None = None) -> bool:
    problems: list[str] = []
    found = read_pools(pools, problems).select(selector, ip_network(address), AddressType.EXTERNAL)
    assert problems == []
    return found


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.0", True),
        ("10.0.0.255", True),
        ("10.0.1.0", False),
        ("10.0.2.1", False),
        ("10.0.2.2", True),
        ("10.0.2.3", True),
        ("10.0.2.4", False),
        ("10.0.3.1", True),
        ("10.0.3.2", False),
        ("::a00:1", False),  # the same number as 10.0.0.1
        ("2001:db8::1", True),
    ],
)
def test_blocks(address: str, inside: bool) -> None:
    blocks = [
        {"cidr": "10.0.0.7/24"},  # as somebody wrote it, with host bits
        {"start": "10.0.2.2", "stop": "10.0.2.3"},
        {"start": "10.0.3.1"},
        {"cidr": "2001:db8::/64"},
    ]
    assert holds(address, lb_pool(*blocks)) is inside


def test_an_older_pool_calls_its_blocks_cidrs() -> None:
    old = {"metadata": {"name": "old"}, "spec": {"cidrs": [{"cidr": "10.0.0.0/24"}]}}
    assert holds("10.0.0.1", old) and not holds("10.0.1.1", old)


@pytest.mark.parametrize(
    "spec", [None, {}, {"blocks": None}, {"blocks": [{"cidr": "10.0.0.0/8"}], "disabled": True}]
)
def test_a_pool_without_blocks_holds_nothing(spec: Any) -> None:
    assert not holds("10.0.0.1", {"metadata": {"name": "a"}, "spec": spec})


def test_the_selector_picks_pools_by_their_labels() -> None:
    pools = [lb_pool({"cidr": "10.0.0.0/24"}, tier="gold"), lb_pool({"cidr": "10.0.1.0/24"}, tier="tin")]
    assert holds("10.0.0.1", *pools, selector=GOLD) and not holds("10.0.1.1", *pools, selector=GOLD)


@pytest.mark.parametrize(
    "block",
    [
        5,
        {},
        {"cidr": "10.0.0.0/33"},
        {"cidr": None, "start": "x"},
        {"start": "ten"},
        {"start": "10.0.0.1", "stop": [1]},
    ],
)
def test_a_malformed_pool_costs_itself(block: Any) -> None:
    problems: list[str] = []
    pools = read_pools([lb_pool(block, name="bad"), lb_pool({"cidr": "10.0.0.0/8"})], problems)
    assert pools.select(None, ip_network("10.0.0.1/32"), None)
    assert len(problems) == 1 and problems[0].startswith("CiliumLoadBalancerIPPool bad was left out: ")


def test_a_spec_that_is_no_object_is_malformed_too() -> None:
    problems: list[str] = []
    read_pools([{"metadata": {"name": "bad"}, "spec": "x"}], problems)
    assert len(problems) == 1
