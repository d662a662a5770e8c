"""The inside of ExaBGP that the extension stands on. A failure here means: an upgrade moved something.

Then read bgpctl/exabgp/extension/__init__.py, repair what it lists, and only then raise the pin in
pyproject.toml. Nothing in here is installed into this process: ExaBGP stays stock.
"""

from __future__ import annotations

import errno
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from exabgp import rib as rib_module
from exabgp.bgp import neighbor as neighbor_module
from exabgp.bgp import timer
from exabgp.bgp.message import Message, Notify, Update
from exabgp.bgp.message.open.asn import ASN
from exabgp.bgp.message.open.capability import Capabilities, Capability, Negotiated
from exabgp.bgp.message.open.capability.graceful import Graceful
from exabgp.bgp.message.open.capability.nexthop import NextHop
from exabgp.bgp.message.open.holdtime import HoldTime
from exabgp.bgp.message.update.attribute import Attributes
from exabgp.bgp.neighbor import Neighbor
from exabgp.bgp.timer import ReceiveTimer, SendTimer
from exabgp.reactor import delay, peer, protocol
from exabgp.reactor import loop as loop_module
from exabgp.reactor import peer as peer_module
from exabgp.reactor.api import API
from exabgp.reactor.api.command.command import Command
from exabgp.reactor.api.processes import Processes
from exabgp.reactor.api.response import Response
from exabgp.reactor.asynchronous import ASYNC
from exabgp.reactor.daemon import Daemon
from exabgp.reactor.delay import Delay
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.listener import Listener
from exabgp.reactor.loop import Reactor
from exabgp.reactor.network.connection import Connection
from exabgp.reactor.network.error import NotifyError, error
from exabgp.reactor.network.outgoing import Outgoing
from exabgp.reactor.peer import ACTION, Peer
from exabgp.rib import RIB
from exabgp.rib.outgoing import OutgoingRIB
from exabgp.version import release

from bgpctl.core.bgp.notification import shutdown_communication
from bgpctl.exabgp.extension import clock, pacing, rib, routes
from bgpctl.exabgp.extension.encoder import Encoder, graceful_restart

MOVED = f"ExaBGP {release} moved this: see bgpctl/exabgp/extension/__init__.py before you upgrade"
V4, V6 = routes.FAMILIES["ipv4/unicast"], routes.FAMILIES["ipv6/unicast"]


def holds(condition: object, what: str) -> None:
    assert condition, f"{what}. {MOVED}"


def test_the_release() -> None:
    holds(release.startswith("5.0."), "the release is not 5.0.x")


SIGNATURES: list[tuple[Callable[..., Any], str]] = [
    (Command.register, "(name, neighbor=True, options=None, json_support=False)"),
    (Processes.write, "(self, process, string, neighbor=None)"),
    (Reactor.reload, "(self)"),
    (Signal.sigterm, "(self, signum, frame)"),
    (ASYNC.schedule, "(self, uid, command, callback)"),
    (Peer.__init__, "(self, neighbor, reactor)"),
    (Peer._close, "(self, message='', error='')"),
    (Peer._reset, "(self, message='', error='')"),
    (Peer.reestablish, "(self, restart_neighbor=None)"),
    (Peer.handle_connection, "(self, connection)"),
    (Capabilities._graceful, "(self, neighbor, restarted)"),
    (Neighbor.__eq__, "(self, other)"),
    (Peer.run, "(self)"),
    (Peer.remove, "(self)"),
    (protocol.Protocol.new_eor, "(self, afi, safi)"),
    (protocol.Protocol.new_update, "(self, include_withdraw)"),
    (protocol.Protocol.new_notification, "(self, notification)"),
    (protocol.Protocol.write, "(self, message, negotiated=None)"),
    (Neighbor.missing, "(self)"),
    (OutgoingRIB.__init__, "(self, cache, families)"),
    (OutgoingRIB.replace_restart, "(self, previous, new)"),
    (OutgoingRIB.replace_reload, "(self, previous, new)"),
    (OutgoingRIB.resend, "(self, enhanced_refresh, family=None)"),
    (OutgoingRIB.delete_cached_family, "(self, families)"),
    (RIB.uncache, "(self)"),
    (Connection.writer, "(self, data)"),
    (Reactor._wait_for_io, "(self, sleeptime)"),
    (Outgoing.establish, "(self)"),
    (Outgoing._connect, "(self)"),
    (Delay.increase, "(self)"),
    (Daemon.drop_privileges, "(self)"),
    (Notify.__init__, "(self, code, subcode, data=None)"),
]


