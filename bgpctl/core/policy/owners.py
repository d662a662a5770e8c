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
from typing import Any, NamedTuple

from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.peering import PeeringPolicy, parse_policy
from bgpctl.core.policy.v2.cluster import KIND as CLUSTER_CONFIG
from bgpctl.core.policy.v2.cluster import ClusterConfig, parse_cluster_config
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.errors import Problem

Document = Mapping[str, Any]

OWNER_KINDS = (POLICY, CLUSTER_CONFIG)  # in the order in which they go before each other


class Owner(NamedTuple):
    """Which object has a node. No name = none."""

    kind: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


NO_OWNER = Owner()


@dataclass(frozen=True, slots=True)
class Claim:
    """One object that may own nodes. `value` is None exactly when there are problems; `node_selector_valid`
    says whether it told which nodes it is for nevertheless."""

    owner: Owner
    value: PeeringPolicy | ClusterConfig | None
    node_selector: LabelSelector | None = None
    node_selector_valid: bool = True
    created: str = ""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        return self.owner.name

    def selects(self, labels: Mapping[str, str], previous: Owner) -> bool:
        """A selector that does not parse selects only the node that its object has (`previous`)."""
        if not self.node_selector_valid:
            return self.owner == previous
        return self.node_selector is None or self.node_selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Selection:
    """`owner` has the node (None = nothing selects it); `others` select it too."""

    owner: Claim | None
    others: tuple[Claim, ...] = ()
    problems: tuple[str, ...] = ()


def read_claims(policies: Sequence[Document], cluster_configs: Sequence[Document] = ()) -> list[Claim]:
    """The objects of an API server, read leniently."""
    return [*map(_policy, policies), *map(_cluster_config, cluster_configs)]


def _policy(document: Document) -> Claim:
    parsed = parse_policy(document, f"{POLICY}/{name_of(document)}", strict=False)
    return Claim(
        Owner(POLICY, parsed.name),
        parsed.policy,
        parsed.node_selector,
        parsed.node_selector_valid,
        parsed.created,
        parsed.problems,
        parsed.warnings,
    )


def _cluster_config(document: Document) -> Claim:
    parsed = parse_cluster_config(document, f"{CLUSTER_CONFIG}/{name_of(document)}", strict=False)
    return Claim(
        Owner(CLUSTER_CONFIG, parsed.name),
        parsed.value,
        parsed.node_selector,
        parsed.node_selector_valid,
        parsed.created,
        parsed.problems,
        parsed.warnings,
    )


def select_owner(claims: Sequence[Claim], labels: Mapping[str, str], previous: Owner = NO_OWNER) -> Selection:
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


def _rank(claim: Claim) -> tuple[int, str, str]:
    # A file has no creationTimestamp: such an object counts as the youngest.
    return OWNER_KINDS.index(claim.owner.kind), claim.created or "9999", claim.name


def _problems(claim: Claim, selecting: bool) -> Iterator[str]:
    for problem in claim.problems:
        yield f"{claim.owner} is invalid: {problem.path or '(document)'}: {problem.message}"
    if selecting:
        for warning in claim.warnings:
            yield f"warning: {claim.owner}: {warning.path}: {warning.message}"
