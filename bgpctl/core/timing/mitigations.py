"""What the operation guide advises against a failure, as it applies to one class of routes at one router:
with the figures of today, those it would have, and what it costs elsewhere. Pure.

Sources: operation-guide.rst ("Mitigation" of each scenario), facts/second-look.md 4 (BFD), facts/bgp.md 6
(hashing).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, isinf

from bgpctl.core.timing.disruption import Path, Scheme, Share, leaves, resets
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import (
    AT_ONCE,
    OF_SPEAKER,
    READMITTED,
    SILENT,
    Course,
    RouteClass,
    Scenario,
    Span,
    foretell,
)
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.core.timing.whatif import Settings, changed, with_graceful, without_graceful
from bgpctl.core.timing.withdrawal import Close

# What BFD detects within, as FRR and BIRD have it by default here: 3 x 300 ms (facts/bgp.md 3.5).
BFD_SECONDS = 0.9
SHORTEST = Settings(hold_time=3, keepalive_time=1)
"""The guide: "the minimal possible values"."""

_RESTARTS = (Scenario.RESTART, Scenario.UPGRADE)


class Measure(StrEnum):
    """What a mitigation's figures count: seconds, and of flows a share."""

    GONE = "routes gone after"
    LOSS = "traffic lost"
    MOVED = "flows moved"
    RESET = "connections reset"

    @property
    def share(self) -> bool:
        """A part of all flows, and no time?"""
        return self in (Measure.MOVED, Measure.RESET)


@dataclass(frozen=True, slots=True)
class Mitigation:
    """One piece of advice. `before` and `after` are as `measure` says, None = it has no figure (nothing in
    BGP changes). `how`: what to set or type; `cost`: what it takes or makes worse, a sentence."""

    scenario: Scenario
    name: str
    how: str
    cost: str
    measure: Measure = Measure.LOSS
    before: Span | None = None
    after: Span | None = None

    @property
    def helps(self) -> bool:
        """Is its worst figure another one? Routes that are kept longer may be what is wanted."""
        if self.before is None or self.after is None:
            return True
        if self.measure is Measure.GONE:
            return self.before.worst != self.after.worst
        return self.after.worst < self.before.worst


@dataclass(frozen=True, slots=True)
class Case:
    """One class of routes at one router, with all that `foretell` wants to know. `next_hops`: how many nodes
    announce it there, None = not known; `position` and `scheme` as in `disruption.leaves`; `endpoints`: of
    its Services; `node`: its name, for what is to be typed; `readmitted` as in `foretell`."""

    facts: PeerFacts
    kind: RouteClass
    profile: Profile = UNKNOWN_ROUTER
    elsewhere: bool | None = None
    away: Span | None = None
    close: Close | None = None
    soak: float = 0.0
    next_hops: int | None = None
    position: int | None = None
    scheme: Scheme = Scheme.UNKNOWN
    endpoints: int | None = None
    node: str = "NODE"
    readmitted: float = READMITTED

    def course(self, scenario: Scenario) -> Course:
        """What the scenario does to it. One that restarts is away for so long as `away` says, whatever else
        fails does not come back by itself."""
        away = self.away if scenario in _RESTARTS else None
        if scenario is Scenario.UPGRADE and away is not None:
            away = Span(away.best, inf)  # how long an image pull takes nobody knows
        return foretell(
            scenario,
            self.facts,
            self.kind,
            self.profile,
            elsewhere=self.elsewhere,
            away=away,
            close=self.close,
            soak=self.soak,
            readmitted=self.readmitted,
        )

    def moved(self, scheme: Scheme | None = None) -> Share:
        """The share of flows that moves when this next hop leaves; from none to all where nobody knows among
        how many."""
        if self.next_hops is None:
            return Share(0.0, 1.0)
        return leaves(scheme or self.scheme, self.next_hops, self.position)


def mitigations(scenario: Scenario, case: Case) -> Iterator[Mitigation]:
    """What helps against `scenario`, in the guide's order; nothing that would change no figure."""
    return (one for one in _known(scenario, case) if one.helps)


