"""What every failure would cost one node: the guide's scenarios, for each router and class of routes. Pure.

`failures.foretell` tells one course; here they are told for all that is known of a node, beside what they
would be with other settings, with what helps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bgpctl.core.model import Family
from bgpctl.core.state import PeerState
from bgpctl.core.timing.disruption import NOTHING, Path, Scheme, Share, resets, returns
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import READMITTED, Course, RouteClass, Scenario, Span
from bgpctl.core.timing.groups import Group
from bgpctl.core.timing.mitigations import Case, Mitigation, mitigations
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.core.timing.whatif import Settings, changed
from bgpctl.core.timing.withdrawal import Close

EXPECTED = Span(1.0, 30.0)
"""For how long a restart takes what speaks BGP away, where nobody says: as `speaker restart` expects."""

NODE_DOWN = "node-down"
"""The guide's "Node Down", which is two scenarios."""

WORDS: Mapping[str, tuple[Scenario, ...]] = {
    **{str(scenario): (scenario,) for scenario in Scenario},
    NODE_DOWN: (Scenario.DESELECT, Scenario.POWER_OFF),
}

SUMMED_UP = (Scenario.AGENT_DOWN, Scenario.DESELECT, Scenario.POWER_OFF, Scenario.LINK_DOWN)
"""What a summary of many nodes tells, if not asked for others."""


@dataclass(frozen=True, slots=True)
class Router:
    """One peer of a node: what was negotiated, what it is, and the routes that it gets. `uncovered`: the
    families that graceful restart was not negotiated for (RFC 4724 section 3)."""

    facts: PeerFacts
    groups: tuple[Group, ...]
    profile: Profile = UNKNOWN_ROUTER
    scheme: Scheme = Scheme.UNKNOWN
    uncovered: frozenset[Family] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """All that is known of one node. `pods`: those with addresses of their own, None = not known. `close`,
    `soak`: how its speaker leaves. `pending`: Services that wait for an address. `notes`: sentences that a
    reader must know first. `readmitted` as in `foretell`."""

    node: str
    routers: tuple[Router, ...]
    pods: int | None = None
    close: Close | None = None
    soak: float = 0.0
    away: Span = EXPECTED
    pending: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    readmitted: float = READMITTED


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario, for one group of routes at one router. `changed`: its course with other settings, None =
    none were asked for. Shares of flows: `moved` when this next hop leaves, `returned` when it is back, and
    per `Path` of what moves then, what is reset: `reset`, and `reset_back`."""

    router: Router
    group: Group
    course: Course
    changed: Course | None = None
    moved: Share = NOTHING
    returned: Share = NOTHING
    reset: Mapping[Path, Share] = field(default_factory=dict)
    reset_back: Mapping[Path, Share] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One node's. `advice`: what helps, each once per scenario, by its worst router."""

    subject: Subject
    rows: tuple[Row, ...]
    advice: tuple[Mitigation, ...] = ()
    settings: Settings | None = None

    @property
    def node(self) -> str:
        """Its name."""
        return self.subject.node

    @property
    def unknown(self) -> tuple[str, ...]:
        """What was taken at its worst, in any row."""
        names = (name for row in self.rows for name in row.course.unknown)
        hashed = any(row.moved != NOTHING and row.router.scheme is Scheme.UNKNOWN for row in self.rows)
        return tuple(dict.fromkeys((*names, *((HASHING,) if hashed else ()))))


HASHING = "how the router spreads flows over next hops (--scheme)"


def forecast(subject: Subject, scenarios: Sequence[Scenario], settings: Settings | None = None) -> Forecast:
    """Every scenario times every router and group of routes."""
    cases = [
        (router, group, _case(subject, router, group))
        for router in subject.routers
        for group in router.groups
    ]
    rows = tuple(
        _row(scenario, router, group, case, settings)
        for scenario in scenarios
        for router, group, case in cases
        if _concerned(scenario, group)
    )
    advice = tuple(one for scenario in scenarios for one in _advice(scenario, [case for _, _, case in cases]))
    return Forecast(subject, rows, advice, settings)


def uncovered(peer: PeerState) -> frozenset[Family]:
    """The families of the session that a graceful restart of ours does not keep."""
    local = peer.session.local_gr
    kept = {family for family, _ in local.families} if local else set()
    return frozenset(set(peer.session.families) - kept) if kept else frozenset()


