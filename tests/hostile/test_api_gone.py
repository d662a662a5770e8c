"""The API server is gone, or answers nonsense, while a speaker runs: routes and sessions stay as they were,
and what changed meanwhile is applied when it is back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest

from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from tests.support import apiserver, hostile_node, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.hostile import load, memory
from tests.support.hostile_node import NAME, POD, WEB, Document, Node, node, service

pytestmark = pytest.mark.hostile

GONE_SECONDS = 6.0


class Requests:
    """Counts what reaches the server, faults included: (verb, resource)."""

    def __init__(self, server: ApiServer) -> None:
        self._take = server.faults.take
        self.seen: list[tuple[str, str]] = []
        server.faults.take = self._count  # type: ignore[method-assign]

    def _count(self, verb: str, resource: str, path: str) -> Any:
        if verb != "stream":
            self.seen.append((verb, resource))
        return self._take(verb, resource, path)

    def since(self, before: int) -> Counter[tuple[str, str]]:
        return Counter(self.seen[before:])


class Scene:
    """A cluster, its speaker and the witness; `change` is a new Service, seen only when the API is there."""

    def __init__(self, server: ApiServer, one: Node, requests: Requests) -> None:
        self.server, self.node, self.requests = server, one, requests
        self._numbers = iter(range(100, 200))

    def change(self) -> IPv4Network:
        number = next(self._numbers)
        self.server.apply(*service(f"web-{number}", f"192.0.2.{number}"))
        return ip_network(f"192.0.2.{number}/32")  # type: ignore[return-value]

    def stays(self) -> None:
        """As ever, for what was there."""
        assert {WEB, POD} <= self.node.witness.routes()
        assert not {WEB, POD} & self.node.withdrawn_so_far()
        self.node.untouched()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with (
        speakers.workplace() as place,
        apiserver.running(controllers=False) as server,
        hostile_node.witness() as witness,
    ):
        server.apply(*crds(), *_objects(witness))
        server.write_kubeconfig(place / "kubeconfig")
        requests = Requests(server)
        with node(place, "--kubeconfig", place / "kubeconfig", witness=witness) as one:
            one.has(WEB, POD)
            one.is_well()
            yield Scene(server, one, requests)


def _objects(witness: BgpPeer) -> list[Document]:
    return [
        objects.node(NAME),
        hostile_node.policy(witness),
        hostile_node.secret(),
        *service("web", "192.0.2.80"),
    ]


def break_watches(server: ApiServer) -> None:
    """What is armed meets new requests only."""
    server.faults.outage(0.2)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(None, "did not answer", id="gone"),
        pytest.param(Fault("answer", code=429, retry_after=2), "Too many requests", id="429"),
        pytest.param(Fault("answer", code=401), "does not accept the credential (401)", id="401"),
    ],
)
def test_an_outage_changes_nothing_and_ends_with_what_changed(
    scene: Scene, fault: Fault | None, words: str
) -> None:
    one, faults = scene.node, scene.server.faults
    before = len(scene.requests.seen)
    if fault is None:
        faults.outage(GONE_SECONDS)
    else:
        faults.add(fault)
        break_watches(scene.server)
    one.complains(words)
    first, second = scene.change(), scene.change()
    cpu = load(one.manager, 2.0)
    assert cpu < 0.25, f"{cpu:.0%} of a core while the API is away ({words})"
    scene.stays()
    assert first not in one.witness.routes()
    asked = scene.requests.since(before)
    assert sum(asked.values()) < 200, asked

    at = len(scene.requests.seen)
    faults.clear()
    one.has(first, second, deadline=25)
    one.is_well(25)
    time.sleep(1.0)  # of calm, in which a storm of writes would show
    asked = scene.requests.since(at)
    written = sum(n for (verb, what), n in asked.items() if "bgpnodestates" in what and verb != "get")
    assert written <= 8, asked
    scene.stays()


def test_a_storm_of_410_is_paced_told_and_harmless(scene: Scene) -> None:
    one, faults = scene.node, scene.server.faults
    faults.add(Fault("answer", verb="watch", resource="services", code=410))
    break_watches(scene.server)
    one.complains("ends every watch of /api/v1/services at once: it is read again")
    before, size = len(scene.requests.seen), memory(one.manager)
    change = scene.change()
    assert load(one.manager, 5.0) < 0.25
    lists = scene.requests.since(before)["list", "services"]
    assert 1 <= lists <= 8, f"{lists} lists in 5 s"
    one.has(change, deadline=15)  # a list is as good as a watch
    assert memory(one.manager) - size < 4
    scene.stays()
    faults.clear()
    after = scene.change()
    one.has(after, deadline=15)
    scene.stays()
