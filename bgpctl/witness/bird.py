"""BIRD 2 and 3 through the control socket: reply codes instead of a terminal (birdc's own protocol).

Plain graceful restart is invisible in `show route`, so stale is read from `show protocols all`: a channel
says "Neighbor GR: Regular" (or "Long-lived") while it keeps the routes of a lost session. Until the
End-of-RIB of the new session BIRD does not tell old routes from new ones: all of them are called stale, the
careful reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from bgpctl.core.model import IPNetwork
from bgpctl.witness.asking import TIMEOUT_SECONDS, ask
from bgpctl.witness.conversation import Conversation
from bgpctl.witness.model import (
    NoNeighbor,
    Path,
    RouterAnswer,
    Unanswered,
    answered,
    own_address,
    same_address,
    to_prefix,
)

NETWORK_NOT_FOUND = 8001


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: the final code and the text lines, each with the code that governs it."""

    code: int
    lines: tuple[tuple[int, str], ...]

    @property
    def refused(self) -> bool:
        """Codes from 8000 on are errors; of them "network not found" is an answer: no routes."""
        return self.code >= 8000 and self.code != NETWORK_NOT_FOUND


@dataclass(frozen=True, slots=True)
class Channel:
    """One address family of a protocol: its table, and whether it keeps the routes of a lost session."""

    name: str
    table: str
    stale: bool
    long_lived_timer: float | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """One BGP protocol as `show protocols all` tells it; timers in seconds. `source`: BIRD's own address, ""
    while there is no session."""

    name: str
    neighbor: str
    session: str
    restart_timer: float | None = None
    channels: tuple[Channel, ...] = ()
    source: str = ""

    @property
    def remaining(self) -> float | None:
        """Until BIRD drops the stale routes. A long-lived timer starts when the restart timer has run out."""
        timers = [c.long_lived_timer for c in self.channels if c.long_lived_timer is not None]
        return max(timers, default=self.restart_timer)

    def keeps(self, prefix: IPNetwork) -> bool:
        """Are the routes of this prefix's family kept for a session that was lost?"""
        return any(c.stale for c in self.channels if c.name == f"ipv{prefix.version}")


@dataclass(frozen=True, slots=True)
class BirdProbe:
    """`target` is the path of the control socket."""

    target: str
    peer: str | None = None
    kind: str = "bird"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        router = f"bird {self.target}"
        return ask(router, neighbor, lambda address: self._routes_from(router, str(address)))

    def _routes_from(self, router: str, neighbor: str) -> RouterAnswer:
        with Bird(self.target) as bird:
            protocols = protocols_of(bird.ask("show protocols all"), neighbor)
            replies = [bird.ask(f"show route protocol {_quoted(p.name)} all") for p in protocols]
            own = router_id(bird.ask("show status"))
        return replace(read(router, neighbor, protocols, replies), router_id=own)


# --- reading answers (pure) -------------------------------------------------------------------------------


def read(router: str, neighbor: str, protocols: Iterable[Protocol], replies: Iterable[Reply]) -> RouterAnswer:
    """The protocols of one neighbor and the routes of each -> what BIRD says about that neighbor."""
    protocols = list(protocols)
    paths = tuple(path for reply in replies for path in read_routes(reply, protocols))
    sessions = {protocol.session for protocol in protocols}
    session = "established" if "established" in sessions else " ".join(sorted(sessions))
    remaining = max((p.remaining for p in protocols if p.remaining is not None), default=None)
    local = ", ".join(sorted({protocol.source for protocol in protocols}))
    return answered(router, neighbor, paths, session, remaining, local=local)


def router_id(reply: Reply) -> str:
    """`show status` -> BIRD's BGP Identifier, "" when it does not say."""
    lines = (line.partition("Router ID is ")[2] for code, line in reply.lines if code == 1011)
    return own_address(next(filter(None, lines), ""))


def protocols_of(reply: Reply, neighbor: str) -> list[Protocol]:
    """The BGP protocols that talk to `neighbor`. Unanswered when there is none: that is not an absent
    route."""
    found = [p for p in read_protocols(reply) if same_address(p.neighbor, neighbor)]
    if not found:
        raise NoNeighbor(neighbor)
    return found


def read_protocols(reply: Reply) -> list[Protocol]:
    """`show protocols all` -> the BGP protocols."""
    return [_protocol(block) for block in bgp_blocks(reply)]


def bgp_blocks(reply: Reply) -> list[list[str]]:
    """The lines of each BGP protocol, without blanks around them. The code 1002 starts a protocol,
    1006 carries its details."""
    blocks: list[list[str]] = []
    for code, line in reply.lines:
        if code == 1002:
            blocks.append([line])
        elif code == 1006 and blocks:
            blocks[-1].append(line.strip())
    return [block for block in blocks if re.match(r"\S+\s+BGP\s", block[0])]


