"""Inside ExaBGP: one command with bulk operations, compact events, and what ExaBGP 5.0 does not do by itself.

Together with `routes.py` this is all that touches ExaBGP's inside; tests/unit/test_exabgp_internals.py fails
when one of these moves:

- `Command.register(name, neighbor)`: `f(api, reactor, service, line, use_json)`; `Processes.write`;
- `Response.JSON`: the encoder class of an API process, whose methods answer a line or None (nothing sent);
- `Reactor`: `_peers` (by the neighbor's name as parsed), `reload()`, `configuration.error`, `processes`;
- `Peer`: `__init__`, `_close(message, error)`, `_delay`, `_restart`, `remove()`, `fsm`, `proto`, `neighbor`;
  `generator`, which `Peer.run` steps and whose end with `_restart` False drops the peer; `_main`
  yields `ACTION.LATER` only when no message is half written;
- `Protocol`: looks up `Outgoing` in its module; `new_eor`, `write`, `negotiated`, `connection.io`;
- `Neighbor`: `infer()` runs before the listener looks; `eor` (a deque of Family), `rib`, `auto_discovery`;
- `Negotiated`: `holdtime.keepalive()` paces keepalives; `sent_open`, `received_open` with capabilities 64
  (`Graceful.restart_flag`, `.restart_time`) and 71 (unknown to ExaBGP: `.data`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any
from urllib.parse import parse_qs

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import Action, Notify
from exabgp.bgp.message.open.capability import Capability
from exabgp.bgp.message.open.holdtime import HoldTime
from exabgp.bgp.neighbor import Neighbor
from exabgp.protocol.family import AFI, Family
from exabgp.protocol.ip import IP
from exabgp.reactor import protocol
from exabgp.reactor.api.command.command import Command
from exabgp.reactor.api.response import Response
from exabgp.reactor.delay import Delay
from exabgp.reactor.network.error import NetworkError
from exabgp.reactor.network.outgoing import Outgoing
from exabgp.reactor.network.tcp import nagle, ready
from exabgp.reactor.peer import ACTION, Peer

from bgpctl.speaker.exabgp import routes, wire
from bgpctl.speaker.exabgp.record import Record

LEAVE_SECONDS = (
    3.0  # for a router that stopped reading: then its session is closed anyway, reported not flushed
)
LINGER_SECONDS = 1.0  # for the router to close its side after our Cease
ATTEMPT_SECONDS = 5.0  # of one SYN: a router that was away is found by a fresh one, not by the kernel's 64 s
REFUSED_SECONDS = 1.0  # pause after "connection refused"
RETRY_SECONDS = 5.0  # longest pause before a failed session is tried again; ConnectRetryTime only shortens it
TELL_SECONDS = 1.0  # received prefixes are reported at most this often
LLGR = 71  # RFC 9494's capability code

ADMINISTRATIVE_SHUTDOWN = (6, 2)


class Extension:
    """The state of this ExaBGP: a record per peer, and which peers may send End-of-RIB."""

    def __init__(self) -> None:
        self.reactor: Any = None
        self.records: dict[str, Record] = {}
        self.synced: set[str] = set()

    # -- finding things

    def peers(self) -> Iterator[tuple[str, Any]]:
        """Name and Peer of everything that is not on its way out."""
        for peer in self.reactor._peers.values():
            if peer._restart:
                yield facts(peer.neighbor)["peer"], peer

    def peer(self, name: str) -> Any:
        for known, peer in self.peers():
            if known == name:
                return peer
        raise LookupError(f"no peer {name}")

    def record(self, neighbor: Any) -> Record:
        name = facts(neighbor)["peer"]
        return self.records.setdefault(name, Record(name))

    # -- telling

    def line(self, record: Record) -> str:
        return wire.encode_answer({"event": "peer", **self.describe(record)})

    def describe(self, record: Record) -> wire.Message:
        advertised: dict[str, int] = {}
        pending = 0
        for name, peer in self.peers():
            if name == record.peer and record.state == "established":
                rib = peer.neighbor.rib.outgoing
                advertised = {f: len(rib._seen.get(routes.FAMILIES[f], ())) for f in record.families}
                pending = len(rib._new_nlri) or rib.in_flight
        return record.tell(advertised, pending)

    def tell(self, record: Record) -> None:
        self.send({"event": "peer", **self.describe(record)})

    def send(self, message: wire.Message) -> None:
        self.reactor.processes.write(wire.COMMAND, wire.encode_answer(message))

    def on_flushed(self, rib: Any) -> None:
        for name, peer in list(self.peers()) if self.reactor else ():
            if peer.neighbor.rib.outgoing is rib and peer.fsm == FSM.ESTABLISHED:
                self.tell(self.records.setdefault(name, Record(name)))

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


# --- the command --------------------------------------------------------------------------------------------

Operation = Callable[[wire.Message], wire.Message | None]


def _command(api: Any, reactor: Any, service: str, line: str, use_json: bool) -> bool:
    """Every request is answered with its id; what goes wrong in one is told and never ends ExaBGP."""
    identifier = None
    try:
        request = wire.decode_request(line)
        identifier = request["id"]
        result = OPERATIONS[request["op"]](request)
    except Exception as error:
        EXTENSION.send({"id": identifier, "ok": False, "error": f"{type(error).__name__}: {error}"})
        return False
    if result is not None:
        EXTENSION.send({"id": identifier, "ok": True, **result})
    return True


def _state(request: wire.Message) -> wire.Message:
    return {"peers": [EXTENSION.describe(record) for record in EXTENSION.records.values()]}


def _announce(request: wire.Message) -> wire.Message:
    wanted = request["attributes"]
    rib = EXTENSION.peer(request["peer"]).neighbor.rib.outgoing
    for text, blob in request["prefixes"].items():
        family = routes.FAMILIES[text]
        hop = routes.next_hop(family, wanted.get("next_hop"))
        attributes = routes.build_attributes(wanted, hop)
        routes.announce(rib, family, list(wire.unpack_prefixes(blob, text)), attributes, hop)
    return {}


def _withdraw(request: wire.Message) -> wire.Message:
    rib = EXTENSION.peer(request["peer"]).neighbor.rib.outgoing
    for text, blob in request["prefixes"].items():
        routes.withdraw(rib, routes.FAMILIES[text], list(wire.unpack_prefixes(blob, text)))
    return {}


def _synced(request: wire.Message) -> wire.Message:
    for name in request["peers"]:
        peer = EXTENSION.peer(name)
        EXTENSION.synced.add(name)
        if peer.fsm == FSM.ESTABLISHED:
            EXTENSION.queue_end_of_rib(name, peer)
    return {}


def _configure(request: wire.Message) -> wire.Message:
    """Read the configuration again. `fresh` are the peers that start with an empty RIB."""
    reactor = EXTENSION.reactor
    for key in [key for key, peer in reactor._peers.items() if not peer._restart and not peer.generator]:
        del reactor._peers[key]
    before = {id(peer) for peer in reactor._peers.values()}
    if not reactor.reload():
        # The text of ExaBGP's error quotes the configuration, which may hold a password.
        raise ValueError("ExaBGP refused the configuration")
    current = dict(EXTENSION.peers())
    fresh = [name for name, peer in current.items() if id(peer) not in before]
    EXTENSION.synced &= set(current) - set(fresh)
    EXTENSION.records = {name: EXTENSION.record(peer.neighbor) for name, peer in current.items()}
    for name, peer in current.items():
        if EXTENSION.records[name].awaiting_end_of_rib and peer.fsm == FSM.ESTABLISHED:
            EXTENSION.queue_end_of_rib(name, peer)
    return {"fresh": fresh}


def _leave(request: wire.Message) -> wire.Message | None:
    """Answers when every peer is gone, with what was seen of each."""
    departure = Departure(request["id"], set(request["peers"]))
    notify = Notify(*ADMINISTRATIVE_SHUTDOWN, wire.shutdown_communication(request["reason"]))
    current = dict(EXTENSION.peers())
    for name in request["peers"]:
        EXTENSION.synced.discard(name)
        peer = current.get(name)
        if peer is not None and peer.fsm == FSM.ESTABLISHED and peer.generator:
            peer._restart = False
            routes.withdraw_all(peer.neighbor.rib.outgoing)
            peer.generator = farewell(peer, peer.generator, notify, departure)
        else:
            if peer is not None:
                peer.remove()
            departure.gone(name, None, None)
    departure.answer_when_done()
    return None


OPERATIONS: dict[str, Callable[[wire.Message], wire.Message | None]] = {
    "state": _state,
    "announce": _announce,
    "withdraw": _withdraw,
    "synced": _synced,
    "configure": _configure,
    "leave": _leave,
}


# --- leaving ------------------------------------------------------------------------------------------------


class Departure:
    """One `leave` request: answered once, when the last of its peers is gone."""

    def __init__(self, identifier: int, waiting: set[str]) -> None:
        self._identifier, self._waiting = identifier, waiting
        self._seen: dict[str, dict[str, float | None]] = {}

    def gone(self, name: str, flushed_at: float | None, closed_at: float | None) -> None:
        self._waiting.discard(name)
        self._seen[name] = {"flushed_at": flushed_at, "closed_at": closed_at}

    def answer_when_done(self) -> None:
        if not self._waiting:
            EXTENSION.send({"id": self._identifier, "ok": True, "peers": self._seen})


def farewell(peer: Any, session: Iterator[Any], notify: Any, departure: Departure) -> Iterator[Any]:
    """Takes the session's place in the reactor: steps it until each withdraw is on the socket, then Cease."""
    name = facts(peer.neighbor)["peer"]
    flushed_at = closed_at = None
    try:
        flushed_at = yield from _flush(peer, session)
        if peer.proto is not None:
            closed_at = yield from _cease(peer, notify)
    except NetworkError:
        pass
    finally:
        if peer.proto is not None:
            peer._close("left")
        peer.neighbor.rib.uncache()
        departure.gone(name, flushed_at, closed_at)
        departure.answer_when_done()


