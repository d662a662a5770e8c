"""What is read of EndpointSlices: whose, of which IP version, how many take traffic, how many here."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.intent.endpoints import (
    Backends,
    Count,
    Slice,
    answers,
    backends_of,
    port_names,
    read_shared,
    read_slice,
    serving,
)

WEB = ("default", "web")
HERE, THERE = {"nodeName": "n"}, {"nodeName": "m"}
GONE = {"nodeName": "n", "conditions": {"ready": False}}
LEAVING = {"conditions": {"ready": False, "serving": True, "terminating": True}}
DUMMY = {"addresses": ["192.192.192.192"]}


def document(*endpoints: dict[str, Any], kind: str | None = "IPv4", **labels: str) -> dict[str, Any]:
    named = labels or {"kubernetes.io/service-name": "web"}
    made: dict[str, Any] = {"metadata": {"name": "web-1", "labels": named}, "endpoints": list(endpoints)}
    return made | ({"addressType": kind} if kind else {})


@pytest.mark.parametrize(
    ("read", "v4", "v6"),
    [
        (document(HERE, THERE, THERE, GONE), Count(4, 3, 1, 2), Count()),
        (document(HERE, {"addresses": ["10.0.0.1"]}), Count(2, 2, 1, 0), Count()),  # on no node
        (
            document(LEAVING | {"nodeName": "n"}, LEAVING | {"nodeName": "m"}, HERE, THERE, THERE),
            Count(5, 5, 1, 2, 1),
            Count(),
        ),
        (document(LEAVING | {"nodeName": "n"}, LEAVING | {"nodeName": "n"}), Count(2, 2, 0, 0, 2), Count()),
        (document(HERE, kind="IPv6"), Count(), Count(1, 1, 1)),
        (document(HERE, kind=None), Count(1, 1, 1), Count(1, 1, 1)),
        (document(HERE, kind="FQDN"), Count(), Count()),
    ],
)
def test_the_endpoints_of_a_slice(read: dict[str, Any], v4: Count, v6: Count) -> None:
    assert read_slice(read, "n") == Slice(WEB, (((), Backends(v4, v6)),))


@pytest.mark.parametrize("read", [document(HERE, other="x"), {"metadata": {"name": "a"}}])
def test_a_slice_of_no_service(read: dict[str, Any]) -> None:
    assert read_slice(read, "n") == Slice(None)


@pytest.mark.parametrize(
    ("port", "count", "dummy"), [(9999, Count(1, 1, 1), True), (80, Count(2, 2, 1, 0), False)]
)
def test_ciliums_own_endpoint_is_none_of_the_services(port: int, count: Count, dummy: bool) -> None:
    read = document(HERE, DUMMY) | {"ports": [{"port": port}]}
    ((_, backends),) = read_slice(read, "n").backends
    assert (backends.v4, backends.dummy) == (count, dummy)


def test_whose_ready_endpoints_are_where() -> None:
    read = document(HERE, HERE, THERE, GONE, {"addresses": ["10.0.0.1"]}) | {"ports": [{"name": "http"}]}
    shared, empty = read_shared(read), read_shared(document() | {"endpoints": None})
    assert (shared.service, shared.ports, shared.ready) == (WEB, ("http",), {"n": 2, "m": 1})
    assert (empty.service, empty.ports, empty.ready) == (WEB, (), {})


def test_a_malformed_slice_is_named() -> None:
    broken = document() | {"endpoints": 5}
    assert read_slice(broken, "n").problem.startswith(
        "EndpointSlice default/web-1 was left out: it is malformed"
    )


def test_the_slices_of_a_service_add_up() -> None:
    slices = [
        read_slice(document(HERE, HERE, THERE, GONE), "n"),
        read_slice(document(HERE, THERE, kind=None), "n"),
        Slice(None),
        read_slice(document(kind="IPv6"), "n"),
    ]
    added = Backends(Count(6, 5, 3, 2), Count(2, 2, 1, 1))
    assert backends_of(slices) == {WEB: (((), added),)}


@pytest.mark.parametrize("dummies", [(True, False), (False, True)])
def test_one_slice_with_ciliums_endpoint_is_enough(dummies: tuple[bool, bool]) -> None:
    ports = {"ports": [{"port": 9999}]}
    slices = [read_slice(document(*([DUMMY] if dummy else [])) | ports, "n") for dummy in dummies]
    assert serving(backends_of(slices)[WEB], ()).dummy


@pytest.mark.parametrize(
    ("theirs", "ports", "do"),
    [
        ((), ("a",), True),
        (("a",), (), True),
        (("a",), ("a",), True),
        (("a", "b"), ("b",), True),
        (("a",), ("b",), False),
    ],
)
def test_ports_that_meet(theirs: tuple[str, ...], ports: tuple[str, ...], do: bool) -> None:
    assert answers(theirs, ports) is do
    backends = Backends(Count(1, 1, 1))
    assert serving(((theirs, backends),), ports) == (backends if do else Backends())


def test_the_names_of_ports_are_in_order_and_one_without_a_name_stands_for_all() -> None:
    names = [f"p{n}" for n in range(9, 0, -1)]
    assert port_names([{"name": name} for name in (*names, "p1")]) == tuple(sorted(names))
    assert port_names([{"name": "a"}, {}]) == port_names(None) == ()


@pytest.mark.parametrize("metadata", [{"labels": {"kubernetes.io/service-name": 5}}, {"namespace": 5}])
def test_a_service_whose_name_is_no_text(metadata: dict[str, Any]) -> None:
    made = document(HERE)
    made["metadata"] = {**made["metadata"], **metadata}
    assert "the name of its Service is no text" in read_slice(made, "n").problem


def test_a_slice_without_endpoints() -> None:
    assert read_slice(document() | {"endpoints": None}, "n") == Slice(WEB, (((), Backends()),))
