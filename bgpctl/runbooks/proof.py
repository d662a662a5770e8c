"""What is known of a withdrawal, by whose word, and what is missing to call it confirmed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any

from bgpctl.core.model import SessionState
from bgpctl.core.state import ENDED, UNTOLD, NodeState, timestamp
from bgpctl.core.timing.soak import READ_SECONDS
from bgpctl.runbooks.baseline import asked, before, never
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import RELABELLED, pulled
from bgpctl.runbooks.peers import endpoint, names, still
from bgpctl.runbooks.snapshot import PeerAnswer, Snapshot
from bgpctl.witness.model import RouteState

GONE_PHASES = ("Withdrawn", "Idle")
UNLISTED = "its BGP stack lists no session any more, and who ended them, node or router, nobody saw"


class Word(Enum):
    """What the node's speaker says of this request to leave."""

    SERVES = auto()  # it has not withdrawn, or not in answer to this request
    WITHDREW = auto()
    BESIDE = auto()  # another speaker of the node reports too: none of them speaks for both
    STOPPED = auto()  # it ended, and its engine with it, before it withdrew
    CLOSED = auto()  # its sessions are closed since it was told to leave; more it does not tell
    UNLISTED = auto()  # it lists none of its sessions any more: who obeyed, if anybody, nobody saw
    TOLD = auto()  # it was told to withdraw with its sessions up; whether it did it does not say
    EMPTY = auto()  # it was, and says that it announces nothing
    SILENT = auto()
    DEAD = auto()  # silent, and the operator says that it is dead


def word(s: Snapshot, *, assume_dead: bool = False) -> Word:
    """The speaker's word. Only a state in which it repeats the name of this request answers it. One that
    said that it ended says nothing more, and is not silent for that."""
    state = s.state
    if state is not None and state.ended and not state.contested:
        return Word.STOPPED
    if state is None or state.stale(s.now):
        return Word.DEAD if assume_dead else Word.SILENT
    if state.contested:
        return Word.BESIDE
    if state.phase == UNTOLD:
        return _untold(s, state, assume_dead=assume_dead)
    if state.phase in GONE_PHASES and state.observed_leave == request(s):
        return Word.WITHDREW
    return Word.SERVES


def _untold(s: Snapshot, state: NodeState, *, assume_dead: bool) -> Word:
    """The word of a stack that tells its sessions, and no phase. It has no heartbeat: that it is dead
    somebody has to say, and the Node not to contradict it."""
    if s.lever.policies:
        return Word.SERVES
    if assume_dead and state.peers and not s.node.ready:
        return Word.DEAD
    if not state.told_out:
        if not state.peers and not state.engine_asked:
            return Word.SERVES if too_fresh(s, state) else Word.UNLISTED
        return Word.CLOSED if _closed(s, state) else Word.SERVES
    if not state.peers:
        return Word.CLOSED
    over = state.announced == 0 and state.established == len(state.peers)
    return Word.EMPTY if over and not too_fresh(s, state) else Word.TOLD


def _closed(s: Snapshot, state: NodeState) -> bool:
    """Did the node's sessions end by our hand? One that nobody tells of may be up."""
    known = all(peer.session.state is not SessionState.UNKNOWN for peer in state.peers)
    return known and not state.established and not too_fresh(s, state)


def too_fresh(s: Snapshot, state: NodeState) -> bool:
    """What is told is up to `lag` seconds old: may it still be of before the node was asked to leave?"""
    told = s.journal is not None and (s.journal.takes_out or bool(s.journal.leaves))
    since = pulled(s.journal)
    return bool(told and not since) or s.began < since + (state.lag or 0.0)


def sessions_up(s: Snapshot) -> bool:
    """Do all routers say that their session with the node is up? Then one that has no route was told so."""
    return bool(s.answers) and all(answer.answer.session == "established" for answer in s.answers)


def request(s: Snapshot) -> str:
    """The request to leave that the speaker has to have seen. A run that asked for nothing, because no policy
    selected the node, goes by what somebody asked for before it; "" = nobody did."""
    return s.journal.leave if s.journal and s.journal.leaves else s.node.leave


def withdrew(state: NodeState, leave: str) -> bool:
    """Did a speaker of this node withdraw what was announced? By its record: of the process that runs now, or
    in answer to this very request by the one before; who relabels by hand gives it no name to answer. Whose
    it is no instant tells: a clock may have been corrected since it was written."""
    record = state.withdrawn
    if record is None:
        return False
    ours = bool(state.uid) and record.uid == state.uid
    return ours or bool(leave and record.answers == leave)


def another_session(state: NodeState) -> str:
    """The routers that refused the speaker's session for another one with this node; "" = none did."""
    left = state.withdrawn.peers if state.withdrawn else ()
    return ", ".join(sorted(peer.state.address for peer in left if peer.has_another))


def peers(s: Snapshot) -> frozenset[str]:
    """Every peer that may have the node's routes: those it had when the drain began, and those it has now."""
    called = names(s.state, s.journal)
    found = set(still(called, s.journal.peers)) if s.journal else set()
    if s.state is not None:
        found |= {called[endpoint(peer)] for peer in s.state.holders}
        if s.state.withdrawn and s.state.phase in GONE_PHASES:
            found |= {called[endpoint(peer.state)] for peer in s.state.withdrawn.peers}
    return frozenset(found)


def missing(s: Snapshot) -> tuple[str, ...]:
    """What is missing for the routers' word to count for every peer: empty = nothing is."""
    return tuple(_missing(s)) if s.answers else ("no router was asked",)


