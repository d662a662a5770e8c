"""What a router has configured for its neighbors, and what it has of each: one question for all of them.

Beside `routes_from`, which proves: this only advises, so whatever a router does not tell stays None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bgpctl.core.doctor.facts import Crowd, Side
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.witness.model import Unanswered
from bgpctl.witness.probe import Probe


@dataclass(frozen=True, slots=True)
class RouterReport:
    """One router: its neighbors, and the prefixes of which it has several paths (None = it does not tell by
    how many of them it forwards). `problem`: why it could not be asked, "" = it could. `peer`: as in the
    probe."""

    router: str
    sides: tuple[Side, ...] = ()
    crowds: tuple[Crowd, ...] | None = None
    problem: str = ""
    peer: str | None = None


Answer = tuple[Sequence[Side], Sequence[Crowd] | None]


def number(text: str) -> int | None:
    """An AS number as a router wrote it; None = it is none."""
    return int(text) if re.fullmatch(r"\d{1,10}", text, re.ASCII) else None


def ask_neighbors(probe: Probe) -> RouterReport:
    """Never raises for a router that cannot be asked, or whose answer is not understood."""
    router = f"{probe.kind} {probe.target}"
    question = _question(probe.kind)
    if question is None:
        return RouterReport(router, problem="this kind of router does not tell its side", peer=probe.peer)
    try:
        sides, crowds = question(router, probe.target)
    except Unanswered as error:
        return RouterReport(router, problem=error.message, peer=probe.peer)
    except Unreadable as error:
        return RouterReport(router, problem=f"its answer cannot be read: {error.message}", peer=probe.peer)
    return RouterReport(router, tuple(sides), None if crowds is None else tuple(crowds), peer=probe.peer)


def _question(kind: str) -> Callable[[str, str], Answer] | None:
    """The driver; imported here so that the command line starts without them."""
    match kind:
        case "bird":
            from bgpctl.witness import bird_neighbors

            return bird_neighbors.ask
        case "frr":
            from bgpctl.witness import frr_neighbors

            return frr_neighbors.ask
        case "gobgp":
            from bgpctl.witness import gobgp_neighbors

            return gobgp_neighbors.ask
        case "openbgpd":
            from bgpctl.witness import openbgpd_neighbors

            return openbgpd_neighbors.ask
    return None
