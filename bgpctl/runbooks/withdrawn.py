"""The heart of a drain: are the routes gone from the routers? Said by a router (confirmed) or by the end of a
computed deadline (estimated), never by a session that went down (facts/bgp.md §5.4).

    a router still has them, live or stale ............................ wait, whatever the clock says
    absent on every peer twice in a row, a second apart ............... done, confirmed
    not every peer can be asked, the speaker says that every withdraw
      is on the socket, and the worst case of every peer has passed ... done, estimated
    not every peer can be asked, the speaker is silent or was started
      after its predecessor died, and the worst case of a node that
      died has passed ................................................. done, estimated
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from bgpctl.core.nodestate import NodeState, timestamp
from bgpctl.core.soak import READ_SECONDS
from bgpctl.core.withdrawal import Estimate, worst_of
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.drain_steps import RELABELLED, only
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.snapshot import PeerSighting, Snapshot
from bgpctl.witness.model import Sight

TWICE = 2
APART_SECONDS = 1.0
LOOK_AGAIN = 0.15  # while routes are present: a router answers in milliseconds
GONE_PHASES = ("Withdrawn", "Idle")
SAW_WITHDRAWN = "SawWithdrawn"
IF_DEAD = "if it died; one that only lost the API server still announces"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """No router sends traffic to the node any more."""

    name = "Withdrawn"
    title = "routes gone"
    needs = only("state", "routers", "estimates")

    def decide(self, s: Snapshot) -> Decision:
        assert s.journal is not None, "Checked comes first"
        decision = by_witness(s) or by_clock(s)
        if decision.status is Status.DONE and s.journal.finished(self.name):
            return _still(s.journal.evidence, decision)
        return decision

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: what will end the wait."""
        worst = worst_of(s.estimates or s.dead_estimates)
        if worst is None:
            return "the node has no peer"
        soak = s.state.soak if s.state else 0.0
        first = f"{soak:g} s with GRACEFUL_SHUTDOWN first, then " if soak else ""
        if _answered(s):
            return f"{first}until {_routers(s.sightings)} has no route of this node, asked twice (confirmed)"
        note = _unanswered(s)
        return (
            f"{first}{_seconds(worst)} after the withdraws, by estimate{note}: {worst.address}: {worst.why}"
        )


def _still(evidence: Mapping[str, Any], decision: Decision) -> Decision:
    """Withdrawn was reached by an earlier run: its proof stands, unless a router now confirms an estimate."""
    if decision.evidence.get("proof") == "confirmed" != evidence.get("proof"):
        late = {**decision.evidence, "secondsAfterRelabel": None, "goneTime": None}
        return replace(decision, evidence=late)
    by = f", confirmed by {evidence['by']}" if evidence.get("by") else ""
    return replace(decision, reason=f"still gone{by}", evidence={})


def by_witness(s: Snapshot) -> Decision | None:
    """What the routers say. None when none has the routes but not every peer could be asked."""
    answers = s.sightings
    present = [a for a in answers if a.sighting.sight in (Sight.PRESENT, Sight.STALE)]
    if present:
        told = filter(None, (*(_seen(a) for a in present), _moving(s)))
        return Decision(Status.WAIT, "; ".join(told), recheck=LOOK_AGAIN)
    if not _answered(s):
        return None
    since = max(a.absent_since or s.now for a in answers)
    if min(a.absences for a in answers) < TWICE or s.now - since < APART_SECONDS:
        left = max(LOOK_AGAIN, APART_SECONDS - (s.now - since))
        return Decision(Status.WAIT, "gone; asking once more", recheck=left, eta=since + APART_SECONDS)
    took = _after_relabel(s, since)
    text = f"gone{took}, confirmed by {_routers(answers)}"
    return Decision(Status.DONE, text, evidence=_confirmed(s, answers, since))


