"""`forecast -o html`: one page, a timeline per node. No script, nothing from elsewhere, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from math import isinf

from bgpctl.core.timing.failures import Course
from bgpctl.core.timing.forecast import Brief, Forecast
from bgpctl.render import forecast as tables
from bgpctl.render import forecast_words as words
from bgpctl.render import timeline
from bgpctl.render.timeline import document, html_table, paragraph, shown

LEAD = "Estimated by bgpctl forecast: from what was negotiated, at best and at worst."


def page(forecasts: Sequence[Forecast]) -> str:
    """The whole document."""
    several = len(forecasts) > 1
    title = f"{len(forecasts)} nodes" if several else ", ".join(one.node for one in forecasts)
    body = "".join((f"<h2>{shown(one.node)}</h2>\n" if several else "") + _node(one) for one in forecasts)
    return document(f"What failures would cost {title}", LEAD, body)


def brief_page(briefs: Sequence[Brief]) -> str:
    """The same for a summary of many nodes."""
    header, rows = tables.alike(briefs)
    problems = "".join(paragraph(f"{one.node}: {one.problem}") for one in briefs if one.problem)
    body = (
        html_table(header, rows)
        + paragraph(tables.ALIKE, "dim")
        + problems
        + paragraph(words.brief_summary(briefs))
    )
    return document("What failures would cost every node", LEAD, body)


def _node(one: Forecast) -> str:
    routers = [(router.facts.address, words.negotiated(router.facts)) for router in one.subject.routers]
    unknown = f"Unknown and taken at its worst: {', '.join(one.unknown)}." if one.unknown else ""
    parts = (
        paragraph(words.summary(one)),
        html_table(("ROUTER", "SESSION"), routers),
        _timeline(one),
        paragraph(f"Thinner bars: with {one.settings.told}." if one.settings else "", "dim"),
        html_table((*tables.HELPS, "HOW", "COST"), tables.helps(one, whole=True)),
        html_table(*tables.routes(one)),
        html_table(*tables.flows(one)),
        *(paragraph(note) for note in one.subject.notes),
        paragraph(unknown, "dim"),
    )
    return "".join(parts)


# --- the picture -------------------------------------------------------------------------------------------


def _timeline(one: Forecast) -> str:
    """A picture for all routers that are alike."""
    merged = words.merged(one)
    longest = max((_longest(course) for rows in merged.values() for course in _courses(rows)), default=0.0)
    return "".join(
        (paragraph(f"Router {', '.join(addresses)}", "dim") if len(merged) > 1 else "")
        + timeline.picture(f"Timelines of {one.node}", list(_rows(rows)), longest)
        for addresses, rows in merged.items()
    )


def _rows(rows: Sequence[words.Alike]) -> Iterator[timeline.Row]:
    """One per event and class of routes; with other settings, what those make of it below."""
    before = None
    for row in rows:
        event = "" if row.course.scenario is before else str(row.course.scenario)
        made = timeline.Row(event, row.routes, row.course, _told(row.course))
        if (changed := row.changed) is not None:
            made = made._replace(below=partial(timeline.bar, changed), below_told=f"then {_told(changed)}")
        yield made
        before = row.course.scenario


def _courses(rows: Iterable[words.Alike]) -> Iterator[Course]:
    for row in rows:
        yield row.course
        if row.changed is not None:
            yield row.changed


def _longest(course: Course) -> float:
    spans = (course.gone, course.back)
    return max((time for span in spans if span for time in span if not isinf(time)), default=0.0)


def _told(course: Course) -> str:
    loss = words.lost(course)
    return "nothing lost" if loss == "none" else f"lost {loss}"