@pytest.mark.parametrize(("function", "expected"), SIGNATURES, ids=lambda v: getattr(v, "__qualname__", ""))
def test_signatures(function: Callable[..., Any], expected: str) -> None:
    holds(str(inspect.signature(function)) == expected, f"it is now {inspect.signature(function)}")


@pytest.mark.parametrize(
    "hook", ["up", "connected", "down", "shutdown", "fsm", "negotiated", "notification", "update"]
)
def test_encoder_hooks(hook: str) -> None:
    stock, ours = (inspect.signature(getattr(kind, hook)) for kind in (Response.JSON, Encoder))
    holds(getattr(Response.JSON, hook) is not getattr(Encoder, hook), f"{hook} is not replaced")
    given = [name for name in stock.parameters if name != "self"]
    try:
        ours.bind(None, *given)
    except TypeError as error:
        holds(False, f"{hook}{stock} cannot be answered: {error}")


def order(function: Callable[..., Any], *words: str) -> None:
    """The words are in the function's source, in this order."""
    source, position = inspect.getsource(function), 0
    for word in words:
        position = source.find(word, position)
        holds(position >= 0, f"{function.__qualname__} no longer has {word!r} there")


def test_what_is_asked_of_an_outgoing_rib() -> None:
    """Left out: the text commands, which nobody sends, and `updates`, which only `new_update` asked for."""
    order(RIB.__init__, "OutgoingRIB(adj_rib_out, families)", "self._cache[name] = self")
    asked: set[str] = set()
    for module in (peer_module, loop_module, neighbor_module, rib_module, protocol):
        asked |= set(re.findall(r"outgoing\.(\w+)", inspect.getsource(module)))
    unused = {"withdraw", "cached_changes", "queued_changes", "updates"}
    lacking = {name for name in asked - unused if not hasattr(rib.OutgoingRIB(True, []), name)}
    holds(not lacking, f"it is asked for {lacking}")


def test_the_ways_to_the_socket() -> None:
    """Everything that is sent goes through `writer`; `_main` steps an update until its generator ends."""
    for function in (protocol.Protocol.write, protocol.Protocol.send):
        order(function, "self.connection.writer(raw)")
    order(Peer._main, "outgoing.pending()", "self.proto.new_update(include_withdraw)", "StopIteration:")
    order(Peer._main, "routes_per_iteration", "next(new_routes)")
    order(Peer._run, "except Notify", "new_notification(notify)", "except (NetworkError, ProcessError)")
    order(Connection.writer, "self.io.send(data)")
    holds(errno.EAGAIN in error.block, "a full socket is no longer in `error.block`")


def test_how_the_reactor_rests() -> None:
    """A rest of 0 is none; the sockets that are ready are not needed, because every peer gets its turn."""
    order(Reactor.run, "sleep = ms_sleep", "action = peer.run()", "action == ACTION.NOW:", "sleep = 0")
    order(Reactor.run, "self.processes.received():", "sleep = 0", "in self._wait_for_io(sleep):")
    order(Reactor.run, "if self.listener.incoming():", "peers = self.active_peers()")
    order(Peer.run, "self._delay.backoff()", "self.generator = self._run()", "return ACTION.LATER")
    order(
        Peer._read_ka, "in self.proto.read_keepalive():", "recv_timer.check_ka_timer(message)", "ACTION.NOW"
    )
    order(protocol.Protocol.connect, "in self.connection.establish():", "yield False", "yield True")
    order(Delay.backoff, "return time.time() <= self._time")
    order(Listener.incoming, "if sock in self._accepted:", "sock.accept()")
    order(ReceiveTimer.check_ka_timer, "int(time.time())")
    order(SendTimer.need_ka, "int(time.time())")
    holds(ASYNC()._async is not None and Listener(None)._sockets == {}, "what the reactor waits for")
    holds(callable(Peer.socket) and callable(Connection.fd), "a peer's or a connection's descriptor")


