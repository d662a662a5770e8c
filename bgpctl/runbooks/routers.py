"""Ask the routers, and remember how often in a row each said "absent".

A probe without "@PEER" looks at the node's only peer; with several peers it must say which router it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bgpctl.core.nodestate import NodeState, PeerState
from bgpctl.errors import UsageError
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.snapshot import PeerSighting
from bgpctl.witness.model import Sight, Sighting
from bgpctl.witness.probe import Probe


@dataclass(slots=True)
class Routers:
    """The probes of one run, and their unbroken rows of "absent"."""

    probes: Sequence[Probe] = ()
    _absent: dict[str, tuple[float, int]] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    def look(self, state: NodeState | None, journal: Journal | None, now: float) -> tuple[PeerSighting, ...]:
        """One answer per probe. The speaker's sessions tell the node's address as the router sees it."""
        if not self.probes:
            return ()
        self._remember(state)
        self._void_before(journal.marks.get("Relabelled", 0.0) if journal else 0.0)
        peers = tuple(self._known) or (journal.peers if journal else ())
        return tuple(self._ask(probe, self._peer_of(probe, peers), now) for probe in self.probes)

    def targets(self) -> tuple[tuple[Probe, str], ...]:
        """Every probe with the node's address as its router sees it, where a look has told it."""
        asked = ((probe, self._known.get(self._peer_of(probe, tuple(self._known)))) for probe in self.probes)
        return tuple((probe, neighbor) for probe, neighbor in asked if neighbor is not None)

    def _remember(self, state: NodeState | None) -> None:
        """Local addresses by peer; after the sessions are gone, the withdrawn record still has them."""
        for peer in _peers(state):
            if peer.session.local_address:
                self._known[peer.address] = str(peer.session.local_address)

    def _void_before(self, relabelled: float) -> None:
        """What was absent before the relabel may have come and gone since: its row does not count."""
        self._absent = {peer: row for peer, row in self._absent.items() if row[0] >= relabelled}

    def _peer_of(self, probe: Probe, peers: Sequence[str]) -> str:
        if probe.peer:
            return probe.peer
        if len(peers) > 1:
            example = f"{probe.kind}={probe.target}@{peers[0]}"
            raise UsageError(
                f"the node has {len(peers)} peers: --router-probe {probe.kind}={probe.target} must say which",
                f"for example --router-probe {example}",
            )
        return peers[0] if peers else ""

    def _ask(self, probe: Probe, peer: str, now: float) -> PeerSighting:
        neighbor = self._known.get(peer)
        if neighbor is None:
            detail = f"the node's address towards {peer or 'it'} is unknown"
            return PeerSighting(
                peer, Sighting(f"{probe.kind} {peer}".strip(), "", Sight.UNKNOWN, detail=detail), None, 0
            )
        answer = replace(probe.routes_from(neighbor), router=f"{probe.kind} {peer}")
        since, count = self._row(peer, answer, now)
        return PeerSighting(peer, answer, since, count)

    def _row(self, peer: str, answer: Sighting, now: float) -> tuple[float | None, int]:
        if answer.sight is not Sight.ABSENT:
            self._absent.pop(peer, None)
            return None, 0
        since, count = self._absent.get(peer, (answer.at or now, 0))
        self._absent[peer] = (since, count + 1)
        return since, count + 1


def _peers(state: NodeState | None) -> tuple[PeerState, ...]:
    if state is None:
        return ()
    record = tuple(peer.state for peer in state.withdrawn.peers) if state.withdrawn else ()
    return (*record, *state.peers)
