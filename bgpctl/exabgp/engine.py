"""The BGP engine as the speaker sees it: adopt or start, observe, perform an action, release or stop.

Nothing counts as announced before the process acknowledged it, and nothing that an earlier process was told
counts at all: one that dies leaves an `Observed` without peers, from which the manager's diff rebuilds
everything. One that outlived its speaker is asked what it runs, and the diff goes on from there. What the
view says holds only while somebody reads the process: `trouble` looks at thread, process and answers
themselves.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bgpctl import __version__
from bgpctl.core.intent.diff import Action, Announce, Configure, Leave, Synced, Withdraw
from bgpctl.core.model import Attributes, IPNetwork, Observed, Peer, Session
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.exabgp import control, inventory, link, view, wire
from bgpctl.exabgp.events import interrupted, sessions_in
from bgpctl.exabgp.link import Line
from bgpctl.exabgp.process import EngineProcess
from bgpctl.ports import Mode

CHUNK = 5000
"""Prefixes per request: 90 ms of the child's time at most, and a tenth of ExaBGP's limit for a line."""

LEAVE_SECONDS = 10.0
"""The child gives up on a router after 4 s; this only bounds a child that does not answer."""

CONFIG_RETRY_SECONDS = 5.0

REPLACED_REASON = "engine is replaced (bgpctl)"

HELLO_SECONDS = 10.0
"""For an engine that was found to say who it is; longer, and it hangs."""

BACKOFF = (0.2, 5.0)
HEALTHY_SECONDS = 10.0
KEEPS_DYING = 3
"""Ends in a row, none after HEALTHY_SECONDS of life: from here on one that is up again is no good news
yet."""


class Pause(Temporary):
    """An engine died a moment ago; the next one may be started in `retry_after` seconds."""


class Engine:
    """One ExaBGP process. `ring` is called without payload, from another thread, on every change."""

    def __init__(
        self,
        directory: Path,
        *,
        ring: Callable[[], None],
        log: logging.Logger | None = None,
        mode: Mode = Mode.OWN,
        claim: str = "",
    ) -> None:
        """`directory` becomes private to the engine (0700). `claim`: the name under which its process is the
        only one (claim.py), "" = there may be others."""
        self.version = f"exabgp {version('exabgp')}"
        self.restarts = 0
        self.departed: Mapping[str, view.Departed] = {}
        self._fault = ""
        self.mode = mode
        self._claim = claim
        self._directory, self._ring = directory, ring
        self._log = log or logging.getLogger("bgpctl.exabgp")
        self._lock = threading.Lock()
        self._performing = threading.RLock()
        self._child: EngineProcess | None = None
        self._seen = Observed()
        self._flaps: dict[str, int] = {}
        self._started_at = self._not_before = 0.0
        self._deaths = 0
        self._failure = ""  # why there is no engine although one was wanted
        self._foreign = ""

    # -- the interface

    @property
    def stays(self) -> bool:
        """Does the process go on when this speaker ends?"""
        return self.mode is not Mode.OWN

    def adopt(self) -> bool:
        """Take over the engine that runs already, and touch nothing. False when there is none that we may or
        can have; Temporary when there is one that does not answer, or that another speaker has."""
        with self._performing, self._directory_errors():
            return self._seen.running or (self.stays and self._adopt())

    def start(self, *, leaves: bool = False) -> None:
        """Adopt an engine, or run one. Returns when it takes actions; Temporary when it does not come up,
        when an earlier one died a moment ago (`retry_after`), or when it is not ours to start. `leaves`: the
        node is out of service. Then one that outlived its speaker is adopted whatever our mode, so that it
        can leave, and told to leave where it cannot be."""
        try:
            with self._performing, self._directory_errors():
                self._start(leaves)
        except Pause:
            raise
        except Exception as error:
            self._failure = str(error)
            raise
        self._failure = ""

    def _start(self, leaves: bool) -> None:
        self._foreign = ""
        try:
            if self._seen.running or ((self.stays or leaves) and self._adopt()):
                return
        except link.Late as error:
            if self.mode is Mode.EXTERNAL:
                raise
            self._log.warning("engine.hangs", extra={"error": error.message})
        if self.mode is Mode.EXTERNAL:
            raise self._not_ours()
        wait = self._not_before - time.monotonic()
        if wait > 0:
            raise Pause("the BGP engine stopped; it is started again shortly", retry_after=wait)
        if control.end(self._directory, leave=leaves, reason=REPLACED_REASON):
            self._log.warning("engine.replaced", extra={"version": self._foreign or __version__})
        self._spawn()

    def observed(self) -> Observed:
        """From memory, at once. Every configured peer has a session in it; of an engine that does not answer,
        in a state that is unknown."""
        child = self._child
        if child is not None and not child.owned:
            self._lost(child)
        seen = self._seen
        sessions = {name: seen.sessions.get(name) or Session(name) for name in seen.peers}
        seen = replace(seen, sessions=sessions)
        return view.unanswered(seen) if child is not None and child.silent else seen

    @property
    def trouble(self) -> str:
        """Why nothing may be taken for announced, in words, whatever was last seen; "" = it runs and answers,
        or none was wanted yet. From any thread, at once."""
        child = self._child
        if child is None or not self._seen.running:
            return self._failure
        shaky = self._deaths >= KEEPS_DYING and time.monotonic() - self._started_at < HEALTHY_SECONDS
        again = f"the BGP engine stopped {self._deaths} times in a row and has just been started again"
        return child.trouble() or (again if shaky else "")

    def perform(self, action: Action) -> None:
        """Carry one action out and remember it as the child acknowledged it. Raises Temporary otherwise;
        performing it again is harmless."""
        with self._performing:
            running = self._child
            if running is None or not self._seen.running:
                raise Temporary("the BGP engine is not running")
            match action:
                case Withdraw(peer, prefixes):
                    self._withdraw(running, peer, prefixes)
                case Announce(peer, attributes, prefixes):
                    self._announce(running, peer, attributes, prefixes)
                case Leave(peers, reason):
                    self._leave(running, peers, reason)
                case Configure(peers):
                    self._configure(running, peers)
                case Synced(peers):
                    running.request("synced", peers=list(peers))
                    self._update(lambda seen: replace(seen, synced=seen.synced | set(peers)))

    def release(self) -> None:
        """End our part and leave the process alone: it keeps its sessions and announces what it has."""
        with self._performing:
            running, self._child = self._child, None
            if running is not None:
                running.release()
            self._failure = ""
            self._update(lambda seen: Observed(seen.generation))

    def stop(self, *, graceful: bool, reason: str = "") -> None:
        """End the process. `graceful`: close the sessions without a word where routers with graceful restart
        keep forwarding; otherwise leave every peer first. Nothing is left on disk."""
        with self._performing:
            running = self._child
            if running is not None:
                if not graceful and self._seen.running and self._seen.peers:
                    with contextlib.suppress(Temporary):
                        self._leave(running, tuple(self._seen.peers), reason or Leave(()).reason)
                self._child = None
                running.terminate()
            self._failure = ""
            self._update(lambda seen: Observed(seen.generation))
            control.clean(self._directory)

    # -- actions

    def _announce(
        self, running: EngineProcess, peer: str, attributes: Attributes, prefixes: Sequence[IPNetwork]
    ) -> None:
        body = inventory.attributes_document(attributes)
        for chunk in wire.chunks(prefixes, CHUNK):
            running.request("announce", peer=peer, attributes=body, prefixes=wire.pack_prefixes(chunk))
            self._set_rib(peer, lambda rib, new=chunk: {**rib, **dict.fromkeys(new, attributes)})  # type: ignore[misc]

    def _withdraw(self, running: EngineProcess, peer: str, prefixes: Sequence[IPNetwork]) -> None:
        for chunk in wire.chunks(prefixes, CHUNK):
            running.request("withdraw", peer=peer, prefixes=wire.pack_prefixes(chunk))
            self._set_rib(peer, lambda rib, gone=chunk: view.less(rib, gone))  # type: ignore[misc]

    def _leave(self, running: EngineProcess, peers: Sequence[str], reason: str) -> None:
        answer = running.request("leave", LEAVE_SECONDS, peers=list(peers), reason=reason)
        self.departed = view.departed(Foreign(answer).child("peers"))
        self._update(lambda seen: view.without(seen, set(peers)))

    def _configure(self, running: EngineProcess, peers: Sequence[Peer]) -> None:
        try:
            control.write_config(self._directory, peers)
        except OSError as error:
            text = f"peers cannot be changed: the BGP engine's configuration is not written: {error.strerror}"
            raise Temporary(text, retry_after=CONFIG_RETRY_SECONDS) from error
        definitions = {peer.name: inventory.definition(peer) for peer in peers}
        answer = running.request("configure", definitions=definitions, flaps=self._flaps)
        fresh = set(Foreign(answer).texts("fresh"))
        wanted = {peer.name: peer for peer in peers}
        self._flaps = {}  # the process counts on from them

        def configured(seen: Observed) -> Observed:
            kept = view.without(seen, (set(seen.peers) - set(wanted)) | fresh)
            return replace(kept, peers=wanted)

        self._update(configured)

    def _set_rib(self, peer: str, change: Callable[[view.RIB], view.RIB]) -> None:
        self._update(
            lambda seen: replace(
                seen, announced={**seen.announced, peer: change(seen.announced.get(peer, {}))}
            )
        )

    # -- the process

    def _adopt(self) -> bool:
        try:
            connection = link.connect(self._directory)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        began, found = time.monotonic(), self._process(connection=connection)
        seen = None
        try:
            found.start()
            seen = self._read(found)
            if seen is not None:
                self._take_over(found, seen, began)
        finally:
            if self._child is not found:
                found.release()
        return seen is not None

    def _read(self, found: EngineProcess) -> Observed | None:
        """What it runs; None when it speaks another version of our protocol."""
        hello = found.request("hello", HELLO_SECONDS)
        try:
            if hello["protocol"] != wire.PROTOCOL:
                self._foreign = str(hello.get("version"))
                return None
            self._claimed_by(found)
            stock = found.request("inventory")
            self.departed = view.departed(Foreign.of(stock).child("departed"))
            return inventory.adopted(hello["generation"], stock, _groups(found))
        except (KeyError, Unreadable) as error:
            raise Temporary(f"the BGP engine's inventory makes no sense: {error}") from error

    def _take_over(self, found: EngineProcess, seen: Observed, began: float) -> None:
        self._child, self._started_at, self._flaps = found, began, {}
        self.restarts = seen.generation - 1
        self._update(lambda _: seen)
        try:
            self._on_line(found.request("state"))
        except Temporary:
            self._child = None
            self._update(lambda seen: Observed(seen.generation))
            raise
        facts = {
            "pid": found.pid,
            "generation": seen.generation,
            "peers": len(seen.peers),
            "routes": sum(map(len, seen.announced.values())),
            "seconds": round(time.monotonic() - began, 3),
        }
        self._log.info("engine.adopted", extra=facts)
        self._ring()

    def _spawn(self) -> None:
        control.prepare(self._directory)
        own = self.mode is Mode.OWN
        generation = self._seen.generation + 1 if own else control.next_generation(self._directory)
        spawned = self._process(generation=generation)
        self._child, self._started_at = spawned, time.monotonic()
        spawned.start()
        try:
            self._claimed_by(spawned)
        except Temporary:
            spawned.kill()
            raise
        self.restarts = generation - 1
        self._update(lambda seen: replace(seen, generation=generation, running=True))
        if self._child is not spawned:  # it died in between, and its exit was counted before this
            self._update(lambda seen: replace(seen, running=False))
            raise Temporary("the BGP engine stopped right after its start")
        self._log.info("engine.started", extra={"pid": spawned.pid, "generation": generation})
        self._ring()

    def _claimed_by(self, process: EngineProcess) -> None:
        """Before it has a peer. Raises Temporary when another engine of this node runs."""
        if self._claim:
            process.request("claim", name=self._claim)

    def _process(self, *, generation: int = 0, connection: socket.socket | None = None) -> EngineProcess:
        return EngineProcess(
            self._directory,
            self._on_line,
            self._on_exit,
            self._ring,
            self._log,
            lasting=self.stays,
            generation=generation,
            connection=connection,
        )

    def _not_ours(self) -> Temporary:
        if self._foreign:
            return Temporary(
                f"the BGP engine in {self._directory} is of bgpctl {self._foreign}, which cannot be adopted",
                "what it announces stays; restart it with this version",
            )
        return Temporary(
            f"no BGP engine runs in {self._directory}", "`bgpctl speaker engine run` starts one, elsewhere"
        )

    @contextlib.contextmanager
    def _directory_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "it must be a directory that we may make private"
            raise BgpctlError(f"the BGP engine cannot use {self._directory}: {error}", hint) from error

    def _on_line(self, line: Line) -> None:
        told, fault = sessions_in(line)
        if fault and fault != self._fault:
            self._log.warning("engine.event_unreadable", extra={"error": fault})
        self._fault = fault or self._fault
        flaps = self._flaps
        sessions = {one.peer: replace(one, flaps=one.flaps + flaps.get(one.peer, 0)) for one in told}
        before = self._seen.sessions
        if any(before.get(name) != session for name, session in sessions.items()):
            self._update(lambda seen: replace(seen, sessions={**seen.sessions, **sessions}))
            self._ring()

    def _on_exit(self, exited: EngineProcess, reason: str) -> None:
        with self._lock:
            if self._child is not exited:
                return
            self._child = None
        now = time.time()
        if time.monotonic() - self._started_at > HEALTHY_SECONDS:
            self._deaths = 0
        self._not_before = time.monotonic() + min(BACKOFF[0] * 2.0 ** min(self._deaths, 10), BACKOFF[1])
        self._deaths += 1
        self._failure = reason
        gone = {name: interrupted(session, now, reason) for name, session in self._seen.sessions.items()}
        self._flaps = {name: session.flaps for name, session in gone.items()}
        self._update(lambda seen: Observed(seen.generation, False, sessions=gone))
        self._log.warning("engine.died", extra={"reason": reason})
        self._ring()

    def _lost(self, child: EngineProcess) -> None:
        """Its thread ended without a word, and the kernel ended our own process with it."""
        self._on_exit(child, "the thread that owns the BGP engine is gone")
        child.abandon()

    def _update(self, change: Callable[[Observed], Observed]) -> None:
        """The view is one immutable value, replaced under the lock and read without it."""
        with self._lock:
            self._seen = change(self._seen)


def _groups(found: EngineProcess) -> Iterator[Mapping[str, Any]]:
    """Every route of an engine, asked for piece by piece."""
    while groups := found.request("routes")["groups"]:
        yield from groups
