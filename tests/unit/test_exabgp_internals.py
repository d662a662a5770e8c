"""The inside of ExaBGP that the extension stands on. A failure here means: an upgrade moved something.

Then read bgpctl/speaker/exabgp/extension/__init__.py, repair what it lists, and only then raise the pin in
pyproject.toml. Nothing in here is installed into this process: ExaBGP stays stock.
"""

from __future__ import annotations

import inspect
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from exabgp.bgp.message import Action, Notify, Update
from exabgp.bgp.message.open.asn import ASN
from exabgp.bgp.message.open.capability import Capabilities, Capability, Negotiated
from exabgp.bgp.message.open.capability.graceful import Graceful
from exabgp.bgp.message.open.holdtime import HoldTime
from exabgp.bgp.message.update.attribute import Attributes
from exabgp.bgp.message.update.nlri.cidr import CIDR
from exabgp.bgp.message.update.nlri.inet import INET
from exabgp.bgp.neighbor import Neighbor
from exabgp.bgp.timer import SendTimer
from exabgp.protocol.family import AFI, SAFI
from exabgp.protocol.ip import NoNextHop
from exabgp.reactor import protocol
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
from exabgp.reactor.network.outgoing import Outgoing
from exabgp.reactor.peer import ACTION, Peer
from exabgp.rib import RIB
from exabgp.rib.change import Change
from exabgp.rib.outgoing import OutgoingRIB
from exabgp.version import release

from bgpctl.speaker.exabgp import wire
from bgpctl.speaker.exabgp.extension import pacing, routes
from bgpctl.speaker.exabgp.extension.encoder import Encoder, graceful_restart

MOVED = f"ExaBGP {release} moved this: see bgpctl/speaker/exabgp/extension/__init__.py before you upgrade"
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
    (Peer.remove, "(self)"),
    (protocol.Protocol.new_eor, "(self, afi, safi)"),
    (protocol.Protocol.new_update, "(self, include_withdraw)"),
    (protocol.Protocol.write, "(self, message, negotiated=None)"),
    (Neighbor.missing, "(self)"),
    (OutgoingRIB.updates, "(self, grouped)"),
    (OutgoingRIB._update_rib, "(self, change)"),
    (OutgoingRIB.cached_changes, "(self, families=None, actions=(<Action.ANNOUNCE: 1>,))"),
    (RIB.uncache, "(self)"),
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


def test_attributes_carry_what_the_next_manager_must_know() -> None:
    """In `_seen` from the moment of the announcement, also while no session is up."""
    attributes = routes.build_attributes({"communities": ["65000:1"]}, routes.next_hop(V4, None))
    attributes.bgpctl = "ours"
    rib = OutgoingRIB(True, {V4})
    routes.announce(rib, V4, [b"\x08\x0a"], attributes, routes.next_hop(V4, None))
    kept = [(c.attributes.bgpctl, c.nlri.packed) for c in rib._seen[V4].values()]
    holds(kept == [("ours", b"\x08\x0a")], "a Change no longer keeps its Attributes")


def test_a_peer_whose_generator_ended_is_dropped() -> None:
    peer: Any = object.__new__(Peer)
    peer.reactor = SimpleNamespace(processes=SimpleNamespace(broken=lambda neighbor: False))
    peer.neighbor, peer._restart, peer.generator = None, False, iter([ACTION.LATER])
    holds(peer.run() == ACTION.LATER, "Peer.run does not step the generator")
    holds(peer.run() == ACTION.CLOSE, "Peer.run does not close a peer that ended without _restart")


