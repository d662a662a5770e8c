"""The verdicts on the v2 resources, as conditions: their types and reasons are Cilium's where it has one.

All of them are bad when True, as Cilium's are; users took the entry with status False for an error more than
once (facts: cilium.md section 1.4). So the message says in words what holds, True or False. Conditions go on
CiliumBGPClusterConfigs and CiliumBGPPeerConfigs; the other kinds have no status.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.policy.claim import Owner
from bgpctl.core.policy.v2 import cluster, peer
from bgpctl.core.policy.v2.cluster import ClusterConfig, parse_cluster_config
from bgpctl.core.policy.v2.peer import BGPPeerConfig, parse_peer_config
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.errors import Problem

Document = Mapping[str, Any]

NO_MATCHING_NODE = "cilium.io/NoMatchingNode"
MISSING_PEER_CONFIGS = "cilium.io/MissingPeerConfigs"
CONFLICTING_CLUSTER_CONFIG = "cilium.io/ConflictingClusterConfig"
MISSING_AUTH_SECRET = "cilium.io/MissingAuthSecret"  # noqa: S105  # a condition, no password
INVALID = "bgpctl.io/Invalid"
NOT_HONOURED = "bgpctl.io/NotHonoured"

# Everywhere the type's last part, but for this one.
REASONS = {CONFLICTING_CLUSTER_CONFIG: "ConflictingClusterConfigs"}
MAX_MESSAGE = 32768  # metav1.Condition


@dataclass(frozen=True, slots=True)
class Condition:
    """One verdict on one object ("CiliumBGPClusterConfig rack-1"). `status` is "True" (bad) or "False"."""

    object: str
    type: str
    status: str
    reason: str
    message: str

    @property
    def bad(self) -> bool:
        return self.status == "True"

    def __str__(self) -> str:
        return f"{self.object}: {self.message}"


def conditions(
    cluster_configs: Sequence[Document],
    peer_configs: Sequence[Document],
    nodes: Sequence[Document],
    owners: Mapping[str, Owner],
    secrets: Collection[str] | None,
) -> tuple[Condition, ...]:
    """Every condition of every object, in the order of objects and types.

    `owners` says who has each node, by the node's name; `secrets` are the names of the Secrets that have a
    password, None = they may not be read: then nothing is said of them.
    """
    names = {name_of(document) for document in peer_configs}
    found: list[Condition] = []
    for document in sorted(cluster_configs, key=name_of):
        found += _cluster_config(document, names, nodes, owners)
    for document in sorted(peer_configs, key=name_of):
        found += _peer_config(document, secrets)
    return tuple(found)


def _cluster_config(
    document: Document, names: Collection[str], nodes: Sequence[Document], owners: Mapping[str, Owner]
) -> Iterator[Condition]:
    parsed = parse_cluster_config(document, "", strict=False)
    subject = f"{cluster.KIND} {parsed.name}"
    yield _invalid(subject, parsed.problems)
    yield _not_honoured(subject, parsed.warnings)
    if parsed.value is not None:
        selected = [name_of(node) for node in nodes if parsed.value.selects(labels_of(node))]
        yield _conflicting(subject, Owner(cluster.KIND, parsed.name), selected, owners)
        yield _missing_peer_configs(subject, parsed.value, names)
        yield _no_matching_node(subject, selected)


def _peer_config(document: Document, secrets: Collection[str] | None) -> Iterator[Condition]:
    parsed = parse_peer_config(document, "", strict=False)
    subject = f"{peer.KIND} {parsed.name}"
    yield _invalid(subject, parsed.problems)
    yield _not_honoured(subject, parsed.warnings)
    if parsed.value is not None and secrets is not None:
        yield _missing_secret(subject, parsed.value, secrets)


def _condition(subject: str, kind: str, bad: bool, message: str) -> Condition:
    reason = REASONS.get(kind, kind.rpartition("/")[2])
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    return Condition(subject, kind, "True" if bad else "False", reason, message)


def _invalid(subject: str, problems: Sequence[Problem]) -> Condition:
    kept = "; what it was before stays in force where it was" if problems else "it is valid"
    return _condition(subject, INVALID, bool(problems), _texts(problems) + kept)


def _not_honoured(subject: str, warnings: Sequence[Problem]) -> Condition:
    message = _texts(warnings) or "everything in it takes effect"
    return _condition(subject, NOT_HONOURED, bool(warnings), message)


def _texts(problems: Iterable[Problem]) -> str:
    return "; ".join(f"{problem.path or '(document)'}: {problem.message}" for problem in problems)


def _no_matching_node(subject: str, selected: Sequence[str]) -> Condition:
    few = "1 node matches" if len(selected) == 1 else f"{len(selected)} nodes match"
    message = f"{few if selected else 'No node matches'} spec.nodeSelector"
    return _condition(subject, NO_MATCHING_NODE, not selected, message)


def _missing_peer_configs(subject: str, config: ClusterConfig, names: Collection[str]) -> Condition:
    wanted = {p.config for instance in config.instances for p in instance.peers if p.config is not None}
    missing = sorted(wanted - set(names))
    message = f"Referenced CiliumBGPPeerConfig(s) are missing: {_listed(missing)}"
    fine = "every CiliumBGPPeerConfig that it refers to exists" if wanted else "it refers to none"
    return _condition(subject, MISSING_PEER_CONFIGS, bool(missing), message if missing else fine)


def _conflicting(subject: str, own: Owner, selected: Iterable[str], owners: Mapping[str, Owner]) -> Condition:
    others = {owners[node] for node in selected if node in owners} - {own}
    by_kind = {
        "ClusterConfig(s)": sorted(owner.name for owner in others if owner.kind == cluster.KIND),
        "CiliumBGPPeeringPolicy": sorted(owner.name for owner in others if owner.kind != cluster.KIND),
    }
    parts = [f"{what}: {_listed(found)}" for what, found in by_kind.items() if found]
    message = f"Selecting the same node(s) with {' and '.join(parts)}"
    fine = "no other object has a node that it selects"
    return _condition(subject, CONFLICTING_CLUSTER_CONFIG, bool(parts), message if parts else fine)


def _missing_secret(subject: str, config: BGPPeerConfig, secrets: Collection[str]) -> Condition:
    missing = config.secret is not None and config.secret not in secrets
    fine = "it needs no Secret" if config.secret is None else f"Secret {config.secret} has a password"
    message = f"Secret {config.secret} with the key password is missing: its peers have no session"
    return _condition(subject, MISSING_AUTH_SECRET, missing, message if missing else fine)


def _listed(names: Iterable[str]) -> str:
    return f"[{' '.join(names)}]"
