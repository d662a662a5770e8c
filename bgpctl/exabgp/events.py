"""One line of the child -> values. Pure; a line that is not ours reads as None, never as an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bgpctl.core.bgp import capabilities
from bgpctl.core.bgp.notification import notification_text
from bgpctl.core.model import Family, GracefulRestart, LastError, Session, SessionState
from bgpctl.core.reading import kinds
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json
from bgpctl.core.reading.kinds import FLAG, REQUIRED_TEXT
from bgpctl.core.reading.table import Field, Table

LONGEST = 64 << 20
"""Octets of a line: an engine tells 50,000 routes in pieces that are much shorter."""

OCTET = Range(0, 255)


def parse_line(line: bytes | str) -> Mapping[str, Any] | None:
    """The JSON object of a line; None for anything else."""
    try:
        message = parse_json(line, LONGEST)
    except Unreadable:
        return None
    return message if isinstance(message, dict) else None


def sessions_in(line: Mapping[str, Any]) -> tuple[list[Session], str]:
    """The sessions that an event, or the answer to `state`, tells of; and why one could not be read, "" = all
    could."""
    bodies = line.get("peers") if "id" in line else [line]
    sessions, fault = [], ""
    for body in bodies if isinstance(bodies, list) else ():
        try:
            sessions.append(session_of(body))
        except Unreadable as error:
            fault = error.message
    return sessions, fault


def session_of(line: Any) -> Session:
    """A peer's record (record.Record.tell) -> Session. Raises Unreadable on a foreign shape."""
    return SESSION.read(Foreign.of(line))


def interrupted(session: Session, now: float, reason: str) -> Session:
    """What is left of a session when the engine under it died."""
    return replace(
        session,
        state=SessionState.IDLE,
        since=now,
        established_at=None,
        advertised={},
        received={},
        pending=0,
        end_of_rib=False,
        troubles=(),
        flaps=session.flaps + session.established,
        last_error=LastError(now, "local", reason),
    )


def graceful_restart(side: Any) -> GracefulRestart | None:
    """One OPEN's capability 64: seconds, the raw four bits of flags, the raw flags of each family. Raises
    Unreadable."""
    if side is None:
        return None
    read = Foreign.of(side, "graceful restart")
    flags = read.integer("flags", limits=OCTET)
    bits = {Family.parse(family): of.integer(family, limits=OCTET) for of, family in read.each("families")}
    return capabilities.graceful_restart(read.integer("time"), flags, bits)


def last_error(body: Any) -> LastError | None:
    """A NOTIFICATION in the RFCs' words, with the one inside a Hard Reset (RFC 8538) and the operator's own
    words (RFC 9003) after them. Raises Unreadable."""
    if body is None:
        return None
    read = Foreign.of(body, "last_error")
    code, subcode = read.optional_integer("code", OCTET), read.optional_integer("subcode", OCTET)
    text = read.text("text")
    if code is not None and subcode is not None:
        pairs = ((code, subcode), _inner(read))
        named = ": ".join(notification_text(*pair) for pair in pairs if pair)
        text = f"{named}: {text}" if text and text not in named else named
    return LastError(read.number("time"), read.text("direction"), text, code, subcode)


def _inner(error: Foreign) -> tuple[int, int] | None:
    if not error.has("inner"):
        return None
    pair = [item for _, item in error.items("inner", 2)]
    if len(pair) != 2 or not all(isinstance(number, int) and OCTET.holds(number) for number in pair):
        error.refuse("inner", "a code and a subcode")
    return pair[0], pair[1]


def _counts(foreign: Foreign, name: str) -> dict[Family, int]:
    return {Family.parse(text): counts.integer(text) for counts, text in foreign.each(name)}


def _session(families: Iterable[str], llgr: bytes | None, **rest: Any) -> Session:
    ours = tuple(map(Family.parse, families))
    seconds = None if llgr is None else capabilities.long_lived(llgr, ours)
    return Session(families=ours, long_lived=seconds, **rest)


MOMENT = kinds.number()
RESTART = kinds.Kind(kinds.OBJECT, lambda foreign, name: graceful_restart(foreign.value.get(name)))
ERROR = kinds.Kind(kinds.OBJECT, lambda foreign, name: last_error(foreign.value.get(name)))
COUNTS = kinds.Kind(kinds.OBJECT, _counts)

SESSION = Table(
    _session,
    Field("peer", "peer", REQUIRED_TEXT),
    Field("state", "state", kinds.choice(SessionState)),
    Field("since", "since", MOMENT),
    Field("established_at", "established_at", MOMENT, default=None),
    Field("local_address", "local_address", kinds.parsed(parse_zoned, "an IP address")),
    Field("hold_time", "hold_time", kinds.integer(default=None)),
    Field("keepalive_time", "keepalive_time", kinds.integer(default=None)),
    Field("families", "families", kinds.texts()),
    Field("extended_next_hop", "extended_next_hop", FLAG),
    Field("local_gr", "local_gr", RESTART),
    Field("peer_gr", "peer_gr", RESTART),
    Field("llgr", "llgr", kinds.parsed(bytes.fromhex, "octets in hexadecimal digits")),
    Field("advertised", "advertised", COUNTS),
    Field("received", "received", COUNTS),
    Field("pending", "pending", kinds.integer()),
    Field("end_of_rib", "end_of_rib", FLAG),
    Field("flaps", "flaps", kinds.integer()),
    Field("troubles", "troubles", kinds.texts()),
    Field("last_error", "last_error", ERROR),
)
"""What the child tells of a session: `Record.tell` writes these, of its attributes with the same names."""
