"""The mirror against the embedded API and its faults: never a change missed, never a busy loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.watch import Mirror, Timing
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api import watching as watching_module
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from tests.support import apiserver, clients, objects, wire_server
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

FAST = Timing(watch=20.0, silence=30.0, backoff=(0.05, 0.3), healthy=0.5)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as running:
        yield running


class Bell:
    """Counts how often it rang."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


@contextmanager
def mirror(
    client: Client, path: str = paths.NODES, timing: Timing = FAST, bell: Bell | None = None, **options: Any
) -> Iterator[Mirror]:
    made = Mirror(client, path, (bell or Bell()).ring, timing=timing, **options).start()
    try:
        yield made
    finally:
        made.stop()
        made._thread.join(5)
        assert not made._thread.is_alive()


def names(made: Mirror) -> list[str]:
    return sorted(item["metadata"]["name"] for item in made.items())


def has(made: Mirror, *expected: str, deadline: float = 10.0) -> None:
    why = f"{expected}; has {names(made)}"
    eventually(lambda: names(made) == sorted(expected), deadline, why=why)


def watching(client: clients.CountingClient, count: int = 1) -> None:
    eventually(lambda: client.watches() >= count)


def label(server: ApiServer, name: str, value: str) -> None:
    clients.client(server).patch(paths.node(name), {"metadata": {"labels": {"x": value}}})


# --- the copy ---------------------------------------------------------------------------------------------


def test_list_then_follow(server: ApiServer) -> None:
    server.apply(objects.node("a"))
    bell = Bell()
    with mirror(clients.client(server), bell=bell) as made:
        assert made.synced.wait(5)
        assert names(made) == ["a"]
        server.apply(objects.node("b"))
        has(made, "a", "b")
        label(server, "b", "new")
        eventually(lambda: any(i["metadata"]["labels"].get("x") == "new" for i in made.items()))
        clients.client(server).delete(paths.node("a"))
        has(made, "b")
        assert bell.rung == 4


def test_an_empty_collection_rings_once(server: ApiServer) -> None:
    bell = Bell()
    with mirror(clients.client(server), bell=bell) as made:
        assert made.synced.wait(5)
        eventually(lambda: bell.rung == 1)
        assert made.items() == ()


def test_what_slim_cuts_away_does_not_ring(server: ApiServer) -> None:
    """A kubelet's heartbeats change the Node all the time."""
    server.apply(objects.node("a"))
    bell = Bell()
    with mirror(
        clients.client(server), bell=bell, slim=lambda i: {"metadata": {"name": i["metadata"]["name"]}}
    ) as made:
        assert made.synced.wait(5)
        label(server, "a", "1")
        label(server, "a", "2")
        server.apply(objects.node("b"))
        has(made, "a", "b")
        assert bell.rung == 2  # the list, and b


def test_selection_is_the_servers(server: ApiServer) -> None:
    server.apply(objects.node("a"), objects.node("b"))
    with mirror(clients.client(server), query={"fieldSelector": "metadata.name=b"}) as made:
        assert made.synced.wait(5)
        assert names(made) == ["b"]


# --- going on ---------------------------------------------------------------------------------------------


def test_a_dropped_watch_goes_on_without_a_list_and_misses_nothing(server: ApiServer) -> None:
    server.apply(objects.node("a"))
    api = clients.counting(server)
    with mirror(api) as made:
        watching(api)
        server.faults.add(Fault("drop", verb="stream|watch", count=3))
        for number in range(5):
            server.apply(objects.node(f"n{number}"))
        has(made, "a", *(f"n{number}" for number in range(5)))
        eventually(lambda: not made.problem)
    assert api.lists() == 1
    assert api.watches() >= 4


