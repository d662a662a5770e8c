"""A pod's service account: TLS that is checked, a token that changes, and no official client."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bgpctl.errors import Temporary, UsageError
from bgpctl.kube import incluster, paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.kube.config import load_access
from bgpctl.kube.incluster import Token, in_cluster
from bgpctl.lab.api import ApiServer
from tests.support import apiserver

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False, tls=True) as made:
        yield made


@pytest.fixture
def account(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files and variables that the kubelet gives to a pod."""
    host, _, port = server.url.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    cluster = yaml.safe_load(server.kubeconfig())["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    (tmp_path / "token").write_text(server.admin_token + "\n")
    return tmp_path


def test_the_server_is_asked_with_the_account(account: Path, server: ApiServer) -> None:
    client = Client(in_cluster(account))
    assert client.access.host == server.url
    assert client.get(paths.NODES)["items"] == []


def test_a_server_that_the_authority_does_not_vouch_for(account: Path) -> None:
    with apiserver.running(controllers=False, tls=True) as other:
        authority = yaml.safe_load(other.kubeconfig())["clusters"][0]["cluster"]
        (account / "ca.crt").write_bytes(base64.b64decode(authority["certificate-authority-data"]))
    with pytest.raises(UsageError, match="is not trusted"):
        Client(in_cluster(account)).get(paths.NODES)


def test_the_token_is_read_again(account: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(in_cluster(account))
    (account / "token").write_text(server.nobody_token)
    assert client.get(paths.NODES)["items"] == [], "not yet a minute old"
    monkeypatch.setattr(incluster, "REFRESH_SECONDS", 0.0)
    client = Client(in_cluster(account))
    with pytest.raises(ApiError):
        client.get(paths.NODES)
    (account / "token").unlink()
    with pytest.raises(Temporary, match="could not be renewed"):
        client.get(paths.NODES)
    (account / "token").write_text(server.admin_token)
    assert client.get(paths.NODES)["items"] == []


def test_an_empty_token_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(Temporary, match="is empty"):
        Token(tmp_path / "token").header()


def test_an_ipv6_service_address(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert in_cluster(account).host.startswith("https://[fd00::1]:")


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_pod_without_an_account(account: Path, missing: str) -> None:
    (account / missing).unlink()
    with pytest.raises(UsageError, match="not in a cluster: the service account cannot be read") as caught:
        in_cluster(account)
    assert "--kubeconfig" in caught.value.hint


def test_outside_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="not in a cluster: KUBERNETES_SERVICE_HOST"):
        in_cluster()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(UsageError, match="not in a cluster: the service account"):
        load_access()


def test_a_speaker_in_a_pod_does_not_import_the_official_client(account: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import bgpctl.speaker.run;"
        "from bgpctl.kube.incluster import in_cluster; from bgpctl.kube.client import Client;"
        f"Client(in_cluster(Path({str(account)!r}))).get('/api/v1/nodes');"
        "print([name for name in ('kubernetes', 'pydantic', 'yaml', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.stdout == "[]\n", done.stdout + done.stderr
