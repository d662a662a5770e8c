"""Which addresses of which Services this node could announce, and the traffic-policy verdict on each.

The rules are Cilium's (facts: cilium.md section 2.2), with these decisions of ours:
- `Cluster` without backends stays announced, as the operation guide says ("Service Losing All Backends"),
  unless the switch `withdraw_without_endpoints` is on: then it needs a usable one, as with MetalLB.
- What counts as a backend: `core/intent/endpoints.py`. A `Local` address whose last endpoints on the node are
  terminating is withdrawn as soon as another node has a ready one, as in Cilium; where none has, it stays
  while they serve, because nobody else could answer.
- Whether the Service is on this node at all: `core/intent/exposure.py`.
Verdicts here are about the node; whether a peer is told is decided in `core/intent/routes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from bgpctl.core.intent.compile_cache import PART, Earlier, Memo, same
from bgpctl.core.intent.endpoints import Backends, Count, Key, Served, moved, serving
from bgpctl.core.intent.exposure import EVERYWHERE, TYPE
from bgpctl.core.intent.services import (
    HEADLESS,
    INGRESS_NOT_VIP,
    LOAD_BALANCER_CLASS,
    NO_ENDPOINT_SLICE,
    NO_ENDPOINTS,
    NO_LOAD_BALANCER_IP,
    NO_LOCAL_ENDPOINTS,
    NOT_ON_THIS_NODE,
    NOT_THIS_TYPE,
    RULES,
    WRONG_CLASS,
    Candidate,
    Rule,
    Service,
    host_prefix,
    malformed,
)
from bgpctl.core.policy.nodeconfig import AddressType
from bgpctl.core.reading.documents import MALFORMED

NO_LABELS: Mapping[str, str] = {}


class Batch(NamedTuple):
    """Candidates that were found together, and sentences about what could not be read. The same object as
    long as nothing of it changes. `unsliced`: the origins of those that have no EndpointSlice."""

    candidates: tuple[Candidate, ...]
    problems: tuple[str, ...] = ()
    unsliced: frozenset[str] = frozenset()


class Found(NamedTuple):
    """What one Service comes to, and what that was made of."""

    service: Service
    served: Served | None
    here: bool
    candidates: tuple[Candidate, ...]
    problem: str


class _Part(NamedTuple):
    """What PART Services in a row come to, and what that was made of. `where` says of those that are not on
    every node (`exposed`) which are on this one."""

    services: tuple[Service, ...]
    keys: frozenset[Key]
    served: tuple[Served | None, ...]
    exposed: tuple[Service, ...]
    where: tuple[bool, ...]
    found: Mapping[int, Found]
    batch: Batch


def batch(candidates: Iterable[Candidate], problems: Iterable[str] = ()) -> Batch:
    """A batch of these."""
    listed = tuple(candidates)
    unsliced = frozenset(each.origin for each in listed if each.reason == NO_ENDPOINT_SLICE)
    return Batch(listed, tuple(problems), unsliced)


def candidates(
    services: tuple[Service, ...],
    backends: Mapping[Key, Served],
    kinds: Sequence[AddressType],
    demanding: bool = False,
    memo: Memo | None = None,
    labels: Mapping[str, str] = NO_LABELS,
    parts: Sequence[Mapping[Key, Served]] = (),
) -> list[Batch]:
    """The candidates of the address types `kinds` of all Services, in their order. `demanding`: none without
    a usable endpoint, whatever the traffic policy. `labels` are the node's. `parts`: of what `backends` was
    made (`endpoints.moved`), () = not told."""
    memo = memo or Memo()
    before: dict[int, _Part] = memo.results("services", (kinds, demanding))
    others = _moved(memo.results("served", (kinds, demanding)).get("parts", ()), parts)
    earlier = Earlier({start: part.found for start, part in before.items()})
    now: dict[int, _Part] = {}
    for start in range(0, len(services), PART):
        part, kept = services[start : start + PART], before.get(start)
        if kept is not None and not same(kept.services, part):
            kept = None
        if kept is not None and others is not None and kept.keys.isdisjoint(others):
            served = kept.served
        else:
            served = tuple(map(backends.get, map(_KEY, part)))
        if kept is None or kept.served != served or kept.where != _where(kept.exposed, labels):
            kept = _part(part, served, labels, kinds, demanding, earlier.of(start, part))
        now[start] = kept
    memo.keep("services", (kinds, demanding), now)
    memo.keep("served", (kinds, demanding), {"parts": parts})
    return [part.batch for part in now.values()]


_KEY = attrgetter("key")


def _moved(before: Sequence[Mapping[Key, Served]], now: Sequence[Mapping[Key, Served]]) -> set[Key] | None:
    """The Services whose backends may be others than the last time, None = of all."""
    return moved(before, now) if before and now else None


def _where(exposed: Iterable[Service], labels: Mapping[str, str]) -> tuple[bool, ...]:
    return tuple(service.exposure.on(labels) for service in exposed)


def _part(
    part: tuple[Service, ...],
    served: tuple[Served | None, ...],
    labels: Mapping[str, str],
    kinds: Sequence[AddressType],
    demanding: bool,
    known: Mapping[int, Found],
) -> _Part:
    found: dict[int, Found] = {}
    for service, own in zip(part, served, strict=True):
        here = service.exposure.on(labels)
        old = known.get(id(service))
        again = old is None or old.here is not here or old.served != own
        found[id(service)] = _found(service, own, here, kinds, demanding) if again or old is None else old
    exposed = tuple(service for service in part if service.exposure is not EVERYWHERE)
    each = [found[id(service)] for service in part]
    listed = batch((c for one in each for c in one.candidates), filter(None, (one.problem for one in each)))
    keys = frozenset(service.key for service in part)
    return _Part(part, keys, served, exposed, _where(exposed, labels), found, listed)


def _found(
    service: Service, served: Served | None, here: bool, kinds: Sequence[AddressType], demanding: bool
) -> Found:
    backends = None if served is None else serving(served, service.ports)
    try:
        made = () if service.problem else tuple(_candidates(service, backends, here, kinds, demanding))
    except MALFORMED as error:
        return Found(service, served, here, (), malformed(service.key, error))
    return Found(service, served, here, made, service.problem or service.warning)


def _candidates(
    service: Service, backends: Backends | None, here: bool, kinds: Sequence[AddressType], demanding: bool
) -> Iterator[Candidate]:
    origin = f"Service {service.key[0]}/{service.key[1]}"
    for kind, texts in service.texts:
        if kind in kinds:
            rule = RULES[kind]
            local = rule.policy in service.local
            for text in texts:
                prefix = host_prefix(text)
                verdict = _barred(service, rule, text, here) or _verdict(
                    service, rule, backends, prefix.version, demanding
                )
                yield Candidate(origin, kind, prefix, service.labels, *verdict, aggregable=not local)
    if service.pending and AddressType.LOAD_BALANCER in kinds:
        kind = AddressType.LOAD_BALANCER
        yield Candidate(origin, kind, None, service.labels, NO_LOAD_BALANCER_IP, service.pending)


def _barred(service: Service, rule: Rule, text: str, here: bool) -> tuple[str, str] | None:
    """What the Service itself says against the address, whatever its endpoints."""
    wanted, exposure = service.load_balancer_class, service.exposure
    if rule.balanced and wanted is not None and wanted != LOAD_BALANCER_CLASS:
        return WRONG_CLASS, f"its loadBalancerClass {wanted} belongs to another load balancer"
    if rule.balanced and text in service.not_vips:
        return INGRESS_NOT_VIP, "the ipMode of its ingress is not VIP: it is answered outside of the cluster"
    if exposure is EVERYWHERE:
        return None
    if exposure.headless:
        return HEADLESS, "the Service is headless: no node answers for an address of it"
    if exposure.only and rule.type and rule.type != exposure.only:
        return NOT_THIS_TYPE, f"its annotation {TYPE} asks for {exposure.only} only"
    if not here:
        return NOT_ON_THIS_NODE, f"its annotation {exposure.annotation} does not match this node's labels"
    return None


def _verdict(
    service: Service, rule: Rule, backends: Backends | None, version: int, demanding: bool
) -> tuple[str, str]:
    """("", why) when the node may announce the address, else (reason, detail)."""
    if rule.balanced and by_envoy(service, backends):
        return "", "Cilium's Envoy answers for this Gateway or Ingress on every node"
    count = None if backends is None else backends.of(version)
    if rule.policy in service.local:
        return _local_verdict(rule.policy, count, version)
    if demanding and (count is None or not count.usable):
        return NO_ENDPOINTS, f"the Service has no usable IPv{version} endpoint on any node"
    return "", _cluster_detail(rule.policy, demanding)


def by_envoy(service: Service, backends: Backends | None) -> bool:
    """Did Cilium make the Service for a Gateway or an Ingress, whose traffic its Envoy takes on every node?
    One that has endpoints of its own (TCPRoute, UDPRoute) is judged by them."""
    if backends is None:
        return service.exposure.envoy
    return (service.exposure.envoy or backends.dummy) and not (backends.v4.total or backends.v6.total)


@lru_cache(maxsize=4)
def _cluster_detail(policy: str, demanding: bool) -> str:
    needs = "while it has a usable endpoint" if demanding else "with or without endpoints"
    return f"{policy} is Cluster: every selected node announces it, {needs}"


@lru_cache(maxsize=1024)
def _local_verdict(policy: str, count: Count | None, version: int) -> tuple[str, str]:
    """Cached so that the same sentence is there once, not for each Service."""
    local = f"{policy} is Local and "
    if count is None:
        return NO_ENDPOINT_SLICE, local + "the Service has no EndpointSlice"
    if not count.total:
        return NO_ENDPOINTS, local + f"the Service has no IPv{version} endpoint for its ports on any node"
    if count.here:
        here = "1 ready endpoint is" if count.here == 1 else f"{count.here} ready endpoints are"
        return "", local + f"{here} on this node"
    if count.leaving and not count.elsewhere:
        return "", local + "no node has a ready endpoint, and terminating ones on this node still serve"
    if count.leaving:
        return NO_LOCAL_ENDPOINTS, local + "the endpoints on this node are terminating, others are ready"
    return NO_LOCAL_ENDPOINTS, local + f"no ready IPv{version} endpoint is on this node"
