"""What 200 speakers cost an API server while the endpoints of some Services change ten times a second.

The embedded API in this process, the speakers' watches and writes in another (tests/support/fleet.py). Of the
figures, octets and writes are any API server's; CPU is that of this one, in Python, on which a real one is
many times better. The peer is the same fleet that writes each count at once, as it did before issue 8.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from tests.support import apiserver, objects
from tests.support.crowd import endpoint_slice

NODES, SERVICES, ENDPOINTS = 200, 100, 20
PER_SECOND, SECONDS = 10, 40.0
BUSY = 20  # Services whose only usable endpoint comes and goes
# Writes per second of 200 nodes: each once in 20 s on average; with the heartbeats, and half as much again.
LIMIT = NODES / 20 * 1.5


class Fleet:
    """A running one."""

    def __init__(self, process: subprocess.Popen[str], api: ApiServer) -> None:
        self._process, self._api = process, api

    def totals(self) -> dict[str, float]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return {**found, "api": time.process_time(), "at": time.monotonic()}

    def churn(self, seconds: float) -> int:
        """Endpoints of busy Services come and go, at random. How many changes that was."""
        chance, began = random.Random(1), time.monotonic()
        slices = self._api.registry.by_plural("endpointslices")
        for done in range(round(seconds * PER_SECOND)):
            time.sleep(max(0.0, began + done / PER_SECOND - time.monotonic()))
            number = chance.randrange(BUSY)
            made = endpoint_slice(number, ENDPOINTS)["metadata"]["name"]
            self._api.operations.modify(slices, "default", made, _turned, "")
        return round(seconds * PER_SECOND)


def _turned(old: dict[str, Any]) -> dict[str, Any]:
    """All endpoints become ready, or none is."""
    ready = not old["endpoints"][0]["conditions"]["ready"]
    conditions = {"ready": ready, "serving": ready, "terminating": False}
    return {**old, "endpoints": [{**each, "conditions": conditions} for each in old["endpoints"]]}


@contextmanager
def fleet(how: str) -> Iterator[Fleet]:
    """Of speakers that have read everything. `how`: counts are written at-once, or when they have waited."""
    with apiserver.running(controllers=False) as api:
        api.apply(*crds())
        for number in range(NODES):
            api.apply(objects.node(f"node-{number}", spec={}))
        for number in range(SERVICES):
            api.apply(endpoint_slice(number, ENDPOINTS))
        command = [sys.executable, "-m", "tests.support.fleet", api.url, api.admin_token, str(NODES), how]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield Fleet(process, api)
        finally:
            process.kill()
            process.wait()


def measured(how: str) -> dict[str, float]:
    """Per change: `events`, `octets` and `api`, the API's seconds of CPU; per second: `writes`; `rate`: the
    changes per second that there were."""
    with fleet(how) as run:
        time.sleep(2)
        before = run.totals()
        changes = run.churn(SECONDS)
        time.sleep(2)  # what was asked for last is through
        after = run.totals()
    took = {key: after[key] - before[key] for key in after}
    per_change = {key: took[key] / changes for key in ("events", "octets", "api")}
    return {**per_change, "writes": took["writes"] / took["at"], "rate": changes / took["at"]}


def figures() -> Iterator[dict[str, Any]]:
    once, now = measured("at-once"), measured("waits")
    what = f"{NODES} speakers, {now['rate']:.1f} endpoint changes/s"
    for text, key, unit, factor, limit in (
        (f"{what}: writes of BGPNodeStates", "writes", "1/s", 1.0, LIMIT),
        (f"{what}, {ENDPOINTS} endpoints a slice: read per change", "octets", "kB", 1e-3, None),
        (f"{what}: events per change", "events", "events", 1.0, None),
        (f"{what}: CPU of the embedded API per change", "api", "ms", 1e3, None),
    ):
        value, peer = now[key] * factor, once[key] * factor
        yield {
            "figure": text,
            "value": round(value, 2),
            "unit": unit,
            "peer": "counts written at once",
            "peer_value": round(peer, 2),
            "ratio": round(value / peer, 3),
            "limit": limit,
        }


def main() -> int:
    """Print every figure; 1 when one is over its limit."""
    over = False
    for figure in figures():
        print(json.dumps(figure), flush=True)
        over |= figure["limit"] is not None and figure["value"] > figure["limit"]
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
