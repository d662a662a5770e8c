"""What the clock says of a leave: since which instant the worst case that was negotiated runs, and whether
it has passed; or why no time that passes ends the wait. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from bgpctl.core.state import UNTOLD, NodeState, timestamp
from bgpctl.core.timing.withdrawal import Estimate, worst_of
from bgpctl.runbooks import proof
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.clock import UNCERTAIN
from bgpctl.runbooks.drain_steps import RELABELLED
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.proof import Word
from bgpctl.runbooks.snapshot import Snapshot

SEEN = SAW_WITHDRAWN, SAW_RECORD, SAW_EMPTY, SAW_ENDED, SAW_STARTED = (
    *("SawWithdrawn", "SawRecord", "SawEmpty", "SawEnded"),
    "SawStarted",  # and which speaker
)
ASSUMED = "that its speaker died when it fell silent"
ALONE = "that no other one was started since, which cannot report"
EMPTY = "its BGP stack said that it announces nothing"
RESTARTED = "a session ended after the node was told to withdraw, and is up again"
VANISHED = "a peer that the node had is its peer no more"
UNLISTED = "its BGP stack lists no session of the node any more"
UNSEEN = "that its BGP stack closed the sessions that it was told to end, which nobody saw"
CONFIGURED = "that its sessions were opened with the timers that are configured now"


def fell_silent(s: Snapshot, journal: Journal) -> float:
    """Since when nobody on the node says anything, in epoch seconds: not before it was asked to leave."""
    relabelled = min(journal.marks.get(RELABELLED, journal.started_at), s.now)
    return max(s.state.last_seen, relabelled) if s.state else relabelled


def elsewhere(routers: str, note: str) -> Decision:
    """The session that holds the routes is not the speaker's: no time that passes ends it."""
    return Decision(
        Status.BLOCKED,
        f"{routers} refused the speaker's session for another one with this node: whoever has that one may "
        f"announce its routes{note}",
        hint="end what speaks BGP on the node beside its speaker, or ask the router with --router-probe "
        "KIND=TARGET@PEER; then run the same command again\nto see on the node what it is: ss -tnp",
    )


def dead(s: Snapshot, journal: Journal, note: str, *, assumed: bool) -> Decision:
    """Only the routers' timers end it."""
    if not s.dead_estimates:
        return nobody(journal) if s.state is None else no_peer(s.state, journal)
    what = "the speaker fell silent, assuming that it died" if assumed else "the speaker stopped"
    begun = min(fell_silent(s, journal), s.now)
    assumption = _all_of(ASSUMED if assumed else ALONE, configured(s))
    return until(s, begun, s.dead_estimates, f"{what}{note}", {"assumed": assumption})


def configured(s: Snapshot) -> str:
    """What the worst case stands on where nobody tells what a session agreed to: a stack that reads its
    configuration anew keeps the session that it had (FRR does, and says only what it will offer next)."""
    peers = s.state.peers if s.state else ()
    return CONFIGURED if any(not peer.session.gr_told for peer in peers) else ""


def _all_of(*assumptions: str) -> str:
    return ", and ".join(filter(None, assumptions))


def saw(s: Snapshot, journal: Journal, text: str) -> Decision:
    """The wait counts from when *we* saw it: the speaker's clock is another one."""
    write = ChangeNode("note the time", journal=journal.with_mark(SAW_WITHDRAWN, s.now))
    return Decision(Status.ACT, text, (write,))


def over(s: Snapshot, journal: Journal, word: Word, note: str) -> Decision:
    """The sessions are closed, or all are up and nothing is announced on them. How they ended nobody tells:
    by our hand, or by a crash before it, after which a router may keep the routes. Of a stack that lists no
    session any more, what holds them may hang with all of them up: that they ended is assumed, and said so,
    from the instant at which they were not listed any more."""
    assert s.state is not None, "it tells of its sessions"
    if word is Word.EMPTY and SAW_EMPTY not in journal.marks:
        return saw(s, journal.with_mark(SAW_EMPTY, s.now), EMPTY)
    withdrew = SAW_EMPTY in journal.marks
    estimates = (withdrew and s.estimates) or s.dead_estimates
    if not estimates:
        return no_peer(s.state, journal)
    if word is Word.EMPTY and s.state.unwithdrawn and SAW_ENDED not in journal.marks:
        return saw(s, journal.with_mark(SAW_ENDED, s.now), VANISHED if s.state.lost else RESTARTED)
    unseen = word is Word.UNLISTED and not withdrew
    if SAW_WITHDRAWN not in journal.marks:
        return saw(s, journal, UNLISTED if unseen else "the sessions are closed")
    closed = UNLISTED if unseen else "the sessions were seen closed"
    what = EMPTY if word is Word.EMPTY else closed
    asked = s.state.engine_asked
    assumed = _all_of(UNSEEN if unseen else s.state.assumes, "" if withdrew else configured(s))
    found = {"assumed": assumed} if assumed else {"by": asked} if asked else {}
    what += f", assuming {assumed}" if assumed else ""
    return until(s, journal.marks[SAW_WITHDRAWN], estimates, f"{what}{note}", found)


