"""Ask the routers, and remember how often in a row each said "absent".

A probe without "@PEER" looks at the node's only peer; with several peers it must say which router it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bgpctl.core.state import NodeState, PeerState
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.questions import Question, Questions
from bgpctl.runbooks.snapshot import PeerSighting
from bgpctl.witness.model import Sight, Sighting, same_host
from bgpctl.witness.probe import Probe


@dataclass(slots=True)
class Routers:
    """The probes of one run, and their unbroken rows of "absent"."""

    probes: Sequence[Probe] = ()
    questions: Questions = field(default_factory=Questions)
    _absent: dict[str, tuple[float, int]] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    def look(
        self, state: NodeState | None, journal: Journal | None, now: Callable[[], float]
    ) -> tuple[PeerSighting, ...]:
        """One answer per probe. The speaker's sessions tell the node's address as the router sees it; `now`
        is the run's clock, by which an answer is dated once it is there."""
        self._remember(state)
        self._void_before(journal.marks.get("Relabelled", 0.0) if journal else 0.0)
        peers = tuple(self._known) or (journal.peers if journal else ())
        asked = [self._ask(probe, peers, now) for probe in self.probes]
        answers = self.questions.ask([question for _, question in asked])
        return tuple(
            PeerSighting(peer, answer, *self._row(peer, answer))
            for (peer, _), answer in zip(asked, answers, strict=True)
        )

    def targets(self) -> tuple[tuple[Probe, str], ...]:
        """Every probe with the node's address as its router sees it, where a look has told it."""
        asked = ((probe, self._known.get(_peer_of(probe, tuple(self._known)) or "")) for probe in self.probes)
        return tuple((probe, neighbor) for probe, neighbor in asked if neighbor is not None)

    def _remember(self, state: NodeState | None) -> None:
        """Local addresses by peer; after the sessions are gone, the withdrawn record still has them."""
        for peer in _peers(state):
            if peer.session.local_address:
                self._known[peer.address] = str(peer.session.local_address)

    def _void_before(self, relabelled: float) -> None:
        """What was absent before the relabel may have come and gone since: its row does not count."""
        self._absent = {peer: row for peer, row in self._absent.items() if row[0] >= relabelled}

    def _ask(self, probe: Probe, peers: Sequence[str], now: Callable[[], float]) -> tuple[str, Question]:
        """The peer that the probe's router is, and the question to it."""
        peer = _peer_of(probe, peers)
        if peer is None:
            example = f"--router-probe {probe.kind}={probe.target}@{peers[0]}"
            why = f"the node has {len(peers)} peers ({', '.join(peers)}); say which it is, as in {example}"
            return "", lambda: _unasked(probe, "", why)
        if peers and peer not in peers:
            stranger = f"@{peer} is no peer of the node (@PEER is the address of one: {', '.join(peers)})"
            return peer, lambda: _unasked(probe, peer, stranger)
        neighbor = self._known.get(peer)
        if neighbor is None:
            return peer, lambda: _unasked(
                probe, peer, f"the node's address towards {peer or 'it'} is unknown"
            )

        def ask() -> Sighting:
            told = _of_peer(probe.routes_from(neighbor), peer)
            return replace(told, router=f"{probe.kind} {peer}", at=now())

        return peer, ask

    def _row(self, peer: str, answer: Sighting) -> tuple[float | None, int]:
        if answer.sight is not Sight.ABSENT:
            self._absent.pop(peer, None)
            return None, 0
        since, count = self._absent.get(peer, (answer.at, 0))
        self._absent[peer] = (since, count + 1)
        return since, count + 1


def _peer_of(probe: Probe, peers: Sequence[str]) -> str | None:
    """The peer that the probe's router is; "" = there is none yet, None = it does not say which of
    several."""
    if probe.peer:
        return probe.peer
    if len(peers) > 1:
        return None
    return peers[0] if peers else ""


def _of_peer(answer: Sighting, peer: str) -> Sighting:
    """Another router may know the node as well, and have its routes: what that one says is not the peer's
    word. The end of the session that the router calls its own tells them apart."""
    if answer.session != "established" or same_host(answer.local, peer):
        return answer
    detail = f"its session with this node is from {answer.local}, not {peer}: another router?"
    return replace(answer, sight=Sight.UNKNOWN, paths=(), detail=detail)


def _unasked(probe: Probe, peer: str, why: str) -> Sighting:
    return Sighting(f"{probe.kind} {peer or probe.target}", "", Sight.UNKNOWN, detail=why)


def _peers(state: NodeState | None) -> tuple[PeerState, ...]:
    if state is None:
        return ()
    record = tuple(peer.state for peer in state.withdrawn.peers) if state.withdrawn else ()
    return (*record, *state.holders)
