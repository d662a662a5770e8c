"""`forecast`: what every failure would cost: tables for a node, a summary for all, and their documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bgpctl.core.timing.disruption import NOTHING
from bgpctl.core.timing.failures import Scenario
from bgpctl.core.timing.forecast import Brief, Forecast
from bgpctl.core.timing.groups import Group
from bgpctl.core.timing.mitigations import Mitigation
from bgpctl.render import forecast_words as words
from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import write_text
from bgpctl.render.forecast_document import brief_document, document
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, line, prose
from bgpctl.render.text import Span as Piece

ROUTES = ("ROUTES", "FAMILY", "COUNT", "NEXT HOPS", "ENDPOINTS", "SERVICES")
FLOWS = ("FLOWS TO", "FORWARDED BY", "MOVED", "RESET", "MOVED BACK", "RESET BACK")
HELPS = ("WHAT HELPS", "AT WORST TODAY", "THEN", "AGAINST")


# --- one node, or several ----------------------------------------------------------------------------------


def text(forecasts: Sequence[Forecast], *, detail: bool = False, width: int | None = None) -> list[Line]:
    """Per node: its routers, its events, its routes with what a rehash costs them, and what helps. `detail`:
    every event with every instant, why, and how to do what helps."""
    lines: list[Line] = []
    for one in forecasts:
        events = _details(one, width) if detail else _events(one, width)
        helps = [] if detail else _helps(one, width)
        sections = (
            _head(one, width),
            *events,
            _routes(one, width),
            _flows(one, width),
            helps,
            _notes(one, width),
        )
        for section in filter(None, sections):
            lines += [*section, line("")]
        lines += [*prose(words.summary(one), width, "bold"), line("")]
    return lines[:-1]


def _head(one: Forecast, width: int | None) -> list[Line]:
    subject = one.subject
    parts = [units.count(len(subject.routers), "router")]
    parts += [] if subject.pods is None else [units.count(subject.pods, "pod")]
    rows = [[router.facts.address, words.negotiated(router.facts)] for router in subject.routers]
    title = line(Piece(one.node, "bold"), Piece(f"  {', '.join(parts)}", "dim"))
    beside = prose(f"Beside today, WITH {one.settings.told}", width) if one.settings else []
    return [title, *table(("ROUTER", "SESSION"), rows, width=width), *beside]


Column = tuple[str, Callable[[words.Alike], str]]


def _columns(one: Forecast, rows: Sequence[words.Alike], *, detail: bool) -> list[Column]:
    """What distinguishes these rows."""
    columns: list[Column] = [("ROUTES", lambda row: row.routes)]
    if one.settings:
        return [
            *columns,
            ("GONE TODAY", lambda row: words.gone(row.course)),
            ("GONE WITH", lambda row: words.gone(row.changed)),
            ("LOST TODAY", lambda row: words.lost(row.course)),
            ("LOST WITH", lambda row: words.lost(row.changed)),
        ]
    if detail:
        columns.append(("SESSION LOST", lambda row: words.span(row.course.lost, "it stays")))
    columns.append(("ROUTES GONE", lambda row: words.gone(row.course)))
    if detail and any(row.course.back for row in rows):
        columns.append(("BACK", lambda row: words.span(row.course.back)))
    return [
        *columns,
        ("TRAFFIC LOST", lambda row: words.lost(row.course)),
        ("UNTIL GONE, THEN", lambda row: words.fate(row.course)),
    ]


def _events(one: Forecast, width: int | None) -> Iterator[list[Line]]:
    """A table for all routers that are alike; an event stands in the first of its rows."""
    merged = words.merged(one)
    for addresses, rows in merged.items():
        columns, cells, before = _columns(one, rows, detail=False), list[list[str]](), None
        for row in rows:
            scenario = row.course.scenario
            cells.append(["" if scenario is before else str(scenario), *(cell(row) for _, cell in columns)])
            before = scenario
        title = [_of(addresses)] if len(merged) > 1 else []
        yield [*title, *table(("EVENT", *(name for name, _ in columns)), cells, width=width)]


def _of(addresses: Sequence[str]) -> Line:
    return line(Piece(f"Router {', '.join(addresses)}", "dim"))


def _details(one: Forecast, width: int | None) -> Iterator[list[Line]]:
    """An event at a time: its rows at each router, why, and what helps."""
    merged = words.merged(one)
    for scenario in dict.fromkeys(row.course.scenario for row in one.rows):
        lines = [line(Piece(str(scenario), "bold"), Piece(f"  {words.MEANING[scenario]}", "dim"))]
        for addresses, rows in merged.items():
            some = [row for row in rows if row.course.scenario is scenario]
            columns = _columns(one, some, detail=True)
            lines += [_of(addresses)] if len(merged) > 1 else []
            cells = [[cell(row) for _, cell in columns] for row in some]
            lines += table([name for name, _ in columns], cells, width=width)
            for reason in dict.fromkeys(row.course.why for row in some):
                lines += prose(reason, width)
        if scenario is Scenario.OPERATOR_DOWN and one.subject.pending:
            lines += prose(f"Without an address until then: {', '.join(one.subject.pending)}.", width)
        for advice in one.advice:
            lines += _piece(advice, width) if advice.scenario is scenario else []
        yield lines


def _piece(one: Mitigation, width: int | None) -> list[Line]:
    """One piece of advice: `- BFD: gone in 0.9 s, today gone in 9 s. How. It costs …`"""
    figures = ""
    if one.before is not None:
        then, today = (words.at_worst(each, one.measure) for each in (one.after, one.before))
        figures = f" {then}, today {today};"
    return prose(f"- {one.name}:{figures} {one.how}. Its cost: {one.cost}.", width)


def _helps(one: Forecast, width: int | None) -> list[Line]:
    rows = helps(one)
    return table(HELPS, rows, width=width) if rows else []


def helps(one: Forecast, *, whole: bool = False) -> list[list[str]]:
    """Each piece of advice once for the events that it helps alike, by the worse end of its figures. `whole`:
    with how to do it, and its cost."""
    found: dict[tuple[str, ...], list[Mitigation]] = {}
    for advice in one.advice:
        figures = (words.at_worst(each, advice.measure) for each in (advice.before, advice.after))
        found.setdefault((advice.name, *figures), []).append(advice)
    return [
        [
            *figures,
            words.against(one.scenario for one in some),
            *((some[0].how, some[0].cost) if whole else ()),
        ]
        for figures, some in found.items()
    ]


def _routes(one: Forecast, width: int | None) -> list[Line]:
    header, rows = routes(one)
    return table(header, rows, ROUTES[2:5], width, nothing="-") if rows else []


def routes(one: Forecast) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Which routes there are, and what is behind them: the names of the columns, and the rows."""
    several = len(one.subject.routers) > 1
    rows = {
        (*((router.facts.address,) if several else ()), *_route(group)): None
        for router in one.subject.routers
        for group in router.groups
    }
    return (*(("ROUTER",) if several else ()), *ROUTES), list(rows)


