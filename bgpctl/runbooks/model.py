"""The words of a runbook: what a step is and answers, what the engine tells, what a run ends with.

The engine yields `Event`s and returns a `Result`; renderers turn both into text or JSON and know no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from bgpctl.errors import Exit, Tells

if TYPE_CHECKING:
    from bgpctl.runbooks.journal import Journal
    from bgpctl.runbooks.moments import Moment
    from bgpctl.runbooks.snapshot import Snapshot

SCHEMA = "bgpctl/v1"


class Status(StrEnum):
    """What a step says of the world: its goal holds, something must be done, only time or somebody else can
    help, or it may not go on."""

    DONE = "done"
    ACT = "act"
    WAIT = "wait"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Decision:
    """A step's answer. `reason` is a sentence for people. `actions` are performed in order when status is ACT
    (or WAIT: things worth doing while waiting; or BLOCKED: what the step wrote is taken back first).
    `recheck` is seconds until the world is worth another look, None = at once after an action, soon when
    waiting; `eta` is the epoch second at which waiting ends at the latest, None when only an event can end
    it. `hint` tells what to type next when it is blocked, and what to do when the time is up while it waits.
    `evidence` goes into the journal and the result. `said` are the words of an operator's command, which may
    hold a secret: shown to who runs it, and kept nowhere. `tells`: what reason and hint tell already.
    `brief`: the reason where it was told in full before, "" = as it is."""

    status: Status
    reason: str
    actions: tuple[Any, ...] = ()
    recheck: float | None = None
    eta: float | None = None
    hint: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    tells: frozenset[Tells] = frozenset()
    brief: str = ""

    @property
    def told(self) -> str:
        """The reason for who runs it."""
        return f"{self.reason}: {self.said}" if self.said else self.reason


class Step(Protocol):
    """A goal: `decide` says whether it holds and what would bring it about. `needs` names the parts of the
    snapshot it looks at, `foresees` those that only its preview does."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def needs(self) -> frozenset[str]: ...
    @property
    def foresees(self) -> frozenset[str]: ...
    def decide(self, s: Snapshot) -> Decision: ...
    def preview(self, s: Snapshot) -> str: ...
    def foresee(self, s: Snapshot) -> Decision | None: ...
    def leaves(self, s: Snapshot) -> Journal | None: ...
    def writes(self, s: Snapshot) -> Sequence[Any]: ...


class Goal:
    """What a step has unless it says otherwise."""

    __slots__ = ()

    @property
    def foresees(self) -> frozenset[str]:
        return frozenset()

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: what it would do, where only the effect of earlier steps lets it be decided; "" =
        what it decides now is what it would do."""
        return ""

    def foresee(self, s: Snapshot) -> Decision | None:
        """For --dry-run: what would block it after the steps before it, where that can be seen now."""
        return None

    def leaves(self, s: Snapshot) -> Journal | None:
        """The journal as the steps after it will find it."""
        return s.journal

    def writes(self, s: Snapshot) -> Sequence[Any]:
        """For --dry-run=server: the actions that it would begin with."""
        decision: Decision = self.decide(s)  # type: ignore[attr-defined]
        return decision.actions if decision.status is not Status.BLOCKED else ()


@dataclass(frozen=True, slots=True)
class Event:
    """One line of progress. `kind`: "step" (a step's state changed), "action" (something was done), "still"
    (nothing changed for a while; `until` is when the run gives up), "note" (to be read before anything is
    done) or "steps" (the names of all of them, for who shows those to come; `until` as above), on `node`.
    `state`: pending, acting,
    waiting, done, blocked, failed, deadline, interrupted, planned."""

    at: float
    kind: str
    step: str
    title: str
    state: str
    text: str
    eta: float | None = None
    until: float | None = None
    node: str = ""


@dataclass(frozen=True, slots=True)
class StepReport:
    """How one step ended. Times are epoch seconds, None when it never began or never ended."""

    step: str
    title: str
    state: str
    text: str
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. `status`: done, blocked, deadline, failed, interrupted or planned (dry run).
    `proof` is "confirmed" (a router said so), "reported" (the node's own BGP engine did, and a computed
    deadline passed), "estimated" (that passed) or "" (not withdrawn).
    `message` is the last line a person reads; `reason` what it rests on, where that is long; `hint` what to
    type next: lines, each with its command at the end, after ": "; `tells`: what both tell already.
    `in_service`, of a restore that came to its end: pods are welcome, and a policy selects the node.
    `timeline`, of a drain that was done: what came when, by whose word."""

    command: str
    node: str
    status: str
    message: str
    hint: str = ""
    reason: str = ""
    run: str = ""
    proof: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    steps: tuple[StepReport, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    tells: frozenset[Tells] = frozenset()
    in_service: bool | None = None
    timeline: tuple[Moment, ...] = ()

    @property
    def words(self) -> str:
        """How a run ended that did not come to its end."""
        return ended(self.status, self.message)

    @property
    def exit_code(self) -> Exit:
        return {
            "done": Exit.DONE,
            "planned": Exit.DONE,
            "blocked": Exit.BLOCKED,
            "deadline": Exit.DEADLINE,
            "interrupted": Exit.INTERRUPTED,
        }.get(self.status, Exit.FAILED)


def ended(status: str, reason: str) -> str:
    """Status and reason as one sentence: a reason that says the status itself stands alone."""
    if reason.startswith((status, "time is up")):
        return reason
    return f"{status}: {reason}" if reason else status
