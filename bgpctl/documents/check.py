"""`bgpctl policy check FILE…`: every fault and warning of the files, and a verdict on each document.

Pure result, no printing: the CLI renders it and exits with `CheckReport.exit_code`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bgpctl.core.policy.inputs import KINDS, check_input
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.peering import parse_policy
from bgpctl.core.policy.v2 import advertisement, cluster, override, peer
from bgpctl.core.reading.fields import Faults, suggestion
from bgpctl.documents.files import AnyPath, Loaded, LoadedDocument, capped, duplicates, read_documents
from bgpctl.documents.references import Together, Valid
from bgpctl.errors import Exit, Problem

# etcd's default request limit: what is larger cannot be applied to a cluster.
MAX_OBJECT_BYTES = 1_572_864

# Of all files together. A check takes some 40 times that in memory, and a second for each MiB.
MOST_BYTES = 4 << 20

# What Cilium's operator writes for its agents; the speaker compiles its own from the others.
NOT_OURS = ("CiliumBGPNodeConfig",)

# Each takes (document, source, index, prefix=) and gives problems, warnings and what it has read.
POLICY_KINDS: Mapping[str, Callable[..., Any]] = {
    POLICY: parse_policy,
    cluster.KIND: cluster.parse_cluster_config,
    peer.KIND: peer.parse_peer_config,
    advertisement.KIND: advertisement.parse_advertisement,
    override.KIND: override.parse_override,
}
USED = (*POLICY_KINDS, *KINDS)


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
        """Warnings do not count."""
        return not self.problems

    @property
    def exit_code(self) -> Exit:
        """A document with a fault is the user's, as a mistyped flag is: USAGE."""
        return Exit.DONE if self.ok else Exit.USAGE


def check_files(paths: Sequence[AnyPath]) -> CheckReport:
    """Check all documents of all files, each alone and then together. Raises nothing."""
    loaded = read_documents(paths, MOST_BYTES)
    problems, warnings = list(loaded.problems), []
    checked = _unreadable(loaded.problems)
    valid: list[Valid] = []
    for document in loaded.documents:
        faults, value = check_document(document)
        checked.append(_verdict(document, faults))
        problems += faults.problems
        warnings += faults.warnings
        if value is not None:
            valid.append((document, value))
    together = Together(loaded, valid)
    problems += duplicates(loaded.documents)
    problems += together.problems()
    warnings += together.warnings()
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


def check_document(document: LoadedDocument) -> tuple[Faults, Any]:
    """The faults of one document, and what was read from it when it is a valid one of `POLICY_KINDS`."""
    faults = Faults(document.source, document.index, prefix=document.prefix)
    if _too_large(document, faults):
        return faults, None
    if document.kind in POLICY_KINDS:
        parse = POLICY_KINDS[document.kind]
        parsed = parse(document.value, document.source, document.index, prefix=document.prefix)
        faults.problems += parsed.problems
        faults.warnings += parsed.warnings
        return faults, parsed.value
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
    if not document.kind:
        faults.error("kind", f"required; one of {', '.join(USED)}")
    elif document.kind in NOT_OURS:
        faults.warn("kind", f"{document.kind} is not read: Cilium's operator writes it for Cilium's agents")
    elif guess := suggestion(document.kind, USED):
        faults.error("kind", f"{document.kind} is no kind that bgpctl knows.{guess}")
    else:
        faults.warn("kind", f"{document.kind} is not read: bgpctl uses {', '.join(USED)}")


def _verdict(document: LoadedDocument, faults: Faults) -> CheckedDocument:
    verdict = Verdict.VALID if document.kind in USED else Verdict.NOT_USED
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
