"""`node estimate`: until when each router may go on sending, per event. A table, and each reason once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf
from typing import TYPE_CHECKING

from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import Cell, Line, Span, folded, line, printable, prose

if TYPE_CHECKING:
    from bgpctl.core.timing.withdrawal import Estimate

COMMAND = "node estimate"
HEADER = ("PEER", "EVENT", "BEST", "WORST", "FROM", "WHY")
POLICY = "FROM policy: not negotiated yet, so it counts what the policy asks for"


def text(node: str, estimates: Sequence[Estimate], width: int | None = None) -> list[Line]:
    """A line for each peer and event; below it the reasons, each once, by their numbers, and last the longest
    time over all peers."""
    if not estimates:
        return prose(summary(node, estimates), width, "accent")
    whys = {why: number for number, why in enumerate(dict.fromkeys(one.why for one in estimates), 1)}
    rows = [_row(one, whys) for one in estimates]
    reasons = [row for why, number in whys.items() for row in _reason(number, why, width)]
    policy = [] if all(one.negotiated for one in estimates) else prose(POLICY, width, "dim")
    last = prose(summary(node, estimates), width, "bold")
    shown = table(HEADER, rows, ("BEST", "WORST", "WHY"), width)
    return [*shown, line(""), *reasons, *policy, line(""), *last]


def _row(one: Estimate, whys: Mapping[str, int]) -> list[Cell]:
    basis = "session" if one.negotiated else "policy"
    best, worst = units.duration(one.best), units.duration(one.worst)
    return [one.address, one.event.value, best, worst, basis, str(whys[one.why])]


def _reason(number: int, why: str, width: int | None) -> list[Line]:
    lead = f"{number:>2}  "
    return folded(line(Span(lead, "dim"), printable(why)), width, len(lead))


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
