"""What speaks BGP for one node of an emulated stack, as its controllers see it; and is it installed?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bgpctl.lab.routers import DRIVERS


class Engine(Protocol):
    """What speaks BGP for one node. A peer is named INSTANCE/PEER."""

    def open(self, key: str) -> None: ...
    def close(self, key: str) -> None: ...
    def announce(self, key: str, prefixes: Sequence[str], communities: Sequence[str] = ()) -> None: ...
    def session(self, key: str) -> tuple[str, float]:
        """Its state as Cilium spells it, and since when it is established, in epoch seconds."""
        ...

    def advertised(self, key: str) -> int: ...


def needed(kind: str, why: str) -> Callable[[], str]:
    """For `Driver.missing`: a router of this kind has to be installed."""

    def missing() -> str:
        driver = DRIVERS[kind]
        return "" if driver.find() else f"{driver.install}: {why}"

    return missing