def test_where_the_hooks_are_called() -> None:
    order(Peer._establish, "validate_open()", "ReceiveTimer(", "negotiated.holdtime", "ESTABLISHED")
    order(protocol.Protocol.validate_open, "processes.negotiated(")
    order(Peer._main, "processes.up(", "KA(", "replace_restart(", "while not self._teardown")
    order(Peer._main, "if new_routes:", "elif send_eor:", "elif not command_eor and self.neighbor.eor:")
    order(Peer._main, "or command_eor", "yield ACTION.NOW", "else:", "yield ACTION.LATER")
    order(protocol.Protocol.connect, "self.connection = Outgoing(", ".establish()")
    order(protocol.Protocol.read_message, "if consolidate:", "header,", "body,")
    order(API.response, "self.functions", "registered + ' ' in command", "self.callback[api][registered](")
    order(Processes._start, "Response.JSON(")
    holds("Outgoing" in vars(protocol), "protocol no longer looks Outgoing up in its own module")


def test_how_a_changed_definition_ends_a_session() -> None:
    order(Reactor.reload, "self._peers[key].neighbor != neighbor", "self._peers[key].reestablish(neighbor)")
    order(Peer.reestablish, "self._restart = True", "self._restarted = True", "self._neighbor = ")
    order(Peer._reset, "self._close(message, error)", "if not self._restart", "self.generator = None")
    order(Peer._reset, "self.neighbor.reset_rib()", "if self._neighbor:", "self.neighbor = self._neighbor")
    order(Peer._main, "# If graceful restart, silent shutdown", "raise Notify(6, self._teardown)")
    order(Neighbor.__ne__, "self.__eq__(other)")


def test_a_refused_connection_gets_no_answer() -> None:
    order(Peer.handle_connection, "FSM.ESTABLISHED", "return connection.notification(6, 7,")
    source = inspect.getsource(Listener.new_connections)
    refused = source[source.index("denied = reactor.handle_connection") : source.index("else:")]
    holds("schedule" not in refused, "ExaBGP sends it by itself now: hooks need not")


def test_the_n_bit_goes_out_with_the_flags() -> None:
    capability = Graceful().set(Graceful.RESTART_STATE, 120, [(*V4, Graceful.FORWARDING_STATE)])
    capability.restart_flag |= 0x4
    holds(capability.extract() == [bytes.fromhex("c07800010180")], f"capability 64: {capability.extract()}")


def test_extended_next_hop_goes_out_and_is_negotiated() -> None:
    order(Capabilities.new, "self._nexthop(neighbor)")
    holds(NextHop([routes.EXTENDED]).extract() == [bytes.fromhex("000100010002")], "capability 5")
    raw: dict[int, Any] = {}
    raw[5] = Capability.unpack(5, raw, bytes.fromhex("000100010002"))
    holds(list(raw[5]) == [routes.EXTENDED], f"capability 5 reads as {raw[5]}")
    order(Negotiated._negotiate, "self.nexthop = []", "self.nexthop.append(family)")


