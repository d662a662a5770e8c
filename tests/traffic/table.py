"""Results as the table of docs/traffic.md: a row per stack and way, two columns per router. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from bgpctl.lab import stacks
from bgpctl.lab.traffic.counting import Lost
from tests.traffic.cells import STACKS, Cell, Way
from tests.traffic.result import Result

NAMES = {"bird": "BIRD", "frr": "FRR"}
WHEN = ("on leave", "on return")
WAYS = {
    Way.DRAIN: "`bgpctl node drain`, `node restore`",
    Way.STOP: "its BGP stopped",
    Way.POWER_OFF: "power-off alone",
}
_WRITTEN = re.compile(r"(?<=-->\n)(.*\n)?(?=<!-- end -->)", re.DOTALL)


def written(document: str, results: Sequence[Result], machine: str) -> str:
    """The document with these results between its marks."""
    return _WRITTEN.sub("\n".join(("", *markdown(results), "", *summary(results), machine, "\n")), document)


def markdown(results: Sequence[Result]) -> Iterator[str]:
    """Rows and columns for which nothing was run are left out."""
    found = {result.cell: result for result in results}
    routers = [kind for kind in NAMES if any(cell.router == kind for cell in found)]
    yield _row("nodes of", "leaves by", *(f"{NAMES[kind]}, {when}" for kind in routers for when in WHEN))
    yield "|---" * (2 + 2 * len(routers)) + "|"
    for stack, way in product(STACKS, Way):
        here = [found.get(Cell(kind, stack, way)) for kind in routers]
        if any(here):
            yield _row(
                f"`{stack}`", _leaves(stack, way), *(word for result in here for word in _words(result))
            )


def _leaves(stack: str, way: Way) -> str:
    if way is Way.DRAIN and not stacks.STACKS[stack].drains:
        return "what `node drain` says when it refuses: stopped, then waited"
    return WAYS.get(way) or f"{STACKS[stack].says} by hand"


def summary(results: Sequence[Result]) -> Iterator[str]:
    """How many are in order, and every complaint."""
    failed = [result for result in results if result.complaints]
    yield f"{len(results)} cells, {len(failed)} not as promised (a drain loses nothing, a power-off some)."
    yield from (f"- {result}" for result in failed)


def _words(result: Result | None) -> tuple[str, str]:
    if result is None:
        return "not run", "not run"
    if not result.leave.sent:
        return "FAILED", "FAILED"
    return _lost(result.leave, "…" if result.endless else ""), _lost(result.back)


def _lost(found: Lost, more: str = "") -> str:
    return f"{found.lost} ({found.seconds:.1f} s){more}" if found.lost else f"0 of {found.sent}"


def _row(*words: str) -> str:
    return f"| {' | '.join(words)} |"
