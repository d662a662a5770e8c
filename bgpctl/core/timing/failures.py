"""What one failure does to one class of routes at one router: a timeline, and what traffic does meanwhile.

The scenarios of the operation guide (operation-guide.rst: "Restarting an Agent", "Shutting Down a Node",
"Failure Scenarios"). How long a router keeps routes comes from `withdrawal.estimate` alone; here stands what
that means for traffic. Pure; durations are seconds from the event, `inf` = never, or not by itself.

**For drills** (`bgpctl lab drill`): `foretell` is the whole interface. It takes one scenario, what was
negotiated with one router (`PeerFacts`) and one class of routes, and gives a `Course`: `loss` is for how
long requests through this router are lost, at best and at worst; `redirected` says that they are answered by
other nodes after that. What is known of the drill itself goes in as well: `away`, for how long what failed is
away; `elsewhere`, whether another node announces the same addresses; `close` and `soak`, how its speaker
leaves. Of several next hops the one of this node is meant: the share of flows that it has is in
`disruption.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import NamedTuple

from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.core.timing.withdrawal import MARGIN, PROCESSING_WORST, Close, Estimate, Event, estimate


class Span(NamedTuple):
    """Seconds, at best and at worst."""

    best: float
    worst: float


AT_ONCE = Span(0.0, 0.0)
FOR_EVER = Span(inf, inf)


class Scenario(StrEnum):
    """The guide's failures. Its "Node Down" is two: voluntary is `DESELECT`, involuntary `POWER_OFF`."""

    AGENT_DOWN = "agent-down"  # what speaks BGP is killed; the node forwards on
    RESTART = "restart"  # the same on purpose, and it comes back
    UPGRADE = "upgrade"  # a restart with another image, which may have to be pulled first
    DESELECT = "deselect"  # no policy selects the node any more, and it stays on
    POWER_OFF = "power-off"  # the node falls silent
    LINK_DOWN = "link-down"  # the link between router and node, which both see
    REMOTE_LINK_DOWN = "remote-link-down"  # one behind a switch: nobody sees it
    OPERATOR_DOWN = "operator-down"  # nobody allocates PodCIDRs and addresses of Services
    NO_BACKENDS = "no-backends"  # a Service loses all its endpoints


class RouteClass(StrEnum):
    """What routes lead to. `CLUSTER`, `LOCAL`: addresses of Services, by their traffic policy. `UNKNOWN`: the
    stack does not tell what it announces."""

    POD_CIDR = "PodCIDR"
    CLUSTER = "Cluster"
    LOCAL = "Local"
    UNKNOWN = "unknown"


class Fate(StrEnum):
    """What becomes of traffic towards these routes, at this router."""

    UNHARMED = "unharmed"  # it arrives, and is answered
    REDIRECTED = "redirected"  # other nodes get it; the router's hash may move and so reset connections
    BLACK_HOLED = "black-holed"  # the router goes on sending it where nobody answers
    UNREACHABLE = "unreachable"  # the router has no route any more
    RESET = "reset"  # it arrives at a node that refuses it, for want of an endpoint


ELSEWHERE = "whether another node announces the same addresses"
READMISSION = "how soon the router takes the session again"
WATCHED = "whether the router watches its link"

# By when a router has the session again, once bgpctl's speaker is there and if it does not refuse it: GoBGP
# 5.5 s, others 3 s (docs/routers.md).
READMITTED = 6.0
# The same for another stack's speaker, which may wait before it connects: a GoBGP, which is Cilium's, 5 s
# after its start (holdtimeIdle), a BIRD 5 s (connect delay time); measured on a GoBGP up to 8 s.
READMITTED_OTHER = 12.0
# For how long a router may refuse it that is not known: BIRD's `Profile.error_wait`, the longest one.
LONGEST_REFUSAL = 300.0

_EVENTS = {
    Scenario.AGENT_DOWN: Event.CRASH,
    Scenario.RESTART: Event.RESTART,
    Scenario.UPGRADE: Event.RESTART,
    Scenario.DESELECT: Event.DESELECT,
    Scenario.POWER_OFF: Event.POWER_OFF,
    Scenario.LINK_DOWN: Event.LINK_DOWN,
    Scenario.REMOTE_LINK_DOWN: Event.POWER_OFF,
    Scenario.NO_BACKENDS: Event.WITHDRAW,
}
SILENT = (Scenario.POWER_OFF, Scenario.LINK_DOWN, Scenario.REMOTE_LINK_DOWN)
"""In which the node answers nobody from the first second."""

