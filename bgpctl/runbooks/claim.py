"""The first and the last step of a runbook: one run owns the node, and lets go of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgpctl.kube.lease import WATCHED_SECONDS
from bgpctl.runbooks.actions import ChangeNode, ReleaseLease, TakeLease
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Claimed:
    """The Lease is ours, and a journal that an earlier run left names us and points in our direction.

    Nothing is written on the Node for a fresh drain: one that is refused must leave no trace. A journal that
    somebody removed in the middle is written back: it is all that knows the prior state.
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
        if s.journal is None and s.lost is not None:
            text = f"write the journal of {s.lost.command} {s.lost.run} back: somebody removed it"
            return Decision(Status.ACT, text, (ChangeNode(text, journal=replace(s.lost, holder=s.holder)),))
        if s.journal is None:
            nothing = "bgpctl did not take this node out: nothing to restore"
            return Decision(Status.DONE, nothing if self.command == "restore" else f"run {self.run}")
        if s.journal.command != self.command:
            text = f"undo {s.journal.command} {s.journal.run}"
            return Decision(Status.ACT, text, (ChangeNode(text, journal=self._turned(s)),))
        if s.journal.holder != s.holder:
            text = f"go on from {s.journal.command} {s.journal.run}, last run by {s.journal.holder}"
            ours = replace(s.journal, holder=s.holder, ending={})
            return Decision(Status.ACT, text, (ChangeNode(text, journal=ours),))
        return Decision(Status.DONE, f"run {s.journal.run}")

    def _lease(self, s: Snapshot) -> Decision:
        lease = s.lease
        if lease is None or not lease.of_other(s.holder):
            return Decision(Status.ACT, "the node is free", (TakeLease(),))
        if self.take_over:
            return Decision(Status.ACT, f"take the node over from {lease.holder}", (TakeLease(),))
        if s.lease_contested:
            return Decision(
                Status.BLOCKED,
                f"another run is at work on the node: {lease.holder}",
                hint="let it finish, or stop it; then run this again (--take-over when it cannot be stopped)",
            )
        # Its own time is by its holder's clock; that nobody renews it while we look is by ours.
        expired = s.now >= lease.expires_at
        left = (WATCHED_SECONDS if expired else lease.duration) - s.lease_watched
        if left > 0:
            text = (
                f"the Lease of {lease.holder} has run out; is it renewed all the same?"
                if expired
                else f"{lease.holder} holds the node; if it is dead, its Lease runs out"
            )
            return Decision(Status.WAIT, text, recheck=1.0, eta=s.now + left)
        return Decision(Status.ACT, "the node is free", (TakeLease(),))

    def _turned(self, s: Snapshot) -> Journal:
        """A new direction: the prior state stays, the finished steps, running waits and proofs do not."""
        assert s.journal is not None
        fresh = replace(s.journal.without(s.journal.steps), leaves=0, ending={})
        return replace(fresh, run=self.run, command=self.command, order=self.order, holder=s.holder)


@dataclass(frozen=True, slots=True)
class Released:
    """The Lease is given back: the node is anybody's again."""

    name = "Released"
    title = "let go of the node"
    needs: frozenset[str] = frozenset()

    def decide(self, s: Snapshot) -> Decision:
        if s.holds_lease:
            return Decision(Status.ACT, "nothing is left to do", (ReleaseLease(),))
        return Decision(Status.DONE, "the node is free")
