"""An engine and a source in memory: the manager's two neighbours, with the engine's promises kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.diff import Action, Announce, Configure, Leave, Synced, Withdraw
from bgpctl.core.model import GracefulRestart, Observed, Session, SessionState
from bgpctl.errors import Temporary
from bgpctl.exabgp import view
from bgpctl.ports import Mode

GR = GracefulRestart(120)


@dataclass(frozen=True)
class Departed:
    flushed_at: float | None
    closed_at: float | None


class FakeEngine:
    """Does at once what it is told. `refuse` may raise for an action; `deaf` peers never read."""

    version = "fake 1.0"

    def __init__(self) -> None:
        self.restarts = 0
        self.performed: list[Action] = []
        self.departed: Mapping[str, Departed] = {}
        self.refuse: Callable[[Action], None] = lambda action: None
        self.refuse_start: Temporary | None = None
        self.deaf: set[str] = set()
        self.established: set[str] = set()
        self.graceful: set[str] = set()
        self.stopped: list[bool] = []
        self.started_to_leave: list[bool] = []
        self.clock = 1000.0
        self.mode = Mode.OWN
        self.outlived: Observed | None = None
        self.released = False
        self.trouble = ""
        self._seen = Observed()

    @property
    def stays(self) -> bool:
        return self.mode is not Mode.OWN

    def adopt(self) -> bool:
        """`outlived` is what an engine runs that outlived its manager."""
        if self.refuse_start:
            raise self.refuse_start
        if self.outlived is not None:
            self._seen, self.outlived = self.outlived, None
        return self._seen.running

    def release(self) -> None:
        self.released = True

    def start(self, *, leaves: bool = False) -> None:
        self.started_to_leave.append(leaves)
        if self.adopt():
            return
        self.restarts = self._seen.generation
        self._seen = Observed(self._seen.generation + 1, True)

    def observed(self) -> Observed:
        return replace(self._seen, sessions={name: self._session(name) for name in self._seen.peers})

    def _session(self, name: str) -> Session:
        state = SessionState.ESTABLISHED if name in self.established else SessionState.IDLE
        both = GR if name in self.graceful else None
        families = self._seen.peers[name].families if name in self._seen.peers else ()
        return Session(name, state, families=families, local_gr=both, peer_gr=both)

    def die(self) -> None:
        self._seen = Observed(self._seen.generation)

    def perform(self, action: Action) -> None:
        if not self._seen.running:
            raise Temporary("the BGP engine is not running")
        self.refuse(action)
        self.performed.append(action)
        seen = self._seen
        match action:
            case Announce(peer, attributes, prefixes):
                rib = {**seen.announced.get(peer, {}), **dict.fromkeys(prefixes, attributes)}
                self._seen = replace(seen, announced={**seen.announced, peer: rib})
            case Withdraw(peer, prefixes):
                kept = {p: a for p, a in seen.announced[peer].items() if p not in prefixes}
                self._seen = replace(seen, announced={**seen.announced, peer: kept})
            case Leave(peers, _):
                self.departed = {name: self._departed(name) for name in peers}
                self._forget(set(peers))
            case Configure(peers):
                wanted = {peer.name: peer for peer in peers}
                self._forget(set(seen.peers) - set(wanted))
                self._seen = replace(self._seen, peers=wanted)
            case Synced(peers):
                self._seen = replace(seen, synced=seen.synced | set(peers))

    def _departed(self, name: str) -> Departed:
        if name not in self.established:
            return Departed(None, None)
        return Departed(None if name in self.deaf else self.clock, self.clock + 1)

    def _forget(self, names: set[str]) -> None:
        seen = self._seen
        self._seen = replace(
            seen,
            peers={k: v for k, v in seen.peers.items() if k not in names},
            announced={k: v for k, v in seen.announced.items() if k not in names},
            synced=seen.synced - names,
        )

    def stop(self, *, graceful: bool, reason: str = "") -> None:
        self.stopped.append(graceful)
        self._seen = Observed(self._seen.generation)


class NotingEngine(FakeEngine):
    """Takes routes as the real adapter does (`exabgp.engine`): for measuring what a loop costs."""

    def perform(self, action: Action) -> None:
        if not isinstance(action, Announce | Withdraw):
            super().perform(action)
            return
        rib = self._seen.announced.get(action.peer, {})
        if isinstance(action, Announce):
            rib = {**rib, **dict.fromkeys(action.prefixes, action.attributes)}
        else:
            rib = view.less(rib, action.prefixes)
        self._seen = replace(self._seen, announced={**self._seen.announced, action.peer: rib})


class FakeSource:
    """Hands out `objects`, once there are any."""

    def __init__(self, objects: ClusterObjects | None) -> None:
        self.objects = objects
        self.sentences: tuple[str, ...] = ()
        self.answers = True

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def ready(self) -> bool:
        return self.objects is not None

    def observe(self) -> ClusterObjects:
        assert self.objects is not None
        return self.objects

    def problems(self) -> tuple[str, ...]:
        return self.sentences

    def trouble(self) -> str:
        return ""

    def last_look(self) -> tuple[bool, dict[str, Any] | None]:
        node = self.objects.node if self.objects else None
        return self.answers and self.objects is not None, dict(node) if node else None
