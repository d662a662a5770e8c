"""A Kubernetes API just big enough for the CLI's own tests: GET of what it is given, and watches.

The real thing for everything else is bgpctl.lab.api.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bgpctl.kube import paths
from bgpctl.kube.lease import NAMESPACE

Document = dict[str, Any]

LEASES = paths.leases(NAMESPACE)  # every API server serves them


class FakeApi:
    """Objects by collection path. `refuse` answers every request with that status and message; `texts` are
    what pods answer through the proxy, by path: a status and a text."""

    def __init__(self) -> None:
        self.collections: dict[str, list[Document]] = {LEASES: []}
        self.refuse: tuple[int, str] | None = None
        self.texts: dict[str, tuple[int, str]] = {}
        self.requests: list[str] = []
        self.watchers: list[queue.Queue[Document | None]] = []
        self.watching = threading.Event()

    def change(self, path: str, item: Document) -> None:
        """Replace an object in a collection and tell every watcher."""
        name = item["metadata"]["name"]
        kept = [old for old in self.collections.get(path, []) if old["metadata"]["name"] != name]
        self.collections[path] = [*kept, item]
        for watcher in self.watchers:
            watcher.put({"type": "MODIFIED", "object": item})

    def find(self, path: str) -> Document | None:
        """A collection as a List, or one object of it."""
        if path in self.collections:
            return {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": self.collections[path]}
        collection, _, name = path.rpartition("/")
        found = (i for i in self.collections.get(collection, []) if i["metadata"]["name"] == name)
        return next(found, None)


@contextmanager
def fake_api(directory: Path) -> Iterator[tuple[FakeApi, Path]]:
    """A running server and the kubeconfig that reaches it."""
    api = FakeApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(json.dumps(_kubeconfig(server.server_address[1])))
    kubeconfig.chmod(0o600)
    try:
        yield api, kubeconfig
    finally:
        for watcher in api.watchers:
            watcher.put(None)
        server.shutdown()
        server.server_close()


def _kubeconfig(port: int) -> Document:
    def context(name: str, **more: Any) -> Document:
        return {"name": name, "context": {"cluster": "c", "user": "u", **more}}

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "not-a-real-token"}}],
        "contexts": [
            context("one"),
            context(
                "probed",
                extensions=[{"name": "bgpctl.io/router-probes", "extension": ["bird=/run/bird.ctl"]}],
            ),
            context("broken", extensions=[{"name": "bgpctl.io/router-probes", "extension": "bird"}]),
        ],
        "current-context": "one",
    }


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.requests.append(self.path)
            url = urlsplit(self.path)
            if api.refuse:
                return self._status(*api.refuse)
            if url.path in api.texts:
                return self._write(*api.texts[url.path], "text/plain")
            if "watch" in parse_qs(url.query):
                return self._watch()
            found = api.find(url.path)
            if found is None:
                return self._status(404, "the server could not find the requested resource")
            return self._answer(200, found)

        def _watch(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            events: queue.Queue[Document | None] = queue.Queue()
            api.watchers.append(events)
            api.watching.set()
            while (event := events.get()) is not None:
                data = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def _status(self, code: int, message: str) -> None:
            self._answer(code, {"kind": "Status", "code": code, "message": message, "reason": "Test"})

        def _answer(self, code: int, body: Document) -> None:
            self._write(code, json.dumps(body), "application/json")

        def _write(self, code: int, text: str, kind: str) -> None:
            data = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    return Handler
