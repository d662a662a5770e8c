"""One line of the child -> values. Pure; a line that is not ours reads as None, never as an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bgpctl.core.bgp import capabilities
from bgpctl.core.bgp.notification import notification_text
from bgpctl.core.model import Family, GracefulRestart, LastError, Session, SessionState
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json

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
    body = Foreign.of(line)
    families = tuple(_family(text) for text in body.texts("families"))
    capability = body.parsed("llgr", bytes.fromhex, "octets in hexadecimal digits")
    return Session(
        peer=body.required("peer"),
        state=SessionState(body.choice("state", tuple(SessionState))),
        since=body.number("since"),
        established_at=body.number("established_at") if body.has("established_at") else None,
        local_address=body.parsed("local_address", parse_zoned, "an IP address"),
        hold_time=body.optional_integer("hold_time"),
        keepalive_time=body.optional_integer("keepalive_time"),
        families=families,
        extended_next_hop=body.flag("extended_next_hop"),
        local_gr=graceful_restart(body.value.get("local_gr")),
        peer_gr=graceful_restart(body.value.get("peer_gr")),
        long_lived=capabilities.long_lived(capability, families) if capability is not None else None,
        advertised=_counts(body.child("advertised")),
        received=_counts(body.child("received")),
        pending=body.integer("pending"),
        end_of_rib=body.flag("end_of_rib"),
        flaps=body.integer("flaps"),
        troubles=body.texts("troubles"),
        last_error=last_error(body.value.get("last_error")),
    )


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
    bits = {_family(family): of.integer(family, limits=OCTET) for of, family in read.each("families")}
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


def _counts(body: Foreign) -> dict[Family, int]:
    return {_family(text): body.integer(text) for text in body.value}


def _family(text: str) -> Family:
    afi, _, safi = text.partition("/")
    return Family(afi, safi)
