"""NOTIFICATION: the RFCs' words for codes and subcodes, and what a Cease carries (RFC 4486, 8538, 9003)."""

from __future__ import annotations

CEASE, HOLD_TIMER_EXPIRED = 6, 4
ADMINISTRATIVE_SHUTDOWN, ADMINISTRATIVE_RESET, HARD_RESET = (CEASE, 2), (CEASE, 4), (CEASE, 9)
CONNECTION_REJECTED, COLLISION = (CEASE, 5), (CEASE, 7)

WITH_COMMUNICATION = (ADMINISTRATIVE_SHUTDOWN, ADMINISTRATIVE_RESET)
"""RFC 9003 section 2."""

MAX_COMMUNICATION = 255
"""RFC 9003 section 2: the Shutdown Communication is at most 255 octets of UTF-8."""

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


def notification_text(code: int, subcode: int) -> str:
    """ "Cease/Administrative Shutdown (6/2)"."""
    name = "/".join(filter(None, (_CODES.get(code, "unknown"), _SUBCODES.get((code, subcode)))))
    return f"{name} ({code}/{subcode})"


def shutdown_communication(text: str) -> bytes:
    """RFC 9003 section 2: a length octet and that much UTF-8, cut at a character's boundary."""
    encoded = text.encode("utf-8", "replace")[:MAX_COMMUNICATION]
    whole = encoded.decode("utf-8", "ignore").encode()
    return bytes((len(whole),)) + whole


def read_cease(subcode: int, data: bytes) -> tuple[tuple[int, int] | None, str]:
    """Of a Cease: the NOTIFICATION inside a Hard Reset (RFC 8538 section 3.1; it may be missing), and the
    operator's words."""
    if (CEASE, subcode) != HARD_RESET:
        told = (CEASE, subcode) in WITH_COMMUNICATION
        return None, read_shutdown_communication(data) if told else ""
    if len(data) < 2:
        return None, ""
    inner = (data[0], data[1])
    wordless = inner[0] != CEASE or inner == HARD_RESET
    return inner, "" if wordless else read_cease(inner[1], data[2:])[1]


def read_shutdown_communication(data: bytes) -> str:
    """The operator's words in a Cease, "" when there are none. Never raises: the data is a router's."""
    if not data:
        return ""
    text = data[1 : 1 + data[0]].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()
