"""The heart of a drain: are the routes gone from the routers? Four words, never mixed up (design.md):

    confirmed   every router that the node peers with now, each of which showed the node's routes before, said
                twice, a second apart, that it has none; and the speaker said that it withdrew, or is dead, or
                was told to and its sessions are up
    reported    the node's own BGP engine, asked itself, says that it advertises nothing on any session; and
                the worst case that the negotiated capabilities allow after a withdraw has passed since
    estimated   the worst case that the negotiated capabilities allow has passed since an instant that is
                known: the speaker's last withdraw, or its death
    unknown     anything else: the sentence says what is missing; the wait goes on, or the run is blocked

A session that is down proves nothing: with graceful restart its routes forward on, and a speaker that still
means to announce brings them back (facts/bgp.md §5.4). A speaker that is silent is not a dead one: it may
only have lost the API server, while its engine announces on. That it is dead, somebody has to say
(`--assume-dead`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from bgpctl.core.drain.lever import Effect
from bgpctl.core.state import UNTOLD, NodeState, timestamp
from bgpctl.core.timing.withdrawal import worst_of
from bgpctl.errors import Tells
from bgpctl.ports import NOTHING_KNOWN
from bgpctl.runbooks import proof
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.baseline import asked, noted
from bgpctl.runbooks.command_line import CommandLine, content
from bgpctl.runbooks.drain_steps import LEAVING, RELABELLED, only, pulled
from bgpctl.runbooks.estimated import (
    ASSUMED,
    SAW_RECORD,
    SAW_WITHDRAWN,
    SEEN,
    dead,
    elsewhere,
    fell_silent,
    nobody,
    over,
    restarted,
    saw,
    seconds,
    until,
)
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Goal, Status
from bgpctl.runbooks.proof import GONE_PHASES, Word
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.witness.model import RouteState

TWICE = 2
APART_SECONDS = 1.0
LOOK_AGAIN = 0.15  # while routers are asked: they answer in milliseconds
LATE = 10.0  # a speaker sees a relabel, and says so, within a second or two
READ_AGAIN = 0.5  # while only the API server is: the speaker writes at most once a second
ASSUME_DEAD, REQUIRE_CONFIRMED = "--assume-dead", "--require-confirmed"
TOLD = "the node was told to withdraw"
IF_DEAD = "if it died; one that hangs or only lost the API server still announces"


@dataclass(frozen=True, slots=True)
class Withdrawn(Goal):
    """No router sends traffic to the node any more. `require_confirmed`: only routers may say so.
    `assume_dead`: a speaker that is silent is dead, by the operator's word."""

    require_confirmed: bool = False
    assume_dead: bool = False
    typed: CommandLine = field(default_factory=CommandLine)
    name = "Withdrawn"
    title = "routes gone"
    needs = only("state", "routers", "estimates", "policies")

    def decide(self, s: Snapshot) -> Decision:
        assert s.journal is not None, "Checked comes first"
        word = proof.word(s, assume_dead=self.assume_dead)
        seen = by_witness(s, s.journal, word)
        if seen is None and self.require_confirmed and (late := proof.too_late(s)):
            return self._too_late(s, late)
        decision = seen or self.by_clock(s, s.journal, word)
        if decision.status is not Status.DONE:
            return _back_again(s, s.journal, word, decision) or decision
        if lesser := self._too_little(s, _besides(s, decision).evidence, word):
            return replace(lesser, reason=f"{lesser.reason} ({decision.reason})")
        if not s.journal.finished(self.name):
            return _besides(s, decision)
        return _besides(s, _still(s.journal.evidence, decision), s.journal.evidence)

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: what will end the wait."""
        word = proof.word(s, assume_dead=self.assume_dead)
        if silent := self.foresee(s):
            return silent.reason
        ends = word is Word.DEAD or s.lever.effect is Effect.CLOSES
        worst = worst_of((not ends and s.estimates) or s.dead_estimates)
        if worst is None:
            return "the node has no peer"
        soak = s.state.soak if s.state else 0.0
        first = f"{soak:g} s with GRACEFUL_SHUTDOWN first, then " if soak else ""
        if not proof.missing(s):
            routers = proof.routers(s.answers)
            return f"{first}until {routers} has no route of this node, asked twice (confirmed)"
        if self.require_confirmed:
            return f"{first}never confirmed, which {REQUIRE_CONFIRMED} needs: {'; '.join(proof.missing(s))}"
        note = proof.note(s)
        begin = "its sessions are closed" if s.lever.effect is Effect.CLOSES else "the withdraws"
        if word is Word.DEAD:
            begin = f"the speaker fell silent, assuming {ASSUMED}"
        return f"{first}{seconds(worst)} after {begin}, by estimate{note}: {worst.address}: {worst.why}"

    def foresee(self, s: Snapshot) -> Decision | None:
        """A speaker that is silent before the drain begins, or not alone: unless that ends, the run ends
        blocked."""
        word = proof.word(s, assume_dead=self.assume_dead)
        if word is Word.BESIDE:
            return self._beside(s, "")
        if word is not Word.SILENT or (s.state is None and not (s.estimates or s.dead_estimates)):
            return None
        seen = f"last seen {timestamp(s.state.last_seen)}" if s.state else "it was never seen"
        only_by = f"the routes end only if somebody says that it is dead ({ASSUME_DEAD})"
        return self._nobody_knows(f"its speaker is silent ({seen}): {only_by}")

    def _nobody_knows(self, text: str) -> Decision:
        dead = self.typed.with_flags([ASSUME_DEAD])
        hint = (
            f"ask a router with --router-probe KIND=TARGET@PEER; or, if you know that the node is off: {dead}"
        )
        return Decision(Status.BLOCKED, text, hint=hint, tells=frozenset((Tells.GO_ON,)))

    def _too_little(self, s: Snapshot, evidence: Mapping[str, Any], word: Word) -> Decision | None:
        """`--require-confirmed` makes any lesser proof a wait, which ends with the run's time. That nothing
        was announced is enough where a speaker that reports says so."""
        found = evidence.get("proof")
        sure = found == "confirmed" or (found == "" and word is Word.WITHDREW)
        if not self.require_confirmed or (sure and not evidence.get("assumed")):
            return None
        missing = "; ".join(proof.missing(s)) or "no router was asked"
        text = f"{REQUIRE_CONFIRMED} waits for a router's word: {missing}"
        return Decision(Status.WAIT, text, recheck=1.0, tells=frozenset((Tells.LESSER,)))

    def _too_late(self, s: Snapshot, late: Sequence[str]) -> Decision:
        """No waiting makes up for a router that nobody asked in time."""
        hint = (
            f"to be content with the estimate: {content(self.typed)}\n"
            f"or restore first: {self.typed.other('node', 'restore', s.node.name)}\n"
            f"and then drain again: {self.typed}"
        )
        told = frozenset((Tells.GO_ON, Tells.BACK))
        return Decision(Status.BLOCKED, "; ".join(late), hint=hint, tells=told)

    def by_clock(self, s: Snapshot, journal: Journal, word: Word) -> Decision:
        """What the speaker says, and the worst case that the negotiated capabilities allow after it."""
        note = proof.note(s)
        match word:
            case Word.SILENT:
                return self._silent(s, journal, note)
            case Word.DEAD:
                return dead(s, journal, note, assumed=True)
            case Word.BESIDE:
                return self._beside(s, note)
            case Word.STOPPED:
                return dead(s, journal, note, assumed=False)
            case Word.SERVES:
                again = LOOK_AGAIN if s.answers else READ_AGAIN
                return Decision(Status.WAIT, f"{_serves(s)}{note}", recheck=again)
            case Word.CLOSED | Word.UNLISTED | Word.EMPTY:
                return over(s, journal, word, note)
            case Word.TOLD:
                return self._untold(s, note)
        assert s.state is not None, "it withdrew"
        if not proof.withdrew(s.state, proof.request(s)):
            return restarted(s, journal, note)
        if others := proof.another_session(s.state):
            return elsewhere(others, note)
        sent = round(s.state.withdrawn.sent_at, 3) if s.state.withdrawn else 0.0
        if journal.marks.get(SAW_RECORD) != sent:  # a record that changed is another withdrawal
            return saw(s, journal.with_mark(SAW_RECORD, sent), "the speaker has sent every withdraw")
        if SAW_WITHDRAWN not in journal.marks:
            return saw(s, journal, "the speaker has sent every withdraw")
        begun = journal.marks[SAW_WITHDRAWN]
        return until(s, begun, s.estimates, f"the withdraws were seen sent{note}", proof.record(s.state))

    def _beside(self, s: Snapshot, note: str) -> Decision:
        """Two speakers under the node's name: what the other announces, the one that reports last does not
        know."""
        hint = f"{proof.two_speakers(s, self.typed)}\nthen drain again: {self.typed.again()}"
        told = frozenset((Tells.GO_ON,))
        return Decision(Status.BLOCKED, f"{_state(s).contested}{note}", hint=hint, tells=told)

    def _untold(self, s: Snapshot, note: str) -> Decision:
        """It was told to withdraw, and its own word is late, or says nothing of it."""
        assert s.state is not None, "it tells of its sessions"
        if proof.too_fresh(s, s.state) or s.state.announced:
            return Decision(
                Status.WAIT, f"{TOLD}; its BGP stack has not reported since{note}", recheck=READ_AGAIN
            )
        unsaid = "its BGP stack does not say whether it did: nobody knows whether the routes are gone"
        return self._nobody_knows(f"{TOLD}, and {unsaid}{note}")

    def _silent(self, s: Snapshot, journal: Journal, note: str) -> Decision:
        """Nobody on the node says anything: whether its routes end, only a router or the operator can
        tell."""
        if not s.dead_estimates and s.state is None:
            return nobody(journal)
        worst = worst_of(s.dead_estimates)
        if worst is not None and s.now < (ends := fell_silent(s, journal) + worst.worst) < inf:
            text = f"the speaker fell silent ({IF_DEAD}){note}"
            return Decision(Status.WAIT, text, recheck=1.0, eta=ends)
        text = (
            f"the speaker is silent, and whether its routes are gone nobody knows: they are {IF_DEAD}{note}"
        )
        return self._nobody_knows(text)


def by_witness(s: Snapshot, journal: Journal, word: Word) -> Decision | None:
    """What the routers say. None when none has the routes but that is not proof enough."""
    answers = s.answers
    present = [a for a in answers if a.answer.routes in (RouteState.PRESENT, RouteState.STALE)]
    if present:
        text = "; ".join(filter(None, (*(proof.seen(a) for a in present), proof.moving(s), _hangs(s, word))))
        fresh = noted(journal, replace(s, answers=tuple(present)))
        if _who(fresh) != _who(journal):
            # First asked late, but in time: what a router shows now is what it loses.
            return Decision(Status.ACT, text, (ChangeNode("note what the routers have", journal=fresh),))
        return Decision(Status.WAIT, text, recheck=LOOK_AGAIN)
    if proof.missing(s) or word in (Word.SILENT, Word.BESIDE):
        return None
    if word is Word.SERVES:
        text = f"no route on {proof.routers(answers)}; {_serves(s)}"
        return Decision(Status.WAIT, text, recheck=LOOK_AGAIN)
    if word is Word.TOLD and not proof.sessions_up(s):
        text = f"no route on {proof.routers(answers)}, but not with every session up; {TOLD}"
        return Decision(Status.WAIT, text, recheck=LOOK_AGAIN) if proof.too_fresh(s, _state(s)) else None
    since = max(a.absent_since if a.absent_since is not None else s.now for a in answers)
    apart = min(a.apart for a in answers)
    if min(a.absences for a in answers) < TWICE or apart < APART_SECONDS:
        left = max(LOOK_AGAIN, APART_SECONDS - (s.now - since))
        return Decision(Status.WAIT, "gone; asking once more", recheck=left, eta=since + APART_SECONDS)
    took = _after_relabel(journal, since)
    text = f"gone{took}, confirmed by {proof.routers(answers)}"
    assumed = {"assumed": ASSUMED} if word is Word.DEAD else {}
    return Decision(Status.DONE, text, evidence={**proof.confirmed(s, since), **assumed})


def _back_again(s: Snapshot, journal: Journal, word: Word, decision: Decision) -> Decision | None:
    """Routes that were gone are there again, or sessions that were closed are up: what was seen is void, and
    every wait begins anew. None = nothing came back."""
    serves = word in (Word.SERVES, Word.TOLD) and _state(s).phase == UNTOLD
    shown = any(answer.answer.routes is RouteState.PRESENT for answer in s.answers)
    gone = journal.finished(Withdrawn.name)
    if not (gone and shown) and not (serves and (gone or SAW_WITHDRAWN in journal.marks)):
        return None
    marks = {name: at for name, at in journal.marks.items() if name.partition(" ")[0] not in SEEN}
    void = replace(journal.without(LEAVING), marks=marks)
    write = ChangeNode("what was seen before is void: it came back", journal=void)
    return replace(decision, status=Status.ACT, actions=(write,))


def _besides(s: Snapshot, decision: Decision, before: Mapping[str, Any] = NOTHING_KNOWN) -> Decision:
    """What another BGP stack on the node announces, nobody asked about: that went on by the operator's
    word. `before`: the evidence that stands where the decision has none of its own."""
    if not s.others:
        return decision
    told = f"that {' and '.join(s.others)} announced nothing of it"
    already = str((decision.evidence if "proof" in decision.evidence else before).get("assumed") or "")
    assumed = already if told in already else "; ".join(filter(None, (already, told)))
    return replace(decision, evidence={**decision.evidence, "assumed": assumed})


def _who(journal: Journal) -> tuple[object, ...]:
    """Whom of the routers the journal knows."""
    return asked(journal), journal.witnesses


def _still(evidence: Mapping[str, Any], decision: Decision) -> Decision:
    """Withdrawn was reached by an earlier run. A router's word of that time is told as such; it proves
    nothing of now, and this run's own finding takes its place."""
    then, now = evidence.get("proof"), decision.evidence.get("proof")
    if now == "confirmed" != then:
        late = {**decision.evidence, "secondsAfterRelabel": None, "goneTime": None}
        return replace(decision, evidence=late)
    if then == "confirmed" != now:
        earlier = f"{evidence.get('by')} confirmed it at {evidence.get('goneTime') or 'an earlier time'}"
        return replace(
            decision,
            reason=f"{decision.reason}; {earlier}",
            evidence={**decision.evidence, "earlier": earlier},
        )
    by = f", confirmed by {evidence['by']}" if now == "confirmed" else ""
    return replace(decision, reason=f"still gone{by}", evidence={})


