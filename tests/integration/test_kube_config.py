"""Kubeconfigs as kubectl reads them. No message quotes a document, and no plugin's failure goes unnoticed."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.config import _from_kubeconfig as official
from bgpctl.kube.config import load_access
from bgpctl.kube.plainconfig import plain_access
from tests.support import apiserver, wire_server

pytestmark = pytest.mark.integration

SECRET = "tok-5ecret-9Z"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def document(name: str = "one", server: str = "http://127.0.0.1:1", **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": user or {"token": SECRET}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


def written(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def refused(path: str, context: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_access(path, context)
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    return caught.value


# --- which file, which context ----------------------------------------------------------------------------


def test_a_list_of_files_merges_as_kubectl_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file that sets a value wins, current-context included; empty and missing ones are nothing."""
    first = document("one")
    second = document("two", "http://127.0.0.1:2")
    second["clusters"].append({"name": "one", "cluster": {"server": "http://127.0.0.1:3"}})
    files = [
        written(tmp_path / "empty", ""),
        written(tmp_path / "first", first),
        str(tmp_path / "missing"),
        written(tmp_path / "second", second),
    ]
    monkeypatch.setenv("KUBECONFIG", ":".join(files))
    assert load_access().host == "http://127.0.0.1:1"
    assert load_access(context="two").host == "http://127.0.0.1:2"


def test_a_current_context_may_come_from_a_later_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = document("one"), document("two", "http://127.0.0.1:2")
    del first["current-context"]
    files = (written(tmp_path / "a", first), written(tmp_path / "b", second))
    monkeypatch.setenv("KUBECONFIG", ":".join(files))
    assert load_access().host == "http://127.0.0.1:2"


def test_the_flag_beats_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", written(tmp_path / "a", document("one")))
    flag = written(tmp_path / "b", document("two", "http://127.0.0.1:2"))
    assert load_access(flag).host == "http://127.0.0.1:2"


def test_the_default_file(tmp_path: Path) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    written(tmp_path / "home/.kube/config", document())
    assert load_access().host == "http://127.0.0.1:1"


def test_nothing_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "missing")
    assert f"kubeconfig {missing} does not exist" in str(refused(missing))
    with pytest.raises(UsageError, match=r"no kubeconfig found .* and this is not a pod"):
        load_access()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(UsageError, match="no kubeconfig found"):
        load_access(context="somewhere")  # never the pod's own cluster in its place


def test_an_unknown_context(tmp_path: Path) -> None:
    error = refused(written(tmp_path / "a", document()), "other")
    assert "other" in str(error) and "contexts" in str(error)
    assert str(error).endswith("there is no other among its contexts")
    assert "get-contexts" in error.hint


def test_the_hint_is_about_what_is_wrong(tmp_path: Path) -> None:
    faulty = document()
    faulty["clusters"][0]["cluster"] = {
        "server": "https://127.0.0.1:1",
        "certificate-authority": "/no/ca.crt",
    }
    for path in (written(tmp_path / "a", faulty), written(tmp_path / "b", "")):
        assert refused(path).hint == "check it with `kubectl config view`"
    assert refused(str(tmp_path)).hint == "pass --kubeconfig PATH of a file"
    assert refused(str(tmp_path)).message == f"kubeconfig {tmp_path} is a directory"


# --- faults of the document -------------------------------------------------------------------------------


def test_yaml_that_breaks_is_not_quoted(tmp_path: Path) -> None:
    text = f"users:\n- name: a\n  user:\n    token: {SECRET}: [\n"
    error = refused(written(tmp_path / "a", text))
    assert "not YAML, line 4" in str(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["users"][0].update(user=None, token=SECRET), ""),
        (lambda d: d["users"][0].pop("name"), "name"),
        (lambda d: d["users"].append(d["users"][0]), ""),
        (lambda d: d.pop("clusters"), "clusters"),
        (lambda d: d["clusters"][0].pop("cluster"), "cluster"),
        (lambda d: d["clusters"][0]["cluster"].pop("server"), "the cluster has no server"),
        (lambda d: d["contexts"][0].update(context={"user": "one"}), "cluster"),
        (lambda d: d.pop("current-context"), "--context"),
        (lambda d: d["contexts"][0]["context"].update(extensions=[SECRET]), "cannot be read"),
        (lambda d: d.update(users=SECRET), ""),
        (lambda d: d["users"][0].update(user=7), "cannot be read"),
        (lambda d: d["users"][0].update(user=[SECRET]), "the user is no mapping"),
        (lambda d: d["users"][0].update(user={1: SECRET}), "no usable credential"),
    ],
)
def test_a_document_that_is_wrong(tmp_path: Path, change: Any, words: str) -> None:
    content = document()
    change(content)
    path = written(tmp_path / "a", content)
    try:
        load_access(path)
    except UsageError as error:
        assert words in str(error)
        assert SECRET not in f"{error} {error.hint}"
    else:
        assert not words, "it was accepted"


