"""The cells: router x stack x way out. What must hold in each. Values only.

A stack is a line of `STACKS`: what the lab calls it, and how its own people would take a node out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.lab import seed, stacks

ROUTERS = ("bird", "frr")


class Way(StrEnum):
    """What precedes the power-off of a node, and what follows when it is on again."""

    DRAIN = "drain"  # bgpctl node drain; bgpctl node restore. Where it refuses: what it says instead
    LABEL = "label"  # the stack's own label by hand; and back
    STOP = "stop"  # whatever speaks BGP on the node is killed, as when its pod goes
    POWER_OFF = "power-off"  # nothing


@dataclass(frozen=True, slots=True)
class Stack:
    """`label`: the change of the Node by which one leaves without bgpctl, `back` what undoes it; in words
    `says`. None is a label that is not there."""

    label: dict[str, str | None]
    back: dict[str, str | None]
    says: str


STACKS: dict[str, Stack] = {
    "bgpctl": Stack({seed.LABEL: "false"}, {seed.LABEL: "true"}, f"label `{seed.LABEL}=false`"),
    "cilium": Stack({seed.LABEL: None}, {seed.LABEL: "true"}, f"label `{seed.LABEL}` removed"),
    "calico": Stack({EXCLUDE: "true"}, {EXCLUDE: None}, "the exclude label"),
    "frr-k8s": Stack({EXCLUDE: "true"}, {EXCLUDE: None}, "the exclude label"),
    "kube-router": Stack({seed.LABEL: None}, {seed.LABEL: "true"}, "its pod deleted"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to run."""

    router: str
    stack: str
    way: Way

    @property
    def promised(self) -> bool:
        """Must nothing be lost? The other ways are measured; a power-off must lose, or nothing was proved."""
        return self.way is Way.DRAIN

    @property
    def drains(self) -> bool:
        """Is there anything that makes a node of it withdraw?"""
        return stacks.STACKS[self.stack].drains

    def __str__(self) -> str:
        return f"{self.router} / {self.stack} / {self.way}"
