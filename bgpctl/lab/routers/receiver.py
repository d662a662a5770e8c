"""Runs under ExaBGP: keeps each neighbor's routes in memory and writes them to a file for witness/exabgp.py.

    python -m bgpctl.lab.routers.receiver FILE NEIGHBOR-ADDRESS…

The file is replaced atomically, at most every WRITE_SECONDS, touched as a heartbeat, and removed when ExaBGP
goes away (end of input): then nobody can take old routes for present ones.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

WRITE_SECONDS = 0.05
HEARTBEAT_SECONDS = 0.5
SCHEMA = "bgpctl/rib-v1"

Event = Mapping[str, Any]


class Rib:
    """What the neighbors sent. `document` is the file's content."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._sessions = dict.fromkeys(addresses, "active")
        self._locals = dict.fromkeys(self._sessions, "")
        self._routes: dict[str, dict[str, str]] = {address: {} for address in self._sessions}

    def learn(self, event: Event) -> bool:
        """Take in one of ExaBGP's events; True when something changed."""
        neighbor = event.get("neighbor", {})
        ends = neighbor.get("address", {})
        address = ends.get("peer", "")
        if event.get("type") == "state":
            self._locals[address] = ends.get("local", "")
            return self._session(address, neighbor.get("state", ""))
        if event.get("type") == "update":
            return self._update(address, neighbor.get("message", {}).get("update", {}))
        return False

    def _session(self, address: str, state: str) -> bool:
        """ExaBGP says `connected`, `up`, `down`. A session starts without routes and takes its routes along;
        `connected` alone may be a second connection beside a living session, so it changes nothing."""
        if state not in ("up", "down"):
            return False
        self._sessions[address] = "established" if state == "up" else "active"
        self._routes[address] = {}
        return True

    def _update(self, address: str, update: Event) -> bool:
        routes = self._routes.setdefault(address, {})
        gone, come = list(_withdrawn(update)), dict(_announced(update))
        for prefix in gone:
            routes.pop(prefix, None)
        routes.update(come)
        return bool(gone or come)

    def document(self) -> dict[str, Any]:
        """SCHEMA: per neighbor its session, our address and its routes, prefix -> next hop."""
        return {
            "schema": SCHEMA,
            "pid": os.getpid(),
            "neighbors": {
                address: {
                    "session": session,
                    "local": self._locals.get(address, ""),
                    "routes": self._routes.get(address, {}),
                }
                for address, session in self._sessions.items()
            },
        }


def _withdrawn(update: Event) -> Iterator[str]:
    for entries in update.get("withdraw", {}).values():
        yield from (entry["nlri"] for entry in entries if "nlri" in entry)


def _announced(update: Event) -> Iterator[tuple[str, str]]:
    """(prefix, next hop); the End-of-RIB marker names no NLRI."""
    for by_next_hop in update.get("announce", {}).values():
        for next_hop, entries in by_next_hop.items():
            yield from ((entry["nlri"], next_hop) for entry in entries if "nlri" in entry)


def save(path: Path, document: Mapping[str, Any]) -> None:
    """Atomic: a reader sees the old file or the new one."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document))
    draft.replace(path)


def run(source: int, path: Path, rib: Rib) -> None:
    """Read events from the file descriptor `source` until it ends."""
    save(path, rib.document())
    rest, changed, written = b"", False, 0.0
    while True:
        readable, _, _ = select.select([source], [], [], WRITE_SECONDS if changed else HEARTBEAT_SECONDS)
        if readable:
            if not (chunk := os.read(source, 1 << 16)):
                return
            *lines, rest = (rest + chunk).split(b"\n")
            changed |= any([rib.learn(event) for event in map(_event, lines)])
        if changed and (not readable or time.monotonic() - written > WRITE_SECONDS):
            save(path, rib.document())
            changed, written = False, time.monotonic()
        elif not changed:
            os.utime(path)


def _event(line: bytes) -> Event:
    """ExaBGP also writes plain words (`done`, `shutdown`): they are no events."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def main(argv: list[str]) -> None:
    """`argv` is FILE and the addresses. Ends with its input, or on SIGTERM."""
    path = Path(argv[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # ExaBGP ends its processes so
    try:
        run(sys.stdin.fileno(), path, Rib(argv[1:]))
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1:])
