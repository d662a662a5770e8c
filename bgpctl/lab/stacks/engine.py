"""What speaks BGP for one node of an emulated stack, as its controllers see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Engine(Protocol):
    """What speaks BGP for one node. A peer is named INSTANCE/PEER."""

    def open(self, key: str) -> None: ...
    def close(self, key: str) -> None: ...
    def announce(self, key: str, prefixes: Sequence[str], communities: Sequence[str] = ()) -> None: ...
    def session(self, key: str) -> tuple[str, float]:
        """Its state as Cilium spells it, and since when it is established, in epoch seconds."""
        ...

    def advertised(self, key: str) -> int: ...
