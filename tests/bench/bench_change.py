"""Change latency with 5,000 Services: from a write at the embedded API to the route in BIRD.

The peer is what no speaker can go below, measured in the same run: the API's own event on a bare watch, plus
one route through a bare engine of ours to the same BIRD.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Network
from statistics import median, quantiles
from typing import Any

from bgpctl.core.intent.diff import Announce, Configure, Synced, Withdraw
from bgpctl.core.model import Attributes
from bgpctl.errors import Temporary
from bgpctl.kube import paths
from tests.bench.report import report
from tests.support import clients
from tests.support.crowd import Crowd, crowd, waited
from tests.support.engines import engine, peer

SERVICES = 5000
ROUNDS = 100
# Issue 3, "Fast": milliseconds.
LIMITS = {"p50": 60.0, "p99": 250.0}
SLACK = 5.0
PAUSE_SECONDS = 0.15  # between two changes, so that each is an isolated one


def changes(
    run: Crowd, there: Callable[[int], None], away: Callable[[int], None]
) -> tuple[list[float], list[float]]:
    """Milliseconds of every announcement and every withdrawal, of Services with the policy Local."""
    announced, withdrawn = [], []
    for number in range(SERVICES - 2 * ROUNDS + 1, SERVICES, 2):
        has = partial(run.has, number)
        withdrawn.append(_timed(partial(away, number), lambda has=has: not has()))
        announced.append(_timed(partial(there, number), has))
    return announced, withdrawn


def _timed(act: Callable[[], None], condition: Callable[[], bool]) -> float:
    time.sleep(PAUSE_SECONDS)
    began = time.monotonic()
    act()
    return (waited(condition) - began) * 1000


def watch_floor(run: Crowd) -> list[float]:
    """Milliseconds from a Service's write to its event on a bare watch."""
    seen, arrived = threading.Event(), [0.0]
    client = clients.client(run.api)
    _, version = client.list_with_version(paths.SERVICES)
    stream = client.stream(paths.SERVICES, {"watch": "true", "resourceVersion": version}, 60.0)

    def follow() -> None:
        with contextlib.suppress(Temporary):  # it is closed under us
            for _ in stream:
                arrived[0] = time.monotonic()
                seen.set()

    threading.Thread(target=follow, daemon=True).start()
    found = []
    for number in range(ROUNDS // 2):
        for act in (run.take, run.give):
            seen.clear()
            time.sleep(PAUSE_SECONDS)
            began = time.monotonic()
            act(number)
            seen.wait(10)
            found.append((arrived[0] - began) * 1000)
    stream.close()
    return found


def engine_floor(run: Crowd) -> tuple[list[float], list[float]]:
    """Milliseconds of one route from our engine, without a manager, to BIRD and away from it."""
    spec, node = run.lab.router.spec, run.lab.nodes[1]
    one = peer(spec.address, spec.port, spec.asn, node.address, local_asn=node.asn, hold_time=90)
    prefix = IPv4Network("198.51.100.1/32")
    there, away = [], []
    with engine() as eng:
        eng.perform(Configure((one,)))
        eng.perform(Synced((one.name,)))
        waited(lambda: run.bird.established("node2"))
        for _ in range(ROUNDS // 2):
            there.append(
                _timed(
                    lambda: eng.perform(Announce(one.name, Attributes(), (prefix,))),
                    lambda: run.bird.has(str(prefix)),
                )
            )
            away.append(
                _timed(
                    lambda: eng.perform(Withdraw(one.name, (prefix,))),
                    lambda: not run.bird.has(str(prefix)),
                )
            )
    return there, away


def figures() -> Iterator[dict[str, Any]]:
    """p50 and p99 of both kinds of events, each announcing and withdrawing. A ratio of 1 is the floor; p50 of
    withdrawing may not be above that of announcing, but for what two measurements differ by anyway."""
    with crowd(SERVICES) as run:
        watch, bare = watch_floor(run), engine_floor(run)
        service = changes(run, run.give, run.take)
        endpoint = changes(run, partial(run.home, local=True), partial(run.home, local=False))
    for cause, measured in (("Service", service), ("endpoint", endpoint)):
        limits = dict(LIMITS)
        for what, values, floor in zip(("announce", "withdraw"), measured, bare, strict=True):
            for name, at in (("p50", median), ("p99", _p99)):
                peer_value = at(watch) + at(floor)
                yield {
                    "figure": f"{what} {name}, {cause} event, {SERVICES} Services, API to BIRD",
                    "value": round(at(values), 1),
                    "unit": "ms",
                    "peer": "a bare watch + one route of a bare engine",
                    "peer_value": round(peer_value, 1),
                    "ratio": round(at(values) / peer_value, 2),
                    "limit": round(limits[name], 1),
                }
            limits["p50"] = min(limits["p50"], median(values) + SLACK)


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def main() -> int:
    return report("change", figures())


if __name__ == "__main__":
    sys.exit(main())
