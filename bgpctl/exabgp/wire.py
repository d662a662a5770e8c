"""What the engine and its child say to each other: one line per message, and the RFC encodings inside.

Both ends import this file, so the shape lives in one place. A request is `bgpctl <base64 of JSON>`: ExaBGP
rewrites brackets, commas and spaces of a command line before anybody sees it, and base64 has none of them.
An answer or an event is plain ASCII JSON. Stdlib only.

A manager meets engines that another version of bgpctl started. `hello` and `shutdown` therefore keep their
shape for ever; everything else may change when PROTOCOL is raised.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from bgpctl.core.model import IPV4, IPV6, IPNetwork, family_of

PROTOCOL = 5
"""What an engine answers to `hello`. A manager adopts no engine that answers anything else: raise it with
every change of a request, an answer or an event that an engine of the day before would not understand."""

COMMAND = "bgpctl"
"""The name of our command in ExaBGP's registry, and of the process that may send it."""

MAX_COMMUNICATION = 255
"""RFC 9003 section 2: the Shutdown Communication is at most 255 octets of UTF-8."""

CEASE, HARD_RESET = 6, 9
"""RFC 8538 section 3.1."""

WITH_COMMUNICATION = (2, 4)
"""RFC 9003 section 2: Administrative Shutdown and Administrative Reset."""

Message = dict[str, Any]

LONGEST = 1 << 20
"""Octets of a request or of one family's prefixes: ExaBGP refuses a longer line."""

_BITS = {str(IPV4): 32, str(IPV6): 128}


def encode_request(identifier: int | str, operation: str, fields: Mapping[str, Any]) -> bytes:
    """One command line, newline included."""
    body = json.dumps({"id": identifier, "op": operation, **fields}, separators=(",", ":"))
    return f"{COMMAND} ".encode() + base64.b64encode(body.encode()) + b"\n"


def decode_request(line: str) -> Message:
    """The reverse of `encode_request`. Raises ValueError when it is not one of ours."""
    try:
        message = json.loads(base64.b64decode(line.partition(" ")[2], validate=True))
    except RecursionError:
        raise ValueError("a request is not nested so deep") from None
    if not isinstance(message, dict):
        raise ValueError("a request is a JSON object")
    return message


def encode_answer(message: Mapping[str, Any]) -> str:
    """One line without its newline, ASCII as ExaBGP's pipe wants it."""
    return json.dumps(message, separators=(",", ":"))


# --- prefixes -----------------------------------------------------------------------------------------------


def pack_prefixes(prefixes: Iterable[IPNetwork]) -> dict[str, str]:
    """Per family, base64 of RFC 4271 section 4.3 NLRI: each a length octet and the octets that matter."""
    packed: dict[str, list[bytes]] = defaultdict(list)
    for prefix in prefixes:
        octets = (prefix.prefixlen + 7) // 8
        nlri = bytes((prefix.prefixlen,)) + prefix.network_address.packed[:octets]
        packed[str(family_of(prefix))].append(nlri)
    return {family: pack_nlris(nlris) for family, nlris in packed.items()}


def pack_nlris(nlris: Iterable[bytes]) -> str:
    """One family's blob from its NLRI."""
    return base64.b64encode(b"".join(nlris)).decode()


def unpack_prefixes(text: str, family: str) -> Iterator[bytes]:
    """The single NLRI of one family's blob. Raises ValueError when it is cut or a length is impossible."""
    blob, position = base64.b64decode(text, validate=True), 0
    while position < len(blob):
        end = position + 1 + (blob[position] + 7) // 8
        if end > len(blob) or blob[position] > _BITS[family]:
            raise ValueError(f"bad {family} prefix at octet {position}")
        yield blob[position:end]
        position = end


def read_prefixes(packed: Mapping[str, str]) -> Iterator[IPNetwork]:
    """The reverse of `pack_prefixes`. Raises ValueError when a blob is cut or its family is unknown."""
    for family, text in packed.items():
        if family not in _BITS:
            raise ValueError(f"unknown family {family}")
        size = _BITS[family] // 8
        network = IPv4Network if size == 4 else IPv6Network
        for nlri in unpack_prefixes(text, family):
            yield network((nlri[1:].ljust(size, b"\0"), nlri[0]))


def chunks(prefixes: Sequence[IPNetwork], size: int) -> Iterator[Sequence[IPNetwork]]:
    """`prefixes` in pieces of at most `size`: ExaBGP refuses a line over 1 MiB."""
    for start in range(0, len(prefixes), size):
        yield prefixes[start : start + size]


# --- Cease --------------------------------------------------------------------------------------------------


def shutdown_communication(text: str) -> bytes:
    """RFC 9003 section 2: a length octet and that much UTF-8, cut at a character's boundary."""
    encoded = text.encode("utf-8", "replace")[:MAX_COMMUNICATION]
    whole = encoded.decode("utf-8", "ignore").encode()
    return bytes((len(whole),)) + whole


def read_cease(subcode: int, data: bytes) -> tuple[tuple[int, int] | None, str]:
    """Of a Cease: the NOTIFICATION inside a Hard Reset (RFC 8538 section 3.1; it may be missing), and the
    operator's words."""
    if subcode != HARD_RESET:
        return None, read_shutdown_communication(data) if subcode in WITH_COMMUNICATION else ""
    if len(data) < 2:
        return None, ""
    inner = (data[0], data[1])
    return inner, read_cease(inner[1], data[2:])[1] if inner[0] == CEASE and inner[1] != HARD_RESET else ""


def read_shutdown_communication(data: bytes) -> str:
    """The operator's words in a Cease, "" when there are none. Never raises: the data is a router's."""
    if not data:
        return ""
    text = data[1 : 1 + data[0]].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()
