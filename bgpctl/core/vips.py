"""Which nodes announce which Service address, and where its endpoints are: what the guards look at."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.candidates import by_envoy
from bgpctl.core.documents import MALFORMED
from bgpctl.core.endpoints import (
    Backends,
    Key,
    Ports,
    Served,
    answers,
    backends_of,
    read_slice,
    ready_nodes,
    serving,
)
from bgpctl.core.model import Intent, IPNetwork
from bgpctl.core.services import RULES, Service, host_prefix, read_service

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


Document = Mapping[str, Any]


def vips(
    intents: Iterable[Intent], services: Iterable[Document], slices: Sequence[Document]
) -> tuple[Vip, ...]:
    """Every Service address of `intents`. Give only the intents of nodes that really announce: a node whose
    speaker is dead is no second path. Aggregates and PodCIDRs are left out; malformed objects are skipped."""
    known = {_origin(service.key): service for service in map(read_service, services) if not service.problem}
    local = _local_addresses(known, slices)
    endpoints = _endpoints(known, slices)
    announcers: dict[IPNetwork, set[str]] = {}
    owners: dict[IPNetwork, dict[str, None]] = {}
    for intent in intents:
        for prefix, origin in _service_routes(intent):
            announcers.setdefault(prefix, set()).add(intent.node)
            owners.setdefault(prefix, {}).update(dict.fromkeys(origin.split(", ")))
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


def _origin(key: Key) -> str:
    return f"{SERVICE}{key[0]}/{key[1]}"


def _local_addresses(
    services: Mapping[str, Service], slices: Iterable[Document]
) -> set[tuple[str, IPNetwork]]:
    """(owner, address) that follow their endpoints; which policy counts depends on the address' kind."""
    backends = backends_of(read_slice(document, "") for document in slices)
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


def _endpoints(services: Mapping[str, Service], slices: Iterable[Document]) -> dict[str, Counter[str]]:
    """Owner -> node -> ready endpoints for its ports."""
    found: dict[str, Counter[str]] = {}
    for document in slices:
        with contextlib.suppress(*MALFORMED):
            key, ports, nodes = ready_nodes(document)
            service = services.get(_origin(key)) if key else None
            if service is not None and answers(ports, service.ports):
                found.setdefault(_origin(service.key), Counter()).update(nodes)
    return found


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)