OF_SPEAKER = (Scenario.AGENT_DOWN, Scenario.RESTART, Scenario.UPGRADE)
"""In which what speaks BGP is away, and the node forwards on."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one scenario goes for one class of routes at one router. Seconds from the event.

    `lost`: when the session ends, None = it stays. `gone`: when the routes have left the router, None = they
    never do; from `lost` until then they are stale. `back`: when they are there again, None = not by itself.
    `meanwhile` is what traffic does until `gone`, `then` from there until `back`. `loss`: for how long it is
    lost, `inf` = until somebody mends it. `why` is one sentence; `unknown` names what was taken at its worst.
    """

    scenario: Scenario
    kind: RouteClass
    lost: Span | None
    gone: Span | None
    back: Span | None
    meanwhile: Fate
    then: Fate
    loss: Span
    why: str
    unknown: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Does the router keep the routes of a session that has ended?"""
        return self.lost is not None and self.gone is not None and self.gone.worst > self.lost.worst

    @property
    def redirected(self) -> bool:
        """Is traffic answered by other nodes, once the routes are gone?"""
        return self.gone is not None and self.then is Fate.REDIRECTED


def foretell(
    scenario: Scenario,
    facts: PeerFacts,
    kind: RouteClass,
    profile: Profile = UNKNOWN_ROUTER,
    *,
    elsewhere: bool | None = None,
    away: Span | None = None,
    close: Close | None = None,
    soak: float = 0.0,
    readmitted: float = READMITTED,
) -> Course:
    """The course of `scenario` for the routes of class `kind` at the router `facts.peer`.

    `elsewhere`: does another node announce the same addresses to this router? None = nobody knows, which
    counts as no; nobody else announces a PodCIDR. `away`: for how long what failed is away, None = it does
    not come back by itself. `close` and `soak` are those of `estimate`, for DESELECT. `readmitted`: by when,
    at worst, a session is there again after what speaks BGP is.
    """
    if scenario is Scenario.OPERATOR_DOWN:
        return _untouched(scenario, kind, _ALLOCATION)
    if scenario is Scenario.NO_BACKENDS:
        return _no_backends(facts, kind, profile, away or FOR_EVER)
    if scenario in OF_SPEAKER and facts.engine_stays:
        return _untouched(scenario, kind, _ENGINE)
    found = _routes(scenario, facts, profile, close, soak)
    gone, unknown = Span(found.best, found.worst), found.unknown
    alone = replace(facts, graceful=False, restart_time=None, long_lived=None)
    lost = _routes(scenario, alone, profile, close, soak)
    back, unsure = _back(away, gone.best > lost.worst, profile, readmitted)
    if kind is RouteClass.POD_CIDR:
        elsewhere = False
    if elsewhere is None:
        unknown += (ELSEWHERE,)
    meanwhile = Fate.BLACK_HOLED if scenario in SILENT else Fate.UNHARMED
    then = Fate.REDIRECTED if elsewhere else Fate.UNREACHABLE
    kept = meanwhile is Fate.UNHARMED and back is not None and back.worst <= gone.best
    worst = _loss(meanwhile, then, gone, back).worst
    best = _loss(meanwhile, then if elsewhere is not None else Fate.REDIRECTED, gone, back).best
    return Course(
        scenario,
        kind,
        Span(lost.best, lost.worst),
        None if kept else gone,
        back,
        meanwhile,
        meanwhile if kept else then,
        Span(best, worst),
        found.why,
        tuple(dict.fromkeys((*unknown, *unsure))),
    )


def _routes(
    scenario: Scenario, facts: PeerFacts, profile: Profile, close: Close | None, soak: float
) -> Estimate:
    """Until when the router has the routes."""
    event = _EVENTS[scenario]
    if scenario is Scenario.LINK_DOWN and profile.watches_link is False:
        event = Event.POWER_OFF
    found = estimate(event, facts, profile, close=close if event is Event.DESELECT else None, soak=soak)
    if event is not Event.LINK_DOWN:
        return found
    if profile.watches_link:
        why = f"{profile.product} drops the next hops of its own link at once, graceful restart or not."
        return replace(found, worst=min(found.worst, PROCESSING_WORST), why=why, unknown=())
    return replace(found, unknown=(WATCHED, *found.unknown))


def _back(
    away: Span | None, graceful: bool, profile: Profile, readmitted: float
) -> tuple[Span | None, tuple[str, ...]]:
    """When the routes are there again, and what is unknown of it."""
    if away is None or away.best == inf:
        return None, ()
    if graceful:
        return Span(away.best, away.worst + readmitted), ()
    if profile.error_wait is None:
        return Span(away.best, away.worst + LONGEST_REFUSAL), (READMISSION,)
    return Span(away.best, away.worst + profile.error_wait[1] + readmitted), ()


def _loss(meanwhile: Fate, then: Fate, gone: Span, back: Span | None) -> Span:
    """For how long traffic is lost: while it is black-holed, and while there is no route."""
    back = back or FOR_EVER
    if meanwhile is Fate.BLACK_HOLED:
        if then is Fate.UNREACHABLE:
            return back
        return Span(min(gone.best, back.best), min(gone.worst, back.worst))
    if then is Fate.REDIRECTED:
        return AT_ONCE
    latest = max(gone.best, gone.worst - MARGIN + PROCESSING_WORST)  # without what only a wait needs
    return Span(max(0.0, back.best - latest), max(0.0, back.worst - gone.best))


_ALLOCATION = (
    "No session ends, and what is announced stays announced; addresses and PodCIDRs are neither given nor "
    "taken away, and what an operator does on a change of labels is not done."
)
_ENGINE = "Its ExaBGP is a process of its own and keeps every session, provided that it does not end too."
_REFUSED = (
    "A Service whose traffic policy is Cluster stays announced by every node, and the nodes refuse what "
    "arrives (operation guide, Service Losing All Backends)."
)


def _untouched(scenario: Scenario, kind: RouteClass, why: str) -> Course:
    return Course(scenario, kind, None, None, None, Fate.UNHARMED, Fate.UNHARMED, AT_ONCE, why)


def _no_backends(facts: PeerFacts, kind: RouteClass, profile: Profile, away: Span) -> Course:
    """Of a Service that only this node has endpoints of, or that has none anywhere. The session stays."""
    here, back = Scenario.NO_BACKENDS, None if away.best == inf else away
    if kind is RouteClass.POD_CIDR:
        return _untouched(here, kind, "A PodCIDR is announced whatever pods there are.")
    if kind is RouteClass.CLUSTER:
        return Course(here, kind, None, None, back, Fate.RESET, Fate.RESET, away, _REFUSED)
    found = _routes(here, facts, profile, None, 0.0)
    gone, unknown = Span(found.best, found.worst), found.unknown
    if kind is RouteClass.UNKNOWN:
        unknown = (*unknown, "the traffic policy of its Services")
    return Course(here, kind, None, gone, back, Fate.RESET, Fate.UNREACHABLE, away, found.why, unknown)
