"""EndpointSlices: how many endpoints of a Service there are, can take traffic, and do so on one node.

Only counts are kept: an endpoint that moves between two other nodes, or changes its address, changes nothing.
Backends are counted per address family, as a v6 address is served by v6 endpoints only, and per names of
ports, as a port of a Service leads to the ports of the same name only.

An endpoint is ready when its slice says so (nil is ready, as the EndpointSlice API says). One that is
terminating and still serving can take traffic too, where no other can: kube-proxy sends it there (KEP-1669).

Cilium's Gateway and Ingress Services have no endpoint but a dummy: its Envoy, on every node, answers for them
(Cilium's `isIngressDummyEndpoint`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from bgpctl.core.reading.documents import MALFORMED, fault_in, name_of, namespace_of

SERVICE_NAME_LABEL = "kubernetes.io/service-name"

ENVOY_DUMMY = "192.192.192.192"
ENVOY_DUMMY_PORT = 9999

Key = tuple[str, str]
"""(namespace, name) of a Service."""

Ports = tuple[str, ...]
"""The names of the ports of a Service or of a slice; () = any, because there are none or one has no name."""


class Count(NamedTuple):
    """Endpoints of one IP version: all; those that can take traffic; of the ready ones those on the node and
    those on other nodes; those on the node that are terminating and still serve."""

    total: int = 0
    usable: int = 0
    here: int = 0
    elsewhere: int = 0
    leaving: int = 0

    def plus(self, other: Count) -> Count:
        return Count(*(one + more for one, more in zip(self, other, strict=True)))


class Backends(NamedTuple):
    """What EndpointSlices of one Service say, by IP version. `dummy`: Cilium's endpoint is among them."""

    v4: Count = Count()
    v6: Count = Count()
    dummy: bool = False

    def of(self, version: int) -> Count:
        """`version` as `ipaddress` has it: 4 or 6."""
        return self.v4 if version == 4 else self.v6

    def plus(self, other: Backends) -> Backends:
        return Backends(self.v4.plus(other.v4), self.v6.plus(other.v6), self.dummy or other.dummy)


NONE = Backends()
NO_PART: Mapping[Any, Any] = {}

Served = tuple[tuple[Ports, Backends], ...]
"""The backends of one Service, mostly one group: those whose slices have ports of the same names."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What is read of one EndpointSlice from the point of view of one node. `service` None: it belongs to
    none. `problem` is a sentence when it is malformed."""

    service: Key | None
    backends: Served = ()
    problem: str = ""


def read_slice(document: Mapping[str, Any], node: str) -> Slice:
    """Never raises: a malformed one is a problem."""
    try:
        return _read(document, node)
    except MALFORMED as error:
        where = f"{namespace_of(document)}/{name_of(document)}" if isinstance(document, Mapping) else "?"
        return Slice(None, problem=f"EndpointSlice {where} was left out: it is malformed ({fault_in(error)})")


@dataclass(frozen=True, slots=True)
class SharedSlice:
    """What is read of one EndpointSlice for whoever asks about many nodes; `seen_from` is the view of one.

    `ready` and `leaving` count, by node, its endpoints that are ready, and those that are terminating and
    still serve. `far` is what every node sees that has neither."""

    service: Key | None
    ports: Ports = ()
    ready: Mapping[str, int] = field(default_factory=dict)
    leaving: Mapping[str, int] = field(default_factory=dict)
    far: Served = ()
    problem: str = ""

    @property
    def nodes(self) -> Iterable[str]:
        """Those that have an endpoint of it."""
        return self.ready.keys() | self.leaving.keys()

    def seen_from(self, node: str) -> Served:
        """As `read_slice` has it for this node."""
        here, leaving = self.ready.get(node, 0), self.leaving.get(node, 0)
        if not here and not leaving:
            return self.far
        return tuple(
            (ports, Backends(_nearer(found.v4, here, leaving), _nearer(found.v6, here, leaving), found.dummy))
            for ports, found in self.far
        )


def read_shared(document: Mapping[str, Any]) -> SharedSlice:
    """Never raises: a malformed one is a problem."""
    read = read_slice(document, "")
    if read.service is None:
        return SharedSlice(None, problem=read.problem)
    endpoints = document.get("endpoints") or ()
    ready = [e.get("nodeName") for e in endpoints if _ready(e.get("conditions") or {})]
    leaving = [e.get("nodeName") for e in endpoints if _leaves(e.get("conditions") or {})]
    ports = port_names(document.get("ports"))
    return SharedSlice(read.service, ports, _by_node(ready), _by_node(leaving), read.backends)


def _by_node(names: Iterable[Any]) -> Mapping[str, int]:
    return Counter(name for name in names if name and isinstance(name, str))


def _nearer(count: Count, here: int, leaving: int) -> Count:
    if not count.total:
        return count
    return count._replace(here=here, elsewhere=count.elsewhere - here, leaving=leaving)


def backends_of(slices: Iterable[Slice]) -> dict[Key, Served]:
    """By Service; one without any EndpointSlice is not in there."""
    found: dict[Key, Served] = {}
    for each in slices:
        if each.service is not None:
            known = found.get(each.service)
            found[each.service] = each.backends if known is None else _joined(known, each.backends)
    return found


