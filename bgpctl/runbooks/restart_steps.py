"""The goals of a speaker's restart: nothing may be lost by it, it happened, the node is let go of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bgpctl.core.drain.pods import PodView
from bgpctl.core.drain.restart import kept, refusals, takes_engine
from bgpctl.core.state import NodeState
from bgpctl.errors import Tells
from bgpctl.runbooks import advice
from bgpctl.runbooks.actions import Action, ChangeNode, EvictPod, ReleaseLease, RestartCommand, WatchRouters
from bgpctl.runbooks.claim import Claimed
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import only
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.kept import Options
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.witness.model import RouteState

COMMAND = "restart"
BEFORE, ASKED = "SpeakerStarted", "RestartAsked"
POD, SPEAKER = "pod", "speaker"
AGAIN_AFTER = 15.0  # seconds after which a command of an earlier, killed run is given up and run again
LIFT = "--allow-route-loss"


@dataclass(frozen=True, slots=True)
class ClaimedForRestart(Goal):
    """The node is ours, and no drain or restore has a hand in it: those are not undone by a restart."""

    run: str
    take_over: bool = False
    asked: Options = field(default_factory=dict)
    typed: CommandLine = field(default_factory=CommandLine)
    name = "Claimed"
    title = "own the node"
    needs: frozenset[str] = frozenset()

    def decide(self, s: Snapshot) -> Decision:
        if s.journal is not None and s.journal.command != COMMAND:
            return Decision(
                Status.BLOCKED,
                f"{s.journal.command} {s.journal.run} has the node",
                hint=f"to see how far it is: {self.typed.other('node', 'status', s.node.name)}\n"
                f"to bring the node back first: {advice.undo(s.node.name, self.typed)}",
                tells=frozenset((Tells.BACK,)),
            )
        return Claimed(COMMAND, self.run, "", self.take_over, self.asked, self.typed).decide(s)


@dataclass(frozen=True, slots=True)
class Restarted(Goal):
    """Another speaker reports than before. With `argv` a command restarts it, else its
    pod is deleted, and its DaemonSet makes the next one."""

    argv: tuple[str, ...] = ()
    namespace: str = ""
    name = "Restarted"
    title = "speaker restarted"
    needs = only("state", "pods")

    def preview(self, s: Snapshot) -> str:
        return "" if s.journal else "restart the speaker"  # nothing is known of it: Graceful has said why

    def decide(self, s: Snapshot) -> Decision:
        assert s.journal is not None, "Graceful writes it"
        asked = s.journal.marks.get(ASKED)
        if s.state and _another(s.state, s.journal):
            after = f" {max(0.0, s.state.started_at - asked):.1f} s after it was asked to" if asked else ""
            return Decision(Status.DONE, f"the new speaker started{after}")
        return self._by_command(s, s.journal, asked) if self.argv else self._by_pod(s, s.journal)

    def impossible(self, s: Snapshot) -> Decision | None:
        """Why it cannot be restarted in this way, None when it can."""
        if self.argv:
            return None
        pods = self._pods(s)
        if len(pods) != 1:
            found = ", ".join(pod.where for pod in pods) or "none"
            text = f"exactly one pod on {s.node.name} must be the speaker's; found: {found}"
            hint = "choose it with --pod-selector and --namespace, or restart with --restart-command"
            return Decision(Status.BLOCKED, text, hint=hint)
        (pod,) = pods
        if not pod.controller_kind:
            text = f"pod {pod.where} has no controller: nothing would make it anew"
            return Decision(Status.BLOCKED, text, hint="restart it with --restart-command")
        return None

    def takes_engine(self, s: Snapshot) -> bool:
        """Does an engine that would outlive its speaker go with the pod?"""
        return not self.argv and any(takes_engine(pod.labels) for pod in self._pods(s))

    def _pods(self, s: Snapshot) -> list[PodView]:
        return [v.pod for v in s.pods if not self.namespace or v.pod.namespace == self.namespace]

    def _by_command(self, s: Snapshot, journal: Journal, asked: float | None) -> Decision:
        recent = asked is not None and s.now < asked + AGAIN_AFTER
        if s.restarted or recent:
            return Decision(Status.WAIT, "waiting for the new speaker to report", recheck=0.1)
        write = ChangeNode("note the time", journal=journal.with_mark(ASKED, s.now))
        return Decision(
            Status.ACT, f"run {self.argv[0]}", (write, WatchRouters(), RestartCommand(self.argv)), recheck=0.1
        )

    def _by_pod(self, s: Snapshot, journal: Journal) -> Decision:
        pods = self._pods(s)
        old = journal.evidence.get(POD)
        if old is not None:
            for pod in pods:
                if pod.uid == old and not pod.terminating:  # killed between the note and the deletion
                    return self._delete(s, journal, pod)
            return Decision(Status.WAIT, "waiting for the new pod's speaker to report", recheck=0.1)
        if blocked := self.impossible(s):
            return blocked
        (pod,) = pods
        return self._delete(s, journal, pod)

    def _delete(self, s: Snapshot, journal: Journal, pod: PodView) -> Decision:
        noted = replace(journal.with_mark(ASKED, s.now), evidence={**journal.evidence, POD: pod.uid})
        actions: tuple[Action, ...] = (
            ChangeNode("note the pod", journal=noted),
            WatchRouters(),
            EvictPod(pod, delete=True),
        )
        return Decision(Status.ACT, f"delete pod {pod.where}", actions, recheck=0.1)


@dataclass(frozen=True, slots=True)
class Graceful(Goal):
    """Every router keeps the routes for longer than the restart takes; what must be known afterwards is
    written down: the journal begins here."""

    run: str
    expected: float
    how: Restarted
    allow_loss: bool = False
    asked: Options = field(default_factory=dict)
    typed: CommandLine = field(default_factory=CommandLine)
    name = "Graceful"
    title = "no route is lost"
    needs = only("state", "routers", "pods")

    def leaves(self, s: Snapshot) -> Journal | None:
        return s.journal or (self._journal(s) if s.state else None)

    def decide(self, s: Snapshot) -> Decision:
        if s.journal is not None:
            return Decision(Status.DONE, "checked before the restart was asked for")
        pod = self.how.takes_engine(s)
        refused = refusals(s.state, s.now, self.expected, pod=pod)
        if s.state is None or (refused and not self.allow_loss):
            lift = f"; to go on anyway: {self.typed.with_flags([LIFT])}" if s.state else ""
            return Decision(
                Status.BLOCKED,
                "; ".join(refused),
                hint=f"nothing was changed on the node{lift}",
                tells=frozenset((Tells.SAFE, Tells.GO_ON) if lift else (Tells.SAFE,)),
            )
        if impossible := self.how.impossible(s):
            return impossible
        told = [f"routes may be lost: {'; '.join(refused)}"] if refused else [kept(s.state, pod=pod)]
        told += [
            f"{a.answer.router} cannot be asked ({a.answer.detail})"
            for a in s.answers
            if a.answer.routes is RouteState.UNKNOWN
        ]
        text = "; ".join(told)
        return Decision(
            Status.ACT, text, (ChangeNode("write down the prior state", journal=self._journal(s)),)
        )

    def _journal(self, s: Snapshot) -> Journal:
        assert s.state is not None
        return Journal(
            run=self.run,
            command=COMMAND,
            order="",
            holder=s.holder,
            started_at=round(s.now, 3),
            prior_unschedulable=s.node.unschedulable,
            peers=tuple(peer.address for peer in s.state.peers if peer.session.established),
            routes=s.state.announced or 0,
            marks={BEFORE: round(s.state.started_at, 3)},
            evidence={SPEAKER: s.state.uid} if s.state.uid else {},
            options=self.asked,
            clock=s.clock,
        )


def _another(state: NodeState, journal: Journal) -> bool:
    """Is it another process? By its name where both have one: when one began changes with its clock."""
    before = journal.evidence.get(SPEAKER)
    if before and state.uid:
        return bool(state.uid != before)
    began = round(state.started_at, 3)
    return began != journal.marks.get(BEFORE, began)


@dataclass(frozen=True, slots=True)
class Concluded(Goal):
    """The journal is gone and the Lease given back: the node is anybody's again."""

    name = "Released"
    title = "let go of the node"
    needs: frozenset[str] = frozenset()

    def preview(self, s: Snapshot) -> str:
        return "remove the journal, and give the node's Lease back"

    def decide(self, s: Snapshot) -> Decision:
        if s.journal is not None:
            return Decision(
                Status.ACT, "remove the journal", (ChangeNode("remove the journal", forget=True),)
            )
        if s.holds_lease:
            return Decision(Status.ACT, "nothing is left to do", (ReleaseLease(),))
        return Decision(Status.DONE, "the node is free")