@pytest.mark.parametrize("scheme", ["socks5://joe:{}@127.0.0.1:1", "http://joe:{}@127.0.0.1:notaport"])
def test_a_proxy_that_cannot_be_used(tmp_path: Path, scheme: str) -> None:
    made = document()
    made["clusters"][0]["cluster"]["proxy-url"] = scheme.format(SECRET)
    assert "proxy-url" in refused(written(tmp_path / "config", made)).message


NO_CERTIFICATE = b64encode(b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n").decode()


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({"certificate-authority-data": "abc"}, {}, "one of its …-data is not base64"),
        (
            {"certificate-authority-data": NO_CERTIFICATE},
            {},
            "the certificate-authority is no certificate in PEM",
        ),
        (
            {},
            {"client-certificate-data": NO_CERTIFICATE, "client-key-data": NO_CERTIFICATE},
            "the client-certificate and client-key are no pair of certificate and key in PEM",
        ),
    ],
)
def test_a_broken_certificate(tmp_path: Path, cluster: Any, user: Any, words: str) -> None:
    made = document(server="https://127.0.0.1:1")
    made["clusters"][0]["cluster"].update(server="https://127.0.0.1:1", **cluster)
    made["users"][0]["user"] = user or made["users"][0]["user"]
    assert words in refused(written(tmp_path / "config", made)).message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(bytes(range(256)) * 9)
    assert "cannot be read (it is no text)" in refused(str(tmp_path / "config")).message


@pytest.mark.parametrize("text", ["", "[]", '"text"', "\x00", "a: b"])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    assert "kubeconfig" in str(refused(written(tmp_path / "a", text)))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    content = document(tokenFile=str(tmp_path / "no-token"))
    assert f"{tmp_path / 'no-token'}: No such file" in str(refused(written(tmp_path / "a", content)))
    assert "is a directory" in str(refused(str(tmp_path)))
    content = document(server="https://127.0.0.1:1")
    content["clusters"][0]["cluster"]["certificate-authority"] = str(tmp_path / "no-ca")
    assert "no-ca" in str(refused(written(tmp_path / "b", content)))


def test_a_credential_that_nobody_can_use_is_not_passed_over(tmp_path: Path) -> None:
    content = document(**{"auth-provider": {"name": "azure", "config": {"access-token": SECRET}}})
    assert "no usable credential in the user's auth-provider" in str(
        refused(written(tmp_path / "a", content))
    )


# --- credentials ------------------------------------------------------------------------------------------


def header(path: str) -> str | None:
    return load_access(path).authorization()


def test_tokens(tmp_path: Path) -> None:
    assert header(written(tmp_path / "a", document())) == f"Bearer {SECRET}"
    written(tmp_path / "token", SECRET + "\n")
    with_file = document(tokenFile="token")  # relative to the kubeconfig
    assert header(written(tmp_path / "b", with_file)) == f"Bearer {SECRET}"
    basic = header(written(tmp_path / "c", document(username="u", password="p")))
    assert basic == "Basic dTpw"
    no_user = document()
    no_user["users"] = []
    assert header(written(tmp_path / "d", no_user)) is None


def test_the_token_is_in_no_repr(tmp_path: Path) -> None:
    access = load_access(written(tmp_path / "a", document()))
    assert SECRET not in f"{access!r} {Client(access)!r}"


def plugin(tmp_path: Path, body: str) -> dict[str, Any]:
    script = tmp_path / "plugin.py"
    script.write_text(body)
    return {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(script)],
        "interactiveMode": "Never",
    }


def credential(**status: str) -> str:
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    return f"print({json.dumps(json.dumps(answer))})"


def test_a_plugins_token_is_used(tmp_path: Path) -> None:
    with apiserver.running(controllers=False) as server:
        exec_ = plugin(tmp_path, credential(token=server.admin_token))
        path = written(tmp_path / "a", document(server=server.url, exec=exec_))
        assert Client(load_access(path)).get(paths.NODES)["items"] == []


@pytest.mark.parametrize(
    ("command", "body", "words"),
    [
        ("/bin/false", "", "process returned 1"),
        ("no-such-plugin-anywhere", "", "No such file"),
        ("", "print('garbage')", "decode"),
        ("", "print('{}')", "missing key"),
        ("", credential(), "missing token"),
        ("", "import sys; sys.exit('your session has expired')", "your session has expired"),
        ("", credential(clientCertificateData="x"), "clientKeyData"),
    ],
)
def test_a_plugin_that_fails_is_an_error_and_nothing_is_sent(
    tmp_path: Path, command: str, body: str, words: str
) -> None:
    received: list[bytes] = []
    with wire_server.answering(wire_server.http("200 OK", b"{}"), received) as url:
        exec_ = plugin(tmp_path, body)
        if command:
            exec_ |= {"command": command, "args": []}
        error = refused(written(tmp_path / "a", document(server=url, exec=exec_)))
    assert "credential plugin" in str(error) and words in str(error)
    assert "nothing was sent" in error.hint
    assert received == []


def test_a_plugin_says_nothing_on_our_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exec_ = plugin(tmp_path, "import sys; sys.exit('no')")
    refused(written(tmp_path / "a", document(exec=exec_)))
    assert capfd.readouterr() == ("", "")


# --- TLS, extensions, pods --------------------------------------------------------------------------------


