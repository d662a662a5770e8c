"""The routes of one peer, by what a failure does to them: those that fare alike are one group. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bgpctl.core.drain.vips import SERVICE, Vip
from bgpctl.core.model import Family, IPAddress, IPNetwork, Route, Session, family_of
from bgpctl.core.timing.failures import RouteClass

Sessions = Mapping[str, IPAddress | None]
"""By router (its address): the node's own address there, None = not known."""


@dataclass(frozen=True, slots=True)
class Group:
    """Routes that fare alike. None = not known: `family`, `prefixes` (how many), `next_hops` (how many nodes
    announce them to this router, this one among them), `position` (this node's place among them by its
    address, 1 …), `elsewhere` (does another node announce them, to whichever router).

    `services`: "namespace/name"; `endpoints`: their ready ones, for `Local` those on the node.
    """

    family: Family | None
    kind: RouteClass
    prefixes: int | None
    next_hops: int | None = None
    position: int | None = None
    elsewhere: bool | None = None
    services: tuple[str, ...] = ()
    endpoints: int | None = None

    @property
    def of_each(self) -> int | None:
        """How many endpoints a Service of it has; of several it is not told apart."""
        return self.endpoints if len(self.services) == 1 else None


class Announced:
    """Who announces which address of a Service, to which router. `vips`: of the nodes that serve; `sessions`:
    those of theirs that are up."""

    def __init__(self, vips: Iterable[Vip], sessions: Mapping[str, Sessions]) -> None:
        self.vips = tuple(vips)
        self._sessions = sessions
        same: dict[frozenset[str], frozenset[str]] = {}
        self._nodes = {vip.prefix: same.setdefault(vip.announcers, vip.announcers) for vip in self.vips}
        self._hops: dict[tuple[int, str], _Hops] = {}

    def elsewhere(self, prefix: IPNetwork, node: str) -> bool:
        """Does another node announce it?"""
        return bool(self._nodes.get(prefix, frozenset()) - {node})

    def next_hops(self, prefix: IPNetwork, router: str, node: str) -> tuple[int, int | None]:
        """How many nodes announce it to the router, `node` among them; its place by their addresses, None =
        not known."""
        nodes = self._nodes.get(prefix, frozenset())
        key = (id(nodes), router)
        hops = self._hops.get(key)
        if hops is None:
            hops = self._hops[key] = _hops(nodes, self._sessions, router)
        if node not in nodes or router not in self._sessions.get(node, {}):
            return hops.count + 1, None
        own = self._sessions[node][router]
        return hops.count, hops.places.get(own) if own is not None else None


@dataclass(frozen=True, slots=True)
class _Hops:
    """How many there are, and the place of each by its address; no places where one has none."""

    count: int
    places: Mapping[IPAddress, int] = field(default_factory=dict)


def _hops(nodes: Iterable[str], sessions: Mapping[str, Sessions], router: str) -> _Hops:
    there = [sessions[node][router] for node in nodes if router in sessions.get(node, {})]
    known = sorted((address for address in there if address is not None), key=lambda a: (a.version, int(a)))
    places = {address: place for place, address in enumerate(known, 1)}
    return _Hops(len(there), places if len(places) == len(there) else {})


@dataclass(frozen=True, slots=True)
class Own:
    """What one node should announce: its name, its routes by peer, and the addresses of Services in them."""

    node: str
    routes: Mapping[str, Mapping[IPNetwork, Route]]
    vips: Mapping[IPNetwork, Vip]

    def grouped(self, peer: str, router: str, announced: Announced) -> tuple[Group, ...]:
        """The routes of `peer`, which is at `router` (its address)."""
        found: dict[Group, list[IPNetwork]] = {}
        for prefix, route in self.routes.get(peer, {}).items():
            found.setdefault(self._likeness(prefix, route, router, announced), []).append(prefix)
        return tuple(sorted((self._counted(alike, some) for alike, some in found.items()), key=_order))

    def _likeness(self, prefix: IPNetwork, route: Route, router: str, announced: Announced) -> Group:
        """The group without what is counted: the routes of equal ones fare alike."""
        family, vip = family_of(prefix), self.vips.get(prefix)
        if not route.origin.startswith(SERVICE):
            return Group(family, RouteClass.POD_CIDR, None, 1, None, elsewhere=False)
        kind = RouteClass.LOCAL if vip and vip.local else RouteClass.CLUSTER
        hops, place = announced.next_hops(prefix, router, self.node)
        return Group(family, kind, None, hops, place, announced.elsewhere(prefix, self.node))

    def _counted(self, alike: Group, prefixes: Sequence[IPNetwork]) -> Group:
        """With how many routes there are, for which Services, with how many endpoints (a Service with several
        addresses has them once)."""
        found = (self.vips[prefix] for prefix in prefixes if prefix in self.vips)
        owners = {vip.owners: self._endpoints(vip) for vip in found}
        names = sorted({owner.removeprefix(SERVICE) for some in owners for owner in some})
        endpoints = sum(owners.values()) if owners else None
        return replace(alike, prefixes=len(prefixes), services=tuple(names), endpoints=endpoints)

    def _endpoints(self, vip: Vip) -> int:
        return vip.endpoints.get(self.node, 0) if vip.local else sum(vip.endpoints.values())


def _order(group: Group) -> tuple[object, ...]:
    return list(RouteClass).index(group.kind), str(group.family), group.next_hops


def untold(session: Session) -> tuple[Group, ...]:
    """Of a stack that does not tell what it announces: by what the session counts, else by its families."""
    counts = session.advertised if session.established else {}
    families = sorted({*counts, *session.families})
    if not families:
        return (Group(None, RouteClass.UNKNOWN, None),)
    return tuple(Group(family, RouteClass.UNKNOWN, counts.get(family)) for family in families)
