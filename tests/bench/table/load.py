"""What is loaded: so many host routes of one family, with one next hop that is nobody's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from bgpctl.core.model import IPNetwork

_FIRST = {4: 0x14000000, 6: 0x2001_0DB8_0014 << 80}
NEXT_HOPS = {4: "192.0.2.1", 6: "2001:db8::1"}


@dataclass(frozen=True)
class Load:
    """`count` routes of IP `version`: /32 or /128."""

    version: int
    count: int

    @property
    def prefixes(self) -> Sequence[IPNetwork]:
        first, kind = _FIRST[self.version], IPv4Network if self.version == 4 else IPv6Network
        length = 32 if self.version == 4 else 128
        return [kind((first + number, length)) for number in range(self.count)]

    @property
    def next_hop(self) -> str:
        return NEXT_HOPS[self.version]

    def __str__(self) -> str:
        return f"{self.count} IPv{self.version} routes"
