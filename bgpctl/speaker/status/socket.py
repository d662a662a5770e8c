"""The speaker's own account of itself, for whoever is on the node: `status.sock` in its directory, mode 0600.

    GET /state    the BGPNodeState document
    GET /routes   every route, intended beside announced, with attributes and reasons; absent ones too

Works without Kubernetes. Answers are written piece by piece: 50,000 routes never stand in memory as one text.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from bgpctl.core.intent.routeview import absent_document, compared, peer_head, row_document
from bgpctl.core.model import Intent, Observed, Session
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.speaker import places
from bgpctl.speaker.manager import Manager
from bgpctl.speaker.status.build import unsent_routes
from bgpctl.speaker.status.server import Page, Server

JSON = "application/json"


def serve(
    directory: Path, manager: Manager, unpublished: Callable[[], str] = lambda: ""
) -> Callable[[], None]:
    """Start serving in a thread; returns the function that ends it and removes the socket. The caller holds
    the directory's lock, so a socket that is there is a dead speaker's. `unpublished`: why the state cannot
    be read elsewhere, "" when it can. Raises UsageError."""
    path = directory / places.STATUS_SOCKET
    pages = {
        "/state": lambda: Page(200, JSON, _state(manager, unpublished())),
        "/routes": lambda: Page(200, JSON, _routes(manager)),
    }
    # The path of a socket may have 107 characters; through the open directory it is always short.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path.unlink(missing_ok=True)
        short = f"/proc/self/fd/{descriptor}/{path.name}"
        stop = Server(socket.AF_UNIX, short, pages).start("status")
        path.chmod(0o600)  # until here the directory's 0700 keeps others out
    except OSError as error:
        raise UsageError(
            f"cannot make the status socket {path}: {error.strerror}", "pass another --directory PATH"
        ) from None
    finally:
        os.close(descriptor)

    def end() -> None:
        stop()
        with contextlib.suppress(OSError):
            path.unlink()

    return end


def _state(manager: Manager, unpublished: str) -> Iterator[str]:
    """Its heartbeat is the loop's last pass: a loop that hangs shows as stale here too."""
    ticked_at = manager.counters.ticked_at
    age = time.monotonic() - ticked_at if ticked_at else 0.0
    also = (f"this state can be read here only: {unpublished}",) if unpublished else ()
    problems = (*manager.state.problems, *also)
    alive: NodeState = replace(manager.state, heartbeat=time.time() - age, problems=problems)
    yield json.dumps(to_document(alive))


def _routes(manager: Manager) -> Iterator[str]:
    intent = manager.intent or Intent(manager.state.node)
    return routes_text(intent, manager.observed(), manager.state.problems, time.time())


def routes_text(intent: Intent, observed: Observed, problems: tuple[str, ...], at: float) -> Iterator[str]:
    """The document of /routes in pieces (`read_node_routes` reads it)."""
    head = {"node": intent.node, "at": at, "problems": list(problems)}
    yield _open(head) + ', "peers": ['
    for number, name in enumerate(sorted(observed.peers)):
        session = observed.sessions.get(name) or Session(name)
        yield (", " if number else "") + _open(peer_head(name, str(observed.peers[name].address), session))
        yield ', "routes": ['
        yield from _joined(json.dumps(row_document(row)) for row in compared(intent, observed, name))
        yield "]}"
    yield '], "absent": ['
    missing = chain(intent.absent, unsent_routes(intent, observed))
    yield from _joined(json.dumps(absent_document(absent)) for absent in missing)
    yield "]}"


def _open(head: dict[str, object]) -> str:
    """An object that goes on."""
    return json.dumps(head)[:-1]


def _joined(items: Iterator[str]) -> Iterator[str]:
    for number, item in enumerate(items):
        yield f",\n{item}" if number else item
