"""What speaks BGP on a drill's two nodes, as its events see it: a Protocol, and what all are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bgpctl.core.timing.drills import Setting
from bgpctl.lab import seed
from bgpctl.lab.traffic.network import Host

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts
    from bgpctl.core.timing.withdrawal import Close

NODE, OTHER = seed.node_names(2)
PORT = 1790


@dataclass(frozen=True, slots=True)
class Place:
    """Where they run: the hosts by node, the router's address for each, a directory for all that they write.
    `answering`: by node the process that stands for its data plane, once there is one."""

    hosts: Mapping[str, Host]
    routers: Mapping[str, str]
    setting: Setting
    directory: Path
    answering: dict[str, int] = field(default_factory=dict)


class Nodes(Protocol):
    """`kill` and `stop` are a crash of what speaks BGP on NODE and its end on purpose; `start` returns at
    once. `end` leaves nothing that runs."""

    def start(self, name: str) -> None: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...
    def end(self) -> None: ...
    def runs(self) -> bool:
        """Does NODE's say so itself?"""
        ...

    def last_words(self, name: str) -> str:
        """Why it does not get on."""
        ...

    def select(self, selected: bool) -> None:
        """Is NODE to speak BGP?"""
        ...

    def backends(self, present: bool) -> None:
        """Have the Services endpoints?"""
        ...

    def facts(self) -> PeerFacts:
        """What is known of NODE's only session, as `bgpctl forecast` has it."""
        ...

    @property
    def close(self) -> Close | None:
        """How NODE's session ends once it is not selected, None = as bgpctl's own speaker does it."""
        ...
