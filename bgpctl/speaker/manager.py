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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from bgpctl import __version__
from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent, owner_problem
from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.damping import Memory, damp
from bgpctl.core.intent.diff import Leave, diff
from bgpctl.core.intent.gates import announced_before
from bgpctl.core.model import Intent, IPAddress, Observed
from bgpctl.core.policy.annotations import leave_name
from bgpctl.core.policy.nodeconfig import NodeConfig
from bgpctl.core.policy.owners import NO_OWNER, Owner
from bgpctl.core.reading.documents import annotations_of
from bgpctl.core.state import UNPROVED, NodeState, PeerState, WithdrawnRecord
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.speaker import shutdown
from bgpctl.speaker.apply import EnginePort, Performer
from bgpctl.speaker.counters import Bell, Counters
from bgpctl.speaker.graceful_shutdown import Soaking
from bgpctl.speaker.md5 import Silence
from bgpctl.speaker.readiness import Readiness
from bgpctl.speaker.settling import Settling
from bgpctl.speaker.sources import Source
from bgpctl.speaker.status.build import peer_state, record, sentence_of, troubles_of, unsent_routes

IDLE_SECONDS = 15.0  # the loop runs this often though no bell rings: a safety net, not a mechanism
RETRY_SECONDS = 0.5
REST_SECONDS = 0.05  # the longest pause between two ticks though the bell rings


KEPT = "what the adopted engine announces is kept until that is solved"

log = logging.getLogger("bgpctl.speaker")


