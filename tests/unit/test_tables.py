"""Tables compared as a whole give what a look at each route gives, and no look costs a hash of its own."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core import model
from bgpctl.core.intent import tables
from bgpctl.core.intent.endpoints import NO_PART, Backends, Count, Part, merged, merged_after, moved
from bgpctl.core.model import Attributes, IPNetwork, Route, RouteTable, host_network
from tests.bench.bench_tick import Cluster

PREFIXES = [host_network(IPv4Address("203.0.113.0") + n) for n in range(6)]
ATTRIBUTES = [Attributes(local_preference=n) for n in range(2)]
RIBS = st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from(ATTRIBUTES))


def table(rib: dict[IPNetwork, Attributes], plain: bool = False) -> tables.Table:
    routes = {prefix: Route(prefix, own) for prefix, own in rib.items()}
    return routes if plain else RouteTable(routes, rib)


@given(RIBS, RIBS, st.booleans(), st.sampled_from([0, 1, 1000]))
def test_a_change_makes_one_of_the_other(
    wanted: dict[Any, Any], had: dict[Any, Any], plain: bool, few: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "FEW", few)
        found = tables.change(table(wanted, plain), had)
    assert set(found.gone) == had.keys() - wanted.keys()
    assert found.come == {prefix: own for prefix, own in wanted.items() if had.get(prefix) != own}


@given(RIBS, st.sets(st.sampled_from(PREFIXES)), st.booleans())
def test_what_is_held_is_in_neither_half_of_a_table(rib: dict[Any, Any], held: set[Any], plain: bool) -> None:
    kept = {prefix: own for prefix, own in rib.items() if prefix not in held}
    found = tables.without(table(rib, plain), held)
    assert isinstance(found, RouteTable)
    assert found.wire == kept and {p: route.attributes for p, route in found.items()} == kept


@given(st.lists(RIBS, max_size=3), st.lists(RIBS, max_size=3))
def test_gone_is_what_is_in_no_table_any_more(before: list[Any], now: list[Any]) -> None:
    def prefixes(ribs: Iterable[Any]) -> set[Any]:
        return {prefix for rib in ribs for prefix in rib}

    found = tables.gone(map(table, before), (table(rib, plain=True) for rib in now))
    assert found == prefixes(before) - prefixes(now)


KEYS = st.sampled_from([("default", name) for name in "abcd"])
SERVED = st.integers(1, 3).map(lambda n: (((), Backends(Count(n))),))
PARTS = st.dictionaries(KEYS, SERVED, max_size=2)


@given(st.lists(PARTS, max_size=4), st.lists(st.integers(0, 3) | PARTS, max_size=4))
def test_backends_are_merged_as_from_scratch(before: list[Part], steps: list[Any]) -> None:
    """A number stands for one of the groups that were there before."""
    now = [before[s] if isinstance(s, int) and s < len(before) else s for s in steps]
    now = [{} if isinstance(part, int) else part for part in now]
    assert merged_after(before, merged(before), now) == merged(now)
    pairs = list(zip_longest(before, now, fillvalue=NO_PART))
    assert moved(before, now) == {key for a, b in pairs if a is not b for key in (*a, *b)}
    assert moved(before, list(before)) == set()


# --- what a tick costs ------------------------------------------------------------------------------------


def hashes(services: int, patch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Hashes that are asked of prefixes, each a call into Python, by a tick with a change and one without."""
    cluster, counted = Cluster(services), [0]
    plain = model._HashedOnce.__hash__

    def counting(prefix: Any) -> int:
        counted[0] += 1
        return plain(prefix)

    with patch.context() as inner:
        inner.setattr(model._HashedOnce, "__hash__", counting)
        cluster.address(7, given=False)
        cluster.tick()
        changed, counted[0] = counted[0], 0
        cluster.tick()
        return changed, counted[0]


def test_a_tick_hashes_no_more_prefixes_where_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 ms of a change with 20,000 Services were hashes: sets were made of a class of dict of our own."""
    few, many = hashes(512, monkeypatch), hashes(2048, monkeypatch)
    assert few[1] == many[1] == 0, "nothing changed"
    assert 0 < many[0] <= few[0] + 16, (few, many)
