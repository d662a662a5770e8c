"""The demonstration of a stack that bgpctl cannot drain: it refuses, and says how long the routers may keep
the node's routes once that stack is stopped there. That is then done, and the router shows if it is true.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bgpctl import providers
from bgpctl.core.timing.withdrawal import Event, worst_of
from bgpctl.kube import paths
from bgpctl.lab import seed
from bgpctl.lab.cluster import Lab
from bgpctl.lab.stage import NODE, command, expect, kept, row
from bgpctl.lab.watcher import INTERVAL, Watcher
from bgpctl.queries.estimates import node_estimates

STOPPING_SECONDS = 5.0  # a DaemonSet's controller, and the pod's own end
BACK_SECONDS = 60.0


def show(lab: Lab, watcher: Watcher, stack: str) -> Iterator[str]:
    """The timeline, after everything has happened."""
    before = {node: watcher.count(node) for node in lab.nodes}
    command(lab, "peers", "status", code=1)
    command(lab, "node", "estimate", NODE)
    command(lab, "node", "drain", NODE, code=3)
    expect(
        watcher.count(NODE) == before[NODE] > 0, f"the router has lost routes of {NODE}, which was refused"
    )
    client = lab.client()
    estimates = node_estimates(client, NODE, {}, providers.named(client, stack))
    worst = worst_of(one for one in estimates if one.event is Event.DESELECT)
    assert worst is not None, "it has a peer"
    began = _label(lab, None, f"stops {stack} there, as its DaemonSet selects nodes by it")
    _until(lambda: watcher.count(NODE) == 0, STOPPING_SECONDS + worst.worst, f"routes of {NODE} stay")
    gone = watcher.first(NODE, began, gone=True)
    again = _label(lab, "true", "starts it again")
    _until(lambda: watcher.count(NODE) == before[NODE], BACK_SECONDS, f"not all routes of {NODE} came back")
    back = watcher.first(NODE, again, gone=False)
    assert gone is not None and back is not None, "the watcher has just seen it"
    router = lab.router.spec.kind
    yield f"timeline ({router} was asked {watcher.answers} times, every {INTERVAL * 1000:.0f} ms)"
    yield row(0.0, f"{stack} told to stop on {NODE}", "label")
    yield row(
        gone - began, f"its last route gone on the router (said before: {worst.worst:.0f} s at most)", router
    )
    yield from (kept(node, watcher.lowest(node, began), before[node]) for node in lab.nodes[1:])
    yield row(back - again, "after it was told to start again: routes back", router)


def _label(lab: Lab, value: str | None, why: str) -> float:
    """When, in epoch seconds."""
    print(
        f"\n$ kubectl label node {NODE} {seed.LABEL}{'-' if value is None else f'={value}'}  # {why}",
        flush=True,
    )
    began = time.time()
    lab.client().patch(paths.node(NODE), {"metadata": {"labels": {seed.LABEL: value}}})
    return began


def _until(holds: Callable[[], bool], within: float, otherwise: str) -> None:
    end = time.monotonic() + within
    while not holds():
        expect(time.monotonic() < end, f"{otherwise} for more than {within:.0f} s")
        time.sleep(INTERVAL)
