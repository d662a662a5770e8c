"""Time, turns and the cluster of one interleaving. Everybody who acts is a greenlet; between any two requests
of one of them, any other may go on.

Time is a number: it moves by a few milliseconds with each request, and to the next thing that is due when all
sleep. The API server is the embedded one, on a copy of one seeded store for each interleaving.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import count
from typing import Any

import greenlet

from bgpctl.kube import lease, paths
from bgpctl.lab.api import ApiServer
from tests.interleaving import seeded
from tests.support import direct

Document = dict[str, Any]
BEGIN = direct.EPOCH
MOST_TURNS = 20_000


class Endless(AssertionError):
    """Somebody does not come to an end."""


@dataclass(slots=True)
class Actor:
    """One who acts. `wake`: not before this instant."""

    name: str
    let: greenlet.greenlet
    wake: float
    skew: float = 0.0
    killed: bool = False


@dataclass(slots=True)
class Sim:
    """One world. `rng` decides whose turn it is and how long things take; `at_turn` is asked before each
    turn."""

    seed: int
    turns: int = 0
    at_turn: Callable[[int], None] = lambda turn: None
    log: list[str] = field(default_factory=list)
    rng: random.Random = field(default_factory=random.Random)
    api: direct.Api = field(default_factory=lambda: seeded.api().fork())
    actors: list[Actor] = field(default_factory=list)
    _timers: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)
    _hub: greenlet.greenlet | None = None
    _current: Actor | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def t(self) -> float:
        """Epoch seconds: by the API server's clock, which is right."""
        return self.api.time.now

    @property
    def server(self) -> ApiServer:
        return self.api.server

    # -- turns

    def say(self, text: str) -> None:
        self.log.append(f"{self.t - BEGIN:8.3f} {text}")

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do it when so much time has passed."""
        heapq.heappush(self._timers, (self.t + seconds, next(self._numbers), do))

    def act(self, name: str, body: Callable[[], None], skew: float = 0.0) -> Actor:
        """Somebody begins to act."""
        actor = Actor(name, greenlet.greenlet(lambda: body()), self.t, skew)
        self.actors.append(actor)
        return actor

    def pause(self, seconds: float) -> None:
        """The one who acts now lets others go on for so long at least."""
        actor = self._current
        assert actor is not None and self._hub is not None
        actor.wake = self.t + seconds
        self._hub.switch()

    def kill(self, actor: Actor) -> None:
        """kill -9: it just does not go on."""
        actor.killed = True
        if actor in self.actors:
            self.actors.remove(actor)

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Until nobody acts any more (or `until` says so)."""
        self._hub = greenlet.getcurrent()
        while self.actors and not (until and until()):
            self.turns += 1
            if self.turns > MOST_TURNS:
                raise Endless(f"no end after {MOST_TURNS} turns: {[a.name for a in self.actors]}")
            self.at_turn(self.turns)
            if self.actors:
                self._turn()

    def _turn(self) -> None:
        now = self.t
        due = [a for a in self.actors if a.wake <= now]
        if not due:
            nearest = min(a.wake for a in self.actors)
            self._advance(nearest)
            return
        self._advance(now)
        actor = due[0] if len(due) == 1 else self.rng.choice(due)
        if actor.killed:
            return
        self._current = actor
        lease_now, lease.now = lease.now, lambda: _stamp(self.t + actor.skew)
        try:
            actor.let.switch()
        finally:
            lease.now, self._current = lease_now, None
        if actor.let.dead and actor in self.actors:
            self.actors.remove(actor)

    def _advance(self, to: float) -> None:
        """Do what is due on the way there."""
        while self._timers and self._timers[0][0] <= to:
            at, _, do = heapq.heappop(self._timers)
            self.api.time.now = max(self.t, at)
            do()
        self.api.time.now = max(self.t, to)

    def quiet(self, seconds: float) -> None:
        """Nobody acts for so long; what is due happens."""
        self._advance(self.t + seconds)

    # -- the API server's objects, from inside

    def find(self, path: str) -> Document | None:
        group, plural, namespace, name = _parse(path)
        stored = self.server.store.get((group, plural), namespace, name)
        return stored.document if stored else None

    def all(self, path: str) -> list[Document]:
        group, plural, _, _ = _parse(path + "/x")
        return [stored.document for stored in self.server.store.all((group, plural))[0]]

    def node(self, name: str = seeded.NODE) -> Document | None:
        return self.find(paths.node(name))

    def modify(
        self, path: str, change: Callable[[Document], Document], *, status: Document | None = None
    ) -> None:
        """Somebody who is no run of bgpctl writes; an object that is not there is left alone. It goes
        straight to the store: what models write is valid, and to prove it costs milliseconds."""
        found = self.find(path)
        if found is None:
            return
        group, plural, _, _ = _parse(path)
        new = change({**found, "metadata": {**found["metadata"]}})
        if status is not None:
            new["status"] = status
            new["metadata"]["managedFields"] = [
                {"manager": "speaker", "subresource": "status", "time": _second(int(self.t))}
            ]
        self.server.store.put((group, plural), new, given=True)

    def create(self, path: str, document: Document) -> None:
        group, plural, namespace, _ = _parse(path)
        metadata = {**document["metadata"], "uid": f"uid-{next(self._numbers)}"}
        if namespace:
            metadata["namespace"] = namespace
        self.server.store.put((group, plural), {**document, "metadata": metadata}, given=True)

    def delete(self, path: str) -> None:
        group, plural, namespace, name = _parse(path)
        self.server.store.remove((group, plural), namespace, name)

    def lease_holder(self, node: str = seeded.NODE) -> str:
        document = self.find(paths.lease(lease.NAMESPACE, lease.name_for(node)))
        return ((document or {}).get("spec") or {}).get("holderIdentity") or ""


@lru_cache(16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _parse(path: str) -> tuple[str, str, str, str]:
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if rest[0] == "namespaces" and len(rest) > 2:
        return group, rest[2], rest[1], (*rest, "")[3]
    return group, rest[0], "", (*rest, "")[1]


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
