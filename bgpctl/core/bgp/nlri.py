"""Prefixes as RFC 4271 section 4.3 has them in an UPDATE: a length octet and the octets that matter."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from bgpctl.core.model import IPV4, IPV6, Family, IPNetwork

NUMBERS = {IPV4: (1, 1), IPV6: (2, 1)}
"""AFI and SAFI (RFC 4760) of the families that we speak."""

FAMILIES = {numbers: family for family, numbers in NUMBERS.items()}
BITS = {IPV4: 32, IPV6: 128}


def pack(prefix: IPNetwork) -> bytes:
    """`prefix` as one NLRI: its length, and no more octets than hold that many bits."""
    return bytes((prefix.prefixlen,)) + prefix.network_address.packed[: (prefix.prefixlen + 7) // 8]


def unpack(nlri: bytes, family: Family) -> IPNetwork:
    """The reverse of `pack`, of one NLRI that `split` gave. Raises ValueError for host bits."""
    if family == IPV4:
        return IPv4Network((nlri[1:].ljust(4, b"\0"), nlri[0]))
    return IPv6Network((nlri[1:].ljust(16, b"\0"), nlri[0]))


def split(data: bytes, family: Family) -> Iterator[bytes]:
    """The single NLRI of a field. Raises ValueError, after those before it, where one is cut or too long."""
    position, size, bits = 0, len(data), BITS[family]
    while position < size:
        end = position + 1 + (data[position] + 7) // 8
        if data[position] > bits or end > size:
            raise ValueError(f"an {family} prefix of {data[position]} bits does not fit")
        yield data[position:end]
        position = end
