"""Which object owns a node: exactly one, a CiliumBGPPeeringPolicy or a CiliumBGPClusterConfig.

When several select it, the one that had it keeps it: a second one never takes sessions down. Nobody had it:
a CiliumBGPPeeringPolicy goes before a CiliumBGPClusterConfig (as in Cilium while it knew both), the oldest
before the others (creationTimestamp, then name). The others become a problem sentence. Cilium clears every
session of a node that two policies select (facts: cilium.md sections 1.1 and 1.2), which turns one stray
policy into an outage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.policy.claim import NO_OWNER, Claim, Owner
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.peering import PeeringPolicy, parse_policy
from bgpctl.core.policy.v2.cluster import KIND as CLUSTER_CONFIG
from bgpctl.core.policy.v2.cluster import ClusterConfig, parse_cluster_config
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.unchanged import remembered

Document = Mapping[str, Any]

AnyClaim = Claim[PeeringPolicy | ClusterConfig]

MOST = 256  # objects of a kind of which what was read is remembered: clusters have fewer
OWNER_KINDS = (POLICY, CLUSTER_CONFIG)  # in the order in which they go before each other


@dataclass(frozen=True, slots=True)
class Selection:
    """`owner` has the node (None = nothing selects it); `others` select it too."""

    owner: AnyClaim | None
    others: tuple[AnyClaim, ...] = ()
    problems: tuple[str, ...] = ()


def _policy(document: Document) -> AnyClaim:
    return parse_policy(document, f"{POLICY}/{name_of(document)}", strict=False)


def _cluster_config(document: Document) -> AnyClaim:
    return parse_cluster_config(document, f"{CLUSTER_CONFIG}/{name_of(document)}", strict=False)


_read_policy, _read_cluster_config = remembered(_policy, MOST), remembered(_cluster_config, MOST)


def read_claims(policies: Sequence[Document], cluster_configs: Sequence[Document] = ()) -> list[AnyClaim]:
    """The objects of an API server, read leniently."""
    return [*map(_read_policy, policies), *map(_read_cluster_config, cluster_configs)]


def select_owner(
    claims: Sequence[AnyClaim], labels: Mapping[str, str], previous: Owner = NO_OWNER
) -> Selection:
    """The one object that owns a node with these labels. `previous` is the owner so far.

    A valid object goes before an invalid one, unless that had the node.
    """
    selecting = [claim for claim in claims if claim.selects(labels, previous)]
    selecting.sort(key=lambda claim: (claim.owner != previous, claim.value is None, *_rank(claim)))
    owner, others = (selecting[0] if selecting else None), tuple(selecting[1:])
    problems = [line for claim in claims for line in _problems(claim, claim in selecting)]
    if owner is not None and others:
        names = ", ".join(str(claim.owner) for claim in others)
        verb = "selects" if len(others) == 1 else "select"
        problems.append(f"{names} {verb} this node too and is ignored here: {owner.owner} has it already")
    return Selection(owner, others, tuple(problems))


def _rank(claim: AnyClaim) -> tuple[int, str, str]:
    # A file has no creationTimestamp: such an object counts as the youngest.
    return OWNER_KINDS.index(claim.owner.kind), claim.created or "9999", claim.name


def _problems(claim: AnyClaim, selecting: bool) -> Iterator[str]:
    for problem in claim.problems:
        yield f"{claim.owner} is invalid: {problem.path or '(document)'}: {problem.message}"
    if selecting:
        for warning in claim.warnings:
            yield f"warning: {claim.owner}: {warning.path}: {warning.message}"
