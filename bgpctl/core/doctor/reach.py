"""Which Service addresses nodes announce, and how many of them each. Pure.

Nodes of equal likeness announce the same addresses (`core.intent.fleet`), so one of each is compiled: with
every endpoint on it, so that it shows also the addresses that follow theirs; those are announced where the
endpoints are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from bgpctl.core.doctor.facts import Reach
from bgpctl.core.drain.paths import Announcer
from bgpctl.core.drain.vips import Vip, origin_of, vips
from bgpctl.core.intent.candidates import by_envoy
from bgpctl.core.intent.endpoints import SharedSlice, Slice, backends_of, serving
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.model import Intent
from bgpctl.core.reading.documents import name_of


@dataclass(frozen=True, slots=True)
class _Class:
    """Nodes that are alike: the intent of one of them, were every endpoint there, and their names."""

    intent: Intent
    names: frozenset[str]


def reaches(fleet: Fleet, announcers: Sequence[Announcer], bare: Mapping[str, Intent]) -> tuple[Reach, ...]:
    """Every Service address that one of `announcers` announces, or would if it had an endpoint: of those that
    have none anywhere too (`announcers` 0). `bare` are their intents without Services. Aggregates and
    PodCIDRs are left out."""
    everywhere = replace(fleet, slices=[_here(each) for each in fleet.slices])
    classes = [_class(everywhere, alike) for alike in _alike(fleet, announcers, bare).values()]
    holders = {one.intent.node: one.names for one in classes}
    answering = _Answering(fleet)
    found = vips((one.intent for one in classes), fleet.services, fleet.slices)
    return tuple(_reach(vip, [holders[name] for name in vip.announcers], answering) for vip in found)


def _alike(
    fleet: Fleet, announcers: Sequence[Announcer], bare: Mapping[str, Intent]
) -> dict[Hashable, list[Announcer]]:
    found: dict[Hashable, list[Announcer]] = defaultdict(list)
    for each in announcers:
        likeness = fleet.likeness(each.node, bare[name_of(each.node)], each.opened, each.sessions)
        if likeness is not None:
            found[likeness].append(each)
    return found


def _class(everywhere: Fleet, alike: Sequence[Announcer]) -> _Class:
    one = alike[0]
    intent = carried(everywhere.intent(one.node, one.opened), one.sessions)
    return _Class(intent, frozenset(name_of(each.node) for each in alike))


def _here(each: SharedSlice) -> SharedSlice:
    """As a node sees it that has one of its ready endpoints; of one that has none, as it is."""
    name = next(iter(each.ready), None)
    return each if name is None else replace(each, far=each.seen_from(name), ready={}, leaving={})


class _Answering:
    """How many endpoints can take an address' traffic, wherever they are; Cilium's Envoy counts as one."""

    def __init__(self, fleet: Fleet) -> None:
        self._services = {origin_of(service.key): service for service in fleet.services}
        self._backends = backends_of(Slice(each.service, each.far) for each in fleet.slices)

    def count(self, owner: str, version: int) -> int:
        service = self._services[owner]
        served = self._backends.get(service.key)
        found = None if served is None else serving(served, service.ports)
        usable = 0 if found is None else found.of(version).usable
        return usable + by_envoy(service, found)


def _reach(vip: Vip, holders: Sequence[frozenset[str]], answering: _Answering) -> Reach:
    """The nodes of two classes are not the same ones."""
    names = [vip.ready & some for some in holders] if vip.local else holders
    version = vip.prefix.version
    answers = sum(answering.count(owner, version) for owner in vip.owners)
    count = sum(map(len, names))
    only = next(name for some in names for name in some) if count == 1 else ""
    endpoints = sum(vip.endpoints.values()) if vip.local else answers
    idle = len(vip.ready) - count if vip.local else 0
    return Reach(vip.prefix, vip.owners, vip.local, count, only, endpoints, idle)
