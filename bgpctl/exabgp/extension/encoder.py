"""ExaBGP's events, as records: what happened to a session, in our own compact lines."""

from __future__ import annotations

import time
from typing import Any

from exabgp.bgp.message.open.capability import Capability
from exabgp.protocol.ip import IP
from exabgp.reactor.api.response import Response

from bgpctl.core.bgp.capabilities import LONG_LIVED
from bgpctl.exabgp import wire
from bgpctl.exabgp.extension import routes
from bgpctl.exabgp.extension.pacing import PacedHold
from bgpctl.exabgp.extension.state import EXTENSION, facts
from bgpctl.exabgp.record import Record

TELL_SECONDS = 1.0  # received prefixes are reported at most this often


class Encoder(Response.JSON):  # type: ignore[misc]
    """ExaBGP's hooks for its API process, answering our own compact lines."""

    def up(self, neighbor: Any) -> str:
        """Established. End-of-RIB waits for the routes, where the manager said that they are all there."""
        record = EXTENSION.record(neighbor)
        for name, peer in EXTENSION.peers():
            if name == record.peer and peer.proto is not None:
                EXTENSION.queue_end_of_rib(name, peer)
        return EXTENSION.line(record)

    def connected(self, neighbor: Any) -> None:
        """Nothing is sent: `fsm` tells it."""
        return None

    def down(self, neighbor: Any, reason: str = "") -> None:
        """Nothing is sent: `fsm` and `notification` tell it."""
        return None

    def shutdown(self) -> None:
        """Nothing is sent: whoever listens sees the link end."""
        return None

    def fsm(self, neighbor: Any, fsm: Any) -> str | None:
        """The state (RFC 4271 section 8.2.2) that was entered; None where a session passes through one."""
        record = EXTENSION.record(neighbor)
        state = _STATES[fsm.name()]
        if state == "idle" and record.state == "active":
            return None  # `_establish` passes through IDLE while it waits for TCP
        record.enter(state)
        return EXTENSION.line(record)

    def negotiated(self, neighbor: Any, negotiated: Any) -> str:
        """What both OPENs came to; from here on keepalives go at the configured pace."""
        record = EXTENSION.record(neighbor)
        negotiated.holdtime = PacedHold(negotiated.holdtime, int(facts(neighbor)["keepalive"]))
        record.hold_time = int(negotiated.holdtime)
        record.keepalive_time = negotiated.holdtime.keepalive()
        record.families = tuple(
            text for text, family in routes.FAMILIES.items() if family in negotiated.families
        )
        record.extended_next_hop = routes.EXTENDED in negotiated.nexthop
        record.local_gr = graceful_restart(negotiated.sent_open)
        record.peer_gr = graceful_restart(negotiated.received_open)
        long_lived = negotiated.received_open.capabilities.get(LONG_LIVED)
        record.llgr = long_lived.data.hex() if long_lived is not None else None
        _note_local_address(record, neighbor)
        return EXTENSION.line(record)

    def notification(self, neighbor: Any, direction: str, message: Any, *rest: Any) -> str:
        """Received or sent, by `direction`, with its data: a Cease has its reason in there (RFC 9003)."""
        record = EXTENSION.record(neighbor)
        raw = rest[-1][2:] if direction == "receive" and rest[-1] else message.data
        told = "received" if direction == "receive" else "sent"
        record.note_notification(told, message.code, message.subcode, raw)
        return EXTENSION.line(record)

    def update(self, neighbor: Any, direction: str, update: Any, *rest: Any) -> str | None:
        """Only counted; None while the record was told less than TELL_SECONDS ago."""
        record = EXTENSION.record(neighbor)
        record.received.take(rest[-1])
        due = time.monotonic() - record.told_at > TELL_SECONDS
        return EXTENSION.line(record) if due else None


_STATES = {
    "IDLE": "idle",
    "ACTIVE": "active",
    "CONNECT": "connect",
    "OPENSENT": "open_sent",
    "OPENCONFIRM": "open_confirm",
    "ESTABLISHED": "established",
}


def graceful_restart(sent_or_received: Any) -> wire.Message | None:
    """RFC 4724 section 3 as it stood in an OPEN: seconds, the four flag bits, the flags of each family."""
    capability = sent_or_received.capabilities.get(Capability.CODE.GRACEFUL_RESTART)
    if capability is None:
        return None
    families = {routes.family_text(family): flags for family, flags in capability.items()}
    return {"time": capability.restart_time, "flags": capability.restart_flag, "families": families}


def _note_local_address(record: Record, neighbor: Any) -> None:
    """The kernel's word; where the address was left to it, ExaBGP needs it for "next hop self"."""
    for name, peer in EXTENSION.peers():
        if name == record.peer and peer.proto is not None and peer.proto.connection is not None:
            record.local_address = peer.proto.connection.io.getsockname()[0]
            if neighbor.auto_discovery:
                peer.proto.neighbor["local-address"] = IP.create(record.local_address)