class Manager:
    """One node's speaker. One thread owns it; others only ring the bell.

    `recall` reads the state that an earlier run published: its withdrawn record must outlive a restart.
    `booted_at`: when the machine was booted (epoch seconds), None = not known. `soak`: for how many seconds a
    leave announces the routes with GRACEFUL_SHUTDOWN before it withdraws them; the Node may say otherwise.
    `settle`: for how many seconds what a new session is made of must not have changed.
    """

    def __init__(
        self,
        node: str,
        source: Source,
        engine: EnginePort,
        publish: Callable[[NodeState], None],
        *,
        bell: Bell,
        source_address: IPAddress | None = None,
        next_hops: Sequence[IPAddress] = (),
        recall: Callable[[], NodeState | None] = lambda: None,
        leave_reason: str = "node leaves service (bgpctl)",
        booted_at: float | None = None,
        withdraw_without_endpoints: bool = False,
        damping: bool = True,
        soak: float = 0.0,
        settle: float = 0.0,
        readiness: Readiness | None = None,
    ) -> None:
        self._node, self._source, self._engine = node, source, engine
        self._publish, self._bell = publish, bell
        self._source_address, self._next_hops = source_address, next_hops
        self._leave_reason = leave_reason
        self._booted_at, self._withdraw_without_endpoints = booted_at, withdraw_without_endpoints
        self._memo = Memo()
        self._damping = damping
        self._readiness = readiness or Readiness()
        self._flaps: Memory = {}
        self._compiled: Intent | None = None  # what `intent` was before anything was held back
        self._soaking = Soaking(soak)
        self._settling = Settling(settle)
        self._recall: Callable[[], NodeState | None] | None = recall
        self._before = NodeState(node)
        self._stopping = threading.Event()
        self._started_at = time.time()
        self._sentence = ""
        self._error = ""
        self._unproved = False
        self._held: dict[str, PeerState] = {}  # the peers as they were last, until they are left
        self._leaves = False
        self._leave_seen = self._leave_answered = ""  # requests to leave, by core.policy.annotations.LEAVE
        self._told: frozenset[str] = frozenset()
        self._silence = Silence()
        self.intent: Intent | None = None
        self.withdrawn: WithdrawnRecord | None = None
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
        wait = self._reconcile()
        self._report()
        return wait

    def _reconcile(self) -> float:
        began = time.monotonic()
        changed = self._bell.take_change()
        if self.intent is not None:
            self._performer.changed(changed)
        try:
            objects = self._source.observe()
            intent = self._compile(objects)
            self._keep_while_undecided(intent)
            intent, due = self._damp(intent)
            self._adopt(intent, objects.node)
            observed = self._running_engine(intent)
            actions = diff(self._settling.hold(intent, observed), observed, self._leave_reason)
            wait = min(self._performer.apply(actions), due, self._settling.due, IDLE_SECONDS)
            if self._soaking.began is not None:
                wait = min(wait, self._soaking.left(self._engine.observed()) or wait)
            self._error = ""
        except Exception as error:
            wait = self._failed(error)
        self.counters.reconcile_errors += bool(self._error)
        self.counters.runs.observe(time.monotonic() - began)
        return wait

    def _compile(self, objects: ClusterObjects) -> Intent:
        """What should run; while a leave soaks, what ran, with GRACEFUL_SHUTDOWN."""
        before = self._compiled
        intent = self._compile_after(before, objects)
        self._soaking.configure(objects.node)
        if intent.selected or before is None or before.config is None:
            self._soaking.forget()
        elif self._soaking.left(self._engine.observed()):
            intent = self._compile_after(before, objects, before.config)
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
                source_address=self._source_address,
                next_hops=self._next_hops,
                owner=self._owner(),
                opened=self._announced_before(),
                unconfirmed=self._readiness.unconfirmed,
                withdraw_without_endpoints=self._withdraw_without_endpoints,
                leaving=leaving,
            ),
            previous=self._compiled,
            memo=self._memo,
        )

    def _damp(self, intent: Intent) -> tuple[Intent, float]:
        """Flapping addresses are held back; in how many seconds the next one is due (inf = none is)."""
        if not self._damping:
            return intent, inf
        damped = damp(intent, self.intent, self._flaps, time.monotonic(), time.time())
        self._flaps = damped.memory
        return damped.intent, damped.due

    def _announced_before(self) -> bool:
        """Only for the first intent: later ones know by themselves."""
        before = self._before
        return self.intent is None and announced_before(before.intended, before.heartbeat, self._booted_at)

    def _adopt(self, intent: Intent, node: Mapping[str, Any] | None) -> None:
        """A node that is deselected now has not withdrawn yet, whatever an earlier leave has proved. Which
        request to leave is seen changes with the intent only: a phase must not be taken for an answer that it
        is not."""
        before = self.intent
        if node is not None and not intent.undecided:
            self._leave_seen = leave_name(annotations_of(node))
        selected = before.selected if before else self._before.in_service
        if selected and not intent.selected and not intent.undecided:
            self.withdrawn = None
            self._unproved = bool(before and before.peers)
        if not intent.selected and not intent.undecided:
            self._unproved = self._unproved or bool(self._held)
        if before is None or selected or intent.selected:  # no longer once a leave has begun
            self._leave_answered = self._leave_seen
        if before is None and not intent.selected and self._before.phase == "Leaving":
            self._leave_answered = self._before.observed_leave
            self._recall_leave(intent)
        self._unproved = self._unproved and not intent.selected
        self.intent = intent

    def _running_engine(self, intent: Intent) -> Observed:
        observed = self._engine.observed()
        if observed.running:
            return observed
        self._engine.start(leaves=not (intent.selected or intent.undecided))
        return self._engine.observed()

    def _keep_while_undecided(self, intent: Intent) -> None:
        """A manager that cannot tell yet what should run changes nothing of what an engine announces that
        outlived the last one, who knew."""
        if self.intent is None and intent.undecided and self._running_engine(intent).peers:
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
        """Withdraw, flush, Cease; of a node that leaves write down the proof, which outlives the drain."""
        node_leaves = self._leaves or (self.intent is not None and not self.intent.selected)
        seen, observed = time.time(), self._engine.observed()
        if node_leaves:
            self.withdrawn = None
            self._report()  # a router that reads slowly makes this take seconds
        self._engine.perform(action)
        self._held = {name: peer for name, peer in self._held.items() if name not in action.peers}
        if node_leaves:
            before = [peer_state(name, observed, None) for name in action.peers if name in observed.peers]
            seen, shut_down_at = self._soaking.began or seen, self._soaking.out
            self.withdrawn = record(
                action.reason, seen, before, self._engine.departed, shut_down_at, self._leave_answered
            )
            self._unproved = False

    def _recall_leave(self, intent: Intent) -> None:
        """The speaker before us died while its node left. An engine that outlived it knows how that ended."""
        left, peers = self._running_engine(intent).peers, self._before.peers
        gone = self._engine.departed
        if peers and not left and all(peer.name in gone for peer in peers):
            answers = self._leave_answered
            self.withdrawn = record(self._leave_reason, time.time(), list(peers), gone, answers=answers)
            self._held, self._unproved = {}, False
            log.info("speaker.leave_recalled", extra={"peers": len(peers)})

    def _shut_down(self) -> None:
        """A node that goes away leaves; a speaker that is merely restarted does as little as it can."""
        running, end = len(self._engine.observed().peers), shutdown.decide(self.intent, self._source)
        self._leaves = end.leaves
        left = shutdown.shut_down(self._engine, end, self._leave)
        if end.leaves or not self._engine.stays:
            # What a released engine was told stays true; nobody refreshes it, so it becomes stale by itself.
            phase = "Withdrawn" if end.leaves and left else "Stopped"
            self.state = replace(
                self.state,
                phase=phase,
                peers=(),
                announced=0,
                withdrawn=self.withdrawn,
                unwithdrawn=tuple(self._held.values()),
            )
        if end.leaves:
            self.state = replace(self.state, intended=0)  # the next start is a return to service
        log.info(
            "speaker.stopped",
            extra={"leaves": end.leaves, "reason": end.reason, "peers": running, "left": len(left)},
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
        self.withdrawn, self._unproved = self._before.withdrawn, self._before.unproved
        self._held = {peer.name: peer for peer in self._before.holders}
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
        if peers:
            self._held = {peer.name: peer for peer in peers}
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
            announced=sum(peer.announced for peer in peers),
            peers=peers,
            withdrawn=self.withdrawn,
            unwithdrawn=() if peers else tuple(self._held.values()),
            absent=dict(Counter(absent.reason for absent in (*intent.absent, *unsent))) or None,
            observed_leave=self._leave_seen,
            soak=self._soaking.seconds,
            soak_until=self._soaking.until if observed.peers else None,
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
            return self._before.intended
        return sum(len(routes) for routes in self.intent.routes.values())

    def _problems(self, intent: Intent, observed: Observed) -> tuple[str, ...]:
        own = (UNPROVED if self._unproved and not observed.peers else "", self._engine.trouble, self._error)
        seen = (*troubles_of(observed), *self._silence.problems(intent, observed, time.monotonic()))
        return tuple(dict.fromkeys(filter(None, (*intent.problems, *self._source.problems(), *seen, *own))))

    def _phase(self, observed: Observed) -> str:
        if self._leaves:
            return "Leaving"
        if self.intent is None:
            return "Starting"
        if self.intent.selected:
            up = observed.running and set(observed.peers) <= observed.synced and not self._settling.held
            return "Running" if up and not self.intent.waiting else "Starting"
        unknown = self._unproved and self._engine.stays and self._engine.trouble
        if observed.peers or unknown:  # one that lives on without us may announce what it had
            return "Leaving"
        return "Withdrawn" if self.withdrawn else "Idle"

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