def _case(subject: Subject, router: Router, group: Group) -> Case:
    facts = router.facts
    if group.family in router.uncovered:
        facts = replace(facts, graceful=False)
    return Case(
        facts=facts,
        kind=group.kind,
        profile=router.profile,
        elsewhere=group.elsewhere,
        away=subject.away,
        close=subject.close,
        soak=subject.soak,
        next_hops=group.next_hops,
        position=group.position,
        scheme=router.scheme,
        endpoints=group.of_each,
        node=subject.node,
        readmitted=subject.readmitted,
    )


def _concerned(scenario: Scenario, group: Group) -> bool:
    """A PodCIDR has no endpoints to lose."""
    return scenario is not Scenario.NO_BACKENDS or group.kind is not RouteClass.POD_CIDR


def _row(scenario: Scenario, router: Router, group: Group, case: Case, settings: Settings | None) -> Row:
    course = case.course(scenario)
    other = replace(case, facts=changed(case.facts, settings)).course(scenario) if settings else None
    if not course.redirected and not (course.gone and group.elsewhere is None):
        return Row(router, group, course, other)
    moved = case.moved()
    back = (
        Share(0.0, 1.0) if group.next_hops is None else returns(case.scheme, group.next_hops, group.position)
    )
    return Row(router, group, course, other, moved, back, _resets(group, moved), _resets(group, back))


def _resets(group: Group, moved: Share) -> Mapping[Path, Share]:
    ways = {
        RouteClass.LOCAL: (Path.LOCAL,),
        RouteClass.CLUSTER: (Path.SNAT, Path.DSR, Path.DSR_MAGLEV),
        RouteClass.UNKNOWN: tuple(Path),
    }
    return {path: resets(moved, path, group.of_each) for path in ways.get(group.kind, ())}


def _advice(scenario: Scenario, cases: Sequence[Case]) -> Iterator[Mitigation]:
    """Each piece once: by the routes to which it matters most."""
    found: dict[str, Mitigation] = {}
    for case in cases:
        for one in mitigations(scenario, case):
            known = found.get(one.name)
            if known is None or _saves(one) > _saves(known):
                found[one.name] = one
    yield from found.values()


def _saves(one: Mitigation) -> float:
    """How much of its worst case it takes away, or adds to the time in which routes are kept."""
    if one.before is None or one.after is None:
        return 0.0
    if one.before.worst == one.after.worst:
        return 0.0
    return abs(min(one.before.worst, 1e9) - min(one.after.worst, 1e9))


def worst_loss(rows: Sequence[Row]) -> float:
    """Seconds of lost traffic at worst, over all rows; `inf` = until somebody mends it."""
    return max((row.course.loss.worst for row in rows), default=0.0)


def gone_at_worst(rows: Sequence[Row]) -> float | None:
    """Seconds until the last of the routes is gone, at worst; None = none ever goes."""
    times = [row.course.gone.worst for row in rows if row.course.gone]
    return max(times) if times else None


# --- many nodes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Brief:
    """One of many nodes. `courses`: by scenario, of an address that other nodes announce too. `alone`: how
    many addresses of Services it alone announces, None = not known. `problem`: why nothing is known of it, ""
    = something is."""

    node: str
    courses: Mapping[Scenario, Course]
    peers: int = 0
    alone: int | None = None
    problem: str = ""

    @property
    def lost(self) -> float:
        """Seconds of lost traffic at worst, in any of the scenarios, though other nodes would answer."""
        return max((course.loss.worst for course in self.courses.values()), default=0.0)


def brief(
    subject: Subject, scenarios: Sequence[Scenario], settings: Settings | None = None
) -> Mapping[Scenario, Course]:
    """By scenario, the worst course over all routers, of an address that other nodes announce too."""
    found = {}
    for scenario in scenarios:
        courses = [_shared(scenario, subject, router, settings) for router in subject.routers]
        if courses:
            found[scenario] = max(courses, key=_worse)
    return found


def _shared(scenario: Scenario, subject: Subject, router: Router, settings: Settings | None) -> Course:
    facts = changed(router.facts, settings) if settings else router.facts
    case = Case(
        facts,
        RouteClass.CLUSTER,
        router.profile,
        True,
        subject.away,
        subject.close,
        subject.soak,
        readmitted=subject.readmitted,
    )
    return case.course(scenario)


def _worse(course: Course) -> tuple[float, float]:
    return course.loss.worst, course.gone.worst if course.gone else -1.0