def _known(scenario: Scenario, case: Case) -> Iterator[Mitigation]:
    course = case.course(scenario)
    if scenario is Scenario.OPERATOR_DOWN:
        yield Mitigation(scenario, "more replicas", "run the operator with two replicas", "a second pod")
    if scenario is Scenario.NO_BACKENDS and course.loss.worst:
        yield _budget(case)
    if scenario in OF_SPEAKER:
        yield from _of_speaker(scenario, case, course)
    if scenario in SILENT:
        yield from _of_silence(scenario, case, course)
    if scenario is Scenario.DESELECT and course.stale:
        yield _withdraw_first(case, course)
    if scenario is not Scenario.NO_BACKENDS and course.gone is not None:
        yield from _of_flows(scenario, case)


# --- what speaks BGP goes ----------------------------------------------------------------------------------


def _of_speaker(scenario: Scenario, case: Case, course: Course) -> Iterator[Mitigation]:
    if course.gone is None:
        return
    facts = case.facts
    if not course.stale:
        on = replace(case, facts=replace(with_graceful(facts), graceful=True))
        kept = on.course(scenario)
        off_power, on_power = (each.course(Scenario.POWER_OFF).gone for each in (case, on))
        yield Mitigation(
            scenario,
            "graceful restart on",
            "on the router, for every family"
            if facts.restart_time is not None
            else f"restartTimeSeconds: {on.facts.restart_time}",
            _dearer("after a power-off the routes go", off_power, on_power),
            Measure.GONE,
            course.gone,
            kept.gone or Span(inf, inf),
        )
    elif course.loss.worst and scenario is Scenario.RESTART and case.away is not None:
        needed = round(case.away.worst + case.readmitted + 1)
        longer = replace(case, facts=with_graceful(facts, needed))
        yield Mitigation(
            scenario,
            "longer restart time",
            f"restartTimeSeconds: {needed}",
            _dearer("after a power-off the routes go", *_powers(case, longer)),
            Measure.LOSS,
            course.loss,
            longer.course(scenario).loss,
        )
    if scenario is Scenario.UPGRADE:
        yield Mitigation(
            scenario,
            "pull the image first",
            "on every node, before the upgrade",
            "the disk that it takes",
            Measure.LOSS,
            course.loss,
            case.course(Scenario.RESTART).loss,
        )
    if case.kind is RouteClass.POD_CIDR and scenario is Scenario.AGENT_DOWN and course.loss.worst:
        yield Mitigation(
            scenario,
            "drain the node",
            f"bgpctl node drain {case.node}",
            "its pods move",
            Measure.LOSS,
            course.loss,
            AT_ONCE,
        )


# --- the node falls silent ---------------------------------------------------------------------------------


def _of_silence(scenario: Scenario, case: Case, course: Course) -> Iterator[Mitigation]:
    assert course.gone is not None, "a silent node's routes go"
    if scenario is Scenario.POWER_OFF:
        leave = case.course(Scenario.DESELECT)
        yield Mitigation(
            scenario,
            "take it out first",
            f"bgpctl node drain {case.node}",
            "the time of a drain",
            Measure.LOSS,
            course.loss,
            leave.loss,
        )
    yield from _quieter(scenario, case, course.gone)
    quick = replace(case, facts=changed(case.facts, SHORTEST))
    yield from _shorter(
        scenario,
        course.gone,
        quick,
        "hold 3, keepalive 1",
        "holdTimeSeconds: 3, keepAliveTimeSeconds: 1",
        "a node or a network that stalls for 3 s loses its sessions",
    )
    if case.facts.bfd is None:
        yield from _shorter(
            scenario,
            course.gone,
            replace(case, facts=replace(case.facts, bfd=BFD_SECONDS)),
            "BFD",
            "3 x 300 ms on both sides, by a process beside what speaks BGP",
            "where that process ends, FRR before 10.7 and BIRD drop the routes",
        )
    if case.elsewhere is False and case.kind in (RouteClass.CLUSTER, RouteClass.LOCAL):
        where = "endpoints on more nodes" if case.kind is RouteClass.LOCAL else "select more nodes"
        more = replace(case, elsewhere=True).course(scenario)
        yield Mitigation(
            scenario, "more next hops", where, "another node", Measure.LOSS, course.loss, more.loss
        )


