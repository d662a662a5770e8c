"""What a policy would have to advertise to a peer, in the two forms that it may be written in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bgpctl.core.intent.explaining.proposals.case import (
    Case,
    documents,
    items,
    joined,
    relabelled,
    selector_at,
)
from bgpctl.core.intent.explaining.proposals.policies import (
    neighbors_of,
    peers_of,
    unreadable_advertisements,
)
from bgpctl.core.intent.explaining.repair import Document, Path, Ref, Repair, Repairs, appending, at, setting
from bgpctl.core.intent.podcidrs import POD_POOL
from bgpctl.core.policy.nodeconfig import AddressType, Source
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.v2.advertisement import KIND as ADVERTISEMENT
from bgpctl.core.policy.v2.cluster import KIND as CLUSTER_CONFIG
from bgpctl.core.policy.v2.peer import KIND as PEER_CONFIG
from bgpctl.core.reading.documents import labels_of, name_of

EVERY = "a selector that matches its labels ({} matches all)"
DEFAULT_TYPE = [str(AddressType.LOAD_BALANCER)]


def matching(case: Case) -> Iterator[Repairs]:
    """An advertisement that means the target."""
    for policy in documents(case.objects.policies):
        for router in dict.fromkeys(number for number, _ in neighbors_of(case, policy)):
            yield from _by_router(case, policy, ("spec", "virtualRouters", router))
    yield from unreadable_advertisements(case)
    for config, instance, peer in peers_of(case):
        yield from _by_peer(case, config, ("spec", "bgpInstances", instance, "peers", peer))


def family(case: Case) -> Iterator[Repairs]:
    """The address family, on the session of the peer."""
    spoken: dict[str, Any] = {"afi": case.afi, "safi": "unicast"}
    for policy in documents(case.objects.policies):
        for router, neighbor in neighbors_of(case, policy):
            field = ("spec", "virtualRouters", router, "neighbors", neighbor, "families")
            yield (appending(POLICY, policy, field, spoken),)
    for config, instance, peer in peers_of(case):
        settings = _settings(case, config, ("spec", "bgpInstances", instance, "peers", peer))
        if settings is not None:
            others = [at(each, ("advertisements",)) for each in items(settings, "spec", "families")]
            selected: Any = next(filter(None, others), {})
            added = {**spoken, "advertisements": selected}
            yield (appending(PEER_CONFIG, settings, ("spec", "families"), added),)


def _kinds(case: Case) -> tuple[str, ...]:
    """The types of address that may be advertised; where there is none yet, the load balancer's."""
    return tuple(map(str, case.kinds)) or (str(AddressType.LOAD_BALANCER),)


def _owner(case: Case) -> tuple[str, Document] | None:
    """The object whose labels an advertisement selects by."""
    if case.target.source is Source.SERVICE:
        return None if case.service is None else ("Service", case.service)
    name = case.target.origin.removeprefix(f"{POD_POOL} ")
    pools = (one for one in documents(case.objects.pod_pools) if name_of(one) == name)
    return next(((POD_POOL, pool) for pool in pools), None)


def _labels(case: Case, parent: Any, field: str) -> Repairs:
    """The target's object with labels that this selector matches."""
    owner = _owner(case)
    return relabelled(*owner, selector_at(parent, field)) if owner else ()


# --- CiliumBGPPeeringPolicy ---------------------------------------------------------------------------------


def _by_router(case: Case, policy: Document, where: Path) -> Iterator[Repairs]:
    router = at(policy, where)
    if case.target.source is Source.POD_CIDR:
        yield (setting(POLICY, policy, (*where, "exportPodCIDR"), True),)
        return
    service = case.target.source is Source.SERVICE
    field = "serviceSelector" if service else "podIPPoolSelector"
    every = setting(POLICY, policy, (*where, field), {}, EVERY)
    for kind in _kinds(case):
        types = _types(policy, (*where, "serviceAdvertisements"), kind) if service else ()
        yield from joined(types, _labels(case, router, field))
        yield from ((every,), (every, *types))