def _protocol(block: list[str]) -> Protocol:
    """The protocol's own lines come first, then one section per channel."""
    starts = [i for i, line in enumerate(block) if line.startswith("Channel ")]
    own = block[: starts[0]] if starts else block
    return Protocol(
        name=block[0].split()[0],
        neighbor=value(own, "Neighbor address"),
        session=value(own, "BGP state").lower(),
        source=value(own, "Source address"),
        restart_timer=_seconds(value(own, "Restart timer")),
        channels=tuple(
            _channel(block[start:end]) for start, end in pairwise((*starts, len(block))) if starts
        ),
    )


def _channel(section: list[str]) -> Channel:
    return Channel(
        name=section[0].split()[1],
        table=value(section, "Table"),
        stale=value(section, "Neighbor GR") != "",
        long_lived_timer=_seconds(value(section, "LL stale timer")),
    )


def value(lines: Iterable[str], key: str) -> str:
    """The text after `key:`, "" when the key is missing."""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:")), "")


def _seconds(value: str) -> float | None:
    """`4.064/-` -> 4.064"""
    match = re.match(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII)
    return float(match[0]) if match else None


_ROUTE = re.compile(r"(?P<prefix>[0-9a-fA-F.:]+/\d+)?\s+\w+ \[(?P<protocol>\S+) [^]]*\] ?(?P<flags>.*)")


def read_routes(reply: Reply, protocols: Iterable[Protocol]) -> list[Path]:
    """`show route … all` -> the BGP paths, each with its neighbor; a prefix is written once for all its
    paths."""
    if reply.refused:
        raise Unanswered(f"BIRD refused the question: {reply.code} {reply.lines[-1][1]}")
    known = {protocol.name: protocol for protocol in protocols}
    paths: list[Path] = []
    prefix = ""
    for _, line in reply.lines:
        if match := _ROUTE.match(line):
            prefix = match["prefix"] or prefix
            if owner := known.get(match["protocol"]):
                paths.append(_path(to_prefix(prefix), owner, match["flags"]))
        elif paths and (hop := re.match(r"\s+BGP\.next_hop: (\S+)", line)):
            paths[-1] = replace(paths[-1], next_hop=hop[1])
    return paths


def _path(prefix: IPNetwork, owner: Protocol, flags: str) -> Path:
    """The flags after the brackets: `*` best, `(100s)` long-lived stale (RFC 9494)."""
    long_lived = re.search(r"\(\d+-?s", flags) is not None
    return Path(prefix, owner.neighbor, owner.keeps(prefix) or long_lived, best="*" in flags.split(" "))


def _quoted(name: str) -> str:
    """BIRD writes a name that is no plain symbol in single quotes. Unanswered for what cannot be one (BIRD 2,
    conf/cf-lex.l: SYMBOL)."""
    bare = name.strip("'")
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", bare):
        raise Unanswered(f"BIRD names {name[:64]!r}, which cannot be asked about")
    return bare if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", bare) else f"'{bare}'"


def split_replies(text: str) -> Iterator[Reply]:
    """Whole replies of BIRD's control protocol. A line is `CODE-text`, ` text` under the last code, `+text`
    (asynchronous, dropped), or `CODE text`, which ends the reply."""
    lines: list[tuple[int, str]] = []
    code = 0
    for line in text.split("\n"):
        if match := re.match(r"(\d{4})([- ])(.*)", line):
            code = int(match[1])
            lines.append((code, match[3]))
            if match[2] == " ":
                yield Reply(code, tuple(lines))
                lines = []
        elif line.startswith(" "):
            lines.append((code, line[1:]))


# --- asking -----------------------------------------------------------------------------------------------


class Bird:
    """One connection to BIRD, made read-only by its own `restrict` before anything is asked."""

    def __init__(self, path: str) -> None:
        self._line = Conversation(path, "BIRD", TIMEOUT_SECONDS)

    def __enter__(self) -> Bird:
        self._line.__enter__()
        try:
            self._line.hear(_whole)
            self.ask("restrict")
        except Unanswered:
            self._line.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._line.__exit__()

    def ask(self, command: str) -> Reply:
        """One command. Raises Unanswered."""
        self._line.say(command.encode() + b"\n")
        text = self._line.hear(_whole).decode(errors="replace")
        return next(split_replies(text))


def _whole(heard: bytearray) -> bool:
    """Does it end with a line `CODE text`?"""
    last = heard[heard.rfind(b"\n", 0, -1) + 1 :][:5] if heard.endswith(b"\n") else b""
    return re.fullmatch(rb"\d{4} ", last) is not None
