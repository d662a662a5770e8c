"""The speaker's loop: observe, compile, diff, apply, report. Woken by a bell that carries nothing.

    Starting ──synced──► Running ──deselected──► Leaving ──► Withdrawn ──selected──► Starting …
                            │
                          SIGTERM ──► Stopped   a restart: silent under graceful restart, else withdraw and
                             │                  Cease; nothing where the engine stays, the next one adopts it
                             └──────► Withdrawn the node goes away (core/shutdown.py)

Where another BGP stack has the node it is Waiting instead of Starting (core/handover.py).

Nothing here handles "an event": every wake-up reads everything again, so a lost or doubled wake-up costs
nothing, and an engine that died is simply one to which nothing was announced yet.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from bgpctl.core.intent.diff import Action, Leave, diff
from bgpctl.core.model import Intent, Observed
from bgpctl.core.reading.documents import labels_of
from bgpctl.core.state import NodeState, WithdrawnRecord
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.ports import Engine, Source
from bgpctl.speaker import shutdown
from bgpctl.speaker.apply import Performer, running
from bgpctl.speaker.beside import Beside
from bgpctl.speaker.counters import Bell, Counters
from bgpctl.speaker.intending import Intending
from bgpctl.speaker.leaving import Leaving
from bgpctl.speaker.readiness import Readiness
from bgpctl.speaker.settings import DEFAULTS, Settings
from bgpctl.speaker.settling import Settling
from bgpctl.speaker.status.reporting import Reporting

IDLE_SECONDS = 15.0  # the loop runs this often though no bell rings: a safety net, not a mechanism
RETRY_SECONDS = 0.5
REST_SECONDS = 0.05  # the longest pause between two ticks though the bell rings

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
        beside: Beside | None = None,
    ) -> None:
        self._node, self._source, self._engine, self._bell = node, source, engine, bell
        self._beside = beside or Beside()
        uid = str(uuid.uuid4())
        self._leaving = Leaving(node, engine, settings, uid)
        self._settling = Settling(settings.settle)
        self._intending = Intending(node, engine, self._leaving, readiness or Readiness(), settings)
        parts = (self._intending, self._leaving, self._settling, self._beside)
        self._reporting = Reporting(node, source, engine, *parts, publish, unkept, uid)
        self.counters = Counters()
        self._performer = Performer(engine, self.counters, self._leave)
        self._recall: Callable[[], NodeState | None] | None = recall
        self._stopping = threading.Event()
        self._error = ""  # why the last pass failed, "" = it did not
        self._retry = RETRY_SECONDS  # then

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
    def state(self) -> NodeState:
        """What was told last."""
        return self._reporting.state

    @property
    def intent(self) -> Intent | None:
        """What should run, None = nothing was decided yet."""
        return self._intending.intent

    @property
    def withdrawn(self) -> WithdrawnRecord | None:
        """The record of the last leave."""
        return self._leaving.withdrawn

    @property
    def engine_trouble(self) -> str:
        """Why nothing may be taken for announced, "" = none; safe to ask from any thread."""
        return self._engine.trouble

    def tick(self) -> float:
        """One pass: observe, compile, diff, apply, report. Returns the seconds after which the next one is
        due though nothing rings."""
        self.counters.ticked_at = time.monotonic()
        if not self._may_begin():
            return RETRY_SECONDS
        if self._waits():
            return IDLE_SECONDS
        with self._measured():
            objects = self._source.observe()
            intent = self._intending.intend(objects)
            actions = self._diff(intent)
            self._performer.apply(actions)
        self._report()
        return self._due()

    def _diff(self, intent: Intent) -> tuple[Action, ...]:
        """What makes the engine run this; one that does not run is adopted or started."""
        observed = running(self._engine, intent)
        return diff(self._settling.hold(intent, observed), observed, self._leaving.reason)

    def _report(self) -> None:
        self._reporting.report(self._error)

    def _due(self) -> float:
        if self._error:
            return self._retry
        parts = (self._performer, self._intending, self._settling, self._leaving)
        return min(IDLE_SECONDS, *(part.due for part in parts))

    def _may_begin(self) -> bool:
        """Is there what a pass needs: what an earlier run published, and the first objects?"""
        if not self._remembers():
            return False  # not a word before that: it would overwrite the record
        if self._source.ready():
            return True
        self._bell.take_change()  # a start is no change: its routes were never late
        self._look()
        self._report()
        return False

    def _waits(self) -> bool:
        """Is the node left to another BGP stack? Never while there is anything that this would take away."""
        if not self._beside.looks:
            return False
        if self.intent is None:
            self._look()
        serves = bool(self._engine.observed().peers or self._intending.routes)
        node = self._source.observe().node or {}
        ran = self._intending.ran or self._leaving.withdrawn is not None
        self._beside.judge(labels_of(node), serves=serves, ran=ran)
        if self._beside.waits:
            self._bell.take_change()
            self._report()
        return bool(self._beside.waits)

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """One pass, measured; what it meets is told and tried again."""
        began = time.monotonic()
        changed = self._bell.take_change()
        if self.intent is not None:
            self._performer.changed(changed)
        try:
            yield
            self._error = ""
        except Exception as error:
            self._failed(error)
        self.counters.reconcile_errors += bool(self._error)
        self.counters.runs.observe(time.monotonic() - began)

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
            self._reporting.state = replace(
                self.state,
                phase=phase,
                peers=(),
                announced=0,
                withdrawn=self.withdrawn,
                unwithdrawn=self._leaving.unwithdrawn,
            )
        if end.leaves:
            self._reporting.state = replace(self.state, intended=0)  # the next start is a return to service
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
        for part in (self._intending, self._leaving):
            part.remember(before or NodeState(self._node))
        return True

    def _failed(self, error: Exception) -> None:
        """Told once, in the log by `_report`; a bug with its traceback. What runs goes on running."""
        if isinstance(error, BgpctlError):
            text = error.message
            wait = getattr(error, "retry_after", None) or RETRY_SECONDS
        else:
            text, wait = f"bug: {type(error).__name__}, see the speaker's log", IDLE_SECONDS
            if text != self._error:
                log.error("speaker.bug", exc_info=error)
        self._error, self._retry = text, min(wait, IDLE_SECONDS)
