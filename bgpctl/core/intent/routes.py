"""Candidates and what each peer is told to advertise -> routes and absences, each with its reason.

Peers with equal advertisements share one table: the same dict and the same Route objects. An address that
several Services own is one route and stays until the last owner goes; its attributes are the union of the
owners' (communities) and the largest local preference, as Cilium merges overlapping advertisements since
1.18 (facts: cilium.md section 2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import NamedTuple

from bgpctl.core.intent.candidates import Batch
from bgpctl.core.intent.compile_cache import Earlier, Memo
from bgpctl.core.intent.nexthops import NextHops
from bgpctl.core.intent.services import FAMILY_NOT_CONFIGURED, NO_MATCHING_ADVERTISEMENT, Candidate
from bgpctl.core.intent.tables import Table, keys_of
from bgpctl.core.model import NO_ATTRIBUTES, Absent, Attributes, IPNetwork, Route, RouteTable, family_of
from bgpctl.core.policy.nodeconfig import Advertisement, AttributeRule, FamilyConfig, PeerConfig, Source
from bgpctl.core.policy.pools import Pools


@dataclass(frozen=True, slots=True)
class Routes:
    """`tables` by peer name; `absent` has peer "" where it holds for every peer."""

    tables: Mapping[str, Table]
    absent: tuple[Absent, ...]


def compile_routes(
    peers: Sequence[tuple[PeerConfig, NextHops]],
    batches: Sequence[Batch],
    pools: Pools,
    memo: Memo | None = None,
) -> Routes:
    """What every peer gets and does not get."""
    memo = memo or Memo()
    before, groups = memo.results("routes", pools), dict[_Identity, _Group]()
    names: dict[_Identity, list[str]] = {}
    for peer, hops in peers:
        same = (peer.families, peer.rules, hops)
        groups[same] = before.get(same) or groups.get(same) or _Group(*same, pools)
        names.setdefault(same, []).append(peer.name)
    memo.keep("routes", pools, groups)
    tables: dict[str, Table] = {}
    absences: list[tuple[list[str], list[Absent | None]]] = []
    for same, group in groups.items():
        table, absent = group.compile(batches)
        tables.update(dict.fromkeys(names[same], table))
        absences.append((names[same], absent))
    return Routes(tables, tuple(_merged(absences, memo)))


def _merged(absences: Sequence[tuple[list[str], list[Absent | None]]], memo: Memo) -> Iterator[Absent]:
    """What is absent for every group once, the rest per peer. One item, or None, per group and candidate."""
    if len(absences) == 1:
        yield from filter(None, absences[0][1])
        return
    peers = [names for names, _ in absences]
    before: dict[int, tuple[Absent, list[Absent]]] = memo.results("absent", peers)
    now: dict[int, tuple[Absent, list[Absent]]] = {}
    for row in zip(*(absent for _, absent in absences), strict=True):
        if row.count(row[0]) == len(row):
            if row[0] is not None:
                yield row[0]
            continue
        for names, item in zip(peers, row, strict=True):
            if item is not None:
                told = before.get(id(item)) or (item, [replace(item, peer=name) for name in names])
                now[id(item)] = told
                yield from told[1]
    memo.keep("absent", peers, now)


class _Judged(NamedTuple):
    """What one candidate comes to: routes, or a reason for none."""

    candidate: Candidate
    routes: tuple[Route, ...]
    absent: Absent | None


class _Part(NamedTuple):
    """What one batch comes to: its routes by prefix where no two have the same, and what is absent; `missing`
    has the prefixes of that."""

    batch: Batch
    judged: Mapping[int, _Judged]
    table: Table
    wire: Mapping[IPNetwork, Attributes]
    shared: bool
    absent: Sequence[Absent | None]
    missing: frozenset[IPNetwork]


_Identity = tuple[tuple[FamilyConfig, ...], tuple[AttributeRule, ...], NextHops]


class _Group:
    """Compiles one table: the peers that share families, advertisements, attribute rules and next hops."""

    def __init__(
        self,
        families: tuple[FamilyConfig, ...],
        rules: tuple[AttributeRule, ...],
        hops: NextHops,
        pools: Pools,
    ) -> None:
        self.by_family = {config.family: config.advertisements for config in families}
        self.all = tuple(dict.fromkeys(a for config in families for a in config.advertisements))
        self.rules = rules
        self.hops = {version: (Attributes(next_hop=address),) for version, address in hops}
        self.pools = pools
        self._aggregating = any(a.aggregation != (None, None) for a in self.all)
        self._joined: dict[tuple[Attributes, ...], Attributes] = {}
        self._parts: Sequence[_Part] = ()
        self._made: RouteTable | None = None  # of these parts, where no two have the same prefix

    def compile(self, batches: Sequence[Batch]) -> tuple[Table, list[Absent | None]]:
        """The table, and for each candidate why it is not in there. Batches that were compiled the last time
        are not looked at again."""
        earlier = Earlier({place: part.judged for place, part in enumerate(self._parts)})
        before, self._parts = self._parts, [self._part(*each, earlier) for each in enumerate(batches)]
        table = self._table(before)
        absent = list(chain.from_iterable(part.absent for part in self._parts))
        missing = frozenset[IPNetwork]().union(*(part.missing for part in self._parts))
        if missing and (announced := set(keys_of(table)).intersection(missing)):
            absent = [None if item is None or item.prefix in announced else item for item in absent]
        return table, absent

    def _part(self, place: int, batch: Batch, earlier: Earlier[_Judged]) -> _Part:
        kept = self._parts[place] if place < len(self._parts) else None
        if kept is not None and kept.batch is batch:
            return kept
        known = earlier.of(place, batch.candidates)
        judged = {id(c): known.get(id(c)) or self._judge(c) for c in batch.candidates}
        routes = [route for each in batch.candidates for route in judged[id(each)].routes]
        table = {route.prefix: route for route in routes}
        absent = [judged[id(each)].absent for each in batch.candidates]
        missing = frozenset(each.prefix for each in absent if each is not None and each.prefix is not None)
        wire = {prefix: route.attributes for prefix, route in table.items()}
        return _Part(batch, judged, table, wire, len(table) < len(routes), absent, missing)

    def _table(self, before: Sequence[_Part]) -> Table:
        """Of all parts: the last table, with the routes of the parts that changed since."""
        pairs = list(zip_longest(before if self._made else (), self._parts))
        changed = [(old, new) for old, new in pairs if old is not new]
        if self._made and not changed:
            return self._made
        table = dict[IPNetwork, Route](self._made or {})
        wire = dict[IPNetwork, Attributes](self._made.wire if self._made else {})
        for prefix in chain.from_iterable(old.table for old, _ in changed if old):
            table.pop(prefix, None)
            wire.pop(prefix, None)
        for part in (new for _, new in changed if new):
            table.update(part.table)
            wire.update(part.wire)
        self._made = None
        if len(table) < sum(len(part.table) for part in self._parts) or any(p.shared for p in self._parts):
            return self._table_of_shared()
        self._made = RouteTable(table, wire)
        return self._made

    def _table_of_shared(self) -> Table:
        """The same where several owners have one prefix."""
        table: dict[IPNetwork, Route] = {}
        shared: dict[IPNetwork, list[Route]] = {}
        judged = (part.judged[id(each)] for part in self._parts for each in part.batch.candidates)
        for route in chain.from_iterable(each.routes for each in judged):
            other = table.setdefault(route.prefix, route)
            if other is not route:
                shared.setdefault(route.prefix, [other]).append(route)
        table.update((prefix, self._shared(routes)) for prefix, routes in shared.items())
        return table

    def _judge(self, candidate: Candidate) -> _Judged:
        matching = [a for a in self._advertisements(candidate) if matches(a, candidate)]
        reason, detail = self._verdict(candidate, matching)
        if reason or candidate.prefix is None:
            return _Judged(candidate, (), Absent(candidate.origin, candidate.prefix, reason, detail))
        shown = self._prefixes(candidate, candidate.prefix, matching)
        routes = tuple(self._route(prefix, candidate, meant) for prefix, meant in shown)
        return _Judged(candidate, routes, None)

    def _prefixes(
        self, candidate: Candidate, prefix: IPNetwork, matching: list[Advertisement]
    ) -> Iterable[tuple[IPNetwork, list[Advertisement]]]:
        """What is announced for the candidate, and by which advertisements: its own prefix, or the shorter
        ones that they ask for (only where every node that announces them can answer for all of it)."""
        if not self._aggregating or not candidate.aggregable:
            return ((prefix, matching),)
        found: dict[IPNetwork, list[Advertisement]] = {}
        for advertisement in matching:
            length = advertisement.aggregation[prefix.version == 6]
            shown = prefix if length is None else prefix.supernet(new_prefix=length)
            found.setdefault(shown, []).append(advertisement)
        return found.items()

    def _advertisements(self, candidate: Candidate) -> tuple[Advertisement, ...]:
        if candidate.prefix is None:
            return self.all
        return self.by_family.get(family_of(candidate.prefix), self.all)

    def _verdict(self, candidate: Candidate, matching: Sequence[Advertisement]) -> tuple[str, str]:
        if not matching:
            return NO_MATCHING_ADVERTISEMENT, self._elsewhere(candidate) or _unmatched(self.all, candidate)
        if candidate.reason:
            return candidate.reason, candidate.detail
        if candidate.prefix is not None and family_of(candidate.prefix) not in self.by_family:
            configured = ", ".join(str(family) for family in self.by_family)
            return FAMILY_NOT_CONFIGURED, (
                f"the peer's families ({configured}) do not have {family_of(candidate.prefix)}"
            )
        return "", ""

    def _elsewhere(self, candidate: Candidate) -> str:
        """That it is meant by the advertisements of other families only; "" = by none."""
        found = (str(f) for f, some in self.by_family.items() if any(matches(a, candidate) for a in some))
        families = ", ".join(found)
        return (
            f"only advertisements of {families} mean it, by its family none is selected" if families else ""
        )

    def _route(self, prefix: IPNetwork, candidate: Candidate, matching: Sequence[Advertisement]) -> Route:
        attributes = self._attributes(prefix, candidate, matching)
        return Route(prefix, attributes, candidate.origin, candidate.detail)

    def _shared(self, routes: Sequence[Route]) -> Route:
        """The one route to a prefix that several owners have; of one owner that has it twice, its own."""
        first, owners = routes[0], dict.fromkeys(route.origin for route in routes)
        joined = self._join(tuple(dict.fromkeys(route.attributes for route in routes)))
        why = f"{len(owners)} owners share the address; {first.origin}: {first.why}"
        return Route(first.prefix, joined, ", ".join(owners), why if len(owners) > 1 else first.why)

    def _attributes(
        self, prefix: IPNetwork, candidate: Candidate, matching: Sequence[Advertisement]
    ) -> Attributes:
        own = tuple(a.attributes for a in matching if a.attributes is not NO_ATTRIBUTES)
        ruled = tuple(rule.attributes for rule in self.rules if self._applies(rule, prefix, candidate))
        return self._join(own + ruled + self.hops.get(prefix.version, ()))

    def _applies(self, rule: AttributeRule, prefix: IPNetwork, candidate: Candidate) -> bool:
        if rule.source in (Source.POD_CIDR, Source.POD_POOL):
            # PodCIDR: Cilium matches the CiliumNode's labels, which are the Node's.
            return candidate.source is rule.source and (
                rule.selector is None or rule.selector.matches(candidate.labels)
            )
        return self.pools.select(rule.selector, prefix, candidate.kind)

    def _join(self, parts: tuple[Attributes, ...]) -> Attributes:
        joined = self._joined.get(parts)
        if joined is None:
            joined = self._joined[parts] = join(parts)
        return joined


def matches(advertisement: Advertisement, candidate: Candidate) -> bool:
    """Does this advertisement mean this candidate? No selector means no Service and no pool."""
    if candidate.source is not advertisement.source:
        return False
    if candidate.source in (Source.POD_CIDR, Source.INTERFACE):
        return candidate.interface == advertisement.interface
    if candidate.source is Source.SERVICE and candidate.kind not in advertisement.addresses:
        return False
    return advertisement.selector is not None and advertisement.selector.matches(candidate.labels)


def join(parts: Sequence[Attributes]) -> Attributes:
    """Union of the communities, largest local preference; nothing gives NO_ATTRIBUTES."""
    preferences = [part.local_preference for part in parts if part.local_preference is not None]
    joined = Attributes(
        next_hop=next((part.next_hop for part in parts if part.next_hop), None),
        communities=frozenset[str]().union(*(part.communities for part in parts)),
        large_communities=frozenset[str]().union(*(part.large_communities for part in parts)),
        local_preference=max(preferences, default=None),
    )
    return NO_ATTRIBUTES if joined == NO_ATTRIBUTES else joined


def _unmatched(advertisements: Sequence[Advertisement], candidate: Candidate) -> str:
    """Why no advertisement means the candidate, in one sentence."""
    if not advertisements:
        return "no advertisement is selected for this peer: nothing is advertised"
    if candidate.source is Source.POD_CIDR:
        return "the policy does not export PodCIDRs to this peer"
    if candidate.source is Source.INTERFACE:
        return f"no advertisement names interface {candidate.interface} to this peer for this IP version"
    selectors = [a for a in advertisements if a.source is candidate.source and a.selector is not None]
    what, all_of_them = ("pool", "pool") if candidate.source is Source.POD_POOL else ("service", "Service")
    if not selectors:
        return f"no {what} selector is set for this peer: no {all_of_them} is advertised"
    for advertisement in selectors:
        if candidate.kind and advertisement.selector and advertisement.selector.matches(candidate.labels):
            types = ", ".join(sorted(advertisement.addresses))
            return f"{candidate.kind} is not among the advertised address types ({types})"
    shown = " or ".join(f'"{a.selector}"' for a in selectors)
    return f"its labels do not match the {what} selector {shown}"