def _flush(peer: Any, session: Iterator[Any]) -> Generator[Any, None, float | None]:
    """Returns when the last withdraw was handed to the kernel, None when the router took too long or left."""
    deadline = time.monotonic() + LEAVE_SECONDS
    rib = peer.neighbor.rib.outgoing
    for action in session:
        # LATER: nothing is half written, so another message may follow on the socket.
        if action == ACTION.LATER and routes.flushed(rib):
            return time.time()
        if time.monotonic() > deadline:
            return None
        yield action
    return None


def _cease(peer: Any, notify: Any) -> Generator[Any, None, float | None]:
    """Send it and close in order: `close` with unread input would make the kernel send RST and drop what the
    router has not received yet."""
    deadline = time.monotonic() + LINGER_SECONDS
    for _ in peer.proto.write(notify):
        if time.monotonic() > deadline:
            return None
        yield ACTION.NOW
    closed_at = time.time()
    io = peer.proto.connection.io
    try:
        io.shutdown(socket.SHUT_WR)
        while time.monotonic() < deadline:
            try:
                if not io.recv(1 << 16):
                    break
            except BlockingIOError:
                yield ACTION.LATER
    except OSError:
        pass
    return closed_at


# --- events -------------------------------------------------------------------------------------------------


class Encoder(Response.JSON):  # type: ignore[misc]
    """ExaBGP's hooks for its API process, answering our own compact lines."""

    def up(self, neighbor: Any) -> str:
        record = EXTENSION.record(neighbor)
        for name, peer in EXTENSION.peers():
            if name == record.peer and peer.proto is not None:
                EXTENSION.queue_end_of_rib(name, peer)
        return EXTENSION.line(record)

    def connected(self, neighbor: Any) -> None:
        return None

    def down(self, neighbor: Any, reason: str = "") -> None:
        return None

    def shutdown(self) -> None:
        return None

    def fsm(self, neighbor: Any, fsm: Any) -> str | None:
        record = EXTENSION.record(neighbor)
        state = _STATES[fsm.name()]
        if state == "idle" and record.state == "active":
            return None  # `_establish` passes through IDLE while it waits for TCP
        record.enter(state)
        return EXTENSION.line(record)

    def negotiated(self, neighbor: Any, negotiated: Any) -> str:
        record = EXTENSION.record(neighbor)
        negotiated.holdtime = PacedHold(negotiated.holdtime, int(facts(neighbor)["keepalive"]))
        record.hold_time = int(negotiated.holdtime)
        record.keepalive_time = negotiated.holdtime.keepalive()
        record.families = tuple(
            text for text, family in routes.FAMILIES.items() if family in negotiated.families
        )
        record.local_gr = graceful_restart(negotiated.sent_open)
        record.peer_gr = graceful_restart(negotiated.received_open)
        long_lived = negotiated.received_open.capabilities.get(LLGR)
        record.llgr = long_lived.data.hex() if long_lived is not None else None
        _note_local_address(record, neighbor)
        return EXTENSION.line(record)

    def notification(self, neighbor: Any, direction: str, message: Any, *rest: Any) -> str | None:
        if isinstance(message, int):  # the reader's own complaint; the NOTIFICATION it leads to comes too
            return None
        record = EXTENSION.record(neighbor)
        raw = rest[-1][2:] if direction == "receive" and rest[-1] else message.data
        told = "received" if direction == "receive" else "sent"
        record.note_notification(told, message.code, message.subcode, raw)
        return EXTENSION.line(record)

    def update(self, neighbor: Any, direction: str, update: Any, *rest: Any) -> str | None:
        record = EXTENSION.record(neighbor)
        for nlri in update.nlris:
            if nlri.EOR:
                continue
            family = routes.family_text(nlri.family().afi_safi())
            record.count(family, nlri.pack_nlri(), nlri.action == Action.ANNOUNCE)
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


