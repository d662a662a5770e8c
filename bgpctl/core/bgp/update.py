"""UPDATE messages (RFC 4271 section 4.3, RFC 4760): written from NLRI, as many in each as fit, and read as
far as their NLRI.

One that we write carries one kind of change: withdrawn routes, or NLRI, or MP_REACH, or MP_UNREACH (RFC 7606
section 5.1), and a multiprotocol attribute comes first among the attributes (the same section).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from bgpctl.core.bgp.nlri import BITS, FAMILIES, NUMBERS, split
from bgpctl.core.model import IPV4, Family

# --- writing ------------------------------------------------------------------------------------------------

MARKER = b"\xff" * 16
UPDATE = 2
HEADER = 19 + 2 + 2
"""Octets of an UPDATE without a route or an attribute (RFC 4271 sections 4.1 and 4.3)."""

Numbers = tuple[int, int]
"""AFI and SAFI (RFC 4760)."""

Change = tuple[Family, bytes, bool]
"""Family, NLRI, announced?"""

_REACH, _UNREACH = 14, 15
_EXTENDED, _OPTIONAL_EXTENDED = 0x10, 0x90
_ATTRIBUTE = 4  # octets of a path attribute's header with an extended length


def withdrawn(family: Numbers, nlris: Sequence[bytes], limit: int) -> Iterator[bytes]:
    """Messages of at most `limit` octets that withdraw these."""
    if family == NUMBERS[IPV4]:
        for some in _fitting(nlris, limit - HEADER):
            yield _update(some, b"", b"")
    else:
        head = struct.pack("!HB", *family)
        for some in _fitting(nlris, limit - HEADER - _ATTRIBUTE - len(head)):
            yield _update(b"", _attribute(_UNREACH, head + some), b"")


def announced(
    family: Numbers, attributes: bytes, hop: bytes, nlris: Sequence[bytes], limit: int
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


def fits(family: Numbers, attributes: bytes, hop: bytes, limit: int) -> bool:
    """Is there room for any prefix of the family in a message with these attributes?"""
    around = HEADER + len(attributes) + (_ATTRIBUTE + len(_reach(family, hop)) if hop else 0)
    return around + 1 + BITS[FAMILIES[family]] // 8 <= limit


def _reach(family: Numbers, hop: bytes) -> bytes:
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


# --- reading ------------------------------------------------------------------------------------------------


def read(body: bytes) -> Iterator[Change]:
    """The changes of unicast prefixes in an UPDATE's body. Raises ValueError with what is wrong."""
    withdrawn, rest = _field(body, "withdrawn routes")
    attributes, announced = _field(rest, "path attributes")
    yield from _changes(NUMBERS[IPV4], withdrawn, False)
    yield from _changes(NUMBERS[IPV4], announced, True)
    for code, value in _attributes(attributes):
        if code == _REACH:
            if len(value) < 5 or len(value) < 5 + value[3]:
                raise ValueError("MP_REACH_NLRI is too short")
            yield from _changes((_number(value), value[2]), value[5 + value[3] :], True)
        elif code == _UNREACH:
            if len(value) < 3:
                raise ValueError("MP_UNREACH_NLRI is too short")
            yield from _changes((_number(value), value[2]), value[3:], False)


def _field(data: bytes, name: str) -> tuple[bytes, bytes]:
    """A field behind two octets of length, and what follows it."""
    end = 2 + _number(data)
    if end > len(data):
        raise ValueError(f"the length of the {name} is beyond its end")
    return data[2:end], data[end:]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        extended = data[position] & _EXTENDED
        start = position + (4 if extended else 3)
        if start > len(data):
            raise ValueError("a path attribute is cut")
        code, length = data[position + 1], _number(data[start - 2 :]) if extended else data[start - 1]
        position = start + length
        if position > len(data):
            raise ValueError(f"path attribute {code} is longer than its UPDATE")
        yield code, data[start:position]


def _changes(numbers: Numbers, data: bytes, announced: bool) -> Iterator[Change]:
    """Nothing of a family that is not ours."""
    if family := FAMILIES.get(numbers):
        yield from ((family, nlri, announced) for nlri in split(data, family))


def _number(data: bytes) -> int:
    return int.from_bytes(data[:2], "big")