def _missing(s: Snapshot) -> Iterator[str]:
    for answer in s.answers:
        if answer.answer.routes is RouteState.UNKNOWN:
            yield f"{answer.answer.router} cannot be asked: {answer.answer.detail}"
        elif answer.answer.routes is RouteState.ABSENT and before(answer, s.journal) is None:
            yield _no_baseline(answer, s)
    for peer in unasked(s):
        yield f"no probe asks {peer}"
    if word(s) is Word.UNLISTED:
        yield UNLISTED


def unasked(s: Snapshot) -> tuple[str, ...]:
    """The peers that no probe asks."""
    return tuple(sorted(peers(s) - {answer.peer for answer in s.answers}))


def blank(s: Snapshot) -> tuple[str, ...]:
    """The routers that show no route of the node although none was withdrawn yet, and have no baseline."""
    return tuple(_never_seen(a) for a in _absent(s) if never(a, s) and not _another(a, s))


def too_late(s: Snapshot) -> tuple[str, ...]:
    """The routers that can prove nothing in this drain any more: nobody asked them in time."""
    return (*another(s), *(_too_late(a) for a in _absent(s) if _late(a, s)))


def another(s: Snapshot) -> tuple[str, ...]:
    """The routers without a route that are not those which showed the routes of their peer before."""
    return tuple(_not_the_one(a, s) for a in _absent(s) if _another(a, s))


def _absent(s: Snapshot) -> Iterator[PeerAnswer]:
    return (answer for answer in s.answers if answer.answer.routes is RouteState.ABSENT)


def _another(answer: PeerAnswer, s: Snapshot) -> bool:
    return s.journal is not None and answer.peer in s.journal.baselines and never(answer, s)


def _late(answer: PeerAnswer, s: Snapshot) -> bool:
    """Was the node asked to leave before anybody asked this router?"""
    return s.journal is not None and s.journal.leaves > 0 and answer.peer not in asked(s.journal)


def _no_baseline(answer: PeerAnswer, s: Snapshot) -> str:
    if _another(answer, s):
        return _not_the_one(answer, s)
    return _too_late(answer) if _late(answer, s) else _never_seen(answer)


def _not_the_one(answer: PeerAnswer, s: Snapshot) -> str:
    assert s.journal is not None, "it is another one than the journal's"
    who = s.journal.witnesses.get(answer.peer)
    if not who:
        return (
            f"which router showed the routes of {answer.peer} before is not written down, so the silence of "
            f"{answer.witness} proves nothing: restore and drain again"
        )
    return (
        f"{answer.witness} is not the router that showed the routes before ({' or '.join(who)}): use that "
        "probe, or restore and drain again"
    )


def _never_seen(answer: PeerAnswer) -> str:
    return f"{answer.answer.router} was never seen to have a route of this node: is it the right one?"


def _too_late(answer: PeerAnswer) -> str:
    return f"{answer.answer.router} was first asked after the routes had gone, so its silence proves nothing"


def note(s: Snapshot) -> str:
    """Why the clock decides though there are probes."""
    return "".join(f" ({one})" for one in missing(s)) if s.answers else ""


def confirmed(s: Snapshot, since: float) -> dict[str, Any]:
    """The evidence of a confirmed withdrawal; `since`: the first instant at which every router had none."""
    relabelled = s.journal.marks.get(RELABELLED) if s.journal else None
    kept = record(s.state) if s.state and s.state.phase in GONE_PHASES else {}
    return {
        **kept,
        "proof": "confirmed",
        "by": routers(s.answers),
        "relabelledTime": timestamp(relabelled),
        "goneTime": timestamp(since),
        "secondsAfterRelabel": round(max(0.0, since - relabelled), 3) if relabelled else None,
        "routers": [
            {
                "router": a.answer.router,
                "peer": a.peer,
                "absences": a.absences,
                "routesBefore": before(a, s.journal),
            }
            for a in s.answers
        ],
        "routes": s.journal.routes if s.journal else 0,
    }


def record(state: NodeState) -> dict[str, Any]:
    """The speaker's record of its leave, as evidence."""
    left = state.withdrawn
    if left is None:
        return {}
    return {
        "routes": left.routes,
        **({"gracefulShutdownTime": timestamp(left.shut_down_at)} if left.shut_down_at else {}),
        "withdrawSentTime": timestamp(left.sent_at),
        "ceaseSentTime": timestamp(left.closed_at),
    }


# --- words --------------------------------------------------------------------------------------------------


def seen(answer: PeerAnswer) -> str:
    said = answer.answer
    return f"{said.router}: {said.detail.removesuffix('.') or said.routes.value}"


def two_speakers(s: Snapshot, typed: CommandLine) -> str:
    """What ends it that two speakers report for the node."""
    named = s.state.other_speakers if s.state else ()
    if not named:
        return "wait until then: routers have let go of what one announced that has ended"
    word = typed.kubectl("annotate", "--overwrite", "bgpnodestate", s.node.name, f"{ENDED}={','.join(named)}")
    return (
        f"end the one that should not be there (what else runs as {s.node.name}?)\n"
        f"when it has ended (the other one reads it within a minute): {word}"
    )


def routers(answers: Iterable[PeerAnswer]) -> str:
    return ", ".join(sorted({answer.answer.router for answer in answers}))


def moving(s: Snapshot) -> str:
    """The leave soaks; "" when it does not."""
    if s.state is None or s.state.phase != "Leaving" or s.state.soak_until is None:
        return ""
    ends = s.state.by_server(s.state.soak_until)
    left = min(max(0.0, ends - s.now), s.state.soak + READ_SECONDS)
    return f"traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), {left:.0f} s left"
