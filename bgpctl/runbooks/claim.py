"""The first and the last step of a runbook: one run owns the node, and lets go of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgpctl.runbooks.actions import ChangeNode, ReleaseLease, TakeLease
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Claimed:
    """The Lease is ours, and a journal that an earlier run left points in our direction.

    Nothing is written on the Node for a fresh drain: one that is refused must leave no trace.
    """

    command: str
    run: str
    order: str = ""
    take_over: bool = False
    name = "Claimed"
    title = "own the node"
    needs: frozenset[str] = frozenset()

    def decide(self, s: Snapshot) -> Decision:
        if not s.holds_lease:
            return self._lease(s)
        if s.journal is None:
            nothing = "bgpctl did not take this node out: nothing to restore"
            return Decision(Status.DONE, nothing if self.command == "restore" else f"run {self.run}")
        if s.journal.command != self.command:
            return Decision(
                Status.ACT, f"a {s.journal.command} was here: go on from it", (self._turn(s.journal),)
            )
        resumed = s.journal.run != self.run
        done = ", ".join(s.journal.steps) or "nothing yet"
        text = f"resuming run {s.journal.run} (done: {done})" if resumed else f"run {self.run}"
        return Decision(Status.DONE, text)

    def _lease(self, s: Snapshot) -> Decision:
        lease = s.lease
        if lease is None or self.take_over or not lease.held_by_other(s.holder, s.now):
            return Decision(Status.ACT, "the node is free", (TakeLease(),))
        if s.lease_contested:
            return Decision(
                Status.BLOCKED,
                f"another run owns the node: {lease.holder}",
                hint="wait for it, or stop it and run this again (--take-over if it cannot be reached)",
            )
        return Decision(
            Status.WAIT,
            f"held by {lease.holder}; free when its Lease expires",
            recheck=1.0,
            eta=lease.expires_at,
        )

    def _turn(self, journal: Journal) -> ChangeNode:
        """A new direction: the prior state stays, the finished steps and running waits do not."""
        turned = replace(journal, run=self.run, command=self.command, order=self.order, steps={}, marks={})
        return ChangeNode(f"turn the journal to {self.command}", journal=turned)


@dataclass(frozen=True, slots=True)
class Released:
    """The Lease is given back: the node is anybody's again."""

    name = "Released"
    title = "let go of the node"
    needs: frozenset[str] = frozenset()

    def decide(self, s: Snapshot) -> Decision:
        if s.holds_lease:
            return Decision(Status.ACT, "in service again", (ReleaseLease(),))
        return Decision(Status.DONE, "in service again")
