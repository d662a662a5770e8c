"""The promise under second writers: thousands of interleavings, each from one number, on the real performer,
the real client and the embedded API. A number that breaks it becomes a named case below.

BGPCTL_INTERLEAVINGS sets how many, BGPCTL_SAMPLE which, so that CI tries others with each commit; the inverse
tests show that a fault in any of the mechanisms would be found."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from bgpctl.kube.lease import NodeLock
from bgpctl.runbooks import engine, perform, proof
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.perform import Performer
from tests.interleaving import writers
from tests.interleaving.many import faults, told
from tests.support import sample

pytestmark = pytest.mark.interleaving

COUNT = int(os.environ.get("BGPCTL_INTERLEAVINGS", "2000"))
FIRST = random.Random(sample.seed()).randrange(1_000_000) if sample.seed() else 0
SLICE = 100


def test_the_promise_holds_in_every_interleaving() -> None:
    end = FIRST + COUNT
    slices = [range(begin, min(begin + SLICE, end)) for begin in range(FIRST, end, SLICE)]
    cores = os.cpu_count() or 1
    beside = "PYTEST_XDIST_WORKER" in os.environ  # files whose deadlines are not to wait for ours
    with ProcessPoolExecutor(max(1, cores // 2) if beside else cores) as pool:
        found = [fault for part in pool.map(told, slices) for fault in part]
    assert not found, "\n".join(found[:10])


# --- the harness would notice -------------------------------------------------------------------------------

MOST = 500  # interleavings within which a fault has to show


@contextmanager
def _instead(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _unread_lease(lock: NodeLock, *, fresh: bool = False) -> None:
    """The Lease as it was when it was renewed last, as before issue 7."""
    lock._asked = lock._monotonic()


def _unfenced(performer: Performer, *, fresh: bool = True) -> None:
    """As if it were known that nobody took the node."""


def _any_node(document: dict[str, Any]) -> tuple[Any, ...]:
    return ()


def _without(name: str) -> Callable[..., Any]:
    """A request body without one of its parts."""
    from bgpctl.kube.client import Client

    create = Client.create

    def created(self: Client, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        if path.endswith("/eviction"):
            body = {**body, "deleteOptions": {k: v for k, v in body["deleteOptions"].items() if k != name}}
        return create(self, path, body, **query)

    return created


def _no_version(change: Any, document: dict[str, Any]) -> dict[str, Any]:
    body = BODY(change, document)
    del body["metadata"]["resourceVersion"]
    return body


BODY = perform.node_patch


def _withdrew(s: Any, *, assume_dead: bool = False) -> proof.Word:
    return proof.Word.WITHDREW


def _little_looking_back(number: int, world: Any, progress: Any) -> Any:
    """Only whether the run still has the node, and may begin."""
    seen = world.observe(progress.steps[number].needs)
    if seen.command_exit is None and not seen.released:
        for earlier, goal in enumerate(progress.steps[: min(number, 2)]):
            if goal.decide(seen).status is not Status.DONE:
                return Decision(Status.WAIT, ""), earlier
    return progress.steps[number].decide(seen), None


def _client() -> Any:
    from bgpctl.kube.client import Client

    return Client


REPLACED, POWERED = "was replaced, and sends", "safe to power off while"
EVICTED, UNASKED = "which runs on worker-2", "calls it confirmed, and nobody asked"
FAULTS: list[tuple[str, Callable[[], tuple[Any, str, Any]], tuple[writers.Writer, ...], str]] = [
    ("the Lease is not read before a write", lambda: (NodeLock, "confirm", _unread_lease), (), REPLACED),
    (
        "a Node patch without a version",
        lambda: (perform, "node_patch", _no_version),
        (writers.label_back,),
        POWERED,
    ),
    ("any Node will do", lambda: (perform, "decided_on", _any_node), (writers.label_back,), POWERED),
    (
        "an eviction without a UID",
        lambda: (_client(), "create", _without("preconditions")),
        (writers.move_pod,),
        EVICTED,
    ),
    (
        "evictions and commands without a fence",
        lambda: (Performer, "_fence_deed", _unfenced),
        (),
        REPLACED,
    ),
    (
        "the speaker's word is not asked for",
        lambda: (proof, "word", _withdrew),
        (writers.label_back,),
        POWERED,
    ),
    ("no baseline, any peer", lambda: (proof, "_missing", lambda s: iter(())), (writers.add_peer,), UNASKED),
    (
        "goals are not kept",
        lambda: (engine, "_look", _little_looking_back),
        (writers.label_back,),
        POWERED,
    ),
]


@pytest.mark.parametrize(
    ("fault", "acting", "sign"), [pytest.param(*more, id=name) for name, *more in FAULTS]
)
def test_inverse_a_fault_is_found(
    fault: Callable[[], tuple[Any, str, Any]], acting: tuple[writers.Writer, ...], sign: str
) -> None:
    """By the line of the promise that it breaks. `acting`: whose deeds it takes, so that a few interleavings
    are enough."""
    with _instead(*fault()):
        found = next((one for one in faults(range(MOST), *acting) if sign in one), "")
    assert found, f"{MOST} interleavings did not notice"
