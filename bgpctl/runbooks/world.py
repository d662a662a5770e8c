"""The world of a runbook on a real cluster: an Observer, a Performer, and what the run has of the node."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from bgpctl import providers
from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.errors import BgpctlError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.runbooks import objects
from bgpctl.runbooks.actions import Action, ChangeNode
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.events import Teller
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.journal import Journal, load
from bgpctl.runbooks.model import Decision
from bgpctl.runbooks.observe import Observer
from bgpctl.runbooks.perform import Performer
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import NodeView, Snapshot

REASON = 500  # characters of a run's last words that the journal keeps


@dataclass(slots=True)
class World:
    """One node of one cluster, seen and changed by one run. Instants are epoch seconds by the API server's
    clock (`Clock`); `monotonic` is for deadlines."""

    hold: Hold
    observer: Observer
    performer: Performer

    @property
    def last_journal(self) -> Journal | None:
        """The journal as it was when this run last saw it, also after it was removed."""
        return self.hold.last_journal

    def orphan(self) -> tuple[Journal, NodeView] | None:
        """The journal that only this run knows any more, with the Node as it is: both the annotation and the
        Lease with its copy are gone."""
        hold, last = self.hold, self.hold.last_journal
        with contextlib.suppress(BgpctlError):
            if hold.lock is None or last is None or lease.read(hold.client, hold.node) is not None:
                return None
            document = hold.client.get(paths.node(hold.node))
            if load(document["metadata"].get("annotations")) is None:
                return last, objects.node(document, hold.node)
        return None

    @property
    def _teller(self) -> Teller:
        return Teller(self.hold, self.performer.fence)

    @property
    def changed(self) -> bool:
        return self.hold.changed

    def now(self) -> float:
        return self.hold.clock.now()

    def monotonic(self) -> float:
        return self.hold.clock.monotonic()

    def wait(self, seconds: float) -> None:
        self.hold.clock.sleep(seconds)

    def close(self) -> None:
        if self.hold.lock:
            self.hold.lock.release()

    def observe(self, needs: frozenset[str]) -> Snapshot:
        code, tail = self.performer.command
        hands = self.performer
        return self.observer.look(
            needs,
            notes=dict(hands.notes),
            command_exit=code,
            command_tail=tail,
            restarted=hands.restarted,
            fenced=hands.fenced,
        )

    def perform(self, action: Action) -> bool:
        return self.performer.perform(action)

    def finish(self, step: str, decision: Decision, *, last: bool) -> None:
        """Write a step that was done into the journal, with what proved it: once, unless the proof is new.
        The last step is always written: under the version that it was decided on, so that what it says was
        true; also where somebody removed the journal while the shutdown command ran, after which no step
        before it is decided again. Raises Conflict when the world changed meanwhile."""
        if self.hold.released:
            return
        journal = load(self.hold.document["metadata"].get("annotations"), self.hold.node)
        journal = journal or self.hold.journal
        if journal is None and step == "Uncordoned" and self.hold.changed and self.hold.last_journal:
            self._teller.done(step, decision, self.hold.last_journal)  # it took the journal away
        if journal is None or (journal.finished(step) and not decision.evidence and not last):
            return
        done = journal.with_step(step, self.now(), decision.evidence)
        self.performer.change_node(ChangeNode(f"journal {step}", journal=done))
        self._teller.done(step, decision, done)

    def conclude(self, status: str, reason: str) -> None:
        """Write down why the run ended without having come to its end, if it has left anything. Best effort:
        a run that was replaced, or whose API server is away, is told by its Lease."""
        with contextlib.suppress(BgpctlError, KeyboardInterrupt):
            journal = self.observer.look(frozenset()).journal
            if journal is not None:
                ending = {"status": status, "reason": reason[:REASON], "at": round(self.now(), 3)}
                self.performer.change_node(
                    ChangeNode("journal the end", journal=replace(journal, ending=ending))
                )
                self._teller.stopped(status, reason, journal)


def build(
    client: Client,
    node: str,
    run: str,
    *,
    provider: Provider | None = None,
    timeout: float,
    routers: Routers,
    eviction: EvictionOptions | None = None,
    profile_of: Callable[[str], Profile] = lambda address: UNKNOWN_ROUTER,
    deselect_override: str | None = None,
    lifted: frozenset[str] = frozenset(),
    max_unavailable: int = 1,
    after: tuple[str, ...] = (),
    clock: Clock | None = None,
    background: bool = True,
) -> World:
    """The world of one run. `timeout` in seconds from now; `after`: as in DrainOptions;
    `background` False: nothing runs beside it."""
    clock = clock or Clock(client)
    client.ends = clock.monotonic() + timeout
    hold = Hold(client, node, run, lease.identity(run), clock, background)
    observer = Observer(
        hold,
        provider or providers.named(client, providers.DEFAULT),
        eviction or EvictionOptions(),
        routers,
        profile_of,
        deselect_override,
        lifted,
        max_unavailable,
        after,
    )
    return World(hold, observer, Performer(hold, until=clock.now() + timeout))