def _types(policy: Document, field: Path, kind: str) -> Repairs:
    listed = at(policy, field)
    if listed is None:
        return (setting(POLICY, policy, field, [*DEFAULT_TYPE, kind]),) if [kind] != DEFAULT_TYPE else ()
    return (appending(POLICY, policy, field, kind),) if kind not in listed else ()


# --- the v2 resources ---------------------------------------------------------------------------------------


def _settings(case: Case, config: Document, where: Path) -> Document | None:
    """The CiliumBGPPeerConfig that a peer refers to."""
    name = at(config, (*where, "peerConfigRef", "name"))
    return next((one for one in documents(case.objects.peer_configs) if name_of(one) == name), None)


def _by_peer(case: Case, config: Document, where: Path) -> Iterator[Repairs]:
    settings = _settings(case, config, where)
    if settings is None:
        for other in documents(case.objects.peer_configs):
            yield (setting(CLUSTER_CONFIG, config, (*where, "peerConfigRef", "name"), name_of(other)),)
        return
    families = items(settings, "spec", "families")
    # A family that is not the target's tells why none matches too.
    for number in sorted(range(len(families)), key=lambda n: at(families[n], ("afi",)) != case.afi):
        yield from _by_family(case, settings, ("spec", "families", number))
    if not families:
        both: Any = [{"afi": afi, "safi": "unicast", "advertisements": {}} for afi in ("ipv4", "ipv6")]
        every = setting(PEER_CONFIG, settings, ("spec", "families"), both, "families with advertisements")
        yield from ((every,), (every, _new(case, {})))


def _by_family(case: Case, settings: Document, where: Path) -> Iterator[Repairs]:
    selector = selector_at(at(settings, where), "advertisements")
    there = documents(case.objects.advertisements)
    selected = [one for one in there if selector is not None and selector.matches(labels_of(one))]
    for one in selected:
        for number, entry in enumerate(items(one, "spec", "advertisements")):
            if at(entry, ("advertisementType",)) == case.target.source:
                yield from _by_entry(case, one, ("spec", "advertisements", number))
    for one in there:
        yield relabelled(ADVERTISEMENT, one, selector)
    for one in selected:
        entry, words = _entry(case), f"an entry of advertisementType {case.target.source}"
        yield (appending(ADVERTISEMENT, one, ("spec", "advertisements"), entry, words),)
    if selector is None:
        words = "a selector of CiliumBGPAdvertisements ({} matches all)"
        every = setting(PEER_CONFIG, settings, (*where, "advertisements"), {}, words)
        yield from ((every,), (every, _new(case, {})))
    else:
        yield (_new(case, dict(selector.match_labels)),)


def _by_entry(case: Case, advertisement: Document, where: Path) -> Iterator[Repairs]:
    entry, service = at(advertisement, where), case.target.source is Source.SERVICE
    field = (*where, "service", "addresses")
    every = setting(ADVERTISEMENT, advertisement, (*where, "selector"), {}, EVERY)
    for kind in _kinds(case):
        lacks = service and kind not in (at(advertisement, field) or ())
        types: Repairs = (appending(ADVERTISEMENT, advertisement, field, kind),) if lacks else ()
        yield from joined(types, _labels(case, entry, "selector"))
        yield from ((every,), (every, *types))


def _entry(case: Case) -> dict[str, Any]:
    """One that means the target."""
    if case.target.source is Source.POD_CIDR:
        return {"advertisementType": str(Source.POD_CIDR)}
    more = {"service": {"addresses": list(_kinds(case))}} if case.target.source is Source.SERVICE else {}
    return {"advertisementType": str(case.target.source), **more, "selector": {}}


def _new(case: Case, labels: dict[str, str]) -> Repair:
    name = "bgpctl-explain"
    made = {
        "apiVersion": "cilium.io/v2",
        "kind": ADVERTISEMENT,
        "metadata": {"name": name, "labels": labels},
        "spec": {"advertisements": [_entry(case)]},
    }
    return Repair(
        Ref(ADVERTISEMENT, name), (), made, None, "one that the peer's family selects, and that means it"
    )
