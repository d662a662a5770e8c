"""UPDATE messages from octets, as many NLRI in each as fit. Pure; knows nothing of ExaBGP.

One message carries one kind of change: withdrawn routes, or NLRI, or MP_REACH, or MP_UNREACH (RFC 7606
section 5.1), and a multiprotocol attribute comes first among the attributes (the same section).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

MARKER = b"\xff" * 16
UPDATE = 2
HEADER = 19 + 2 + 2
"""Octets of an UPDATE without a route or an attribute (RFC 4271 sections 4.1 and 4.3)."""

Family = tuple[int, int]
"""AFI and SAFI as numbers (RFC 4760)."""

IPV4: Family = (1, 1)
IPV6: Family = (2, 1)
_LONGEST = {IPV4: 5, IPV6: 17}  # octets of a host route's NLRI

_REACH, _UNREACH = 14, 15
_OPTIONAL_EXTENDED = 0x90
_ATTRIBUTE = 4  # octets of a path attribute's header with an extended length


def withdrawn(family: Family, nlris: Sequence[bytes], limit: int) -> Iterator[bytes]:
    """Messages of at most `limit` octets that withdraw these."""
    if family == IPV4:
        for some in _fitting(nlris, limit - HEADER):
            yield _update(some, b"", b"")
    else:
        head = struct.pack("!HB", *family)
        for some in _fitting(nlris, limit - HEADER - _ATTRIBUTE - len(head)):
            yield _update(b"", _attribute(_UNREACH, head + some), b"")


def announced(
    family: Family, attributes: bytes, hop: bytes, nlris: Sequence[bytes], limit: int
) -> Iterator[bytes]:
    """Messages of at most `limit` octets that announce these. `hop` is the next hop; b"" = it is among the
    attributes, which only IPv4 can have. The attributes must leave room (`fits`)."""
    if not hop:
        for some in _fitting(nlris, limit - HEADER - len(attributes)):
            yield _update(b"", attributes, some)
    else:
        head = _reach(family, hop)
        for some in _fitting(nlris, limit - HEADER - len(attributes) - _ATTRIBUTE - len(head)):
            yield _update(b"", _attribute(_REACH, head + some) + attributes, b"")


def fits(family: Family, attributes: bytes, hop: bytes, limit: int) -> bool:
    """Is there room for any prefix of the family in a message with these attributes?"""
    around = HEADER + len(attributes) + (_ATTRIBUTE + len(_reach(family, hop)) if hop else 0)
    return around + _LONGEST[family] <= limit


def _reach(family: Family, hop: bytes) -> bytes:
    return struct.pack("!HBB", *family, len(hop)) + hop + b"\0"


def _fitting(nlris: Sequence[bytes], octets: int) -> Iterator[bytes]:
    """Joined in pieces of at most `octets`. Counted by the longest, so that no NLRI is looked at singly: in a
    table they are mostly of one length. Nothing when not even one fits."""
    number = octets // max(map(len, nlris), default=1)
    if number > 0:
        for start in range(0, len(nlris), number):
            yield b"".join(nlris[start : start + number])


def _attribute(code: int, value: bytes) -> bytes:
    return struct.pack("!BBH", _OPTIONAL_EXTENDED, code, len(value)) + value


def _update(gone: bytes, attributes: bytes, nlri: bytes) -> bytes:
    length = HEADER + len(gone) + len(attributes) + len(nlri)
    head = struct.pack("!16sHBH", MARKER, length, UPDATE, len(gone))
    return b"".join((head, gone, struct.pack("!H", len(attributes)), attributes, nlri))
