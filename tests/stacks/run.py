"""The cells of one place, one after the other on the same nodes: `python -m tests.stacks.run STACK ROUTER GR
POINTS SEED EVENT…` prints one JSON line for each, and ends with the first that is not in order.

POINTS: at how many of a run's writes it is killed where that is the event, chosen by SEED; 0 = at each.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from bgpctl.core.state import seconds
from bgpctl.errors import Exit
from bgpctl.witness.model import RouteState
from tests.matrix.cells import Graceful
from tests.stacks.cells import ABSENCES, Event, Place
from tests.stacks.command import KILLED
from tests.stacks.eye import Eye
from tests.stacks.judging import changed, seen
from tests.stacks.result import Result
from tests.stacks.site import NODE, Site, running
from tests.support.cli import Ran

FEWEST_WRITES = 10  # a run has so many at least
AWAY_SECONDS = 3.0
NOTHING = "nothing to restore"  # of a drain that was killed before it was written down
REFUSAL = "nothing by which one node withdraws"
SHORT = "8"  # seconds that a run may take which cannot end
SETTLED_SECONDS = 40.0
DRAIN = ("node", "drain", NODE, "--settle", "0", "--timeout", "120", "-o", "json")
RESTORE = ("node", "restore", NODE, "--timeout", "120", "-o", "json")


@dataclass
class Visit:
    """One way out and back. `disturbed`: the cell itself ends the session. `says`: what is wrong; `proved`:
    when the routes were first said to be gone."""

    site: Site
    disturbed: bool
    says: list[str] = field(default_factory=list)
    proved: float | None = None
    killed: bool = False
    runs: int = 0

    def run(self, *words: str, dies: int = -1) -> Ran:
        return self.took(self.site.bgpctl(*words, dies=dies))

    def took(self, ran: Ran) -> Ran:
        self.runs += 1
        self.killed |= ran.code == KILLED
        for event in events(ran):
            if self.proved is None and (event.get("step"), event.get("state")) == ("Withdrawn", "done"):
                self.proved = seconds(event["time"])
        return ran

    def out(self, ran: Ran) -> None:
        """It must have ended with the routes gone, by the routers' word; by the clock where the session had
        ended before, since the router did not say then what it had."""
        self.done("drain", ran)
        if self.site.probe.routes_from(self.site.addresses[NODE]).routes is not RouteState.ABSENT:
            self.says.append("the router still has routes")

    def back(self, ran: Ran) -> None:
        """It must have ended with the routes back, or have found nothing to do."""
        self.done("restore", ran, nothing=NOTHING)

    def done(self, what: str, ran: Ran, nothing: str = "") -> None:
        last = dict(([{}, *events(ran)])[-1])
        told = (ran.code, last.get("status"), last.get("proof"))
        idle = bool(nothing) and nothing in str(last.get("message"))
        proofs = ("confirmed", *(["estimated"] if self.disturbed else []), *([None] if idle else []))
        if told not in [(0, "done", proof) for proof in proofs]:
            words = last.get("message") or (ran.err.strip().splitlines() or ["it said nothing"])[-1]
            self.says.append(f"{what} ended with {told}: {words}")


def events(ran: Ran) -> list[dict[str, Any]]:
    """What it printed: progress, and the document at the end."""
    lines = (line for line in ran.out.splitlines() if line.startswith("{") and line.endswith("}"))
    return [json.loads(line) for line in lines]


# --- what happens -------------------------------------------------------------------------------------------


def _leaves(visit: Visit, *more: str) -> None:
    if not visit.site.stack.drains:
        _stays(visit, *more)
        return
    visit.out(visit.run(*DRAIN, *more))
    shown = visit.run("node", "status", NODE, "-o", "json")
    if '"service": "drained"' not in shown.out:
        visit.says.append(f"`node status` does not say that it is drained: {shown.out}{shown.err}")
    visit.back(visit.run(*RESTORE))


def _stays(visit: Visit, *more: str) -> None:
    """It is refused, and nothing happens."""
    ran = visit.run(*DRAIN, *more)
    last = dict(([{}, *events(ran)])[-1])
    if ran.code != Exit.BLOCKED or REFUSAL not in str(last.get("message")):
        visit.says.append(f"a drain is not refused: {ran.code}, {last.get('message') or ran.err}")
    if not visit.site.routes(NODE):
        visit.says.append("the router has no routes, though the drain was refused")
    visit.back(visit.run(*RESTORE))


def _withdraws_first(visit: Visit) -> None:
    _leaves(visit, "--order", "withdraw-first")


def _refused(visit: Visit) -> None:
    """A drain that fails takes nothing from the node's service, and goes on when it may."""
    with visit.site.refused():
        ran = visit.run(*DRAIN, "--timeout", SHORT)
    if ran.code == 0:
        visit.says.append("done, though the lever could not be pulled")
    if not visit.site.routes(NODE):
        visit.says.append("the router has no routes, though the lever could not be pulled")
    _leaves(visit)


