"""Faults on demand, what an operator of the lab can break, and that the server ends cleanly in any state."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import HTTPError

from bgpctl.errors import UsageError
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from tests.support.apiserver import RawClient, running
from tests.support.cluster_documents import nodes
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODES = "/api/v1/nodes"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running(controllers=False) as started:
        started.apply(*nodes(2))
        yield started


@pytest.fixture
def api(server: ApiServer, tmp_path: Path) -> RawClient:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    return RawClient(tmp_path / "kubeconfig")


def touch(server: ApiServer, name: str = "worker-1") -> None:
    """Change a node a little."""

    def change(node: dict[str, Any]) -> dict[str, Any]:
        labels = {**node["metadata"]["labels"], "touched": str(time.monotonic_ns())}
        return {**node, "metadata": {**node["metadata"], "labels": labels}}

    server.operations.modify(server.registry.by_plural("nodes"), "", name, change)


def test_a_crd_is_deleted_a_moment_after_the_answer(server: ApiServer, api: RawClient) -> None:
    server.apply(*crds())
    path = f"{CRDS}/bgpnodestates.bgpctl.io"
    states = "/apis/bgpctl.io/v1alpha1/bgpnodestates"
    body = {"apiVersion": "bgpctl.io/v1alpha1", "kind": "BGPNodeState", "metadata": {"name": "n"}}
    api.post(states, body).ok()
    by_itself, held = server.operations.later, deque[Callable[[], None]]()
    server.operations.later = held.append  # the moment lasts as long as this test needs it
    crd = api.delete(path).ok()
    assert [c["type"] for c in crd["status"]["conditions"]][-1] == "Terminating"
    assert api.get(f"{states}/n").code == 200
    again = api.post(CRDS, {**crd, "metadata": {"name": crd["metadata"]["name"]}})
    assert (again.code, again.reason) == (409, "AlreadyExists")
    assert again.body["message"].startswith("object is being deleted: ")
    assert api.post(states, {**body, "metadata": {"name": "m"}}).code == 405
    server.operations.later = by_itself
    by_itself(held.pop())
    eventually(lambda: api.get(path).code == 404)
    assert api.get(states).code == 404
    server.apply(*crds())
    api.delete(path).ok()
    server.apply(*crds())  # a seed does not wait
    assert api.get(states).ok()["items"] == []


# --- answers ----------------------------------------------------------------------------------------------


def test_a_number_of_requests_fails(server: ApiServer, api: RawClient) -> None:
    server.faults.add(Fault("answer", verb="list", resource="nodes", code=500, count=2))
    assert [api.get(NODES).code for _ in range(3)] == [500, 500, 200]


def test_too_many_requests_says_when_to_come_back(server: ApiServer, api: RawClient) -> None:
    server.faults.add(Fault("answer", resource="nodes", code=429, retry_after=7, count=1))
    reply = api.get(NODES)
    assert (reply.code, reply.reason, reply.headers["Retry-After"]) == (429, "TooManyRequests", "7")
    assert reply.causes == []  # so nobody takes it for a disruption budget


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", verb="patch"),
        Fault("answer", resource="pods"),
        Fault("answer", resource="nodes/status"),
        Fault("answer", path="worker-2"),
    ],
)
def test_a_fault_concerns_only_what_it_names(server: ApiServer, api: RawClient, fault: Fault) -> None:
    server.faults.add(fault)
    assert api.get(f"{NODES}/worker-1").code == 200


def test_latency(server: ApiServer, api: RawClient) -> None:
    server.faults.add(Fault("latency", verb="get", seconds=0.3, count=1))
    begun = time.monotonic()
    assert api.get(f"{NODES}/worker-1").code == 200
    assert time.monotonic() - begun >= 0.3


def test_a_dropped_request_was_not_carried_out(server: ApiServer, api: RawClient) -> None:
    server.faults.add(Fault("drop", verb="delete", count=1))
    with pytest.raises(HTTPError):
        api.delete(f"{NODES}/worker-1")
    assert server.get("nodes", "worker-1")


def test_a_cut_answer_belongs_to_a_request_that_was(server: ApiServer, api: RawClient) -> None:
    server.faults.add(Fault("cut", verb="delete", count=1))
    with pytest.raises(HTTPError):
        api.delete(f"{NODES}/worker-1")
    assert server.get("nodes", "worker-1") is None


def test_a_request_that_hangs_is_never_answered(server: ApiServer) -> None:
    server.faults.add(Fault("hang", verb="list"))
    host, port = server.url.removeprefix("http://").split(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=0.5)) as connection:
        connection.request("GET", NODES, headers={"Authorization": f"Bearer {server.admin_token}"})
        with pytest.raises(TimeoutError):
            connection.getresponse()


# --- watches ----------------------------------------------------------------------------------------------


def test_an_open_watch_is_dropped(server: ApiServer, api: RawClient) -> None:
    watch = api.watch(NODES, timeout=20)
    assert next(watch)[0] == "ADDED"
    server.faults.add(Fault("drop", verb="stream", resource="nodes", count=1))
    with pytest.raises(HTTPError):
        list(watch)


def test_an_open_watch_falls_silent(server: ApiServer, api: RawClient) -> None:
    watch = api.watch(NODES, timeout=20)
    assert [next(watch)[0], next(watch)[0]] == ["ADDED", "ADDED"]
    server.faults.add(Fault("hang", verb="stream", resource="nodes", count=1))
    eventually(lambda: server.faults.describe()["faults"][0]["left"] == 0, why="the stream hangs")
    touch(server)
    seen: list[Any] = []
    reader = threading.Thread(target=lambda: seen.extend(_until_error(watch)), daemon=True)
    reader.start()
    reader.join(0.5)
    assert reader.is_alive()
    assert seen == []
    server.stop()
    reader.join(5)
    assert not reader.is_alive()


def _until_error(watch: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from watch
    except HTTPError:
        return


def test_a_watch_from_a_forgotten_version_is_an_error_event(server: ApiServer, api: RawClient) -> None:
    version = api.get(NODES).version
    touch(server)
    server.store.compact()
    events = list(api.watch(NODES, resourceVersion=version))
    assert [kind for kind, _ in events] == ["ERROR"]
    assert (events[0][1]["code"], events[0][1]["reason"]) == (410, "Expired")
    assert "too old resource version" in events[0][1]["message"]


def test_a_page_of_a_forgotten_version_offers_to_go_on(server: ApiServer, api: RawClient) -> None:
    first = api.get(NODES, limit=1).ok()
    touch(server)
    server.store.compact()
    token = first["metadata"]["continue"]
    reply = api.get(NODES, limit=1, **{"continue": token})
    assert (reply.code, reply.reason) == (410, "Expired")
    rest = api.get(NODES, limit=1, **{"continue": reply.body["metadata"]["continue"]}).ok()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["worker-2"]


def test_the_history_is_bounded() -> None:
    from bgpctl.lab.api.status import ApiError
    from bgpctl.lab.api.store import Store

    store = Store(history=10)
    for _ in range(20):
        store.put(("", "nodes"), {"metadata": {"name": "n"}})
    with pytest.raises(ApiError) as caught:
        store.subscribe(("", "nodes"), since=store.version - 11)
    assert caught.value.code == 410
    assert store.subscribe(("", "nodes"), since=store.version - 10).queue.qsize() == 10


# --- outage and endpoint ----------------------------------------------------------------------------------


def test_an_outage_ends(server: ApiServer, api: RawClient) -> None:
    watch = api.watch(NODES, timeout=20)
    next(watch)
    server.faults.outage(0.5)
    with pytest.raises(HTTPError):
        list(watch)
    with pytest.raises(HTTPError):
        api.get(NODES)

    def back() -> bool:
        try:
            return api.get(NODES).code == 200
        except HTTPError:
            return False

    eventually(back, deadline=3)


def test_faults_over_http(server: ApiServer, api: RawClient) -> None:
    path = "/bgpctl-lab/faults"
    added = api.post(path, {"effect": "answer", "verb": "list", "code": 503, "count": 1}).ok()
    assert api.get(path).ok()["faults"][0]["code"] == 503
    assert [api.get(NODES).code, api.get(NODES).code] == [503, 200]
    api.delete(path, id=added["id"]).ok()
    assert api.get(path).ok()["faults"] == []
    for nonsense in ({"effect": "explode"}, {"effect": "drop", "verb": "("}, {"no": 1}, [1]):
        assert api.post(path, nonsense).code == 400
    nobody = {"authorization": f"Bearer {server.nobody_token}"}
    assert api.request("GET", path, None, nobody).code == 403


def test_the_two_tokens(server: ApiServer, api: RawClient) -> None:
    assert api.get(NODES).code == 200
    reply = api.request("GET", NODES, None, {"authorization": f"Bearer {server.nobody_token}"})
    assert (reply.code, reply.reason) == (403, "Forbidden")
    for headers in ({"authorization": ""}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer ü"}):
        assert api.request("GET", NODES, None, headers).code == 401
    assert server.admin_token not in repr(server.tokens)


# --- life -------------------------------------------------------------------------------------------------


def lab_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lab-api")]


def test_stop_is_quick_and_leaves_nothing(tmp_path: Path) -> None:
    server = ApiServer().start()
    try:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        server.apply(*nodes(1))
        api = RawClient(tmp_path / "kubeconfig")
        watches = [api.watch(NODES, timeout=600) for _ in range(5)]
        for watch in watches:
            next(watch)
        assert len(lab_threads()) >= 7
    finally:
        begun = time.monotonic()
        server.stop()
    assert time.monotonic() - begun < 2
    assert lab_threads() == []
    server.stop()
    host, port = server.url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1)


def test_a_client_that_leaves_frees_its_thread(server: ApiServer, api: RawClient) -> None:
    before = len(lab_threads())
    watch = api.watch(NODES, timeout=600)
    next(watch)
    eventually(lambda: len(lab_threads()) > before)
    watch.close()  # type: ignore[attr-defined]
    eventually(lambda: len(lab_threads()) <= before, why="the watch's thread has ended")


def test_a_taken_port_is_said_so(server: ApiServer) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match="cannot listen on"):
        ApiServer(port=port).start()


def test_nonsense_on_the_wire_costs_its_connection_only(server: ApiServer, api: RawClient) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for nonsense in (
        b"\x16\x03\x01\x00",
        b"GET\r\n\r\n",
        b"POST /api/v1/nodes HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert api.get(NODES).code == 200


def test_alone_in_the_foreground(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command = [sys.executable, "-m", "bgpctl.lab.api", "--tls", "--kubeconfig", str(kubeconfig)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        lines = [process.stdout.readline(), process.stdout.readline()]
        assert lines[1] == "ready\n"
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        assert RawClient(kubeconfig).get("/version").code == 200
        process.terminate()
        _, errors = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (0, "")


def test_json_survives_the_way(server: ApiServer, api: RawClient) -> None:
    """Text beyond ASCII, numbers and null come back as they went in."""
    data = {"text": 'ü "quoted" \\ \u2028 \U0001f600', "empty": ""}
    body = {"metadata": {"name": "x"}, "data": data}
    api.post("/api/v1/namespaces/default/configmaps", json.dumps(body, ensure_ascii=False).encode()).ok()
    assert api.get("/api/v1/namespaces/default/configmaps/x").ok()["data"] == data
