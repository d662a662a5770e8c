"""Text that others wrote as IP addresses and prefixes: parsed once, harmless to write anywhere afterwards.

`ipaddress` alone takes any text as a zone, NUL and newlines included, and gives it back as it came; it also
takes numbers and octets for addresses. Nothing in here does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from bgpctl.core.model import IPAddress, IPNetwork

# The name of a network interface (Linux: IFNAMSIZ is 16 with its NUL), of which a few characters are enough.
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,15}", re.ASCII)
_LONGEST = 64  # an IPv6 address has at most 45 characters


def parse_address(text: object) -> IPAddress:
    """An address without a zone. Raises ValueError."""
    address = parse_zoned(text)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError("no zone (%) belongs to this address")
    return address


def parse_zoned(text: object) -> IPAddress:
    """An address, where it is link-local with or without the interface that it is of (RFC 4007 section 11):
    `fe80::1%eth0`; one that is IPv4 in the clothes of IPv6 as IPv4. Raises ValueError."""
    return _zoned(_short(text))


@lru_cache(1024)
def _zoned(text: str) -> IPAddress:
    """The nodes of a cluster name the same routers, and each look the same ones again."""
    address = ip_address(text)
    zone = address.scope_id if isinstance(address, IPv6Address) else None
    if zone is not None and not (address.is_link_local and _ZONE.fullmatch(zone)):
        raise ValueError("the zone (%) is no interface of a link-local address")
    return plain(address)


def plain(address: IPAddress) -> IPAddress:
    """`::ffff:192.0.2.1` is 192.0.2.1: the kernel sends IPv4 to it (RFC 4291 section 2.5.5.2)."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def without_zone(address: IPAddress) -> IPAddress:
    """The address as another machine may know it: a zone is one machine's name for a link (RFC 4007)."""
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address


def parse_network(text: object, strict: bool = True) -> IPNetwork:
    """A prefix; `strict`: without host bits. Raises ValueError."""
    short = _short(text)
    if "%" in short:
        raise ValueError("no zone (%) belongs to a prefix")
    return ip_network(short, strict)


def _short(text: object) -> str:
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError("not the text of an IP address")
    return text
