"""`explain`: the chain from an object to a router, link by link, and what would have to be otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bgpctl.core.intent.explaining.chain import Group, Link, Path, Standing, Status
from bgpctl.core.intent.explaining.repair import Repair, shown_value
from bgpctl.render import units
from bgpctl.render.columns import Columns
from bgpctl.render.envelope import Document, envelope, present
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, Span, line, prose

if TYPE_CHECKING:
    from bgpctl.queries.explaining.look import Explanation

HEADER = ("LINK", "IS", "WHAT")
INDENT = "  "
NAMED = 4  # paths that a group names
SHORT = {Status.UNTOLD: "-"}


def text(found: Explanation, width: int | None = None) -> Iterator[Line]:
    """Per group of paths: who, the chain, the fields of its broken links. The answer in a sentence last."""
    for group in found.groups:
        yield from _group(group, width)
        yield line("")
    if found.behind:
        yield from prose(f"{found.title}: behind it {_is_are(found.behind)}", width)
    for note in found.notes:
        yield from prose(note, width, "dim")
    yield from prose(summary(found), width, "" if found.green else "accent")


def summary(found: Explanation) -> str:
    """How many of the paths stand how, and the first broken link."""
    parts = []
    for standing in Standing:
        paths = [path for path in found.paths if path.standing is standing]
        if paths and paths[0].node:
            nodes = len({path.node for path in paths})
            parts.append(f"{standing} on {units.count(len(paths), 'path')} of {units.count(nodes, 'node')}")
    broken = next((path.broken[0] for path in found.paths if path.broken), None)
    parts = parts or [str(Standing.BROKEN)]
    why = f"; broken: {broken.name} ({broken.reason})" if broken and not found.green else ""
    return f"{found.title}: {', '.join(parts)}{why}"


def _is_are(objects: Sequence[str]) -> str:
    return f"{'is' if len(objects) == 1 else 'are'} {', '.join(objects)}"


def _group(group: Group, width: int | None) -> Iterator[Line]:
    path = group.first
    style: Any = "bold" if path.standing is Standing.ANNOUNCED else "accent"
    yield from prose(f"{_what(path)}{_where(group)}: {path.standing}", width, style)
    columns = Columns(HEADER, width=width and width - len(INDENT))
    rows = [_row(link) for link in path.links]
    columns.measure(rows)
    for row in columns.lines(rows):
        yield (Span(INDENT), *row)
    for link in path.links:
        if link.status in (Status.BROKEN, Status.UNKNOWN):
            yield from _broken(link, width)


def _what(path: Path) -> str:
    return f"{path.origin}, {path.prefix}" if path.prefix else path.origin


def _where(group: Group) -> str:
    told = [f"{path.node} to {path.peer}" if path.peer else path.node for path in group.paths if path.node]
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return f", {', '.join(told[:NAMED])}{more}" if told else ""


def _row(link: Link) -> list[Span | str]:
    wrong = link.status in (Status.BROKEN, Status.UNKNOWN)
    word = SHORT.get(link.status, str(link.status))
    return [link.name, Span(word, "accent" if wrong else ""), link.says]


def _broken(link: Link, width: int | None) -> Iterator[Line]:
    """Its fields, or at least what shows it."""
    for repair in link.repairs:
        for row in prose(f"{link.name}: {sentence(repair)}", width and width - len(INDENT)):
            yield (Span(INDENT), *row)
        yield from _see(repair.command)
    if not link.repairs and link.command:
        yield line(INDENT, f"{link.name}: see")
        yield from _see(link.command)


def _see(command: str) -> Iterator[Line]:
    """On a line of its own, whole: it is there to be copied."""
    yield line(INDENT * 2, Span(command, "dim"))


def sentence(repair: Repair) -> str:
    """`Service default/web: metadata.labels.app is "db", it would have to be "web"`."""
    if not repair.path:
        return f"{repair.object} does not exist; it would have to be {repair.wanted}"
    return (
        f"{repair.object}: {repair.field} is {shown_value(repair.found)}; it would have to be {repair.wanted}"
    )


# --- documents ----------------------------------------------------------------------------------------------


def document(found: Explanation) -> Document:
    """Each path has its own chain."""
    return envelope(
        "explain",
        "done" if found.green else "failed",
        about=found.title,
        announced=found.green,
        message=summary(found),
        behind=list(found.behind) or None,
        notes=list(found.notes) or None,
        paths=(_path(path) for path in found.paths),
    )


def _path(path: Path) -> Document:
    return present(
        node=path.node or None,
        peerAddress=path.peer or None,
        origin=path.origin,
        prefix=str(path.prefix) if path.prefix else None,
        standing=str(path.standing),
        links=[_link(link) for link in path.links],
    )


def _link(link: Link) -> Document:
    return present(
        link=link.name,
        status=str(link.status),
        says=link.says,
        reason=link.reason or None,
        command=link.command or None,
        repairs=[_repair(repair) for repair in link.repairs] or None,
    )


def _repair(repair: Repair) -> Document:
    """`value` and `needed` null: the field is not there, or should not be; `path` as its steps."""
    name = {"kind": repair.object.kind, "name": repair.object.name}
    where = {"namespace": repair.object.namespace} if repair.object.namespace else {}
    return {
        "object": {**name, **where},
        "field": repair.field,
        "path": list(repair.path),
        "value": repair.found,
        "needed": repair.needed,
        "wanted": repair.wanted,
        "command": repair.command,
    }


RENDERERS = renderers(lambda page, found: text(found, page.width), document)
