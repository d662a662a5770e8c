"""Which nodes announce which Service address, and where its endpoints are: what the guards look at."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bgpctl.core.intent.candidates import by_envoy
from bgpctl.core.intent.endpoints import (
    Backends,
    Key,
    Ports,
    Served,
    SharedSlice,
    Slice,
    answers,
    backends_of,
    serving,
)
from bgpctl.core.intent.services import RULES, Service, host_prefix
from bgpctl.core.model import Intent, IPNetwork
from bgpctl.core.reading.documents import MALFORMED

SERVICE = "Service "


@dataclass(frozen=True, slots=True)
class Vip:
    """One announced Service address. `owners` are "Service namespace/name" (several may share an address).

    `local`: it follows its endpoints, because its traffic policy is Local. `announcers` are the nodes whose
    intent has it; `endpoints` counts the ready ones per node.
    """

    prefix: IPNetwork
    owners: tuple[str, ...]
    local: bool
    announcers: frozenset[str]
    endpoints: Mapping[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> frozenset[str]:
        """The nodes with a ready endpoint."""
        return frozenset(name for name, count in self.endpoints.items() if count > 0)


def vips(
    intents: Iterable[Intent], services: Iterable[Service], slices: Iterable[SharedSlice]
) -> tuple[Vip, ...]:
    """Every Service address of `intents`. Give only the intents of nodes that really announce: a node whose
    speaker is dead is no second path. Aggregates and PodCIDRs are left out."""
    announcers: dict[IPNetwork, set[str]] = {}
    owners: dict[IPNetwork, dict[str, None]] = {}
    for intent in intents:
        for prefix, origin in _service_routes(intent):
            announcers.setdefault(prefix, set()).add(intent.node)
            owners.setdefault(prefix, {}).update(dict.fromkeys(origin.split(", ")))
    needed = set().union(*owners.values())
    known = {o: s for s in services if (o := origin_of(s.key)) in needed}
    placed = [
        (owner, each)
        for each in slices
        if each.service is not None and (owner := origin_of(each.service)) in known
    ]
    local = _local_addresses(known, (each for _, each in placed))
    endpoints = _endpoints(known, placed)
    return tuple(
        Vip(
            prefix=prefix,
            owners=tuple(owners[prefix]),
            local=all((owner, prefix) in local for owner in owners[prefix]),
            announcers=frozenset(nodes),
            endpoints=_sum(endpoints.get(owner, {}) for owner in owners[prefix]),
        )
        for prefix, nodes in sorted(announcers.items(), key=lambda item: (item[0].version, item[0]))
    )


def _service_routes(intent: Intent) -> Iterable[tuple[IPNetwork, str]]:
    for table in intent.routes.values():
        for prefix, route in table.items():
            if route.origin.startswith(SERVICE):
                yield prefix, route.origin


def origin_of(key: Key) -> str:
    """As the routes of a Service name it."""
    return f"{SERVICE}{key[0]}/{key[1]}"


def _local_addresses(
    services: Mapping[str, Service], slices: Iterable[SharedSlice]
) -> set[tuple[str, IPNetwork]]:
    """(owner, address) that follow their endpoints; which policy counts depends on the address' kind."""
    backends = backends_of(Slice(each.service, each.far) for each in slices)
    found: set[tuple[str, IPNetwork]] = set()
    for owner, service in services.items():
        envoy = by_envoy(service, _serving(backends.get(service.key), service.ports))
        for kind, texts in service.texts:
            rule = RULES[kind]
            if rule.policy in service.local and not (rule.balanced and envoy):
                found.update((owner, prefix) for prefix in _prefixes(texts))
    return found


def _serving(served: Served | None, ports: Ports) -> Backends | None:
    return None if served is None else serving(served, ports)


def _prefixes(texts: Iterable[str]) -> Iterable[IPNetwork]:
    for text in texts:
        with contextlib.suppress(*MALFORMED):
            yield host_prefix(text)


def _endpoints(
    services: Mapping[str, Service], placed: Iterable[tuple[str, SharedSlice]]
) -> dict[str, Counter[str]]:
    """Owner -> node -> ready endpoints for its ports. `placed`: each with the owner that it is of."""
    found: dict[str, Counter[str]] = {}
    for owner, each in placed:
        if answers(each.ports, services[owner].ports):
            found.setdefault(owner, Counter()).update(each.ready)
    return found


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)
