"""Requests to the API server as plain JSON: one method per verb, every failure sorted by what to do about it.

`Temporary` may succeed later; `ApiError` will not; `NotFound` and `Conflict` are ApiErrors that callers ask
for by name. A response body never reaches the user unread: the server's own message does.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from bgpctl import __version__
from bgpctl.core.documents import name_of
from bgpctl.errors import BgpctlError, Temporary, UsageError
from bgpctl.kube import paths
from bgpctl.kube.config import Access

Document = dict[str, Any]
T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
PAGE = 500
ANSWER_SECONDS = 120.0  # for the whole of an answer, however it comes
LONGEST_ANSWER = 256 << 20  # octets; a page is 500 objects, and where it must be one, 25,000 Pods
MOST_ITEMS = 1_000_000
LONGEST_EVENT = 8 << 20  # octets; etcd takes objects of 1.5 MB

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
        return self.read_list(path, query, lambda item: item)

    def read_list(
        self, path: str, query: Mapping[str, str], read: Callable[[Document], T]
    ) -> tuple[list[T], str]:
        """The same, of each item only what `read` makes of it: no more than one page is held at a time."""
        try:
            return self._pages(path, {**query, "limit": str(PAGE)}, read)
        except Gone:
            # The list took longer than the server keeps a snapshot: ask for an answer in one piece.
            return self._pages(path, query, read)

    def _pages(
        self, path: str, query: Mapping[str, str], read: Callable[[Document], T]
    ) -> tuple[list[T], str]:
        items: list[T] = []
        page = dict(query)
        while True:
            found, version, rest = _listed(self.request("GET", path, query=page), path)
            items.extend(map(read, found))
            if not rest:
                return items, version
            if len(items) > MOST_ITEMS or not found:
                raise Temporary(f"GET {path}: the list does not end")
            page["continue"] = rest

    def serves(self, collection: str) -> bool:
        """Does the API server know this resource? Asked of its discovery, because a 404 may be a proxy's."""
        root = _root(collection)
        try:
            return self._discovered(collection) is not None
        except NotFound:
            groups = self.get("/apis")["groups"]
            versions = (v.get("groupVersion") for group in groups for v in group.get("versions") or ())
            return root.removeprefix("/apis/") in versions

    def vanishing(self, collection: str) -> bool:
        """Is the CRD of this resource gone, or on its way? The server deletes the objects of a CRD before the
        CRD itself, with an event for each, as if somebody had meant just them. Where the CRD may not be
        read, discovery tells: it takes `create` away first."""
        _, _, group, _, plural = collection.split("/")
        try:
            crd = self.get(f"{paths.CRDS}/{plural}.{group}")
        except NotFound:
            return not self.serves(collection)  # an aggregated API needs no CRD
        except ApiError as error:
            if error.code != 403:
                raise
            found = self._discovered(collection) if self.serves(collection) else None
            return found is None or "create" not in (found.get("verbs") or ())
        return bool(crd["metadata"].get("deletionTimestamp"))

    def _discovered(self, collection: str) -> Document | None:
        """The resource in discovery. Raises NotFound when its group or version is not there."""
        name = collection.rpartition("/")[2]
        return next((r for r in self.get(_root(collection))["resources"] if r.get("name") == name), None)

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
        import urllib3

        response = self._send(method, path, query, body, content_type, READ_TIMEOUT)
        try:
            data = _whole(response, f"{method} {path}")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(self.access.host, error) from None
        return _document(data, f"{method} {path}")

    def stream(self, path: str, query: Mapping[str, str], read_timeout: float) -> Stream:
        """Begin a watch; returns once the server has accepted it. Raises as `request` does."""
        return Stream(path, self._begin(path, query, read_timeout))

    def lines(self, path: str, query: Mapping[str, str], read_timeout: float | None = None) -> Iterator[str]:
        """The lines of a text answer (a pod's log) as they come, without their ends. Raises as `request`
        does, and Temporary when it breaks off."""
        import urllib3

        response = self._begin(path, query, read_timeout or READ_TIMEOUT)
        try:
            rest = b""
            for chunk in response.stream(65536, decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
                if len(rest) > LONGEST_EVENT:
                    raise Temporary(f"{path} broke off: a line does not end")
            if rest:
                yield rest.decode(errors="replace")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Temporary(f"{path} broke off: {plain(error)}") from None
        finally:
            response.close()

    def _begin(self, path: str, query: Mapping[str, str], read_timeout: float) -> Any:
        patience = min(read_timeout, READ_TIMEOUT)
        response = self._send("GET", path, query, None, "application/json", patience)
        sock = getattr(response.connection, "sock", None)
        if sock is not None:
            sock.settimeout(read_timeout)  # events may be rare; the answer itself may not take that long
        return response

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        read_timeout: float,
    ) -> Any:
        """A good answer whose body is still to be read. Raises as `request` does."""
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
                preload_content=False,
                retries=False,
                redirect=False,
            )
            refused = None if response.status < 300 else _whole(response, f"{method} {path}")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unanswered(self.access.host, error) from None
        if refused is not None:
            raise _error(method, path, response.status, response.headers, _status(refused))
        return response