def by_clock(s: Snapshot) -> Decision:
    """What the speaker says, and the worst case that the negotiated capabilities allow after it."""
    assert s.journal is not None, "Checked comes first"
    note = _unanswered(s)
    if s.state is None or s.state.stale(s.now):
        return _silent_speaker(s, s.journal, note)
    if s.state.phase not in GONE_PHASES:
        text = _moving(s) or f"waiting for the speaker to withdraw (now {s.state.phase.lower()})"
        return Decision(Status.WAIT, f"{text}{note}", recheck=LOOK_AGAIN)
    saw = s.journal.marks.get(SAW_WITHDRAWN)
    if saw is None and not _withdrew(s.state):
        return _restarted_speaker(s, s.journal, note)
    if saw is None:
        # The clocks of speaker and runbook may differ: the wait counts from when *we* saw it.
        text = "the speaker has sent every withdraw"
        write = ChangeNode("note the time", journal=s.journal.with_mark(SAW_WITHDRAWN, s.now))
        return Decision(Status.ACT, text, (write,))
    return _until(s, saw, s.estimates, f"the withdraws were sent{note}", _record(s.state))


def _silent_speaker(s: Snapshot, journal: Journal, note: str) -> Decision:
    """Nobody on the node withdraws anything: only the routers' timers end it."""
    if not s.dead_estimates and journal.deselect is None:
        return _nothing_announced("no policy selects the node, and no speaker reports for it")
    if not s.dead_estimates:
        return Decision(
            Status.BLOCKED,
            f"no speaker reports for this node, and nothing is known about its peers{note}",
            hint="pass --router-probe so that a router can be asked",
        )
    relabelled = min(journal.marks.get(RELABELLED, journal.started_at), s.now)
    begun = max(s.state.heartbeat, relabelled) if s.state else relabelled
    return _until(s, begun, s.dead_estimates, f"the speaker fell silent ({IF_DEAD}){note}", {})


def _withdrew(state: NodeState) -> bool:
    """Is the record that of this speaker process? Both times are by its clock. One that was started after
    the relabel has nothing to withdraw, while routers may keep what its predecessor announced."""
    return state.withdrawn is not None and state.withdrawn.observed_at >= state.started_at


def _restarted_speaker(s: Snapshot, journal: Journal, note: str) -> Decision:
    assert s.state is not None, "it reports"
    if not s.dead_estimates:
        return _nothing_announced("the speaker has no peer")
    began = max(journal.marks.get(RELABELLED, journal.started_at), s.state.started_at)
    what = f"the speaker was started, and the one before it did not withdraw{note}"
    return _until(s, min(began, s.now), s.dead_estimates, what, {})


def _nothing_announced(why: str) -> Decision:
    return Decision(Status.DONE, f"nothing was announced: {why}", evidence={"proof": "", "routes": 0})


def _until(
    s: Snapshot, begun: float, estimates: tuple[Estimate, ...], what: str, evidence: Mapping[str, Any]
) -> Decision:
    worst = worst_of(estimates)
    assert worst is not None and s.journal is not None, "an estimate is there"
    if worst.worst == inf:
        reason = f"{worst.address} may keep the routes for ever: {worst.why}"
        return Decision(Status.BLOCKED, reason, hint="pass --router-probe so that the router can be asked")
    ends = begun + worst.worst
    if s.now < ends:
        text = f"{_seconds(worst)} since {what}: {worst.address}: {worst.why}"
        return Decision(Status.WAIT, text, recheck=min(1.0, ends - s.now), eta=ends)
    text = f"gone, estimated: {_seconds(worst)} passed since {what}"
    proof = {"proof": "estimated", "why": worst.why, "worstSeconds": worst.worst, "until": timestamp(ends)}
    return Decision(Status.DONE, text, evidence={"routes": s.journal.routes, **evidence, **proof})


