"""The cells: stack x router x graceful restart x event. Values only.

A stack is a row of `STACKS`. In every cell the node ends where it began: in service, its objects as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from bgpctl.lab import stacks
from tests.matrix.cells import Graceful

ROUTERS = ("bird", "frr", "gobgp")


class Event(StrEnum):
    """What happens to a drain or to its restore. Where a stack refuses drains, only those in `ORDERS`."""

    GUIDE = "guide"  # nothing; the guide's order
    WITHDRAW_FIRST = "withdraw-first"  # nothing; traffic moves away before pods go
    KILLED = "killed"  # kill -9 after each write; the same command goes on
    UNDONE = "undone"  # kill -9 after each write; a restore instead
    RESTORE_KILLED = "restore-killed"  # the restore is killed after each write, and goes on
    REFUSED = "refused"  # the lever may not be pulled (403)
    AWAY = "away"  # what obeys the lever is away for some seconds, and comes back
    DOWN = "down"  # it is not there at all


@dataclass(frozen=True, slots=True)
class Stack:
    """One row. `lab`: its name in the lab. `prepared`: as an operator does once. `lever`: the resource that
    a drain patches; whether that `withdraws` before a session is closed, `keeps` the session up until the
    routes are proved to be gone, and whether it `stays` up then. `speaks`: who obeys the lever is who speaks
    BGP, and its absence ends the session. `optional`: a drain needs nobody who obeys (Cilium's operator only
    has to leave the node alone). `notification`: its nodes can send the N bit."""

    lab: str
    lever: str
    prepared: bool = True
    withdraws: bool = True
    keeps: bool = True
    stays: bool = False
    speaks: bool = False
    optional: bool = False
    notification: bool = False

    @property
    def drains(self) -> bool:
        """Is there anything that makes one node of it withdraw?"""
        return stacks.STACKS[self.lab].drains


STACKS: dict[str, Stack] = {
    "bgpctl": Stack("bgpctl", "nodes", keeps=False, speaks=True, notification=True),
    "cilium": Stack("cilium", "ciliumbgpnodeconfigs", optional=True, notification=True),
    "relabel": Stack("cilium", "nodes", prepared=False, withdraws=False, keeps=False, notification=True),
    "calico": Stack("calico", "bgppeers", stays=True),
    "frr-k8s": Stack("frr-k8s", "frrconfigurations", stays=True),
    "kube-router": Stack("kube-router", "", stays=True),
}
ORDERS = (Event.GUIDE, Event.WITHDRAW_FIRST)
ABSENCES = (Event.AWAY, Event.DOWN)
NOTIFIED = ("frr", "gobgp")
"""Routers that send the N bit (RFC 8538)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where cells are run: one after the other on the same nodes."""

    stack: str
    router: str
    graceful: Graceful

    def events(self, asked: Sequence[Event]) -> list[Event]:
        """Of these, the ones that there are."""
        return [event for event in asked if STACKS[self.stack].drains or event in ORDERS]

    def __str__(self) -> str:
        return f"{self.stack} / {self.router} / graceful restart {self.graceful}"


def places(names: Sequence[str], routers: Sequence[str], settings: Sequence[Graceful]) -> Iterator[Place]:
    """The N bit only where both sides can send it."""
    for stack, router, graceful in product(names, routers, settings):
        if graceful is not Graceful.NOTIFICATION or (STACKS[stack].notification and router in NOTIFIED):
            yield Place(stack, router, graceful)
