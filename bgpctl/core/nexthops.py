"""Which next hop a route carries when "self", the session's local address, would be wrong.

Two cases. The operator names the next hops of this node (`--next-hop`). Or the prefix is of the other IP
version than the session: then self would be an IPv4-mapped address, which BIRD refuses, and the node's own
address of the right version is taken when it has one.
"""

from __future__ import annotations

from collections.abc import Sequence

from bgpctl.core.model import IPAddress, Peer

NextHops = tuple[tuple[int, IPAddress], ...]
"""(IP version of the prefixes, their next hop); self for a version that is not in there."""


def next_hops(peer: Peer, node_addresses: Sequence[IPAddress], named: Sequence[IPAddress] = ()) -> NextHops:
    """`node_addresses` are the node's InternalIPs, `named` the operator's (at most one per IP version)."""
    own = {a.version: a for a in reversed(node_addresses) if a.version != peer.address.version}
    return tuple(sorted({**own, **{address.version: address for address in named}}.items()))