@dataclass(frozen=True, slots=True)
class Settled:
    """What was on its way has arrived: a short wait after the routes went, and still nobody has them back."""

    seconds: float
    name = "Settled"
    title = "traffic settled"
    needs = only("routers")

    def preview(self, s: Snapshot) -> str:
        return f"{self.seconds:g} s for packets on their way"

    def decide(self, s: Snapshot) -> Decision:
        assert s.journal is not None, "Checked comes first"
        back = [a for a in s.sightings if a.sighting.sight in (Sight.PRESENT, Sight.STALE)]
        if back:
            return Decision(
                Status.BLOCKED,
                "the routes are back: " + "; ".join(_seen(a) for a in back),
                hint="something announces them again; see `bgpctl peers status` and the node's labels",
            )
        ends = s.journal.steps.get("Withdrawn", s.now) + self.seconds
        if s.now < ends:
            return Decision(
                Status.WAIT, f"{self.seconds:g} s for packets on their way", recheck=0.5, eta=ends
            )
        return Decision(Status.DONE, "settled")


# --- words and evidence -----------------------------------------------------------------------------------


def _seen(answer: PeerSighting) -> str:
    sighting = answer.sighting
    return f"{sighting.router}: {sighting.detail or sighting.sight.value}"


def _moving(s: Snapshot) -> str:
    """The leave soaks; "" when it does not. The speaker's clock may differ from ours."""
    if s.state is None or s.state.phase != "Leaving" or s.state.soak_until is None:
        return ""
    left = min(max(0.0, s.state.soak_until - s.now), s.state.soak + READ_SECONDS)
    return f"traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), {left:.0f} s left"


def _seconds(estimate: Estimate) -> str:
    return f"{estimate.worst:.0f} s"


def _routers(answers: Iterable[PeerSighting]) -> str:
    return ", ".join(sorted({answer.sighting.router for answer in answers}))


def _answered(s: Snapshot) -> bool:
    """Did a router answer for every peer that the node had when the drain began?"""
    peers = set(s.journal.peers) if s.journal else set()
    known = {a.peer for a in s.sightings if a.sighting.sight is not Sight.UNKNOWN}
    return bool(s.sightings) and {a.peer for a in s.sightings} == known and peers <= known


def _unanswered(s: Snapshot) -> str:
    """Why the clock decides though there are probes."""
    silent = [a.sighting for a in s.sightings if a.sighting.sight is Sight.UNKNOWN]
    peers = set(s.journal.peers) if s.journal else set()
    unseen = sorted(peers - {answer.peer for answer in s.sightings}) if s.sightings else []
    notes = [f"{sighting.router} cannot be asked: {sighting.detail}" for sighting in silent]
    notes += [f"no probe asks {peer}" for peer in unseen]
    return "".join(f" ({note})" for note in notes)


def _after_relabel(s: Snapshot, gone: float) -> str:
    """The router was looked at from time to time: it went in that time, or just before its end."""
    relabelled = s.journal.marks.get(RELABELLED) if s.journal else None
    return f" within {max(0.0, gone - relabelled):.2f} s of the relabel" if relabelled else ""


def _confirmed(s: Snapshot, answers: tuple[PeerSighting, ...], since: float) -> dict[str, Any]:
    relabelled = s.journal.marks.get(RELABELLED) if s.journal else None
    record = _record(s.state) if s.state and s.state.phase in GONE_PHASES else {}
    return {
        **record,
        "proof": "confirmed",
        "by": _routers(answers),
        "relabelledTime": timestamp(relabelled),
        "goneTime": timestamp(since),
        "secondsAfterRelabel": round(max(0.0, since - relabelled), 3) if relabelled else None,
        "routers": [{"router": a.sighting.router, "peer": a.peer, "absences": a.absences} for a in answers],
        "routes": s.journal.routes if s.journal else 0,
    }


def _record(state: NodeState) -> dict[str, Any]:
    record = state.withdrawn
    if record is None:
        return {}
    return {
        "routes": record.routes,
        **({"gracefulShutdownTime": timestamp(record.shut_down_at)} if record.shut_down_at else {}),
        "withdrawSentTime": timestamp(record.sent_at),
        "ceaseSentTime": timestamp(record.closed_at),
    }
