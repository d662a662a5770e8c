"""ECMP: every formula against flows that are hashed one by one, by each scheme as routers do it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from bgpctl.core.timing.disruption import Path, Scheme, Share, leaves, parse_schemes, resets, returns
from bgpctl.errors import UsageError

FLOWS = 20_000
ENTRIES = 16_381  # of Cilium's Maglev table
BUCKETS = 2_520  # divisible by every number of next hops up to 10
Chosen = Sequence[int]
"""The next hop of each flow."""


@cache
def spread(text: str) -> int:
    """A good hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


HASHES = [spread(f"flow {number}") for number in range(FLOWS)]
SPACE = 2**64


def modulo(hops: Sequence[int]) -> Chosen:
    return [hops[flow % len(hops)] for flow in HASHES]


def threshold(hops: Sequence[int]) -> Chosen:
    return [hops[flow * len(hops) // SPACE] for flow in HASHES]


def rendezvous(hops: Sequence[int]) -> Chosen:
    return [max(hops, key=lambda hop: spread(f"{flow} {hop}")) for flow in HASHES[:4000]]


@cache
def maglev_table(hops: tuple[int, ...]) -> list[int]:
    """As Cilium and the paper of 2016 fill it: each in turn takes the next free entry of its permutation."""
    offsets = {hop: spread(f"offset {hop}") % ENTRIES for hop in hops}
    skips = {hop: spread(f"skip {hop}") % (ENTRIES - 1) + 1 for hop in hops}
    table, place, filled = [-1] * ENTRIES, dict(offsets), 0
    while True:
        for hop in hops:
            while table[place[hop]] >= 0:
                place[hop] = (place[hop] + skips[hop]) % ENTRIES
            table[place[hop]] = hop
            filled += 1
            if filled == ENTRIES:
                return table


def maglev(hops: Sequence[int]) -> Chosen:
    table = maglev_table(tuple(hops))
    return [table[flow % ENTRIES] for flow in HASHES]


def differ(one: Chosen, other: Chosen) -> float:
    return sum(a != b for a, b in zip(one, other, strict=True)) / len(one)


CHOOSE: dict[Scheme, Callable[[Sequence[int]], Chosen]] = {
    Scheme.MODULO: modulo,
    Scheme.HASH_THRESHOLD: threshold,
    Scheme.RENDEZVOUS: rendezvous,
    Scheme.MAGLEV: maglev,
}
SIZES = [2, 3, 4, 5, 8, 10]


@pytest.mark.parametrize("scheme", CHOOSE)
@pytest.mark.parametrize("size", SIZES)
def test_a_next_hop_leaves_and_returns(scheme: Scheme, size: int) -> None:
    hops, choose = list(range(1, size + 1)), CHOOSE[scheme]
    before = choose(hops)
    for position in {1, (size + 1) // 2, size}:
        after = choose([hop for hop in hops if hop != position])
        seen = differ(before, after)
        for said in (leaves(scheme, size, position), returns(scheme, size, position)):
            assert said.best - 0.02 <= seen <= said.worst + 0.02, position
        assert leaves(scheme, size).best - 0.02 <= seen <= leaves(scheme, size).worst + 0.02
        assert leaves(Scheme.UNKNOWN, size).worst + 0.02 >= seen >= leaves(Scheme.UNKNOWN, size).best - 0.02


@pytest.mark.parametrize("size", [50, 160])
def test_a_maglev_table_with_a_hundred_entries_for_each(size: int) -> None:
    hops = list(range(1, size + 1))
    seen = differ(maglev_table(tuple(hops)), maglev_table(tuple(hops[1:])))
    said = leaves(Scheme.MAGLEV, size)
    assert said.best - 0.001 <= seen <= said.worst


@pytest.mark.parametrize("size", SIZES)
def test_resilient_buckets(size: int) -> None:
    """Those of who leaves go to the others in turn; when it is back, idle ones until all have the same."""
    hops = list(range(size))
    before = [hops[bucket % size] for bucket in range(BUCKETS)]
    left, gone = list(before), [bucket for bucket in range(BUCKETS) if before[bucket] == 0]
    for number, bucket in enumerate(gone):
        left[bucket] = hops[1 + number % (size - 1)]
    assert differ(before, left) == pytest.approx(leaves(Scheme.RESILIENT, size).best)
    for idle in (0, BUCKETS // size // 2, BUCKETS // size):
        back, owed = list(left), idle
        for bucket in range(BUCKETS):
            if owed and left[bucket] != 0 and left.count(left[bucket]) > BUCKETS // size:
                back[bucket], owed = 0, owed - 1
        said = returns(Scheme.RESILIENT, size)
        assert said.best <= differ(left, back) <= said.worst + 1e-9


def test_as_measured_in_the_linux_kernel() -> None:
    """facts/bgp.md 6, 6000 flows."""
    for (size, position), seen in {
        (4, 1): 0.491, (4, 2): 0.331, (4, 4): 0.509,
        (8, 1): 0.496, (8, 4): 0.276, (8, 8): 0.504,
        (16, 1): 0.499, (16, 8): 0.264, (16, 16): 0.501,
    }.items():  # fmt: skip
        assert leaves(Scheme.HASH_THRESHOLD, size, position).worst == pytest.approx(seen, abs=0.012)


def test_a_router_without_multipath() -> None:
    """The best path has every flow: by the lowest address it moves back, by the oldest route it stays."""
    for size in SIZES:
        hops = list(range(size))
        seen = {differ([min(hops)] * FLOWS, [min(set(hops) - {gone})] * FLOWS) for gone in hops}
        assert seen == set(leaves(Scheme.SINGLE, size))
        oldest = differ([1] * FLOWS, [1] * FLOWS)
        assert {oldest, differ([1] * FLOWS, [0] * FLOWS)} == set(returns(Scheme.SINGLE, size))


@pytest.mark.parametrize("endpoints", [1, 2, 5])
@pytest.mark.parametrize("scheme", CHOOSE)
def test_connections_when_a_next_hop_leaves_and_returns(scheme: Scheme, endpoints: int) -> None:
    """Every flow is a connection, and the node that gets it knows only its own. Of the others: the pod of a
    Local Service resets them, and behind SNAT every endpoint; with DSR the endpoint that the node chooses
    does, unless it is the same by chance, or by a table that all nodes share."""
    size, position = 5, 2
    hops, choose = list(range(1, size + 1)), CHOOSE[scheme]
    first, second = choose(hops), choose([hop for hop in hops if hop != position])

    def answers(path: Path, flow: int, hop: int) -> int:
        """Who has the flow, where the router sends it to this next hop."""
        match path:
            case Path.DSR:
                return spread(f"{flow} at {hop}") % endpoints
            case Path.DSR_MAGLEV:
                return flow % endpoints
        return hop

    for share, (was, now) in {leaves: (first, second), returns: (second, first)}.items():
        for path in Path:
            seen = sum(
                answers(path, flow, one) != answers(path, flow, other)
                for flow, (one, other) in enumerate(zip(was, now, strict=True))
            ) / len(was)
            said = resets(share(scheme, size, position), path, endpoints)
            assert said.best - 0.02 <= seen <= said.worst + 0.02, (share, path)


def test_the_only_next_hop() -> None:
    for scheme in Scheme:
        assert leaves(scheme, 1) == (1.0, 1.0)
        assert returns(scheme, 1) == (0.0, 0.0)


def test_an_unknown_scheme_spans_all_of_them() -> None:
    """Of which one is no multipath at all: then all flows are this next hop's, or none is."""
    assert leaves(Scheme.UNKNOWN, 8) == returns(Scheme.UNKNOWN, 8) == (0.0, 1.0)
    assert leaves(Scheme.HASH_THRESHOLD, 8) == (leaves(Scheme.HASH_THRESHOLD, 8, 4).best, 0.5)


@pytest.mark.parametrize("endpoints", [1, 2, 5])
def test_what_a_moved_flow_costs(endpoints: int) -> None:
    """A node that does not know a connection chooses an endpoint: by chance, or by a table that all share."""
    moved = Share(0.25, 0.5)
    chosen = [spread(f"endpoint of {flow}") % endpoints for flow in range(FLOWS)]
    again = [spread(f"other node's endpoint of {flow}") % endpoints for flow in range(FLOWS)]
    other = differ(chosen, again)
    assert resets(moved, Path.LOCAL, endpoints) == moved
    assert resets(moved, Path.SNAT, endpoints) == moved
    said = resets(moved, Path.DSR, endpoints)
    assert said.best == pytest.approx(0.25 * other, abs=0.01)
    assert said.worst == pytest.approx(0.5 * other, abs=0.01)
    assert resets(moved, Path.DSR) == (0.0, 0.5), "one endpoint resets nothing, many nearly all"
    assert resets(moved, Path.DSR_MAGLEV) == (0.0, 0.005)


def test_schemes_as_they_are_typed() -> None:
    assert parse_schemes(["modulo", "192.0.2.1=Resilient"]) == {
        "": Scheme.MODULO,
        "192.0.2.1": Scheme.RESILIENT,
    }
    assert parse_schemes([" Modulo ", " 192.0.2.1 = resilient "]) == {
        "": Scheme.MODULO,
        "192.0.2.1": Scheme.RESILIENT,
    }
    assert parse_schemes(["2001:DB8::1=maglev"]) == {"2001:db8::1": Scheme.MAGLEV}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("crc", '--scheme "crc": "crc" is no way to hash flows', "one of: modulo, hash-threshold"),
        ("192.0.2.1=", '--scheme "192.0.2.1=": "" is no way to hash flows', "one of: modulo"),
        (
            "tor=modulo",
            '--scheme "tor=modulo": "tor" is not an IP address',
            "name the router by its peer address",
        ),
    ],
)
def test_schemes_that_are_none(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_schemes([text])
    assert told.value.message == message
    assert told.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("endpoints", "best", "worst"),
    [(0, 0.0, 0.0), (1, 0.0, 0.0), (2, 0.25, 0.5), (4, 0.375, 0.75), (None, 0.0, 1.0)],
)
def test_connections_that_reach_another_endpoint_are_reset(
    endpoints: int | None, best: float, worst: float
) -> None:
    """With one endpoint every node sends to that, with none there is no connection."""
    assert resets(Share(0.5, 1.0), Path.DSR, endpoints) == Share(best, worst)
