"""The cells: router x event x graceful restart. Which fate the routes must have in each, and which event of
`bgpctl node estimate` the cell is measured by. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from bgpctl.core.timing import withdrawal
from tests.support.routers import HELPERS

ROUTERS = HELPERS
HOLD_SECONDS, KEEPALIVE_SECONDS = 9, 3
RESTART_SECONDS = 12  # our Restart Time (RFC 4724): how long a router waits for us
PULL_SECONDS = 3.0  # a pod is replaced by one whose image is there already


class Event(StrEnum):
    """What happens to the node."""

    DESELECT = "deselect"
    SHUTDOWN = "shutdown"
    RESTART = "restart"
    KILL_ENGINE = "kill-engine"
    KILL_SPEAKER = "kill-speaker"
    KILL_DETACHED = "kill-detached"
    KILL_FOR_GOOD = "kill-for-good"
    UPGRADE = "upgrade"
    UPGRADE_MANAGER = "upgrade-manager"
    EDIT_ROUTES = "edit-routes"
    EDIT_TIMER = "edit-timer"
    POWER_OFF = "power-off"


class Graceful(StrEnum):
    """Graceful restart in the node's policy: off, on, or on with the N bit (RFC 8538)."""

    OFF = "off"
    ON = "on"
    NOTIFICATION = "n-bit"


class Fate(StrEnum):
    """What must become of the node's routes. In every case another node's routes are not touched."""

    LEAVES = "leaves"  # all of them go, within the estimate, and stay away
    RETURNS = "returns"  # they may go, and all come back: the gap is measured
    STAYS = "stays"  # none is ever missing
    UNTOUCHED = "untouched"  # none is missing, none is sent again, the session is not touched
    CHANGES = "changes"  # one goes, one comes, one gets another community; the others are not touched


@dataclass(frozen=True, slots=True)
class Row:
    """One event: in words, which engine the speaker has, the fate without and with graceful restart, and the
    event of the estimate. `silent`: the routes may be stale before they go. `notification`: the N bit may
    make a difference."""

    words: str
    off: Fate
    on: Fate
    measure: withdrawal.Event
    engine: str = "own"
    silent: bool = True
    notification: bool = False


_CRASH, _RESTART = withdrawal.Event.CRASH, withdrawal.Event.RESTART

ROWS: dict[Event, Row] = {
    Event.DESELECT: Row(
        "deselect", Fate.LEAVES, Fate.LEAVES, withdrawal.Event.DESELECT, silent=False, notification=True
    ),
    Event.SHUTDOWN: Row(
        "SIGTERM, node shuts down", Fate.LEAVES, Fate.LEAVES, withdrawal.Event.DESELECT, silent=False
    ),
    Event.RESTART: Row("SIGTERM, start", Fate.RETURNS, Fate.STAYS, _RESTART),
    Event.KILL_ENGINE: Row("SIGKILL of ExaBGP", Fate.RETURNS, Fate.STAYS, _CRASH),
    Event.KILL_SPEAKER: Row("SIGKILL of the manager, start", Fate.RETURNS, Fate.STAYS, _CRASH),
    Event.KILL_DETACHED: Row(
        "the same, engine detached", Fate.UNTOUCHED, Fate.UNTOUCHED, _CRASH, "detached", silent=False
    ),
    Event.KILL_FOR_GOOD: Row("SIGKILL of the manager, no start", Fate.LEAVES, Fate.LEAVES, _CRASH),
    Event.UPGRADE: Row("image upgrade", Fate.RETURNS, Fate.STAYS, _RESTART),
    Event.UPGRADE_MANAGER: Row(
        "the same, engine in its own container",
        Fate.UNTOUCHED,
        Fate.UNTOUCHED,
        _RESTART,
        "external",
        silent=False,
    ),
    Event.EDIT_ROUTES: Row(
        "policy edit of routes", Fate.CHANGES, Fate.CHANGES, withdrawal.Event.DESELECT, silent=False
    ),
    Event.EDIT_TIMER: Row("policy edit of a timer", Fate.RETURNS, Fate.STAYS, _RESTART, notification=True),
    Event.POWER_OFF: Row(
        "power-off", Fate.LEAVES, Fate.LEAVES, withdrawal.Event.POWER_OFF, notification=True
    ),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to run."""

    router: str
    event: Event
    graceful: Graceful

    @property
    def row(self) -> Row:
        return ROWS[self.event]

    @property
    def fate(self) -> Fate:
        return expectation(self.event, self.graceful)

    def __str__(self) -> str:
        return f"{self.router} / {self.event} / graceful restart {self.graceful}"


def expectation(event: Event, graceful: Graceful) -> Fate:
    """What must become of the node's routes, on every router."""
    return ROWS[event].off if graceful is Graceful.OFF else ROWS[event].on


def cells(routers: Sequence[str], events: Sequence[Event], graceful: Sequence[Graceful]) -> Iterator[Cell]:
    """Router by router, in the order of the table; the N bit only where it may make a difference."""
    for router, event, setting in product(routers, events, graceful):
        if setting is not Graceful.NOTIFICATION or ROWS[event].notification:
            yield Cell(router, event, setting)
