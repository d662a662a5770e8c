"""The HTTP side: connections, one thread each, keep-alive, chunked watch streams, and faults carried out.

Decides nothing about the API: `requests.answer` does, and `faults.take` says what goes wrong.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
from collections.abc import Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from bgpctl.lab.api import auth, discovery, exec, faults, patch, protobuf, reviews, selectors, status
from bgpctl.lab.api.documents import dump
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.api.requests import Answer, Request, answer, refusal
from bgpctl.lab.api.routes import Target, target_of, verb_of
from bgpctl.lab.api.watching import Watch

if TYPE_CHECKING:
    from bgpctl.lab.api.server import ApiServer

FAULTS_PATH = "/bgpctl-lab/faults"
LONGEST_BODY = 8 * 1024 * 1024
_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}


class Dropped(Exception):
    """The connection must end here, without an answer."""


class HttpServer(ThreadingHTTPServer):
    """A listening socket whose connections and threads can all be ended at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], api: ApiServer) -> None:
        self.api = api
        self.stopping = Event()
        self._lock = Lock()
        self._connections: set[socket.socket] = set()
        self._serving: set[Thread] = set()
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread per connection; a server that is down resets it instead."""
        if self.api.faults.down:
            reset(request)
            request.close()
            return
        thread = Thread(
            target=self._serve, args=(request, client_address), name="lab-api-connection", daemon=True
        )
        with self._lock:
            self._connections.add(request)
            # Pruned here and not by the threads themselves: `join_connections` must see each to its very end.
            self._serving = {each for each in self._serving if each.is_alive()} | {thread}
            thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            # The TLS handshake belongs to the connection's own thread: a client that stalls stalls itself.
            wrapped = self.api.wrap(request)
            if wrapped is not request:
                with self._lock:
                    self._connections.discard(request)
                    self._connections.add(wrapped)
                request = wrapped
                if self.stopping.is_set():
                    raise Dropped  # `end_connections` may have seen neither of the two
            self.finish_request(request, client_address)
        except (OSError, Dropped):
            pass  # The client went away, or was sent away.
        finally:
            with self._lock:
                self._connections.discard(request)
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The accept loop's own errors: never a traceback on the user's terminal."""
        print(f"lab API: connection failed: {sys.exc_info()[1]}", file=sys.stderr)

    def end_connections(self) -> None:
        """Reset every open connection; their threads end by it."""
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:
            reset(connection)

    def join_connections(self, timeout: float) -> list[Thread]:
        """Wait for the threads; answers those that did not end."""
        with self._lock:
            threads = tuple(self._serving)
        for thread in threads:
            thread.join(timeout)
        return [thread for thread in threads if thread.is_alive()]


