"""Puts the replacements in place, before a Reactor exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exabgp import rib
from exabgp.bgp.fsm import FSM
from exabgp.bgp.message.open.capability import Capabilities, Capability
from exabgp.bgp.message.open.capability.nexthop import NextHop
from exabgp.bgp.neighbor import Neighbor
from exabgp.protocol.family import AFI
from exabgp.protocol.ip import IP
from exabgp.reactor import protocol
from exabgp.reactor.api.response import Response
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.peer import Peer

from bgpctl.core.bgp.capabilities import NOTIFICATION
from bgpctl.core.intent.diff import CHANGED_REASON
from bgpctl.exabgp import wire
from bgpctl.exabgp.extension import clock, closing, command, leave, reading, routes, waiting, writing
from bgpctl.exabgp.extension.encoder import Encoder
from bgpctl.exabgp.extension.pacing import RETRY_SECONDS, PacedDelay, PacedOutgoing
from bgpctl.exabgp.extension.rib import OutgoingRIB
from bgpctl.exabgp.extension.state import EXTENSION, facts

OF_A_SESSION = ("keepalive", "notification", "nexthop")  # facts whose change takes a new session


def install() -> None:
    """Once, before a Reactor exists."""
    command.register()
    Response.JSON = Encoder
    protocol.Outgoing = PacedOutgoing
    rib.OutgoingRIB = OutgoingRIB
    clock.install()
    reading.install()
    writing.install()
    waiting.install()
    _wrap_peer()
    _wrap_definition()
    _wrap_capabilities()
    _wrap_protocol()
    _wrap_neighbor()
    _wrap_signal()


def attach(reactor: Any, generation: int, directory: Path) -> None:
    """Tell the extension whose inside it works on, which engine of this node it is, and where."""
    EXTENSION.reactor, EXTENSION.generation, EXTENSION.directory = reactor, generation, directory
    waiting.wake_on_signals()


def _wrap_peer() -> None:
    init, close, arrived = Peer.__init__, Peer._close, Peer.handle_connection

    def paced(self: Any, neighbor: Any, reactor: Any) -> None:
        init(self, neighbor, reactor)
        self._delay = PacedDelay(min(RETRY_SECONDS, float(facts(neighbor)["retry"])))

    def noted(self: Any, message: str = "", error: Any = "") -> None:
        if self.fsm not in (FSM.IDLE, FSM.ACTIVE):
            EXTENSION.record(self.neighbor).note_failure(str(error) or message)
        close(self, message, error)

    def answered(self: Any, connection: Any) -> Any:
        """ExaBGP makes the Cease 6/7 for a connection that it refuses, and does not send it."""
        refusal = arrived(self, connection)
        if refusal:
            EXTENSION.reactor.asynchronous.schedule(wire.COMMAND, "refusal", refusal)
        return refusal

    Peer.__init__, Peer._close, Peer.handle_connection = paced, noted, answered


def _wrap_definition() -> None:
    """What a changed definition does. ExaBGP closes at once, be it in the middle of a message, and reconnects
    with a new definition only when it gets to it."""
    equal = Neighbor.__eq__

    def same(self: Any, other: Any) -> bool:
        """Also in what ExaBGP has no word for."""
        ours, others = facts(self), facts(other)
        return bool(equal(self, other)) and all(ours[fact] == others[fact] for fact in OF_A_SESSION)

    def reestablish(self: Any, definition: Any = None) -> None:
        self._restart, self._restarted, self._neighbor = True, True, definition
        if self.proto is None or self.fsm not in closing.TALKING or not self.generator:
            self._reset(CHANGED_REASON)
        elif getattr(self.generator, "__name__", "") != closing.renewal.__name__:
            self.generator = closing.renewal(self, self.generator)
        self._delay.reset()

    Neighbor.__eq__, Peer.reestablish = same, reestablish


def _wrap_capabilities() -> None:
    """ExaBGP knows one flag of the graceful restart capability, R; and it offers an IPv6 next hop for IPv4
    routes (RFC 8950) only to who also gets IPv6 routes."""
    graceful = Capabilities._graceful

    def with_notification(self: Any, neighbor: Any, restarted: bool) -> None:
        graceful(self, neighbor, restarted)
        capability = self.get(Capability.CODE.GRACEFUL_RESTART)
        if capability is not None and facts(neighbor)["notification"] == "1":
            capability.restart_flag |= NOTIFICATION

    def with_next_hop(self: Any, neighbor: Any) -> None:
        if facts(neighbor)["nexthop"] == "1":
            self[Capability.CODE.NEXTHOP] = NextHop([routes.EXTENDED])

    Capabilities._graceful, Capabilities._nexthop = with_notification, with_next_hop


def _wrap_protocol() -> None:
    end_of_rib = protocol.Protocol.new_eor

    def new_eor(self: Any, afi: Any, safi: Any) -> Iterator[Any]:
        yield from end_of_rib(self, afi, safi)
        EXTENSION.sent_end_of_rib(self.peer.neighbor, afi, safi)

    protocol.Protocol.new_eor = new_eor


def _wrap_signal() -> None:
    """SIGTERM may come when no manager is there to leave the peers that need it; the second one is ExaBGP's
    own, which waits for nothing."""
    at_once = Signal.sigterm

    def ending() -> Iterator[None]:
        leave.end()
        yield

    def sigterm(self: Any, number: int, frame: Any) -> None:
        if EXTENSION.ending or EXTENSION.reactor is None:
            at_once(self, number, frame)
            return
        EXTENSION.ending = True
        # In the reactor's own turn: a handler runs in the middle of whatever it does.
        EXTENSION.reactor.asynchronous.schedule(wire.COMMAND, "shutdown", ending())

    Signal.sigterm = sigterm


def _wrap_neighbor() -> None:
    original = Neighbor.missing

    def missing(self: Any) -> str:
        """ExaBGP does not listen where the kernel chooses the local address, for want of one to bind. Any
        will do, and `auto_discovery` makes it accept the one that the router connected to."""
        if not (self["listen"] and self.auto_discovery):
            return str(original(self))
        self["local-address"] = IP.create("0.0.0.0" if self["peer-address"].afi == AFI.ipv4 else "::")
        self.auto_discovery = False
        lacking = str(original(self))
        self.auto_discovery = True
        return lacking

    Neighbor.missing = missing
