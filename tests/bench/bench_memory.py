"""Memory of one node's speaker, manager and ExaBGP with its relay, with few and with many Services.

PSS from /proc/PID/smaps_rollup, so that pages which the processes share count once. All Services are
announced, and some have changed before the figure is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from tests.bench.report import report
from tests.support.crowd import Crowd, crowd, waited

# Issue 3, "Fast": Services -> MB.
LIMITS = {100: 90.0, 10_000: 140.0}
ENDPOINTS = 2  # of each Service
CHANGES = 100


def figures() -> Iterator[dict[str, Any]]:
    """The peer is the same speaker's ExaBGP with its relay: what no manager could save."""
    for services, limit in LIMITS.items():
        with crowd(services, endpoints=ENDPOINTS) as run:
            _change_some(run, services)
            by_process = run.memory()
        total, manager = sum(by_process.values()), by_process["manager"]
        yield {
            "figure": f"memory with {services} Services, {services * ENDPOINTS} endpoints",
            "value": round(total, 1),
            "unit": "MB PSS",
            "peer": "its ExaBGP and relay",
            "peer_value": round(total - manager, 1),
            "ratio": round(total / (total - manager), 2),
            "limit": limit,
            "parts": {name: round(value, 1) for name, value in by_process.items()},
        }


def _change_some(run: Crowd, services: int) -> None:
    for number in range(min(CHANGES, services)):
        run.take(number)
    waited(lambda: run.bird.routes() == services - min(CHANGES, services))
    for number in range(min(CHANGES, services)):
        run.give(number)
    waited(lambda: run.bird.routes() == services)


def main() -> int:
    return report("memory", figures())


if __name__ == "__main__":
    sys.exit(main())
