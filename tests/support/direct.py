"""The embedded API without sockets, threads or waiting: a `Client` whose requests are function calls.

The client's sorting of errors, its paging and its clock are the real ones, and so is what the server does;
only HTTP is left out. Time is a number that tests move. Between any two requests a test may do what it likes:

    api = direct.Api()
    api.server.apply(objects.node("n"))
    wire = direct.Wire(api)
    other = direct.Wire(api).client()
    wire.before = lambda asked: ...  # other.patch(…), or return direct.refused(429), or raise direct.lost()
    wire.client().get(paths.node("n"))
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote

from bgpctl.kube.client import Client
from bgpctl.kube.clock import ServerClock
from bgpctl.kube.config import Access
from bgpctl.lab.api import ApiServer, auth, discovery, patch, reviews, status
from bgpctl.lab.api.controllers import Controllers
from bgpctl.lab.api.documents import dump
from bgpctl.lab.api.requests import Answer, Request, answer, refusal
from bgpctl.lab.api.routes import Target, target_of, verb_of
from bgpctl.lab.api.selectors import one_name
from bgpctl.lab.api.watching import Watch

HOST = "direct"
EPOCH = 1_790_000_000.0  # September 2026


@dataclass(slots=True)
class Time:
    """Seconds since the epoch, as everybody has them whose clock is right."""

    now: float = EPOCH

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Api:
    """A server of which nothing runs, and its time. `skew`: how far its own clock is ahead, in seconds."""

    def __init__(self, time: Time | None = None, skew: float = 0.0) -> None:
        self.time = time or Time()
        self.skew = skew
        self.server = ApiServer(controllers=False, clock=self.clock)

    def clock(self) -> float:
        return self.time.now + self.skew

    def controllers(self, start_delay: float = 0.2, grace_cap: float = 1.0) -> Controllers:
        """What keeps pods, owners and budgets in order: `catch_up` does what is due at this moment."""
        operations = self.server.operations
        made = Controllers(
            operations,
            start_delay=start_delay,
            grace_cap=grace_cap,
            clock=self.time,
            images=self.server.images,
        )
        made.begin()
        return made

    def fork(self) -> Api:
        """A server of its own with the same objects, at the same moment: quicker than to apply them again."""
        made = copy.copy(self)
        made.time = Time(self.time.now)
        made.server = self.server.fork(made.clock)
        return made


@dataclass(slots=True)  # not frozen: a test of thousands of runs makes millions
class Asked:
    """One request. `target` is None for discovery."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: Target | None

    @property
    def verb(self) -> str:
        """As in RBAC."""
        return verb_of(self.method, self.target, self.query) if self.target else "get"

    @property
    def resource(self) -> str:
        """As in RBAC: `nodes`, `pods/eviction`; "" for discovery."""
        return self.target.resource_text if self.target else ""

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def document(self) -> Any:
        """The body, None without one."""
        return json.loads(self.body) if self.body else None

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


def refused(code: int, reason: str = "", message: str = "refused by a test", retry_after: int = 0) -> Answer:
    """An answer that is an error."""
    details = {"retryAfterSeconds": retry_after} if retry_after else None
    return refusal(status.ApiError(code, reason, message, details))


def lost() -> OSError:
    """To be raised by a hook: the connection broke."""
    return ConnectionResetError(104, "Connection reset by peer")


Before = Callable[[Asked], Answer | None]
After = Callable[[Asked, Answer], Answer | None]


@dataclass(slots=True)
class Wire:
    """One way to the server, and somebody who sits on it.

    `before` comes before a request is carried out: an Answer of it is the answer, and the server never hears
    of the request. `after` comes when it was carried out, and may answer something else. Either may raise
    `lost()`: the request was not carried out, or its answer never came. `sent` are the requests that were
    carried out. What hooks do goes over wires of their own.
    """

    api: Api
    user: str = auth.ADMIN
    before: Before = lambda asked: None
    after: After = lambda asked, answer: None
    sent: list[Asked] = field(default_factory=list)

    def client(self, skew: float = 0.0) -> Client:
        """A client on a machine whose clock is `skew` seconds ahead."""
        return Client(*self.parts(skew))

    def parts(self, skew: float = 0.0) -> tuple[Access, ServerClock]:
        """What a client is made of."""
        time = self.api.time
        clock = ServerClock(local=time, wall=lambda: time.now + skew)
        return Access(HOST, _Pool(self), lambda: None), clock  # type: ignore[arg-type]

    def carry(self, asked: Asked) -> Answer:
        """One request, on its way there and back."""
        early = self.before(asked)
        if early is not None:
            return early
        self.sent.append(asked)
        try:
            found = self._answer(asked)
        except status.ApiError as error:
            found = refusal(error)
        return self.after(asked, found) or found

    def _answer(self, asked: Asked) -> Answer:
        server, target = self.api.server, asked.target
        if target is None:
            return Answer(200, dump(discovery.answer(server.registry, asked.path)))
        if reviews.concerns(target):
            review = reviews.answer(target, self.user, asked.document, server.rights, server.roles)
            return Answer(201, dump(review))
        verb = asked.verb
        auth.authorize(self.user, verb, target, server.rights, server.roles, one_name(asked.query))
        request = Request(verb, target, asked.query, asked.headers, asked.body)
        if verb == "patch" and request.content_type == patch.APPLY:
            there = server.operations.has(target)
            auth.authorize_apply(self.user, target, there, server.rights, server.roles)
        found = answer(server.operations, request)
        assert not isinstance(found, Watch), "there is nobody here who could wait for events"
        return found


class _Pool:
    """What a Client needs of a urllib3 pool."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def request(
        self, method: str, url: str, *, body: str | None, headers: Mapping[str, str], **_: Any
    ) -> _Response:
        path, query, target = _asked_for(url)
        asked = Asked(method, path, query, headers, (body or "").encode(), target)
        found = self._wire.carry(asked)
        head = {"Date": _date(int(self._wire.api.clock()))}
        if found.retry_after:
            head["Retry-After"] = str(found.retry_after)
        return _Response(found.code, head, found.body)


class _Response:
    """What a Client reads of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status, self.headers, self._left = status, headers, data

    def read1(self, amount: int, *, decode_content: bool) -> bytes:
        data, self._left = self._left, b""
        return data

    def close(self) -> None:
        """There is nothing to close."""


@lru_cache(256)
def _asked_for(url: str) -> tuple[str, Mapping[str, str], Target | None]:
    """The path, the query and the target."""
    path, _, query = url.removeprefix(HOST).partition("?")
    path = unquote(path)
    return path, MappingProxyType(dict(parse_qsl(query, keep_blank_values=True))), target_of(path)


@lru_cache(maxsize=16)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
