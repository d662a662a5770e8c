"""`bgpctl policy check FILE…`: every fault and warning of the files, and a verdict on each document.

Pure result, no printing: the CLI renders it and exits with `CheckReport.exit_code`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bgpctl.core.documents import labels_of
from bgpctl.core.fields import Faults, suggestion
from bgpctl.core.inputs import KINDS, check_input
from bgpctl.core.policy import KIND as POLICY
from bgpctl.core.policy import PeeringPolicy, parse_policy
from bgpctl.core.selectors import LabelSelector
from bgpctl.errors import Exit, InvalidDocuments, Problem
from bgpctl.speaker.files import (
    AnyPath,
    Loaded,
    LoadedDocument,
    capped,
    duplicates,
    read_documents,
)

# etcd's default request limit: what is larger cannot be applied to a cluster.
MAX_OBJECT_BYTES = 1_572_864

NOT_YET = (
    "CiliumBGPClusterConfig",
    "CiliumBGPPeerConfig",
    "CiliumBGPAdvertisement",
    "CiliumBGPNodeConfig",
    "CiliumBGPNodeConfigOverride",
    "CiliumLoadBalancerIPPool",
    "CiliumPodIPPool",
)


class Verdict(StrEnum):
    """What the check says of one document."""

    VALID = "valid"
    INVALID = "invalid"
    NOT_USED = "not used"


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """One document and its verdict; `problems` and `warnings` are counts."""

    source: str
    document: int
    line: int
    kind: str
    name: str
    verdict: Verdict
    problems: int = 0
    warnings: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything the check found. Problems and warnings have their file, document, path and line."""

    documents: tuple[CheckedDocument, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def exit_code(self) -> Exit:
        return Exit.DONE if self.ok else Exit.USAGE

    def raise_for_problems(self) -> None:
        """Raise InvalidDocuments when there is any problem."""
        if self.problems:
            raise InvalidDocuments(self.problems)


def check_files(paths: Sequence[AnyPath]) -> CheckReport:
    """Check all documents of all files, each alone and then together. Raises nothing."""
    loaded = read_documents(paths)
    problems, warnings = list(loaded.problems), []
    checked, policies = _unreadable(loaded.problems), []
    for document in loaded.documents:
        faults, policy = check_document(document)
        checked.append(_verdict(document, faults))
        problems += faults.problems
        warnings += faults.warnings
        if policy is not None:
            policies.append((document, policy))
    problems += duplicates(loaded.documents)
    problems += _double_selection(loaded, policies)
    warnings += _missing_secrets(loaded, policies)
    order = {str(path): number for number, path in enumerate(paths)}
    checked.sort(key=lambda c: (order[c.source], c.document))
    return CheckReport(tuple(checked), _placed(loaded, problems, order), _placed(loaded, warnings, order))


def _unreadable(problems: Sequence[Problem]) -> list[CheckedDocument]:
    """A row for every document that could not be read, so that it is counted."""
    rows: dict[tuple[str, int], CheckedDocument] = {}
    for problem in problems:
        key = problem.source, problem.document
        row = rows.get(key) or CheckedDocument(*key, problem.line or 1, "", "", Verdict.INVALID)
        rows[key] = replace(row, problems=row.problems + 1)
    return list(rows.values())


def _placed(loaded: Loaded, problems: Sequence[Problem], order: Mapping[str, int]) -> tuple[Problem, ...]:
    """Capped, with lines, in the order of the files; what has no line (a cap) comes last."""
    placed = loaded.place(capped(problems))
    return tuple(sorted(placed, key=lambda p: (order[p.source], p.document, p.line or sys.maxsize)))


def check_document(document: LoadedDocument) -> tuple[Faults, PeeringPolicy | None]:
    """The faults of one document; the policy when it is a valid one."""
    faults = Faults(document.source, document.index, prefix=document.prefix)
    if _too_large(document, faults):
        return faults, None
    if document.kind == POLICY:
        parsed = parse_policy(document.value, document.source, document.index, prefix=document.prefix)
        faults.problems += parsed.problems
        faults.warnings += parsed.warnings
        return faults, parsed.policy
    if document.kind in KINDS:
        check_input(document.kind, document.value, faults)
    else:
        _unused(document, faults)
    return faults, None


def _too_large(document: LoadedDocument, faults: Faults) -> bool:
    # JSON has quotes where YAML has none, but is not twice as long: small documents need no measuring.
    if document.size <= MAX_OBJECT_BYTES // 2:
        return False
    size = len(json.dumps(document.value, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_OBJECT_BYTES:
        faults.error(
            "", f"is {size} bytes as JSON; a cluster stores at most {MAX_OBJECT_BYTES} (etcd's limit)"
        )
    return size > MAX_OBJECT_BYTES


def _unused(document: LoadedDocument, faults: Faults) -> None:
    known = (POLICY, *KINDS)
    if not document.kind:
        faults.error("kind", f"required; one of {', '.join(known)}")
    elif document.kind in NOT_YET:
        faults.warn("kind", f"{document.kind} is not read by this version: nothing in it takes effect")
    elif guess := suggestion(document.kind, known):
        faults.error("kind", f"{document.kind} is no kind that bgpctl knows.{guess}")
    else:
        faults.warn("kind", f"{document.kind} is not read: bgpctl uses {', '.join(known)}")


def _verdict(document: LoadedDocument, faults: Faults) -> CheckedDocument:
    verdict = Verdict.VALID if document.kind == POLICY or document.kind in KINDS else Verdict.NOT_USED
    return CheckedDocument(
        document.source,
        document.index,
        document.line,
        document.kind,
        document.name,
        Verdict.INVALID if faults.problems else verdict,
        len(faults.problems),
        len(faults.warnings),
    )


# --- documents together -----------------------------------------------------------------------------------

_Policies = Sequence[tuple[LoadedDocument, PeeringPolicy]]


def _double_selection(loaded: Loaded, policies: _Policies) -> Iterator[Problem]:
    """Two policies for one node: by the Nodes in the files, else where the selectors alone prove it.
    At most one problem for each policy, against the first one that it meets."""
    conflicts: dict[int, tuple[int, str]] = {}
    for node in (document for document in loaded.documents if document.kind == "Node"):
        labels = labels_of(node.value)
        selecting = [i for i, (_, policy) in enumerate(policies) if policy.selects(labels)]
        for second in selecting[1:]:
            conflicts.setdefault(second, (selecting[0], f"node {node.name}"))
    for first, second in _sure_overlaps(policies):
        conflicts.setdefault(second, (first, "every node that it selects"))
    for second, (first, where) in sorted(conflicts.items()):
        at, (before, policy) = policies[second][0], policies[first]
        if policy.name == policies[second][1].name:
            continue  # reported as a duplicate
        yield Problem(
            at.source,
            at.index,
            f"{at.prefix}spec.nodeSelector",
            f"selects {where} as policy {policy.name} ({before.source}, line {before.line}) does; "
            "one policy per node is allowed",
        )


def _sure_overlaps(policies: _Policies) -> Iterator[tuple[int, int]]:
    """Pairs (first, second) by index: equal selectors, or one that selects every node."""
    seen: dict[LabelSelector, int] = {}
    for index, (_, policy) in enumerate(policies):
        selector = policy.node_selector or LabelSelector()
        first = seen.get(LabelSelector(), seen.get(selector, 0 if selector.empty else None))
        if first is not None and first != index:
            yield first, index
        seen.setdefault(selector, index)


def _missing_secrets(loaded: Loaded, policies: _Policies) -> Iterator[Problem]:
    """Only a state file (it has Nodes) is meant to bring the Secrets along."""
    if not any(document.kind == "Node" for document in loaded.documents):
        return
    known = {document.name for document in loaded.documents if document.kind == "Secret"}
    for document, policy in policies:
        for r, router in enumerate(policy.virtual_routers):
            for n, neighbor in enumerate(router.neighbors):
                if neighbor.auth_secret and neighbor.auth_secret not in known:
                    path = f"{document.prefix}spec.virtualRouters[{r}].neighbors[{n}].authSecretRef"
                    message = f"no Secret {neighbor.auth_secret} is in the files: this peer gets no session"
                    yield Problem(document.source, document.index, path, message)
