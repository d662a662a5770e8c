"""--as, --as-group, --request-timeout and --chunk-size: before a command and behind it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.cli import app
from bgpctl.errors import Temporary
from bgpctl.kube import client as module
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from tests.support import apiserver, clients
from tests.support.cli import bgpctl


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False) as made:
        for number in (1, 2, 3):
            made.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"worker-{number}"}})
        yield made


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(server.kubeconfig(), "utf-8")
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("--as", "jane", "node", "status"),
        ("node", "status", "--as=jane"),
        ("--as", "joe", "node", "status", "--as", "jane", "--as-group", "ops"),
    ],
)
def test_as_somebody_else(kubeconfig: Path, words: tuple[str, ...]) -> None:
    ran = bgpctl(*words, kubeconfig=kubeconfig)
    assert ran.code == 1
    assert 'User "jane" cannot list' in ran.err
    assert "bgpctl auth check --as" in ran.err, "the command to type next is asked as the same user"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--as-group", "ops"), "and there is none"),
        (("--as", "jane\nX: y"), "is no name that a request can carry"),
        (("--as", "jan\u00e9"), "is no name that a request can carry"),
        (("--chunk-size", "-1"), "write 500, or 0 for all at once"),
        (("--request-timeout", "soon"), "is not a duration"),
    ],
)
def test_what_cannot_be_meant(kubeconfig: Path, words: tuple[str, ...], complaint: str) -> None:
    ran = bgpctl("node", "status", *words, kubeconfig=kubeconfig)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err


def test_nobody_but_the_admin_may(server: ApiServer) -> None:
    access = clients.client(server, server.person_token).access.impersonating("jane", ["ops"])
    with pytest.raises(module.ApiError, match='cannot impersonate resource "users"') as caught:
        Client(access).get(paths.NODES)
    assert caught.value.code == 403
    assert access.headers == (("Impersonate-User", "jane"), ("Impersonate-Group", "ops"))


@pytest.mark.parametrize(("chunk", "limits"), [(1, ["1"] * 3), (2, ["2"] * 2), (0, [None]), (None, ["500"])])
def test_lists_come_in_pieces(server: ApiServer, chunk: int | None, limits: list[str | None]) -> None:
    asked: list[Any] = []

    class Listening(Client):
        def request(self, method: str, path: str, **more: Any) -> Any:
            asked.append(more["query"].get("limit"))
            return super().request(method, path, **more)

    client = Listening(clients.client(server).access, chunk=chunk)
    assert len(client.items(paths.NODES)) == 3
    assert asked == limits


def test_an_answer_is_waited_for_as_long_as_was_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = clients.plain_client(f"http://127.0.0.1:{silent.getsockname()[1]}").access
        with pytest.raises(Temporary, match=r"did not answer within 0\.2 s"):
            Client(access, patience=0.2).get(paths.NODES)
        endless = Client(access, patience=float("inf"))._patience(float("inf"))
    assert (endless.connect_timeout, endless.read_timeout) == (module.CONNECT_TIMEOUT, None)


def test_the_help_of_bgpctl_shows_them_and_that_of_a_command_does_not() -> None:
    root = app.tree()
    assert {"--as", "--as-group", "--request-timeout", "--chunk-size"} <= shown(root)
    drain = root.commands["node"].commands["drain"]
    assert "--as" not in shown(drain) and "--as" in {flag for one in drain.params for flag in one.opts}
    assert "--as" not in {flag for one in root.commands["lab"].commands["up"].params for flag in one.opts}


def shown(command: Any) -> set[str]:
    return {flag for one in command.params if not getattr(one, "hidden", False) for flag in one.opts}
