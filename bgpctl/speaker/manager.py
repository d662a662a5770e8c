"""The speaker's loop: observe, compile, diff, apply, report. Woken by a bell that carries nothing.

    Starting ──synced──► Running ──deselected──► Withdrawn ──selected──► Running
                            │
                          SIGTERM ──► Stopped   (silent under graceful restart, else withdraw and Cease)

Nothing here handles "an event": every wake-up reads everything again, so a lost or doubled wake-up costs
nothing, and an engine that died is simply one to which nothing was announced yet.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bgpctl import __version__
from bgpctl.core import pacing
from bgpctl.core.diff import Action, Announce, Leave, diff
from bgpctl.core.intent import ClusterObjects, compile_intent
from bgpctl.core.model import Intent, IPAddress, Observed, Session
from bgpctl.core.nodestate import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord, describe_peer
from bgpctl.errors import BgpctlError
from bgpctl.speaker.source import Source

IDLE_SECONDS = 15.0  # the loop runs this often though no bell rings: a safety net, not a mechanism
RETRY_SECONDS = 0.5

log = logging.getLogger("bgpctl.speaker")


class EnginePort(Protocol):
    """What the manager needs of a BGP engine."""

    version: str
    restarts: int

    def start(self) -> None: ...
    def observed(self) -> Observed: ...
    def perform(self, action: Action) -> None: ...
    def stop(self, *, graceful: bool, reason: str = "") -> None: ...


@dataclass(slots=True)
class Counters:
    """What /metrics shows of the loop itself."""

    reconciles: int = 0
    reconcile_errors: int = 0
    reconcile_seconds: float = 0.0
    last_reconcile: float = 0.0

    def observe(self, seconds: float, *, failed: bool) -> None:
        self.reconciles += 1
        self.reconcile_errors += failed
        self.reconcile_seconds += seconds
        self.last_reconcile = time.time()


class Manager:
    """One node's speaker. One thread owns it; others only ring the bell."""

    def __init__(
        self,
        node: str,
        source: Source,
        engine: EnginePort,
        publish: Callable[[NodeState], None],
        *,
        bell: threading.Event,
        source_address: IPAddress | None = None,
        previous: NodeState | None = None,
        leave_reason: str = "node leaves service (bgpctl)",
    ) -> None:
        self._node, self._source, self._engine = node, source, engine
        self._publish, self._bell = publish, bell
        self._source_address, self._leave_reason = source_address, leave_reason
        self._stopping = threading.Event()
        self._started_at = time.time()
        self._last_release = 0.0
        self._sentence = ""
        self._error = ""
        self.intent: Intent | None = None
        self.withdrawn = previous.withdrawn if previous else None
        self.counters = Counters()
        self.state = NodeState(node, started_at=self._started_at, withdrawn=self.withdrawn)

    # -- the loop

    def run(self) -> None:
        """Until `stop`: wait for the bell, then one tick. Ends with the engine stopped."""
        wait = 0.0
        while not self._stopping.is_set():
            self._bell.wait(wait)
            self._bell.clear()
            wait = self.tick()
        self._shut_down()

    def stop(self) -> None:
        """End the loop (a restart, not a leave)."""
        self._stopping.set()
        self._bell.set()

    def tick(self) -> float:
        """One pass. Returns the seconds after which the next one is due though nothing rings."""
        if not self._source.ready():
            return RETRY_SECONDS
        began = time.monotonic()
        try:
            wait = self._reconcile()
            self._error = ""
        except BgpctlError as error:
            wait = RETRY_SECONDS
            self._note_error(error)
            self._report()
        self.counters.observe(time.monotonic() - began, failed=bool(self._error))
        return wait

    def _reconcile(self) -> float:
        objects = self._source.observe()
        self.intent = self._compile(objects)
        actions = diff(self.intent, self._running_engine(), self._leave_reason)
        wait = self._apply(actions)
        self._report()
        return wait

    def _compile(self, objects: ClusterObjects) -> Intent:
        return compile_intent(objects, self._node, source_address=self._source_address, previous=self.intent)

    def _running_engine(self) -> Observed:
        observed = self._engine.observed()
        if observed.running:
            return observed
        self._engine.start()
        return self._engine.observed()

    def _apply(self, actions: tuple[Action, ...]) -> float:
        now, held = pacing.release(actions, time.monotonic(), self._last_release)
        for action in now:
            if isinstance(action, Leave):
                self._leave(action)
            else:
                self._engine.perform(action)
        if any(isinstance(action, Announce) for action in now):
            self._last_release = time.monotonic()
        return held if held is not None else IDLE_SECONDS

    # -- leaving and stopping

    def _leave(self, action: Leave) -> None:
        """Withdraw, flush, Cease; then write down the proof, which outlives the drain."""
        seen, observed = time.time(), self._engine.observed()
        before = [_peer_state(name, observed, None) for name in action.peers if name in observed.peers]
        self._engine.perform(action)
        closed = time.time()
        if self.intent is not None and not self.intent.selected:
            peers = tuple(WithdrawnPeer(state, state.announced) for state in before)
            self.withdrawn = WithdrawnRecord(action.reason, seen, closed, closed, peers)

    def _shut_down(self) -> None:
        observed = self._engine.observed()
        ending = pacing.peers_to_leave_on_stop(observed)
        try:
            if ending:
                self._engine.perform(Leave(ending, "speaker stops (bgpctl)"))
        except BgpctlError as error:
            self._note_error(error)
        self._engine.stop(graceful=True)
        silent = len(observed.peers) - len(ending)
        log.info("speaker.stopped", extra={"closed_silently": silent, "closed_with_cease": len(ending)})
        self.state = replace(self.state, phase="Stopped", peers=(), announced=0)

    # -- reporting

    def _report(self) -> None:
        """One sentence when something changed, and the state for whoever asks."""
        self.state = self._describe()
        self._publish(self.state)
        sentence = _sentence(self.state)
        if sentence != self._sentence:
            log.info("speaker.reconciled", extra={"summary": sentence, "problems": list(self.state.problems)})
        self._sentence = sentence

    def _describe(self) -> NodeState:
        observed, intent = self._engine.observed(), self.intent or Intent(self._node)
        peers = tuple(_peer_state(name, observed, intent) for name in sorted(observed.peers))
        return NodeState(
            node=self._node,
            phase=self._phase(intent, observed),
            started_at=self._started_at,
            speaker_version=__version__,
            engine_version=self._engine.version,
            engine_restarts=self._engine.restarts,
            selected_by=intent.policy if intent.selected else "",
            policy_problem=_policy_problem(intent),
            problems=tuple(filter(None, (*intent.problems, *self._source.problems(), self._error))),
            intended=sum(len(routes) for routes in intent.routes.values()),
            announced=sum(peer.announced for peer in peers),
            peers=peers,
            withdrawn=self.withdrawn,
            absent=dict(Counter(absent.reason for absent in intent.absent)) or None,
        )

    def _phase(self, intent: Intent, observed: Observed) -> str:
        if intent.selected:
            synced = set(observed.peers) <= observed.synced
            return "Running" if observed.running and synced else "Starting"
        if observed.peers:
            return "Leaving"
        return "Withdrawn" if self.withdrawn else "Idle"

    def _note_error(self, error: BgpctlError) -> None:
        if error.message != self._error:
            log.warning("speaker.reconcile_error", extra={"error": error.message})
        self._error = error.message


def _peer_state(name: str, observed: Observed, intent: Intent | None) -> PeerState:
    session = observed.sessions.get(name) or Session(name)
    announced = len(observed.announced.get(name, {}))
    intended = len(intent.routes.get(name, {})) if intent else announced
    return describe_peer(observed.peers[name], session, intended, announced)


def _policy_problem(intent: Intent) -> str:
    return "the last good intent is kept: the policy is invalid" if intent.stale else ""


def _sentence(state: NodeState) -> str:
    return (
        f"{state.phase}: {state.announced}/{state.intended} routes announced, "
        f"{state.established}/{len(state.peers)} peers established"
    )
