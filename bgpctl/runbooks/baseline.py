"""What a router had of the node before its routes were withdrawn: without that, "it has none" proves little.

A router that never showed a route of this node may be the wrong one, may look into the wrong table, or may
filter; its absence then says nothing about where traffic goes. One that was first asked after the routes had
gone could not show any: its absence says as little, for another reason. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bgpctl.core.state import NodeState
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.snapshot import PeerSighting, Snapshot
from bgpctl.witness.model import Sight

ASKED = "Asked "  # the mark of a peer whose router answered before the routes had gone, and showed none


def noted(journal: Journal, s: Snapshot) -> Journal:
    """The journal with what this look tells of the routers. Only for looks before the routes have gone."""
    known = baselines(s)
    blank = [a.peer for a in s.sightings if a.sighting.sight is not Sight.UNKNOWN and a.peer not in known]
    marks = {f"{ASKED}{peer}": round(s.now, 3) for peer in blank}
    return replace(journal, baselines=known, marks={**marks, **journal.marks})


def asked(journal: Journal) -> frozenset[str]:
    """The peers whose routers answered before the routes had gone."""
    blank = (mark.removeprefix(ASKED) for mark in journal.marks if mark.startswith(ASKED))
    return frozenset((*journal.baselines, *blank))


def baselines(s: Snapshot) -> dict[str, int]:
    """Peer address -> how many of the node's routes its router was seen to have, the most of all looks; 0
    where the speaker had sent it none. A peer that is missing was never seen to have any."""
    before: Mapping[str, int] = s.journal.baselines if s.journal else {}
    merged = dict(before)
    for peer, count in _seen(s):
        merged[peer] = max(count, merged.get(peer, 0))
    return merged


def _seen(s: Snapshot) -> Iterator[tuple[str, int]]:
    for answer in s.sightings:
        # Stale routes are no baseline: with its session down a router does not say that it is the right one.
        if answer.sighting.sight is Sight.PRESENT:
            yield answer.peer, len(answer.sighting.paths)
        elif answer.sighting.sight is Sight.ABSENT and _sent_none(answer, s.state, s.now):
            yield answer.peer, 0


def _sent_none(answer: PeerSighting, state: NodeState | None, now: float) -> bool:
    """Was there nothing that this router could have? By the word of a speaker that reports and has a
    session."""
    if state is None or state.stale(now) or state.phase != "Running":
        return False
    peer = next((p for p in state.peers if p.address == answer.peer), None)
    return peer is not None and peer.session.established and not peer.intended and not peer.announced