def test_a_watch_that_ends_by_itself_goes_on_from_the_last_bookmark(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "_BEFORE_END_SECONDS", 0.4)
    server.apply(objects.node("a"))
    api = clients.counting(server)
    with mirror(api, timing=Timing(watch=1.0, silence=30, backoff=(0.05, 0.3), healthy=0.5)) as made:
        watching(api)
        server.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}}
        )
        watching(api, 3)
        server.apply(objects.node("b"))
        has(made, "a", "b")
        assert not made.problem
    versions = [int(query["resourceVersion"]) for _, _, query in api.sent if "watch" in query]
    assert versions == sorted(versions)
    assert versions[-1] > versions[0], "a bookmark carries the version forward though no node changed"
    assert api.lists() == 1


@pytest.mark.parametrize("verb", ["watch", "list"])
def test_410_lists_again_and_the_difference_is_right(server: ApiServer, verb: str) -> None:
    server.apply(objects.node("a"), objects.node("b"))
    api = clients.counting(server)
    with mirror(api) as made:
        has(made, "a", "b")
        watching(api)
        server.faults.add(Fault("answer", verb="watch", code=410, count=2))
        if verb == "list":
            server.faults.add(Fault("answer", verb="list", code=410, count=1))
        server.faults.add(Fault("drop", verb="stream", count=1))
        clients.client(server).delete(paths.node("a"))
        server.apply(objects.node("c"))
        label(server, "b", "changed")
        has(made, "b", "c")
        eventually(lambda: made.items()[0]["metadata"]["labels"].get("x") == "changed")
    assert api.lists() >= 2


def test_a_version_that_is_too_old_in_the_stream() -> None:
    """The server says so by an ERROR event, not by a status."""
    answers = iter(
        [
            b'{"items": [], "metadata": {"resourceVersion": "5"}}',
            b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}\n',
            b'{"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "9"}}',
        ]
    )

    def answer(connection: Any) -> None:
        body = next(answers, None)
        (wire_server.open_stream if body is None else wire_server.http("200 OK", body))(connection)

    with wire_server.answering(answer) as url, mirror(clients.plain_client(url)) as made:
        has(made, "a")
        assert made.problem == ""


# --- resources that are not there -------------------------------------------------------------------------


def test_a_missing_crd_counts_as_empty_and_its_arrival_is_noticed(server: ApiServer) -> None:
    with mirror(clients.client(server), paths.PEERING_POLICIES) as made:
        assert made.synced.wait(5)
        assert made.items() == () and made.problem == ""
        server.apply(*crds())
        server.apply(objects.policy(name="p"))
        has(made, "p")


def test_a_proxys_404_does_not_empty_the_copy(server: ApiServer) -> None:
    server.apply(*crds())
    server.apply(objects.policy(name="p"))
    api = clients.counting(server)
    with mirror(api, paths.PEERING_POLICIES) as made:
        has(made, "p")
        watching(api)
        number = server.faults.add(Fault("answer", path="ciliumbgppeeringpolicies", code=404))
        server.faults.add(Fault("drop", verb="stream", count=1))
        eventually(lambda: "though the API server serves it" in made.problem)
        throughout(lambda: names(made) == ["p"], 0.5)
        server.faults.remove(number)
        eventually(lambda: made.problem == "")
        assert names(made) == ["p"]


# --- a CRD that is deleted --------------------------------------------------------------------------------

POLICIES_CRD = f"{paths.CRDS}/ciliumbgppeeringpolicies.cilium.io"
QUICK = Timing(watch=20, backoff=(0.05, 0.2), healthy=0.5, returning=1.5)


def clinging(server: ApiServer, token: str | None = None) -> Any:
    server.apply(*crds())
    server.apply(objects.policy(name="p"), objects.policy(name="q"))
    return mirror(clients.client(server, token), paths.PEERING_POLICIES, timing=QUICK, cling=True)


def test_what_a_deleted_crd_takes_along_stays_and_what_is_deleted_itself_goes(server: ApiServer) -> None:
    api = clients.client(server)
    with clinging(server) as made:
        has(made, "p", "q")
        api.delete(f"{paths.PEERING_POLICIES}/q")
        has(made, "p")
        assert made.problem == ""
        api.delete(POLICIES_CRD)
        eventually(lambda: made.problem.endswith("was deleted; kept in force until it is there again: p"))
        throughout(lambda: names(made) == ["p"], 0.8)
        assert made.served


