"""May the node leave at all? Decided before the first change, and again before the last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bgpctl.core.drain.eviction import refusals, to_evict, warnings
from bgpctl.core.drain.guards import Guard
from bgpctl.core.state import NodeState
from bgpctl.runbooks import proof
from bgpctl.runbooks.actions import Action, ChangeNode
from bgpctl.runbooks.baseline import noted
from bgpctl.runbooks.command_line import CommandLine, content
from bgpctl.runbooks.drain_steps import known, lifting, only, plural
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.kept import NO_PROBES, Options
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.options import PROBE_FLAG
from bgpctl.runbooks.peers import locals_of
from bgpctl.runbooks.snapshot import PeerAnswer, Snapshot
from bgpctl.witness.model import RouteState

SERVING = ("Starting", "Running")
_PREPARE = re.compile(r"\bbgpctl (\w+ prepare(?: --\w+)?)")
REQUIRE_CONFIRMED = "--require-confirmed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not. `lift`: the flag that goes past it; `advice`: what else to do about it, a line of the hint.
    "" = nothing."""

    message: str
    lift: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Checked(Goal):
    """Nothing forbids the drain, and the prior state is written down: the journal begins here. Decided before
    the first change: kubectl cordons first and finds out then (drain.md §1.4).

    The prior state is taken only when no journal exists: a run that resumes (or a drain after a half-done
    restore) must come back to the state before the *first* run. `profiled`: the addresses that the user gave
    a router profile for. `require_confirmed`: only the routers' word will end the drain.
    `probes_in`: where the router probes are written."""

    run: str
    order: str
    typed: CommandLine = field(default_factory=CommandLine)
    profiled: tuple[str, ...] = ()
    require_confirmed: bool = False
    asked: Options = field(default_factory=dict)
    probes_in: str = PROBE_FLAG
    name = "Checked"
    title = "nothing forbids it"
    needs = only("cluster", "pods", "state", "routers")

    def decide(self, s: Snapshot) -> Decision:
        if refused := tuple(self._refusals(s)):
            return self._refuse(s, refused)
        if waiting := [guard.message for guard in s.guards if guard.level == "wait"]:
            return Decision(Status.WAIT, "; ".join(waiting), recheck=0.5)
        if s.journal is None or s.lever.label not in (None, s.journal.deselect) or _unkept(s, s.journal):
            write = ChangeNode("write down the prior state", journal=self.journal(s))
            return Decision(Status.ACT, _checked(s), (write,))
        return Decision(Status.DONE, _checked(s))

    def leaves(self, s: Snapshot) -> Journal:
        return self.journal(s)

    def journal(self, s: Snapshot) -> Journal:
        """The journal as this step leaves it."""
        journal = s.journal or Journal(
            run=self.run,
            command="drain",
            order=self.order,
            holder=s.holder,
            started_at=round(s.now, 3),
            prior_unschedulable=s.node.unschedulable,
            options=self.asked,
            provider=s.provider,
            clock=s.clock,
        )
        journal = replace(
            noted(journal, s),
            locals=locals_of(s.state, journal),
            peers=known(journal.peers, s),
            routes=journal.routes or _routes(s.state, s.answers),
            prior={**s.lever.prior, **journal.prior},
        )
        if s.lever.label is None:
            return journal
        key, _ = s.lever.label
        prior = {key: s.node.labels.get(key), **journal.prior_labels}
        return replace(journal, deselect=s.lever.label, prior_labels=prior)

    def _refuse(self, s: Snapshot, refused: tuple[Refusal, ...]) -> Decision:
        """A drain that is refused leaves no trace, also where two met and both had written their journal."""
        ours = s.journal is not None and s.journal.run == self.run and not s.journal.begun
        take_back: tuple[Action, ...] = (ChangeNode("leave no trace", forget=True),) if ours else ()
        journal = None if ours else s.journal
        hint, tells = lifting([one.lift for one in refused], journal, self.typed)
        advice = dict.fromkeys(one.advice for one in refused if one.advice)
        return Decision(
            Status.BLOCKED,
            "; ".join(one.message for one in refused),
            take_back,
            hint="\n".join((*advice, hint)),
            tells=tells,
        )

    def _refusals(self, s: Snapshot) -> Iterator[Refusal]:
        for guard in s.guards:
            if guard.level == "refuse":
                yield Refusal(guard.message, guard.lift, self._back(guard))
        for group in refusals(s.pods):
            yield Refusal(str(group), group.lift)
        if s.lever.refusal:
            yield Refusal(s.lever.refusal, advice=self._prepare(s.lever.refusal))
        if self.require_confirmed:
            yield from self._never_confirmed(s)
        if s.journal is None or not s.journal.begun:
            if s.state and s.state.contested:
                yield Refusal(s.state.contested, advice=proof.two_speakers(s, self.typed))
            yield from self._unbelievable(s)
            yield from self._deaf_routers(s)
            yield from no_such_peer(s, self.profiled)

    def _back(self, guard: Guard) -> str:
        """How the node comes back that has to be back first."""
        if not guard.back:
            return ""
        how = "to be told how {} comes back" if guard.by_hand else "to bring {} back first"
        restore = f"{how.format(guard.back)}: {self.typed.other('node', 'restore', guard.back)}"
        if guard.by_hand:
            return restore
        look = self.typed.other("node", "status", guard.back)
        return f"to see whether somebody is at work on {guard.back}: {look}\n{restore}"

    def _never_confirmed(self, s: Snapshot) -> Iterator[Refusal]:
        """What is known before the first change to keep the routers from ever confirming it."""
        lesser = content(self.typed) if s.journal else self.typed.without(REQUIRE_CONFIRMED)
        estimated = f"take the estimate: {lesser}"
        if s.others:
            whose = f"what {' and '.join(s.others)} may announce of {s.node.name}"
            text = f"{REQUIRE_CONFIRMED} needs a word about {whose} too, which nobody gives here"
            yield Refusal(text, advice=f"end it there, or {estimated}")
        if unasked := proof.unasked(s):
            probes = " ".join(f"--router-probe KIND=TARGET@{peer}" for peer in unasked)
            text = f"{REQUIRE_CONFIRMED} needs a router probe for every peer; none asks {', '.join(unasked)}"
            yield Refusal(text, advice=f"add {probes} (such as bird=/run/bird/bird.ctl), or {estimated}")
        for stranger in proof.another(s):
            text = f"{REQUIRE_CONFIRMED} needs the routers that showed the routes: {stranger}"
            yield Refusal(text, advice=f"correct {self.probes_in}, or {estimated}")
        if s.journal is not None and s.journal.begun:
            return
        for blank in proof.blank(s):
            text = f"{REQUIRE_CONFIRMED} needs every router to show the routes before they go, but {blank}"
            yield Refusal(text, advice=f"correct {self.probes_in}, or {estimated}")
        for router in (answer.answer.router for answer in s.answers if answer.answer.forgets):
            why = f"{router} forgets a dynamic neighbor with its session"
            text = f"{REQUIRE_CONFIRMED} needs a word afterwards, but {why}"
            yield Refusal(text, advice=f"make {s.node.name} a neighbor of its own there, or {estimated}")

    def _unbelievable(self, s: Snapshot) -> Iterator[Refusal]:
        """The speaker runs a policy that the cluster does not list: its CRD may just be gone. What it
        announces, no label of ours would take back."""
        state = s.state
        if s.lever.policies or state is None or state.stale(s.now):
            return
        if state.phase in SERVING and state.selected_by:
            policy = f"{state.selected_by_kind or 'policy'} {state.selected_by}"
            look = f"{self.typed.kubectl('get', 'crd')} | grep cilium"
            yield Refusal(
                f"the speaker of {s.node.name} runs {policy}, but the cluster lists none that selects the "
                "node",
                advice=f"was the node relabelled a moment ago? to see whether its CRD is there: {look}",
            )

    def _deaf_routers(self, s: Snapshot) -> Iterator[Refusal]:
        """A router that was named is to be asked: what it cannot say now it will not say later."""
        for answer in s.answers:
            if answer.answer.routes is RouteState.UNKNOWN:
                text = f"{answer.answer.router} cannot be asked: {answer.answer.detail}"
                # To leave the flag out is not enough: the kubeconfig may name one, too.
                unprobed = self.typed.with_flags([f"{PROBE_FLAG} {NO_PROBES}"])
                yield Refusal(text, advice=f"correct {self.probes_in}, or wait for the estimate: {unprobed}")

    def _prepare(self, refusal: str) -> str:
        """The whole command that a lever's refusal names."""
        named = _PREPARE.search(refusal)
        return f"to prepare the cluster: {self.typed.other(*named[1].split())}" if named else ""