def test_a_prefix_is_an_inet_in_every_way_that_counts() -> None:
    for text in ("10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "fd00::/64", "::/0"):
        network = ip_network(text)
        ((name, blob),) = wire.pack_prefixes([network]).items()
        (packed,) = wire.unpack_prefixes(blob, name)
        ours = routes.Prefix(routes.FAMILIES[name], packed, Action.ANNOUNCE, NoNextHop)
        stock = INET(*routes.FAMILIES[name], Action.ANNOUNCE)
        stock.cidr = CIDR(network.network_address.packed, network.prefixlen)
        holds(ours.index() == stock.index(), f"the index of {text} differs")
        holds(ours.pack_nlri() == stock.pack_nlri(), f"the wire format of {text} differs")
        holds(str(ours) == str(stock) == text, f"{text} prints as {ours} and {stock}")


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


def queue() -> Any:
    rib = OutgoingRIB(True, [V4, V6])
    rib.in_flight = 0
    return rib


def announce(rib: Any, family: Any, packed: list[bytes], **wanted: object) -> None:
    hop = routes.next_hop(family, None)
    routes.announce(rib, family, packed, routes.build_attributes(wanted, hop), hop)


def host(number: int) -> bytes:
    return bytes((32, 10, 9, 8, number))


def messages(rib: Any) -> list[bytes]:
    return [m[19:] for u in routes.grouped(rib.updates(True)) for m in u.messages(_Session())]


def test_a_change_replaces_the_one_that_waits() -> None:
    rib = queue()
    announce(rib, V4, [host(1), host(2)], communities=["65000:1"])
    routes.withdraw(rib, V4, [host(1)])
    announce(rib, V4, [host(1)], communities=["65000:2"])
    announce(rib, V4, [host(3)], communities=["65000:1"])
    routes.withdraw(rib, V4, [host(3)])
    holds(rib.pending(), "nothing is pending")
    sent = [(n.pack_nlri(), n.action) for u in rib.updates(True) for n in u.nlris]
    holds(
        sorted(sent) == [(host(1), Action.ANNOUNCE), (host(2), Action.ANNOUNCE), (host(3), Action.WITHDRAW)],
        f"one prefix is queued twice: {sent}",
    )
    holds(routes.flushed(rib), "the queue is not empty after it was sent")
    known = {change.nlri.pack_nlri() for change in rib.cached_changes([V4])}
    holds(known == {host(1), host(2)}, "the cache for the next session is wrong")
    holds(len(rib._seen[V4]) == 2, "_seen no longer counts by family")


def test_withdrawing_everything() -> None:
    rib = queue()
    announce(rib, V4, [host(n) for n in range(9)])
    announce(rib, V6, [b"\x40" + bytes(8)])
    messages(rib)
    routes.withdraw_all(rib)
    gone = [n for u in rib.updates(True) for n in u.nlris]
    holds({n.action for n in gone} == {Action.WITHDRAW} and len(gone) == 10, "not everything is withdrawn")


def test_one_update_for_many_ipv6_prefixes_and_next_hops_per_family() -> None:
    rib = queue()
    numbers = list(range(200))
    random.Random(1).shuffle(numbers)
    announce(rib, V6, [b"\x80" + bytes(15) + bytes((n,)) for n in numbers])
    announce(rib, V4, [host(n) for n in numbers])
    sent = messages(rib)
    holds(len(sent) == 2, f"{len(sent)} messages")
    native = next(m for m in sent if host(7) in m)
    holds(bytes((0x40, 3, 4, 10, 0, 0, 11)) in native, "no NEXT_HOP of our own in the IPv4 UPDATE")
    mapped = bytes(10) + b"\xff\xff" + bytes((10, 0, 0, 11))
    holds(any(mapped in m for m in sent if m is not native), "no IPv4-mapped next hop in the IPv6 UPDATE")


def test_ipv6_prefixes_come_one_by_one_with_one_attribute_set() -> None:
    """What `routes.grouped` joins; when ExaBGP groups them itself, it can go."""
    rib = queue()
    announce(rib, V6, [b"\x80" + bytes(15) + bytes((n,)) for n in range(3)])
    updates = list(rib.updates(True))
    holds([len(u.nlris) for u in updates] == [1, 1, 1], "ExaBGP groups IPv6 by itself now: drop `grouped`?")
    holds(len({id(u.attributes) for u in updates}) == 1, "they do not share their attributes")


@pytest.mark.parametrize(("peer_as", "path"), [(64512, bytes((2, 1, 0, 0, 0xFD, 0xE9))), (65001, b"")])
def test_attributes_that_exabgp_adds(peer_as: int, path: bytes) -> None:
    packed = Attributes().pack(_Session(peer_as=peer_as))
    holds(bytes((0x40, 1, 1, 0)) in packed, "no ORIGIN IGP")
    holds(bytes((0x40, 2, len(path))) + path in packed, "AS_PATH")
    holds((bytes((0x40, 5, 4, 0, 0, 0, 100)) in packed) == (peer_as == 65001), "LOCAL_PREF for iBGP only")


def test_updates_carry_their_nlris_and_attributes() -> None:
    update = Update([1], 2)
    holds((update.nlris, update.attributes) == ([1], 2), "Update keeps other names")
    change = Change(routes.Prefix(V4, host(1), Action.ANNOUNCE, None), Attributes())
    holds(change.nlri.family().afi_safi() == (AFI.ipv4, SAFI.unicast), "the family of a change")


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
    program = "import sys, bgpctl.speaker.exabgp.engine; sys.exit('exabgp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_cease_with_words_is_sent_as_it_is() -> None:
    data = wire.shutdown_communication("été")
    packed = Notify(6, 2, data).message()
    holds(packed[19:] == bytes((6, 2)) + data, "Notify changes octets that it is given")
