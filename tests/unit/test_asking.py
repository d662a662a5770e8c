"""Which pod of a node is asked what its engine advertises: the one whose word is the node's, or none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bgpctl.kube.client import Client
from bgpctl.providers.asking import Asking


def pod(name: str = "a", *, phase: str = "Running", leaving: bool = False, host: bool = True) -> Any:
    metadata = {"name": name, **({"deletionTimestamp": "2026-11-30T00:00:00Z"} if leaving else {})}
    return {"metadata": metadata, "spec": {"hostNetwork": host}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("pods", "asked"),
    [
        ([pod()], "a"),
        ([pod(), pod("somebody", host=False)], "a"),
        ([pod(), pod("evicted", phase="Failed"), pod("over", phase="Succeeded")], "a"),
        ([pod(), pod("another")], None),
        ([pod(leaving=True)], None),
        ([pod(), pod("before", leaving=True)], None),
        ([], None),
    ],
)
def test_the_one_that_speaks_alone_is_asked(pods: list[Any], asked: str | None) -> None:
    """One that is on its way out may have the sessions still: beside it the next one, which has none yet,
    reported that nothing was left (issue 7). One that was evicted only stays in the list."""
    client = cast(Client, SimpleNamespace(items=lambda path, **query: pods))
    found = Asking[int](client, "app=x", "c", "x")._pod("n1")
    assert (found["metadata"]["name"] if found else None) == asked
