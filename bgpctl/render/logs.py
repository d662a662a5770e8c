"""`logs`: one line of text, or one JSON object, for each line of a log."""

from __future__ import annotations

import json

from bgpctl.core.loglines import LogLine
from bgpctl.render import units
from bgpctl.render.envelope import Document
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, Span, line

_LOUD = ("warn", "warning", "error", "fatal", "panic")
_HEAD = ("level", "msg", "subsys")


def text(one: LogLine) -> Line:
    """`2026-11-23 18:32:55.803  worker-1  info  speaker.started  key=value …`. BIRD writes no time: in a file
    it is not known."""
    rest = " ".join(f"{key}={_quoted(value)}" for key, value in one.fields.items() if key not in _HEAD)
    level = Span(f"{one.level or '-':7}", "accent" if one.level in _LOUD else "dim")
    at = f"{units.day(one.at)} {units.clock(one.at)}" if one.at else f"{'time not told':23}"
    return line(Span(f"{at}  ", "dim"), Span(one.node, "bold"), "  ", level, " ", one.message, f"  {rest}")


def _quoted(value: str) -> str:
    bare = value.isprintable() and not any(c in value for c in ' "=\\')
    return value if value and bare else json.dumps(value, ensure_ascii=False)


def document(one: LogLine) -> Document:
    """The fields as they were written, after the time (RFC 3339) and the node."""
    return {"time": units.rfc3339(one.at), "node": one.node, **one.fields}


RENDERERS = renderers(lambda page, one: [text(one)], document, records=True)
