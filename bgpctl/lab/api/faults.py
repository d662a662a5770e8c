"""Faults on demand: what goes wrong, for which requests, how often, how long.

A fault is chosen by verb, resource and path; the HTTP handler carries it out. The list can be changed while
requests run, in process or over HTTP (`/bgpctl-lab/faults`, admin only).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from threading import Lock
from typing import Any

from bgpctl.lab.api import status
from bgpctl.lab.api.auth import Rights
from bgpctl.lab.api.documents import Document

EFFECTS = ("latency", "answer", "drop", "hang", "cut")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    `effect`:
      latency  the request waits `seconds`, then goes on
      answer   a Status with `code` (429, 500, 503 …), with Retry-After when `retry_after` is set
      drop     the connection is closed without an answer (for a watch: in the middle of the stream)
      hang     half-open: the request is read and never answered; a watch stops sending, and stays open
      cut      the request is carried out and its answer is lost
    `verb`, `resource` and `path` are regular expressions, of which verb and resource (`pods/eviction`) must
    match as a whole; empty matches everything. `count` None = until cleared; `seconds` of hang 0 = for ever.
    """

    effect: str
    verb: str = ""
    resource: str = ""
    path: str = ""
    count: int | None = None
    seconds: float = 0.0
    code: int = 500
    retry_after: int = 0

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise ValueError(f"unknown effect {self.effect!r}: one of {', '.join(EFFECTS)}")
        for pattern in (self.verb, self.resource, self.path):
            re.compile(pattern)

    def concerns(self, verb: str, resource: str, path: str) -> bool:
        """All three must match; the path anywhere in it."""
        return (
            re.fullmatch(self.verb or ".*", verb) is not None
            and re.fullmatch(self.resource or ".*", resource) is not None
            and re.search(self.path, path) is not None
        )

    def error(self) -> status.ApiError:
        """The Status of an `answer` fault."""
        if self.code == 429:
            message = "Too many requests, please try again later."
            return status.too_many_requests(message, self.retry_after)
        if self.code == 500:
            return status.internal("fault injected by the lab")
        details = {"retryAfterSeconds": self.retry_after} if self.retry_after else {}
        reason = {503: "ServiceUnavailable", 504: "Timeout"}.get(self.code, "")
        return status.ApiError(self.code, reason, "fault injected by the lab", details)


@dataclass(frozen=True, slots=True)
class Restart:
    """An API server that is started again, in seconds: `down` nobody answers; then for `refusing` it knows no
    roles, so that everyone but the administrator gets 403; then for `filling` it has not read its storage
    (429, 503). Measured on kube-apiserver 1.36: up to 0.35 s of 403."""

    down: float = 0.5
    refusing: float = 0.35
    filling: float = 0.3


class Faults:
    """The faults in force. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ids = count(1)
        self._armed: dict[int, Fault] = {}
        self._left: dict[int, int | None] = {}
        self._outage_until = self._refusing_until = self._filling_until = 0.0
        self.on_outage: Callable[[], None] = lambda: None

    def add(self, fault: Fault) -> int:
        """Arm a fault; answers its id."""
        with self._lock:
            number = next(self._ids)
            self._armed[number], self._left[number] = fault, fault.count
            return number

    def remove(self, number: int) -> None:
        """By the id that `add` answered; one that is not there is no error."""
        with self._lock:
            self._armed.pop(number, None)
            self._left.pop(number, None)

    def clear(self) -> None:
        """Nothing goes wrong any more, an outage included. What hangs already goes on hanging."""
        with self._lock:
            self._armed.clear()
            self._left.clear()
            self._outage_until = self._refusing_until = self._filling_until = 0.0

    def outage(self, seconds: float) -> None:
        """For so long every connection, open or new, is reset: a server that is gone."""
        with self._lock:
            self._outage_until = time.monotonic() + seconds
        self.on_outage()

    def restart(self, course: Restart = Restart()) -> None:
        """An outage, and what a server answers after one."""
        up = time.monotonic() + course.down
        self._refusing_until = up + course.refusing
        self._filling_until = self._refusing_until + course.filling
        self.outage(course.down)

    @property
    def restarting(self) -> bool:
        """From the beginning of a restart until the storage is read."""
        return time.monotonic() < self._filling_until

    def known(self, rights: Rights) -> Rights:
        """Those of the rights that the server has read so far."""
        return () if self.refusing else rights

    @property
    def refusing(self) -> bool:
        """Has the server read no roles yet?"""
        return time.monotonic() < self._refusing_until

    def check_ready(self, verb: str) -> None:
        """429 or 503 while the storage is being read."""
        if self._refusing_until <= time.monotonic() < self._filling_until:
            if verb in {"list", "watch"}:
                raise status.too_many_requests("storage is (re)initializing", retry_after=1)
            raise status.ApiError(503, "ServiceUnavailable", "apiserver not ready")

    @property
    def down(self) -> bool:
        """Is every connection reset now?"""
        return time.monotonic() < self._outage_until

    def take(self, verb: str, resource: str, path: str) -> Fault | None:
        """The first fault that concerns this request; counts it."""
        with self._lock:
            for number, fault in self._armed.items():
                if self._left[number] != 0 and fault.concerns(verb, resource, path):
                    left = self._left[number]
                    self._left[number] = None if left is None else left - 1
                    return fault
        return None

    def describe(self) -> Document:
        """The faults in force, as the HTTP endpoint shows them. `left` null = until cleared."""
        with self._lock:
            faults = [{"id": n, "left": self._left[n], **asdict(f)} for n, f in self._armed.items()]
            return {"faults": faults, "outageSeconds": max(0.0, self._outage_until - time.monotonic())}


def endpoint(faults: Faults, method: str, query: Mapping[str, str], body: Any) -> Document:
    """`/bgpctl-lab/faults`: GET shows, POST adds (`{"outage": seconds}` begins an outage, `{"restart": {}}` a
    restart), DELETE clears."""
    if method == "POST":
        return _post(faults, body)
    if method == "DELETE":
        _delete(faults, query)
    elif method != "GET":
        raise status.method_not_allowed()
    return faults.describe()


def _post(faults: Faults, body: Any) -> Document:
    try:
        if "outage" in body:
            faults.outage(float(body["outage"]))
            return faults.describe()
        if "restart" in body:
            faults.restart(Restart(**body["restart"]))
            return faults.describe()
        return {"id": faults.add(Fault(**body))}
    except (TypeError, ValueError, re.error) as error:
        raise status.bad_request(f"not a fault: {error}") from error


def _delete(faults: Faults, query: Mapping[str, str]) -> None:
    if number := query.get("id"):
        if not number.isdigit():
            raise status.bad_request(f"not an id: {number!r}")
        faults.remove(int(number))
    else:
        faults.clear()
