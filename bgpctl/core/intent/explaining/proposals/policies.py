"""What would have to select a node, be readable, and give a peer its session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bgpctl.core.intent.explaining.proposals.case import LABELS, Case, documents, items
from bgpctl.core.intent.explaining.proposals.case import asked as labels_asked
from bgpctl.core.intent.explaining.repair import Document, Ref, Repair, Repairs, at, read_path, setting
from bgpctl.core.policy.owners import OWNER_KINDS, read_claims
from bgpctl.core.policy.v2.advertisement import parse_advertisement
from bgpctl.core.policy.v2.cluster import KIND as CLUSTER_CONFIG
from bgpctl.core.policy.v2.override import KIND as OVERRIDE
from bgpctl.core.policy.v2.override import parse_override
from bgpctl.core.policy.v2.peer import KIND as PEER_CONFIG
from bgpctl.core.policy.v2.peer import parse_peer_config
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.errors import Problem


def selecting(case: Case) -> Iterator[Repairs]:
    """The labels that each policy asks a node for; those of a policy that can be run go first."""
    node = case.objects.node
    if node is None:
        return
    claims = read_claims(tuple(case.objects.policies), tuple(case.objects.cluster_configs))
    for claim in sorted(claims, key=lambda claim: claim.value is None):
        if claim.node_selector_valid and claim.node_selector is not None:
            changes = labels_asked(claim.node_selector, labels_of(node))
            yield tuple(setting("Node", node, (*LABELS, key), value) for key, value in changes.items())


def readable(case: Case) -> Iterator[Repairs]:
    """Without the fields that cannot be read."""
    owners = [*case.objects.policies, *case.objects.cluster_configs]
    claims = read_claims(tuple(case.objects.policies), tuple(case.objects.cluster_configs))
    for document, claim in zip(owners, claims, strict=True):
        yield _without(claim.owner.kind, document, claim.problems)
    for document in documents(case.objects.overrides):
        if name_of(document) == case.node:
            yield _without(OVERRIDE, document, parse_override(document, "", strict=False).problems)


def _without(kind: str, document: Document, problems: Sequence[Problem]) -> Repairs:
    """Fields that would have to be gone, or be as the problem says."""
    places = {problem.path: problem.message for problem in problems if problem.path}
    return tuple(
        setting(kind, document, read_path(path), None, f"otherwise: {message}")
        for path, message in reversed(
            places.items()
        )  # of a list the last item first: places stay what they are
    )


def sessions(case: Case) -> Iterator[Repairs]:
    """What a peer refers to, readable; an AS of its instance; a family that is spoken."""
    for document in documents(case.objects.peer_configs):
        problems = parse_peer_config(document, "", strict=False).problems
        if problems:
            yield _without(PEER_CONFIG, document, problems)
    known = {name_of(document) for document in documents(case.objects.peer_configs)}
    for config, instance, place in peers_of(case):
        field = ("spec", "bgpInstances", instance, "peers", place, "peerConfigRef", "name")
        name = at(config, field)
        if isinstance(name, str) and name not in known:
            yield from ((setting(CLUSTER_CONFIG, config, field, other),) for other in sorted(known))
            made: dict[str, Any] = {
                "apiVersion": config.get("apiVersion"),
                "kind": PEER_CONFIG,
                "metadata": {"name": name},
                "spec": {},
            }
            yield (Repair(Ref(PEER_CONFIG, name), (), made, None, f"there: {CLUSTER_CONFIG} refers to it"),)
    both = [{"afi": afi, "safi": "unicast"} for afi in ("ipv4", "ipv6")]
    for document in documents(case.objects.peer_configs):
        yield (setting(PEER_CONFIG, document, ("spec", "families"), both, "a family that is spoken"),)
    for policy in documents(case.objects.policies):
        for router, neighbor in neighbors_of(case, policy):
            spoken = ("spec", "virtualRouters", router, "neighbors", neighbor, "families")
            yield (setting(OWNER_KINDS[0], policy, spoken, both, "a family that is spoken"),)


def peers_of(case: Case) -> Iterator[tuple[Document, int, int]]:
    """Where the case's peer (or any) stands: a CiliumBGPClusterConfig, its instance and its peer."""
    for config in documents(case.objects.cluster_configs):
        for number, instance in enumerate(items(config, "spec", "bgpInstances")):
            for place, peer in enumerate(items(instance, "peers")):
                name = f"{at(instance, ('name',))}/{at(peer, ('name',))}"
                if case.peer in ("", name):
                    yield config, number, place


def neighbors_of(case: Case, policy: Document) -> Iterator[tuple[int, int]]:
    """The same of one CiliumBGPPeeringPolicy: virtual router and neighbor."""
    for number, router in enumerate(items(policy, "spec", "virtualRouters")):
        for place, neighbor in enumerate(items(router, "neighbors")):
            address = str(at(neighbor, ("peerAddress",))).partition("/")[0]
            if case.peer in ("", f"{at(router, ('localASN',))}/{address}"):
                yield number, place


def unreadable_advertisements(case: Case) -> Iterator[Repairs]:
    """Without the fields of CiliumBGPAdvertisements that cannot be read."""
    for document in documents(case.objects.advertisements):
        if problems := parse_advertisement(document, "", strict=False).problems:
            yield _without("CiliumBGPAdvertisement", document, problems)
