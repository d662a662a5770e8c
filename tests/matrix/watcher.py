"""Asks the router ten times a second what it has from both nodes, and keeps every answer.

It runs in the router's namespace, before other work where the system lets us: a look that is late proves
nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable

from bgpctl.lab.traffic.network import Host
from bgpctl.witness.gobgp import GobgpProbe, read_rib
from bgpctl.witness.model import Path, RouteState, Unanswered
from bgpctl.witness.probe import Probe
from tests.matrix.seeing import Look, Routes

INTERVAL = 0.1

Question = Callable[[], tuple[Iterable[Path], Iterable[Path]] | None]
"""The paths of the node and of the other node; None = the router did not answer."""


class Eye:
    """`with Eye(…) as eye:` it looks. `looks` grows; UNKNOWN is no look."""

    def __init__(self, probe: Probe, router: Host, node: str, other: str) -> None:
        self._ask, self._router = _question(probe, node, other), router
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eye", daemon=True)
        self.looks: list[Look] = []

    def __enter__(self) -> Eye:
        with self._router.inside():  # a thread starts in the namespace of the one that starts it
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    @property
    def last(self) -> Look:
        return self.looks[-1] if self.looks else Look(0.0, {}, {})

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + INTERVAL, time.monotonic())
            answer = self._ask()
            if answer is not None:
                self.looks.append(Look(time.time(), *map(_routes, answer)))


def _routes(paths: Iterable[Path]) -> Routes:
    return {str(path.prefix): path.stale for path in paths}


def _question(probe: Probe, node: str, other: str) -> Question:
    """The witness's own questions. GoBGP's would be six runs of its client a look; one brings its table."""

    def both() -> tuple[Iterable[Path], Iterable[Path]] | None:
        found = [probe.routes_from(address) for address in (node, other)]
        if any(answer.routes is RouteState.UNKNOWN for answer in found):
            return None
        return found[0].paths, found[1].paths

    def table() -> tuple[Iterable[Path], Iterable[Path]] | None:
        assert isinstance(probe, GobgpProbe)
        try:
            paths = list(read_rib(probe.client_of().ask("global", "rib", "-a", "ipv4", "-j")))
        except Unanswered:
            return None
        return [p for p in paths if p.neighbor == node], [p for p in paths if p.neighbor == other]

    return table if isinstance(probe, GobgpProbe) else both
