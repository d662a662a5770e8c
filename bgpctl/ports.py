"""The Protocols between rooms: what one asks of another whose inside it does not know, and the contract."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.diff import Action
from bgpctl.core.model import Observed
from bgpctl.core.state import NodeState


class Mode(StrEnum):
    """Whose the process of an engine is. OWN: the speaker's; it starts and ends with it, also by kill -9.
    DETACHED: started by a speaker and adopted by the next one. EXTERNAL: somebody else's (`bgpctl speaker
    engine run`); speakers only adopt it."""

    OWN = "own"
    DETACHED = "detached"
    EXTERNAL = "external"


class Departure(Protocol):
    """How a peer left, in epoch seconds; None = its withdraws did not get out, or it had no session."""

    @property
    def flushed_at(self) -> float | None: ...
    @property
    def closed_at(self) -> float | None: ...


class Engine(Protocol):
    """What a speaker needs of a BGP engine. `departed` is told by the last Leave. `stays`: it goes on when
    the speaker ends; `adopt` takes over one that did, and starts none. `start(leaves=True)`: the node is out
    of service, so an engine that outlived its speaker is not replaced in silence. `trouble`: why nothing may
    be taken for announced, whatever `observed` says; "" = none. `perform` raises Temporary."""

    version: str
    restarts: int
    mode: Mode

    @property
    def departed(self) -> Mapping[str, Departure]: ...
    @property
    def stays(self) -> bool: ...
    @property
    def trouble(self) -> str: ...
    def adopt(self) -> bool: ...
    def start(self, *, leaves: bool = False) -> None: ...
    def observed(self) -> Observed: ...
    def perform(self, action: Action) -> None: ...
    def release(self) -> None: ...
    def stop(self, *, graceful: bool, reason: str = "") -> None: ...


class Source(Protocol):
    """Where a speaker's objects come from. `ready` once everything was read at least once; `problems` are
    sentences about what cannot be read, `trouble` one about what will never be read again, "" = none.
    `last_look` is for a speaker that stops: did the API server answer just now, and the Node (as it was seen
    before where it did not)."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def ready(self) -> bool: ...
    def observe(self) -> ClusterObjects: ...
    def problems(self) -> tuple[str, ...]: ...
    def trouble(self) -> str: ...
    def last_look(self) -> tuple[bool, dict[str, Any] | None]: ...


class Sink(Protocol):
    """One place where a NodeState is kept. `read` gives None for nothing, or for nothing that can be read."""

    def read(self) -> NodeState | None: ...
    def write(self, state: NodeState) -> None: ...
