"""One node's BGPNodeState is garbage: it costs that node, says so, and every other node is seen as before."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state_document import from_document, read_states
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.config import load_access
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.runbooks import cluster
from tests.support.cli import bgpctl
from tests.support.fake_api import FakeApi, fake_api
from tests.support.node_states import NODE_STATES, established
from tests.unit.test_addresses import ATTACK


def broken(path: str, value: Any) -> dict[str, Any]:
    """The good document of n1 with one value replaced; `path` as in messages."""
    document: Any = established("n1")
    found = document
    *steps, last = path.split(".")
    for step in steps:
        found = found[int(step)] if isinstance(found, list) else found.setdefault(step, {})
    found[last] = value
    return dict(document)


FAULTS = [
    ("status", []),
    ("status", "x"),
    ("status.phase", {"a": 1}),
    ("status.heartbeatTime", "yesterday"),
    ("status.heartbeatTime", 17),
    ("status.startedAt", "0001-01-01T00:00:00+23:59"),
    ("status.startedAt", "2026-01-01"),
    ("status.engineRestarts", "1"),
    ("status.problems", "x"),
    ("status.problems", [1]),
    ("status.routes", []),
    ("status.routes.announced", "many"),
    ("status.routes.intended", -1),
    ("status.absent", {"noLocalEndpoints": "7"}),
    ("status.gracefulShutdown", {"soakSeconds": float("nan")}),
    ("status.gracefulShutdown", {"soakSeconds": float("inf")}),
    ("status.peers", {"a": 1}),
    ("status.peers", [7]),
    ("status.peers.0.name", ["x"]),
    ("status.peers.0.localAddress", "garbage"),
    ("status.peers.0.localAddress", ATTACK),
    ("status.peers.0.localAddress", 3221225985),
    ("status.peers.0.peerAddress", "garbage"),
    ("status.peers.0.peerPort", 65536),
    ("status.peers.0.peerASN", 2**40),
    ("status.peers.0.timers", {"appliedHoldTimeSeconds": "90"}),
    ("status.peers.0.timers", [1]),
    ("status.peers.0.families", [["ipv4"]]),
    ("status.peers.0.routeCount", [{"afi": "ipv4"}]),
    ("status.peers.0.routeCount", [{"afi": ["ipv4"], "safi": "unicast", "advertised": 1, "received": 1}]),
    ("status.peers.0.gracefulRestart", {"local": {"families": [{}]}}),
    ("status.peers.0.lastError", "x"),
    ("status.peers.0.state", 7),
    ("status.withdrawn", {"peers": [{"routes": "x"}]}),
    ("status.withdrawn", {"sentTime": "9999999-01-01T00:00:00Z"}),
    ("metadata.managedFields", [7]),
    ("metadata.managedFields", [{"subresource": "status", "time": "x"}]),
]


@pytest.mark.parametrize(("path", "value"), FAULTS)
def test_one_fault_is_named_and_costs_one_node(path: str, value: Any) -> None:
    document = broken(path, value)
    with pytest.raises(Unreadable) as caught:
        from_document(document)
    assert path.split(".")[:2][-1] in caught.value.message
    bad, good = read_states([document, established("n2")])
    assert (bad.node, bad.unreadable) == ("n1", caught.value.message)
    assert not good.unreadable and good.established == 1


@pytest.mark.parametrize("document", [None, [], "x", {}, {"metadata": []}, {"metadata": {"name": {}}}])
def test_what_is_no_object_has_no_name(document: Any) -> None:
    (state,) = read_states([document])
    assert state.node == "(unnamed)" and state.unreadable


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    """n1 is broken, n2 is well."""
    with fake_api(tmp_path) as (api, kubeconfig):
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        api.collections[paths.NODES] = [
            {"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "status": ready}
            for name in ("n1", "n2")
        ]
        api.collections[paths.SERVICES] = api.collections[paths.ENDPOINT_SLICES] = []
        api.collections[NODE_STATES] = [broken("status.peers.0.localAddress", "garbage"), established("n2")]
        yield api, kubeconfig


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [
        (("peers", "status"), 1, "failed"),  # not all sessions are known to be established
        (("node", "status"), 0, "done"),
        (("routes",), 0, "done"),
    ],
)
def test_every_command_shows_the_others_and_says_which_is_broken(
    two: tuple[FakeApi, Path], command: tuple[str, ...], code: int, status: str
) -> None:
    _, kubeconfig = two
    ran = bgpctl(*command, kubeconfig=kubeconfig)
    assert ran.code == code and "bug" not in ran.err
    assert "status.peers[0].localAddress must be an IP address" in ran.out
    assert "n2" in ran.out

    told = bgpctl(*command, "-o", "json", kubeconfig=kubeconfig).document
    assert told["status"] == status
    assert [node["node"] for node in told["nodes"]] == ["n1", "n2"]
    assert "localAddress" in json.dumps(told["nodes"][0]) and "localAddress" not in told["nodes"][1]


@pytest.mark.parametrize("command", [("peers", "status"), ("node", "status"), ("routes",)])
def test_a_node_that_is_broken_fails_who_asks_for_it_and_nobody_else(
    two: tuple[FakeApi, Path], command: tuple[str, ...]
) -> None:
    _, kubeconfig = two
    for named, code, status in (("n1",), 1, "failed"), (("n2", "n1"), 1, "failed"), (("n2",), 0, "done"):
        ran = bgpctl(*command, *named, "-o", "json", kubeconfig=kubeconfig)
        assert (ran.code, ran.document["status"]) == (code, status), named


def test_a_node_that_cannot_be_read_is_no_second_path_and_blocks_its_own_drain(
    two: tuple[FakeApi, Path],
) -> None:
    _, kubeconfig = two
    client = Client(load_access(str(kubeconfig)))
    objects = cluster.read(client, Bgpctl(client))
    assert not cluster.announces(objects.states["n1"], time.time())
    assert cluster.announces(objects.states["n2"], time.time())

    with pytest.raises(Blocked) as caught:
        Bgpctl(client).state("n1")
    assert "what node n1 announces is unknown" in caught.value.message
    assert "kubectl get bgpnodestate n1" in caught.value.hint
    well = Bgpctl(client).state("n2")
    assert well is not None and not well.stale(time.time())
