"""What a router says about the routes of one neighbor, and how its paths add up to one word. Pure.

A stale path still forwards (RFC 4724 section 4.2: a helper must not treat stale routes differently), so
STALE is never ABSENT; and a router that was not asked, or that does not know the neighbor, is UNKNOWN,
never ABSENT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address

from bgpctl.core.model import IPAddress, IPNetwork
from bgpctl.core.reading.addresses import parse_network, parse_zoned, without_zone
from bgpctl.errors import Temporary

# What one answer may take: octets, and entries of a list. A full table of 1,000,000 prefixes is more.
LONGEST = 64 << 20
MOST = 1_000_000


class RouteState(StrEnum):
    """What the router has from the node: any live path, only stale ones, none, or nobody knows."""

    PRESENT = "present"
    STALE = "stale"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Unanswered(Temporary):
    """The router could not be asked, or its answer was not understood."""


class NoNeighbor(Unanswered):
    """The router answered, and has no such neighbor."""

    def __init__(self, neighbor: str) -> None:
        super().__init__(f"router has no neighbor {neighbor}")


@dataclass(frozen=True, slots=True)
class Path:
    """One path in the router's RIB. `best` None = the router does not tell; `next_hop` as the router writes
    it."""

    prefix: IPNetwork
    neighbor: str
    stale: bool = False
    best: bool | None = None
    next_hop: str | None = None


@dataclass(frozen=True, slots=True)
class RouterAnswer:
    """What one router says about all routes learned from one neighbor (the node).

    `session` is the router's view of the session in lower case ("established", "active" …), "" when unknown.
    `seconds_remaining` is its stale or restart timer when it tells one. `detail` is one sentence; for UNKNOWN
    it says why. `at` is the epoch second of the answer. `local` is the router's own end of the session (of
    several, each, with ", " between) as `own_address` writes it, `router_id` its BGP Identifier; "" = it
    does not say. `machine`: the boot ID of the machine where a router was asked that does not. `stranger`:
    it is UNKNOWN because the router has no such neighbor. `forgets`: the router knows the neighbor for as
    long as it has a session or routes of it, and cannot tell its absence from a stranger's afterwards.
    """

    router: str
    neighbor: str
    routes: RouteState
    paths: tuple[Path, ...] = ()
    session: str = ""
    seconds_remaining: float | None = None
    detail: str = ""
    at: float = 0.0
    local: str = ""
    router_id: str = ""
    machine: str = ""
    stranger: bool = False
    forgets: bool = False


def judge(paths: Iterable[Path]) -> RouteState:
    """PRESENT if any path is live, STALE if only stale ones are left, ABSENT if there is none."""
    stale = [path.stale for path in paths]
    if not stale:
        return RouteState.ABSENT
    return RouteState.STALE if all(stale) else RouteState.PRESENT


def answered(
    router: str,
    neighbor: str,
    paths: tuple[Path, ...],
    session: str,
    remaining: float | None,
    note: str = "",
    local: str = "",
    router_id: str = "",
) -> RouterAnswer:
    """The router answered: judge its paths and say it in one sentence (`note` is a caveat of this router)."""
    routes = judge(paths)
    return RouterAnswer(
        router=router,
        neighbor=neighbor,
        routes=routes,
        paths=paths,
        session=session,
        seconds_remaining=remaining if routes is RouteState.STALE else None,
        detail=" ".join(filter(None, (_sentence(routes, paths, session, remaining), note))),
        local=", ".join(filter(None, map(own_address, local.split(", ")))),
        router_id=own_address(router_id),
    )


def departed(
    router: str, neighbor: str, paths: tuple[Path, ...], span: str, router_id: str = ""
) -> RouterAnswer:
    """The router takes every neighbor of `span` as it comes and forgets it with its session: it does not know
    this one (any more), and `paths` is what its tables have of it all the same."""
    note = f"Neighbors of {span} come and go."
    return answered(router, neighbor, paths, "none", None, note, router_id=router_id)


def _sentence(routes: RouteState, paths: tuple[Path, ...], session: str, remaining: float | None) -> str:
    stale = sum(path.stale for path in paths)
    where = f"session {session or 'unknown'}"
    match routes:
        case RouteState.ABSENT:
            return f"No path in the RIB; {where}."
        case RouteState.STALE:
            timer = f", {round(remaining, 1):g} s left" if remaining is not None else ""
            return f"{stale} stale {_paths(stale)} still forwarding{timer}; {where}."
        case _:
            return (
                f"{len(paths)} {_paths(len(paths))}" + (f", {stale} stale" if stale else "") + f"; {where}."
            )


def _paths(count: int) -> str:
    return "path" if count == 1 else "paths"


@lru_cache(4096)  # a whole table names a few neighbors, each of them many times
def same_address(one: str, other: str) -> bool:
    """Are two texts the same address? Zones ("fe80::1%eth0") count where both tell one; other text is
    compared as it is."""
    try:
        first, second = parse_zoned(one), parse_zoned(other)
    except ValueError:
        return one == other
    return second in (first, without_zone(first)) or without_zone(second) == first


def own_address(text: str) -> str:
    """A router's own address as it tells it, in the one spelling of that address; "" for what is none, or is
    any (0.0.0.0: it lets the kernel choose)."""
    address = _host(text)
    return "" if address is None or address.is_unspecified else str(address)


def same_host(one: str, other: str) -> bool:
    """May two texts be one machine's address? Zones do not count: each machine has names of its own for its
    links. Text that is no address may be anybody's."""
    first, second = _host(one), _host(other)
    return first is None or second is None or first == second


def _host(text: str) -> IPAddress | None:
    """Without its zone; an IPv4 address that an IPv6 socket tells (RFC 4291 section 2.5.5.2) is IPv4."""
    try:
        address = parse_zoned(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or without_zone(address)
    return address


def to_prefix(text: object) -> IPNetwork:
    """A router's prefix text as a network. Unanswered when it is none: then nothing it says is understood."""
    try:
        return parse_network(text, strict=False)
    except ValueError as error:
        raise Unanswered(f"the router names {str(text)[:64]!r}, which is no IP prefix") from error