def test_a_crd_that_is_there_again_leaves_time_to_put_its_objects_back(server: ApiServer) -> None:
    api = clients.client(server)
    with clinging(server) as made:
        has(made, "p", "q")
        api.delete(POLICIES_CRD)
        eventually(lambda: made.problem.endswith("until it is there again: p, q"))
        server.apply(*crds())
        eventually(lambda: made.problem.endswith("to be put back: p, q"))
        server.apply(objects.policy(name="q"))
        eventually(lambda: made.problem.endswith("to be put back: p"))
        assert names(made) == ["p", "q"]
        has(made, "q", deadline=6)
        assert made.problem == ""
        api.delete(f"{paths.PEERING_POLICIES}/q")
        has(made)


@pytest.mark.parametrize("permitted", [True, False])
def test_a_crd_on_its_way_out_deletes_its_objects_first(server: ApiServer, permitted: bool) -> None:
    """As a real API server does it: the CRD waits for a finalizer until its objects have gone, one by one."""
    api = clients.client(server)
    with clinging(server) as made:
        has(made, "p", "q")
        if not permitted:
            server.faults.add(Fault("answer", resource="customresourcedefinitions", verb="get", code=403))
        finalizer = ["customresourcecleanup.apiextensions.k8s.io"]
        api.patch(POLICIES_CRD, {"metadata": {"finalizers": finalizer}})
        api.delete(POLICIES_CRD)
        api.delete(f"{paths.PEERING_POLICIES}/p")
        eventually(lambda: made.problem.endswith("until it is there again: p"))
        assert names(made) == ["p", "q"]
        api.patch(POLICIES_CRD, {"metadata": {"finalizers": None}})
        eventually(lambda: made.problem.endswith("until it is there again: p, q"))
        throughout(lambda: names(made) == ["p", "q"], 0.5)


# --- trouble ----------------------------------------------------------------------------------------------


def test_an_outage_keeps_the_objects_and_is_told(server: ApiServer) -> None:
    server.apply(objects.node("a"))
    api, bell = clients.counting(server), Bell()
    with mirror(api, bell=bell) as made:
        watching(api)
        before, rung = len(api.sent), bell.rung
        server.faults.outage(1.5)
        eventually(lambda: made.problem)
        assert bell.rung > rung
        assert "object at" not in made.problem
        throughout(lambda: names(made) == ["a"], 0.8)
        eventually(lambda: not made.problem)
        server.apply(objects.node("b"))
        has(made, "a", "b")
        # back-off 0.05, 0.1, 0.2, 0.3, 0.3 …: at most 1.5 / 0.3 + 4 tries, with jitter
        assert len(api.sent) - before <= 14
    assert api.lists() == 1


def test_a_half_open_connection_is_noticed(server: ApiServer) -> None:
    server.apply(objects.node("a"))
    api = clients.counting(server)
    timing = Timing(watch=20, silence=0.6, backoff=(0.05, 0.3), healthy=0.5)
    with mirror(api, timing=timing) as made:
        watching(api)
        server.faults.add(Fault("hang", verb="stream|watch", count=1))
        server.apply(objects.node("b"))
        has(made, "a", "b")
    assert api.lists() == 1


def test_403_is_told_and_not_asked_in_a_loop(server: ApiServer) -> None:
    api = clients.counting(server, server.nobody_token)
    with mirror(api) as made:
        eventually(lambda: "cannot list" in made.problem)
        assert not made.synced.is_set()
        throughout(lambda: len(api.sent) < 12, 1.5)
        assert len(api.sent) >= 3


def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop(server: ApiServer) -> None:
    api = clients.counting(server)
    timing = Timing(watch=0.0, silence=30, backoff=(0.05, 0.3), healthy=30.0)
    with mirror(api, timing=timing):
        watching(api, 2)
        begun = api.watches()
        throughout(lambda: api.watches() - begun < 12, 1.5)