def restarted(s: Snapshot, journal: Journal, note: str) -> Decision:
    """One that was started after the relabel has nothing to withdraw, while routers may keep what its
    predecessor announced: until the worst case has passed since *we* saw it. When it says that it started is
    by a clock that was perhaps set since (a node that boots without one of its own)."""
    assert s.state is not None, "it reports"
    if not s.dead_estimates:
        return no_peer(s.state, journal)
    mark = f"{SAW_STARTED} {s.state.uid}"
    if mark not in journal.marks:
        others = {name: at for name, at in journal.marks.items() if not name.startswith(SAW_STARTED)}
        write = ChangeNode("note the time", journal=replace(journal, marks=others).with_mark(mark, s.now))
        return Decision(Status.ACT, "another speaker was started", (write,))
    what = f"the speaker was seen started, and the one before it did not withdraw{note}"
    return until(s, journal.marks[mark], s.dead_estimates, what, {})


def nobody(journal: Journal) -> Decision:
    """No speaker ever reported, and no policy tells of a peer."""
    if not journal.takes_out:
        return nothing_announced("no policy selects the node, and no speaker reports for it")
    return Decision(
        Status.BLOCKED,
        "no speaker reports for the node, and nothing is known about its peers: whether its routes are gone "
        "nobody knows",
        hint="bring the policy back that selected it, or look at its routers by hand",
    )


def no_peer(state: NodeState, journal: Journal) -> Decision:
    """The speaker has no peer. That is no answer where it had one, or where it says itself that the process
    before it was never seen to withdraw."""
    if not (journal.peers or journal.routes or state.unproved):
        return nothing_announced("the speaker has no peer")
    who = f" ({', '.join(journal.peers)})" if journal.peers else ""
    return Decision(
        Status.BLOCKED,
        f"routes of this node may be with its routers{who}: no speaker withdrew them, and how long they are "
        "kept is not known any more",
        hint="bring policy and label back, and drain again when its sessions are up; or look at the routers "
        "by hand\nto see whether they are up: bgpctl peers status",
    )


def nothing_announced(why: str) -> Decision:
    """Nothing has to be waited for, by no router's word."""
    return Decision(Status.DONE, f"nothing was announced: {why}", evidence={"proof": "", "routes": 0})


def until(
    s: Snapshot, begun: float, estimates: tuple[Estimate, ...], what: str, evidence: Mapping[str, Any]
) -> Decision:
    """Wait until the worst of `estimates` has passed since `begun` (epoch seconds); `what` says what was
    then. Blocked where nothing ever ends it."""
    worst = worst_of(estimates)
    assert worst is not None and s.journal is not None, "an estimate is there"
    if worst.worst == inf:
        reason = f"{worst.address} may keep the routes for ever: {worst.why}"
        return Decision(Status.BLOCKED, reason, hint="pass --router-probe so that the router can be asked")
    ends = max(begun, s.journal.counted) + worst.worst + UNCERTAIN
    if s.now < ends:
        brief = f"{seconds(worst)} since {what}"
        text = f"{brief}: {worst.address}: {worst.why}"
        return Decision(Status.WAIT, text, recheck=min(1.0, ends - s.now), eta=ends, brief=brief)
    # An engine that was asked itself and has nothing left is more than a clock, and less than a router.
    word = "reported" if evidence.get("by") else "estimated"
    text = f"gone, {word}: {seconds(worst)} passed since {what}"
    found = {
        "proof": word,
        "why": worst.why,
        "worstSeconds": worst.worst,
        "until": timestamp(ends),
        "missing": list(proof.missing(s)) or ["no router was asked"],
    }
    nobody = not s.journal.routes and s.state is not None and s.state.phase == UNTOLD
    counted = {"routes": s.journal.routes, **({"uncounted": True} if nobody else {})}
    return Decision(Status.DONE, text, evidence={**counted, **evidence, **found})


def seconds(estimate: Estimate) -> str:
    """The worst case in words."""
    return f"{estimate.worst:.0f} s"
