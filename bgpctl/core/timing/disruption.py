"""ECMP: which share of a router's flows moves when a next hop leaves or returns, and which is reset.

A router spreads flows over the N next hops of an address by a hash. When one leaves, its own flows (1/N) have
to move; how many of the others do too depends on the scheme. A router without multipath sends all flows to
one of them: all move, or none. Formulas and measurements: facts/bgp.md 6,
second-look.md 7; each is proved against simulated flows in tests/unit/test_disruption.py. A share is a part
of all flows to the address, between 0 and 1. Pure.

A flow that moved reaches another node. Whether that costs its connection depends on who chooses the endpoint
there, and by what (`Path`): the operation guide's "Mitigation" of "Cilium Agent Down".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.fields import show
from bgpctl.errors import UsageError


class Scheme(StrEnum):
    """How a router maps flows to next hops. `UNKNOWN` is any of them."""

    MODULO = "modulo"  # hash mod N
    HASH_THRESHOLD = "hash-threshold"  # N equal regions (RFC 2992): Linux, most ASICs
    RESILIENT = "resilient"  # fixed buckets; those of a next hop that leaves are given to the others
    RENDEZVOUS = "rendezvous"  # the highest of N hashes
    MAGLEV = "maglev"  # a table of permutations
    SINGLE = "single"  # no multipath: the best path has them all, as most routers do until they are told
    UNKNOWN = "unknown"


class Path(StrEnum):
    """How a flow reaches an endpoint behind the node that the router chose."""

    LOCAL = "Local"  # externalTrafficPolicy Local: an endpoint on that node, no other knows the connection
    SNAT = "Cluster, SNAT"  # the endpoint sees the node's own address: another node is another connection
    DSR = "Cluster, DSR"  # the endpoint sees the client; another node chooses an endpoint at random
    DSR_MAGLEV = "Cluster, DSR and Maglev"  # every node chooses the same endpoint


class Share(NamedTuple):
    """A part of all flows, at best and at worst."""

    best: float
    worst: float


NOTHING = Share(0.0, 0.0)
# What a Maglev table moves beyond what it must, while it has at least 100 entries per next hop: simulated
# with 16,381 entries up to 1.2 % (facts/bgp.md 6).
MAGLEV_COLLATERAL = 0.02
# Of flows that reach another node, those which Maglev there does not lead to the same endpoint: none, as long
# as all nodes know the same endpoints, which they do not for a moment.
MAGLEV_DISAGREEMENT = 0.01


def leaves(scheme: Scheme, next_hops: int, position: int | None = None) -> Share:
    """The share of flows that is moved when one of `next_hops` leaves, its own flows among them. `position`
    is its place (1 … N) in the router's order, which counts for HASH_THRESHOLD only; None = not known. The
    only next hop that there is takes every flow with it."""
    if next_hops < 2:
        return Share(1.0, 1.0)
    own = 1 / next_hops
    match scheme:
        case Scheme.SINGLE:
            return Share(0.0, 1.0)
        case Scheme.MODULO:
            return Share(1 - own, 1 - own)
        case Scheme.HASH_THRESHOLD:
            return _threshold(next_hops, position)
        case Scheme.MAGLEV:
            return Share(own, own + MAGLEV_COLLATERAL)
        case Scheme.RESILIENT | Scheme.RENDEZVOUS:
            return Share(own, own)
    return _any(leaves, next_hops, position)


def returns(scheme: Scheme, next_hops: int, position: int | None = None) -> Share:
    """The share that is moved when it is back, as the last of `next_hops`. Every scheme undoes what it did,
    but the resilient one, which gives buckets back that no flow has used for its idle timer, 1/N at most, and
    a single best path, which may stay where it is."""
    if next_hops < 2:
        return NOTHING
    if scheme is Scheme.RESILIENT:
        return Share(0.0, 1 / next_hops)
    if scheme is Scheme.UNKNOWN:
        return _any(returns, next_hops, position)
    return leaves(scheme, next_hops, position)


def resets(moved: Share, path: Path, endpoints: int | None = None) -> Share:
    """The share of connections that is reset, of a share of flows that is moved. `endpoints`: how many the
    Service has, None = not known. An endpoint that dies with its node is not in here."""
    if path in (Path.LOCAL, Path.SNAT):
        return moved
    if path is Path.DSR_MAGLEV:
        return Share(0.0, moved.worst * MAGLEV_DISAGREEMENT)
    if endpoints is None:
        return Share(0.0, moved.worst)
    other = 1 - 1 / max(endpoints, 1)
    return Share(moved.best * other, moved.worst * other)


def _threshold(next_hops: int, position: int | None) -> Share:
    """RFC 2992: the regions of the others widen, and their borders move."""
    middle = (next_hops + 1) // 2
    best, worst = (middle, 1) if position is None else (position, position)
    return Share(_moved_regions(next_hops, best), _moved_regions(next_hops, worst))


def _moved_regions(n: int, k: int) -> float:
    """1/N, and [(K-1)(K-2) + (N-K)(N-K-1)] / 2N(N-1): an edge moves 1/2, the middle 1/4."""
    return 1 / n + ((k - 1) * (k - 2) + (n - k) * (n - k - 1)) / (2 * n * (n - 1))


def _any(share: Callable[[Scheme, int, int | None], Share], next_hops: int, position: int | None) -> Share:
    found = [share(scheme, next_hops, position) for scheme in Scheme if scheme is not Scheme.UNKNOWN]
    return Share(min(one.best for one in found), max(one.worst for one in found))


def parse_schemes(texts: Sequence[str]) -> Mapping[str, Scheme]:
    """Repeated `--scheme`: "modulo", for every router (its key is ""), or "ADDRESS=modulo", for one. Raises
    UsageError for another scheme or no address."""
    return dict(map(_parsed, texts))


def _parsed(text: str) -> tuple[str, Scheme]:
    address, equals, name = text.rpartition("=")
    known, name = [str(scheme) for scheme in Scheme], name.strip()
    if name.lower() not in known:
        raise UsageError(
            f"--scheme {show(text)}: {show(name)} is no way to hash flows", f"one of: {', '.join(known)}"
        )
    scheme = Scheme(name.lower())
    if not equals:
        return "", scheme
    try:
        return str(parse_zoned(address.strip())), scheme
    except ValueError:
        raise UsageError(
            f"--scheme {show(text)}: {show(address)} is not an IP address",
            "name the router by its peer address",
        ) from None
