"""What the text and the page of a forecast say alike: times, fates, one row for what goes alike. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isinf

from bgpctl.core.timing.disruption import Share
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import (
    ELSEWHERE,
    OF_SPEAKER,
    SILENT,
    Course,
    Fate,
    RouteClass,
    Scenario,
    Span,
)
from bgpctl.core.timing.forecast import Brief, Forecast, Row
from bgpctl.core.timing.groups import Group
from bgpctl.core.timing.mitigations import Measure
from bgpctl.render import units

MEANING = {
    Scenario.AGENT_DOWN: "what speaks BGP is killed and stays away; the node forwards on",
    Scenario.RESTART: "what speaks BGP is stopped and comes back",
    Scenario.UPGRADE: "a restart with another image, which may have to be pulled first",
    Scenario.DESELECT: "node down, voluntary: no policy selects it any more; it stays on",
    Scenario.POWER_OFF: "node down, involuntary: it falls silent",
    Scenario.LINK_DOWN: "the link between router and node, which both see fail",
    Scenario.REMOTE_LINK_DOWN: "a link further away: neither side sees it fail",
    Scenario.OPERATOR_DOWN: "nobody allocates addresses and PodCIDRs",
    Scenario.NO_BACKENDS: "a Service loses its last endpoint",
}
NEVER = "until mended"
ALONE = "alone"  # routes that no other node announces


def seconds(of: float) -> str:
    """A time as people read it."""
    return NEVER if isinf(of) else units.duration(of)


def span(of: Span | None, never: str = "-") -> str:
    """`59 s–1m30s`, to a tenth of a second, the best case rounded down and the worst one up; one time where
    both are the same; `0 s or more` where nobody knows how long."""
    if of is None:
        return never
    best, worst = (seconds(_tenths(time, to)) for time, to in zip(of, (floor, ceil), strict=True))
    if isinf(of.worst) and not isinf(of.best):
        return f"{best} or more"
    return best if best == worst else f"{best}–{worst}"


def _tenths(of: float, to: Callable[[float], int]) -> float:
    return of if isinf(of) else to(round(of * 10, 6)) / 10


def percent(of: Share) -> str:
    """`33–67 %`."""
    best, worst = (_part(part) for part in of)
    return f"{worst} %" if best == worst or worst == "<1" else f"{best}–{worst} %"


def _part(share: float) -> str:
    return "<1" if 0 < share < 0.01 else f"{share * 100:.0f}"


def at_worst(of: Span | None, measure: Measure) -> str:
    """The worse end of a mitigation's figure: `gone in 2m9s`, `67 % moved`."""
    if of is None:
        return "-"
    match measure:
        case Measure.MOVED | Measure.RESET:
            verb = "moved" if measure is Measure.MOVED else "reset"
            return f"{_part(of.worst)} % {verb}"
        case Measure.LOSS:
            return f"lost {seconds(of.worst)}" if of.worst else "nothing lost"
    return "they stay" if isinf(of.best) else f"gone in {seconds(of.worst)}"


def lost(course: Course | None) -> str:
    """For how long traffic is lost."""
    return "" if course is None else span(course.loss) if course.loss.worst else "none"


def gone(course: Course | None) -> str:
    """When the routes leave the router."""
    return "" if course is None else span(course.gone, "they stay")


def fate(course: Course) -> str:
    """`black-holed, redirected`: until the routes are gone, and after that; with a `?` where nobody knows."""
    first, then = (_FATES.get(each, str(each)) for each in (course.meanwhile, course.then))
    if course.gone is None or first == then:
        return first
    return f"{first}, {then}{'?' if ELSEWHERE in course.unknown else ''}"


_FATES = {Fate.RESET: "refused"}


def kinds(of: Iterable[Group], every: Iterable[Group] = ()) -> str:
    """Several classes of routes in one word, where there is one: `all` that there are, `alone` what nobody
    else announces, be it a PodCIDR or an address of a Service."""
    groups, everything = tuple(of), tuple(every)
    found = dict.fromkeys(group.kind for group in groups)
    if len(found) > 1 and set(groups) == set(everything):
        return "all"
    if all(group.elsewhere is False for group in groups) and set(found) != {RouteClass.POD_CIDR}:
        return ALONE
    both = {RouteClass.CLUSTER, RouteClass.LOCAL}
    return "Services" if set(found) == both else ", ".join(found)