def reset(connection: socket.socket) -> None:
    """End a connection the hard way (RST), as a crashed server does."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # Already gone.


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: tokens could be in it, and the terminal is the demo's."""

    def handle_one_request(self) -> None:
        """As the base class does it, but for the methods, which all go one way."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._serve()

    def _serve(self) -> None:
        fault: Fault | None = None
        try:
            body = self._body()
            fault, found = self._route(urlsplit(self.path), body)
        except status.ApiError as error:
            self._send(refusal(error))
            return
        except Exception as error:  # a bug of ours must not cost the connection
            text = f"{type(error).__name__}: {error}"
            print(f"lab API: {self.command} {self.path}: {text}", file=sys.stderr)
            self._send(refusal(status.internal(text)))
            return
        if isinstance(found, Watch):
            self._stream(found, fault)
        elif isinstance(found, exec.Exec):
            self.wfile.write(found.head() + b"".join(found.frames()))
            self.close_connection = True
        elif fault and fault.effect == "cut":
            raise Dropped
        else:
            self._send(found)

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._chunked_body()
        text = self.headers.get("Content-Length") or "0"
        if not text.isdigit():
            self.close_connection = True
            raise status.bad_request("the Content-Length is no number")
        length = int(text)
        if length > LONGEST_BODY:
            self.close_connection = True
            raise status.ApiError(413, "RequestEntityTooLarge", f"limit is {LONGEST_BODY}")
        return self.rfile.read(length) if length else b""

    def _chunked_body(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts)

    def _route(self, url: Any, body: bytes) -> tuple[Fault | None, Answer | Watch | exec.Exec]:
        path, query = unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True))
        api, headers = self.server.api, _headers(self.headers)
        user = auth.authenticate(api.tokens, headers)
        if path == FAULTS_PATH:
            return None, self._faults(user, query, body)
        target = target_of(path)
        if target is None:
            fault = self._suffer("get", "", path)
            return fault, _text_or_json(discovery.answer(api.registry, path))
        if reviews.concerns(target):
            review = reviews.answer(target, user, _loose_json(body), api.rights, api.roles)
            return None, Answer(201, dump(review))
        verb = verb_of(self.command, target, query)
        roles = None if api.faults.refusing else api.roles
        auth.authorize(user, verb, target, api.faults.known(api.rights), roles, selectors.one_name(query))
        request = Request(verb, target, query, headers, body)
        if verb == "patch" and request.content_type == patch.APPLY:
            there = api.operations.has(target)
            auth.authorize_apply(user, target, there, api.faults.known(api.rights), roles)
        api.faults.check_ready(verb)
        fault = self._suffer(verb, target.resource_text, self.path)
        if target.resource_text == exec.RESOURCE:
            auth.authorize(user, "create", target, api.rights, api.roles)  # as 1.35: a GET is not enough
            return fault, exec.begin(api.operations, api.commands, target, headers, url.query)
        return fault, answer(api.operations, request)

    def _faults(self, user: str, query: Mapping[str, str], body: bytes) -> Answer:
        auth.authorize(user, self.command.lower(), Target("bgpctl.io", "", "faults"), ())
        try:
            sent = json.loads(body or b"null")
        except ValueError as error:
            raise status.bad_request(f"the body is not JSON: {error}") from error
        return Answer(200, dump(faults.endpoint(self.server.api.faults, self.command, query, sent)))

    def _suffer(self, verb: str, resource: str, path: str) -> Fault | None:
        """Carry out a fault that comes before the request does; the others are for later."""
        fault = self.server.api.faults.take(verb, resource, path)
        if fault is None:
            return None
        if fault.effect == "answer":
            raise fault.error()
        if fault.effect == "latency":
            self.server.stopping.wait(fault.seconds)
        if fault.effect in {"hang", "drop"} and verb != "watch":
            self._end(fault)
        return fault

    def _end(self, fault: Fault) -> None:
        if fault.effect == "hang":
            # Nothing is read and nothing is sent any more, and the socket stays open: a half-open connection.
            self.server.stopping.wait(fault.seconds or None)
        reset(self.connection)
        raise Dropped

    def _date(self) -> str:
        return formatdate(int(self.server.api.operations.clock()), usegmt=True)

    # --- answers ------------------------------------------------------------------------------------------

    def _send(self, found: Answer) -> None:
        extra = f"Retry-After: {found.retry_after}\r\n" if found.retry_after else ""
        head = (
            f"HTTP/1.1 {found.code} {_REASONS.get(found.code, 'Status')}\r\n"
            f"Date: {self._date()}\r\n"
            f"Content-Type: {found.content_type}\r\n"
            f"Content-Length: {len(found.body)}\r\n{extra}"
            f"{'Connection: close' if self.close_connection else 'Cache-Control: no-cache, private'}\r\n\r\n"
        )
        # One write: two would be two packets, since Nagle's algorithm is off.
        self.wfile.write(head.encode() + (b"" if self.command == "HEAD" else found.body))

    def _stream(self, watch: Watch, fault: Fault | None) -> None:
        self.wfile.write(
            f"HTTP/1.1 200 OK\r\nDate: {self._date()}\r\n".encode()
            + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            + b"Cache-Control: no-cache, private\r\n\r\n"
        )
        if fault and fault.effect in {"hang", "drop"}:
            self._end(fault)
        lines = watch.lines()
        try:
            for chunk in lines:
                self._check_stream_faults()
                if chunk:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                elif self._client_gone():
                    raise Dropped
        finally:
            lines.close()  # type: ignore[attr-defined]
        self.wfile.write(b"0\r\n\r\n")

    def _check_stream_faults(self) -> None:
        """Streams that are open already can be made to hang or to break, as verb `stream`."""
        url = urlsplit(self.path)
        target = target_of(unquote(url.path))
        assert target
        fault = self.server.api.faults.take("stream", target.resource_text, self.path)
        if fault:
            self._end(fault)

    def _client_gone(self) -> bool:
        """Has the client closed its side? A watch without events would not find out otherwise."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        if not readable:
            return False
        peek = getattr(self.connection, "pending", None)
        try:
            # TLS cannot peek; a client that sends on a watch is closing it (close_notify or FIN).
            return peek is not None or self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True


def _loose_json(body: bytes) -> Any:
    """A review, which kubectl sends as protobuf; {} for what cannot be read."""
    try:
        return json.loads(body)
    except ValueError:
        return protobuf.review(body)


def _headers(headers: Any) -> Mapping[str, str]:
    """email.message.Message looks names up without regard to case, which is what HTTP wants."""
    found: Mapping[str, str] = headers
    return found


def _text_or_json(found: Any) -> Answer:
    if isinstance(found, str):
        return Answer(200, found.encode(), "text/plain; charset=utf-8")
    return Answer(200, dump(found))
