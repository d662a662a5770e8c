"""The Protocols between rooms: what one asks of another whose inside it does not know, and the contract."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bgpctl.core.drain.lever import Lever
    from bgpctl.core.intent.compile import ClusterObjects
    from bgpctl.core.intent.diff import Action
    from bgpctl.core.intent.fleet import Fleet
    from bgpctl.core.model import Observed
    from bgpctl.core.reading.selectors import LabelSelector
    from bgpctl.core.state import NodeState
    from bgpctl.core.timing.facts import PeerFacts

NOTHING_KNOWN: Mapping[str, Any] = MappingProxyType({})


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


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a provider tells of all nodes in one look. `states` by node; `fleet` is what each node should
    announce, None = that cannot be told from outside; `selectors` are those of everything that selects nodes,
    by name. `missing`: why nothing may be concluded from an empty answer, "" = it may."""

    states: Mapping[str, NodeState] = field(default_factory=dict)
    fleet: Fleet | None = None
    selectors: Mapping[str, LabelSelector | None] = field(default_factory=dict)
    missing: str = ""


class Provider(Protocol):
    """Who speaks BGP on the nodes. It only looks: what has to be changed it says in values, and a runbook
    does it under its fence. What it cannot know it leaves unknown (`core.state`); it never guesses.

    `states`: every node's, one that cannot be read says so (`unreadable`); None where nobody ever reported.
    `names`: whoever asks for these few needs no other, and may be told of more.
    `state`: one node's, None = nobody reports for it; raises Blocked for one that cannot be read, since what
    the node announces is then not known. `lever`: how this Node leaves and comes back, by the cluster as it
    is (or by `outlook`, which was read just now); `prior` is what the journal kept for it, `override` the
    user's --deselect-label. `facts`: the node's peers by its configuration alone."""

    @property
    def name(self) -> str: ...
    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None: ...
    def state(self, node: str) -> NodeState | None: ...
    def outlook(self) -> Outlook: ...
    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever: ...
    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]: ...
