"""What a router's entries say beyond being there: when they changed last, and their communities.

A route that is taken away and given back between two looks, or sent again without need, shows here. Each
router is asked through its own client; the readings are pure.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bgpctl.lab.traffic.network import Host
from bgpctl.witness import openbgpd


@dataclass(frozen=True, slots=True)
class Entry:
    """One path. `changed`: the epoch second of its last UPDATE, as precise as the router tells it."""

    prefix: str
    neighbor: str
    changed: float
    communities: frozenset[str] = frozenset()


def entries(
    kind: str, target: str, router: Host, neighbor: str, prefixes: frozenset[str]
) -> dict[str, Entry]:
    """The neighbor's entries for these prefixes. `target` is the witness's."""
    found = _ASK[kind](target, router, sorted(prefixes))
    return {entry.prefix: entry for entry in found if entry.neighbor == neighbor and entry.prefix in prefixes}


# --- asking -----------------------------------------------------------------------------------------------


def _frr(target: str, router: Host, prefixes: list[str]) -> Iterator[Entry]:
    for prefix in prefixes:
        said = _run("vtysh", "--vty_socket", target, "-c", f"show bgp ipv4 unicast {prefix} json")
        yield from read_frr(json.loads(said or "{}"), prefix)


def _bird(target: str, router: Host, prefixes: list[str]) -> Iterator[Entry]:
    protocols = _run("birdc", "-r", "-s", target, "show protocols all")
    yield from read_bird(_run("birdc", "-r", "-s", target, "show route all"), protocols, time.time())


def _gobgp(target: str, router: Host, prefixes: list[str]) -> Iterator[Entry]:
    host, _, port = target.rpartition(":")
    yield from read_gobgp(json.loads(router.run("gobgp", "-u", host, "-p", port, "global", "rib", "-j")))


def _openbgpd(target: str, router: Host, prefixes: list[str]) -> Iterator[Entry]:
    said = _run(openbgpd.CLIENT, "-s", target, "-j", "show", "rib", "detail")
    yield from read_openbgpd(json.loads(said or "{}"), time.time())


_ASK = {"frr": _frr, "bird": _bird, "gobgp": _gobgp, "openbgpd": _openbgpd}


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout


# --- reading (pure) ---------------------------------------------------------------------------------------


def read_frr(answer: Mapping[str, Any], prefix: str) -> Iterator[Entry]:
    """`show bgp ipv4 unicast P json`"""
    for path in answer.get("paths", ()):
        communities = path.get("community", {}).get("list", ())
        neighbor = path["peer"]["peerId"]
        yield Entry(prefix, neighbor, float(path["lastUpdate"]["epoch"]), frozenset(communities))


def read_gobgp(answer: Mapping[str, Any]) -> Iterator[Entry]:
    """`gobgp global rib -j`: communities are numbers of 32 bits in the attribute of type 8."""
    for prefix, paths in answer.items():
        for path in paths:
            numbers = [n for a in path.get("attrs", ()) for n in a.get("communities", ()) if a["type"] == 8]
            words = frozenset(f"{number >> 16}:{number & 0xFFFF}" for number in numbers)
            yield Entry(prefix, path.get("neighbor-ip", ""), float(path["age"]), words)


def read_openbgpd(answer: Mapping[str, Any], now: float) -> Iterator[Entry]:
    """`bgpctl -j show rib detail`"""
    for path in answer.get("rib", ()):
        changed = now - float(path.get("last_update_sec", 0))
        communities = frozenset(path.get("communities", ()))
        yield Entry(path["prefix"], path["neighbor"]["remote_addr"], changed, communities)


_ROUTE = re.compile(r"(\S+/\d+)?\s+unicast \[(\S+) (\d\d):(\d\d):(\d\d(?:\.\d+)?)")


def read_bird(routes: str, protocols: str, now: float) -> Iterator[Entry]:
    """`show route all`; a neighbor is named by its protocol, a time by the time of day."""
    addresses = _bird_neighbors(protocols)
    blocks: list[tuple[str, str, float, set[str]]] = []
    prefix = ""
    for line in routes.splitlines():
        if match := _ROUTE.match(line):
            prefix = match[1] or prefix
            blocks.append((prefix, match[2], _time_of_day(now, *match.group(3, 4, 5)), set()))
        elif "BGP.community:" in line and blocks:
            blocks[-1][3].update(f"{a}:{b}" for a, b in re.findall(r"\((\d+),\s*(\d+)\)", line))
    for prefix, protocol, changed, communities in blocks:
        if protocol in addresses:
            yield Entry(prefix, addresses[protocol], changed, frozenset(communities))


def _bird_neighbors(protocols: str) -> dict[str, str]:
    found, name = {}, ""
    for line in protocols.splitlines():
        if match := re.match(r"(\S+)\s+BGP\s", line):
            name = match[1]
        elif match := re.match(r"\s+Neighbor address:\s+(\S+)", line):
            found[name] = match[1]
    return found


def _time_of_day(now: float, hour: str, minute: str, second: str) -> float:
    """The last moment that had this time of day."""
    here = datetime.fromtimestamp(now)
    moment = here.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    moment += timedelta(seconds=float(second))
    return (moment if moment <= here + timedelta(minutes=1) else moment - timedelta(days=1)).timestamp()
