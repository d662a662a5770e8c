"""`version`: one row per part, and what does not go together below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope, present
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, prose
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.queries.versions import Versions


def text(found: Versions, width: int | None = None) -> list[Line]:
    """The table; then each thing that does not fit, with what mends it."""
    rows = [
        ["bgpctl", found.client, f"Python {found.python}"],
        ["ExaBGP", found.engine, "of a speaker on this machine"],
    ]
    if found.server:
        rows.append(["API server", found.server, ""])
    rows += [
        ["speakers", speaker, f"{count(nodes, 'node')}, {engine}"]
        for (speaker, engine), nodes in sorted(found.speakers.items())
    ]
    if found.crd:
        rows.append(["BGPNodeState", found.crd, ""])
    lines = table(("PART", "VERSION", "WHERE"), rows, (), width, "")
    if found.problem:
        return [*lines, *prose(f"the cluster's are not known: {found.problem}", width, "accent")]
    for one in found.skew:
        lines += [*prose(f"{one.object}: {one.why}", width, "accent"), *prose(f"  {one.fix}", width)]
    if found.server and not found.skew:
        lines += prose("they go together", width, "bold")
    return lines


def document(found: Versions) -> Document:
    """The same for programs."""
    speakers = [
        {"version": speaker, "engine": engine, "nodes": nodes}
        for (speaker, engine), nodes in sorted(found.speakers.items())
    ]
    return envelope(
        "version",
        "failed" if found.problem or found.skew else "done",
        message=found.problem or None,
        client=found.client,
        python=found.python,
        engine=found.engine,
        **present(server=found.server or None, crd=found.crd or None),
        speakers=speakers,
        skew=[{"object": one.object, "why": one.why, "fix": one.fix} for one in found.skew],
    )


RENDERERS = renderers(lambda page, found: text(found, page.width), document)
