"""`bgpctl lab demo`: a node leaves service and comes back, over real sessions, watched on the router.

Runs the same commands a user would type, as processes of their own, and checks after each what the router
and the API say. The first check that fails ends the demonstration with its sentence and exit code 1.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bgpctl import providers
from bgpctl.core.state import seconds
from bgpctl.errors import BgpctlError
from bgpctl.lab import cluster, refused, seed, stacks
from bgpctl.lab.stage import NODE, command, document, expect, kept, row
from bgpctl.lab.watcher import INTERVAL, Watcher
from bgpctl.runbooks.journal import ANNOTATION, load

PREPARED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Drained:
    """The instants of the drain, in epoch seconds: by the journal, by bgpctl's own speaker, by the watcher.
    `told`: how the node was made to leave."""

    began: float
    told: str
    told_at: float
    withdraws_sent: float | None
    gone: float
    proof: str


@dataclass(frozen=True, slots=True)
class Restored:
    """The instants of the restore."""

    began: float
    first_route: float
    ended: float


def demo(router: str = "auto", nodes: int = 3, stack: str = stacks.DEFAULT) -> int:
    """Show it all; 0 only if everything really happened."""
    began = time.monotonic()
    with cluster.running(nodes, router, say=_say, stack=stack) as lab:
        addresses = {node: lab.address_of(node) for node in lab.nodes}
        with Watcher(lab.router.probe(), addresses) as watcher:
            show = _show if stacks.STACKS[stack].drains else refused.show
            timeline = list(show(lab, watcher, stack))
        print("\n" + "\n".join(timeline))
    print(f"\n{NODE} left service and came back, {time.monotonic() - began:.0f} s in all; nothing runs on.")
    return 0


def _show(lab: cluster.Lab, watcher: Watcher, stack: str) -> Iterator[str]:
    """The timeline, after everything has happened."""
    before = {node: watcher.count(node) for node in lab.nodes}
    _prepare(lab, stack)
    command(lab, "peers", "status")
    drained = _drain(lab, watcher)
    restored = _restore(lab, watcher)
    yield from _timeline(lab, watcher, before, drained, restored)


def _prepare(lab: cluster.Lab, stack: str) -> None:
    """What is typed once in a cluster, long before the first drain; a drain refuses what is too new."""
    for words in stacks.STACKS[stack].prepare:
        command(lab, *words)
    lever, until = providers.named(lab.client(), stack).lever, time.monotonic() + PREPARED_SECONDS
    if refusal := lever(document(lab)).refusal:
        print(f"\nwaiting, as an operator would: {refusal.partition(';')[0]}", flush=True)
    while lever(document(lab)).refusal:
        expect(time.monotonic() < until, f"{NODE} is not ready for a drain: {lever(document(lab)).refusal}")
        time.sleep(0.5)


def _drain(lab: cluster.Lab, watcher: Watcher) -> Drained:
    began = time.time()
    command(lab, "node", "drain", NODE)
    expect(watcher.count(NODE) == 0, f"the router still has {watcher.count(NODE)} routes of {NODE}")
    left = [pod["metadata"]["name"] for pod in _pods(lab) if not _of_daemonset(pod)]
    expect(not left, f"{NODE} still runs {', '.join(left)}")
    journal = load(document(lab)["metadata"].get("annotations"))
    gone = watcher.first(NODE, began, gone=True)
    sent = seconds((lab.node_state(NODE).get("withdrawn") or {}).get("sentTime")) if lab.speakers else None
    if journal is None or gone is None or sent == 0.0:
        raise BgpctlError(
            "the drain left no journal, no withdrawn record, or the watcher never saw the routes go"
        )
    told = f"relabelled {'='.join(map(str, journal.deselect))}" if journal.deselect else "told to withdraw"
    proof = str(journal.evidence.get("proof"))
    return Drained(began, told, journal.marks["Relabelled"], sent, gone, proof)


def _restore(lab: cluster.Lab, watcher: Watcher) -> Restored:
    began = time.time()
    command(lab, "node", "restore", NODE)
    ended, node = time.time(), document(lab)
    expect(not node["spec"].get("unschedulable"), f"{NODE} is still cordoned")
    expect(node["metadata"]["labels"].get(seed.LABEL) == "true", f"{NODE} has not got its label back")
    expect(ANNOTATION not in (node["metadata"].get("annotations") or {}), "the journal was left on the node")
    back = watcher.first(NODE, began, gone=False)
    expect(back is not None and watcher.count(NODE) > 0, f"the router has no route of {NODE} again")
    assert back is not None
    return Restored(began, back, ended)


def _timeline(
    lab: cluster.Lab, watcher: Watcher, before: dict[str, int], drained: Drained, restored: Restored
) -> Iterator[str]:
    router = lab.router.spec.kind
    yield f"timeline ({router} was asked {watcher.answers} times, every {INTERVAL * 1000:.0f} ms)"
    zero = drained.told_at
    yield row(0.0, f"{NODE} {drained.told}", "journal")
    if drained.withdraws_sent is not None:
        yield row(drained.withdraws_sent - zero, "every withdraw and the Cease sent", "speaker")
    yield row(
        drained.gone - zero, f"its last route gone on the router ({drained.proof} by the drain)", router
    )
    for node in lab.nodes[1:]:
        yield kept(node, watcher.lowest(node, drained.began), before[node])
    yield row(restored.first_route - restored.began, "after the restore began: routes back", router)
    yield row(restored.ended - restored.began, "after the restore began: in service, schedulable", "bgpctl")


# --- the world of the demonstration -----------------------------------------------------------------------


def _pods(lab: cluster.Lab) -> list[dict[str, Any]]:
    return lab.client().items("/api/v1/pods", fieldSelector=f"spec.nodeName={NODE}")


def _of_daemonset(pod: dict[str, Any]) -> bool:
    return any(owner.get("kind") == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())


def _say(text: str) -> None:
    print(text, flush=True)
