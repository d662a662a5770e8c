"""What the extension knows: a record per peer, how each was configured, which may send End-of-RIB, and how it
tells them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from exabgp.bgp.fsm import FSM
from exabgp.protocol.family import Family

from bgpctl.exabgp import wire
from bgpctl.exabgp.claim import Claim
from bgpctl.exabgp.extension import routes
from bgpctl.exabgp.record import Record


class Extension:
    """The state of this ExaBGP. `definitions` are the manager's words, kept unread for the next one; `stock`
    is what that one has not fetched yet."""

    def __init__(self) -> None:
        self.reactor: Any = None
        self.generation = 0
        self.directory = Path()
        self.claim: Claim | None = None
        self.ending = False
        self.records: dict[str, Record] = {}
        self.synced: set[str] = set()
        self.definitions: dict[str, wire.Message] = {}
        self.stock: Iterator[list[wire.Message]] = iter(())
        self.departed: dict[str, wire.Message] = {}  # how peers left, until there are some again

    # -- finding things

    def peers(self) -> Iterator[tuple[str, Any]]:
        """Name and Peer of everything that is not on its way out."""
        for peer in self.reactor._peers.values():
            if peer._restart:
                yield facts(peer.neighbor)["peer"], peer

    def peer(self, name: str) -> Any:
        """ExaBGP's Peer. Raises LookupError for one that is not there, or on its way out."""
        for known, peer in self.peers():
            if known == name:
                return peer
        raise LookupError(f"no peer {name}")

    def record(self, neighbor: Any) -> Record:
        """Of ExaBGP's Neighbor; a new one for a peer that has none yet."""
        name = facts(neighbor)["peer"]
        return self.records.setdefault(name, Record(name))

    # -- telling

    def line(self, record: Record) -> str:
        """The record as one event: an encoder's answer, without its newline."""
        return wire.encode_answer({"event": "peer", **self.describe(record)})

    def describe(self, record: Record) -> wire.Message:
        """The record's fields, and what its RIB says; that is empty unless the session is Established."""
        advertised: dict[str, int] = {}
        pending, stuck_at = 0, None
        for name, peer in self.peers():
            if name == record.peer and record.state == "established":
                rib = peer.neighbor.rib.outgoing
                told = peer.proto.negotiated
                advertised = {f: rib.carried(routes.FAMILIES[f], told) for f in record.families}
                pending, stuck_at = rib.waiting(), getattr(peer.proto.connection, "stuck_at", None)
        return record.tell(advertised, pending, stuck_at)

    def tell(self, record: Record) -> None:
        """The record, at once, where no encoder's answer takes it along."""
        self.send({"event": "peer", **self.describe(record)})

    def send(self, message: wire.Message) -> None:
        """One line to the manager; nothing comes of it while none is connected."""
        self.reactor.processes.write(wire.COMMAND, wire.encode_answer(message))

    def on_flushed(self, peer: Any) -> None:
        """All that waited is on the socket: `pending` has changed. Not told of a peer that leaves."""
        if peer._restart and peer.fsm == FSM.ESTABLISHED:
            self.tell(self.record(peer.neighbor))

    # -- End-of-RIB

    def queue_end_of_rib(self, name: str, peer: Any) -> None:
        """RFC 4724 section 4.1: after the routes. `_main` sends from `eor` only when no route is pending."""
        if name not in self.synced or peer.proto is None:
            return
        record = self.record(peer.neighbor)
        families = peer.proto.negotiated.families
        record.awaiting_end_of_rib = {routes.family_text(family) for family in families}
        peer.neighbor.eor.clear()
        peer.neighbor.eor.extend(Family(afi, safi) for afi, safi in families)

    def sent_end_of_rib(self, neighbor: Any, afi: Any, safi: Any) -> None:
        """Told once, when the last of the session's families has had it (RFC 4724 section 4.1)."""
        record = self.record(neighbor)
        record.awaiting_end_of_rib.discard(routes.family_text((afi, safi)))
        if not record.awaiting_end_of_rib and not record.end_of_rib:
            record.end_of_rib = True
            self.tell(record)


EXTENSION = Extension()


def facts(neighbor: Any) -> dict[str, str]:
    """What config.describe wrote: peer, keepalive, retry."""
    known: dict[str, str] | None = getattr(neighbor, "bgpctl", None)
    if known is None:
        known = {key: values[0] for key, values in parse_qs(neighbor["description"]).items()}
        neighbor.bgpctl = known
    return known