def merged(parts: Iterable[Mapping[Key, Served]]) -> dict[Key, Served]:
    """The backends of several groups of slices; one Service may have some in each."""
    found: dict[Key, Served] = {}
    for part in parts:
        both = {key: _joined(found[key], part[key]) for key in found.keys() & part.keys()}
        found.update(part)
        found.update(both)
    return found


Part = Mapping[Key, Served]
"""The backends of one group of slices."""


def moved(before: Sequence[Part], now: Sequence[Part]) -> set[Key]:
    """The Services of the groups that are not the same as before, at their places."""
    pairs = zip_longest(before, now, fillvalue=NO_PART)
    return set[Key]().union(*(chain(one, other) for one, other in pairs if one is not other))


def merged_after(before: Sequence[Part], found: Mapping[Key, Served], now: Sequence[Part]) -> Part:
    """`merged(now)`, made from `found`, which is `merged(before)`: for a few groups that changed, and no
    Service that has slices in two."""
    new = [other for one, other in zip_longest(before, now, fillvalue=NO_PART) if one is not other]
    made = dict(found)
    for key in moved(before, now):
        made.pop(key, None)
    for part in new:
        made.update(part)
    single = sum(map(len, before)) == len(found) and sum(map(len, now)) == len(made)
    return made if single else merged(now)


def serving(served: Served, ports: Ports) -> Backends:
    """Those that a Service with these ports leads to."""
    if len(served) == 1:  # nearly always
        return served[0][1] if answers(served[0][0], ports) else NONE
    total = NONE
    for theirs, backends in served:
        if answers(theirs, ports):
            total = total.plus(backends)
    return total


def answers(theirs: Ports, ports: Ports) -> bool:
    """Does a slice with `theirs` have a port for one of the Service's?"""
    return not theirs or not ports or theirs == ports or not set(theirs).isdisjoint(ports)


def port_names(ports: Sequence[Mapping[str, Any]] | None) -> Ports:
    """Of `spec.ports` of a Service, or of `ports` of a slice."""
    return _ports(tuple([port.get("name") or "" for port in ports or ()]))


@lru_cache(maxsize=4096)
def _ports(names: tuple[str, ...]) -> Ports:
    """One object for the many that have the same."""
    return () if "" in names else tuple(sorted(set(names)))


def _joined(one: Served, other: Served) -> Served:
    groups = dict(one)
    for ports, backends in other:
        groups[ports] = groups.get(ports, NONE).plus(backends)
    return tuple(groups.items())


def _read(document: Mapping[str, Any], node: str) -> Slice:
    service = _service(document)
    if service is None:
        return Slice(None)
    given, ports = document.get("endpoints") or (), document.get("ports") or ()
    endpoints = _without_dummy(given) if _may_have_dummy(ports) else given
    dummy = len(endpoints) < len(given)
    return Slice(
        service, _backends(document.get("addressType"), _count(endpoints, node), port_names(ports), dummy)
    )


def _may_have_dummy(ports: Sequence[Mapping[str, Any]]) -> bool:
    return any(port.get("port") == ENVOY_DUMMY_PORT for port in ports)


def _without_dummy(endpoints: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return [endpoint for endpoint in endpoints if endpoint.get("addresses") != [ENVOY_DUMMY]]


def _service(document: Mapping[str, Any]) -> Key | None:
    meta = document["metadata"]
    service = (meta.get("labels") or {}).get(SERVICE_NAME_LABEL)
    if not service:
        return None
    namespace = meta.get("namespace") or "default"
    if not (isinstance(service, str) and isinstance(namespace, str)):
        raise ValueError("the name of its Service is no text")
    return namespace, service


@lru_cache(maxsize=4096)
def _backends(address_type: str | None, count: Count, ports: Ports, dummy: bool) -> Served:
    """One object for the many Services that have the same."""
    # The field is required by the API; a hand-written slice without it stands for both.
    versions = {"IPv4": (4,), "IPv6": (6,), None: (4, 6)}.get(address_type, ())
    v4, v6 = (count if version in versions else Count() for version in (4, 6))
    return ((ports, Backends(v4, v6, dummy)),)


def _count(endpoints: Sequence[Mapping[str, Any]], node: str) -> Count:
    usable = here = elsewhere = leaving = 0
    for endpoint in endpoints:
        conditions, where = endpoint.get("conditions") or {}, endpoint.get("nodeName")
        if _ready(conditions):
            usable += 1
            if where == node:
                here += 1
            elif where:
                elsewhere += 1
        elif _leaves(conditions):
            usable += 1
            leaving += where == node
    return Count(len(endpoints), usable, here, elsewhere, leaving)


def _ready(conditions: Mapping[str, Any]) -> bool:
    ready = conditions.get("ready")
    return ready is None or ready is True


def _leaves(conditions: Mapping[str, Any]) -> bool:
    """Terminating, and still serving?"""
    serving = conditions.get("terminating") is True and conditions.get("serving") is True
    return serving and not _ready(conditions)
