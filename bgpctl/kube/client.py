"""Requests to the API server as plain JSON: one method per verb, every failure sorted by what to do about it.

`Temporary` may succeed later; `ApiError` will not; `NotFound` and `Conflict` are ApiErrors that callers ask
for by name. A response body never reaches the user unread: the server's own message does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from bgpctl import __version__
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.config import Access

Document = dict[str, Any]

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
PAGE = 500

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ApiError(BgpctlError):
    """The API server refused: `code` is the HTTP status, `reason` metav1.Status.reason, `status` its body."""

    def __init__(self, code: int, reason: str, message: str, status: Document, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code, self.reason, self.status = code, reason, status


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: the object changed since it was read, or it exists already."""


class Gone(ApiError):
    """410: the resourceVersion is too old; list again."""


class Client:
    """Raw JSON requests over an `Access`. Safe to use from several threads."""

    def __init__(self, access: Access) -> None:
        self.access = access

    # -- verbs

    def get(self, path: str, **query: str) -> Document:
        return self.request("GET", path, query=query)

    def find(self, path: str) -> Document | None:
        """GET, with None for an object (or a resource) that does not exist."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def items(self, path: str, **query: str) -> list[Document]:
        """Every item of a collection, page by page. Items carry no kind, as the server sends them."""
        items, _ = self.list_with_version(path, **query)
        return items

    def list_with_version(self, path: str, **query: str) -> tuple[list[Document], str]:
        """The items and the collection's resourceVersion, from which a watch goes on without a gap."""
        items: list[Document] = []
        page = {**query, "limit": str(PAGE)}
        while True:
            answer = self.request("GET", path, query=page)
            items.extend(answer.get("items") or ())
            metadata = answer.get("metadata") or {}
            if not metadata.get("continue"):
                return items, metadata.get("resourceVersion", "")
            page["continue"] = metadata["continue"]

    def create(self, path: str, body: Document, **query: str) -> Document:
        return self.request("POST", path, query=query, body=body)

    def replace(self, path: str, body: Document) -> Document:
        """PUT: the body's resourceVersion makes it fail with Conflict when somebody was faster."""
        return self.request("PUT", path, body=body)

    def patch(self, path: str, body: Any, kind: str = "merge", **query: str) -> Document:
        return self.request("PATCH", path, query=query, body=body, content_type=PATCH_TYPES[kind])

    def delete(self, path: str, body: Document | None = None, **query: str) -> Document:
        return self.request("DELETE", path, query=query, body=body)

    # -- the wire

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Document:
        """One request. Raises Temporary, NotFound, Conflict, Gone or ApiError."""
        response = self._send(method, path, query, body, content_type, READ_TIMEOUT, preload=True)
        return _document(response.data)

    def stream(self, path: str, query: Mapping[str, str], read_timeout: float) -> Iterator[Document]:
        """The events of a watch, one document a line, until the server ends it or `read_timeout` seconds pass
        without a byte (a half-open connection; raises Temporary)."""
        import urllib3

        response = self._send("GET", path, query, None, "application/json", read_timeout, preload=False)
        try:
            buffer = b""
            for chunk in response.stream(65536, decode_content=True):
                *lines, buffer = (buffer + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Temporary(f"watch {path} broke off: {_plain(error)}") from None
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        read_timeout: float,
        *,
        preload: bool,
    ) -> Any:
        import urllib3

        url = self.access.host + path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": "application/json", "User-Agent": f"bgpctl/{__version__}"}
        if authorization := self.access.authorization():
            headers["authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            response = self.access.pool.request(
                method,
                url,
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=read_timeout),
                preload_content=preload,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Temporary(
                f"the API server {self.access.host} did not answer: {_plain(error)}",
                "nothing is known to have changed; running the same command again is safe",
            ) from None
        if response.status >= 400:
            raise _error(method, path, response.status, response.headers, _document(response.data))
        return response


def _document(data: bytes) -> Document:
    try:
        document = json.loads(data) if data else {}
    except ValueError:
        document = {"message": data[:200].decode(errors="replace").strip()}
    return document if isinstance(document, dict) else {}


def _error(method: str, path: str, code: int, headers: Mapping[str, str], status: Document) -> BgpctlError:
    reason = status.get("reason", "")
    message = status.get("message") or f"HTTP {code}"
    kinds = {404: NotFound, 409: Conflict, 410: Gone}
    if code == 401:
        return ApiError(
            code, reason, "the API server does not accept the credential (401)", status, "log in again"
        )
    if code == 403 and reason != "":
        return ApiError(code, reason, message, status, "ask for this permission, or use another --context")
    if code == 429 or code >= 500:
        error = ServerBusy(f"{method} {path}: {message}", retry_after=_seconds(headers.get("Retry-After")))
        error.code, error.status = code, status
        return error
    return kinds.get(code, ApiError)(code, reason, message, status)


class ServerBusy(Temporary):
    """429 or 5xx. Carries the Status: an eviction's 429 names the PodDisruptionBudget in it."""

    code: int = 0
    status: Document = {}  # noqa: RUF012 — replaced per instance, never mutated


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None


def _plain(error: BaseException) -> str:
    """The innermost cause in words: urllib3 nests its own around the socket's."""
    cause: BaseException = error
    while isinstance(reason := getattr(cause, "reason", None), BaseException):
        cause = reason
    text = str(cause.__cause__ or cause)
    return text.rsplit(": ", 1)[-1] if "object at 0x" in text else text
