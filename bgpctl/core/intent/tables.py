"""Tables of thousands of routes, compared at every change. Pure.

A prefix computes its hash in Python, and a `set` or a `dict` that is made of a plain dict takes over the
hashes that are in there. So what is compared is always the plain dict of a table (`RouteTable.wire`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from bgpctl.core.model import Attributes, IPNetwork, Route, RouteTable

Table = Mapping[IPNetwork, Route]
Announced = Mapping[IPNetwork, Attributes]

FEW = 1000
"""So many new prefixes are found among all quicker than all are looked at."""


class Change(NamedTuple):
    """What makes of what is announced what is wanted: prefixes that go, and those that come or change."""

    gone: Collection[IPNetwork]
    come: Announced


SAME = Change((), {})


def keys_of(table: Table) -> Mapping[IPNetwork, object]:
    """The prefixes of a table, as the keys of a dict that sets are made of quickly."""
    return table.wire if isinstance(table, RouteTable) else table


def change(table: Table, announced: Announced) -> Change:
    """From `announced` to `table`."""
    wanted = _wire(table)
    if wanted == announced:
        return SAME
    gone = set(announced).difference(wanted)
    more = len(wanted) > len(announced) - len(gone)
    new = set(wanted).difference(announced) if more else set[IPNetwork]()
    if len(new) <= FEW:
        kept = dict(announced)
        for prefix in gone:
            del kept[prefix]
        come = {prefix: wanted[prefix] for prefix in in_order(new)}
        kept |= come
        if kept == wanted:
            return Change(gone, come)
    return Change(gone, {p: own for p, own in wanted.items() if p in new or announced[p] != own})


def gone(before: Iterable[Table], now: Iterable[Table]) -> set[IPNetwork]:
    """The prefixes that were in one of the tables, and are in none."""
    return set[IPNetwork]().union(*map(keys_of, before)).difference(*map(keys_of, now))


def without(table: Table, held: Collection[IPNetwork]) -> Table:
    """The same but for these prefixes."""
    routes, wire = dict(table), dict(_wire(table))
    for prefix in held:
        routes.pop(prefix, None)
        wire.pop(prefix, None)
    return RouteTable(routes, wire)


def in_order(prefixes: Collection[IPNetwork]) -> tuple[IPNetwork, ...]:
    """By IP version and address."""
    return tuple(sorted(prefixes, key=lambda prefix: (prefix.version, prefix)))


def _wire(table: Table) -> Announced:
    if isinstance(table, RouteTable):
        return table.wire
    return {prefix: route.attributes for prefix, route in table.items()}
