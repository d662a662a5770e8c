"""200 changes a second for a minute with 5,000 Services: what is left to do after the last, and the memory.

Services get and lose their addresses, endpoints move to the node and away. In the end BIRD must have exactly
what the API's last state comes to: a lost change or two in the wrong order would show there. The peer is one
isolated change of the same run. Without damping, which holds flapping addresses back on purpose.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from bgpctl.lab.routers import find
from tests.support.crowd import Crowd, cpu_seconds, crowd, waited

SERVICES, PER_SECOND, SECONDS = 5000, 200, 60.0
WARM_SECONDS = 10.0
# Issue 3, "Fast": seconds until nothing is left, and "flat" memory (growth after the warm-up, ratio).
BACKLOG_LIMIT, GROWTH_LIMIT = 1.0, 1.05


def figures() -> Iterator[dict[str, Any]]:
    with crowd(SERVICES, "--no-damping") as run:
        began = time.monotonic()
        run.take(0)
        single = waited(lambda: not run.has(0)) - began
        run.churn(range(SERVICES), WARM_SECONDS, PER_SECOND)
        waited(lambda: _settled(run))
        before, used = run.memory()["manager"], _cpu(run)
        last = run.churn(range(SERVICES), SECONDS, PER_SECOND, seed=2)
        wanted = run.expected()
        backlog = waited(lambda: run.bird.prefixes() == wanted) - last
        used, after = _cpu(run) - used, run.memory()["manager"]
    name = f"{PER_SECOND} changes/s for {SECONDS:.0f} s, {SERVICES} Services"
    yield {
        "figure": f"{name}: left to do after the last",
        "value": round(backlog, 3),
        "unit": "s",
        "peer": "one isolated change",
        "peer_value": round(single, 3),
        "ratio": round(backlog / single, 2),
        "limit": BACKLOG_LIMIT,
    }
    yield {
        "figure": f"{name}: memory of the manager",
        "value": round(after / before, 3),
        "unit": "ratio",
        "peer": "before, in MB PSS",
        "peer_value": round(before, 1),
        "ratio": round(after / before, 3),
        "limit": GROWTH_LIMIT,
    }
    yield {
        "figure": f"{name}: CPU of the manager",
        "value": round(used / SECONDS, 3),
        "unit": "cores",
        "peer": None,
        "peer_value": None,
        "ratio": None,
        "limit": None,
    }


def _settled(run: Crowd) -> bool:
    return run.bird.prefixes() == run.expected()


def _cpu(run: Crowd) -> float:
    return sum(cpu_seconds(p) for p, text in run.speaker.processes().items() if "speaker run" in text)


def main() -> int:
    """Print every figure; 1 when one is over its limit, 0 without BIRD, which is said."""
    if find.program("bird") is None:
        print("the churn benchmark needs BIRD: apt install bird2", file=sys.stderr)
        return 0
    over = False
    for figure in figures():
        print(json.dumps(figure), flush=True)
        over |= figure["limit"] is not None and figure["value"] > figure["limit"]
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
