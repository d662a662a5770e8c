"""Which nodes announce which Service address, and where its endpoints are: what the guards look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.documents import MALFORMED
from bgpctl.core.endpoints import SERVICE_NAME_LABEL
from bgpctl.core.model import Intent, IPNetwork
from bgpctl.core.services import RULES, host_prefix

SERVICE = "Service "


@dataclass(frozen=True, slots=True)
class Vip:
    """One announced Service address. `owners` are "Service namespace/name" (several may share an address).

    `local`: its traffic policy is Local, so only nodes with a ready endpoint announce it. `announcers` are
    the nodes whose intent has it; `endpoints` counts the ready ones per node.
    """

    prefix: IPNetwork
    owners: tuple[str, ...]
    local: bool
    announcers: frozenset[str]
    endpoints: Mapping[str, int] = field(default_factory=dict)


Document = Mapping[str, Any]


def vips(
    intents: Iterable[Intent], services: Iterable[Document], slices: Iterable[Document]
) -> tuple[Vip, ...]:
    """Every Service address of `intents`. Give only the intents of nodes that really announce: a node whose
    speaker is dead is no second path. Aggregates and PodCIDRs are left out; malformed objects are skipped."""
    local = _local_addresses(services)
    endpoints = _endpoints(slices)
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


def _local_addresses(services: Iterable[Document]) -> set[tuple[str, IPNetwork]]:
    """(owner, address) whose traffic policy is Local; which policy counts depends on the address' kind."""
    found: set[tuple[str, IPNetwork]] = set()
    for service in services:
        try:
            for rule in RULES.values():
                if service["spec"].get(rule.policy) == "Local":
                    found.update((_owner(service), host_prefix(text)) for text in rule.addresses(service))
        except MALFORMED:
            continue
    return found


def _owner(service: Document) -> str:
    meta = service["metadata"]
    return f"{SERVICE}{meta.get('namespace') or 'default'}/{meta['name']}"


def _endpoints(slices: Iterable[Document]) -> dict[str, Counter[str]]:
    """Owner -> node -> ready endpoints. A nil `ready` is ready, as the EndpointSlice API says."""
    found: dict[str, Counter[str]] = {}
    for item in slices:
        try:
            meta = item["metadata"]
            service = (meta.get("labels") or {}).get(SERVICE_NAME_LABEL)
            owner = f"{SERVICE}{meta.get('namespace') or 'default'}/{service}"
            for endpoint in item.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("nodeName"):
                    found.setdefault(owner, Counter())[endpoint["nodeName"]] += 1
        except MALFORMED:
            continue
    return found


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)
