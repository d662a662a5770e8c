"""GoBGP through its client `gobgp … -j` (19 ms a question, facts/bgp.md 5.1).

The API port answers on loopback by default; version 3 leaves out `stale` and `best` when they are false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.model import IPNetwork
from bgpctl.witness.asking import ask
from bgpctl.witness.command import ask_json
from bgpctl.witness.model import Path, Sighting, Unanswered, same_address, sighting, to_prefix

# api.PeerState.SessionState
_STATES = ("unknown", "idle", "connect", "active", "opensent", "openconfirm", "established")
# (afi, safi) of the unicast families -> the word that the client's `-a` takes
_FAMILIES = {(1, 1): "ipv4", (2, 1): "ipv6"}


@dataclass(frozen=True, slots=True)
class GobgpProbe:
    """`target` is HOST:PORT of the gRPC API; `client` the client program."""

    target: str
    peer: str | None = None
    kind: str = "gobgp"
    client: str = "gobgp"

    def routes_from(self, neighbor: str) -> Sighting:
        router = f"gobgp {self.target}"
        return ask(router, neighbor, lambda: self._routes_from(router, neighbor))

    def _routes_from(self, router: str, neighbor: str) -> Sighting:
        view = neighbor_of(self._ask("neighbor"), neighbor)
        tables = [self._ask("global", "rib", "-a", family) for family in families(view)]
        paths = tuple(
            path for table in tables for path in read_rib(table) if same_address(path.neighbor, neighbor)
        )
        return sighting(router, neighbor, paths, session_of(view), None)

    def paths(self, prefix: IPNetwork) -> tuple[Path, ...]:
        answer = self._ask("global", "rib", str(prefix), "-a", f"ipv{prefix.version}")
        return tuple(path for path in read_rib(answer) if path.prefix == prefix)

    def _ask(self, *words: str) -> Any:
        host, _, port = self.target.rpartition(":")
        argv = (self.client, "-u", (host or self.target).strip("[]"), "-p", port or "50051", *words, "-j")
        return ask_json(argv, f"gobgp {self.target}")


# --- reading answers (pure) -------------------------------------------------------------------------------


def neighbor_of(answer: Any, neighbor: str) -> Mapping[str, Any]:
    """`gobgp neighbor -j` -> the entry of one neighbor. Unanswered when GoBGP has no such neighbor."""
    for view in answer or ():
        if same_address(address_of(view), neighbor):
            return dict(view)
    raise Unanswered(f"router has no neighbor {neighbor}")


def address_of(view: Mapping[str, Any]) -> str:
    """A dynamic neighbor has its address only in its state."""
    return str(view.get("state", {}).get("neighbor_address") or view.get("conf", {}).get("neighbor_address"))


def families(view: Mapping[str, Any]) -> list[str]:
    """The unicast families that are configured for the neighbor; GoBGP's default is that of its address."""
    pairs = (entry.get("config", {}).get("family", {}) for entry in view.get("afi_safis", ()))
    found = [_FAMILIES[key] for pair in pairs if (key := (pair.get("afi"), pair.get("safi"))) in _FAMILIES]
    if not found:
        raise Unanswered("router has no unicast family configured for this neighbor")
    return found


def session_of(view: Mapping[str, Any]) -> str:
    """The FSM's state as a word; a key that is missing is protobuf's zero."""
    number = view.get("state", {}).get("session_state", 0)
    return _STATES[number] if number in range(len(_STATES)) else str(number).lower()


def read_rib(answer: Mapping[str, Any]) -> Iterator[Path]:
    """`gobgp global rib -j` -> paths of every neighbor."""
    for prefix, entries in answer.items():
        for entry in entries:
            yield Path(
                prefix=to_prefix(prefix),
                neighbor=str(entry.get("neighbor-ip", "")),
                stale=bool(entry.get("stale")),
                best=bool(entry.get("best")),
                next_hop=_next_hop(entry.get("attrs", ())),
            )


def _next_hop(attributes: Any) -> str | None:
    return next((str(a["nexthop"]) for a in attributes if a.get("nexthop")), None)
