"""What a rule is and what it says: findings, and what it could not tell. Pure.

A rule looks at `Facts` and at nothing else. What is unknown there is no finding: the rule says `Unknown`, and
the report counts it among what was not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgpctl.core.doctor.facts import Facts


class Severity(StrEnum):
    """ERROR: traffic is lost now, or at the next drain. WARNING: it will be, when something else happens.
    NOTE: worth knowing; it fails nobody's script."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


GRAVITY = tuple(Severity)  # the gravest first


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one `object` ("worker-1", "Service default/web"). `why`: a sentence, the
    same for everything that has the same fault, so that a thousand nodes are one row. `fix`: the whole
    command to type, or the field with its value. `node`: whose finding it is, "" = the cluster's."""

    object: str
    why: str
    fix: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that a rule could not judge of one object: `why`, in a few words."""

    why: str
    node: str = ""


Said = Finding | Unknown
Check = Callable[["Facts"], Iterable[Said]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is an interface: scripts, documentation and tickets have it. `check` has the rule's page in its
    docstring (docs/doctor.md is made of them). `needs`: the fields of `Facts` without which it is not asked.
    """

    name: str
    severity: Severity
    check: Check
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """The findings of one rule that say the same of one or more `objects`."""

    rule: str
    severity: Severity
    objects: tuple[str, ...]
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """One rule that could not judge something: `why`, and of how many objects (0 = of none at all)."""

    rule: str
    why: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What the rules said, the gravest last. `checked`: how many of them could be asked; `nodes`: about how
    many nodes."""

    rows: tuple[Row, ...]
    unchecked: tuple[Unchecked, ...]
    checked: int
    nodes: int

    def count(self, severity: Severity) -> int:
        """How many rows are of it?"""
        return sum(row.severity is severity for row in self.rows)

    @property
    def fails(self) -> bool:
        """Is there an error or a warning? Notes fail nobody."""
        return any(row.severity is not Severity.NOTE for row in self.rows)
