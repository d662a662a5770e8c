"""FRR through bgpd's vty socket: no vtysh, no FRR configuration read, JSON answers.

The wire form (facts/bgp.md 5.1): send `command\\0`; the answer ends with three zero bytes and the return
code.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from bgpctl.core.model import IPNetwork
from bgpctl.witness.asking import TIMEOUT_SECONDS, ask
from bgpctl.witness.command import read_json
from bgpctl.witness.model import Path, Sighting, Unanswered, same_address, sighting, to_prefix

_FAMILIES = {"ipv4Unicast": "ipv4 unicast", "ipv6Unicast": "ipv6 unicast"}


@dataclass(frozen=True, slots=True)
class FrrProbe:
    """`target` is the directory that holds bgpd.vty."""

    target: str
    peer: str | None = None
    kind: str = "frr"

    def routes_from(self, neighbor: str) -> Sighting:
        router = f"frr {self.target}"
        return ask(router, neighbor, lambda: self._routes_from(router, neighbor))

    def _routes_from(self, router: str, neighbor: str) -> Sighting:
        with _Vty(self.target) as vty:
            view = neighbor_of(vty.ask(f"show bgp neighbors {neighbor} json"), neighbor)
            paths = tuple(path for family in families(view) for path in _routes(vty, family, neighbor, view))
        return sighting(router, neighbor, paths, str(view.get("bgpState", "")).lower(), remaining(view))

    def paths(self, prefix: IPNetwork) -> tuple[Path, ...]:
        with _Vty(self.target) as vty:
            answer = vty.ask(f"show bgp ipv{prefix.version} unicast {prefix} json")
        return tuple(read_prefix(answer, prefix))


# --- reading answers (pure) -------------------------------------------------------------------------------


def neighbor_of(answer: Mapping[str, Any], neighbor: str) -> Mapping[str, Any]:
    """`show bgp neighbors N json` -> what it says about N. Unanswered when FRR has no such neighbor."""
    views = [view for view in answer.values() if isinstance(view, Mapping)]
    if not views:
        raise Unanswered(f"router has no neighbor {neighbor}")
    return views[0]


def families(view: Mapping[str, Any]) -> list[str]:
    """The unicast families that are activated for the neighbor; they are listed also when the session is
    down. None at all means that nothing can be said."""
    found = [name for key, name in _FAMILIES.items() if key in view.get("addressFamilyInfo", {})]
    if not found:
        raise Unanswered("router has no unicast family activated for this neighbor")
    return found


def counted(view: Mapping[str, Any], family: str) -> int:
    """How many prefixes bgpd keeps from the neighbor in a family, stale ones included; 0 when it does not
    say."""
    key = next(key for key, name in _FAMILIES.items() if name == family)
    return int(view.get("addressFamilyInfo", {}).get(key, {}).get("acceptedPrefixCounter") or 0)


def remaining(view: Mapping[str, Any]) -> float | None:
    """Seconds until FRR drops the stale paths: the restart or the stale-path timer, whichever fires first."""
    info = view.get("gracefulRestartInfo", {})
    timers = (info.get("gracefulRestartTimerMsecs"), info.get("gracefulStalepathTimerMsecs"))
    return min((timer / 1000 for timer in timers if timer is not None), default=None)


def read_table(answer: Mapping[str, Any]) -> Iterator[Path]:
    """`show bgp … neighbors N routes json` -> paths; a stale path has `"stale": true`, another has no key."""
    for prefix, entries in answer.get("routes", {}).items():
        for entry in entries:
            yield Path(
                prefix=to_prefix(prefix),
                neighbor=str(entry.get("peerId", "")),
                stale=bool(entry.get("stale")),
                best=bool(entry.get("bestpath")),
                next_hop=_next_hop(entry),
            )


def read_prefix(answer: Mapping[str, Any], prefix: IPNetwork) -> Iterator[Path]:
    """`show bgp … P json` -> paths of P; an unknown prefix answers `{}`."""
    for entry in answer.get("paths", ()):
        yield Path(
            prefix=prefix,
            neighbor=str(entry.get("peer", {}).get("peerId", "")),
            stale=bool(entry.get("stale")),
            best=bool(entry.get("bestpath", {}).get("overall")),
            next_hop=_next_hop(entry),
        )


def _next_hop(entry: Mapping[str, Any]) -> str | None:
    return next((str(hop["ip"]) for hop in entry.get("nexthops", ()) if "ip" in hop), None)


# --- asking -----------------------------------------------------------------------------------------------


def _routes(vty: _Vty, family: str, neighbor: str, view: Mapping[str, Any]) -> list[Path]:
    """The neighbor's paths of one family. While a session is down FRR (8.4) may list none of the stale paths
    that it counts and uses: then they are looked for in the whole table."""
    paths = list(read_table(vty.ask(f"show bgp {family} neighbors {neighbor} routes json")))
    if len(paths) >= counted(view, family):
        return paths
    table = read_table(vty.ask(f"show bgp {family} json"))
    return [path for path in table if same_address(path.neighbor, neighbor)]


class _Vty:
    """One connection to bgpd, in enable mode as vtysh opens it; we only ever send `show`."""

    def __init__(self, directory: str) -> None:
        self._path = str(FilePath(directory) / "bgpd.vty")
        self._deadline = time.monotonic() + TIMEOUT_SECONDS
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> _Vty:
        try:
            self._socket.settimeout(TIMEOUT_SECONDS)
            self._socket.connect(self._path)
            self._talk("enable")
        except OSError as error:
            self._socket.close()
            raise Unanswered(f"cannot reach FRR's bgpd at {self._path}: {error.strerror or error}") from error
        except Unanswered:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, command: str) -> Mapping[str, Any]:
        """One `show … json` command. Unanswered when bgpd refuses it."""
        code, text = self._talk(command)
        if code != 0:
            raise Unanswered(f"FRR refused `{command}`: {text.strip()[:120] or code}")
        answer = read_json(text, "FRR")
        if not isinstance(answer, dict):
            raise Unanswered(f"FRR answered `{command}` with something else than an object")
        return answer

    def _talk(self, command: str) -> tuple[int, str]:
        try:
            self._socket.sendall(command.encode() + b"\0")
            answer = self._receive()
        except OSError as error:
            raise Unanswered(f"FRR's bgpd did not answer: {error.strerror or error}") from error
        return answer[-1], answer[:-4].decode(errors="replace")

    def _receive(self) -> bytes:
        chunks = b""
        while chunks[-4:-1] != b"\0\0\0":
            self._socket.settimeout(max(0.01, self._deadline - time.monotonic()))
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise Unanswered("FRR's bgpd closed the connection")
            chunks += chunk
        return chunks
