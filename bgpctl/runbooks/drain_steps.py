"""The goals of a drain after the claim. Each looks at a snapshot and answers; none of them acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bgpctl.core.eviction import EvictionOptions, PodView, refusals, to_evict, warnings
from bgpctl.runbooks.actions import Action, ChangeNode, EvictPod, RunCommand
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.witness.model import Sight

RELABELLED = "Relabelled"
LEAVING = ("Withdrawn", "Settled", "ShutDown")  # what is true only since the relabel
EVICTION_RECHECK = 0.5
SHOWN = 5  # pods named in one line
EVICTIONS_AT_ONCE = 50  # per pass: kubectl asks for all at once, which floods an API server


def only(*parts: str) -> frozenset[str]:
    """The parts of the world that a step looks at, beyond the Node and its Lease."""
    return frozenset(parts)


@dataclass(frozen=True, slots=True)
class Checked:
    """Nothing forbids the drain, and the prior state is written down: the journal begins here. Decided before
    the first change: kubectl cordons first and finds out then (drain.md §1.4).

    The prior state is taken only when no journal exists: a run that resumes (or a drain after a half-done
    restore) must come back to the state before the *first* run.
    """

    run: str
    order: str
    name = "Checked"
    title = "nothing forbids it"
    needs = only("cluster", "pods", "state", "routers")

    def decide(self, s: Snapshot) -> Decision:
        refused = [(guard.message, guard.lift) for guard in s.guards if guard.level == "refuse"]
        refused += [(str(group), group.lift) for group in refusals(s.pods)]
        if s.deselection.refusal:
            refused.append((s.deselection.refusal, ""))
        if refused:
            reasons = "; ".join(message for message, _ in refused)
            return Decision(Status.BLOCKED, reasons, hint=_lift([flag for _, flag in refused], s.journal))
        if s.journal is None or s.deselection.label not in (None, s.journal.deselect):
            write = ChangeNode("write down the prior state", journal=self.journal(s))
            return Decision(Status.ACT, _checked(s), (write,))
        return Decision(Status.DONE, _checked(s))

    def journal(self, s: Snapshot) -> Journal:
        """The journal as this step leaves it."""
        journal = s.journal or Journal(
            run=self.run,
            command="drain",
            order=self.order,
            holder=s.holder,
            started_at=round(s.now, 3),
            prior_unschedulable=s.node.unschedulable,
        )
        if s.deselection.label is None:
            return journal
        key, _ = s.deselection.label
        return replace(
            journal,
            deselect=s.deselection.label,
            prior_labels={key: s.node.labels.get(key), **journal.prior_labels},
            peers=journal.peers or _peers(s),
            routes=journal.routes or (s.state.announced if s.state else 0),
        )


def _peers(s: Snapshot) -> tuple[str, ...]:
    return tuple(peer.address for peer in s.state.peers) if s.state else ()


def _checked(s: Snapshot) -> str:
    warned = [guard.message for guard in s.guards if guard.level == "warn"] + [
        str(group) for group in warnings(s.pods)
    ]
    warned += [
        f"{a.sighting.router} cannot be asked ({a.sighting.detail}): the proof will be an estimate"
        for a in s.sightings
        if a.sighting.sight is Sight.UNKNOWN
    ]
    evictions = len(to_evict(s.pods))
    text = f"{evictions} {_plural(evictions, 'pod')} to evict"
    return f"{text}; {'; '.join(warned)}" if warned else text


def _lift(flags: list[str], journal: Journal | None) -> str:
    """What to type next: the flags that lift the refusals, when every one of them can be lifted."""
    kept = "the node stays as it is now" if journal else "nothing was changed on the node"
    if flags and all(flags):
        return f"{kept}; to go on anyway: {' '.join(dict.fromkeys(flags))}"
    return f"{kept}; run this again when the reason has gone"


@dataclass(frozen=True, slots=True)
class Cordoned:
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
        return Decision(Status.ACT, "cordon", (ChangeNode("cordon", unschedulable=True),))


@dataclass(frozen=True, slots=True)
class Evicted:
    """No pod that the filters chose is left, by a fresh list. Pods are known by UID: a replacement with the
    same name elsewhere is not ours."""

    options: EvictionOptions
    name = "Evicted"
    title = "no workload left"
    needs = only("pods")

    def decide(self, s: Snapshot) -> Decision:
        refused = refusals(s.pods)
        if refused:
            texts = "; ".join(str(group) for group in refused)
            return Decision(Status.BLOCKED, texts, hint=_lift([group.lift for group in refused], s.journal))
        waiting = to_evict(s.pods)
        if not waiting:
            return Decision(Status.DONE, "no workload left")
        asked = [pod for pod in waiting if not pod.terminating]
        due = [pod for pod in asked if pod.uid not in s.notes or s.notes[pod.uid].retry_at <= s.now]
        actions: tuple[Action, ...] = tuple(self._evict(pod) for pod in due[:EVICTIONS_AT_ONCE])
        status = Status.ACT if actions else Status.WAIT
        return Decision(status, _left(s, waiting), actions, recheck=EVICTION_RECHECK)

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: every pod that must go."""
        pods = [pod.where for pod in to_evict(s.pods)]
        return f"evict {len(pods)} {_plural(len(pods), 'pod')}: {', '.join(pods)}" if pods else "no workload"

    def _evict(self, pod: PodView) -> EvictPod:
        return EvictPod(pod, self.options.disable_eviction, self.options.grace_period)


