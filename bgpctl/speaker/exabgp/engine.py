"""The BGP engine as the speaker sees it: start, observe, perform an action, stop. Keeps the child's books.

Nothing counts as announced before the child acknowledged it, and nothing that an earlier child was told
counts at all: a child that dies leaves an `Observed` without peers, from which the manager's diff rebuilds
everything.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bgpctl.core.diff import Action, Announce, Configure, Leave, Synced, Withdraw
from bgpctl.core.model import Attributes, IPNetwork, Observed, Peer, Session
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.speaker.exabgp import child, relay, wire
from bgpctl.speaker.exabgp.config import render_config
from bgpctl.speaker.exabgp.events import interrupted, session_of
from bgpctl.speaker.exabgp.process import ChildProcess, Line

CHUNK = 5000
"""Prefixes per request: 90 ms of the child's time at most, and a tenth of ExaBGP's limit for a line."""

LEAVE_SECONDS = 10.0
"""The child gives up on a router after 4 s; this only bounds a child that does not answer."""

BACKOFF = (0.2, 5.0)
HEALTHY_SECONDS = 10.0

RIB = Mapping[IPNetwork, Attributes]


@dataclass(frozen=True, slots=True)
class Departed:
    """How one peer left. `flushed_at`: its last withdraw was on the socket; None when it was not Established
    or stopped reading. `closed_at`: Cease was on the socket; None when there was no session to close."""

    flushed_at: float | None
    closed_at: float | None


class Engine:
    """ExaBGP as a child process. `ring` is called without payload, from another thread, on every change."""

    def __init__(
        self,
        directory: Path,
        *,
        ring: Callable[[], None],
        log: logging.Logger | None = None,
        outlive: bool = False,
    ) -> None:
        """`directory` becomes private to the engine (0700). `outlive`: the child survives this process."""
        self.version = f"exabgp {version('exabgp')}"
        self.restarts = 0
        self.departed: Mapping[str, Departed] = {}
        self._directory, self._ring, self._outlive = directory, ring, outlive
        self._log = log or logging.getLogger("bgpctl.speaker.exabgp")
        self._lock = threading.Lock()
        self._performing = threading.RLock()
        self._child: ChildProcess | None = None
        self._seen = Observed()
        self._flaps: dict[str, int] = {}
        self._started_at = self._not_before = 0.0
        self._pause = BACKOFF[0]

    # -- the interface

    def start(self) -> None:
        """Run a child if there is none. Returns when it takes actions; Temporary when it does not come up or
        when an earlier one died a moment ago (`retry_after`; the bell rings then)."""
        with self._performing:
            if self._seen.running:
                return
            wait = self._not_before - time.monotonic()
            if wait > 0:
                raise Temporary("the BGP engine stopped; it is started again shortly", retry_after=wait)
            try:
                self._spawn()
            except OSError as error:
                hint = "it must be a directory that we may make private"
                raise BgpctlError(f"the BGP engine cannot use {self._directory}: {error}", hint) from error

    def observed(self) -> Observed:
        """From memory, at once. Every configured peer has a session in it."""
        seen = self._seen
        sessions = {name: seen.sessions.get(name) or Session(name) for name in seen.peers}
        return replace(seen, sessions=sessions)

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

    def stop(self, *, graceful: bool, reason: str = "") -> None:
        """End the child. `graceful`: close the sessions without a word, so that routers with graceful restart
        keep forwarding; otherwise leave every peer first. Nothing is left on disk."""
        with self._performing:
            running = self._child
            if running is not None:
                if not graceful and self._seen.running and self._seen.peers:
                    with contextlib.suppress(Temporary):
                        self._leave(running, tuple(self._seen.peers), reason or Leave(()).reason)
                self._child = None
                running.terminate()
            self._update(lambda seen: Observed(seen.generation))
            for name in (child.CONFIG, relay.SOCKET, "exabgp.log"):
                with contextlib.suppress(FileNotFoundError):
                    (self._directory / name).unlink()

    # -- actions

    def _announce(
        self, running: ChildProcess, peer: str, attributes: Attributes, prefixes: Sequence[IPNetwork]
    ) -> None:
        body = _attributes(attributes)
        for chunk in wire.chunks(prefixes, CHUNK):
            running.request("announce", peer=peer, attributes=body, prefixes=wire.pack_prefixes(chunk))
            self._set_rib(peer, lambda rib, new=chunk: {**rib, **dict.fromkeys(new, attributes)})  # type: ignore[misc]

    def _withdraw(self, running: ChildProcess, peer: str, prefixes: Sequence[IPNetwork]) -> None:
        for chunk in wire.chunks(prefixes, CHUNK):
            running.request("withdraw", peer=peer, prefixes=wire.pack_prefixes(chunk))
            gone = set(chunk)
            self._set_rib(peer, lambda rib, gone=gone: {p: a for p, a in rib.items() if p not in gone})  # type: ignore[misc]

    def _leave(self, running: ChildProcess, peers: Sequence[str], reason: str) -> None:
        answer = running.request("leave", LEAVE_SECONDS, peers=list(peers), reason=reason)
        self.departed = {name: Departed(**times) for name, times in answer["peers"].items()}
        self._update(lambda seen: _without(seen, set(peers)))

    def _configure(self, running: ChildProcess, peers: Sequence[Peer]) -> None:
        self._write_config(peers)
        fresh = set(running.request("configure")["fresh"])
        wanted = {peer.name: peer for peer in peers}
        self._flaps = {name: count for name, count in self._flaps.items() if name in wanted}

        def configured(seen: Observed) -> Observed:
            kept = _without(seen, (set(seen.peers) - set(wanted)) | fresh)
            return replace(kept, peers=wanted)

        self._update(configured)

    def _set_rib(self, peer: str, change: Callable[[RIB], RIB]) -> None:
        self._update(
            lambda seen: replace(
                seen, announced={**seen.announced, peer: change(seen.announced.get(peer, {}))}
            )
        )

    # -- the child

    def _spawn(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        self._write_config(())
        spawned = ChildProcess(
            self._directory,
            self._on_line,
            lambda reason: self._on_exit(spawned, reason),
            self._log,
            outlive=self._outlive,
        )
        self._child, self._started_at = spawned, time.monotonic()
        spawned.start()
        self.restarts = self._seen.generation
        self._update(lambda seen: replace(seen, generation=seen.generation + 1, running=True))
        if self._child is not spawned:  # it died in between, and its exit was counted before this
            self._update(lambda seen: replace(seen, running=False))
            raise Temporary("the BGP engine stopped right after its start")
        self._log.info("engine.started", extra={"pid": spawned.pid, "generation": self._seen.generation})
        self._ring()

    def _write_config(self, peers: Sequence[Peer]) -> None:
        command = (sys.executable, "-I", "-S", relay.__file__, str(self._directory))
        text = render_config(peers, command)
        path = self._directory / child.CONFIG
        temporary = path.with_suffix(".new")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
        temporary.rename(path)

    def _on_line(self, line: Line) -> None:
        bodies: Sequence[Line] = line.get("peers", ()) if "id" in line else (line,)
        sessions = {}
        for body in bodies:
            with contextlib.suppress(KeyError, ValueError, TypeError):
                session = session_of(body)
                base = self._flaps.get(session.peer, 0)
                sessions[session.peer] = replace(session, flaps=session.flaps + base)
        before = self._seen.sessions
        if any(before.get(name) != session for name, session in sessions.items()):
            self._update(lambda seen: replace(seen, sessions={**seen.sessions, **sessions}))
            self._ring()

    def _on_exit(self, exited: ChildProcess, reason: str) -> None:
        if self._child is not exited:
            return
        self._child = None
        now = time.time()
        if time.monotonic() - self._started_at > HEALTHY_SECONDS:
            self._pause = BACKOFF[0]
        self._not_before = time.monotonic() + self._pause
        timer = threading.Timer(self._pause, self._ring)
        timer.daemon = True
        timer.start()
        self._pause = min(self._pause * 2, BACKOFF[1])
        gone = {name: interrupted(session, now, reason) for name, session in self._seen.sessions.items()}
        self._flaps = {name: session.flaps for name, session in gone.items()}
        self._update(lambda seen: Observed(seen.generation, False, sessions=gone))
        self._log.warning("engine.died", extra={"reason": reason})
        self._ring()

    def _update(self, change: Callable[[Observed], Observed]) -> None:
        """The view is one immutable value, replaced under the lock and read without it."""
        with self._lock:
            self._seen = change(self._seen)


def _without(seen: Observed, peers: set[str]) -> Observed:
    return replace(
        seen,
        peers={name: peer for name, peer in seen.peers.items() if name not in peers},
        announced={name: rib for name, rib in seen.announced.items() if name not in peers},
        synced=seen.synced - peers,
        sessions={name: session for name, session in seen.sessions.items() if name not in peers},
    )


def _attributes(attributes: Attributes) -> dict[str, Any]:
    return {
        "next_hop": str(attributes.next_hop) if attributes.next_hop is not None else None,
        "communities": sorted(attributes.communities),
        "large_communities": sorted(attributes.large_communities),
        "local_preference": attributes.local_preference,
    }
