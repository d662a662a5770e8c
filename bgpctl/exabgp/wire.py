"""What the engine and its child say to each other: one line per message.

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
from typing import Any

from bgpctl.core.bgp import nlri
from bgpctl.core.model import IPNetwork, family_of

PROTOCOL = 5
"""What an engine answers to `hello`. A manager adopts no engine that answers anything else: raise it with
every change of a request, an answer or an event that an engine of the day before would not understand."""

COMMAND = "bgpctl"
"""The name of our command in ExaBGP's registry, and of the process that may send it."""

Message = dict[str, Any]

LONGEST = 1 << 20
"""Octets of a request or of one family's prefixes: ExaBGP refuses a longer line."""

_FAMILIES = {str(family): family for family in nlri.BITS}


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
        packed[str(family_of(prefix))].append(nlri.pack(prefix))
    return {family: pack_nlris(nlris) for family, nlris in packed.items()}


def pack_nlris(nlris: Iterable[bytes]) -> str:
    """One family's blob from its NLRI."""
    return base64.b64encode(b"".join(nlris)).decode()


def unpack_prefixes(text: str, family: str) -> Iterator[bytes]:
    """The single NLRI of one family's blob. Raises ValueError when it is cut or a length is impossible."""
    blob, position = base64.b64decode(text, validate=True), 0
    try:
        for one in nlri.split(blob, _FAMILIES[family]):
            yield one
            position += len(one)
    except ValueError:
        raise ValueError(f"bad {family} prefix at octet {position}") from None


def read_prefixes(packed: Mapping[str, str]) -> Iterator[IPNetwork]:
    """The reverse of `pack_prefixes`. Raises ValueError when a blob is cut or its family is unknown."""
    for family, text in packed.items():
        if family not in _FAMILIES:
            raise ValueError(f"unknown family {family}")
        for one in unpack_prefixes(text, family):
            yield nlri.unpack(one, _FAMILIES[family])


def chunks(prefixes: Sequence[IPNetwork], size: int) -> Iterator[Sequence[IPNetwork]]:
    """`prefixes` in pieces of at most `size`: ExaBGP refuses a line over 1 MiB."""
    for start in range(0, len(prefixes), size):
        yield prefixes[start : start + size]