def against(scenarios: Iterable[Scenario]) -> str:
    """Several events in a few words."""
    found = frozenset(scenarios)
    if len(found) == 1:
        return str(next(iter(found)))
    for some, word in ((OF_SPEAKER, "agent away"), (SILENT, "dead node or link")):
        if found <= set(some):
            return word
    return "any of these"


@dataclass(frozen=True, slots=True)
class Alike:
    """Rows of one scenario that go the same way: one of them, and in a word which routes all of them are."""

    row: Row
    routes: str

    @property
    def course(self) -> Course:
        """Today's."""
        return self.row.course

    @property
    def changed(self) -> Course | None:
        """With other settings."""
        return self.row.changed


def merged(forecast: Forecast) -> dict[tuple[str, ...], list[Alike]]:
    """The rows, one for all that are shown alike, by the routers (their addresses) at which all is alike."""
    found: dict[tuple[object, ...], tuple[list[str], list[Alike]]] = {}
    for router in forecast.subject.routers:
        rows = _merged((row for row in forecast.rows if row.router is router), router.groups)
        same = tuple((_timing(one.row), one.routes) for one in rows)
        if rows:
            found.setdefault(same, ([], rows))[0].append(router.facts.address)
    return {tuple(addresses): rows for addresses, rows in found.values()}


def _merged(rows: Iterable[Row], every: Iterable[Group]) -> list[Alike]:
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(_timing(row), []).append(row)
    return [Alike(some[0], kinds((row.group for row in some), every)) for some in found.values()]


def _timing(row: Row) -> tuple[object, ...]:
    courses = (one for one in (row.course, row.changed) if one is not None)
    return row.course.scenario, *(
        (one.lost, one.gone, one.back, one.meanwhile, one.then, one.loss) for one in courses
    )


_ANSWERS = {True: "", False: " (the router has none)", None: " (not known of the router)"}
_BITS = {True: ", N bit on both sides", False: ", N bit on our side only", None: ", our N bit"}


def negotiated(facts: PeerFacts) -> str:
    """`hold time 90 s, graceful restart 120 s, N bit on both sides`."""
    parts = f"hold time {facts.hold_time} s, "
    if facts.restart_time is None:
        parts += "no graceful restart"
    else:
        parts += f"graceful restart {facts.restart_time} s{_ANSWERS[facts.graceful]}"
        parts += _BITS[facts.peer_n] if facts.local_n and facts.graceful is not False else ""
    parts += f", long-lived {units.duration(facts.long_lived)}" if facts.long_lived else ""
    return parts + ("" if facts.negotiated else " (from the policy)")


def summary(forecast: Forecast) -> str:
    """The event that costs most of what other nodes then answer, else what else is lost, in one sentence."""
    if not forecast.rows:
        return f"{forecast.node}: no router has a route of it, so no failure of it costs traffic"
    answered = [row.course for row in forecast.rows if row.course.redirected and row.course.loss.worst]
    if answered:
        most = max(answered, key=lambda course: course.loss.worst)
        told = f"{most.scenario} costs most, up to {seconds(most.loss.worst)} of what other nodes then answer"
        return f"{forecast.node}: {told} (all estimated)"
    lost = [row for row in forecast.rows if row.course.loss.worst]
    if not lost:
        return f"{forecast.node}: none of this loses traffic (all estimated)"
    if any(row.group.elsewhere is None for row in lost):
        return f"{forecast.node}: whether other nodes would answer is not known (all estimated)"
    routes = kinds(row.group for row in lost)
    return f"{forecast.node}: what is lost ({routes}) nobody else answers (all estimated)"


def brief_summary(briefs: Sequence[Brief]) -> str:
    """How many nodes there are, and which costs most."""
    known = [one for one in briefs if not one.problem]
    if not known:
        return "no node has a BGP peer that anything is known of"
    first = known[0]
    course = max(first.courses.values(), key=lambda each: each.loss.worst)
    nodes = units.count(len(known), "node")
    if not course.loss.worst:
        return f"{nodes}: none of this loses traffic that other nodes answer (all estimated)"
    lasts = NEVER if isinf(course.loss.worst) else f"for up to {seconds(course.loss.worst)}"
    return f"{nodes}: {course.scenario} of {first.node} costs most, traffic is lost {lasts} (all estimated)"
