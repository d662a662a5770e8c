"""The goals of a drain after the claim. Each looks at a snapshot and answers; none of them acts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bgpctl.core.drain.budgets import held_back, pdb_blocks
from bgpctl.core.drain.deselection import not_ours
from bgpctl.core.drain.eviction import EvictionOptions, PodView, refusals, to_evict
from bgpctl.core.drain.lever import Effect, shown
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.errors import Tells
from bgpctl.runbooks.actions import Action, ChangeNode, EvictPod, FenceObject, PatchObject, RunCommand
from bgpctl.runbooks.baseline import ASKED, noted
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.peers import endpoint, locals_of, names, still
from bgpctl.runbooks.snapshot import Snapshot

RELABELLED = "Relabelled"
PULLED = "Pulled"  # the look that saw nothing left to patch, where the lever is no label
DESELECTED = "Deselected"
TOLD_TO_CLOSE = "the node's BGP stack was told to close them, by the change that took it out"
LEAVING = ("Withdrawn", "Closed", "Settled", "ShutDown")  # what is true only since the relabel
RELABELS = 5  # in one run: whoever puts the label back more often than that will not stop
SHUTTING_DOWN = "ShutdownCommand"
EVICTION_RECHECK = 0.5
SHOWN = 5  # pods named in one line
EVICTIONS_AT_ONCE = 50  # per pass: kubectl asks for all at once, which floods an API server


def only(*parts: str) -> frozenset[str]:
    """The parts of the world that a step looks at, beyond the Node and its Lease."""
    return frozenset(parts)


@dataclass(frozen=True, slots=True)
class Cordoned(Goal):
    """No new pod is placed on the node. A failed cordon stops the drain (kubectl's goes on, kubectl#1568)."""

    name = "Cordoned"
    title = "no new pods"
    needs = only()

    def decide(self, s: Snapshot) -> Decision:
        if s.node.unschedulable:
            prior = s.journal is not None and s.journal.prior_unschedulable
            return Decision(
                Status.DONE, "was cordoned already, and stays so after restore" if prior else "cordoned"
            )
        again = s.journal is not None and s.journal.finished(self.name)
        text = "cordon again: somebody uncordoned the node" if again else "cordon"
        return Decision(Status.ACT, text, (ChangeNode(text, unschedulable=True),))


@dataclass(frozen=True, slots=True)
class Evicted(Goal):
    """No pod that the filters chose is left, by a fresh list. Pods are known by UID: a replacement with the
    same name elsewhere is not ours. `away`: the routes were withdrawn before (order withdraw-first), and have
    to stay away meanwhile."""

    options: EvictionOptions
    typed: CommandLine = field(default_factory=CommandLine)
    away: bool = False
    name = "Evicted"
    title = "no workload left"

    @property
    def foresees(self) -> frozenset[str]:
        return only("budgets")  # a run asks for each eviction instead

    @property
    def needs(self) -> frozenset[str]:
        return only("pods", *(("policies", "state", "routers", "estimates") if self.away else ()))

    def decide(self, s: Snapshot) -> Decision:
        refused = refusals(s.pods)
        if refused:
            texts = "; ".join(str(group) for group in refused)
            flags = [group.lift for group in refused]
            hint, tells = lifting(flags, s.journal, self.typed)
            return Decision(Status.BLOCKED, texts, hint=hint, tells=tells)
        waiting = to_evict(s.pods)
        if not waiting:
            return Decision(Status.DONE, "no workload left")
        asked = [pod for pod in waiting if not pod.terminating]
        due = [pod for pod in asked if pod.uid not in s.notes or s.notes[pod.uid].retry_at <= s.now]
        actions: tuple[Action, ...] = tuple(self._evict(pod) for pod in due[:EVICTIONS_AT_ONCE])
        status = Status.ACT if actions else Status.WAIT
        hint = self._past(s, waiting)
        return Decision(status, _left(s, waiting), actions, recheck=EVICTION_RECHECK, hint=hint)

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: every pod that must go, and what would hold it back."""
        pods, kept = to_evict(s.pods), [where for group in refusals(s.pods) for where in group.pods]
        what = "delete" if self.options.disable_eviction else "evict"
        told = [f"{what} {len(pods)} {plural(len(pods), 'pod')}: {', '.join(pod.where for pod in pods)}"]
        if not pods:
            told = [] if kept else ["no workload"]
        if kept:
            told.append(f"refused without a flag: {', '.join(dict.fromkeys(kept))}")
        return "; ".join(told if self.options.disable_eviction else (*told, *_held(s, pods)))

    def writes(self, s: Snapshot) -> Sequence[Action]:
        """For --dry-run=server: every eviction, not only those that it would begin with."""
        return [self._evict(pod) for pod in to_evict(s.pods) if not pod.terminating]

    def _past(self, s: Snapshot, waiting: Sequence[PodView]) -> str:
        """What to do about the budgets that hold evictions back, when the time is up; "" = none does."""
        pairs = [(pod.namespace, s.notes[pod.uid].budget) for pod in waiting if pod.uid in s.notes]
        looks = [
            f"to see what holds it back: {self.typed.kubectl('get', 'pdb', name, '-n', space)}"
            for space, name in dict.fromkeys(pairs)
            if name
        ]
        if not looks:
            return ""
        wait = "more ready replicas, or a budget that allows a disruption, let the drain go on"
        past = self.typed.again().with_flags(["--disable-eviction"])
        return "\n".join((*looks, wait, f"past every budget, at your own risk: {past}"))

    def _evict(self, pod: PodView) -> EvictPod:
        return EvictPod(pod, self.options.disable_eviction, self.options.grace_period)


def _held(s: Snapshot, pods: Sequence[PodView]) -> Iterator[str]:
    """What the budgets would answer now, by the rules of the API server."""
    if s.budgets is None and pods:
        yield "whether a PodDisruptionBudget holds one back is not known (they cannot be listed or read)"
        return
    said: dict[str, list[str]] = {}
    for pod in pods:
        verdict = pdb_blocks(pod, s.budgets or ())
        if verdict.forever:
            said.setdefault(f"it would fail: {verdict.message}", []).append(pod.where)
        elif verdict.blocked:
            text = held_back(pod.namespace, verdict.budgets[0], verdict.message)
            said.setdefault(f"it would wait now: {text}", []).append(pod.where)
    yield from (f"{text} ({_named(held)})" for text, held in said.items())


def _left(s: Snapshot, waiting: Sequence[PodView]) -> str:
    """How many, and why it is not over: what holds an eviction back, else the pods' names."""
    text = f"{len(waiting)} {plural(len(waiting), 'pod')} left"
    said = {pod.where: s.notes[pod.uid].text for pod in waiting if pod.uid in s.notes}
    held = {note: [where for where in said if said[where] == note] for note in said.values() if note}
    if held:
        return f"{text}: " + "; ".join(f"{note} ({_named(pods)})" for note, pods in held.items())
    ending = [pod.where for pod in waiting if pod.terminating]
    return f"{text}, terminating: {_named(ending)}" if ending else text


def _named(pods: Sequence[str]) -> str:
    return ", ".join(pods[:SHOWN]) + (f" and {len(pods) - SHOWN} more" if len(pods) > SHOWN else "")


@dataclass(frozen=True, slots=True)
class Deselected(Goal):
    """No policy selects the node: its label says so. In the same patch the instant is journalled, because
    every wait for routers counts from it, with what each router had until now; and the request gets its name,
    which the speaker repeats once it has seen it."""

    name = DESELECTED
    title = "BGP told to leave"
    needs = only("policies", "state", "routers")

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: what changes, as far as it is known."""
        if s.journal is not None and s.journal.takes_out:
            return _told(s, s.journal)
        if not s.lever.policies:
            return "no policy selects this node"
        return s.lever.refusal or "take the node out of its policies, by a label that is not known yet"

    def decide(self, s: Snapshot) -> Decision:
        journal = s.journal
        assert journal is not None, "Claimed comes first"
        if not journal.takes_out and not s.lever.policies:
            return Decision(Status.DONE, "no policy selects this node")
        if not journal.takes_out:
            return _selected(s, "it did not when the drain began")
        told = _told(s, journal)
        if s.unfenced:
            return fence(s)
        if not _asked(s, journal):
            return self._ask(s, journal, told)
        if s.lever.patches:  # it was asked, and killed in between, or somebody was faster
            return Decision(Status.ACT, told, _pull(s))
        if s.lever.policies:
            return _selected(s, f"in spite of {told}")
        if journal.deselect is None and PULLED not in journal.marks:
            note = ChangeNode("note the time", journal=journal.with_mark(PULLED, s.now))
            return Decision(Status.ACT, told, (note,))
        if journal.deselect is None:
            return Decision(Status.DONE, f"{told}; nobody took that back")
        return Decision(Status.DONE, f"{told}: no policy selects the node")

    def _ask(self, s: Snapshot, journal: Journal, told: str) -> Decision:
        if journal.leaves >= RELABELS:
            text = f"somebody takes the {told} back, {journal.leaves} times in this run"
            hint = "stop what sets it (a GitOps controller?), then run the same command again"
            return Decision(Status.BLOCKED, text, hint=hint)
        labels = dict([journal.deselect]) if journal.deselect else {}
        if journal.deselect != s.lever.label and (strange := not_ours(labels)):
            text = f"the journal on the Node asks for what takes no node out: {strange}"
            return Decision(Status.BLOCKED, text, hint="it is an annotation, which others may write too")
        before = {mark: at for mark, at in journal.marks.items() if mark.startswith(ASKED)}
        void = (DESELECTED, *LEAVING) if s.lever.patches else LEAVING
        asked = replace(
            noted(replace(journal.asking(s.now).without(void), marks=before), s).with_mark(RELABELLED, s.now),
            peers=known(journal.peers, s),
            locals=locals_of(s.state, journal),
        )
        text = f"{told}, again: {_why_again(s, journal)}" if journal.leaves else told
        change = ChangeNode(text, labels=labels, journal=asked, leave=asked.leave)
        return Decision(Status.ACT, text, (change, *_pull(s)))


def _asked(s: Snapshot, journal: Journal) -> bool:
    """Is the node's last request to leave ours, and does it stand?"""
    if RELABELLED not in journal.marks or s.node.leave != journal.leave:
        return False
    if s.lever.patches and journal.finished(DESELECTED):
        return False
    return journal.deselect is None or s.node.labels.get(journal.deselect[0]) == journal.deselect[1]


def _why_again(s: Snapshot, journal: Journal) -> str:
    """What became of the request that was made before."""
    unlabelled = journal.deselect and s.node.labels.get(journal.deselect[0]) != journal.deselect[1]
    taken = unlabelled or s.node.leave == journal.leave
    return "somebody took it back" if taken else f"somebody changed the annotation {LEAVE}"


def fence(s: Snapshot) -> Decision:
    """Before a lever is decided on that another run may have had in its hands."""
    text = "make late requests of an earlier run fail"
    return Decision(Status.ACT, text, tuple(FenceObject(path) for path in s.unfenced))


def pulled(journal: Journal | None) -> float:
    """Since when the node is told to leave, for certain; 0 = by nobody, or it is not certain yet."""
    if journal is None:
        return 0.0
    return journal.since(RELABELLED if journal.deselect or not journal.prior else PULLED)


def _pull(s: Snapshot) -> tuple[Action, ...]:
    return tuple(PatchObject(patch) for patch in s.lever.patches)


def _told(s: Snapshot, journal: Journal) -> str:
    """By what the node is made to leave."""
    return shown(journal.deselect) if journal.deselect else s.lever.told or "told to leave"


def known(before: Sequence[str], s: Snapshot) -> tuple[str, ...]:
    """Every peer the node was seen to have, or is given by its policies."""
    called = names(s.state, s.journal, s.configured)
    now = map(endpoint, s.state.holders) if s.state else ()
    return tuple(dict.fromkeys((*still(called, before), *(called[one] for one in (*now, *s.configured)))))


def _selected(s: Snapshot, although: str) -> Decision:
    """A policy came while the drain ran, or somebody changed what takes the node out of it; the checks know
    what to do about it."""
    if s.lever.refusal:
        return Decision(Status.BLOCKED, s.lever.refusal)
    names = ", ".join(s.lever.policies)
    hint = "running this again finds the label that takes the node out; --deselect-label KEY=VALUE names one"
    return Decision(Status.BLOCKED, f"the node is selected by {names} ({although})", hint=hint)


@dataclass(frozen=True, slots=True)
class Closed(Goal):
    """The sessions are told to end, now that the routers have nothing to keep: on a stack that closes apart
    from withdrawing. One that closes as it leaves has nothing left to do."""

    name = "Closed"
    title = "sessions closed"
    needs = only("policies", "state")

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: now the node has not withdrawn yet."""
        if s.lever.effect is Effect.CLOSES and s.lever.policies:
            return "nothing more: the change that takes the node out closes them"
        return "close the sessions" if s.lever.effect is Effect.WITHDRAWS else ""

    def decide(self, s: Snapshot) -> Decision:
        if not s.lever.closing:
            closes = s.lever.effect is Effect.CLOSES  # with the lever itself; that it did, nobody says
            return Decision(Status.DONE, TOLD_TO_CLOSE if closes else "no session is left to close")
        told = ", ".join(patch.what for patch in s.lever.closing)
        return Decision(Status.ACT, told, tuple(PatchObject(patch) for patch in s.lever.closing))


@dataclass(frozen=True, slots=True)
class ShutDown(Goal):
    """The node is off, or handed over to whoever switches it off, with the evidence. It needs to see
    everything, so every goal before it is decided again on the same look (`engine`).

    The command is run again by every run, also by one that resumes: it must be safe to run twice.
    """

    command: tuple[str, ...] = ()
    name = "ShutDown"
    title = "power off"
    needs = only("cluster", "policies", "pods", "state", "routers", "estimates")

    def preview(self, s: Snapshot) -> str:
        return f"run {self.command[0]}" if self.command else 'say "safe to power off", with the proof'

    def decide(self, s: Snapshot) -> Decision:
        if not self.command:
            return Decision(Status.DONE, "safe to power off")
        if s.command_exit is None:
            assert s.journal is not None, "Checked comes first"
            # The note is written under the version that this look saw: whoever changed the node, or took it
            # over, since then makes it fail, and the command does not run.
            noted = s.journal.with_mark(SHUTTING_DOWN, s.now)
            note = ChangeNode("note that the shutdown command runs", journal=noted)
            return Decision(Status.ACT, f"run {self.command[0]}", (note, RunCommand(self.command)))
        if s.command_exit == 0:
            return Decision(Status.DONE, f"{self.command[0]} succeeded")
        return Decision(
            Status.BLOCKED,
            f"{self.command[0]} failed with exit code {s.command_exit}",
            said=s.command_tail or "no output",
        )


def lifting(
    flags: Sequence[str], journal: Journal | None, typed: CommandLine
) -> tuple[str, frozenset[Tells]]:
    """What to type next: the whole command, with a flag for every refusal that one can lift."""
    begun = journal is not None and journal.begun
    kept = "the node stays as it is now" if begun else "nothing was changed on the node"
    safe = frozenset(() if begun else (Tells.SAFE,))
    if flags and all(flags):
        return f"{kept}; to go on anyway: {typed.with_flags(flags)}", safe | {Tells.GO_ON}
    rest = f"{kept}; run this again when the reason has gone"
    if lifted := [flag for flag in flags if flag]:
        whole = f"when the other reasons have gone: {typed.with_flags(lifted)}\n{rest}"
        return whole, safe | {Tells.GO_ON}
    return rest, safe


def plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
