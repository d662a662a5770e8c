"""What is read of EndpointSlices: whose, of which IP version, how many take traffic, how many here."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.endpoints import Backends, Count, Slice, backends_of, read_slice

WEB = ("default", "web")
HERE, THERE, GONE = {"nodeName": "n"}, {"nodeName": "m"}, {"nodeName": "n", "conditions": {"ready": False}}


def document(*endpoints: dict[str, Any], kind: str | None = "IPv4", **labels: str) -> dict[str, Any]:
    named = labels or {"kubernetes.io/service-name": "web"}
    made: dict[str, Any] = {"metadata": {"name": "web-1", "labels": named}, "endpoints": list(endpoints)}
    return made | ({"addressType": kind} if kind else {})


@pytest.mark.parametrize(
    ("read", "slice_"),
    [
        (document(HERE, THERE, GONE), Slice(WEB, Backends(v4=Count(3, 2, 1)))),
        (document(HERE, kind="IPv6"), Slice(WEB, Backends(v6=Count(1, 1, 1)))),
        (document(HERE, kind=None), Slice(WEB, Backends(Count(1, 1, 1), Count(1, 1, 1)))),
        (document(HERE, kind="FQDN"), Slice(WEB)),
        (document(HERE, other="x"), Slice(None)),
        ({"metadata": {"name": "a"}}, Slice(None)),
    ],
)
def test_a_slice(read: dict[str, Any], slice_: Slice) -> None:
    assert read_slice(read, "n") == slice_


def test_a_malformed_slice_is_named() -> None:
    broken = document() | {"endpoints": 5}
    assert read_slice(broken, "n").problem.startswith(
        "EndpointSlice default/web-1 was left out: it is malformed"
    )


def test_the_slices_of_a_service_add_up() -> None:
    slices = [
        read_slice(document(HERE, HERE, THERE, GONE), "n"),
        read_slice(document(HERE, THERE, kind=None), "n"),
    ]
    other = read_slice(document(kind="IPv6"), "n")
    assert backends_of([*slices, Slice(None), other]) == {WEB: Backends(Count(6, 5, 3), Count(2, 2, 1))}