def no_such_peer(s: Snapshot, profiled: Iterable[str]) -> Iterator[Refusal]:
    """The addresses that have a router profile and are no peer of the node, where its peers are known."""
    addresses = [peer.address for peer in s.state.holders] if s.state and s.state.peers else []
    for address in profiled:
        if addresses and address not in addresses:
            text = f"--peer-profile {address}: {s.node.name} has no such peer"
            yield Refusal(text, advice=f"its peers are {', '.join(addresses)}")


def _unkept(s: Snapshot, journal: Journal) -> bool:
    """Is there a lever whose prior state is not written down?"""
    return not set(s.lever.prior) <= set(journal.prior)


def _routes(state: NodeState | None, answers: Sequence[PeerAnswer] = ()) -> int:
    """How many the routers have of the node by its speaker's word; where a session ended, what it had. Where
    nobody counts them, what the routers show."""
    if state is None:
        return 0
    if state.announced is None:
        return max((len(answer.answer.paths) for answer in answers), default=0)
    return state.announced + sum(peer.announced or 0 for peer in state.lost)


def _checked(s: Snapshot) -> str:
    warned = [guard.message for guard in s.guards if guard.level == "warn"] + [
        *map(str, warnings(s.pods)),
        *([s.lever.note] if s.lever.note else []),
    ]
    evictions = len(to_evict(s.pods))
    text = f"{evictions} {plural(evictions, 'pod')} to evict"
    return f"{text}; {'; '.join(warned)}" if warned else text
