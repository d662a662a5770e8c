"""What a lab router should be (RouterSpec) and what it takes to run it (Recipe). Values only; process.py
acts.

Every router listens passively on its own loopback address and a high port, so that an ordinary user can start
several of them on one machine. None of them touches the kernel's routes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One node that peers with the router. `router`: the router's address on the link between them, "" = the
    one that it has for all."""

    address: str
    asn: int
    router: str = ""

    @property
    def on_loopback(self) -> bool:
        """Then a router must be told that the session is not a direct one (multihop)."""
        return ip_address(self.address).is_loopback


@dataclass(frozen=True, slots=True)
class RouterSpec:
    """A router of the lab. `graceful_restart`: whether it keeps the routes of a restarting node (helper,
    RFC 4724). `hold_time` in seconds. `multipath`: install equal paths of several nodes (ECMP), where the
    router has a switch for it. `notification`: whether it sends the N bit (RFC 8538) where that is a setting,
    in GoBGP; FRR always does, BIRD and OpenBGPD before 8.8 never. `extended_next_hop`: whether it takes IPv4
    routes with an IPv6 next hop (RFC 8950) where that is a setting, in FRR and BIRD; GoBGP always does."""

    kind: str
    address: str
    port: int
    asn: int
    neighbors: tuple[Neighbor, ...]
    graceful_restart: bool = True
    hold_time: int = 90
    multipath: bool = True
    notification: bool = False
    extended_next_hop: bool = False

    @property
    def router_id(self) -> str:
        """A BGP Identifier is four octets (RFC 4271 section 4.2), also of a router with an IPv6 address."""
        return self.address if ip_address(self.address).version == 4 else "10.255.255.254"

    def toward(self, neighbor: Neighbor) -> str:
        """The router's own end of this session."""
        return neighbor.router or self.address

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that it listens on."""
        return tuple(dict.fromkeys((self.address, *map(self.toward, self.neighbors))))

    @property
    def bracketed(self) -> str:
        """The address as it stands before a colon and a port."""
        return self.address if ip_address(self.address).version == 4 else f"[{self.address}]"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to run one router in one directory.

    `files`: name -> text of what must be there before it starts. `control`: the path that exists once the
    router can be asked (None = it has none), `ports`: what it listens on besides BGP. `probe`: the text for
    `witness.parse_probe`. `scratch`: paths outside the directory that the router leaves behind, with
    `{pid}` for its process id. `needs_root`: it will not run without. `prepare`: directories outside that
    must exist.
    """

    argv: tuple[str, ...]
    files: Mapping[str, str]
    probe: str
    control: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    ports: tuple[tuple[str, int], ...] = ()
    scratch: tuple[str, ...] = ()
    prepare: tuple[Path, ...] = ()
    needs_root: bool = False


@dataclass(frozen=True, slots=True)
class Driver:
    """One kind of router. `find` gives the daemon's path or None; `install` is what to type when it is
    missing."""

    kind: str
    install: str
    find: Callable[[], str | None]
    recipe: Callable[[RouterSpec, Path, str], Recipe]
