"""The heart of a drain: are the routes gone from the routers? Said by a router (confirmed) or by the end of a
computed deadline (estimated), never by a session that went down (facts/bgp.md §5.4).

    asked, absent on every peer twice in a row, a second apart ........ done, confirmed
    asked, present or stale ........................................... wait, whatever the clock says
    nobody asked, speaker says all withdraws are on the socket,
      and the worst case for every peer has passed since ............. done, estimated
    nobody asked, speaker silent, worst case of a dead node passed ... done, estimated
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.nodestate import NodeState, timestamp
from bgpctl.core.withdrawal import Estimate, worst_of
from bgpctl.runbooks.drain_steps import RELABELLED, only
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.snapshot import PeerSighting, Snapshot
from bgpctl.witness.model import Sight

TWICE = 2
APART_SECONDS = 1.0
LOOK_AGAIN = 0.15  # while routes are present: a router answers in milliseconds
GONE_PHASES = ("Withdrawn", "Idle")


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """No router sends traffic to the node any more."""

    name = "Withdrawn"
    title = "routes gone"
    needs = only("state", "routers", "estimates")

    def decide(self, s: Snapshot) -> Decision:
        assert s.journal is not None, "Claimed comes first"
        if s.journal.deselect is None:
            return Decision(
                Status.DONE, "the node announced nothing", evidence={"proof": "confirmed", "routes": 0}
            )
        return by_witness(s) or by_clock(s)

    def preview(self, s: Snapshot) -> str:
        """For --dry-run: what will end the wait."""
        if s.journal is None or s.journal.deselect is None:
            return "the node announces nothing"
        if s.sightings:
            routers = ", ".join(sorted({a.sighting.router for a in s.sightings}))
            return f"until {routers} has no route of this node, asked twice (confirmed)"
        worst = worst_of(s.estimates or s.dead_estimates)
        if worst is None:
            return "no peer"
        return f"{worst.worst:.0f} s after the withdraws, by estimate: {worst.why}"


def by_witness(s: Snapshot) -> Decision | None:
    """What the routers say. None when nobody can be asked for every peer."""
    answers = s.sightings
    if not answers or any(a.sighting.sight is Sight.UNKNOWN for a in answers):
        return None
    present = [a for a in answers if a.sighting.sight is not Sight.ABSENT]
    if present:
        return Decision(Status.WAIT, "; ".join(_seen(a) for a in present), recheck=LOOK_AGAIN)
    if _uncovered(s):
        return None
    since = max(a.absent_since or s.now for a in answers)
    if min(a.absences for a in answers) < TWICE or s.now - since < APART_SECONDS:
        left = max(LOOK_AGAIN, APART_SECONDS - (s.now - since))
        return Decision(Status.WAIT, "gone; asking once more", recheck=left, eta=since + APART_SECONDS)
    routers = ", ".join(sorted({a.sighting.router for a in answers}))
    took = _after_relabel(s, since)
    return Decision(
        Status.DONE, f"gone{took}, confirmed by {routers}", evidence=_confirmed(s, answers, since, routers)
    )


def by_clock(s: Snapshot) -> Decision:
    """What the speaker says, and the worst case that the negotiated capabilities allow after it."""
    relabelled = s.journal.marks.get(RELABELLED, s.now) if s.journal else s.now
    note = _unanswered(s.sightings)
    if s.state is None or s.state.stale(s.now):
        return _dead_speaker(s, relabelled, note)
    if s.state.phase not in GONE_PHASES:
        return Decision(Status.WAIT, f"the speaker is {s.state.phase.lower()}{note}", recheck=LOOK_AGAIN)
    # The clocks of speaker and runbook may differ: the wait counts from when *we* saw it at the latest.
    sent = max(s.state.withdrawn.sent_at if s.state.withdrawn else relabelled, relabelled)
    return _until(s, min(sent, s.now), s.estimates, f"withdraws sent{note}", _record(s.state))


def _dead_speaker(s: Snapshot, relabelled: float, note: str) -> Decision:
    """Nobody on the node withdraws anything: only the routers' timers end it."""
    if not s.dead_estimates:
        return Decision(
            Status.BLOCKED,
            f"no speaker reports for this node, and nothing is known about its peers{note}",
            hint="pass --router-probe so that a router can be asked",
        )
    last = s.state.heartbeat if s.state else relabelled
    begun = max(last, min(relabelled, s.now))
    return _until(s, begun, s.dead_estimates, f"the speaker is silent{note}", {})


def _until(
    s: Snapshot, begun: float, estimates: tuple[Estimate, ...], what: str, evidence: Mapping[str, Any]
) -> Decision:
    worst = worst_of(estimates)
    if worst is None:
        return Decision(Status.DONE, f"{what}; no peer", evidence={"proof": "estimated", **evidence})
    ends = begun + worst.worst
    if s.now < ends:
        text = f"{what}; {worst.address} may keep the routes for {worst.worst:.0f} s: {worst.why}"
        return Decision(Status.WAIT, text, recheck=min(1.0, ends - s.now), eta=ends)
    text = f"gone, estimated: {worst.worst:.0f} s passed since {what}"
    proof = {"proof": "estimated", "why": worst.why, "worstSeconds": worst.worst, "until": timestamp(ends)}
    return Decision(Status.DONE, text, evidence={**evidence, **proof})


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
        assert s.journal is not None, "Claimed comes first"
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


def _unanswered(answers: Iterable[PeerSighting]) -> str:
    silent = [a.sighting for a in answers if a.sighting.sight is Sight.UNKNOWN]
    return "".join(f" ({s.router} cannot be asked: {s.detail})" for s in silent)


def _uncovered(s: Snapshot) -> bool:
    """Is there a peer that no probe looks at?"""
    peers = set(s.journal.peers) if s.journal else set()
    return bool(peers - {answer.peer for answer in s.sightings})


def _after_relabel(s: Snapshot, gone: float) -> str:
    relabelled = s.journal.marks.get(RELABELLED) if s.journal else None
    return f" {max(0.0, gone - relabelled):.2f} s after the relabel" if relabelled else ""


def _confirmed(s: Snapshot, answers: tuple[PeerSighting, ...], since: float, routers: str) -> dict[str, Any]:
    relabelled = s.journal.marks.get(RELABELLED) if s.journal else None
    record = _record(s.state) if s.state and s.state.phase in GONE_PHASES else {}
    return {
        **record,
        "proof": "confirmed",
        "by": routers,
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
        "withdrawSentTime": timestamp(record.sent_at),
        "ceaseSentTime": timestamp(record.closed_at),
    }