def _away(visit: Visit) -> None:
    """For some seconds in the middle of it."""
    with visit.site.halted():
        drain = visit.site.start(*DRAIN)
        time.sleep(AWAY_SECONDS)
    visit.out(visit.took(drain.ended()))
    visit.back(visit.run(*RESTORE))


def _down(visit: Visit) -> None:
    """Where nothing obeys, nothing is said to be done; where nobody has to, it is."""
    with visit.site.halted():
        if visit.site.stack.optional:
            _leaves(visit)
            return
        ran = visit.run(*DRAIN, "--timeout", SHORT)
        if ran.code == 0 and visit.site.routes(NODE):
            visit.says.append("done, and the router has the routes")
    _leaves(visit)


def _killed(visit: Visit, dies: int) -> None:
    visit.run(*DRAIN, dies=dies)
    visit.out(visit.run(*DRAIN))
    visit.back(visit.run(*RESTORE))


def _undone(visit: Visit, dies: int) -> None:
    visit.run(*DRAIN, dies=dies)
    visit.back(visit.run(*RESTORE))


def _restore_killed(visit: Visit, dies: int) -> None:
    visit.out(visit.run(*DRAIN))
    visit.run(*RESTORE, dies=dies)
    visit.back(visit.run(*RESTORE))


ONCE: dict[Event, Callable[[Visit], None]] = {
    Event.GUIDE: _leaves,
    Event.WITHDRAW_FIRST: _withdraws_first,
    Event.REFUSED: _refused,
    Event.AWAY: _away,
    Event.DOWN: _down,
}
AT_WRITES: dict[Event, Callable[[Visit, int], None]] = {
    Event.KILLED: _killed,
    Event.UNDONE: _undone,
    Event.RESTORE_KILLED: _restore_killed,
}


# --- one after the other ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cells:
    """Of one place."""

    site: Site
    points: int
    seed: str

    def run(self, event: Event) -> Result:
        """Until something is wrong."""
        began, runs, says = time.monotonic(), 0, ()
        for label, visit in self._visits(event):
            runs += visit.runs
            if says := tuple(f"{label}{words}" for words in visit.says):
                break
        place, took = self.site.place, round(time.monotonic() - began, 1)
        return Result(place.stack, place.router, place.graceful, event, says, runs, took)

    def _visits(self, event: Event) -> Iterator[tuple[str, Visit]]:
        if event in ONCE:
            yield "", self._visit(event, ONCE[event])
            return
        for point in self._points(event):
            visit = self._visit(event, partial(AT_WRITES[event], dies=point))
            yield f"killed after {point} writes: ", visit
            if not visit.killed:
                return

    def _points(self, event: Event) -> Iterable[int]:
        """After how many writes; until a run ends before that."""
        if not self.points:
            return count()
        chosen = random.Random(f"{self.seed} {self.site.place} {event}")
        return sorted(chosen.sample(range(FEWEST_WRITES), self.points))

    def _visit(self, event: Event, happens: Callable[[Visit], None]) -> Visit:
        site, before = self.site, self.site.objects()
        with Eye(site.probe, site.addresses) as eye:
            _until(lambda: bool(eye.looks))
            visit = Visit(site, site.stack.speaks and event in ABSENCES)
            happens(visit)
            if not _until(lambda: site.serves() and not changed(before, site.objects())):
                waiting = [f"{name} does not serve: {why}" for name, why in site.lab.stack.waiting().items()]
                visit.says += [*waiting, *changed(before, site.objects())]
            if not _until(lambda: eye.looks[-1].nodes[NODE].serves):
                visit.says.append(f"the router has not got it back: {eye.looks[-1].nodes[NODE]}")
        visit.says += seen(eye.looks, site.stack, NODE, visit.proved, disturbed=visit.disturbed)
        return visit


def _until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + SETTLED_SECONDS
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.2)
    return held


def main(stack: str, router: str, graceful: str, points: str, seed: str, *names: str) -> int:
    """Exit code 0 when the cells could be run, whatever the verdicts."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: all of it is ended
    with running(Place(stack, router, Graceful(graceful))) as site:
        for event in map(Event, names):
            result = Cells(site, int(points), seed).run(event)
            print(result.to_json(), flush=True)
            if result.complaints:
                break
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
