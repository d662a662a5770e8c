"""One cell from start to verdict: `python -m tests.matrix.run ROUTER EVENT GR` prints one JSON line.

A process of its own per cell: a network, a router and an API that nothing of another cell can disturb.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.matrix.cells import Cell, Event, Fate, Graceful
from tests.matrix.complaints import Bounds, Entries, complaints
from tests.matrix.documents import NEW_COMMUNITY, NODE, OTHER, pod_cidr
from tests.matrix.entries import Entry, entries
from tests.matrix.events import HAPPENS, edited
from tests.matrix.net import UP_SECONDS, Net
from tests.matrix.result import Result
from tests.matrix.seeing import see
from tests.matrix.watcher import Eye
from tests.support.wait import eventually

REST_SECONDS = 2.5
"""Routes are that old before the event, and the router is watched that long after the last change."""

ENDLESS_SECONDS = 60.0
"""How long to look at routes of which the estimate says that nothing takes them away."""

Held = Mapping[str, dict[str, Entry]]
"""node -> prefix -> the router's entry"""


def run(cell: Cell, *, fate: Fate | None = None, bounds: Bounds | None = None) -> Result:
    """Build it, let it happen, watch, judge. `fate` and `bounds` replace the cell's own and the estimate: a
    test of the judge. AssertionError: it did not come up before the event."""
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="bgpctl-"))  # short: a socket's path is limited
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        net = Net(stack, cell.router, cell.graceful, place)
        eye = Eye(net.probe, net.router, net.hosts[NODE].address, net.hosts[OTHER].address)
        result = _Run(net, stack.enter_context(eye), cell, fate or cell.fate, bounds).go()
    return replace(result, seconds=round(time.monotonic() - began, 1))


class _Run:
    """The steps of one cell."""

    def __init__(self, net: Net, eye: Eye, cell: Cell, fate: Fate, bounds: Bounds | None) -> None:
        self._net, self._eye, self._cell, self._fate = net, eye, cell, fate
        self._before = net.policy.prefixes
        self._after = edited(net.policy).prefixes if fate is Fate.CHANGES else self._before
        self._bounds = bounds

    def go(self) -> Result:
        net, row = self._net, self._cell.row
        net.speaker(OTHER)
        if row.engine == "external":
            net.run_engine()
        speaker = net.speaker(NODE, row.engine)
        self._come_up()
        bounds = self._bounds or net.estimate(row.measure)
        eventually(self._at_rest, why="the routes are old enough")
        session, started = net.peer()["establishedTime"], net.state()["startedAt"]

        at = time.time()
        HAPPENS[self._cell.event](net, speaker)
        over = self._settled(bounds, session, started)
        time.sleep(REST_SECONDS)  # what a router does late counts too

        return self._judge(at, bounds, over, net.peer().get("establishedTime") == session)

    # --- before the event ---------------------------------------------------------------------------------

    def _come_up(self) -> None:
        for name in (NODE, OTHER):
            eventually(lambda name=name: self._net.serves(name), UP_SECONDS, why=f"{name} serves")  # type: ignore[misc]
        eventually(lambda: self._eye.last.node.keys() == self._before, why="the router has all routes")
        eventually(lambda: len(self._eye.last.other) == len(self._before), why="also of the other node")

    def _at_rest(self) -> bool:
        newest = max(entry.changed for held in self._held(self._before).values() for entry in held.values())
        return time.time() - newest > REST_SECONDS

    def _held(self, prefixes: frozenset[str]) -> Held:
        net = self._net
        wanted = {NODE: prefixes, OTHER: frozenset(self._eye.last.other)}
        return {
            name: entries(net.kind, net.probe.target, net.router, net.hosts[name].address, wanted[name])
            for name in wanted
        }

    # --- after it -----------------------------------------------------------------------------------------

    def _settled(self, bounds: Bounds, session: str, started: str) -> bool:
        """Did it come to its end in time? The judge says what was wrong if not."""
        net, last = self._net, lambda: self._eye.last.node

        def whole() -> bool:
            return net.serves() and last().keys() == self._after and not any(last().values())

        until: dict[Fate, Callable[[], bool]] = {
            Fate.LEAVES: lambda: not last(),
            Fate.RETURNS: lambda: whole() and net.peer()["establishedTime"] != session,
            Fate.STAYS: lambda: whole() and net.peer()["establishedTime"] != session,
            Fate.UNTOUCHED: lambda: whole() and net.state()["startedAt"] != started,
            Fate.CHANGES: whole,
        }
        worst = ENDLESS_SECONDS if bounds.worst is None else bounds.worst
        end = time.monotonic() + (worst + REST_SECONDS if self._fate is Fate.LEAVES else ENDLESS_SECONDS)
        while time.monotonic() < end:
            if until[self._fate]():
                return True
            time.sleep(0.05)
        return False

    def _judge(self, at: float, bounds: Bounds, over: bool, same_session: bool) -> Result:
        cell, looks, now = self._cell, list(self._eye.looks), time.time()
        seen = see(looks, at, self._before & self._after, now)
        found = complaints(self._fate, seen, bounds, self._entries(at, same_session), silent=cell.row.silent)
        left = None
        if self._fate is Fate.CHANGES:
            left = see(looks, at, self._before - self._after, now)
            found += complaints(Fate.LEAVES, left, bounds, silent=False)
        if not over and self._fate is not Fate.LEAVES:
            found.append(f"the node does not serve again: {self._net.state().get('problems', '')}")
        return Result(
            router=cell.router,
            event=cell.event,
            graceful=cell.graceful,
            fate=self._fate,
            seen=seen,
            bounds=bounds,
            complaints=tuple(found),
            left=left,
        )

    def _entries(self, at: float, same_session: bool) -> Entries:
        """The routers' own word on what was sent again since the event, and on the edited route."""
        held = self._held(self._after)
        cidr = pod_cidr(NODE)
        again = {name: {p for p, e in held[name].items() if e.changed > at - 1} for name in held}
        wrong = [f"the other node's route {prefix} was sent again" for prefix in again[OTHER]]
        edits = {cidr} | (self._after - self._before) if self._fate is Fate.CHANGES else set()
        if edits and held[NODE].get(cidr, Entry("", "", 0)).communities != {NEW_COMMUNITY}:
            wrong.append(f"the community of {cidr} did not change: {held[NODE].get(cidr)}")
        return Entries(again[NODE] - edits, wrong, same_session)


def main(router: str, event: str, graceful: str) -> int:
    """Exit code 0 when the cell could be run, whatever its verdict."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: the network is removed
    print(run(Cell(router, Event(event), Graceful(graceful))).to_json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
