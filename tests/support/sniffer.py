"""BGP messages as they pass the loopback interface: a packet socket, no tool. Root."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from bgpctl.core.bgp import update
from bgpctl.core.bgp.notification import notification_text, read_cease

ETH_IP = 0x0800  # linux/if_ether.h
_HEADER = 19  # octets of a BGP message's header (RFC 4271 section 4.1)
_OPEN, _UPDATE, _NOTIFICATION = 1, 2, 3
_CEASE = 6
_FIN, _RST = 0x01, 0x04
_OUTGOING = 4  # linux/if_packet.h: each packet passes loopback twice


@dataclass(frozen=True, slots=True)
class Heard:
    """A message at `at` (epoch seconds) from one address to another, in words; "" = one that is not shown."""

    at: float
    source: str
    target: str
    words: str


@dataclass(slots=True)
class _Stream:
    data: bytearray = field(default_factory=bytearray)
    next: int | None = None
    waiting: dict[int, bytes] = field(default_factory=dict)


class Sniffer:
    """All BGP between two addresses of 127.0.0.0/8, from `with` on, in the order in which it came."""

    def __init__(self, one: str, other: str, port: int) -> None:
        self._ends, self._port = {one, other}, port
        self._streams: dict[tuple[str, int, str, int], _Stream] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_IP))
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sniffer", daemon=True)
        self.heard: list[Heard] = []

    def __enter__(self) -> Sniffer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                frame, where = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if where[2] != _OUTGOING:
                self._packet(frame[14:], time.time())

    def _packet(self, packet: bytes, at: float) -> None:
        length, protocol = (packet[0] & 15) * 4, packet[9]
        source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        if protocol != socket.IPPROTO_TCP or {source, target} != self._ends:
            return
        segment = packet[length : int.from_bytes(packet[2:4])]
        ours, theirs, number = struct.unpack("!HHI", segment[:8])
        if self._port not in (ours, theirs):
            return
        offset, flags = (segment[12] >> 4) * 4, segment[13]
        stream = self._streams.setdefault((source, ours, target, theirs), _Stream())
        self._segment(stream, number, bytes(segment[offset:]))
        for words in _messages(stream.data):
            self.heard.append(Heard(at, source, target, words))
        if flags & (_FIN | _RST):
            self.heard.append(Heard(at, source, target, "TCP closed" if flags & _FIN else "TCP reset"))

    def _segment(self, stream: _Stream, number: int, data: bytes) -> None:
        """What came before its turn waits for it; what came twice is dropped."""
        if not data:
            return
        if stream.next is None:
            stream.next = number
        stream.waiting[number] = data
        while (data := stream.waiting.pop(stream.next, b"")) != b"":
            stream.data += data
            stream.next = (stream.next + len(data)) % (1 << 32)


def _messages(data: bytearray) -> list[str]:
    """The whole messages at the beginning, which are taken off."""
    found = []
    while len(data) >= _HEADER and data[:16] == update.MARKER:
        length = int.from_bytes(data[16:18])
        if len(data) < length:
            break
        found.append(_words(data[18], bytes(data[_HEADER:length])))
        del data[:length]
    return [words for words in found if words]


def _words(kind: int, body: bytes) -> str:
    if kind == _UPDATE:
        return _update(body)
    if kind == _NOTIFICATION:
        return _notification(body)
    return "OPEN" if kind == _OPEN else ""


def _update(body: bytes) -> str:
    """How many routes it announces or withdraws; one without any is End-of-RIB (RFC 4724 section 2)."""
    changes = list(update.read(body))
    gone = sum(not announced for _, _, announced in changes)
    if not changes:
        return "UPDATE: End-of-RIB"
    return " and ".join(
        words
        for words in (
            f"UPDATE: withdraw {gone} routes" if gone else "",
            f"UPDATE: announce {len(changes) - gone} routes" if len(changes) > gone else "",
        )
        if words
    ).replace(" 1 routes", " 1 route")


def _notification(body: bytes) -> str:
    code, subcode = body[0], body[1]
    said = read_cease(subcode, body[2:])[1] if code == _CEASE else ""
    return (
        f"Cease ({code}/{subcode}): “{said}”" if said else f"NOTIFICATION: {notification_text(code, subcode)}"
    )
