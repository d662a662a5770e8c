"""The speaker's loop: observe, compile, diff, apply, report. Woken by a bell that carries nothing.

    Starting ──synced──► Running ──deselected──► Leaving ──► Withdrawn ──selected──► Starting …
                            │
                          SIGTERM ──► Stopped   a restart: silent under graceful restart, else withdraw and
                             │                  Cease; nothing where the engine stays, the next one adopts it
                             └──────► Withdrawn the node goes away (core/shutdown.py)

Nothing here handles "an event": every wake-up reads everything again, so a lost or doubled wake-up costs
nothing, and an engine that died is simply one to which nothing was announced yet.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf

from bgpctl import __version__
from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent, owner_problem
from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.damping import Memory, damp
from bgpctl.core.intent.diff import Leave, diff
from bgpctl.core.intent.gates import announced_before
from bgpctl.core.model import Intent, Observed
from bgpctl.core.policy.claim import NO_OWNER, Owner
from bgpctl.core.policy.nodeconfig import NodeConfig
from bgpctl.core.state import NodeState, WithdrawnRecord
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.ports import Engine, Source
from bgpctl.speaker import shutdown
from bgpctl.speaker.apply import Performer, running
from bgpctl.speaker.counters import Bell, Counters
from bgpctl.speaker.leaving import Leaving
from bgpctl.speaker.md5 import Silence
from bgpctl.speaker.readiness import Readiness
from bgpctl.speaker.settings import DEFAULTS, Settings
from bgpctl.speaker.settling import Settling
from bgpctl.speaker.status.build import peer_state, sentence_of, troubles_of, unsent_routes

IDLE_SECONDS = 15.0  # the loop runs this often though no bell rings: a safety net, not a mechanism
RETRY_SECONDS = 0.5
REST_SECONDS = 0.05  # the longest pause between two ticks though the bell rings


KEPT = "what the adopted engine announces is kept until that is solved"

log = logging.getLogger("bgpctl.speaker")


class Manager:
    """One node's speaker. One thread owns it; others only ring the bell.

    `recall` reads the state that an earlier run published: what is known of a leave must outlive a restart.
    `unkept`: a sentence about why that of this one will not, "" = it will.
    """

    def __init__(
        self,
        node: str,
        source: Source,
        engine: Engine,
        publish: Callable[[NodeState], None],
        settings: Settings = DEFAULTS,
        *,
        bell: Bell,
        recall: Callable[[], NodeState | None] = lambda: None,
        unkept: Callable[[], str] = lambda: "",
        readiness: Readiness | None = None,
    ) -> None:
        self._node, self._source, self._engine = node, source, engine
        self._publish, self._bell, self._settings = publish, bell, settings
        self._unkept = unkept
        self._readiness = readiness or Readiness()
        self._leaving = Leaving(node, engine, settings)
        self._settling = Settling(settings.settle)
        self._silence = Silence()
        self._memo = Memo()
        self._flaps: Memory = {}
        self._compiled: Intent | None = None  # what `intent` was before anything was held back
        self._recall: Callable[[], NodeState | None] | None = recall
        self._before = NodeState(node)
        self._stopping = threading.Event()
        self._started_at = time.time()
        self._sentence = self._error = ""
        self._told: frozenset[str] = frozenset()
        self.intent: Intent | None = None
        self.counters = Counters()
        self._performer = Performer(engine, self.counters, self._leave)
        self.state = NodeState(node, started_at=self._started_at)

    # -- the loop

    def run(self) -> None:
        """Until `stop`: wait for the bell, then one tick. Ends with the engine stopped, whatever happens."""
        wait = 0.0
        try:
            while not self._stopping.is_set():
                self._bell.wait(wait)
                self._bell.clear()
                began = time.monotonic()
                wait = self.tick()
                # A storm of changes may have half of a core: what rings meanwhile is one tick's work.
                self._stopping.wait(min(time.monotonic() - began, REST_SECONDS))
        finally:
            self._shut_down()

    def stop(self) -> None:
        """End the loop; whether the node leaves with it is decided then."""
        self._stopping.set()
        self._bell.set()

    def observed(self) -> Observed:
        """What the engine runs now; safe to ask from any thread."""
        return self._engine.observed()

    @property
    def withdrawn(self) -> WithdrawnRecord | None:
        """The record of the last leave."""
        return self._leaving.withdrawn

    @property
    def engine_trouble(self) -> str:
        """Why nothing may be taken for announced, "" = none; safe to ask from any thread."""
        return self._engine.trouble

    def tick(self) -> float:
        """One pass. Returns the seconds after which the next one is due though nothing rings."""
        self.counters.ticked_at = time.monotonic()
        if not self._remembers():
            return RETRY_SECONDS  # not a word before that: it would overwrite the record
        if not self._source.ready():
            self._bell.take_change()  # a start is no change: its routes were never late
            self._look()
            self._report()
            return RETRY_SECONDS
        wait = self._timed()
        self._report()
        return wait

    def _timed(self) -> float:
        """One reconciliation, measured; what it meets is told and tried again."""
        began = time.monotonic()
        changed = self._bell.take_change()
        if self.intent is not None:
            self._performer.changed(changed)
        try:
            wait, self._error = self._reconcile(), ""
        except Exception as error:
            wait = self._failed(error)
        self.counters.reconcile_errors += bool(self._error)
        self.counters.runs.observe(time.monotonic() - began)
        return wait

    def _reconcile(self) -> float:
        """Observe, compile, diff, apply; the report comes after it, whatever it raises."""
        objects = self._source.observe()
        intent, due = self._intend(objects)
        observed = running(self._engine, intent)
        actions = diff(self._settling.hold(intent, observed), observed, self._settings.leave_reason)
        done = self._performer.apply(actions)
        return min(done, due, self._settling.due, self._leaving.due, IDLE_SECONDS)

    # -- what should run

    def _intend(self, objects: ClusterObjects) -> tuple[Intent, float]:
        """What the node should run now; in how many seconds an address is due that is held back (inf = none
        is)."""
        intent = self._compile(objects)
        self._keep_while_undecided(intent)
        intent, due = self._damp(intent)
        self._leaving.follow(self.intent, intent, objects.node)
        self.intent = intent
        return intent, due

    def _compile(self, objects: ClusterObjects) -> Intent:
        """What should run; while a leave soaks, what ran, with GRACEFUL_SHUTDOWN."""
        before = self._compiled
        intent = self._compile_after(before, objects)
        if leaving := self._leaving.soaks(intent, before, objects.node):
            intent = self._compile_after(before, objects, leaving)
        self._compiled = intent
        self._readiness.want(intent.waiting)
        return intent

    def _compile_after(
        self, before: Intent | None, objects: ClusterObjects, leaving: NodeConfig | None = None
    ) -> Intent:
        return compile_intent(
            objects,
            self._node,
            Context(
                source_address=self._settings.source_address,
                next_hops=self._settings.next_hops,
                owner=self._owner(),
                opened=self._announced_before(),
                unconfirmed=self._readiness.unconfirmed,
                withdraw_without_endpoints=self._settings.withdraw_without_endpoints,
                leaving=leaving,
            ),
            previous=before,
            memo=self._memo,
        )

    def _damp(self, intent: Intent) -> tuple[Intent, float]:
        """Flapping addresses are held back; in how many seconds the next one is due (inf = none is)."""
        if not self._settings.damping:
            return intent, inf
        damped = damp(intent, self.intent, self._flaps, time.monotonic(), time.time())
        self._flaps = damped.memory
        return damped.intent, damped.due

    def _announced_before(self) -> bool:
        """Only for the first intent: later ones know by themselves."""
        before = self._before
        return self.intent is None and announced_before(
            before.intended or 0, before.heartbeat, self._settings.booted_at
        )

    def _keep_while_undecided(self, intent: Intent) -> None:
        """A manager that cannot tell yet what should run changes nothing of what an engine announces that
        outlived the last one, who knew."""
        if self.intent is None and intent.undecided and running(self._engine, intent).peers:
            raise Temporary("; ".join((*intent.problems, KEPT)))

    def _look(self) -> None:
        """Tell what an engine that outlived its manager runs, before anything is known that it should run."""
        try:
            self._engine.adopt()
            self._error = ""
        except BgpctlError as error:
            self._failed(error)

    # -- leaving and stopping

    def _leave(self, action: Leave) -> None:
        """Of the node, or of peers that go while it stays and when its speaker restarts."""
        if self._leaving.with_speaker or (self.intent is not None and not self.intent.selected):
            self._leaving.leave_service(action, self._report)
        else:
            self._leaving.perform(action)

    def _shut_down(self) -> None:
        """A node that goes away leaves; a speaker that is merely restarted does as little as it can."""
        peers, end = len(self._engine.observed().peers), shutdown.decide(self.intent, self._source)
        self._leaving.with_speaker = end.leaves
        self._leaving.look()
        left = shutdown.shut_down(self._engine, end, self._leave)
        if end.leaves or not self._engine.stays:
            # What a released engine was told stays true; nobody refreshes it, so it becomes stale by itself.
            phase = "Withdrawn" if end.leaves and left else "Stopped"
            self._leaving.watch(())  # what is up in here ended with the engine
            self.state = replace(
                self.state,
                phase=phase,
                peers=(),
                announced=0,
                withdrawn=self.withdrawn,
                unwithdrawn=self._leaving.unwithdrawn,
            )
        if end.leaves:
            self.state = replace(self.state, intended=0)  # the next start is a return to service
        log.info(
            "speaker.stopped",
            extra={"leaves": end.leaves, "reason": end.reason, "peers": peers, "left": len(left)},
        )

    # -- memory

    def _remembers(self) -> bool:
        """What an earlier run published is known, once. False = not yet, the API server is away."""
        if self._recall is None:
            return True
        try:
            before = self._recall()
        except Temporary as error:
            self._failed(error)
            return False
        except BgpctlError as error:
            log.warning("speaker.state_unreadable", extra={"error": error.message})
            before = None
        self._recall = None
        self._before = before or self._before
        self._leaving.remember(self._before)
        return True

    # -- reporting

    def _report(self) -> None:
        """One sentence when something changed, and the state for whoever asks."""
        self.state = self._describe()
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

    def _describe(self) -> NodeState:
        observed, intent = self._engine.observed(), self.intent or Intent(self._node)
        owner, unsent = self._owner(), unsent_routes(intent, observed)
        peers = tuple(peer_state(name, observed, self.intent) for name in sorted(observed.peers))
        self._leaving.watch(peers)
        return NodeState(
            node=self._node,
            phase=self._phase(observed),
            started_at=self._started_at,
            speaker_version=__version__,
            engine_version=self._engine.version,
            engine_restarts=self._engine.restarts,
            engine_mode=self._engine.mode,
            selected_by=owner.name,
            selected_by_kind=owner.kind,
            policy_problem=owner_problem(intent),
            problems=self._problems(intent, observed),
            intended=self._intended() - len(unsent),
            announced=sum(peer.announced or 0 for peer in peers),
            peers=peers,
            withdrawn=self.withdrawn,
            unwithdrawn=self._leaving.unwithdrawn,
            absent=dict(Counter(absent.reason for absent in (*intent.absent, *unsent))) or None,
            observed_leave=self._leaving.seen,
            soak=self._leaving.soak.seconds,
            soak_until=self._leaving.soak.until if observed.peers else None,
        )

    def _owner(self) -> Owner:
        """Until an intent tells, what was so before: a speaker that dies twice must not forget it."""
        before, intent = Owner(self._before.selected_by_kind, self._before.selected_by), self.intent
        if intent is None or (intent.undecided and before != NO_OWNER):
            return before
        return Owner(intent.config.kind if intent.config and intent.selected else "", intent.policy)

    def _intended(self) -> int:
        """As `_owner`: it tells the next run whether the node announced before."""
        if self.intent is None:
            return self._before.intended or 0
        return sum(len(routes) for routes in self.intent.routes.values())

    def _problems(self, intent: Intent, observed: Observed) -> tuple[str, ...]:
        own = (self._leaving.problem, self._engine.trouble, self._error, self._unkept())
        seen = (*troubles_of(observed), *self._silence.problems(intent, observed, time.monotonic()))
        return tuple(dict.fromkeys(filter(None, (*intent.problems, *self._source.problems(), *seen, *own))))

    def _phase(self, observed: Observed) -> str:
        if self._leaving.with_speaker:
            return "Leaving"
        if self.intent is None:
            return "Starting"
        if self.intent.selected:
            up = observed.running and set(observed.peers) <= observed.synced and not self._settling.held
            return "Running" if up and not self.intent.waiting else "Starting"
        return self._leaving.phase

    def _failed(self, error: Exception) -> float:
        """Told once, in the log by `_report`; a bug with its traceback. Returns the seconds until the next
        try. What runs goes on running."""
        if isinstance(error, BgpctlError):
            text = error.message
            wait = getattr(error, "retry_after", None) or RETRY_SECONDS
        else:
            text, wait = f"bug: {type(error).__name__}, see the speaker's log", IDLE_SECONDS
            if text != self._error:
                log.error("speaker.bug", exc_info=error)
        self._error = text
        return min(wait, IDLE_SECONDS)
