"""What BIRD on a node says when it is asked itself: `birdcl show status` and `birdcl show protocols all`, of
1.6 (Calico's fork) and of 2. How many routes a protocol exports is its own count, of now. Pure.

A BIRD that was started anew may wait with its routes, and with End-of-RIB, until its neighbors have sent
theirs (RFC 4724 section 4.1): meanwhile it exports nothing, and the routers keep what they had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bgpctl.core.calico.nodestatus import STATES
from bgpctl.core.model import SessionState

CLIENT, CONTAINER, SELECTOR = "birdcl", "calico-node", "k8s-app=calico-node"
SOCKETS = {4: "/var/run/calico/bird.ctl", 6: "/var/run/calico/bird6.ctl"}
STATUS, PROTOCOLS = ("show", "status"), ("show", "protocols", "all")
RECOVERY_SECONDS = 240.0
"""For so long a BIRD that was started waits at most (`graceful restart wait`, which Calico does not set)."""
RECOVERING = "Graceful restart recovery in progress"

_PROTOCOL = re.compile(r"\S+\s+BGP\s")
_ROUTES = re.compile(r"\s*Routes:\s.{0,200}?\b(\d{1,9}) exported\b")
_VALUE = re.compile(r"\s*(BGP state|Neighbor address):\s*(\S+)")
_NOW, _BOOTED = "Current server time is", "Last reboot on"
_TIME = re.compile(rf"\s*({_NOW}|{_BOOTED}) (\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Told:
    """Of one peer: its session, and how many routes are exported to it; None = it does not say."""

    state: SessionState
    exported: int | None


def question(version: int, words: Iterable[str]) -> tuple[str, ...]:
    """The command for the BIRD of an IP version."""
    return (CLIENT, "-s", SOCKETS[version], *words)


def settled(text: str) -> bool:
    """`show status`: is this BIRD past what it does after a start, for certain?"""
    times = {match[1]: match[2] for match in map(_TIME.match, text.splitlines()) if match}
    try:
        up = datetime.fromisoformat(times[_NOW]) - datetime.fromisoformat(times[_BOOTED])
    except (KeyError, ValueError):
        return False
    return RECOVERING not in text and up.total_seconds() >= RECOVERY_SECONDS


def answers(text: str) -> bool:
    """Is it a list of protocols, be it without one of BGP?"""
    return any(line.lower().split()[:2] == ["name", "proto"] for line in text.splitlines())


def read_sessions(text: str) -> Mapping[str, Told]:
    """`show protocols all`: by the neighbor's address. Of two sessions with one the worse is told, and the
    routes of both."""
    found: dict[str, Told] = {}
    for block in _blocks(text):
        values = {match[1]: match[2] for match in map(_VALUE.match, block) if match}
        counts = [int(match[1]) for match in map(_ROUTES.match, block) if match]
        if address := values.get("Neighbor address"):
            state = STATES.get(str(values.get("BGP state")), SessionState.UNKNOWN)
            told = Told(state, sum(counts) if counts else None)
            found[address] = _both(found[address], told) if address in found else told
    return found


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each BGP protocol: the first one is not indented."""
    block: list[str] | None = None
    for line in text.splitlines():
        if line and line == line.lstrip():
            if block is not None:
                yield block
            block = [] if _PROTOCOL.match(line) else None
        elif block is not None:
            block.append(line)
    if block is not None:
        yield block


def _both(one: Told, other: Told) -> Told:
    worse = other.state if one.state is SessionState.ESTABLISHED else one.state
    if one.exported is None or other.exported is None:
        return Told(worse, None)
    return Told(worse, one.exported + other.exported)