def test_tls_with_the_authority_in_the_kubeconfig(tmp_path: Path) -> None:
    with apiserver.running(controllers=False, tls=True) as server:
        path = tmp_path / "kubeconfig"
        server.write_kubeconfig(path)
        assert Client(load_access(str(path))).get(paths.NODES)["items"] == []
        other = yaml.safe_load(path.read_text())
        del other["clusters"][0]["cluster"]["certificate-authority-data"]
        with pytest.raises(UsageError, match=r"certificate .* is not trusted"):
            Client(load_access(written(tmp_path / "b", other))).get(paths.NODES)


@pytest.mark.filterwarnings("error")
def test_insecure_is_the_users_word(tmp_path: Path) -> None:
    with apiserver.running(controllers=False, tls=True) as server:
        content = document(server=server.url, token=server.admin_token)
        content["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        assert Client(load_access(written(tmp_path / "a", content))).get(paths.NODES)["items"] == []


def test_extensions_of_the_context(tmp_path: Path) -> None:
    content = document()
    content["contexts"][0]["context"]["extensions"] = [{"name": "x", "extension": ["bird=/run/b"]}]
    assert load_access(written(tmp_path / "a", content)).extensions == {"x": ["bird=/run/b"]}


def test_a_token_that_cannot_be_renewed_is_ours_to_tell(tmp_path: Path) -> None:
    access = official([written(tmp_path / "a", document())], None)
    configuration = next(
        cell.cell_contents
        for cell in access.authorization.__closure__ or ()
        if hasattr(cell.cell_contents, "refresh_api_key_hook")
    )

    def gone(_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/token")

    configuration.refresh_api_key_hook = gone
    with pytest.raises(BgpctlError, match="could not be renewed"):
        Client(access).get(paths.NODES)


# --- without the official client --------------------------------------------------------------------------


def test_a_plain_file_needs_no_official_client(tmp_path: Path) -> None:
    """Its import is half of what a short command costs (issue 8)."""
    with apiserver.running(controllers=False, tls=True) as server:
        server.write_kubeconfig(path := tmp_path / "kubeconfig")
        asked = (
            "import sys; from bgpctl.kube.config import load_access; from bgpctl.kube.client import Client\n"
            f"Client(load_access({str(path)!r})).get('/api/v1/nodes'); print('kubernetes' in sys.modules)"
        )
        told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
        assert told.stdout == "False\n"


@pytest.mark.parametrize("inline", [True, False], ids=["data", "files"])
def test_a_client_certificate(tmp_path: Path, inline: bool) -> None:
    """Plain and official, data and files beside the kubeconfig: the server sees the same client."""
    authority = trustme.CA()
    client, shown = authority.issue_cert("bgpctl@example.org"), []
    parts = {
        "certificate-authority": authority.cert_pem.bytes(),
        "client-certificate": client.cert_chain_pems[0].bytes(),
        "client-key": client.private_key_pem.bytes(),
    }
    with mutual_tls(authority, shown) as url:
        content = document(server=url)
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        user.clear()
        for name, octets in parts.items():
            (tmp_path / name).write_bytes(octets)
            entry = cluster if "authority" in name else user
            entry |= {f"{name}-data": b64encode(octets).decode()} if inline else {name: name}
        path = written(tmp_path / "config", content)
        for access in (plain_access(path, None), official([path], None)):
            assert access is not None and access.authorization() is None
            assert Client(access).get(paths.NODES) == {"items": []}
    assert len(shown) == 2 and shown[0] == shown[1] != {}


@contextmanager
def mutual_tls(authority: trustme.CA, shown: list[object]) -> Iterator[str]:
    """An API server that lets in whom `authority` knows, and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    answer = wire_server.http("200 OK", b'{"items": []}')

    def serve(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        shown.append(connection.getpeercert())
        answer(connection)

    with wire_server.answering(serve, tls=context) as url:
        yield url


@pytest.mark.parametrize(
    "change",
    [
        {"users": [{"name": "one", "user": {"exec": {"command": "aws"}}}]},
        {"users": [{"name": "one", "user": {"auth-provider": {"name": "oidc"}}}]},
        {"users": [{"name": "one", "user": {"token": 7}}]},
        {"users": [{"name": "one", "user": {"client-certificate": "/nowhere"}}]},
        {"clusters": [{"name": "one", "cluster": {"server": "https://h", "proxy-url": "http://p"}}]},
        {"clusters": [{"name": "one", "cluster": {"server": "https://h", "tls-server-name": "n"}}]},
        {"clusters": [{"name": "one", "cluster": {}}]},
        {"clusters": []},
        {"contexts": [None]},
        {"current-context": "other"},
        {"users": [{"name": "one", "user": {"token": "a"}}] * 2},
    ],
)
def test_what_is_not_plain_is_left_to_the_official_client(tmp_path: Path, change: dict[str, Any]) -> None:
    good = document(server="https://h")
    assert plain_access(written(tmp_path / "a", good), None) is not None
    assert plain_access(written(tmp_path / "a", good | change), None) is None


def test_proxies_are_left_to_the_official_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://p")
    assert plain_access(written(tmp_path / "a", document()), None) is None
