"""Timelines as pictures, and the pages they stand in. No script, nothing from elsewhere, all text escaped.

A bar shows what traffic does on an axis of logarithmic seconds, striped between the best and the worst case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from math import inf, log1p
from typing import NamedTuple

from bgpctl.core.timing.failures import Course, Fate, Span
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
KINDS, LEFT, WIDTH, RIGHT = 130.0, 240.0, 495.0, 165.0
BAR, STEP, GAP = 14.0, 24.0, 10.0
TICKS = (1, 3, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)
LEAST = 10.0  # seconds that an axis shows at least


def document(title: str, lead: str, body: str) -> str:
    """A whole page."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{shown(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{shown(title)}</h1>\n"
        f"{paragraph(lead, 'dim')}{body}</body>\n</html>\n"
    )


def shown(text: str) -> str:
    """Text of anybody's, as it may stand in a page."""
    return escape(printable(text))


def paragraph(text: str, kind: str = "") -> str:
    """Nothing where there is no text."""
    style = f' class="{kind}"' if kind else ""
    return f"<p{style}>{shown(text)}</p>\n" if text else ""


def html_table(header: Iterable[str], rows: Sequence[Iterable[str]]) -> str:
    """Nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f"<th>{shown(name.capitalize())}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{shown(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}</table>\n"


# --- pictures ----------------------------------------------------------------------------------------------

Draw = Callable[["Scale", float, float], Iterable[str]]
"""Draws one bar: on this scale, from this y on, so high."""


class Row(NamedTuple):
    """One course: its event ("" = that of the row above), its routes, and what is lost in words; below it a
    thinner bar of something else, with its own words."""

    event: str
    routes: str
    course: Course
    told: str
    below: Draw | None = None
    below_told: str = ""


def picture(title: str, rows: Sequence[Row], longest: float) -> str:
    """All of them on one axis, which shows `longest` seconds at least."""
    body, y, scale = list[str](), 46.0, Scale(longest)
    for number, row in enumerate(rows):
        y += GAP if row.event and number else 0.0
        if row.event:
            body.append(f'<text class="event" x="0" y="{y + 11:g}">{shown(row.event)}</text>')
        body.append(f'<text class="dim" x="{KINDS:g}" y="{y + 11:g}">{shown(row.routes)}</text>')
        body += bar(row.course, scale, y, BAR)
        body.append(f'<text x="{LEFT + WIDTH + 12:g}" y="{y + 11:g}">{shown(row.told)}</text>')
        if row.below is not None:
            y += STEP - 6
            body += row.below(scale, y, BAR / 2)
            told = shown(row.below_told)
            body.append(f'<text class="dim" x="{LEFT + WIDTH + 12:g}" y="{y + 8:g}">{told}</text>')
        y += STEP
    size = f"0 0 {LEFT + WIDTH + RIGHT:g} {y:g}"
    patterns = "".join(_stripes(first, then) for first in FATES for then in FATES if first is not then)
    return (
        f'<svg viewBox="{size}" role="img" aria-label="{shown(title)}">\n<defs>{patterns}</defs>\n'
        + "\n".join((*_legend(), *_axis(scale, y), *body))
        + "\n</svg>\n"
    )


def rectangle(scale: Scale, begin: float, end: float, y: float, height: float, fill: str) -> Iterator[str]:
    """From one second to another; nothing where that is too little to be seen. `fill` is a CSS value."""
    left, right = scale.x(begin), scale.x(end)
    if right - left > 0.01:
        yield (
            f'<rect x="{left:.1f}" y="{y:g}" width="{right - left:.1f}" height="{height:g}" '
            f'style="fill: {fill}"/>'
        )


class Scale:
    """Seconds to the right of LEFT: logarithmic, because 5 s and 2 h stand side by side."""

    def __init__(self, longest: float) -> None:
        self.end = max(LEAST, longest * 1.6)

    def x(self, seconds: float) -> float:
        """In the picture's units; what is beyond the end stands at it."""
        return LEFT + WIDTH * min(1.0, log1p(min(seconds, self.end)) / log1p(self.end))


def bar(course: Course, scale: Scale, y: float, height: float) -> Iterator[str]:
    """Segments from the event to the end of the axis, and a line under it while the session may be lost."""
    never = Span(inf, inf)
    gone, back = course.gone or never, course.back or never
    if course.gone is None and course.back is not None:
        gone = Span(back.best, back.best)  # the routes stay, and it is mended
    elif back.worst <= gone.best:
        gone, back = never, never
    changes = (
        (0.0, gone.best, course.meanwhile, None),
        (gone.best, gone.worst, course.meanwhile, course.then),
        (gone.worst, max(gone.worst, back.best), course.then, None),
        (max(gone.worst, back.best), back.worst, course.then, Fate.UNHARMED),
        (max(gone.worst, back.worst), inf, Fate.UNHARMED, None),
    )
    for begin, end, fate, other in changes:
        fill = f"url(#{_pattern(fate, other)})" if other and other is not fate else f"var(--{fate})"
        yield from rectangle(scale, begin, end, y, height, fill)
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


def _axis(scale: Scale, bottom: float) -> Iterator[str]:
    last = LEFT - 40
    for tick in (0, *TICKS):
        x = scale.x(tick)
        if tick < scale.end and x - last > 34:
            yield f'<path class="axis" d="M{x:.1f} 38V{bottom - GAP:g}"/>'
            yield f'<text class="dim end" x="{x:.1f}" y="33">{shown(words.seconds(tick))}</text>'
            last = x
