"""Who else announces what one node announces? Answered without compiling every node of a large cluster."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
