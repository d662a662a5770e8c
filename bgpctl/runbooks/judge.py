"""`--dry-run=server`: the API server judges every write of a plan, and keeps none of them.

Each write is judged on the cluster as it is, so two evictions of one budget are each judged as the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from bgpctl.core.drain.budgets import held_back
from bgpctl.core.drain.eviction import Outcome, parse_eviction_answer
from bgpctl.kube import paths
from bgpctl.kube.dryrun import DryRun
from bgpctl.kube.lease import NodeLock
from bgpctl.runbooks.actions import Action, ChangeNode, EvictPod, PatchObject, TakeLease
from bgpctl.runbooks.drain_steps import plural
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.model import Step
from bgpctl.runbooks.perform import ask_to_evict, carry_out, node_patch
from bgpctl.runbooks.snapshot import EvictionNote, Snapshot

ACCEPTED = (Outcome.EVICTED, Outcome.GONE, Outcome.REPLACED, Outcome.NAMESPACE_TERMINATING)


@dataclass(frozen=True, slots=True)
class Word:
    """Of one step: `text` says what the API server made of its writes, `refused` that it takes not all."""

    text: str = ""
    hint: str = ""
    refused: bool = False


@dataclass(slots=True)
class Judge:
    """Asks for one run, which holds nothing."""

    hold: Hold

    def of(self, step: Step, s: Snapshot) -> Word:
        """Raises BgpctlError where the server refuses another write than an eviction: a right is missing."""
        writes = step.writes(s)
        evictions = [action for action in writes if isinstance(action, EvictPod)]
        if evictions:
            return self._evictions(step, s, evictions)
        judged = [self._judge(action) for action in writes]
        return Word("the API server accepts it") if any(judged) else Word()

    def _judge(self, action: Action) -> bool:
        """Was it a write at all?"""
        match action:
            case TakeLease():
                uid = self.hold.document["metadata"]["uid"]
                lock = NodeLock(self._client, self.hold.node, uid, self.hold.holder, background=False)
                lock.acquire(self.hold.seen_lease)
            case ChangeNode():
                self._client.patch(paths.node(self.hold.node), node_patch(action, self.hold.document))
            case PatchObject():
                carry_out(self._client, action.patch)
            case _:
                return False
        return True

    @property
    def _client(self) -> DryRun:
        return DryRun(self.hold.client.access)

    def _evictions(self, step: Step, s: Snapshot, asked: Sequence[EvictPod]) -> Word:
        notes: dict[str, EvictionNote] = {}
        said: dict[str, list[str]] = {}
        for action in asked:
            if (note := self._eviction(action)) is not None:
                notes[action.pod.uid] = note
                said.setdefault(note.text, []).append(action.pod.where)
        number = f"{len(asked)} {plural(len(asked), 'eviction')}"
        if not notes:
            return Word(f"the API server accepts {number}")
        told = "; ".join(f"{text} ({', '.join(pods)})" for text, pods in said.items())
        hint = step.decide(replace(s, notes=notes)).hint
        return Word(f"the API server refuses {len(notes)} of {number} now: {told}", hint, refused=True)

    def _eviction(self, action: EvictPod) -> EvictionNote | None:
        """What it says against this one; None = it may go, or has gone."""
        answer = parse_eviction_answer(*ask_to_evict(self._client, action))
        if answer.outcome in ACCEPTED:
            return None
        told = answer.message
        if answer.budget:
            told = held_back(action.pod.namespace, answer.budget, told)
        return EvictionNote(told, inf, answer.budget)
