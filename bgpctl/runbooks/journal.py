"""What the world cannot tell: who took the node out, from which state, with which options, when.

It lives on the Node itself, in one annotation, so that any machine can resume or restore. Written in the same
patch as the change it belongs to. Absent = bgpctl has not touched this node.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bgpctl.errors import Blocked

ANNOTATION = "bgpctl.io/run"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Journal:
    """`prior_labels` holds the labels that the run may change, with their value before (None = absent).
    `steps` maps a finished step to its epoch second, `marks` other instants ("Relabelled", "SawWithdrawn")
    that a resumed wait continues from. `evidence` is what proved the withdrawal. `holder` is the run at work:
    whoever takes the node over writes itself in here, and a run that finds another name stops."""

    run: str
    command: str
    order: str
    holder: str
    started_at: float
    prior_unschedulable: bool = False
    prior_labels: Mapping[str, str | None] = field(default_factory=dict)
    deselect: tuple[str, str | None] | None = None
    peers: tuple[str, ...] = ()
    routes: int = 0
    steps: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def finished(self, step: str) -> bool:
        return step in self.steps

    def with_step(self, step: str, at: float, evidence: Mapping[str, Any]) -> Journal:
        return replace(self, steps={**self.steps, step: round(at, 3)}, evidence={**self.evidence, **evidence})

    def without(self, steps: Collection[str]) -> Journal:
        """The journal as if these steps had never been done; waits begin anew, evidence is void."""
        left = {step: at for step, at in self.steps.items() if step not in steps}
        return replace(self, steps=left, marks={}, evidence={})

    def with_mark(self, mark: str, at: float) -> Journal:
        return replace(self, marks={**self.marks, mark: round(at, 3)})


def dump(journal: Journal) -> str:
    return json.dumps({"version": VERSION, **asdict(journal)}, sort_keys=True, separators=(",", ":"))


def load(annotations: Mapping[str, str] | None) -> Journal | None:
    """The journal of a Node's annotations. One that cannot be read blocks: guessing a prior state could undo
    somebody's cordon."""
    text = (annotations or {}).get(ANNOTATION)
    if not text:
        return None
    try:
        return _read(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise Blocked(
            f"the annotation {ANNOTATION} cannot be read ({error})",
            "another version of bgpctl wrote it; read it with `kubectl get node NODE -o yaml`, restore the "
            f"node by hand, then remove it with `kubectl annotate node NODE {ANNOTATION}-`",
        ) from None


def _read(document: Any) -> Journal:
    """Raises ValueError, TypeError or KeyError for anything that `dump` of this version did not write."""
    if not isinstance(document, dict) or document.pop("version") != VERSION:
        raise ValueError("another version")
    deselect = document.pop("deselect")
    journal = Journal(
        **{**document, "peers": tuple(document["peers"])}, deselect=tuple(deselect) if deselect else None
    )
    maps = (journal.prior_labels, journal.steps, journal.marks, journal.evidence)
    if not all(isinstance(one, dict) for one in maps) or not isinstance(journal.prior_unschedulable, bool):
        raise ValueError("not as it was written")
    if not all(isinstance(at, int | float) for at in (*journal.steps.values(), *journal.marks.values())):
        raise ValueError("an instant is no number")
    if journal.deselect is not None and len(journal.deselect) != 2:
        raise ValueError("deselect is no label")
    return journal
