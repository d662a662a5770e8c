"""Which next hop a route carries when "self", the session's local address, would be wrong.

Two cases. The operator names the next hops of this node (`--next-hop`). Or the prefix is of the other IP
version than the session: then self would be an IPv4-mapped address, which BIRD refuses, and the node's own
address of the right version is taken when it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bgpctl.core.model import Attributes, IPAddress, IPNetwork, Peer, Route

Table = Mapping[IPNetwork, Route]


def with_next_hops(
    tables: Mapping[str, Table],
    peers: Iterable[Peer],
    node_addresses: Sequence[IPAddress],
    named: Sequence[IPAddress] = (),
) -> Mapping[str, Table]:
    """`tables` by peer name, with next hops set where self would not do. `node_addresses` are the node's
    InternalIPs, `named` the operator's (at most one per IP version)."""
    asked: dict[int, IPAddress] = {address.version: address for address in named}
    own: dict[int, IPAddress] = {address.version: address for address in reversed(node_addresses)}
    result: dict[str, Table] = dict(tables)
    made: dict[tuple[object, ...], Table] = {}
    for peer in peers:
        hops = asked | {v: a for v, a in own.items() if v != peer.address.version and v not in asked}
        if hops and peer.name in result:
            key = (id(result[peer.name]), tuple(sorted(hops.items())))
            made[key] = result[peer.name] = made.get(key) or _set(result[peer.name], hops)
    return result


def _set(table: Table, hops: Mapping[int, IPAddress]) -> Table:
    """Attributes stay shared: one object per distinct set, because routes are grouped by them."""
    shared: dict[tuple[Attributes, int], Attributes] = {}
    changed: dict[IPNetwork, Route] = {}
    for prefix, route in table.items():
        hop = hops.get(prefix.version)
        if hop is None or route.attributes.next_hop is not None:
            changed[prefix] = route
            continue
        key = (route.attributes, prefix.version)
        if key not in shared:
            shared[key] = replace(route.attributes, next_hop=hop)
        changed[prefix] = replace(route, attributes=shared[key])
    return changed
