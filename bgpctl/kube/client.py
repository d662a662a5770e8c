"""Requests to the API server as plain JSON: one method per verb. Failures are those of `kube.failures`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import inf
from typing import Any, TypeVar
from urllib.parse import urlencode

from bgpctl import __version__
from bgpctl.core.reading.documents import name_of
from bgpctl.errors import BgpctlError, Temporary, UsageError
from bgpctl.kube import paths
from bgpctl.kube.clock import ServerClock
from bgpctl.kube.config import Access
from bgpctl.kube.doubts import Doubts, Right, right
from bgpctl.kube.failures import (
    ApiError,
    Conflict,
    Gone,
    NotFound,
    ServerBusy,
    document,
    held_back,
    plain,
    refusal,
    unanswered,
)
from bgpctl.kube.pulse import Pulse

__all__ = ["ApiError", "Client", "Conflict", "Gone", "NotFound", "ServerBusy", "Stream", "plain"]

Document = dict[str, Any]
T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
LEAST_PATIENCE = 1.0  # seconds that a question gets though time is up
PAGE = 500
ANSWER_SECONDS = 120.0  # for the whole of an answer, however it comes
LONGEST_TEXT = 16 << 20  # octets, of what a pod answers through the proxy
LONGEST_ANSWER = 256 << 20  # octets; a page is 500 objects, and where it must be one, 25,000 Pods
MOST_ITEMS = 1_000_000
LONGEST_EVENT = 8 << 20  # octets; etcd takes objects of 1.5 MB

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Client:
    """Raw JSON requests over an `Access`. Safe to use from several threads. `patience`: seconds for one
    answer (None = READ_TIMEOUT), a stream's events excepted; `chunk`: objects of a list that are asked for at
    once (None = PAGE, 0 = all)."""

    def __init__(
        self,
        access: Access,
        clock: ServerClock | None = None,
        *,
        patience: float | None = None,
        chunk: int | None = None,
    ) -> None:
        self.access = access
        self._given_patience, self._chunk = patience, chunk
        self.ends: float | None = None  # CLOCK_BOOTTIME: whoever asks has no time after that
        self._clock = clock or ServerClock()
        self._doubts = Doubts(self._clock.local)
        self.pulse = Pulse()  # of its watches

    # -- the server's clock

    def now(self) -> float:
        """Epoch seconds that the API server's clock has reached: not before this is now, by its clock. Never
        runs backwards once the server was heard; before, and where it sends no Date, the local clock."""
        return self._clock.now()

    def latest(self) -> float:
        """Epoch seconds that it has not passed: not after this is now, by its clock."""
        return self._clock.latest()

    def present(self) -> float:
        """Epoch seconds now: by the local clock where the server's does not contradict it, else the nearest
        time that it allows."""
        return min(max(time.time(), self.now()), self.latest())

    # -- verbs

    def get(self, path: str, **query: str) -> Document:
        """One object, or one page of a collection, as the server sends it. Raises as `request` does."""
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
        page = PAGE if self._chunk is None else self._chunk
        try:
            return self._pages(path, {**query, "limit": str(page)} if page else query, read)
        except Gone:
            # The list took longer than the server keeps a snapshot: ask for an answer in one piece.
            return self._pages(path, query, read)

    def _pages(
        self, path: str, query: Mapping[str, str], read: Callable[[Document], T]
    ) -> tuple[list[T], str]:
        items: list[T] = []
        page = dict(query)
        while True:
            found, version, rest, left = _listed(self.request("GET", path, query=page), path)
            items.extend(map(read, found))
            if not rest and not left:
                return items, version
            if not rest:
                raise Temporary(f"GET {path}: the list is not whole, and its server says so")
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
        """POST to a collection; answers the object as it is kept. Conflict when there is one of that name."""
        return self.request("POST", path, query=query, body=body)

    def replace(self, path: str, body: Document) -> Document:
        """PUT: the body's resourceVersion makes it fail with Conflict when somebody was faster."""
        return self.request("PUT", path, body=body)

    def patch(self, path: str, body: Any, kind: str = "merge", **query: str) -> Document:
        """`kind` is one of PATCH_TYPES; answers the object as it is then. An "apply" needs a fieldManager."""
        return self.request("PATCH", path, query=query, body=body, content_type=PATCH_TYPES[kind])

    def delete(self, path: str, body: Document | None = None, **query: str) -> Document:
        """`body`: DeleteOptions (grace period, preconditions). Answers the object as it goes, or a Status."""
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
        return document(self._octets(method, path, query, body, content_type), f"{method} {path}")

    def text(self, path: str) -> str:
        """What something behind the API server's proxy answers, whole. Raises as `request` does."""
        found = self._octets("GET", path, None, None, "application/json", LONGEST_TEXT)
        return found.decode(errors="replace")

    def _octets(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        longest: int = LONGEST_ANSWER,
    ) -> bytes:
        import urllib3

        response = self._send(method, path, query, body, content_type, self._reading())
        try:
            return _whole(response, f"{method} {path}", longest)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._doubts.trouble()
            raise unanswered(self.access.host, error) from None

    def stream(self, path: str, query: Mapping[str, str], read_timeout: float) -> Stream:
        """Begin a watch; returns once the server has accepted it. Raises as `request` does."""
        return Stream(path, self._begin(path, query, read_timeout), self._doubts.trouble)

    def lines(self, path: str, query: Mapping[str, str], read_timeout: float | None = None) -> Iterator[str]:
        """The lines of a text answer (a pod's log) as they come, without their ends. Raises as `request`
        does, and Temporary when it breaks off."""
        import urllib3

        response = self._begin(path, query, read_timeout or self._reading())
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
            self._doubts.trouble()
            raise Temporary(f"{path} broke off: {plain(error)}") from None
        finally:
            response.close()

    def _begin(self, path: str, query: Mapping[str, str], read_timeout: float) -> Any:
        patience = min(read_timeout, self._reading())
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

        url = self.access.host + path + ("?" + _encoded(tuple(query.items())) if query else "")
        headers = urllib3.HTTPHeaderDict(self.access.headers)
        headers.extend({"Accept": "application/json", "User-Agent": f"bgpctl/{__version__}"})
        if authorization := self.access.authorization():
            headers["authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = content_type
        sent, patience = self._clock.local(), self._patience(read_timeout)
        try:
            response = self.access.pool.request(
                method,
                url,
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=patience,
                preload_content=False,
                retries=False,
                redirect=False,
            )
            refused = None if response.status < 300 else _whole(response, f"{method} {path}")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._doubts.trouble()
            raise unanswered(self.access.host, error, patience) from None
        except ValueError:
            # Of a header: the credential is the only one that comes from outside, and must not be quoted.
            raise UsageError(
                "the credential for the API server has characters that no HTTP header can carry",
                "correct the token in the kubeconfig (a line break in it?)",
            ) from None
        if response.status < 300 or 400 <= response.status < 500:  # others may be a gateway's own words
            self._clock.hear(response.headers.get("Date"), sent, self._clock.local())
        if refused is not None:
            failed = refusal(method, path, response.status, response.headers, refused)
            raise self._judged(failed, right(method, path, query))
        self._doubts.granted(right(method, path, query))
        return response

    def _patience(self, read: float) -> Any:
        """How long to wait for the server: for somebody whose time is nearly up no longer than that."""
        import urllib3

        left = inf if self.ends is None else max(LEAST_PATIENCE, self.ends - self._clock.local())
        longest = min(left, read)
        return urllib3.Timeout(connect=min(CONNECT_TIMEOUT, longest), read=longest if longest < inf else None)

    def _reading(self) -> float:
        """Seconds that an answer may take to begin and to go on."""
        return READ_TIMEOUT if self._given_patience is None else self._given_patience

    def _judged(self, error: BgpctlError, asked: Right) -> BgpctlError:
        """The error as it is to be taken: a refusal that may pass is Temporary."""
        if "proxy" in asked[6:]:  # the word of what is behind it, which says nothing of the API server
            return error
        if isinstance(error, ServerBusy) and not held_back(error):
            self._doubts.trouble()
        elif isinstance(error, ApiError) and error.code not in (401, 403):
            self._doubts.granted(asked)
        elif isinstance(error, ApiError) and self._doubts.passing(asked):
            return Temporary(f"{error.message} (this may pass: the API server may have only just started)")
        return error


class Stream:
    """The events of one watch, one document each, until the server ends it. Read by one thread; `close` ends
    it from any other. Raises Temporary when it breaks off (`broke` is called first), and when nothing came
    for the read timeout (a half-open connection)."""

    def __init__(self, path: str, response: Any, broke: Callable[[], None] = lambda: None) -> None:
        self._path, self._response, self._broke = path, response, broke

    def __iter__(self) -> Iterator[Document]:
        import urllib3

        try:
            buffer = b""
            for chunk in self._response.stream(65536, decode_content=True):
                *lines, buffer = (buffer + chunk).split(b"\n")
                if len(buffer) > LONGEST_EVENT:
                    raise ValueError("it is no stream of Kubernetes events")
                yield from (json.loads(line) for line in lines if line.strip())
            if buffer.strip():  # each event ends its line: half of one, or no event at all (a login page)
                raise ValueError("it ended in the middle of an event")
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError) as error:
            self._broke()
            raise Temporary(f"watch {self._path} broke off: {plain(error)}") from None
        finally:
            self._response.close()

    def close(self) -> None:
        """A reader that waits for the next event gets the end of the stream."""
        with contextlib.suppress(ValueError, RuntimeError, OSError, AttributeError):
            self._response.shutdown()


