"""The first and the last step of a runbook: one run owns the node, and lets go of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bgpctl.core.state import timestamp
from bgpctl.errors import Tells
from bgpctl.kube.lease import WATCHED_SECONDS
from bgpctl.runbooks import advice, kept
from bgpctl.runbooks.actions import ChangeNode, ReleaseLease, TakeLease
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import SHUTTING_DOWN
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.kept import Options
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.snapshot import Snapshot

CLOCKS = "by another clock than that run's: waits begin anew"


@dataclass(frozen=True, slots=True)
class Claimed(Goal):
    """The Lease is ours, and a journal that an earlier run left names us and points in our direction.

    Nothing is written on the Node for a fresh drain: one that is refused must leave no trace. A journal that
    somebody removed in the middle is written back: it is all that knows the prior state. `asked`: the options
    of this run, with those that it inherited; it cannot change the order of one that it goes on with.
    """

    command: str
    run: str
    order: str = ""
    take_over: bool = False
    asked: Options = field(default_factory=dict)
    typed: CommandLine = field(default_factory=CommandLine)
    name = "Claimed"
    title = "own the node"
    needs: frozenset[str] = frozenset()

    def decide(self, s: Snapshot) -> Decision:
        if refused := self._another(s) or self._orphaned(s):
            return refused
        if not s.holds_lease:
            return self._lease(s)
        if s.journal is None and s.lost is not None:
            text = f"write the journal of {s.lost.command} {s.lost.run} back: somebody removed it"
            return Decision(Status.ACT, text, (ChangeNode(text, journal=self._ours(s, s.lost)),))
        if s.journal is None:
            nothing = "bgpctl did not take this node out: nothing to restore"
            return Decision(Status.DONE, nothing if self.command == "restore" else f"run {self.run}")
        if s.journal.command != self.command:
            text = f"undo {s.journal.command} {s.journal.run}{_command(s.journal)}"
            return Decision(Status.ACT, text, (ChangeNode(text, journal=self._turned(s)),))
        if s.journal.holder != s.holder:
            ours = self._ours(s, s.journal)
            text = f"go on from {s.journal.command} {s.journal.run}, last run by {s.journal.holder}"
            clocks = (CLOCKS,) if ours.counted != s.journal.counted else ()
            text = "; ".join((text, *clocks, *self._options(ours)))
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
                hint=f"let it finish, or stop it; then: {self.typed}\n"
                f"when it cannot be stopped: {self.typed.with_flags(['--take-over'])}",
                tells=frozenset((Tells.GO_ON, Tells.BACK)),
            )
        # Its own time is by its holder's clock; that nobody renews it while we look is by ours.
        expired = s.now >= lease.expires_at
        left = (WATCHED_SECONDS if expired else lease.duration) - s.lease_watched
        if left > 0:
            hint = self._wait_or_take(lease.holder)
            text = (
                f"the Lease of {lease.holder} has run out; is it renewed all the same?"
                if expired
                else f"{lease.holder} holds the node; if it is dead, its Lease runs out"
            )
            tells = frozenset((Tells.BACK,))
            return Decision(Status.WAIT, text, recheck=1.0, eta=s.now + left, hint=hint, tells=tells)
        return Decision(Status.ACT, "the node is free", (TakeLease(),))

    def _wait_or_take(self, holder: str) -> str:
        """What to do when the time is up and another run still has the node."""
        take = self.typed.again().with_flags(["--take-over"])
        return f"{holder} has the node: let it finish, or stop it\nwhen it cannot be stopped: {take}"

    def _another(self, s: Snapshot) -> Decision | None:
        """Is this another run than the one that is to be gone on with?"""
        journal = s.journal or s.lost
        if journal is None or journal.command != self.command or journal.holder == s.holder:
            return None
        told = f"{journal.command} {journal.run} was asked for with"
        order = self.asked.get("--order")
        if order is not None and order != (journal.order,):
            reason = f"{told} --order {journal.order}: the order cannot be changed on the way"
        elif self.command == "drain" and (more := kept.inherited(journal.options, self.asked)):
            reason = f"{told} {' '.join(kept.words(more))}, which another run wrote down just now"
        else:
            return None
        rows = (
            f"this run changed nothing; to go on with what was asked for: "
            f"{advice.go_on(journal, s.node.name, self.typed)}",
            *advice.said_again(journal),
            f"to begin anew, bring the node back first: {advice.undo(s.node.name, self.typed)}",
        )
        return Decision(
            Status.BLOCKED, reason, hint="\n".join(rows), tells=frozenset((Tells.GO_ON, Tells.BACK))
        )

    def _ours(self, s: Snapshot, journal: Journal) -> Journal:
        """The same run, in our hands."""
        before = {f: v for f, v in journal.options.items() if f not in kept.OF_ATTEMPT}
        options = kept.merged(before, self.asked) if journal.command == self.command else journal.options
        ours = replace(journal, holder=s.holder, options=options)
        return ours.by_clock(s.clock, s.now).again(s.now) if journal.holder != s.holder else ours

    def _options(self, journal: Journal) -> Iterator[str]:
        """What this run does because the one before was asked to, and what it does not do."""
        if self.command == "drain" and self.asked:
            yield f"asked for: {' '.join(kept.words(self.asked))}"
        dropped = [flag for flag in journal.options if flag not in self.asked]
        if dropped:
            yield f"without its {', '.join(dropped)}, which must be said again"

    def _orphaned(self, s: Snapshot) -> Decision | None:
        """Nothing is left that knows how a node was which a drain told to leave: nothing can be restored."""
        if self.command != "restore" or not s.node.leave or s.journal is not None or s.lost is not None:
            return None
        gone = f"the journal of run {s.node.leave.rpartition('-')[0]}, and the Lease with its copy"
        reason = f"somebody removed {gone}: how the node was before is not known"
        hint = "\n".join(advice.by_hand(s.node.name, s.node.unschedulable))
        return Decision(Status.BLOCKED, reason, hint=hint)

    def _turned(self, s: Snapshot) -> Journal:
        """A new direction: the prior state stays, and whom the node was known by. The finished steps, running
        waits and proofs do not, nor what the routers had before the routes went. A restart never cordoned.
        """
        assert s.journal is not None
        fresh = s.journal.prior_only
        if s.journal.command == "restart":
            fresh = replace(fresh, prior_unschedulable=s.node.unschedulable)
        return replace(
            fresh.again(s.now).by_clock(s.clock, s.now),
            run=self.run,
            command=self.command,
            order=self.order,
            holder=s.holder,
            started_at=round(s.now, 3),
            options=self.asked,
        )


@dataclass(frozen=True, slots=True)
class Released(Goal):
    """The Lease is given back: the node is anybody's again."""

    name = "Released"
    title = "let go of the node"
    needs: frozenset[str] = frozenset()

    def preview(self, s: Snapshot) -> str:
        return "give the node's Lease back"

    def decide(self, s: Snapshot) -> Decision:
        if s.holds_lease:
            return Decision(Status.ACT, "nothing is left to do", (ReleaseLease(),))
        return Decision(Status.DONE, "the node is free")


def _command(journal: Journal) -> str:
    """The command that would switch the node off may run still: its run was killed, and whatever would have
    ended it with that."""
    began = journal.marks.get(SHUTTING_DOWN)
    if began is None or journal.steps.get("ShutDown", 0.0) >= began:
        return ""
    return (
        f"; its shutdown command began at {timestamp(began)} and nobody saw it end well: make sure that it "
        f"does not run any more where that run was ({journal.holder})"
    )
