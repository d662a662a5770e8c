"""FRR through bgpd's vty socket: no vtysh, no FRR configuration read, JSON answers.

The wire form (facts/bgp.md 5.1): send `command\\0`; the answer ends with three zero bytes and the return
code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from bgpctl.core.model import IPAddress
from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.asking import TIMEOUT_SECONDS, ask
from bgpctl.witness.command import read_json
from bgpctl.witness.conversation import Conversation
from bgpctl.witness.model import (
    NoNeighbor,
    Path,
    RouterAnswer,
    Unanswered,
    answered,
    departed,
    same_address,
    to_prefix,
)

_FAMILIES = {"ipv4Unicast": "ipv4 unicast", "ipv6Unicast": "ipv6 unicast"}
_TIMERS = ("gracefulRestartTimerMsecs", "gracefulStalepathTimerMsecs")


@dataclass(frozen=True, slots=True)
class FrrProbe:
    """`target` is the directory that holds bgpd.vty."""

    target: str
    peer: str | None = None
    kind: str = "frr"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        router = f"frr {self.target}"
        return ask(router, neighbor, lambda address: self._routes_from(router, address))

    def _routes_from(self, router: str, neighbor: IPAddress) -> RouterAnswer:
        """Both unicast tables as a whole: FRR's list of one neighbor's routes refuses a family that is not
        activated and, while the session is down, may leave stale paths out that forward."""
        with Vty(self.target) as vty:
            told = vty.ask(f"show bgp neighbors {neighbor} json")
            unknown = Foreign(told).flag("bgpNoSuchNeighbor")
            span = dynamic_range(vty.ask("show bgp peer-group json"), neighbor) if unknown else ""
            view = {} if span else neighbor_of(told, str(neighbor))
            tables = [vty.ask(f"show bgp {family} json") for family in _FAMILIES.values()]
        paths = tuple(path for table in tables for path in read_table(table, neighbor))
        own = Foreign(tables[0]).text("routerId")
        if span:
            return departed(router, str(neighbor), paths, span, own)
        if not paths:
            families(view)
        read = Foreign(view)
        session, local = read.text("bgpState").lower(), read.text("hostLocal")
        return answered(router, str(neighbor), paths, session, remaining(view), local=local, router_id=own)


# --- reading answers (pure; Unreadable for what FRR does not say) -----------------------------------------


def neighbor_of(answer: Mapping[str, Any], neighbor: str) -> Mapping[str, Any]:
    """`show bgp neighbors N json` -> what it says about N. Unanswered when FRR has no such neighbor."""
    views = [view for view in answer.values() if isinstance(view, Mapping)]
    if not views:
        raise NoNeighbor(neighbor)
    return views[0]


def dynamic_range(answer: Mapping[str, Any], neighbor: IPAddress) -> str:
    """`show bgp peer-group json` -> the `bgp listen range` that the neighbor is of: FRR forgets such a one
    with its session. "" when there is none."""
    for group in (nested.child(name) for nested, name in Foreign({"groups": answer}).each("groups")):
        for family, name in group.each("dynamicRanges"):
            for text in family.child(name).texts("ranges"):
                if neighbor in to_prefix(text):
                    return text
    return ""


def families(view: Mapping[str, Any]) -> list[str]:
    """The unicast families that are activated for the neighbor; they are listed also when the session is
    down. None at all means that nothing can be said."""
    activated = Foreign(view).child("addressFamilyInfo")
    found = [name for key, name in _FAMILIES.items() if key in activated.value]
    if not found:
        raise Unanswered("router has no unicast family activated for this neighbor")
    return found


def is_from(entry: Foreign, neighbor: IPAddress) -> bool:
    """An unnumbered neighbor whose link went down has lost its address, and FRR keeps its stale paths with
    the peer "(unspec)": they may be those of any link-local neighbor."""
    peer = entry.text("peerId")
    nameless = peer == "(unspec)" and entry.flag("stale")
    return same_address(peer, str(neighbor)) or (nameless and neighbor.is_link_local)


def remaining(view: Mapping[str, Any]) -> float | None:
    """Seconds until FRR drops the stale paths: the restart or the stale-path timer, whichever fires first."""
    info = Foreign(view).child("gracefulRestartInfo")
    timers = [info.number(name) for name in _TIMERS if info.has(name)]
    return min((timer / 1000 for timer in timers), default=None)


def read_table(answer: Mapping[str, Any], neighbor: IPAddress) -> Iterator[Path]:
    """`show bgp … json` -> the neighbor's paths; a stale path has `"stale": true`, another has no key."""
    for routes, prefix in Foreign(answer).each("routes"):
        for entry in (entry for entry in routes.children(prefix) if is_from(entry, neighbor)):
            yield Path(
                prefix=to_prefix(prefix),
                neighbor=entry.text("peerId"),
                stale=entry.flag("stale"),
                best=entry.flag("bestpath"),
                next_hop=_next_hop(entry),
            )


def _next_hop(entry: Foreign) -> str | None:
    return next((hop.text("ip") for hop in entry.children("nexthops") if hop.has("ip")), None)


# --- asking -----------------------------------------------------------------------------------------------


class Vty:
    """One connection to bgpd. It begins in the view node, where nothing can be changed, and stays there:
    `enable` is never sent."""

    def __init__(self, directory: str) -> None:
        path = str(FilePath(directory) / "bgpd.vty")
        self._line = Conversation(path, "FRR's bgpd", TIMEOUT_SECONDS)

    def __enter__(self) -> Vty:
        self._line.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.__exit__()

    def ask(self, command: str) -> Mapping[str, Any]:
        """One `show … json` command. Unanswered when bgpd refuses it."""
        self._line.say(command.encode() + b"\0")
        answer = self._line.hear(_whole)
        code, text = answer[-1], answer[:-4].decode(errors="replace")
        if code != 0:
            raise Unanswered(f"FRR refused `{command}`: {text.strip()[:120] or code}")
        found = read_json(text, "FRR")
        if not isinstance(found, dict):
            raise Unanswered(f"FRR answered `{command}` with something else than an object")
        return found


def _whole(heard: bytearray) -> bool:
    """Does it end with three zero octets and a code?"""
    return heard[-4:-1] == b"\0\0\0"
