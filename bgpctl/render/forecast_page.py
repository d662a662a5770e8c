"""`forecast -o html`: one page, a timeline per node. No script, nothing from elsewhere, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from math import inf, isinf, log1p

from bgpctl.core.timing.failures import Course, Fate, Span
from bgpctl.core.timing.forecast import Brief, Forecast
from bgpctl.render import forecast as tables
from bgpctl.render import forecast_words as words
from bgpctl.render.text import printable

STYLE = """
:root { color-scheme: light dark; --ink: #222; --dim: #6b6b6b; --line: #ddd; --paper: #fff;
  --unharmed: #a9cfb4; --redirected: #8fb0de; --black-holed: #3a3a3a; --unreachable: #d2705a;
  --reset: #e3b35a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e4; --dim: #9a9a9a; --line: #3c3c3c;
  --paper: #1b1b1b; --unharmed: #4f7f5e; --redirected: #4a6ea3; --black-holed: #000;
  --unreachable: #b3503b; --reset: #a67a2b; } }
body { margin: 3rem auto; padding: 0 1.5rem; max-width: 62rem; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 2.5rem 0 0.5rem; }
p { margin: 0.3rem 0; } .dim { color: var(--dim); }
table { border-collapse: collapse; width: 100%; margin: 0.8rem 0 1.4rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; font-size: 0.8rem; color: var(--dim); }
th, td { padding: 0.25rem 1.2rem 0.25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { font-size: 0.9rem; } td:nth-child(-n+4) { white-space: nowrap; }
svg { width: 100%; height: auto; margin: 0.5rem 0; font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .dim { fill: var(--dim); } svg .axis { stroke: var(--line); }
svg .edge { stroke: var(--dim); fill: none; } svg .event { font-weight: 600; }
svg .end { text-anchor: middle; }
"""
FATES = (Fate.UNHARMED, Fate.REDIRECTED, Fate.BLACK_HOLED, Fate.UNREACHABLE, Fate.RESET)

# Of the picture, in its own units.
KINDS, LEFT, WIDTH, RIGHT = 130.0, 215.0, 520.0, 165.0
BAR, STEP, GAP = 14.0, 24.0, 10.0
TICKS = (1, 3, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)
LEAST = 10.0  # seconds that an axis shows at least


def page(forecasts: Sequence[Forecast]) -> str:
    """The whole document."""
    several = len(forecasts) > 1
    title = f"{len(forecasts)} nodes" if several else ", ".join(one.node for one in forecasts)
    body = "".join((f"<h2>{_text(one.node)}</h2>\n" if several else "") + _node(one) for one in forecasts)
    return _document(f"What failures would cost {title}", body)


def brief_page(briefs: Sequence[Brief]) -> str:
    """The same for a summary of many nodes."""
    header, rows = tables.alike(briefs)
    problems = "".join(_p(f"{one.node}: {one.problem}") for one in briefs if one.problem)
    body = _table(header, rows) + _p(tables.ALIKE, "dim") + problems + _p(words.brief_summary(briefs))
    return _document("What failures would cost every node", body)


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
        f"{_p('Estimated by bgpctl forecast: from what was negotiated, at best and at worst.', 'dim')}"
        f"{body}</body>\n</html>\n"
    )


def _node(one: Forecast) -> str:
    routers = [(router.facts.address, words.negotiated(router.facts)) for router in one.subject.routers]
    unknown = f"Unknown and taken at its worst: {', '.join(one.unknown)}." if one.unknown else ""
    parts = (
        _p(words.summary(one)),
        _table(("ROUTER", "SESSION"), routers),
        _timeline(one),
        _p(f"Thinner bars: with {one.settings.told}." if one.settings else "", "dim"),
        _table((*tables.HELPS, "HOW", "COST"), tables.helps(one, whole=True)),
        _table(*tables.routes(one)),
        _table(*tables.flows(one)),
        *(_p(note) for note in one.subject.notes),
        _p(unknown, "dim"),
    )
    return "".join(parts)


def _text(text: str) -> str:
    return escape(printable(text))


def _p(text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f"<p{style}>{_text(text)}</p>\n" if text else ""


def _table(header: Iterable[str], rows: Sequence[Iterable[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{_text(name.capitalize())}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}</table>\n"


# --- the picture -------------------------------------------------------------------------------------------


def _timeline(one: Forecast) -> str:
    """A picture for all routers that are alike."""
    merged = words.merged(one)
    longest = max((_longest(course) for rows in merged.values() for course in _courses(rows)), default=0.0)
    return "".join(
        (_p(f"Router {', '.join(addresses)}", "dim") if len(merged) > 1 else "")
        + _picture(f"Timelines of {one.node}", rows, _Scale(longest))
        for addresses, rows in merged.items()
    )


def _picture(title: str, rows: Sequence[words.Alike], scale: _Scale) -> str:
    """A bar per event and class of routes: what traffic does, on an axis of logarithmic seconds. Striped
    between the best and the worst case; with other settings, a thinner bar below."""
    body, y, before = list[str](), 46.0, None
    for row in rows:
        first = row.course.scenario is not before
        y += GAP if first and before is not None else 0.0
        if first:
            body.append(f'<text class="event" x="0" y="{y + 11:g}">{_text(row.course.scenario)}</text>')
        body.append(f'<text class="dim" x="{KINDS:g}" y="{y + 11:g}">{_text(row.routes)}</text>')
        body += _bar(row.course, scale, y, BAR)
        body.append(f'<text x="{LEFT + WIDTH + 12:g}" y="{y + 11:g}">{_text(_told(row.course))}</text>')
        if row.changed is not None:
            y += STEP - 6
            body += _bar(row.changed, scale, y, BAR / 2)
            told = f"then {_told(row.changed)}"
            body.append(f'<text class="dim" x="{LEFT + WIDTH + 12:g}" y="{y + 8:g}">{_text(told)}</text>')
        before = row.course.scenario
        y += STEP
    size = f"0 0 {LEFT + WIDTH + RIGHT:g} {y:g}"
    patterns = "".join(_stripes(first, then) for first in FATES for then in FATES if first is not then)
    return (
        f'<svg viewBox="{size}" role="img" aria-label="{_text(title)}">\n<defs>{patterns}</defs>\n'
        + "\n".join((*_legend(), *_axis(scale, y), *body))
        + "\n</svg>\n"
    )


class _Scale:
    """Seconds to the right of LEFT: logarithmic, because 5 s and 2 h stand side by side."""

    def __init__(self, longest: float) -> None:
        self.end = max(LEAST, longest * 1.6)

    def x(self, seconds: float) -> float:
        return LEFT + WIDTH * min(1.0, log1p(min(seconds, self.end)) / log1p(self.end))


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


def _bar(course: Course, scale: _Scale, y: float, height: float) -> Iterator[str]:
    """Segments from the event to the end of the axis, and a line under it while the session may be lost."""
    never = Span(inf, inf)
    gone, back = course.gone or never, course.back or never
    if course.gone is not None and back.worst <= gone.best:
        gone, back = never, never
    changes = (
        (0.0, gone.best, course.meanwhile, None),
        (gone.best, gone.worst, course.meanwhile, course.then),
        (gone.worst, max(gone.worst, back.best), course.then, None),
        (max(gone.worst, back.best), back.worst, course.then, Fate.UNHARMED),
        (max(gone.worst, back.worst), inf, Fate.UNHARMED, None),
    )
    for begin, end, fate, other in changes:
        left, right = scale.x(begin), scale.x(end)
        if right - left > 0.01:
            fill = f"url(#{_pattern(fate, other)})" if other and other is not fate else f"var(--{fate})"
            yield (
                f'<rect x="{left:.1f}" y="{y:g}" width="{right - left:.1f}" height="{height:g}" '
                f'style="fill: {fill}"/>'
            )
    if course.lost is not None and height == BAR:
        left, right = (scale.x(each) for each in course.lost)
        yield f'<path class="edge" d="M{left:.1f} {y + height + 3:g}H{max(right, left + 1):.1f}"/>'


def _pattern(first: Fate, then: Fate) -> str:
    return f"{first}-or-{then}"


def _stripes(first: Fate, then: Fate) -> str:
    return (
        f'<pattern id="{_pattern(first, then)}" width="8" height="8" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="8" height="8" style="fill: var(--{first})"/>'
        f'<rect width="4" height="8" style="fill: var(--{then})"/></pattern>'
    )


def _legend() -> Iterator[str]:
    x = LEFT
    for fate in FATES:
        yield f'<rect x="{x:g}" y="2" width="12" height="12" style="fill: var(--{fate})"/>'
        name = "refused" if fate is Fate.RESET else str(fate)
        yield f'<text class="dim" x="{x + 17:g}" y="12">{name}</text>'
        x += 36 + 6 * len(name)
    yield f'<path class="edge" d="M{x:g} 8h14"/>'
    yield f'<text class="dim" x="{x + 20:g}" y="12">session lost</text>'


def _axis(scale: _Scale, bottom: float) -> Iterator[str]:
    last = LEFT - 40
    for tick in (0, *TICKS):
        x = scale.x(tick)
        if tick < scale.end and x - last > 34:
            yield f'<path class="axis" d="M{x:.1f} 38V{bottom - GAP:g}"/>'
            yield f'<text class="dim end" x="{x:.1f}" y="33">{_text(words.seconds(tick))}</text>'
            last = x
