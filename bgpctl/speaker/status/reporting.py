"""What the loop says of itself after each pass: the state for whoever asks, a sentence for the log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from bgpctl import __version__
from bgpctl.core.intent.compile import owner_problem
from bgpctl.core.model import Intent, Observed
from bgpctl.core.state import NodeState
from bgpctl.kube.clock import steady
from bgpctl.ports import Engine, Source
from bgpctl.speaker.beside import Beside
from bgpctl.speaker.intending import Intending
from bgpctl.speaker.leaving import Leaving
from bgpctl.speaker.md5 import Silence
from bgpctl.speaker.settling import Settling
from bgpctl.speaker.status.build import peer_state, sentence_of, troubles_of, unsent_routes

log = logging.getLogger("bgpctl.speaker")
SET_SECONDS = 1.0  # by less a clock is slewed, not set


class Reporting:
    """Of one node; `state` is what was said last. `publish` takes it to others; `unkept`: a sentence about
    why the next speaker will not know it, "" = it will. `uid`: this process."""

    def __init__(
        self,
        node: str,
        source: Source,
        engine: Engine,
        intending: Intending,
        leaving: Leaving,
        settling: Settling,
        beside: Beside,
        publish: Callable[[NodeState], None],
        unkept: Callable[[], str],
        uid: str,
    ) -> None:
        self._uid = uid
        self._node, self._source, self._engine = node, source, engine
        self._intending, self._leaving, self._settling = intending, leaving, settling
        self._beside = beside
        self._publish, self._unkept = publish, unkept
        self._silence = Silence()
        self._began, self._started_at = steady(), time.time()
        self._sentence = ""
        self._told: frozenset[str] = frozenset()
        self.state = NodeState(node, started_at=self._started_at, uid=uid)

    def report(self, error: str) -> None:
        """One sentence when something changed, and the state. `error`: what keeps the loop from its work."""
        self.state = self._describe(error)
        self._publish(self.state)
        problems = frozenset(self.state.problems)
        for problem in sorted(problems - self._told):
            log.warning("speaker.problem", extra={"problem": problem})
        for problem in sorted(self._told - problems):
            log.info("speaker.problem_solved", extra={"problem": problem})
        sentence = sentence_of(self.state)
        if sentence != self._sentence:
            log.info("speaker.reconciled", extra={"summary": sentence})
        self._told, self._sentence = problems, sentence

    def _describe(self, error: str) -> NodeState:
        observed, decided = self._engine.observed(), self._intending.intent
        intent, owner = decided or Intent(self._node), self._intending.owner
        unsent = unsent_routes(intent, observed)
        peers = tuple(peer_state(name, observed, decided) for name in sorted(observed.peers))
        self._leaving.watch(peers)
        return NodeState(
            node=self._node,
            phase=self._phase(observed),
            started_at=self._start(),
            uid=self._uid,
            speaker_version=__version__,
            engine_version=self._engine.version,
            engine_restarts=self._engine.restarts,
            engine_mode=self._engine.mode,
            selected_by=owner.name,
            selected_by_kind=owner.kind,
            policy_problem=owner_problem(intent),
            problems=self._problems(intent, observed, error),
            intended=self._intending.routes - len(unsent),
            announced=sum(peer.announced or 0 for peer in peers),
            peers=peers,
            withdrawn=self._leaving.withdrawn,
            unwithdrawn=self._leaving.unwithdrawn,
            absent=dict(Counter(absent.reason for absent in (*intent.absent, *unsent))) or None,
            observed_leave=self._leaving.seen,
            soak=self._leaving.soak.seconds,
            soak_until=self._leaving.soak.until if observed.peers else None,
        )

    def _start(self) -> float:
        """When this process began, by the clock as it is now: a node may boot without the time."""
        began = time.time() - (steady() - self._began)
        if abs(began - self._started_at) > SET_SECONDS:
            self._started_at = began
        return self._started_at

    def _problems(self, intent: Intent, observed: Observed, error: str) -> tuple[str, ...]:
        own = (self._leaving.problem, self._engine.trouble, error, self._unkept(), self._beside.told)
        seen = (*troubles_of(observed), *self._silence.problems(intent, observed, time.monotonic()))
        return tuple(dict.fromkeys(filter(None, (*own, *intent.problems, *self._source.problems(), *seen))))

    def _phase(self, observed: Observed) -> str:
        if self._leaving.with_speaker:
            return "Leaving"
        intent = self._intending.intent
        if self._beside.waits and self._beside.told:
            return "Waiting"
        if intent is None:
            return "Starting"
        if intent.selected:
            up = observed.running and set(observed.peers) <= observed.synced and not self._settling.held
            return "Running" if up and not intent.waiting else "Starting"
        return self._leaving.phase
