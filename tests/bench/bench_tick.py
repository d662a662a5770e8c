"""CPU of the speaker's loop for one change with 20,000 Services and two peers: the tick that the change rings
for, and the one that the engine rings for when it has done it.

The engine only notes what it was told, as ExaBGP's adapter does. The peer is the engine's tick, in which
nothing has changed: what reading everything again costs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

from bgpctl.core.intent.endpoints import read_slice
from bgpctl.core.intent.services import read_service
from tests.support import rig
from tests.support.crowd import NAME, endpoint_slice, service
from tests.support.fake_engine import NotingEngine

SERVICES, ROUNDS = 20_000, 40
PACE_SECONDS = 0.11  # so that no announcement is held back for the next (`core.intent.pacing`)
LIMIT = 25.0  # issue 8: milliseconds of CPU for one change


class Cluster:
    """A manager that has announced everything, and the objects that it is given, as mirrors give them."""

    def __init__(self, services: int) -> None:
        self._services = {number: read_service(service(number)) for number in range(services)}
        self._slices = {number: read_slice(endpoint_slice(number), NAME) for number in range(services)}
        self._rig = rig.Rig(rig.world(), engine=NotingEngine())
        self._look()
        for _ in range(4):
            self.tick()

    @property
    def routes(self) -> int:
        """Of both peers."""
        return self._rig.state.announced or 0

    def address(self, number: int, given: bool) -> None:
        """The load balancer gives the Service its address, or takes it away."""
        document = service(number)
        self._services[number] = read_service(document if given else {**document, "status": {}})
        self._look()

    def home(self, number: int, local: bool) -> None:
        """The Service's first endpoint runs on the node, or moves to another one."""
        document = endpoint_slice(number)
        first, *others = document["endpoints"]
        where = {**first, "nodeName": NAME if local else "worker-2"}
        self._slices[number] = read_slice({**document, "endpoints": [where, *others]}, NAME)
        self._look()

    def _look(self) -> None:
        """A mirror makes its tuple anew when one of its objects changed."""
        self._rig.source.objects = replace(
            self._rig.source.objects or rig.world(),
            services=tuple(self._services.values()),
            endpoint_slices=tuple(self._slices.values()),
        )

    def tick(self) -> float:
        """Milliseconds of CPU."""
        self._rig.engine.performed.clear()
        began = time.thread_time()
        self._rig.manager.tick()
        return (time.thread_time() - began) * 1000


def changes(cluster: Cluster, first: int = 1) -> tuple[list[float], list[float]]:
    """Milliseconds of CPU of the ticks with a change, and of those that follow them. Each Service flaps once:
    no address is damped."""
    busy, idle = [], []
    last = cluster.routes
    for number in range(first, first + 2 * ROUNDS, 2):
        for act in (cluster.address, cluster.home):
            for there in (False, True):
                time.sleep(PACE_SECONDS)
                act(number, there)
                busy.append(cluster.tick())
                assert (cluster.routes > last) is there, "a change that changes nothing"
                last = cluster.routes
                idle.append(cluster.tick())
    return busy, idle


def figures() -> Iterator[dict[str, Any]]:
    busy, idle = changes(Cluster(SERVICES))
    one, none = median(busy), median(idle)
    yield {
        "figure": f"CPU of the loop for one change, {SERVICES} Services, two peers",
        "value": round(one + none, 1),
        "unit": "ms",
        "peer": "a tick without a change, one of the two",
        "peer_value": round(none, 1),
        "ratio": round((one + none) / none, 1),
        "limit": LIMIT,
    }


def main() -> int:
    """Print every figure; 1 when one is over its limit."""
    over = False
    for figure in figures():
        print(json.dumps(figure), flush=True)
        over |= figure["value"] > figure["limit"]
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
