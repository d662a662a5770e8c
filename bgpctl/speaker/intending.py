"""What the node should run now: compiled from what was read, kept while it soaks, without what flaps."""

from __future__ import annotations

import time
from math import inf

from bgpctl.core.handover import ran
from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent
from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.damping import Memory, damp
from bgpctl.core.intent.gates import announced_before
from bgpctl.core.model import Intent
from bgpctl.core.policy.claim import NO_OWNER, Owner
from bgpctl.core.policy.nodeconfig import NodeConfig
from bgpctl.core.state import NodeState
from bgpctl.errors import Temporary
from bgpctl.ports import Engine
from bgpctl.speaker.apply import running
from bgpctl.speaker.leaving import Leaving
from bgpctl.speaker.readiness import Readiness
from bgpctl.speaker.settings import Settings

KEPT = "what the adopted engine announces is kept until that is solved"


class Intending:
    """`intent` is the last decision, None = there was none yet. `due`: in how many seconds an address is due
    that is held back, inf = none is."""

    def __init__(
        self, node: str, engine: Engine, leaving: Leaving, readiness: Readiness, settings: Settings
    ) -> None:
        self._node, self._engine, self._leaving = node, engine, leaving
        self._readiness, self._settings = readiness, settings
        self._memo = Memo()
        self._flaps: Memory = {}
        self._compiled: Intent | None = None  # what `intent` was before anything was held back
        self._before = NodeState(node)
        self.intent: Intent | None = None
        self.due = inf

    def remember(self, before: NodeState) -> None:
        """What an earlier process published."""
        self._before = before

    def intend(self, objects: ClusterObjects) -> Intent:
        """Decide anew. Raises Temporary while that cannot be told."""
        intent = self._soaked(objects)
        self._keep_while_undecided(intent)
        intent = self._damped(intent)
        self._leaving.follow(self.intent, intent, objects.node)
        self.intent = intent
        return intent

    @property
    def owner(self) -> Owner:
        """Until an intent tells, what was so before: a speaker that dies twice must not forget it."""
        before, intent = Owner(self._before.selected_by_kind, self._before.selected_by), self.intent
        if intent is None or (intent.undecided and before != NO_OWNER):
            return before
        return Owner(intent.config.kind if intent.config and intent.selected else "", intent.policy)

    @property
    def routes(self) -> int:
        """How many, to all peers; as `owner`: it tells the next run whether the node announced before."""
        if self.intent is None:
            return self._before.intended or 0
        return sum(len(routes) for routes in self.intent.routes.values())

    @property
    def ran(self) -> bool:
        """Did a process before this one do more than wait?"""
        return ran(self._before)

    def _soaked(self, objects: ClusterObjects) -> Intent:
        """What should run; while a leave soaks, what ran, with GRACEFUL_SHUTDOWN."""
        before = self._compiled
        intent = self._compile(before, objects)
        if leaving := self._leaving.soaks(intent, before, objects.node):
            intent = self._compile(before, objects, leaving)
        self._compiled = intent
        self._readiness.want(intent.waiting)
        return intent

    def _compile(
        self, before: Intent | None, objects: ClusterObjects, leaving: NodeConfig | None = None
    ) -> Intent:
        context = Context(
            source_address=self._settings.source_address,
            next_hops=self._settings.next_hops,
            owner=self.owner,
            opened=self._announced_before(),
            unconfirmed=self._readiness.unconfirmed,
            withdraw_without_endpoints=self._settings.withdraw_without_endpoints,
            leaving=leaving,
        )
        return compile_intent(objects, self._node, context, previous=before, memo=self._memo)

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

    def _damped(self, intent: Intent) -> Intent:
        """Flapping addresses are held back."""
        if not self._settings.damping:
            return intent
        found = damp(intent, self.intent, self._flaps, time.monotonic(), time.time())
        self._flaps, self.due = found.memory, found.due
        return found.intent
