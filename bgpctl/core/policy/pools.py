"""CiliumLoadBalancerIPPools: which pool an address belongs to. Only attribute rules ask.

Cilium matches a rule by prefix: the address lies in a block of a pool that the rule's selector picks
(disabled pools count for nothing). Where nobody can read pools (`Pools.unknown()`: the cluster does not know
the kind, say), a rule for all pools takes every LoadBalancer address, and a rule with a selector cannot be
decided: it takes none, and `undecidable` names it. Facts: cilium.md section 1.1, `advertisedPathAttributes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from bgpctl.core.model import IPNetwork
from bgpctl.core.policy.nodeconfig import AddressType, AttributeRule, Source
from bgpctl.core.reading.addresses import parse_address, parse_network
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.selectors import LabelSelector

LB_POOL = "CiliumLoadBalancerIPPool"


@dataclass(frozen=True, slots=True)
class Block:
    """One range of a pool's addresses, both ends included."""

    first: IPv4Address | IPv6Address
    last: IPv4Address | IPv6Address

    def holds(self, prefix: IPNetwork) -> bool:
        """Is the first address of `prefix` in the range? Of a route to a single address that is all."""
        address = prefix.network_address
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools as (labels, blocks); `known` False when nobody told us about them."""

    pools: tuple[tuple[Mapping[str, str], tuple[Block, ...]], ...] = ()
    known: bool = False

    @classmethod
    def unknown(cls) -> Pools:
        """Nobody could read pools, which is not the same as reading that there are none."""
        return cls()

    def select(self, selector: LabelSelector | None, prefix: IPNetwork, kind: AddressType | None) -> bool:
        """Is the address of this kind in a pool that the selector picks (None = any pool)?"""
        if not self.known:
            return selector is None and kind is AddressType.LOAD_BALANCER
        return any(
            any(block.holds(prefix) for block in blocks)
            for labels, blocks in self.pools
            if selector is None or selector.matches(labels)
        )

    def undecidable(self, rules: Iterable[AttributeRule]) -> tuple[str, ...]:
        """One sentence for every rule that needs pool labels nobody told us."""
        if self.known:
            return ()
        return tuple(
            f"{rule.path}: has no effect: the labels of CiliumLoadBalancerIPPools are not known here"
            for rule in rules
            if rule.source is Source.LB_POOL and rule.selector is not None
        )


def read_pools(documents: Iterable[Mapping[str, Any]] | None, problems: list[str]) -> Pools:
    """CiliumLoadBalancerIPPool documents (None = not known) -> Pools; a malformed one is a problem."""
    if documents is None:
        return Pools.unknown()
    pools = []
    for document in documents:
        try:
            spec = document.get("spec") or {}
            if not spec.get("disabled"):
                blocks = tuple(read_block(b) for b in spec.get("blocks") or spec.get("cidrs") or ())
                pools.append((labels_of(document), blocks))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problems.append(f"CiliumLoadBalancerIPPool {name_of(document)} was left out: {error}")
    return Pools(tuple(pools), known=True)


def read_block(block: Mapping[str, str]) -> Block:
    """One entry of `spec.blocks`: `cidr`, or `start` and perhaps `stop`. Raises one of MALFORMED."""
    if "cidr" in block:
        network = parse_network(block["cidr"], strict=False)
        return Block(network.network_address, network.broadcast_address)
    return Block(parse_address(block["start"]), parse_address(block.get("stop") or block["start"]))