def _left(s: Snapshot, waiting: Sequence[PodView]) -> str:
    """How many, and why it is not over: what holds an eviction back, else the pods' names."""
    text = f"{len(waiting)} {_plural(len(waiting), 'pod')} left"
    said = {pod.where: s.notes[pod.uid].text for pod in waiting if pod.uid in s.notes}
    held = {note: [where for where in said if said[where] == note] for note in said.values() if note}
    if held:
        return f"{text}: " + "; ".join(f"{note} ({_named(pods)})" for note, pods in held.items())
    ending = [pod.where for pod in waiting if pod.terminating]
    return f"{text}, terminating: {_named(ending)}" if ending else text


def _named(pods: Sequence[str]) -> str:
    return ", ".join(pods[:SHOWN]) + (f" and {len(pods) - SHOWN} more" if len(pods) > SHOWN else "")


@dataclass(frozen=True, slots=True)
class Deselected:
    """No policy selects the node: its label says so. The instant is journalled in the same patch, because
    every wait for routers counts from it."""

    name = "Deselected"
    title = "BGP told to leave"
    needs = only("policies")

    def decide(self, s: Snapshot) -> Decision:
        journal = s.journal
        assert journal is not None, "Claimed comes first"
        if journal.deselect is None and not s.deselection.policies:
            return Decision(Status.DONE, "no policy selects this node")
        if journal.deselect is None:
            return _selected(s, "it did not when the drain began")
        key, value = journal.deselect
        shown = f"label {key}={value}" if value is not None else f"label {key} removed"
        if s.node.labels.get(key) != value or RELABELLED not in journal.marks:
            marked = journal.without(LEAVING).with_mark(RELABELLED, s.now)
            return Decision(Status.ACT, shown, (ChangeNode(shown, labels={key: value}, journal=marked),))
        if s.deselection.policies:
            return _selected(s, f"in spite of {shown}")
        return Decision(Status.DONE, f"{shown}: no policy selects the node")


def _selected(s: Snapshot, although: str) -> Decision:
    """A policy came while the drain ran; the checks know what to do about it."""
    names = ", ".join(s.deselection.policies)
    hint = "running this again finds the label that takes the node out; --deselect-label KEY=VALUE names one"
    return Decision(Status.BLOCKED, f"the node is selected by {names} ({although})", hint=hint)


@dataclass(frozen=True, slots=True)
class ShutDown:
    """The node is off, or handed over to whoever switches it off, with the evidence.

    The command is run again by every run, also by one that resumes: it must be safe to run twice.
    """

    command: tuple[str, ...] = ()
    name = "ShutDown"
    title = "power off"
    needs = only("command")

    def preview(self, s: Snapshot) -> str:
        return f"run {self.command[0]}" if self.command else 'say "safe to power off", with the proof'

    def decide(self, s: Snapshot) -> Decision:
        if not self.command:
            return Decision(Status.DONE, "safe to power off")
        if s.command_exit is None:
            return Decision(Status.ACT, f"run {self.command[0]}", (RunCommand(self.command),))
        if s.command_exit == 0:
            return Decision(Status.DONE, f"{self.command[0]} succeeded")
        return Decision(
            Status.BLOCKED,
            f"{self.command[0]} failed with exit code {s.command_exit}: {s.command_tail or 'no output'}",
            hint="the node is out of service and safe to power off by hand; the same command tries it again",
        )


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