def _state(s: Snapshot) -> NodeState:
    assert s.state is not None, "somebody tells"
    return s.state


def _serves(s: Snapshot) -> str:
    """The speaker has not left yet."""
    assert s.state is not None and s.journal is not None
    if moving := proof.moving(s):
        return moving
    if s.state.phase in GONE_PHASES:
        return "waiting for the speaker to see the relabel"
    if s.state.phase == UNTOLD:
        return f"waiting for the sessions to be closed ({s.state.established} up)"
    return f"waiting for the speaker to withdraw (now {s.state.phase.lower()})"


def _hangs(s: Snapshot, word: Word) -> str:
    """Why the speaker cannot have withdrawn what a router still has; "" = nothing is odd."""
    state = s.state
    if word is Word.SILENT:
        since = f"since {_clock(state.last_seen)}" if state and state.last_seen else "and was never seen"
        return f"its speaker is silent {since}: one that hangs still announces"
    told = pulled(s.journal)
    if state is None or word is not Word.SERVES or not told or s.now - told < LATE:
        return ""
    if state.phase in (UNTOLD, "Leaving") or state.observed_leave == proof.request(s):
        return ""
    return f"its speaker has not seen the relabel of {_clock(told)}: does it hang?"


def _clock(at: float) -> str:
    return f"{(timestamp(at) or '')[:19].replace('T', ' ')} UTC"


@dataclass(frozen=True, slots=True)
class Settled(Goal):
    """What was on its way has arrived: a short wait after the routes went. It needs to see what `Withdrawn`
    sees: routes that come back meanwhile are waited for again."""

    seconds: float
    name = "Settled"
    title = "traffic settled"
    needs = Withdrawn.needs

    def preview(self, s: Snapshot) -> str:
        return f"{self.seconds:g} s for packets on their way"

    def decide(self, s: Snapshot) -> Decision:
        assert s.journal is not None, "Checked comes first"
        ends = s.journal.steps.get("Withdrawn", s.now) + self.seconds
        if s.now < ends:
            return Decision(
                Status.WAIT, f"{self.seconds:g} s for packets on their way", recheck=0.5, eta=ends
            )
        return Decision(Status.DONE, "settled")


def _after_relabel(journal: Journal, gone: float) -> str:
    """The router was looked at from time to time: it went in that time, or just before its end."""
    relabelled = journal.marks.get(RELABELLED)
    return f" within {max(0.0, gone - relabelled):.2f} s of being told to leave" if relabelled else ""
