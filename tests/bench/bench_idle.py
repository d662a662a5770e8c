"""CPU of one node's speaker that has nothing to do: manager, ExaBGP and relay, with a session that is up.

User and system time from /proc/PID/stat. The peer is an idle BIRD with the other end of that session.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.report import report
from tests.support.crowd import cpu_seconds, crowd

SERVICES = 100
SECONDS = 40.0
LIMIT = 1.0  # issue 3, "Fast": per cent of one core, manager and ExaBGP together


def shares(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Per cent of one core that each takes over the next `seconds`."""
    before, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {name: round((cpu_seconds(pid) - before[name]) / took * 100, 2) for name, pid in pids.items()}


def figures() -> Iterator[dict[str, Any]]:
    with crowd(SERVICES) as run:
        router = run.lab.router.pid
        assert router is not None
        time.sleep(5)  # the start is over, and what it published
        parts = shares({**run.processes(), "BIRD": router}, SECONDS)
    bird = parts.pop("BIRD")
    yield {
        "figure": f"CPU idle with {SERVICES} Services",
        "value": round(sum(parts.values()), 2),
        "unit": "% of a core",
        "peer": "BIRD idle",
        "peer_value": bird,
        "ratio": round(sum(parts.values()) / max(bird, 0.01), 1),
        "limit": LIMIT,
        "parts": parts,
    }


def main() -> int:
    return report("idle", figures())


if __name__ == "__main__":
    sys.exit(main())
