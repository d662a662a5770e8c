"""Requests against the embedded API, and against servers that are none: every failure has its kind."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from bgpctl import __version__
from bgpctl.errors import BgpctlError, Temporary, UsageError
from bgpctl.kube import client as module
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, Conflict, Gone, NotFound, ServerBusy
from bgpctl.kube.clock import steady
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from tests.support import apiserver, clients, wire_server

pytestmark = pytest.mark.integration

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def shared() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as server:
        yield server


@pytest.fixture
def server(shared: ApiServer) -> Iterator[ApiServer]:
    yield shared
    shared.faults.clear()


@pytest.fixture
def api(server: ApiServer) -> Client:
    return clients.client(server)


def configmap(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def labelled(name: str, label: str) -> dict[str, object]:
    return {**configmap(name), "metadata": {"name": name, "labels": {label: "1"}}}


# --- verbs ------------------------------------------------------------------------------------------------


def test_find_gives_none_for_a_missing_object_and_for_a_missing_resource(api: Client) -> None:
    assert api.find(paths.node("nobody")) is None
    assert api.find("/apis/example.org/v1/things/x") is None
    with pytest.raises(NotFound, match='nodes "nobody" not found'):
        api.get(paths.node("nobody"))


def test_items_reads_every_page(server: ApiServer) -> None:
    for number in range(module.PAGE + 7):
        server.apply(labelled(f"page-{number:04}", "p"))
    api = clients.counting(server)
    names = [item["metadata"]["name"] for item in api.items(CONFIGMAPS, labelSelector="p=1")]
    assert names == [f"page-{number:04}" for number in range(module.PAGE + 7)]
    assert api.lists() == 2


def test_a_list_whose_continue_token_expires_is_read_in_one_piece(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    for number in range(5):
        server.apply(labelled(f"e{number}", "expiring"))
    server.faults.add(Fault("answer", verb="list", path="continue=", code=410, count=1))
    items = clients.client(server).items(CONFIGMAPS, labelSelector="expiring=1")
    assert [item["metadata"]["name"] for item in items] == ["e0", "e1", "e2", "e3", "e4"]


def test_create_replace_delete(api: Client) -> None:
    made = api.create(CONFIGMAPS, configmap("one", a="1"))
    with pytest.raises(Conflict):
        api.create(CONFIGMAPS, configmap("one"))
    newer = api.replace(f"{CONFIGMAPS}/one", {**made, "data": {"a": "2"}})
    assert newer["data"] == {"a": "2"}
    with pytest.raises(Conflict, match="modified"):
        api.replace(f"{CONFIGMAPS}/one", {**made, "data": {"a": "3"}})
    api.delete(f"{CONFIGMAPS}/one")
    assert api.find(f"{CONFIGMAPS}/one") is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("merge", {"data": {"new": "x", "old": None}}),
        ("json", [{"op": "add", "path": "/data/new", "value": "x"}, {"op": "remove", "path": "/data/old"}]),
        ("strategic", {"data": {"new": "x", "old": None}}),
    ],
)
def test_patch_kinds(api: Client, kind: str, body: object) -> None:
    api.create(CONFIGMAPS, configmap(f"patched-{kind}", old="o"))
    assert api.patch(f"{CONFIGMAPS}/patched-{kind}", body, kind)["data"] == {"new": "x"}


def test_server_side_apply_creates(api: Client) -> None:
    path = f"{CONFIGMAPS}/applied"
    made = api.patch(path, configmap("applied", a="1"), "apply", fieldManager="test", force="true")
    assert made["data"] == {"a": "1"}


def test_a_json_patch_whose_test_fails_changes_nothing(api: Client) -> None:
    api.create(CONFIGMAPS, configmap("guarded", a="1"))
    patch = [{"op": "test", "path": "/data/a", "value": "2"}, {"op": "remove", "path": "/data/a"}]
    with pytest.raises(ApiError):
        api.patch(f"{CONFIGMAPS}/guarded", patch, "json")
    assert api.get(f"{CONFIGMAPS}/guarded")["data"] == {"a": "1"}


# --- failures of a real server ----------------------------------------------------------------------------


def test_401(server: ApiServer) -> None:
    with pytest.raises(ApiError, match="does not accept the credential") as caught:
        clients.client(server, "wrong-token-7Q").get(paths.NODES)
    assert caught.value.code == 401
    assert "log in" in caught.value.hint
    assert "wrong-token-7Q" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_403_says_who_may_not_do_what(server: ApiServer) -> None:
    with pytest.raises(ApiError, match=r'User "\S+" cannot list resource "nodes"') as caught:
        clients.client(server, server.nobody_token).items(paths.NODES)
    assert caught.value.code == 403
    assert "--context" in caught.value.hint


def test_429_carries_retry_after_and_the_status(server: ApiServer, api: Client) -> None:
    server.faults.add(Fault("answer", code=429, retry_after=7, count=1))
    with pytest.raises(ServerBusy, match="Too many requests") as caught:
        api.get(paths.NODES)
    assert caught.value.retry_after == 7.0
    assert caught.value.code == 429
    assert caught.value.status["reason"] == "TooManyRequests"
    assert api.get(paths.NODES)["items"] == []


@pytest.mark.parametrize("code", [500, 503, 504])
def test_5xx_may_succeed_later(server: ApiServer, api: Client, code: int) -> None:
    server.faults.add(Fault("answer", code=code, count=1))
    with pytest.raises(ServerBusy, match="fault injected") as caught:
        api.get(paths.NODES)
    assert caught.value.code == code
    assert isinstance(caught.value, Temporary)


def test_410_is_gone(server: ApiServer, api: Client) -> None:
    server.faults.add(Fault("answer", code=410, count=1))
    with pytest.raises(Gone):
        api.get(paths.NODES)


def test_a_dropped_connection_is_temporary_and_nothing_is_retried_behind_our_back(server: ApiServer) -> None:
    api = clients.counting(server)
    server.faults.add(Fault("drop", count=1))
    with pytest.raises(Temporary, match="did not answer") as caught:
        api.get(paths.NODES)
    assert "object at" not in str(caught.value) and "HTTPConnection" not in str(caught.value)
    assert len(api.sent) == 1
    assert api.get(paths.NODES)["kind"] == "NodeList"


def test_a_lost_answer_of_a_write_is_temporary(server: ApiServer, api: Client) -> None:
    server.faults.add(Fault("cut", verb="create", count=1))
    with pytest.raises(Temporary, match="did not answer"):
        api.create(CONFIGMAPS, configmap("cut"))
    assert api.find(f"{CONFIGMAPS}/cut") is not None


def test_a_server_that_hangs_ends_with_the_read_timeout(
    server: ApiServer, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.3)
    server.faults.add(Fault("hang", seconds=5, count=1))
    with pytest.raises(Temporary, match=r"^the API server http://\S+ did not answer within 0\.3 s$"):
        api.get(paths.NODES)


def test_a_handshake_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Temporary) as caught:
            clients.plain_client(host).get(paths.NODES)
    assert str(caught.value) == f"the API server {host} did not answer within 0.3 s"


def test_connection_refused() -> None:
    with pytest.raises(Temporary) as caught:
        clients.plain_client("http://127.0.0.1:1").get(paths.NODES)
    assert str(caught.value) == "the API server http://127.0.0.1:1 did not answer: Connection refused"


def test_an_untrusted_certificate_is_a_matter_of_configuration() -> None:
    with apiserver.running(controllers=False, tls=True) as server, pytest.raises(UsageError) as caught:
        clients.client(server).get(paths.NODES)
    assert "is not trusted: " in str(caught.value)
    assert "certificate-authority" in caught.value.hint


# --- what is no API server --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (
            wire_server.http("200 OK", b"<html>log in\nhere</html>"),
            "not from a Kubernetes API: <html>log in here",
        ),
        (wire_server.http("200 OK", b""), "it is empty"),
        (wire_server.http("200 OK", b"[]"), "not from a Kubernetes API"),
        (
            wire_server.http("200 OK", b' {"items": [{"data": {"password": "c2VjcmV0"}}'),
            "not from a Kubernetes API: 46 octets of JSON that are not whole$",
        ),
        (wire_server.http("200 OK", b'{"message": "welcome"}'), "no list of Kubernetes objects"),
        (wire_server.http("200 OK", b'{"items": [], "metadata": [7]}'), "no list of Kubernetes objects"),
        (wire_server.http("200 OK", b'{"items": [], "metadata": {"remainingItemCount": 7}}'), "not whole"),
        (wire_server.http("302 Found", b"", "Location: http://127.0.0.1:1/"), "redirected"),
        (wire_server.reset, "reset by peer"),
        (lambda connection: connection.sendall(b"220 mail ready\r\n"), "did not answer"),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"),
            "did not answer",
        ),
    ],
    ids=[
        "login page",
        "empty",
        "list",
        "half a Secret",
        "other JSON",
        "no metadata",
        "not all",
        "redirect",
        "reset",
        "another protocol",
        "cut off",
    ],
)
def test_nothing_but_a_list_passes_for_a_list(behaviour: wire_server.Behaviour, words: str) -> None:
    with wire_server.answering(behaviour) as url, pytest.raises(Temporary, match=words) as caught:
        clients.plain_client(url).items(paths.PEERING_POLICIES)
    assert "object at" not in str(caught.value)


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{")
    while True:
        connection.sendall(b" " * 65536)


def _trickling(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{")
    while True:
        connection.sendall(b" ")
        time.sleep(0.01)


def _refusing_endlessly(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


def _turning_pages(connection: socket.socket) -> None:
    page = {"items": [{"metadata": {"name": "x"}}] * 50, "metadata": {"continue": "more"}}
    wire_server.http("200 OK", json.dumps(page).encode())(connection)


@pytest.mark.parametrize("behaviour", [_endless, _trickling, _refusing_endlessly, _turning_pages])
def test_a_list_without_an_end_is_not_read_for_ever(
    behaviour: wire_server.Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_ANSWER", 1 << 20)
    monkeypatch.setattr(module, "MOST_ITEMS", 500)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    with wire_server.answering(behaviour) as url, pytest.raises(Temporary, match="does not end"):
        clients.plain_client(url).items(paths.PODS)


@pytest.mark.parametrize("items", [[1], [{}], [{"metadata": []}], [{"metadata": {"name": 7}}], {"a": 1}, "x"])
def test_what_has_no_name_is_no_object(items: object) -> None:
    page = wire_server.http("200 OK", json.dumps({"items": items}).encode())
    with wire_server.answering(page) as url, pytest.raises(Temporary, match="no list of Kubernetes objects"):
        clients.plain_client(url).items(paths.PODS)


def test_a_proxys_refusal_is_shown_in_its_words() -> None:
    page = wire_server.http("502 Bad Gateway", b"<h1>upstream\n  is away</h1>")
    with wire_server.answering(page) as url, pytest.raises(ServerBusy, match="<h1>upstream is away</h1>"):
        clients.plain_client(url).get(paths.NODES)


def test_headers() -> None:
    received: list[bytes] = []
    with wire_server.answering(wire_server.http("200 OK", b"{}"), received) as url:
        clients.plain_client(url, "tok").patch(paths.node("a"), {"x": 1}, "merge")
    head = received[0].decode().lower()
    assert head.startswith("patch /api/v1/nodes/a http/1.1")
    assert f"user-agent: bgpctl/{__version__}\r\n" in head
    assert "authorization: bearer tok\r\n" in head
    assert "content-type: application/merge-patch+json\r\n" in head
    assert "accept: application/json\r\n" in head


# --- discovery, paths, secrets ----------------------------------------------------------------------------


def test_serves_asks_discovery(api: Client) -> None:
    assert api.serves(paths.NODES)
    assert api.serves(paths.secrets("kube-system"))
    assert api.serves(paths.ENDPOINT_SLICES)
    assert not api.serves(paths.PEERING_POLICIES)
    assert not api.serves("/apis/apps/v1/zebras")


def test_names_cannot_leave_their_place_in_a_path() -> None:
    assert paths.node("worker-1.example.com") == "/api/v1/nodes/worker-1.example.com"
    for name in ("", ".", "..", "a/b", "a?c=d", "a%2Fb", "a b", "\udcff\udcfe", "x" * 254):
        with pytest.raises(UsageError):
            paths.node(name)


def test_a_token_that_no_header_can_carry_is_not_told(server: ApiServer) -> None:
    broken = clients.plain_client(server.url, "abc\ndefSECRET")
    with pytest.raises(UsageError) as caught:
        broken.get(paths.NODES)
    assert "SECRET" not in f"{caught.value.message} {caught.value.hint}"


def test_a_password_in_the_servers_address_is_not_told() -> None:
    with pytest.raises(Temporary) as caught:
        clients.plain_client("http://user:hunter2@127.0.0.1:1").get(paths.NODES)
    assert "hunter2" not in caught.value.message and "127.0.0.1:1" in caught.value.message


def test_nobody_waits_longer_than_his_own_time(server: ApiServer, api: Client) -> None:
    """A run's --timeout counts, not what a server that accepts and is silent makes of it."""
    server.faults.add(Fault("hang", verb="get", resource="nodes", seconds=20))
    api.ends = steady() + 1.0
    began = steady()
    with pytest.raises(Temporary):
        api.get(paths.node("worker-1"))
    assert steady() - began < 5


def test_no_token_in_any_repr(api: Client, server: ApiServer) -> None:
    assert server.admin_token not in f"{api!r} {api.access!r} {vars(api)!r}"


def test_every_error_is_ours(server: ApiServer, api: Client) -> None:
    """Whatever code a server or a proxy invents."""
    for code in (400, 405, 406, 409, 413, 415, 418, 422, 451, 507):
        server.faults.add(Fault("answer", code=code, count=1))
        with pytest.raises(BgpctlError) as caught:
            api.get(paths.NODES)
        assert str(caught.value)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"items":5}', b'{"items":{"a":1}}', b'{"message":{"a":1}}', b"\xff\xfe"]
)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error", "429 Too Many Requests"])
def test_odd_answers_are_temporary(status: str, body: bytes) -> None:
    answer = wire_server.http(status, body)
    with wire_server.answering(answer) as url, pytest.raises(Temporary):
        clients.plain_client(url).items(paths.NODES)
