"""`node estimate`: until when each router may go on sending, per event. Tables and one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import isinf
from typing import TYPE_CHECKING

from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, Span, line, prose

if TYPE_CHECKING:
    from bgpctl.core.timing.withdrawal import Estimate

COMMAND = "node estimate"
INDENT = "  "


def text(node: str, estimates: Sequence[Estimate], width: int | None = None) -> list[Line]:
    """Per peer: a table of events, then why, then the longest time over all peers."""
    if not estimates:
        return prose(summary(node, estimates), width, "accent")
    lines: list[Line] = []
    for (address, negotiated), group in groupby(estimates, key=lambda one: (one.address, one.negotiated)):
        basis = "as negotiated" if negotiated else "not negotiated yet: from the policy"
        lines += [
            line(Span(address, "bold"), Span(f"  {basis}", "dim")),
            *_peer(list(group), width),
            line(""),
        ]
    return [*lines, *prose(summary(node, estimates), width, "bold")]


def _peer(estimates: Sequence[Estimate], width: int | None) -> list[Line]:
    rows = [
        [one.event.value, units.duration(one.best), units.duration(one.worst), one.why] for one in estimates
    ]
    columns = ("EVENT", "BEST", "WORST", "WHY")
    inner = width - len(INDENT) if width else None
    return [(Span(INDENT), *row) for row in table(columns, rows, ("BEST", "WORST"), inner)]


def summary(node: str, estimates: Sequence[Estimate]) -> str:
    """The event that costs most, over all peers."""
    if not estimates:
        return f"{node}: no peer, so no router sends traffic because of BGP"
    slowest = max(estimates, key=lambda one: one.worst)
    lasts = "for ever" if isinf(slowest.worst) else f"for up to {units.duration(slowest.worst)}"
    deselect = [one for one in estimates if one.event.value == "deselect"]
    drain = max((one.worst for one in deselect), default=None)
    left = (
        f"when it leaves, its routes are gone within {units.duration(drain)}; " if drain is not None else ""
    )
    return f"{node}: {left}after {slowest.event.value}, {slowest.address} may send {lasts} (all estimated)"


def document(node: str, estimates: Sequence[Estimate]) -> Document:
    """`worst` null = nothing ever ends the wait. Seconds from the event."""
    return envelope(
        COMMAND,
        "done",
        node=node,
        message=summary(node, estimates),
        proof="estimated" if estimates else None,
        estimates=[_document(one) for one in estimates],
    )


def _document(one: Estimate) -> Document:
    return {
        "peer": one.peer,
        "peerAddress": one.address,
        "event": one.event.value,
        "bestSeconds": one.best,
        "worstSeconds": None if isinf(one.worst) else one.worst,
        "why": one.why,
        "unknown": list(one.unknown),
        "negotiated": one.negotiated,
    }


RENDERERS = renderers(lambda page, node, estimates: text(node, estimates, page.width), document)
