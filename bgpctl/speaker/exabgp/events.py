"""One line of the child -> values. Pure; a line that is not ours reads as None, never as an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from bgpctl.core.model import Family, GracefulRestart, LastError, Session, SessionState

RESTART_STATE = 0x8
NOTIFICATION = 0x4
"""Flag bits of the graceful restart capability: R (RFC 4724 section 3) and N (RFC 8538 section 2)."""

FORWARDING = 0x80
"""Flag bit of one of its families: F (RFC 4724 section 3)."""

_AFI = {1: "ipv4", 2: "ipv6"}
_UNICAST = 1

_CODES = {
    1: "Message Header Error",
    2: "OPEN Message Error",
    3: "UPDATE Message Error",
    4: "Hold Timer Expired",
    5: "Finite State Machine Error",
    6: "Cease",
    7: "ROUTE-REFRESH Message Error",
    8: "Send Hold Timer Expired",
}
_SUBCODES = {
    (1, 1): "Connection Not Synchronized",
    (1, 2): "Bad Message Length",
    (1, 3): "Bad Message Type",
    (2, 1): "Unsupported Version Number",
    (2, 2): "Bad Peer AS",
    (2, 3): "Bad BGP Identifier",
    (2, 6): "Unacceptable Hold Time",
    (2, 7): "Unsupported Capability",
    (3, 1): "Malformed Attribute List",
    (3, 8): "Invalid NEXT_HOP Attribute",
    (3, 10): "Invalid Network Field",
    (3, 11): "Malformed AS_PATH",
    (5, 1): "Receive Unexpected Message in OpenSent State",
    (5, 2): "Receive Unexpected Message in OpenConfirm State",
    (5, 3): "Receive Unexpected Message in Established State",
    (6, 1): "Maximum Number of Prefixes Reached",
    (6, 2): "Administrative Shutdown",
    (6, 3): "Peer De-configured",
    (6, 4): "Administrative Reset",
    (6, 5): "Connection Rejected",
    (6, 6): "Other Configuration Change",
    (6, 7): "Connection Collision Resolution",
    (6, 8): "Out of Resources",
    (6, 9): "Hard Reset",
    (6, 10): "BFD Down",
}


def parse_line(line: bytes | str) -> Mapping[str, Any] | None:
    """The JSON object of a line; None for anything else."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def session_of(body: Mapping[str, Any]) -> Session:
    """A peer's record (record.Record.tell) -> Session. Raises KeyError or ValueError on a foreign shape."""
    families = tuple(_family(text) for text in body["families"])
    return Session(
        peer=body["peer"],
        state=SessionState(body["state"]),
        since=body["since"],
        established_at=body["established_at"],
        local_address=ip_address(body["local_address"]) if body["local_address"] else None,
        hold_time=body["hold_time"],
        keepalive_time=body["keepalive_time"],
        families=families,
        extended_next_hop=body["extended_next_hop"],
        local_gr=graceful_restart(body["local_gr"]),
        peer_gr=graceful_restart(body["peer_gr"]),
        long_lived=long_lived(bytes.fromhex(body["llgr"]), families) if body["llgr"] is not None else None,
        advertised=_counts(body["advertised"]),
        received=_counts(body["received"]),
        pending=body["pending"],
        end_of_rib=body["end_of_rib"],
        flaps=body["flaps"],
        troubles=tuple(body["troubles"]),
        last_error=last_error(body["last_error"]),
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


def graceful_restart(side: Mapping[str, Any] | None) -> GracefulRestart | None:
    """One OPEN's capability 64: seconds, the raw four bits of flags, the raw flags of each family."""
    if side is None:
        return None
    return GracefulRestart(
        restart_time=side["time"],
        restart_state=bool(side["flags"] & RESTART_STATE),
        notification=bool(side["flags"] & NOTIFICATION),
        families=tuple((_family(text), bool(bits & FORWARDING)) for text, bits in side["families"].items()),
    )


def long_lived(capability: bytes, families: tuple[Family, ...]) -> int | None:
    """RFC 9494 section 3.1: AFI, SAFI, flags, 24 bits of seconds, repeated. The longest that touches our
    families; None when none of them is listed."""
    times = []
    for start in range(0, len(capability) - 6, 7):
        afi, safi = int.from_bytes(capability[start : start + 2]), capability[start + 2]
        if safi == _UNICAST and afi in _AFI and Family(_AFI[afi]) in families:
            times.append(int.from_bytes(capability[start + 4 : start + 7]))
    return max(times, default=None)


def last_error(body: Mapping[str, Any] | None) -> LastError | None:
    """A NOTIFICATION in the RFCs' words, with the one inside a Hard Reset (RFC 8538) and the operator's own
    words (RFC 9003) after them."""
    if body is None:
        return None
    code, subcode, text = body.get("code"), body.get("subcode"), body["text"]
    if code is not None and subcode is not None:
        inner = body.get("inner")
        named = ": ".join(notification_text(*pair) for pair in ((code, subcode), inner) if pair)
        text = f"{named}: {text}" if text and text not in named else named
    return LastError(body["time"], body["direction"], text, code, subcode)


def notification_text(code: int, subcode: int) -> str:
    """ "Cease/Administrative Shutdown (6/2)"."""
    name = "/".join(filter(None, (_CODES.get(code, "unknown"), _SUBCODES.get((code, subcode)))))
    return f"{name} ({code}/{subcode})"


def _counts(body: Mapping[str, int]) -> dict[Family, int]:
    return {_family(text): count for text, count in body.items()}


def _family(text: str) -> Family:
    afi, _, safi = text.partition("/")
    return Family(afi, safi)