def test_retry_after_is_obeyed(server: ApiServer) -> None:
    server.faults.add(Fault("answer", verb="list", code=429, retry_after=1, count=1))
    api = clients.counting(server)
    with mirror(api) as made:
        eventually(lambda: "Too many requests" in made.problem)
        throughout(lambda: len(api.sent) == 1, 0.7)
        assert made.synced.wait(5)
        eventually(lambda: not made.problem)


@pytest.mark.parametrize(
    "body",
    [
        b"not json\n",
        b"[]\n",
        b'"text"\n',
        b"{}\n",
        b'{"type": "ADDED", "object": {}}\n',
        b'{"type": "ADDED"}\n',
    ],
)
def test_events_that_make_no_sense_end_nothing(body: bytes) -> None:
    listed = b'{"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "5"}}'
    asked: list[bytes] = []

    def answer(connection: Any) -> None:
        wire_server.http("200 OK", body if b"watch=true" in asked[-1] else listed)(connection)

    with wire_server.answering(answer, asked) as url, mirror(clients.plain_client(url)) as made:
        eventually(lambda: len(asked) >= 5)
        assert names(made) == ["a"]
        assert made._thread.is_alive()


def test_a_watch_that_always_breaks_within_an_event_is_read_again_as_a_list() -> None:
    """A proxy with a limit: going on from the last version would ask for the same event for ever."""
    asked: list[bytes] = []

    def answer(connection: Any) -> None:
        if b"watch=true" in asked[-1]:
            half = b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"type": "ADDED", "object": {"met'
            connection.sendall(half)
            return
        lists = sum(b"watch=true" not in one for one in asked)
        name = b"old" if lists == 1 else b"new"
        body = b'{"items": [{"metadata": {"name": "%s"}}], "metadata": {"resourceVersion": "5"}}' % name
        wire_server.http("200 OK", body)(connection)

    with wire_server.answering(answer, asked) as url, mirror(clients.plain_client(url)) as made:
        eventually(lambda: names(made) == ["new"])
        assert made.problem


def test_a_slim_that_fails_is_told_and_tried_again(server: ApiServer) -> None:
    server.apply(objects.node("a"))
    broken = threading.Event()
    broken.set()

    def slim(item: dict[str, Any]) -> dict[str, Any]:
        if broken.is_set():
            raise TypeError("what is that?")
        return item

    with mirror(clients.client(server), slim=slim) as made:
        eventually(lambda: "TypeError: what is that?" in made.problem)
        broken.clear()
        has(made, "a")
        eventually(lambda: not made.problem)


# --- the end, and threads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_stop_ends_an_open_watch_at_once(tls: bool, tmp_path: Any) -> None:
    from bgpctl.kube.config import load_access

    with apiserver.running(controllers=False, tls=tls) as server:
        server.write_kubeconfig(tmp_path / "k")
        api = clients.CountingClient(load_access(str(tmp_path / "k")))
        made = Mirror(api, paths.NODES, Bell().ring).start()  # with the real, long timeouts
        watching(api)
        made.stop()
        made._thread.join(2)
        assert not made._thread.is_alive()


def test_stop_before_the_first_answer(server: ApiServer) -> None:
    server.faults.outage(30)
    made = Mirror(clients.client(server), paths.NODES, Bell().ring).start()
    eventually(lambda: made.problem)
    made.stop()
    made._thread.join(2)
    assert not made._thread.is_alive()


def test_readers_and_the_watch_do_not_disturb_each_other(server: ApiServer) -> None:
    wrong: list[object] = []
    done = threading.Event()

    def read(made: Mirror) -> Callable[[], None]:
        def loop() -> None:
            while not done.is_set():
                seen = [item["metadata"]["name"] for item in made.items()]
                if len(seen) != len(set(seen)):
                    wrong.append(seen)

        return loop

    with mirror(clients.client(server)) as made:
        readers = [threading.Thread(target=read(made), daemon=True) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(60):
            server.apply(objects.node(f"n{number:02}"))
        has(made, *(f"n{number:02}" for number in range(60)))
        done.set()
        for reader in readers:
            reader.join(5)
    assert not wrong