@lru_cache(256)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query)


def _whole(response: Any, what: str, longest: int = LONGEST_ANSWER) -> bytes:
    """All of an answer's body. Raises Temporary for one that does not end in time, or at all."""
    data, ends = bytearray(), time.monotonic() + ANSWER_SECONDS
    # What there is: `stream` would wait for a whole piece.
    while chunk := response.read1(1 << 16, decode_content=True):
        data += chunk
        if len(data) > longest or time.monotonic() > ends:
            response.close()
            raise Temporary(f"{what}: the answer does not end")
    return bytes(data)


def _listed(answer: Document, path: str) -> tuple[list[Document], str, str, bool]:
    """The items of one page, the list's resourceVersion, where it goes on ("" = nowhere), and whether there
    are more than these."""
    items, metadata = answer.get("items", ""), answer.get("metadata") or {}
    whole = isinstance(items, list | None) and isinstance(metadata, dict)
    if not whole or not all(map(_is_object, items or ())):
        # Anything else with status 200 (a login page, a proxy) must never pass for an empty cluster.
        raise Temporary(f"GET {path}: the answer is no list of Kubernetes objects")
    version, rest = (str(metadata.get(name) or "") for name in ("resourceVersion", "continue"))
    return items or [], version, rest, bool(metadata.get("remainingItemCount"))


def _is_object(item: Any) -> bool:
    """Has it the name that every object has? Its readers see to the rest."""
    return isinstance(item, dict) and bool(name_of(item))


def _root(collection: str) -> str:
    parts = collection.split("/")
    return "/".join(parts[:4] if parts[1] == "apis" else parts[:3])
