"""FRR's own configuration as `show running-config` prints it, in one spelling for every line: which neighbors
it has, and what each is told to filter. Pure.

Lines that somebody else has added by `rawConfig` may be abbreviated, and are read here only once FRR has
taken them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from bgpctl.core.frr_k8s.config import Key, Neighbor
from bgpctl.core.reading.addresses import parse_address

_ROUTER = re.compile(r"router bgp \d{1,10}(?: vrf ([A-Za-z0-9._-]{1,15}))?$", re.ASCII)
_FAMILY = re.compile(r"address-family (ipv[46]) unicast$")
_DENIES = re.compile(r"(ip|ipv6) prefix-list (\S{1,100}) seq \d{1,10} (deny any|.{1,200})$")
_NEIGHBOR = re.compile(r"neighbor (\S{1,64}) (.{1,200})$")
_OUT = re.compile(r"prefix-list (\S{1,100}) out$")
_KEEPS = re.compile(
    r"bgp (?:graceful-restart restart-time|long-lived-graceful-restart stale-time) (\d{1,8})$"
)
_GROUPS = re.compile(r"peer-group|bgp listen range")
_TIMERS = re.compile(r"timers (?:bgp )?\d{1,5} (\d{1,5})$")

VERSIONS = {"ipv4": 4, "ipv6": 6, "ip": 4}


@dataclass(slots=True)
class Running:
    """`neighbors`: those of every VRF that have an AS number. `filters`: by the neighbor and the IP version
    the prefix list of what goes out. `denying`: the lists that let nothing through. `defaults`: the neighbors
    that get a default route, which no list keeps back (FRR 8.4.4). `grouped`: it has peer
    groups, whose members are not told by their lines alone. `keeps`: for how many seconds it lets routers
    keep routes, the longest that it says, 0 = it says nothing; `holds`: the hold times that it offers, of all
    by None, 0 = none at all."""

    neighbors: set[Key] = field(default_factory=set)
    filters: dict[tuple[Key, int], str] = field(default_factory=dict)
    denying: set[tuple[int, str]] = field(default_factory=set)
    defaults: set[Key] = field(default_factory=set)
    grouped: bool = False
    keeps: int = 0
    holds: dict[Key | None, int] = field(default_factory=dict)

    def holding(self, key: Key, typed: int) -> int:
        """The longest hold time in seconds that it may offer to this neighbor, by these lines or `typed`; 0 =
        none, so that no silence is noticed (RFC 4271 section 4.2)."""
        offered = [typed, *(self.holds[one] for one in (key, None) if one in self.holds)]
        return max(offered) if all(offered) else 0

    def silences(self, neighbor: Neighbor, name: str) -> bool:
        """Is nothing let out to it by the list of this name, in any of its families?"""
        wanted = [(version, name) for version in neighbor.versions]
        have = [(version, self.filters.get((neighbor.key, version))) for version in neighbor.versions]
        known = neighbor.key in self.neighbors - self.defaults
        return known and have == wanted and self.denying.issuperset(wanted)


def read(text: str) -> Running:
    """What is no line of interest is passed over."""
    found, lists = Running(grouped=_GROUPS.search(text) is not None), dict[tuple[int, str], bool]()
    vrf: str | None = None
    version: int = 0
    for line in map(str.strip, text.splitlines()):
        if match := _ROUTER.match(line):
            vrf, version = match[1] or "", 0
        elif match := _FAMILY.match(line):
            version = VERSIONS[match[1]]
        elif line == "exit-address-family":
            version = 0
        elif line == "exit":
            vrf = None
        elif match := _DENIES.match(line):
            vrf, of = None, (VERSIONS[match[1]], match[2])
            lists[of] = lists.get(of, True) and match[3] == "deny any"
        elif vrf is not None and (match := _NEIGHBOR.match(line)):
            _neighbor(found, (vrf, _spelled(match[1])), version, match[2])
        elif match := _KEEPS.match(line):
            found.keeps = max(found.keeps, int(match[1]))
        elif match := _TIMERS.match(line):
            found.holds[None] = _longer(found.holds.get(None), int(match[1]))
    found.denying.update(name for name, denies in lists.items() if denies)
    return found


def _longer(one: int | None, other: int) -> int:
    """Of two hold times; of two VRFs each may say one for all."""
    return other if one is None else max(one, other) if one and other else 0


def _neighbor(found: Running, key: Key, version: int, rest: str) -> None:
    if rest.startswith(("remote-as ", "interface remote-as ")):
        found.neighbors.add(key)
    elif match := _TIMERS.match(rest):
        found.holds[key] = int(match[1])
    elif rest.startswith("default-originate"):
        found.defaults.add(key)
    elif version and (match := _OUT.match(rest)):
        found.filters[key, version] = match[1]


def _spelled(name: str) -> str:
    """As addresses are spelled everywhere here; the name of an interface as it is."""
    try:
        return str(parse_address(name))
    except ValueError:
        return name


_STRANGE = re.compile(r"\b(?:listen\s+range|prefix-list\s+\S+\s+out)\b")
_STRANGE_WORDS = ("peer-group", "activate", "distribute-list", "default-originate")
_SHORTEST = 2  # characters to which FRR lets these be abbreviated: `neighbor X ac`


def strange(raw: str) -> str:
    """What lines of somebody else have that a filter of ours would not go together with; "" = nothing."""
    if match := _STRANGE.search(raw):
        return " ".join(match[0].split())
    words = (word for word in raw.split() if len(word) >= _SHORTEST)
    return next((word for word in words if any(whole.startswith(word) for whole in _STRANGE_WORDS)), "")


_TIMED = ("graceful-restart", "long-lived-graceful-restart", "timers", "minimum-holdtime")


def timed(raw: str) -> bool:
    """May lines of somebody else change how long routers keep routes? What they say FRR tells, once it has
    taken them in. It takes words that are abbreviated, too."""
    return any(whole.startswith(word) for word in set(raw.split()) for whole in _TIMED)


def mentioned(running: Running, raw: Iterable[str], known: Iterable[Key]) -> tuple[Key, ...]:
    """The neighbors that FRR has by such lines alone, of no FRRConfiguration's typed fields."""
    words = {_spelled(word) for text in raw for word in text.split()}
    return tuple(sorted(key for key in running.neighbors - set(known) if key[1] in words))
