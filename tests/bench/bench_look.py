"""What looking costs as the cluster grows: wall time and memory of the whole command.

The cluster is the embedded API in this process; every node has a speaker that reports, a tenth of the
Services follow their endpoints, and each has three of them. The peer of `node drain --dry-run` is the same
command with a tenth of everything: a command that grows as nodes + Services stays below ten times that. What
`routes` prints grows as nodes x Services, so its peer is the number of routes in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from tests.bench.report import report
from tests.support import apiserver, node_states, objects

NODES, SERVICES, PART = 1000, 5000, 10
SECONDS, MEGABYTES = 5.0, 250.0
ROUTES_SECONDS, ROUTES_MEGABYTES = 30.0, 250.0
DOCTOR_SECONDS = 60.0
EXPLAINED = ("svc/default/svc-3", "20.0.0.0/28")
DRY_RUN = ("node", "drain", "worker-1", "--dry-run")
PORTS = [{"name": "http", "port": 80}]
FIRST = int(IPv4Address("20.0.0.0"))


def main() -> int:
    return report("look", _figures())


def _figures() -> Iterator[dict[str, Any]]:
    small, _ = _cost(NODES // PART, SERVICES // PART, *DRY_RUN)
    seconds, megabytes = _cost(NODES, SERVICES, *DRY_RUN)
    what = f"node drain --dry-run, {NODES} nodes x {SERVICES} Services"
    yield {"metric": what, "value": round(seconds, 2), "unit": "s", "limit": SECONDS}
    yield {"metric": what, "value": round(megabytes), "unit": "MB", "limit": MEGABYTES}
    yield {
        "metric": f"{what}: time, against a {PART}th of it",
        "value": round(seconds / small, 1),
        "unit": "ratio",
        "limit": float(PART),
    }

    yield from _routes()
    yield from _doctor()
    yield from _growing(("forecast", "--all"), SERVICES, SERVICES)
    for asked in EXPLAINED:
        yield from _growing(("explain", asked), NODES, 2 * NODES, ends=1)


def _routes() -> Iterator[dict[str, Any]]:
    """Of every node, as JSON: a million routes where each node announces every Service."""
    what = f"routes -o json, {NODES} nodes x {NODES} Services"
    seconds, megabytes = _cost(NODES, NODES, "routes", "-o", "json")
    yield {"metric": what, "value": round(seconds, 1), "unit": "s", "limit": ROUTES_SECONDS}
    yield {"metric": what, "value": round(megabytes), "unit": "MB", "limit": ROUTES_MEGABYTES}


def _doctor() -> Iterator[dict[str, Any]]:
    """Every rule about every node. It finds something: all of these nodes have one router ID."""
    what = f"doctor, {SERVICES} nodes x {SERVICES} Services"
    seconds, megabytes = _cost(SERVICES, SERVICES, "doctor", ends=1)
    yield {"metric": what, "value": round(seconds, 1), "unit": "s", "limit": DOCTOR_SECONDS}
    yield {"metric": what, "value": round(megabytes), "unit": "MB", "limit": MEGABYTES}


def _growing(command: tuple[str, ...], nodes: int, services: int, ends: int = 0) -> Iterator[dict[str, Any]]:
    """What grows as nodes + Services."""
    small, _ = _cost(nodes // PART, services // PART, *command, ends=ends)
    seconds, megabytes = _cost(nodes, services, *command, ends=ends)
    what = f"{' '.join(command)}, {nodes} nodes x {services} Services"
    yield {"metric": what, "value": round(seconds, 1), "unit": "s", "limit": DOCTOR_SECONDS}
    yield {"metric": what, "value": round(megabytes), "unit": "MB", "limit": MEGABYTES}
    ratio = round(seconds / small, 1)
    yield {
        "metric": f"{what}: time, against a {PART}th of it",
        "value": ratio,
        "unit": "ratio",
        "limit": float(PART),
    }


def _cost(nodes: int, services: int, *command: str, ends: int = 0) -> tuple[float, float]:
    """Seconds of the command, and the megabytes that it had at most; `ends` is its exit code."""
    with apiserver.running(controllers=False) as server, tempfile.TemporaryDirectory() as directory:
        _fill(server, nodes, services)
        kubeconfig = Path(directory, "config")
        server.write_kubeconfig(kubeconfig)
        argv = (sys.executable, "-m", "bgpctl", *command, "--kubeconfig", str(kubeconfig))
        began = time.monotonic()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) != ends:
        raise RuntimeError(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, used.ru_maxrss / 1024


def _fill(server: ApiServer, nodes: int, services: int) -> None:
    server.apply(*crds(), objects.policy())
    names = [f"worker-{number}" for number in range(1, nodes + 1)]
    now = time.time()
    for name in names:
        server.apply(objects.node(name), node_states.established(name, now))
    for number in range(services):
        name = f"svc-{number}"
        address = str(IPv4Address(FIRST + number))
        ends = [objects.endpoint(names[(number * 7 + each) % nodes]) for each in range(3)]
        server.apply(
            objects.service(name, address, local=number % 10 == 0, ports=PORTS),
            objects.endpoint_slice(name, *ends),
        )
