"""Drills: which failures happen with which settings, and whether traffic went as was foretold. Pure.

A drill lets one failure of the operation guide happen to a real router under traffic (`bgpctl lab drill`) and
holds what was lost against `failures.foretell`. **The verdict** of one class of routes:

- longer: traffic was lost for longer than the worst case. Where a forecast is one instant (`POINT_SECONDS`)
  it is no bound but a figure, and may be `FACTOR` times too small: a best case that hopes for more than that
  is wrong.
- shorter: for less than the best case says at least. Such a forecast costs nobody traffic, but it is not
  what happens, and a power cut that loses nothing means that nothing was measured.
- A best case far below its worst one is no hope but a matter of chance (in which second of a hold timer a
  node falls silent), and one drill cannot tell.

`SLACK_SECONDS` is what the measurement itself takes: the kernel's table, its mirror, gaps between requests.
Where nothing is to be lost it is less: `NOTHING_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import Course, RouteClass, Scenario, Span

OWN = "bgpctl"
"""The stack of the nodes, where none is named."""
WITH_BIT = ("cilium",)
"""Stacks that send the N bit wherever graceful restart is on."""
SLACK_SECONDS = 1.0
NOTHING_SECONDS = 0.3
POINT_SECONDS = 0.1
FACTOR = 1.5
RESTART_SECONDS = 20  # longer than what is restarted in a drill takes, shorter than anybody wants to wait


class Setting(NamedTuple):
    """How a node's sessions are configured, in seconds. `restart` None = without graceful restart.
    `notification`: with the N bit (RFC 8538), which counts where the router sends it too."""

    hold: int
    keepalive: int
    restart: int | None
    notification: bool = False

    def __str__(self) -> str:
        bit = "+N" if self.notification else ""
        graceful = "off" if self.restart is None else f"{self.restart} s{bit}"
        return f"GR {graceful}, hold {self.hold} s"

    @property
    def short(self) -> str:
        """`20+N/9`, `off/3`: graceful restart and hold time."""
        bit = "+N" if self.notification else ""
        return f"{'off' if self.restart is None else f'{self.restart}{bit}'}/{self.hold}"


# The guide's mitigations: graceful restart, or none; the smallest timers.
OFF, ON = Setting(9, 3, None), Setting(9, 3, RESTART_SECONDS)
ON_N = ON._replace(notification=True)
SHORT_OFF, SHORT_ON = Setting(3, 1, None), Setting(3, 1, RESTART_SECONDS)

SETTINGS: dict[Scenario, tuple[Setting, ...]] = {
    Scenario.AGENT_DOWN: (OFF, ON),
    Scenario.RESTART: (OFF, ON),
    Scenario.DESELECT: (OFF, ON, ON_N),
    Scenario.POWER_OFF: (ON_N, ON, OFF, SHORT_OFF),
    Scenario.LINK_DOWN: (ON, SHORT_ON),
    Scenario.REMOTE_LINK_DOWN: (ON, SHORT_ON),
    Scenario.NO_BACKENDS: (ON,),
}
"""Without the mitigation first. Link and backends: the guide knows none, or the smallest timers only."""

_OF_SPEAKER = (RouteClass.POD_CIDR, RouteClass.CLUSTER)
_ELSEWHERE = (RouteClass.CLUSTER,)
CLASSES: dict[Scenario, tuple[RouteClass, ...]] = {
    Scenario.AGENT_DOWN: _OF_SPEAKER,
    Scenario.RESTART: _OF_SPEAKER,
    Scenario.DESELECT: _ELSEWHERE,
    Scenario.POWER_OFF: _ELSEWHERE,
    Scenario.LINK_DOWN: _ELSEWHERE,
    Scenario.REMOTE_LINK_DOWN: _ELSEWHERE,
    Scenario.NO_BACKENDS: (RouteClass.CLUSTER, RouteClass.LOCAL),
}
"""To what requests are sent. What nobody else answers is lost until a node is back: nothing to be measured
where it stays away."""

ONLY_OWN = (Scenario.NO_BACKENDS,)
"""What is the data plane's, and so the same for all stacks."""


