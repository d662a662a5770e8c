"""Everything a runbook may do to the world: a closed list of values with one line of description each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgpctl.core.drain.eviction import PodView
from bgpctl.core.drain.lever import Change
from bgpctl.runbooks.journal import Journal


@dataclass(frozen=True, slots=True)
class TakeLease:
    """Hold the node's Lease."""

    def __str__(self) -> str:
        return "take the node's Lease"


@dataclass(frozen=True, slots=True)
class ChangeNode:
    """One patch of the Node: cordon, labels (None removes) and the journal together, or not at all.
    `journal` None leaves it; `forget` removes it. `leave` names the request that the labels are (annotation
    `bgpctl.io/leave`), "" = they are none."""

    what: str
    unschedulable: bool | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    journal: Journal | None = None
    forget: bool = False
    leave: str = ""

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class PatchObject:
    """Pull a lever that is not on the Node: one guarded change of another object."""

    patch: Change

    def __str__(self) -> str:
        return self.patch.what


@dataclass(frozen=True, slots=True)
class FenceObject:
    """Move an object's version, and nothing else: a patch that an earlier run sent late then fails its
    test."""

    path: str

    def __str__(self) -> str:
        return f"make late requests of an earlier run to {self.path} fail"


@dataclass(frozen=True, slots=True)
class EvictPod:
    """Ask for the eviction (or deletion) of exactly this pod: its UID goes along."""

    pod: PodView
    delete: bool = False
    grace_period: int | None = None

    def __str__(self) -> str:
        return f"{'delete' if self.delete else 'evict'} pod {self.pod.namespace}/{self.pod.name}"


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run the operator's shutdown command (argv, no shell) and wait for it."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"run {self.argv[0]}"


@dataclass(frozen=True, slots=True)
class RestartCommand:
    """Run the operator's restart command (argv, no shell) and wait for it; it must end with 0."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"run {self.argv[0]}"


@dataclass(frozen=True, slots=True)
class WatchRouters:
    """Look at every router that can be asked, several times a second, until the run ends."""

    def __str__(self) -> str:
        return "watch the routers"


@dataclass(frozen=True, slots=True)
class ReleaseLease:
    """Give the Lease back."""

    def __str__(self) -> str:
        return "release the node's Lease"


Action = (
    TakeLease
    | ChangeNode
    | PatchObject
    | FenceObject
    | EvictPod
    | RunCommand
    | RestartCommand
    | WatchRouters
    | ReleaseLease
)
