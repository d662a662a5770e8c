"""`bgpctl logs`: files of a lab's real speakers, and pods through an API server that streams."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.support import lab as kit
from tests.support.cli import bgpctl, clean_environment
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

T0 = 1_795_000_000.0


def entry(at: float, message: str, **fields: str) -> str:
    moment = datetime.fromtimestamp(T0 + at, UTC).isoformat()
    rest = "".join(f" {key}={value}" for key, value in fields.items())
    return f"time={moment} level=info msg={message}{rest} subsys=bgp-control-plane\n"


# --- files ------------------------------------------------------------------------------------------------


def test_the_logs_of_real_speakers() -> None:
    with kit.running(nodes=2) as lab:
        files = [flag for s in lab.speakers for flag in ("--file", str(s.log_path))]
        ran = bgpctl("logs", *files, "-o", "json")
        assert ran.code == 0, ran.err
        lines = [json.loads(text) for text in ran.out.splitlines()]
        assert {line["node"] for line in lines} == {"worker-1", "worker-2"}
        assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
        assert {line["msg"] for line in lines} >= {"speaker.started", "speaker.reconciled"}
        only = bgpctl("logs", "worker-2", *files).out
        assert "worker-2" in only and "worker-1 " not in only
        assert bgpctl("logs", *files, "--peer", "192.0.2.99").out == ""
        assert len(bgpctl("logs", *files, "--since", "1h").out.splitlines()) == len(lines)


class Following:
    """`bgpctl logs -f` as a process."""

    def __init__(self, *arguments: str | Path, kubeconfig: Path | None = None) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bgpctl", "logs", "-f", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environment(kubeconfig),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(iter(self._process.stdout.readline, ""))

    def says(self, *words: str) -> None:
        eventually(
            lambda: [w for w in self.words() if w in words] == list(words), why=f"{words}: {self.lines}"
        )

    def words(self) -> list[str]:
        return [word for line in self.lines for word in line.split()]


def test_files_are_followed_through_rotation(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text(entry(0, "first") + "noise\n")
    two.write_text(entry(-1, "before"))
    with Following("--file", one, "--file", two) as run:
        run.says("before", "first")
        with one.open("a") as file:
            half = entry(5, "halves")
            file.write(half[:20])
            file.flush()
            with two.open("a") as other:
                other.write(entry(6, "other"))
            run.says("before", "first", "other")
            file.write(half[20:])
        run.says("before", "first", "other", "halves")
        one.rename(tmp_path / "one.log.1")
        one.write_text(entry(9, "rotated"))
        run.says("before", "first", "other", "halves", "rotated")


def test_a_file_that_is_no_log_of_bgp_says_so(tmp_path: Path) -> None:
    (tmp_path / "poem").write_text("shall I\ncompare thee\n", "utf-8")
    (tmp_path / "noise").write_bytes(b"\xfe\x00\x1b" * 999)
    (tmp_path / "log").write_text(entry(time.time(), "ours") + "\n", "utf-8")
    files = [f"--file={tmp_path / name}" for name in ("poem", "noise", "log")]
    ran = bgpctl("logs", *files[:2])
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        f"warning: {tmp_path / 'poem'}: none of its 2 lines is one of a BGP control plane",
        f"warning: {tmp_path / 'noise'}: its only line is none of a BGP control plane",
        "error: no log could be read",
        "hint: what each of them answered stands above",
    ]
    ran = bgpctl("logs", *files)
    assert (ran.code, ran.err.count("warning: ")) == (0, 2)
    assert "ours" in ran.out


def test_a_file_that_is_not_there() -> None:
    ran = bgpctl("logs", "--file", "/nowhere/speaker.log")
    assert ran.code == 2 and "cannot read /nowhere/speaker.log" in ran.err


# --- pods -------------------------------------------------------------------------------------------------


class Pods:
    """The two requests that matter of a real API server: the list of pods, and a log that streams."""

    def __init__(self) -> None:
        self.logs: dict[str, list[str]] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.refused: set[str] = set()
        self.done = threading.Event()

    def missing(self, path: str) -> bool:
        """Is it the path of a node that is not there?"""
        return path.startswith("/api/v1/nodes/") and not path.rpartition("/")[2].startswith("node-of-")

    def items(self) -> list[dict[str, object]]:
        return [
            {
                "metadata": {"name": name, "namespace": "kube-system", "uid": f"uid-{name}"},
                "spec": {
                    "hostNetwork": True,
                    "nodeName": f"node-of-{name}",
                    "containers": [{"name": "speaker"}],
                },
            }
            for name in self.logs
        ]


@contextmanager
def api(pods: Pods, directory: Path) -> Iterator[Path]:
    """The kubeconfig of a server that serves `pods`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            parts, query = url.path.split("/"), parse_qs(url.query)
            if pods.missing(url.path):
                self._json(404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
            elif url.path == "/apis":
                self._json(200, {"kind": "APIGroupList", "groups": [{"name": "bgpctl.io"}]})
            elif parts[-1] != "log":
                self._json(200, {"kind": "PodList", "items": pods.items(), "metadata": {}})
            elif parts[-2] in pods.refused:
                self._json(400, {"reason": "BadRequest", "message": "the container is waiting to start"})
            else:
                pods.asked.append(query)
                self._log(parts[-2], "follow" in query)

        def _json(self, code: int, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _log(self, name: str, follow: bool) -> None:
            """In chunks, as a real API server does: each is there at once."""
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            sent, ended = 0, False
            while not ended:
                ended = not follow or pods.done.wait(0.05)
                for text in pods.logs[name][sent:]:
                    sent += 1
                    self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield _kubeconfig(directory / "kubeconfig", f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        pods.done.set()
        server.shutdown()
        server.server_close()


def _kubeconfig(path: Path, url: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": {}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_pods_are_read_by_time(tmp_path: Path) -> None:
    pods = Pods()
    pods.logs = {"a": [entry(0, "one"), entry(2, "three")], "b": [entry(1, "two", peer="192.0.2.1:179")]}
    with api(pods, tmp_path) as kubeconfig:
        ran = bgpctl("logs", "-o", "json", kubeconfig=kubeconfig)
        assert ran.code == 0, ran.err
        lines = [json.loads(text) for text in ran.out.splitlines()]
        assert [(line["msg"], line["node"]) for line in lines] == [
            ("one", "node-of-a"),
            ("two", "node-of-b"),
            ("three", "node-of-a"),
        ]
        only = bgpctl("logs", "--peer", "192.0.2.1", kubeconfig=kubeconfig).out
        assert "two" in only and "one" not in only
        pods.asked.clear()
        began = time.monotonic()
        assert "one" not in bgpctl("logs", "node-of-b", "--since", "90s", kubeconfig=kubeconfig).out
        took = time.monotonic() - began
        (query,) = pods.asked
        assert query["container"] == ["speaker"]
        # Counted from the start of the command, asked for in whole seconds that miss nothing.
        assert 90 <= int(query["sinceSeconds"][0]) <= 92 + took


@pytest.mark.parametrize("flags", [(), ("-f",)])
def test_a_name_that_no_node_has_is_a_usage_error(tmp_path: Path, flags: tuple[str, ...]) -> None:
    pods = Pods()
    pods.logs = {"a": [entry(0, "one")]}
    with api(pods, tmp_path) as kubeconfig:
        ran = bgpctl("logs", "node-of-a", "worker-9", *flags, kubeconfig=kubeconfig)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[0] == "error: node worker-9 does not exist"


def test_a_node_without_a_pod_is_no_quiet_node(tmp_path: Path) -> None:
    pods = Pods()
    pods.logs = {"a": [entry(0, "one")]}
    with api(pods, tmp_path) as kubeconfig:
        ran = bgpctl("logs", "node-of-a", "node-of-b", kubeconfig=kubeconfig)
    assert ran.code == 0 and "one" in ran.out
    assert ran.err == "warning: no pod with labels app.kubernetes.io/name=bgpctl-speaker on node-of-b\n"


def test_one_pod_that_cannot_be_read_costs_that_pod(tmp_path: Path) -> None:
    pods = Pods()
    pods.logs, pods.refused = {"a": [entry(0, "one")], "b": []}, {"b"}
    with api(pods, tmp_path) as kubeconfig:
        ran = bgpctl("logs", kubeconfig=kubeconfig)
    assert ran.code == 0 and "one" in ran.out
    assert ran.err == "warning: pod kube-system/b (speaker): the container is waiting to start\n"


def test_no_pod_is_an_error(tmp_path: Path) -> None:
    with api(Pods(), tmp_path) as kubeconfig:
        for flags in ((), ("-f",)):
            ran = bgpctl("logs", *flags, kubeconfig=kubeconfig)
            assert ran.code == 1 and "no pod with labels app.kubernetes.io/name=bgpctl-speaker" in ran.err


def test_pods_are_followed_also_new_ones(tmp_path: Path) -> None:
    pods = Pods()
    pods.logs = {"a": [entry(0, "one")]}
    with api(pods, tmp_path) as kubeconfig, Following(kubeconfig=kubeconfig) as run:
        run.says("one")
        pods.logs["a"].append(entry(1, "two"))
        run.says("one", "two")
        pods.logs["b"] = [entry(2, "three")]
        run.says("one", "two", "three")