class Drill(NamedTuple):
    """One thing to happen."""

    scenario: Scenario
    setting: Setting


def plan(
    scenarios: Sequence[Scenario], restart: int | bool | None = True, stack: str = OWN
) -> Iterator[Drill]:
    """Each with and without its mitigation. `restart`: with this graceful restart alone (None = without).
    `stack`: in which not everything can be set."""
    for scenario in scenarios:
        settings = SETTINGS[scenario]
        if restart is not True:
            settings = tuple(_with(one, restart) for one in settings)
        if stack in WITH_BIT:
            settings = tuple(one._replace(notification=one.restart is not None) for one in settings)
        settings = tuple(dict.fromkeys(settings))
        yield from (Drill(scenario, setting) for setting in settings)


def _with(setting: Setting, restart: int | None) -> Setting:
    return setting._replace(restart=restart, notification=setting.notification and restart is not None)


class Verdict(StrEnum):
    """Of one class of routes in one drill."""

    HELD = "held"
    LONGER = "longer"
    SHORTER = "shorter"


def judge(forecast: Span, seconds: float) -> Verdict:
    """Was traffic lost for as long as was foretold? See the module's docstring."""
    point = forecast.worst - forecast.best <= POINT_SECONDS
    worst = forecast.best * FACTOR if point else forecast.worst
    slack = SLACK_SECONDS if forecast.worst else NOTHING_SECONDS
    if seconds > worst + slack:
        return Verdict.LONGER
    return Verdict.SHORTER if seconds < forecast.best - slack else Verdict.HELD


@dataclass(frozen=True, slots=True)
class Measured:
    """Of requests to one class of routes, from the event on. `refused` are among the `lost`. `moved`: the
    share of flows that more than one node answered. `stretches`: in which seconds after the event requests
    were lost; `seconds` is their sum."""

    sent: int
    lost: int
    refused: int
    moved: float
    stretches: tuple[tuple[float, float], ...] = ()

    @property
    def seconds(self) -> float:
        """For how long requests were lost, without the time between stretches."""
        return sum(end - begin for begin, end in self.stretches)


@dataclass(frozen=True, slots=True)
class Held:
    """A forecast and what happened."""

    course: Course
    measured: Measured

    @property
    def verdict(self) -> Verdict:
        """See the module's docstring."""
        return judge(self.course.loss, self.measured.seconds)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one drill at one router (`bird`, `frr` …), with nodes of one stack. `problem`: why it
    proves nothing, "" = it does."""

    router: str
    drill: Drill
    rows: tuple[Held, ...] = ()
    problem: str = ""
    stack: str = OWN

    @property
    def passed(self) -> bool:
        """Did all go as foretold, and was it measured?"""
        return not self.problem and all(row.verdict is Verdict.HELD for row in self.rows)


def unapplied(setting: Setting, facts: PeerFacts, stack: str = OWN) -> str:
    """What was configured and is not in force, "" = all of it is, or may be: not every stack tells whether
    its routers agreed to graceful restart, and then the forecast does not count on it either."""
    untold = stack != OWN and facts.graceful is None
    if not facts.negotiated:
        return "no session was negotiated"
    if setting.restart is not None and not facts.graceful and not untold:
        return "graceful restart was not negotiated"
    if setting.restart is None and facts.graceful:
        return "graceful restart was negotiated"
    if facts.hold_time != setting.hold:
        return f"a hold time of {facts.hold_time} s was negotiated"
    return ""


def claimed(setting: Setting, facts: PeerFacts) -> PeerFacts:
    """The facts as they are where the setting is in force."""
    on = setting.restart is not None
    return replace(
        facts,
        hold_time=setting.hold,
        keepalive_time=setting.keepalive,
        restart_time=setting.restart,
        graceful=on,
        negotiated=True,
    )