# --- pacing -------------------------------------------------------------------------------------------------


class PacedHold(HoldTime):  # type: ignore[misc]
    """The negotiated hold time with a keepalive time of its own: never more than a third (RFC 4271 4.4)."""

    def __new__(cls, hold: int, keepalive: int) -> PacedHold:
        self: PacedHold = super().__new__(cls, hold)
        self.configured = keepalive
        return self

    def keepalive(self) -> int:
        third = int(self) // 3
        return min(self.configured, third) if self.configured else third


class PacedDelay(Delay):  # type: ignore[misc]
    """The pause after a session ended. ExaBGP's grows to a minute, in which a returned router waits."""

    _time: float
    _next: int

    def __init__(self, longest: float) -> None:
        super().__init__()
        self._longest = longest

    def increase(self) -> None:
        super().increase()
        self._time = min(self._time, time.time() + self._longest)
        self._next = min(self._next, int(self._longest))


class PacedOutgoing(Outgoing):  # type: ignore[misc]
    """Connecting with a pause after a refusal and a bound on silence. ExaBGP tries in every turn of its loop,
    and leaves a lost SYN to the kernel."""

    io: Any
    local: Any

    def establish(self) -> Iterator[bool]:
        while True:
            started, reason = time.monotonic(), self._connect()
            for connected, message in ready(self.io) if reason is None else ():
                if connected:
                    self.success()
                    nagle(self.io, self.peer)
                    self.local = self.local or self.io.getsockname()[0]
                    yield True
                    return
                reason = message
                if time.monotonic() - started > ATTEMPT_SECONDS:
                    reason = f"no answer within {ATTEMPT_SECONDS:.0f} s"
                    break
                yield False
            self._give_up(str(reason))
            while time.monotonic() - started < REFUSED_SECONDS:
                yield False

    def _give_up(self, reason: str) -> None:
        if self.io is not None:
            self.io.close()
            self.io = None
        text = f"cannot connect to {self.peer} port {self.port}: {reason}"
        for name, peer in EXTENSION.peers():
            neighbor = peer.neighbor
            if neighbor["peer-address"].top() == self.peer and neighbor["connect"] == self.port:
                record = EXTENSION.records.setdefault(name, Record(name))
                repeated = record.last_error is not None and record.last_error["text"] == text
                record.note_failure(text)
                if not repeated:
                    EXTENSION.tell(record)