def test_how_a_signal_ends_it() -> None:
    order(Signal.rearm, "signal.signal(signal.SIGTERM, self.sigterm)")
    order(Reactor.run, "if self.signal.received:", "signaled == Signal.SHUTDOWN", "self.shutdown()", "break")
    order(Reactor.run, "peer.run()", "self.processes.received()", "self.asynchronous.run()")
    order(ASYNC.schedule, "self._async.append((uid, callback))")
    turns: list[str] = []

    def task() -> Iterator[None]:
        turns.append("first")
        yield

    queue = ASYNC()
    queue._async.append(("us", task()))  # `schedule` without its line in a log that is not set up here
    queue.run()
    holds(turns == ["first"], "ASYNC no longer steps a generator")


def test_a_peer_whose_generator_ended_is_dropped() -> None:
    peer: Any = object.__new__(Peer)
    peer.reactor = SimpleNamespace(processes=SimpleNamespace(broken=lambda neighbor: False))
    peer.neighbor, peer._restart, peer.generator = None, False, iter([ACTION.LATER])
    holds(peer.run() == ACTION.LATER, "Peer.run does not step the generator")
    holds(peer.run() == ACTION.CLOSE, "Peer.run does not close a peer that ended without _restart")


class _Session:
    """As much of a Negotiated as packing an UPDATE asks for."""

    def __init__(self, local_as: int = 65001, peer_as: int = 64512) -> None:
        self.local_as, self.peer_as = ASN(local_as), ASN(peer_as)
        self.families, self.asn4, self.msg_size = [V4, V6], True, 4096
        self.addpath = SimpleNamespace(send=lambda afi, safi: False)
        address = SimpleNamespace(ton=lambda: bytes((10, 0, 0, 11)))
        self.neighbor = {"local-address": address}

    def nexthopself(self, afi: object) -> Any:
        return self.neighbor["local-address"]


@pytest.mark.parametrize(("peer_as", "path"), [(64512, bytes((2, 1, 0, 0, 0xFD, 0xE9))), (65001, b"")])
def test_attributes_that_exabgp_adds(peer_as: int, path: bytes) -> None:
    packed = Attributes().pack(_Session(peer_as=peer_as))
    holds(bytes((0x40, 1, 1, 0)) in packed, "no ORIGIN IGP")
    holds(bytes((0x40, 2, len(path))) + path in packed, "AS_PATH")
    holds((bytes((0x40, 5, 4, 0, 0, 0, 100)) in packed) == (peer_as == 65001), "LOCAL_PREF for iBGP only")


def test_keepalives_are_paced_by_the_hold_time_object() -> None:
    holds(SendTimer(str, HoldTime(90)).keepalive == 30, "SendTimer does not ask holdtime.keepalive()")
    holds(SendTimer(str, pacing.PacedHold(90, 5)).keepalive == 5, "our hold time is not asked")
    holds(pacing.PacedHold(9, 30).keepalive() == 3, "never more than a third")


def test_the_pause_after_a_session_is_bounded() -> None:
    stock, ours = Delay(), pacing.PacedDelay(5)
    for _ in range(30):
        stock.increase()
        ours.increase()
    holds(stock._next > 30, "ExaBGP's own pause is short now: PacedDelay can go")
    holds(ours._next <= 5, "our pause is not bounded")


def test_capabilities_keep_their_raw_values() -> None:
    capabilities: dict[int, Any] = {}
    capabilities[64] = Capability.unpack(64, capabilities, bytes.fromhex("407800010180"))
    capabilities[71] = Capability.unpack(71, capabilities, b"\x00\x01\x01")
    seen = graceful_restart(SimpleNamespace(capabilities=capabilities))
    holds(seen == {"time": 120, "flags": 4, "families": {"ipv4/unicast": 0x80}}, f"capability 64: {seen}")
    holds(capabilities[71].data == b"\x00\x01\x01", "capability 71 lost its octets")


def test_negotiated_and_neighbor_have_what_is_read() -> None:
    neighbor = Neighbor()
    for name in ("eor", "auto_discovery", "rib", "api"):
        holds(hasattr(neighbor, name), f"Neighbor.{name}")
    for name in ("description", "local-address", "peer-address", "connect", "listen", "md5-ip"):
        holds(name in neighbor, f"Neighbor[{name!r}]")
    negotiated = Negotiated(neighbor)
    for name in ("holdtime", "families", "sent_open", "received_open", "neighbor"):
        holds(hasattr(negotiated, name), f"Negotiated.{name}")


