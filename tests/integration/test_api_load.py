"""What one speaker asks of the API server, counted there: one list and one watch per kind, then nothing but
its state, on change and at most once a second, and a heartbeat."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.state import NodeState
from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from bgpctl.speaker.status.kubesink import KubeSink
from bgpctl.speaker.status.publisher import Pace, Publisher
from tests.support import apiserver, clients, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE, ROUTER, NAME = "127.88.17.2", "127.88.17.1", "worker-1"
GRACEFUL = bytes.fromhex("0078" + "00010180" + "00020180")
KINDS = {
    "nodes",
    "services",
    "endpointslices",
    "secrets",
    "ciliumbgppeeringpolicies",
    "ciliumbgpclusterconfigs",
    "ciliumbgppeerconfigs",
    "ciliumbgpadvertisements",
    "ciliumbgpnodeconfigoverrides",
    "ciliumloadbalancerippools",
    "ciliumpodippools",
    "ciliumnodes",
}
QUIET_SECONDS = BUSY_SECONDS = 3.0
WEB = [objects.service(f"web-{n}", f"192.0.2.{n}", ports=[{"port": 80}]) for n in range(1, 21)]


class Requests:
    """Every request that reaches a server, as (verb, resource): the door of the faults is passed by all."""

    def __init__(self, server: ApiServer) -> None:
        self._take = server.faults.take
        self.seen: list[tuple[str, str]] = []
        server.faults.take = self._count  # type: ignore[method-assign]

    def _count(self, verb: str, resource: str, path: str) -> Any:
        if verb != "stream":  # a line of a watch that is open already
            self.seen.append((verb, resource))
        return self._take(verb, resource, path)

    def during(self, seconds: float) -> Counter[tuple[str, str]]:
        """Those of the next `seconds`."""
        before = len(self.seen)
        time.sleep(seconds)  # the window itself: nothing is waited for
        return Counter(self.seen[before:])


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as made:
        made.apply(*crds())
        yield made


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as made:
        yield made


def test_a_quiet_and_a_busy_while(server: ApiServer, place: Path) -> None:
    requests = Requests(server)
    kubeconfig = place / "kubeconfig"
    server.write_kubeconfig(kubeconfig)
    with BgpPeer(ROUTER, graceful_restart=GRACEFUL) as router:
        neighbor = objects.neighbor(f"{ROUTER}/32", router.asn, peerPort=router.port)
        server.apply(objects.node(NAME), objects.policy(objects.router(neighbor)), *WEB)
        arguments = ("--node-name", NAME, "--source-address", NODE, "--kubeconfig", kubeconfig)
        speaker = SpeakerProcess(place / "speaker", *arguments).start()
        try:
            eventually(lambda: len(router.routes()) == len(WEB) + 2)
            eventually(lambda: _published(server).get("announced") == len(WEB) + 2)
            _check_start(Counter(requests.seen))
            eventually(lambda: not requests.during(1.5), deadline=15, why="the state has settled")

            assert requests.during(QUIET_SECONDS) == {}

            end, number = time.monotonic() + BUSY_SECONDS, 0
            before = len(requests.seen)
            while time.monotonic() < end:
                number += 1
                _change(server, number)
                time.sleep(0.01)
            busy = Counter(requests.seen[before:])
            assert number > 50
            assert set(busy) == {("patch", "bgpnodestates/status")}
            assert 1 <= busy.total() <= BUSY_SECONDS + 1
        finally:
            speaker.end()


def _check_start(seen: Counter[tuple[str, str]]) -> None:
    assert {resource for verb, resource in seen if verb == "watch"} == KINDS
    looks = seen["get", ""]  # for another stack on the node: at the start, and then rarely
    assert looks in (1, 2), seen
    for kind in KINDS:
        extra = looks if kind == "ciliumnodes" else 0
        assert (seen["watch", kind], seen["list", kind]) == (1, 1 + extra), (kind, seen)
    others = {each for each in seen if each[1] not in KINDS}
    told = {resource.partition("/")[0] for _, resource in others} - {"", "ciliumbgpnodeconfigs", "daemonsets"}
    assert told == {"bgpnodestates"}, others


def _published(server: ApiServer) -> dict[str, Any]:
    document = server.get("bgpnodestates", NAME) or {}
    return dict((document.get("status") or {}).get("routes") or {})


def _change(server: ApiServer, number: int) -> None:
    """One Service less, or again as it was."""
    balancer = {"ingress": []} if number % 2 else WEB[0]["status"]["loadBalancer"]
    services = server.registry.by_plural("services")
    server.operations.modify(
        services, "default", "web-1", lambda old: {**old, "status": {"loadBalancer": balancer}}, "status"
    )


def test_the_heartbeat_is_the_only_regular_request(server: ApiServer) -> None:
    """A minute on a shortened clock: 0.5 s for 60."""
    requests = Requests(server)
    publisher = Publisher(KubeSink(clients.client(server), NAME), Pace(minimum=0.01, heartbeat=0.5)).start()
    state = NodeState(NAME, "Running")
    publisher.offer(state)
    eventually(lambda: clients.client(server).find(paths.node_state(NAME)))
    beats = requests.during(2.2)
    for _ in range(20):
        publisher.offer(state)  # said again is not changed
    publisher.close(state)
    assert set(beats) == {("patch", "bgpnodestates/status")}
    assert 3 <= beats.total() <= 5
