"""EndpointSlices: how many endpoints of a Service there are, can take traffic, and do so on one node.

Only counts are kept: an endpoint that moves between two other nodes, or changes its address, changes nothing.
Backends are counted per address family, as a v6 address is served by v6 endpoints only.
A backend counts when it is ready (a nil `ready` is ready, as the EndpointSlice API says), or when it is
terminating and still serving: kube-proxy sends traffic to such ones (KEP-1669).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from bgpctl.core.documents import MALFORMED, name_of, namespace_of

SERVICE_NAME_LABEL = "kubernetes.io/service-name"

Key = tuple[str, str]
"""(namespace, name) of a Service."""


class Count(NamedTuple):
    """Endpoints of one IP version: all, those that can take traffic, and those of them on the node."""

    total: int = 0
    usable: int = 0
    local: int = 0

    def plus(self, other: Count) -> Count:
        return Count(self.total + other.total, self.usable + other.usable, self.local + other.local)


class Backends(NamedTuple):
    """What EndpointSlices of one Service say, by IP version."""

    v4: Count = Count()
    v6: Count = Count()

    def of(self, version: int) -> Count:
        return self.v4 if version == 4 else self.v6

    def plus(self, other: Backends) -> Backends:
        return Backends(self.v4.plus(other.v4), self.v6.plus(other.v6))


NONE = Backends()


@dataclass(frozen=True, slots=True)
class Slice:
    """What is read of one EndpointSlice from the point of view of one node. `service` None: it belongs to
    none. `problem` is a sentence when it is malformed."""

    service: Key | None
    backends: Backends = NONE
    problem: str = ""


def read_slice(document: Mapping[str, Any], node: str) -> Slice:
    """Never raises: a malformed one is a problem."""
    try:
        return _read(document, node)
    except MALFORMED as error:
        where = f"{namespace_of(document)}/{name_of(document)}" if isinstance(document, Mapping) else "?"
        return Slice(None, problem=f"EndpointSlice {where} was left out: it is malformed ({error})")


def backends_of(slices: Iterable[Slice]) -> dict[Key, Backends]:
    """By Service; one without any EndpointSlice is not in there."""
    found: dict[Key, Backends] = {}
    for each in slices:
        if each.service is not None:
            known = found.get(each.service)
            found[each.service] = each.backends if known is None else known.plus(each.backends)
    return found


def _read(document: Mapping[str, Any], node: str) -> Slice:
    meta = document["metadata"]
    service = (meta.get("labels") or {}).get(SERVICE_NAME_LABEL)
    if not service:
        return Slice(None)
    namespace = meta.get("namespace") or "default"
    if not (isinstance(service, str) and isinstance(namespace, str)):
        raise TypeError("the name of its Service is no text")
    count = _count(document.get("endpoints") or (), node)
    return Slice((namespace, service), _backends(document.get("addressType"), count))


@lru_cache(maxsize=4096)
def _backends(address_type: str | None, count: Count) -> Backends:
    """One object for the many Services that have the same."""
    # The field is required by the API; a hand-written slice without it stands for both.
    versions = {"IPv4": (4,), "IPv6": (6,), None: (4, 6)}.get(address_type, ())
    return Backends(count if 4 in versions else Count(), count if 6 in versions else Count())


def _count(endpoints: Sequence[Mapping[str, Any]], node: str) -> Count:
    usable = local = 0
    for endpoint in endpoints:
        if _usable(endpoint.get("conditions") or {}):
            usable += 1
            local += endpoint.get("nodeName") == node
    return Count(len(endpoints), usable, local)


def _usable(conditions: Mapping[str, Any]) -> bool:
    ready = conditions.get("ready")
    if ready is None or ready is True:
        return True
    return conditions.get("terminating") is True and conditions.get("serving") is True
