"""BGP communities as the Cilium resources write them -> RFC text form.

Standard (RFC 1997): one 32-bit decimal or `u16:u16`; well-known names of the IANA registry; large (RFC 8092):
`u32:u32:u32`. Facts: cilium.md section 1.5.
"""

from __future__ import annotations

import re
import struct

from bgpctl.core.reading.fields import Fields

# The names of the CRD's enum and their values in the IANA registry "BGP Well-known Communities".
WELL_KNOWN = {
    "internet": "0:0",
    "planned-shut": "65535:0",
    "accept-own": "65535:1",
    "route-filter-translated-v4": "65535:2",
    "route-filter-v4": "65535:3",
    "route-filter-translated-v6": "65535:4",
    "route-filter-v6": "65535:5",
    "llgr-stale": "65535:6",
    "no-llgr": "65535:7",
    "blackhole": "65535:666",
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "no-export-subconfed": "65535:65283",
    "no-peer": "65535:65284",
}

STANDARD_RULE = 'a standard community: "0..4294967295" or "0..65535:0..65535"'
LARGE_RULE = 'a large community: "A:B:C", each 0..4294967295'

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,9}")
_U16 = 0xFFFF
_U32 = 0xFFFFFFFF


def parse_standard(text: str) -> str | None:
    """`65000:99` or `4259840099` -> `65000:99`; None when it is neither."""
    parts = _numbers(text)
    if parts is None:
        return None
    if len(parts) == 1 and parts[0] <= _U32:
        return f"{parts[0] >> 16}:{parts[0] & _U16}"
    return text if len(parts) == 2 and max(parts) <= _U16 else None


def parse_large(text: str) -> str | None:
    """`65000:1:2` as it is; None when it is not of that form."""
    parts = _numbers(text)
    return text if parts is not None and len(parts) == 3 and max(parts) <= _U32 else None


def pack(community: str) -> bytes:
    """RFC text form -> octets: 4 of a standard community, 12 of a large one."""
    parts = [int(part) for part in community.split(":")]
    return struct.pack("!HH" if len(parts) == 2 else "!LLL", *parts)


def _numbers(text: str) -> list[int] | None:
    parts = text.split(":")
    # No leading zero, no sign, ASCII digits only: the CRD's pattern.
    return [int(part) for part in parts] if all(_DECIMAL.fullmatch(part) for part in parts) else None


def read_communities(parent: Fields, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """(standard and well-known, large) of the `communities` object in the field `name`, faults reported."""
    fields = parent.mapping(name)
    if fields is None:
        return frozenset(), frozenset()
    standard: set[str] = set()
    large: set[str] = set()
    for path, text in fields.strings("standard"):
        _add(fields, standard, path, parse_standard(text), STANDARD_RULE, text)
    for path, text in fields.strings("wellKnown"):
        _add(fields, standard, path, WELL_KNOWN.get(text), "one of " + ", ".join(WELL_KNOWN), text)
    for path, text in fields.strings("large"):
        _add(fields, large, path, parse_large(text), LARGE_RULE, text)
    fields.close()
    return frozenset(standard), frozenset(large)


def _add(fields: Fields, found: set[str], path: str, value: str | None, rule: str, text: str) -> None:
    if value is None:
        fields.faults.error(path, f'must be {rule}; it is "{text[:60]}"')
    else:
        found.add(value)
