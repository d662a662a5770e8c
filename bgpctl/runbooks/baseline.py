"""What a router had of the node before its routes were withdrawn: without that, "it has none" proves little.

A router that never showed a route of this node may be the wrong one, may look into the wrong table, or may
filter; its absence then says nothing about where traffic goes. One that was first asked after the routes had
gone could not show any: its absence says as little, for another reason. And what one router showed is not
what another one lost: a baseline belongs to the witness that gave it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bgpctl.core.state import NodeState, PeerState
from bgpctl.runbooks.journal import MOST_WITNESSES, Journal
from bgpctl.runbooks.peers import endpoint, names
from bgpctl.runbooks.snapshot import PeerAnswer, Snapshot
from bgpctl.witness.model import RouteState

ASKED = "Asked "  # the mark of a peer whose router answered before the routes had gone, and showed none


def noted(journal: Journal, s: Snapshot) -> Journal:
    """The journal with what this look tells of the routers. Only for looks before the routes have gone."""
    known, who = baselines(s), witnesses(s)
    blank = [a.peer for a in s.answers if a.answer.routes is not RouteState.UNKNOWN and a.peer not in known]
    marks = {f"{ASKED}{peer}": round(s.now, 3) for peer in blank}
    return replace(journal, baselines=known, witnesses=who, marks={**marks, **journal.marks})


def asked(journal: Journal) -> frozenset[str]:
    """The peers whose routers answered before the routes had gone."""
    blank = (mark.removeprefix(ASKED) for mark in journal.marks if mark.startswith(ASKED))
    return frozenset((*journal.baselines, *blank))


def before(answer: PeerAnswer, journal: Journal | None) -> int | None:
    """How many routes this very router showed before they went; None = it was never seen to have any."""
    if journal is None or answer.witness not in journal.witnesses.get(answer.peer, ()):
        return None
    return journal.baselines.get(answer.peer)


def never(answer: PeerAnswer, s: Snapshot) -> bool:
    """Was this very router never seen to have a route, not in this look either?"""
    now = (seen is answer for seen, _ in _seen(s))
    return not any(now) and before(answer, s.journal) is None


def baselines(s: Snapshot) -> dict[str, int]:
    """Peer -> how many of the node's routes its router was seen to have, the most of all looks; 0 where the
    speaker had sent it none, and has not since. A peer that is missing was never seen to have any."""
    before = s.journal.baselines if s.journal else {}
    void = {answer.peer for answer in s.answers if _hides(answer, s)}
    merged = {name: count for name, count in before.items() if count or name not in void}
    for answer, count in _seen(s):
        merged[answer.peer] = max(count, merged.get(answer.peer, 0))
    return merged


def witnesses(s: Snapshot) -> Mapping[str, tuple[str, ...]]:
    """Peer -> the routers that were seen to have so many of the node's routes."""
    merged = dict(s.journal.witnesses if s.journal else {})
    for answer, _ in _seen(s):
        merged[answer.peer] = _with(merged.get(answer.peer, ()), answer.witness)
    return merged


def _with(known: tuple[str, ...], witness: str) -> tuple[str, ...]:
    return known if witness in known else (*known, witness)[-MOST_WITNESSES:]


def _seen(s: Snapshot) -> Iterator[tuple[PeerAnswer, int]]:
    for answer in s.answers:
        # Stale routes are no baseline: with its session down a router does not say that it is the right one.
        if answer.answer.routes is RouteState.PRESENT:
            yield answer, len(answer.answer.paths)
        elif answer.answer.routes is RouteState.ABSENT and _sent_none(answer, s):
            yield answer, 0


def _hides(answer: PeerAnswer, s: Snapshot) -> bool:
    """Has it none of what the speaker says that it has sent to this router? That there was nothing to see
    before does not make it the one that loses it."""
    sent = _peer(answer, s)
    return answer.answer.routes is RouteState.ABSENT and sent is not None and bool(sent.announced)


def _sent_none(answer: PeerAnswer, s: Snapshot) -> bool:
    """Was there nothing that this router could have? By the word of a speaker that reports and has a session,
    of which the router knows where it tells."""
    peer = _peer(answer, s)
    up = answer.answer.session in ("", "established")
    return up and peer is not None and not peer.intended and not peer.announced


def _peer(answer: PeerAnswer, s: Snapshot) -> PeerState | None:
    """The router as a speaker that reports has it, with a session; None = it has none."""
    state: NodeState | None = s.state
    if state is None or state.stale(s.now) or state.phase != "Running":
        return None
    called = names(state, s.journal)
    peer = next((p for p in state.peers if called.get(endpoint(p)) == answer.peer), None)
    return peer if peer is not None and peer.session.established else None
