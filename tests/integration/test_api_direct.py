"""The embedded API as function calls: what a test can do between two requests, and what stays real."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.errors import Temporary
from bgpctl.kube import client as module
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, Conflict, NotFound, ServerBusy
from bgpctl.lab.api import auth
from tests.support import direct, objects

pytestmark = pytest.mark.integration

NODE = paths.node("n")


@pytest.fixture
def api() -> direct.Api:
    made = direct.Api()
    made.server.apply(objects.node("n"))
    return made


@pytest.fixture
def wire(api: direct.Api) -> direct.Wire:
    return direct.Wire(api)


def label(client: Client, value: str, **metadata: Any) -> dict[str, Any]:
    return client.patch(NODE, {"metadata": {"labels": {"x": value}, **metadata}})


def test_verbs_and_errors_are_the_real_ones(api: direct.Api, wire: direct.Wire) -> None:
    client = wire.client()
    assert label(client, "1")["metadata"]["labels"]["x"] == "1"
    assert client.find(paths.node("nobody")) is None
    assert client.serves(paths.NODES) and not client.serves(paths.NODE_STATES)
    with pytest.raises(NotFound, match='nodes "nobody" not found'):
        client.get(paths.node("nobody"))
    with pytest.raises(ApiError) as refused:
        direct.Wire(api, user=auth.NOBODY).client().get(NODE)
    assert refused.value.code == 403


def test_lists_are_read_page_by_page(
    api: direct.Api, wire: direct.Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    api.server.apply(*(objects.node(f"n{number}") for number in range(5)))
    assert len(wire.client().items(paths.NODES)) == 6
    assert [asked.verb for asked in wire.sent] == ["list"] * 3


def test_somebody_writes_between_two_requests(api: direct.Api, wire: direct.Wire) -> None:
    client, other = wire.client(), direct.Wire(api).client()
    seen = client.get(NODE)["metadata"]["resourceVersion"]

    def before(asked: direct.Asked) -> None:
        if asked.verb == "patch" and asked.resource == "nodes":
            label(other, "theirs")

    wire.before = before
    with pytest.raises(Conflict):
        label(client, "ours", resourceVersion=seen)
    assert client.get(NODE)["metadata"]["labels"]["x"] == "theirs"


def test_a_request_or_its_answer_is_lost(wire: direct.Wire) -> None:
    client = wire.client()

    def lose(*_: object) -> None:
        raise direct.lost()

    wire.before = lose
    with pytest.raises(Temporary, match="did not answer"):
        label(client, "never")
    wire.before, wire.after = (lambda asked: None), lose
    with pytest.raises(Temporary, match="did not answer"):
        label(client, "once")
    wire.after = lambda asked, answer: None
    assert client.get(NODE)["metadata"]["labels"]["x"] == "once"
    assert [asked.verb for asked in wire.sent] == ["patch", "get"]


def test_another_answer(wire: direct.Wire) -> None:
    wire.before = lambda asked: direct.refused(429, "TooManyRequests", retry_after=7)
    with pytest.raises(ServerBusy) as busy:
        label(wire.client(), "never")
    assert (busy.value.code, busy.value.retry_after, wire.sent) == (429, 7.0, [])


def test_time_is_a_number(api: direct.Api) -> None:
    """The server an hour ahead, the client an hour behind: waits go by the server's clock."""
    api.skew = 3600.0
    client = direct.Wire(api).client(skew=-3600.0)
    assert client.now() == api.time.now - 3600.0
    label(client, "1")
    assert client.now() <= api.clock() <= client.latest()
    api.time.move(600.0)
    made = client.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "later"}})
    assert made["metadata"]["creationTimestamp"] == "2026-09-21T15:23:20Z"
    assert api.clock() - client.now() < 1.0


def test_forks_go_their_own_ways(api: direct.Api) -> None:
    ours, theirs = direct.Wire(api).client(), direct.Wire(api.fork()).client()
    label(ours, "1")
    assert "x" not in theirs.get(NODE)["metadata"]["labels"]
    theirs.delete(NODE)
    assert ours.get(NODE)["metadata"]["labels"]["x"] == "1"


def test_a_fork_hands_out_no_address_twice(api: direct.Api) -> None:
    def address(of: direct.Api, name: str) -> str:
        service = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
        made = direct.Wire(of).client().create("/api/v1/namespaces/default/services", service)
        return str(made["spec"]["clusterIP"])

    first, fork = address(api, "a"), api.fork()
    assert address(fork, "b") == address(api, "b") != first


def test_an_evicted_pod_ends_when_its_time_has_come(api: direct.Api, wire: direct.Wire) -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    api.server.apply(objects.node("n", status=ready), pod)
    controllers, client = api.controllers(grace_cap=5.0), wire.client()
    controllers.catch_up()
    api.time.move(0.5)
    controllers.catch_up()
    path = paths.pod("default", "p")
    assert client.get(path)["status"]["phase"] == "Running"
    client.create(paths.eviction("default", "p"), {"metadata": {"name": "p"}})
    controllers.catch_up()
    assert client.get(path)["metadata"]["deletionTimestamp"]
    api.time.move(5.1)
    controllers.catch_up()
    assert client.find(path) is None
