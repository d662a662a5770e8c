"""The real client on the embedded API without a socket: each request is one call, and whoever holds the hooks
decides what happens before it, and whether its answer arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from bgpctl.errors import Temporary
from bgpctl.kube.client import Client
from bgpctl.kube.failures import refusal
from bgpctl.lab.api import ApiServer, status
from bgpctl.lab.api.requests import Request, answer
from bgpctl.lab.api.requests import _selection as selection
from bgpctl.lab.api.routes import Target, target_of, verb_of

Document = dict[str, Any]
VERSION = {"gitVersion": "v1.36.0"}


@lru_cache(256)
def _target(path: str) -> Target | None:
    return target_of(unquote(path))


class Unreachable(Exception):
    """What a `before` hook raises to answer instead of the server: a status, or no answer at all (code 0)."""

    def __init__(self, code: int = 0, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class DirectClient(Client):
    """`before(method, path)` may let others act, and may raise Unreachable; `after(method, path, code)` sees
    what the server did, and may raise it too: then the answer was lost."""

    def __init__(
        self,
        server: ApiServer,
        before: Callable[[str, str], None],
        after: Callable[[str, str, int], None] = lambda method, path, code: None,
    ) -> None:
        self._server, self._before, self._after = server, before, after

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Document:
        try:
            self._before(method, path)
            code, data = self._answer(method, path, dict(query or {}), body, content_type)
            self._after(method, path, code)
        except Unreachable as error:
            if not error.code:
                raise Temporary("the API server did not answer: Connection refused") from None
            told = json.dumps({"reason": error.reason, "message": error.reason}).encode()
            raise refusal(method, path, error.code, {}, told) from None
        if code >= 300:
            raise refusal(method, path, code, {}, json.dumps(data).encode())
        return dict(data)

    def _answer(
        self, method: str, path: str, query: dict[str, str], body: Any, content_type: str
    ) -> tuple[int, Any]:
        target = _target(path)
        if target is None:
            return 200, VERSION
        try:
            if method == "GET":
                return 200, self._read(target, query)
            headers = {"Content-Type": content_type, "Accept": "*/*", "User-Agent": "bgpctl/test"}
            data = b"" if body is None else json.dumps(body).encode()
            request = Request(verb_of(method, target, query), target, query, headers, data)
            found = answer(self._server.operations, request)
        except status.ApiError as error:
            return error.code, error.document()
        return found.code, json.loads(found.body)  # type: ignore[union-attr]

    def _read(self, target: Target, query: dict[str, str]) -> Document:
        """GET and LIST without JSON in between: documents in the store are never changed in place."""
        resource = self._server.registry.find(target.group, target.version, target.plural)
        if resource is None:
            raise status.no_such_path()
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        if target.name:
            found = self._server.operations.get(resource, target.namespace, target.name)
            return {**found.document, **head}
        chosen = selection(resource, Request("list", target, query, {}, b""))
        stored, version = self._server.store.all(resource.key, target.namespace)
        items = [one.document for one in stored if chosen.matches(one.document)]
        return {"items": items, "metadata": {"resourceVersion": str(version)}}

    def now(self) -> float:
        raise AssertionError("a run has a clock of its own here")
