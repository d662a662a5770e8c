"""What the router has of both nodes, look by look. A cell is judged by this, not by what bgpctl says."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe

INTERVAL = 0.25  # a session that was reset is down for longer


@dataclass(frozen=True, slots=True)
class Sight:
    """Of one node: its routes that are live, those that are stale, and whether its session is up. With the
    session up, stale is what is being sent anew: BIRD does that at each change of an export filter, between
    a BoRR and an EoRR (RFC 7313), which FRR obeys."""

    live: int
    stale: int
    up: bool

    @property
    def forwarding(self) -> int:
        return self.live + self.stale

    @property
    def serves(self) -> bool:
        return self.up and self.live > 0 and not self.stale


@dataclass(frozen=True, slots=True)
class Look:
    """One answer about every node, which was complete at `at` (epoch seconds)."""

    at: float
    nodes: Mapping[str, Sight]


class Eye:
    """`with Eye(…) as eye:` it looks. `looks` grows; where the router does not answer there is none."""

    def __init__(self, probe: Probe, addresses: Mapping[str, str]) -> None:
        self._probe, self._addresses = probe, dict(addresses)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eye", daemon=True)
        self.looks: list[Look] = []

    def __enter__(self) -> Eye:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            answers = {name: self._probe.routes_from(address) for name, address in self._addresses.items()}
            if any(answer.routes is RouteState.UNKNOWN for answer in answers.values()):
                continue
            sights = {}
            for name, answer in answers.items():
                stale = sum(path.stale for path in answer.paths)
                sights[name] = Sight(len(answer.paths) - stale, stale, answer.session == "established")
            self.looks.append(Look(time.time(), sights))
