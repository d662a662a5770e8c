"""The embedded Kubernetes API for tests: `with running() as server:`, and a client that shows raw answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bgpctl.lab.api import ApiServer

Document = dict[str, Any]


@contextmanager
def running(**options: Any) -> Iterator[ApiServer]:
    """A started server, stopped in any case. `options` are those of `ApiServer`."""
    server = ApiServer(**options)
    try:
        yield server.start()
    finally:
        server.stop()


@dataclass(frozen=True)
class Reply:
    """An answer as it came: HTTP code, headers, body as JSON."""

    code: int
    headers: Mapping[str, str]
    body: Document

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def version(self) -> str:
        """metadata.resourceVersion"""
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(reason, field) of details.causes"""
        causes = (self.body.get("details") or {}).get("causes") or ()
        return [(cause.get("reason", ""), cause.get("field", "")) for cause in causes]

    def ok(self) -> Document:
        """The body of a request that must have worked."""
        assert self.code in {200, 201}, f"{self.code}: {self.body}"
        return self.body


MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class RawClient:
    """Requests without any interpretation, to whatever a kubeconfig names. Certificates, tokens and exec
    plugins are the official client's business; retries are nobody's."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import config

        api = config.new_client_from_config(config_file=str(kubeconfig))
        self._pool = api.rest_client.pool_manager
        self._host = api.configuration.host
        self._headers = {a["key"]: a["value"] for a in api.configuration.auth_settings().values()}

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Reply:
        answer = self._send(method, path, body, headers or {}, query, preload_content=True)
        text = answer.data.decode()
        document = json.loads(text) if text.startswith(("{", "[")) else {"text": text}
        return Reply(answer.status, answer.headers, document)

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str],
        query: Mapping[str, Any],
        **how: Any,
    ) -> Any:
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **self._headers, **headers}
        return self._pool.request(method, url, body=data, headers=sent, retries=False, timeout=30, **how)

    def get(self, path: str, **query: Any) -> Reply:
        return self.request("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Reply:
        return self.request("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Reply:
        return self.request("PUT", path, body, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Reply:
        return self.request("DELETE", path, body, **query)

    def patch(self, path: str, body: Any, kind: str = MERGE, **query: Any) -> Reply:
        return self.request("PATCH", path, body, {"Content-Type": kind}, **query)

    def watch(self, path: str, timeout: int = 3, **query: Any) -> Iterator[tuple[str, Document]]:
        """(type, object) of each event, until the server ends the watch."""
        query = {"watch": "true", "timeoutSeconds": timeout, **query}
        answer = self._send("GET", path, None, {}, query, preload_content=False)
        try:
            rest = b""
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    yield event["type"], event["object"]
        finally:
            answer.close()
