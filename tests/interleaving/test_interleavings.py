"""The promise under second writers: thousands of interleavings, each from one number, on the real performer,
the real client and the embedded API. A number that breaks it becomes a named case below.

BGPCTL_INTERLEAVINGS sets how many; the inverse tests show that a fault in any of the mechanisms would be
found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from bgpctl.kube.lease import NodeLock
from bgpctl.runbooks import engine, perform, proof
from bgpctl.runbooks.perform import Performer
from tests.interleaving.many import faults, told

pytestmark = pytest.mark.interleaving

COUNT = int(os.environ.get("BGPCTL_INTERLEAVINGS", "2000"))
SLICE = 100


def test_the_promise_holds_in_every_interleaving() -> None:
    slices = [range(begin, min(begin + SLICE, COUNT)) for begin in range(0, COUNT, SLICE)]
    with ProcessPoolExecutor() as pool:
        found = [fault for part in pool.map(told, slices) for fault in part]
    assert not found, "\n".join(found[:10])


# --- the harness would notice -------------------------------------------------------------------------------

MOST = 1500  # interleavings within which a fault has to show
TELLING = (0, 13, 55, 376, 406)  # numbers that showed one each, asked first


@contextmanager
def _instead(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _unread_lease(lock: NodeLock) -> None:
    """The Lease as it was when it was renewed last, as before issue 7."""


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


BODY = perform._body


def _withdrew(s: Any, *, assume_dead: bool = False) -> proof.Word:
    return proof.Word.WITHDREW


def _no_looking_back(number: int, world: Any, progress: Any) -> Any:
    seen = world.observe(progress.steps[number].needs)
    return progress.steps[number].decide(seen), None


def _client() -> Any:
    from bgpctl.kube.client import Client

    return Client


FAULTS = [
    pytest.param(lambda: (NodeLock, "confirm", _unread_lease), id="the Lease is not read before a write"),
    pytest.param(lambda: (perform, "_body", _no_version), id="a Node patch without a version"),
    pytest.param(lambda: (perform, "decided_on", _any_node), id="any Node will do"),
    pytest.param(lambda: (_client(), "create", _without("preconditions")), id="an eviction without a UID"),
    pytest.param(
        lambda: (Performer, "_fence_deed", lambda self: None), id="evictions and commands without a fence"
    ),
    pytest.param(lambda: (proof, "word", _withdrew), id="the speaker's word is not asked for"),
    pytest.param(lambda: (proof, "missing", lambda s: ()), id="no baseline, any peer"),
    pytest.param(lambda: (engine, "_look", _no_looking_back), id="goals are not kept"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_inverse_a_fault_is_found(fault: Callable[[], tuple[Any, str, Any]]) -> None:
    with _instead(*fault()):
        assert list(islice(faults((*TELLING, *range(MOST))), 1)), f"{MOST} interleavings did not notice"
