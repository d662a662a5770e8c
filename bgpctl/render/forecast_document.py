"""`forecast -o json`: the rows of a node with every instant, and what helps; the nodes of a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.timing.disruption import NOTHING, Path, Share
from bgpctl.core.timing.failures import Course, Span
from bgpctl.core.timing.forecast import Brief, Forecast, Row
from bgpctl.core.timing.mitigations import Mitigation
from bgpctl.render import forecast_words as words
from bgpctl.render.envelope import Document, envelope, present

COMMAND = "forecast"


def document(forecasts: Sequence[Forecast]) -> Document:
    """Seconds from the event; null = nothing ever ends it. Shares are parts of all flows, 0 to 1."""
    return envelope(COMMAND, "done", proof="estimated", nodes=[_node(one) for one in forecasts])


def _node(one: Forecast) -> Document:
    return present(
        node=one.node,
        message=words.summary(one),
        pods=one.subject.pods,
        set=one.settings.told if one.settings else None,
        rows=[_row(row) for row in one.rows],
        advice=[_mitigation(advice) for advice in one.advice],
        pendingServices=list(one.subject.pending),
        unknown=list(one.unknown),
        notes=list(one.subject.notes),
    )


def _row(row: Row) -> Document:
    group = row.group
    return {
        **present(
            event=str(row.course.scenario),
            peer=row.router.facts.peer,
            peerAddress=row.router.facts.address,
            family=str(group.family) if group.family else None,
            routes=str(group.kind),
            count=group.prefixes,
            nextHops=group.next_hops,
            position=group.position,
            elsewhere=group.elsewhere,
            services=list(group.services),
            endpoints=group.endpoints,
            negotiated=row.router.facts.negotiated,
            scheme=str(row.router.scheme),
        ),
        "today": _course(row.course),
        **({"with": _course(row.changed)} if row.changed else {}),
        **(_shares(row) if row.moved != NOTHING else {}),
    }


def _course(course: Course) -> Document:
    return {
        **present(
            sessionLost=_pair(course.lost), routesGone=_pair(course.gone), routesBack=_pair(course.back)
        ),
        "stale": course.stale,
        "meanwhile": str(course.meanwhile),
        "then": str(course.then),
        "trafficLost": _pair(course.loss),
        "why": course.why,
        "unknown": list(course.unknown),
    }


def _pair(of: Span | Share | None) -> Document | None:
    return None if of is None else {"best": of.best, "worst": of.worst}


def _shares(row: Row) -> Mapping[str, Any]:
    return {
        "flowsMoved": _pair(row.moved),
        "flowsMovedBack": _pair(row.returned),
        "connectionsReset": _by_path(row.reset),
        "connectionsResetBack": _by_path(row.reset_back),
    }


def _by_path(shares: Mapping[Path, Share]) -> Mapping[str, Any]:
    return {str(path): _pair(share) for path, share in shares.items()}


def _mitigation(one: Mitigation) -> Document:
    return present(
        event=str(one.scenario),
        name=one.name,
        how=one.how,
        cost=one.cost,
        measure=str(one.measure) if one.before is not None else None,
        unit=("share" if one.measure.share else "seconds") if one.before is not None else None,
        today=_pair(one.before),
        then=_pair(one.after),
    )


def brief_document(briefs: Sequence[Brief]) -> Document:
    """The nodes, what costs most first."""
    return envelope(
        COMMAND, "done", proof="estimated", message=words.brief_summary(briefs), nodes=list(_briefs(briefs))
    )


def _briefs(briefs: Sequence[Brief]) -> Iterator[Document]:
    for one in briefs:
        events = {str(scenario): _course(course) for scenario, course in one.courses.items()}
        yield present(
            node=one.node, peers=one.peers, alone=one.alone, events=events, problem=one.problem or None
        )