# --- installation -------------------------------------------------------------------------------------------


def install() -> None:
    """Register the command and put the replacements in place, before a Reactor exists."""
    Command.register(wire.COMMAND, False)(_command)
    Response.JSON = Encoder
    protocol.Outgoing = PacedOutgoing
    routes.install(EXTENSION.on_flushed)
    _wrap_peer()
    _wrap_end_of_rib()
    _wrap_infer()


def attach(reactor: Any) -> None:
    """Tell the extension whose inside it works on."""
    EXTENSION.reactor = reactor


def _wrap_peer() -> None:
    init, close = Peer.__init__, Peer._close

    def paced(self: Any, neighbor: Any, reactor: Any) -> None:
        init(self, neighbor, reactor)
        self._delay = PacedDelay(min(RETRY_SECONDS, float(facts(neighbor)["retry"])))

    def noted(self: Any, message: str = "", error: Any = "") -> None:
        if self.fsm not in (FSM.IDLE, FSM.ACTIVE):
            EXTENSION.record(self.neighbor).note_failure(str(error) or message)
        close(self, message, error)

    Peer.__init__, Peer._close = paced, noted


def _wrap_end_of_rib() -> None:
    original = protocol.Protocol.new_eor

    def new_eor(self: Any, afi: Any, safi: Any) -> Iterator[Any]:
        yield from original(self, afi, safi)
        EXTENSION.sent_end_of_rib(self.peer.neighbor, afi, safi)

    protocol.Protocol.new_eor = new_eor


def _wrap_infer() -> None:
    original = Neighbor.infer

    def infer(self: Any) -> None:
        """ExaBGP cannot listen where it also chooses the local address: it has no address to bind."""
        original(self)
        if self["listen"] and self.auto_discovery:
            anywhere = IP.create("0.0.0.0" if self["peer-address"].afi == AFI.ipv4 else "::")
            self["md5-ip"] = self["local-address"] = anywhere

    Neighbor.infer = infer