def test_the_speaker_itself_does_not_import_exabgp() -> None:
    """Its place is the child: 30 MB and a global environment that only one program may set."""
    program = "import sys, bgpctl.exabgp.engine; sys.exit('exabgp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_cease_with_words_is_sent_as_it_is() -> None:
    data = shutdown_communication("été")
    packed = Notify(6, 2, data).message()
    holds(packed[19:] == bytes((6, 2)) + data, "Notify changes octets that it is given")


# --- time ---------------------------------------------------------------------------------------------------


def test_timers_ask_their_module_for_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`clock.install` puts a steady clock in its place: nothing else may be asked of it."""
    now = SimpleNamespace(time=lambda: 1000.0)
    monkeypatch.setattr(timer, "time", now)
    monkeypatch.setattr(delay, "time", now)
    monkeypatch.setattr(timer, "log", SimpleNamespace(debug=lambda *args, **kwargs: None))
    waiting, sending, pause = timer.ReceiveTimer(str, 6, 4, 0), SendTimer(str, HoldTime(6)), delay.Delay()
    pause.increase()
    now.time = lambda: 1003.0
    waiting.check_ka_timer()
    holds(sending.need_ka() and not pause.backoff(), "a timer does not count on its module's clock")
    now.time = lambda: 1007.0
    with pytest.raises(Notify):
        waiting.check_ka_timer()


def test_an_open_that_does_not_come_is_the_hold_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    holds(peer.ReceiveTimer is timer.ReceiveTimer, "Peer has another timer")
    asked = inspect.getsource(Peer._read_open)
    holds("ReceiveTimer(" in asked and "1,\n            1," in asked, "the OPEN is waited for otherwise")
    monkeypatch.setattr(timer, "log", SimpleNamespace(debug=lambda *args, **kwargs: None))
    waiting = clock.Wait(str, 15, 1, 1, "stuck")
    waiting.last_read -= 16
    with pytest.raises(Notify) as raised:
        waiting.check_ka_timer()
    assert (raised.value.code, raised.value.subcode, raised.value.data) == (4, 0, b"no OPEN within 15 s")


# --- UPDATEs that come in -----------------------------------------------------------------------------------


def test_an_update_is_unpacked_where_reading_replaces_it() -> None:
    read = inspect.getsource(protocol.Protocol.read_message)
    holds("Message.unpack(msg_id, body, Direction.IN" in read, "an UPDATE is unpacked otherwise")
    holds(Message.klass(2).__name__ == "Update", "an UPDATE is another class")
    holds(
        str(inspect.signature(Update.unpack_message)) == "(data, direction, negotiated)",
        "it takes something else",
    )


def test_a_bad_header_is_told_where_reading_silences_it() -> None:
    read = inspect.getsource(protocol.Protocol.read_message)
    holds("self.peer.reactor.processes.notification(" in read, "a bad header is told otherwise")
    holds("in self.connection.reader()" in read, "what comes is read otherwise")
    assert [NotifyError(1, 3, "x").code, str(NotifyError(1, 3, "x"))] == [1, "x"]


def test_a_session_that_ends_at_once_does_not_shorten_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that lasted does. No pause is a whole number of seconds: that is when FRR starts a neighbor."""
    now = [1000.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(delay, "time", clock.STEADY)
    monkeypatch.setattr(clock.STEADY, "time", lambda: now[0])
    ours = pacing.PacedDelay(5)
    pauses = []
    for _ in range(4):
        ours.reset()
        ours.increase()
        pauses.append(ours._time - now[0])
        now[0] += 1
    assert pauses == [0, 1.5, 2.5, 3.5]
    ours.reset()
    now[0] += 11
    ours.increase()
    assert ours._time - now[0] == 0