def _quieter(scenario: Scenario, case: Case, gone: Span) -> Iterator[Mitigation]:
    """Where graceful restart or the N bit keeps the routes of a node that is dead."""
    off = replace(case, facts=without_graceful(case.facts))
    quiet = replace(case, facts=replace(case.facts, local_n=False))
    for name, how, other in (
        ("without the N bit", "no bgpctl.io/graceful-notification, or off on the router", quiet),
        ("graceful restart off", "gracefulRestart.enabled: false", off),
    ):
        after = other.course(scenario).gone
        if after is not None and after.worst < gone.worst:
            today, then = (each.course(Scenario.AGENT_DOWN).gone for each in (case, other))
            cost = (
                "a NOTIFICATION or the hold timer takes the routes of a node that forwards on"
                if today == then
                else _dearer("when its agent is down the routes go", today, then)
            )
            yield Mitigation(scenario, name, how, cost, Measure.GONE, gone, after)


def _shorter(
    scenario: Scenario, gone: Span, case: Case, name: str, how: str, cost: str
) -> Iterator[Mitigation]:
    after = case.course(scenario).gone
    if after is not None and after.worst < gone.worst:
        yield Mitigation(scenario, name, how, cost, Measure.GONE, gone, after)


def _withdraw_first(case: Case, course: Course) -> Mitigation:
    first = replace(case, close=None).course(Scenario.DESELECT)
    how = f"bgpctl node drain {case.node}, with the stack prepared for it (bgpctl providers says how)"
    return Mitigation(
        Scenario.DESELECT, "withdraw first", how, "once per cluster", Measure.GONE, course.gone, first.gone
    )


# --- flows and endpoints -----------------------------------------------------------------------------------


def _of_flows(scenario: Scenario, case: Case) -> Iterator[Mitigation]:
    """Where other next hops take over: what a better hash would save."""
    if case.elsewhere is not True or case.kind not in (RouteClass.CLUSTER, RouteClass.LOCAL):
        return
    moved, least = case.moved(), case.moved(Scheme.RESILIENT)
    if moved.worst > least.worst:
        yield Mitigation(
            scenario,
            "resilient hashing",
            "on the router, where it can",
            "buckets in its hardware; FRR on Linux has none for BGP",
            Measure.MOVED,
            Span(*moved),
            Span(*least),
        )
    if case.kind is RouteClass.CLUSTER:
        # Which of the two there is today nobody tells.
        today = [resets(moved, path, case.endpoints) for path in (Path.SNAT, Path.DSR)]
        before = Span(min(one.best for one in today), max(one.worst for one in today))
        after = resets(moved, Path.DSR_MAGLEV, case.endpoints)
        if after.worst < before.worst:
            yield Mitigation(
                scenario,
                "Maglev and DSR",
                "loadBalancer.algorithm: maglev, mode: dsr (Cilium)",
                "memory on every node; either without the other saves little or nothing",
                Measure.RESET,
                before,
                Span(*after),
            )


def _budget(case: Case) -> Mitigation:
    how = "a PodDisruptionBudget for its pods"
    if case.kind is RouteClass.LOCAL:
        how += ", and pods on more nodes"
    return Mitigation(Scenario.NO_BACKENDS, "keep an endpoint", how, "evictions may have to wait")


def _powers(one: Case, other: Case) -> tuple[Span | None, Span | None]:
    return one.course(Scenario.POWER_OFF).gone, other.course(Scenario.POWER_OFF).gone


def _dearer(what: str, today: Span | None, then: Span | None) -> str:
    """The other side of it, in one sentence."""
    if today == then or today is None or then is None:
        return "nothing else changes"
    return f"{what} within {_seconds(then)}, today within {_seconds(today)}"


def _seconds(span: Span) -> str:
    return "no time" if isinf(span.worst) else f"{span.worst:g} s"