class Stream:
    """The events of one watch, one document each, until the server ends it. Read by one thread; `close` ends
    it from any other. Raises Temporary when it breaks off, and when nothing came for the read timeout (a
    half-open connection)."""

    def __init__(self, path: str, response: Any) -> None:
        self._path, self._response = path, response

    def __iter__(self) -> Iterator[Document]:
        import urllib3

        try:
            buffer = b""
            for chunk in self._response.stream(65536, decode_content=True):
                *lines, buffer = (buffer + chunk).split(b"\n")
                if len(buffer) > LONGEST_EVENT:
                    raise ValueError("it is no stream of Kubernetes events")
                yield from (json.loads(line) for line in lines if line.strip())
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError) as error:
            raise Temporary(f"watch {self._path} broke off: {plain(error)}") from None
        finally:
            self._response.close()

    def close(self) -> None:
        """A reader that waits for the next event gets the end of the stream."""
        with contextlib.suppress(ValueError, RuntimeError, OSError, AttributeError):
            self._response.shutdown()


def _whole(response: Any, what: str) -> bytes:
    """All of an answer's body. Raises Temporary for one that does not end in time, or at all."""
    data, ends = bytearray(), time.monotonic() + ANSWER_SECONDS
    # What there is: `stream` would wait for a whole piece.
    while chunk := response.read1(1 << 16, decode_content=True):
        data += chunk
        if len(data) > LONGEST_ANSWER or time.monotonic() > ends:
            response.close()
            raise Temporary(f"{what}: the answer does not end")
    return bytes(data)


def _listed(answer: Document, path: str) -> tuple[list[Document], str, str]:
    """The items of one page, the list's resourceVersion, and where it goes on ("" = nowhere)."""
    items, metadata = answer.get("items", ""), answer.get("metadata") or {}
    if not isinstance(items, list | None) or not all(map(_is_object, items or ())):
        # Anything else with status 200 (a login page, a proxy) must never pass for an empty cluster.
        raise Temporary(f"GET {path}: the answer is no list of Kubernetes objects")
    return items or [], str(metadata.get("resourceVersion") or ""), str(metadata.get("continue") or "")


def _is_object(item: Any) -> bool:
    """Has it the name that every object has? Its readers see to the rest."""
    return isinstance(item, dict) and bool(name_of(item))


def _document(data: bytes, what: str) -> Document:
    """The JSON object of a good answer; whatever else came with a good status is no API server's word."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Temporary(f"{what}: the answer is not from a Kubernetes API: {_excerpt(data)}")
    return document


def _status(data: bytes) -> Document:
    """The metav1.Status of a refusal; a proxy's own words become its message."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = {"message": _excerpt(data) if data else ""}
    return document if isinstance(document, dict) else {}


def _excerpt(data: bytes) -> str:
    return " ".join(data[:200].decode(errors="replace").split()) or "it is empty"


def _root(collection: str) -> str:
    parts = collection.split("/")
    return "/".join(parts[:4] if parts[1] == "apis" else parts[:3])


def _error(method: str, path: str, code: int, headers: Mapping[str, str], status: Document) -> BgpctlError:
    reason = status.get("reason") or ""
    message = status.get("message") or f"HTTP {code}"
    kinds = {404: NotFound, 409: Conflict, 410: Gone}
    if code < 400:
        return Temporary(f"{method} {path}: redirected (HTTP {code}): this is not the Kubernetes API itself")
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


def _unanswered(host: str, error: BaseException) -> BgpctlError:
    from ssl import SSLCertVerificationError

    cause = _innermost(error)
    if isinstance(cause, SSLCertVerificationError):
        # A certificate does not become better by waiting.
        return UsageError(
            f"the certificate of the API server {host} is not trusted: {cause.verify_message}",
            "check certificate-authority and the server's address in the kubeconfig",
        )
    return Temporary(
        f"the API server {host} did not answer: {plain(error)}",
        "nothing is known to have changed; running the same command again is safe",
    )


class ServerBusy(Temporary):
    """429 or 5xx. Carries the Status: an eviction's 429 names the PodDisruptionBudget in it."""

    code: int = 0
    status: Document = {}  # noqa: RUF012 — replaced per instance, never mutated


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None


def plain(error: BaseException) -> str:
    """The innermost cause in words: urllib3 nests the socket's error in its own, which print as objects."""
    cause = _innermost(error)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    text = str(cause).rsplit(": ", 1)[-1] if "object at 0x" in str(cause) else str(cause)
    return text.strip() or type(cause).__name__


def _innermost(error: BaseException) -> BaseException:
    nested = (getattr(error, "reason", None), error.__cause__, *error.args)
    inner = next((cause for cause in nested if isinstance(cause, BaseException)), None)
    return error if inner is None else _innermost(inner)
