"""GoBGP through its client `gobgp … -j` (19 ms a question, facts/bgp.md 5.1).

The API port answers on loopback by default; version 3 leaves out `stale` and `best` when they are false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.asking import ask
from bgpctl.witness.command import Client
from bgpctl.witness.model import (
    MOST,
    NoNeighbor,
    Path,
    RouterAnswer,
    Unanswered,
    answered,
    same_address,
    to_prefix,
)

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

    def routes_from(self, neighbor: str) -> RouterAnswer:
        router = f"gobgp {self.target}"
        return ask(router, neighbor, lambda address: self._routes_from(router, str(address)))

    def _routes_from(self, router: str, neighbor: str) -> RouterAnswer:
        client = self.client_of()
        view = neighbor_of(client.ask("neighbor", "-j"), neighbor)
        tables = [client.ask("global", "rib", "-a", family, "-j") for family in families(view)]
        paths = tuple(
            path for table in tables for path in read_rib(table) if same_address(path.neighbor, neighbor)
        )
        local = Foreign(view).child("transport").text("local_address")
        own = Foreign.of(client.ask("global", "-j")).text("router_id")
        seen = answered(router, neighbor, paths, session_of(view), None, local=local, router_id=own)
        return replace(seen, forgets=dynamic(view))

    def client_of(self) -> Client:
        """Its client program, pointed at this router, with one deadline for all that it is asked."""
        host, _, port = self.target.rpartition(":")
        where = ("-u", (host or self.target).strip("[]"), "-p", port or "50051")
        return Client(f"gobgp {self.target}", (self.client, *where))


# --- reading answers (pure) -------------------------------------------------------------------------------


def neighbor_of(answer: Any, neighbor: str) -> Mapping[str, Any]:
    """`gobgp neighbor -j` -> the entry of one neighbor. Unanswered when GoBGP has no such neighbor."""
    for view in Foreign({"neighbors": answer or ()}).children("neighbors", MOST):
        if same_address(address_of(view.value), neighbor):
            return view.value
    raise NoNeighbor(neighbor)


def address_of(view: Mapping[str, Any]) -> str:
    """From its state, where a dynamic neighbor has it alone, else as configured; "" = neither."""
    read = Foreign(view)
    return read.child("state").text("neighbor_address") or read.child("conf").text("neighbor_address")


def dynamic(view: Mapping[str, Any]) -> bool:
    """Is it one of `dynamic-neighbors`? Such a one has its address only in its state, and goes with its
    session; the client cannot ask for the prefixes that it may come from."""
    return not Foreign(view).child("conf").text("neighbor_address")


def families(view: Mapping[str, Any]) -> list[str]:
    """The unicast families that are configured for the neighbor; GoBGP's default is that of its address."""
    pairs = (entry.child("config").child("family") for entry in Foreign(view).children("afi_safis"))
    keys = [(pair.optional_integer("afi"), pair.optional_integer("safi")) for pair in pairs]
    found = [word for key, word in _FAMILIES.items() if key in keys]
    if not found:
        raise Unanswered("router has no unicast family configured for this neighbor")
    return found


def session_of(view: Mapping[str, Any]) -> str:
    """The FSM's state as a word; a key that is missing is protobuf's zero."""
    state = Foreign(view).child("state")
    if isinstance(state.value.get("session_state"), str):
        return state.text("session_state").lower()
    number = state.integer("session_state")
    return _STATES[number] if number < len(_STATES) else str(number)


def read_rib(answer: Any) -> Iterator[Path]:
    """`gobgp global rib -j` -> paths of every neighbor."""
    for table, prefix in Foreign({"rib": answer}).each("rib"):
        for entry in table.children(prefix):
            yield Path(
                prefix=to_prefix(prefix),
                neighbor=entry.text("neighbor-ip"),
                stale=entry.flag("stale"),
                best=entry.flag("best"),
                next_hop=_next_hop(entry),
            )


def _next_hop(entry: Foreign) -> str | None:
    return next((a.text("nexthop") for a in entry.children("attrs") if a.has("nexthop")), None)