def _route(group: Group) -> tuple[str, ...]:
    more = f" and {len(group.services) - 3} more" if len(group.services) > 3 else ""
    return (
        str(group.kind),
        group.family.afi if group.family else "?",
        *("?" if number is None else str(number) for number in (group.prefixes, group.next_hops)),
        "-" if group.endpoints is None else str(group.endpoints),
        ", ".join(group.services[:3]) + more or "-",
    )


def _flows(one: Forecast, width: int | None) -> list[Line]:
    header, rows = flows(one)
    return table(header, rows, width=width) if rows else []


def flows(one: Forecast) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """What it costs flows when this next hop leaves and returns: the names of the columns, and the rows."""
    several = len(one.subject.routers) > 1
    rows = {
        (
            *((row.router.facts.address,) if several else ()),
            str(row.group.kind),
            path.value.removeprefix("Cluster, "),
            words.percent(row.moved),
            words.percent(row.reset[path]),
            words.percent(row.returned),
            words.percent(row.reset_back[path]),
        ): None
        for row in one.rows
        if row.moved != NOTHING
        for path in row.reset
    }
    return (*(("ROUTER",) if several else ()), *FLOWS), list(rows)


def _notes(one: Forecast, width: int | None) -> list[Line]:
    lines = [row for note in one.subject.notes for row in prose(note, width)]
    if any(row.routes == words.ALONE for rows in words.merged(one).values() for row in rows):
        lines += prose(f"{words.ALONE}: routes that no other node announces.", width, "dim")
    if one.unknown:
        lines += prose(f"Unknown and taken at its worst: {', '.join(one.unknown)}.", width, "dim")
    return lines


# --- all nodes ---------------------------------------------------------------------------------------------


def brief_text(briefs: Sequence[Brief], width: int | None = None) -> list[Line]:
    """Nodes that fare alike in one row, what costs most first; then those of which nothing is known."""
    header, rows = alike(briefs)
    lines = table(header, rows, ("NODES", "ALONE"), width) if rows else []
    lines += [line(""), *prose(ALIKE, width, "dim")] if rows else []
    lines += [row for one in briefs if one.problem for row in prose(f"{one.node}: {one.problem}", width)]
    return [*lines, *prose(words.brief_summary(briefs), width, "bold")]


ALIKE = "Until routers have let go of its routes, at worst. ALONE: addresses that only it announces."


def alike(briefs: Sequence[Brief]) -> tuple[tuple[str, ...], list[list[str]]]:
    """The names of the columns, and a row for nodes that fare alike."""
    found: dict[tuple[str, ...], list[Brief]] = {}
    for one in briefs:
        if not one.problem:
            found.setdefault(_brief(one), []).append(one)
    events = next((list(one.courses) for one in briefs if one.courses), [])
    header = ("NODES", "FOR EXAMPLE", *(str(event).upper() for event in events), "ALONE")
    return header, [[str(len(some)), some[0].node, *cells] for cells, some in found.items()]


def _brief(one: Brief) -> tuple[str, ...]:
    times = (words.gone(course).rpartition("–")[2] for course in one.courses.values())
    return *times, "?" if one.alone is None else str(one.alone)


# --- what prints it --------------------------------------------------------------------------------------


def _page(forecasts: Sequence[Forecast], detail: bool) -> None:
    from bgpctl.render import forecast_page

    write_text(forecast_page.page(forecasts))


def _brief_page(briefs: Sequence[Brief]) -> None:
    from bgpctl.render import forecast_page

    write_text(forecast_page.brief_page(briefs))


RENDERERS: Mapping[str, Callable[[Sequence[Forecast], bool], None]] = {
    **renderers(
        lambda page, forecasts, detail: text(forecasts, detail=detail, width=page.width),
        lambda forecasts, detail: document(forecasts),
    ),
    "html": _page,
}
BRIEF: Mapping[str, Callable[[Sequence[Brief]], None]] = {
    **renderers(lambda page, briefs: brief_text(briefs, page.width), brief_document),
    "html": _brief_page,
}
