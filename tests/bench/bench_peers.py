"""What `peers status` costs with thousands of nodes, per stack, against `kubectl get -o json` of the same
objects (issue 9): wall time of the whole command and the memory it had at most, medians.

The cluster is the embedded API in this process, so both wait for the same server. The second limit is that
memory stays flat: with ten times the nodes it is at most twice as much.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bgpctl.core.calico import nodestatus
from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from bgpctl.lab.stacks.calico import documents as calico
from bgpctl.lab.stacks.cilium import documents
from tests.bench.report import report
from tests.support import apiserver, node_states, objects

NODES, PART, RUNS = 5000, 10, 3
RATIO, GROWTH = 1.5, 2.0

Document = dict[str, Any]
Fill = Callable[[str], Sequence[Document]]


def _bgpctl(name: str) -> Sequence[Document]:
    return (node_states.established(name, time.time()),)


def _cilium(name: str) -> Sequence[Document]:
    peers = [{"name": f"rack-{n}", "peerAddress": f"10.0.0.{n}", "peerASN": 65000} for n in (1, 2)]
    counts = [{"afi": "ipv4", "safi": "unicast", "received": 4, "advertised": 12}]
    told = {"peeringState": "established", "establishedTime": "2026-11-01T00:00:00Z", "routeCount": counts}
    status = {"bgpInstances": [{"name": "main", "peers": [{**peer, **told} for peer in peers]}]}
    config = {"name": "main", "localASN": 65001, "routerID": "10.1.0.1", "peers": peers}
    return (
        {
            "apiVersion": documents.API,
            "kind": "CiliumBGPNodeConfig",
            "metadata": {"name": name},
            "spec": {"bgpInstances": [config]},
            "status": {**status},
        },
    )


def _calico(name: str) -> Sequence[Document]:
    """The Node too, from which its own addresses and labels are read."""
    node = objects.node(name, labels={"kubernetes.io/hostname": name}, annotations=calico.notes("10.1.0.1"))
    here = f"kubernetes.io/hostname == '{name}'"
    peers = [calico.peer(f"{name}-{n}", f"10.0.0.{n}", nodeSelector=here) for n in (1, 2)]
    told = [{"peerIP": f"10.0.0.{n}", "type": "NodePeer", "state": "Established"} for n in (1, 2)]
    asked = nodestatus.made_for(name, calico.V3)
    status = {"lastUpdated": "2026-11-01T00:00:00Z", "bgp": {"peersV4": told}}
    return (node, *peers, {**asked, "status": status})


STACKS: dict[str, tuple[Sequence[Document], str, Fill]] = {
    "bgpctl": (tuple(crds()), "bgpnodestates", _bgpctl),
    "calico": (tuple(calico.crds()), "nodes,bgppeers,caliconodestatuses", _calico),
    "cilium": ((*crds(), documents.crd()), "ciliumbgpnodeconfigs", _cilium),
}
"""The CRDs, the kinds that kubectl reads, and what there is of each node."""


def main() -> int:
    return report("peers", _figures())


def _figures() -> Iterator[Document]:
    for stack in STACKS:
        ours, theirs, memory = _cost(stack, NODES)
        _, _, small = _cost(stack, NODES // PART)
        what = f"peers status, {NODES} nodes of {stack}"
        yield {
            "figure": what,
            "value": round(ours / theirs, 2),
            "unit": "ratio",
            "seconds": round(ours, 2),
            "peer": "kubectl get -o json of the same objects",
            "peer_value": round(theirs, 2),
            "limit": RATIO,
        }
        yield {
            "figure": f"{what}: memory",
            "value": round(memory / small, 2),
            "unit": "ratio",
            "megabytes": round(memory),
            "peer": f"with a {PART}th of the nodes",
            "peer_value": round(small),
            "limit": GROWTH,
        }


def _cost(stack: str, nodes: int) -> tuple[float, float, float]:
    """Seconds of bgpctl and of kubectl, and the megabytes of bgpctl."""
    kinds, plural, fill = STACKS[stack]
    with ExitStack() as open_, tempfile.TemporaryDirectory() as directory:
        server: ApiServer = open_.enter_context(apiserver.running(tls=True, controllers=False))
        server.apply(*kinds)
        for number in range(nodes):
            server.apply(*fill(f"worker-{number}"))
        kubeconfig = Path(directory, "config")
        server.write_kubeconfig(kubeconfig)
        flag = ("--kubeconfig", str(kubeconfig))
        ours = [_once(sys.executable, "-m", "bgpctl", "peers", "status", *flag) for _ in range(RUNS)]
        theirs = [
            _once("kubectl", "--cache-dir", directory, "get", plural, "-A", "-o", "json", *flag)
            for _ in range(RUNS)
        ]
    seconds = (statistics.median(each for each, _ in some) for some in (ours, theirs))
    return *seconds, statistics.median(megabytes for _, megabytes in ours)  # type: ignore[return-value]


def _once(*argv: str) -> tuple[float, float]:
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(argv)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, used.ru_maxrss / 1024
