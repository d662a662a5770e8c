"""Who else announces what one node announces? Answered without compiling every node of a large cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any

from bgpctl.core.drain.vips import Vip, origin_of, vips
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.model import Intent, Session
from bgpctl.core.reading.documents import name_of

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Announcer:
    """A node whose speaker is there: whether it announced before (`core.intent.gates`), and its sessions by
    peer."""

    node: Document
    opened: bool
    sessions: Mapping[str, Session]


def beside(
    fleet: Fleet, own: Announcer, others: Sequence[Announcer]
) -> tuple[tuple[Vip, ...], frozenset[str]]:
    """The addresses that `own` announces, each with one other announcer at least where there is any; and the
    names of those among `others` that a policy selects."""
    bare = [(other, fleet.bare(other.node, other.opened)) for other in others]
    alike: dict[Hashable, Announcer] = {}
    for other, intent in bare:
        alike.setdefault(fleet.likeness(other.node, intent, other.opened, other.sessions), other)
    intents = [_sent(fleet, each) for each in (own, *alike.values())]
    found = vips(intents, fleet.services, fleet.slices)
    if more := list(_of_the_lonely(fleet, name_of(own.node), found, others)):
        found = vips([*intents, *more], fleet.services, fleet.slices)
    return found, frozenset(name_of(other.node) for other, intent in bare if intent.selected)


def announcers(fleet: Fleet, every: Sequence[Announcer]) -> tuple[Vip, ...]:
    """The addresses of Services that these announce, each with all that do: as `vips` of all their intents
    has it. Of those that are alike one is compiled, as if it had no endpoint, for what all of them announce;
    what follows its endpoints is looked for where those are."""
    alike: dict[Hashable, list[Announcer]] = {}
    for each in every:
        bare = fleet.bare(each.node, each.opened)
        likeness = fleet.likeness(each.node, bare, each.opened, each.sessions)
        if likeness is not None:
            alike.setdefault(likeness, []).append(each)
    distant = [replace(each, ready={}, leaving={}) for each in fleet.slices]
    far = Fleet(fleet.objects, fleet.services, distant, fleet.cilium_nodes)
    names = {name_of(some[0].node): [name_of(each.node) for each in some] for some in alike.values()}
    firsts = (_sent(far, some[0]) for some in alike.values())

    @cache
    def whole(some: frozenset[str]) -> frozenset[str]:
        """One set for all addresses that the same nodes announce: nodes x Services would be gigabytes."""
        return frozenset(chain(*(names[name] for name in some)))

    found = {
        vip.prefix: replace(vip, announcers=whole(vip.announcers))
        for vip in vips(firsts, fleet.services, fleet.slices)
    }
    for vip in _following(fleet, every):
        same = found.get(vip.prefix)
        found[vip.prefix] = _joined(same, vip) if same else vip
    return tuple(found.values())


def _following(fleet: Fleet, every: Sequence[Announcer]) -> tuple[Vip, ...]:
    """The addresses of the Services that have any which follow their endpoints."""
    local = [service for service in fleet.services if service.local]
    keys = {service.key for service in local}
    near = fleet.with_endpoints(keys)
    slices = [each for each in fleet.slices if each.service in keys]
    apart = Fleet(fleet.objects, local, slices, fleet.cilium_nodes)
    intents = (_sent(apart, each) for each in every if name_of(each.node) in near)
    return vips(intents, local, slices)


def _joined(one: Vip, other: Vip) -> Vip:
    """Several Services own the address, and not all of them follow their endpoints."""
    endpoints = Counter(one.endpoints)
    if not set(other.owners) <= set(one.owners):
        endpoints.update(other.endpoints)
    owners = tuple(dict.fromkeys((*one.owners, *other.owners)))
    every = one.announcers if other.announcers <= one.announcers else one.announcers | other.announcers
    return replace(one, owners=owners, announcers=every, endpoints=endpoints)


def _of_the_lonely(
    fleet: Fleet, name: str, found: Sequence[Vip], others: Sequence[Announcer]
) -> Iterator[Intent]:
    """An address that only `name` seems to announce may follow its endpoints to nodes that are otherwise like
    those that were asked: ask the nodes that have one, until each is found."""
    lonely = {vip.prefix: vip for vip in found if vip.announcers == {name} and not (vip.local and vip.ready)}
    owners = {owner for vip in lonely.values() for owner in vip.owners}
    nodes = fleet.with_endpoints(s.key for s in fleet.services if origin_of(s.key) in owners)
    for other in others:
        if lonely and name_of(other.node) in nodes:
            intent = _sent(fleet, other)
            sent = set().union(*intent.routes.values())
            lonely = {prefix: vip for prefix, vip in lonely.items() if prefix not in sent}
            yield intent


def _sent(fleet: Fleet, asked: Announcer) -> Intent:
    """Without what no router was ever sent, because its session cannot carry it."""
    return carried(fleet.intent(asked.node, asked.opened), asked.sessions)
