"""What is seen of the world when a step decides. Plain values; `World` fills in what the step needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from bgpctl.core.drain.budgets import Budget
from bgpctl.core.drain.eviction import PodVerdict
from bgpctl.core.drain.guards import Guard
from bgpctl.core.drain.lever import Lever
from bgpctl.core.state import NodeState
from bgpctl.core.timing.withdrawal import Estimate
from bgpctl.kube.lease import LeaseView
from bgpctl.runbooks.journal import AGAIN, Journal
from bgpctl.witness.model import RouterAnswer


@dataclass(frozen=True, slots=True)
class NodeView:
    """The Node object, cut to what a runbook decides on. `leave`: its annotation `bgpctl.io/leave`.
    `addresses`: its InternalIPs."""

    name: str
    uid: str
    version: str
    labels: Mapping[str, str]
    unschedulable: bool
    ready: bool
    leave: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What a router says about the node's routes. `absent_since` is the first of an unbroken row of "absent"
    answers, `absences` their number. `witness`: which router that was, as far as it can be told."""

    peer: str
    answer: RouterAnswer
    absent_since: float | None
    absences: int
    witness: str = ""

    @property
    def apart(self) -> float:
        """Seconds between the first and the last of the row."""
        return 0.0 if self.absent_since is None else self.answer.at - self.absent_since


@dataclass(frozen=True, slots=True)
class EvictionNote:
    """The last answer to an eviction: a sentence, and when to ask again. `budget`: the name of the
    PodDisruptionBudget that holds it back."""

    text: str
    retry_at: float
    budget: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at the world. Parts that the step did not ask for are empty.

    `lost`: the Node has no journal any more, and this is what it was; None where there never was one.
    `released`: this run held the Lease, and gave it back.
    `lease_contested`: somebody else renewed the Lease while we watched, which is `lease_watched` seconds.
    `budgets`: the PodDisruptionBudgets, None = they cannot be listed, or one of them not be read.
    `provider` speaks BGP on the node; `others`: the titles of those that may besides, as far as was looked.
    `configured`: the peers that policies give the node now, by address and port, which its speaker may not
    have told yet.
    `estimates` hold for a deselect, `dead_estimates` for a node whose
    speaker no longer reports.
    `began`: the instant before the first of them was read. `clock` names that of `now`.
    `fenced`: objects whose versions this run moved.
    `command_exit` is the shutdown command's; `restarted`: the restart command ran and ended well.
    """

    now: float
    node: NodeView
    journal: Journal | None = None
    lost: Journal | None = None
    lease: LeaseView | None = None
    holder: str = ""
    holds_lease: bool = False
    released: bool = False
    lease_contested: bool = False
    lease_watched: float = inf
    guards: tuple[Guard, ...] = ()
    provider: str = ""
    others: tuple[str, ...] = ()
    configured: tuple[tuple[str, int | None], ...] = ()
    lever: Lever = field(default_factory=Lever)
    pods: tuple[PodVerdict, ...] = ()
    budgets: tuple[Budget, ...] | None = ()
    notes: Mapping[str, EvictionNote] = field(default_factory=dict)
    state: NodeState | None = None
    estimates: tuple[Estimate, ...] = ()
    dead_estimates: tuple[Estimate, ...] = ()
    answers: tuple[PeerAnswer, ...] = ()
    command_exit: int | None = None
    command_tail: str = ""
    restarted: bool = False
    began: float = 0.0
    clock: str = ""
    fenced: frozenset[str] = frozenset()

    @property
    def unfenced(self) -> tuple[str, ...]:
        """The objects of the lever that a run before this one may still have a request on the way to."""
        follows = self.journal is not None and AGAIN in self.journal.marks
        return tuple(one for one in self.lever.objects if one not in self.fenced) if follows else ()
