"""A command in a container of the embedded API: what it says, how it ends, and who may not."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bgpctl.errors import BgpctlError
from bgpctl.kube import exec
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.config import load_access
from bgpctl.lab.api import ApiServer
from tests.support import apiserver, clients, wire_server
from tests.support.require import require

pytestmark = pytest.mark.integration

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "cilium-x", "namespace": "kube-system"},
    "spec": {"containers": [{"name": "cilium-agent", "image": "x"}]},
}
WHERE = ("kube-system", "cilium-x", "cilium-agent")


def echo(pod: dict[str, Any], container: str, words: Sequence[str]) -> tuple[str, str, int]:
    """Plays the container."""
    match words:
        case ["fail"]:
            return "half", "it\nbroke\n", 3
        case ["much"]:
            return "x" * 200_000, "", 0
    return f"{pod['metadata']['name']} {container} {' '.join(words)}", "a warning", 0


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    with apiserver.running(tls=request.param, controllers=False) as started:
        started.apply(POD)
        started.commands = echo
        yield started


@pytest.fixture
def client(server: ApiServer, tmp_path: Path) -> Client:
    return whose(server, tmp_path)


def whose(server: ApiServer, place: Path, token: str = "") -> Client:
    server.write_kubeconfig(place / "config", token)
    return Client(load_access(str(place / "config")))


def test_what_it_says_is_its_standard_output(client: Client) -> None:
    assert exec.run(client, *WHERE, ["say", "a&b=c", "ü"]) == "cilium-x cilium-agent say a&b=c ü"
    assert exec.run(client, *WHERE, ["much"]) == "x" * 200_000


def test_one_that_fails_says_why_in_its_own_last_words(client: Client) -> None:
    with pytest.raises(BgpctlError, match="`fail`: broke"):
        exec.run(client, *WHERE, ["fail"])


def test_who_may_not_is_told_so(server: ApiServer, tmp_path: Path) -> None:
    server.rights = ("get pods/exec",)  # as before 1.35; it wants `create` too
    try:
        with pytest.raises(ApiError, match="cannot create resource") as refused:
            exec.run(whose(server, tmp_path, server.person_token), *WHERE, ["say"])
        assert refused.value.code == 403
    finally:
        server.rights = ("* *",)


def test_without_the_pod_or_the_container_there_is_nothing_to_run(client: Client) -> None:
    with pytest.raises(NotFound):
        exec.run(client, "kube-system", "nobody", "cilium-agent", ["say"])
    with pytest.raises(ApiError, match="container sidecar is not valid"):
        exec.run(client, "kube-system", "cilium-x", "sidecar", ["say"])


@pytest.mark.parametrize(
    "behaviour",
    [
        wire_server.silence,
        wire_server.reset,
        wire_server.http("200 OK", b"{}"),
        wire_server.http("101 Switching Protocols", b""),
        wire_server.http("502 Bad Gateway", b"<html>"),
    ],
    ids=["silent", "reset", "no upgrade", "no accept key", "a proxy"],
)
def test_an_answer_that_is_none_costs_no_more_than_was_given(behaviour: wire_server.Behaviour) -> None:
    began = time.monotonic()
    with wire_server.answering(behaviour) as url, pytest.raises(BgpctlError):
        exec.run(clients.plain_client(url), *WHERE, ["say"], seconds=0.5)
    assert time.monotonic() - began < 3


def test_kubectl_is_answered_too(server: ApiServer, tmp_path: Path) -> None:
    """The other end is held against a client that is not ours."""
    require("kubectl")
    if not server.url.startswith("https"):
        return  # kubectl sends no token over plain HTTP
    told = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True)
    if int(json.loads(told.stdout)["clientVersion"]["minor"].rstrip("+")) < 31:
        pytest.skip("kubectl before 1.31 speaks SPDY")
    server.write_kubeconfig(tmp_path / "config")
    argv = ["kubectl", "--kubeconfig", str(tmp_path / "config"), "--cache-dir", str(tmp_path), "-n"]
    argv += ["kube-system", "exec", "cilium-x", "-c", "cilium-agent", "--", "say", "hello"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert done.stdout == "cilium-x cilium-agent say hello", done.stderr
