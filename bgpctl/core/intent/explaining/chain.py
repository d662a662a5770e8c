"""The chain from an object to a router: links, each as it must be, broken or not known. Values only.

A path is one target on one node towards one of its peers. `Group` holds the paths whose chains say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bgpctl.core.intent.explaining.repair import Repair
from bgpctl.core.model import IPNetwork

ROUTER = "router"
"""The last link: what a router says that was asked."""


class Status(StrEnum):
    """How one link is."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"  # whether it is as it must be, nobody here can tell
    UNTOLD = "untold"  # nobody tells, and the route does not hang on it


class Standing(StrEnum):
    """How a path stands: every link is as it must be, one is broken, or one is not known."""

    ANNOUNCED = "announced"
    BROKEN = "not announced"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Link:
    """One link; `says` is a sentence. `repairs`: the fields that would have to be otherwise (a broken one may
    have none: no object of the cluster says it). `reason` is the intent's name for what is broken. `command`
    shows the link as it is, "" = the repairs' own do."""

    name: str
    status: Status
    says: str
    repairs: tuple[Repair, ...] = ()
    command: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """One node towards one peer, by its address; "" = no peer is known of. `origin`: what the target stands
    for; `prefix` None = it has no address yet."""

    node: str
    peer: str
    origin: str
    prefix: IPNetwork | None
    links: tuple[Link, ...]

    @property
    def broken(self) -> tuple[Link, ...]:
        """The links that are broken, in their order."""
        return tuple(link for link in self.links if link.status is Status.BROKEN)

    @property
    def standing(self) -> Standing:
        """A broken link says more than one that is not known; a router that has the route, more than that."""
        if self.broken:
            return Standing.BROKEN
        if any(link.name == ROUTER and link.status is Status.OK for link in self.links):
            return Standing.ANNOUNCED
        unknown = any(link.status is Status.UNKNOWN for link in self.links)
        return Standing.UNKNOWN if unknown else Standing.ANNOUNCED

    @property
    def likeness(self) -> tuple[object, ...]:
        """Paths of equal likeness are told once."""
        told = tuple(
            (link.name, link.status, link.reason) for link in self.links if link.status is not Status.OK
        )
        return self.origin, self.prefix, told


@dataclass(frozen=True, slots=True)
class Group:
    """Paths that are alike; the chain of the first stands for all."""

    paths: tuple[Path, ...]

    @property
    def first(self) -> Path:
        """The one that is told."""
        return self.paths[0]


def grouped(paths: Sequence[Path]) -> tuple[Group, ...]:
    """By target, those that are announced first."""
    found: dict[tuple[object, ...], list[Path]] = {}
    for path in paths:
        found.setdefault(path.likeness, []).append(path)
    order = list(Standing)
    groups = [Group(tuple(each)) for each in found.values()]
    targets = list(dict.fromkeys((path.origin, path.prefix) for path in paths))
    return tuple(
        sorted(
            groups,
            key=lambda group: (
                targets.index((group.first.origin, group.first.prefix)),
                order.index(group.first.standing),
            ),
        )
    )
