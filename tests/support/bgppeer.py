"""A small BGP router of our own that only listens: it records every message in the order it came.

Independent of ExaBGP on purpose (what is under test must not decode itself). One session at a time; a new
connection replaces the old one, as a router's would after a restart of its neighbor.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
EXTENDED_NEXT_HOP = 5
MULTIPROTOCOL, GRACEFUL_RESTART, FOUR_OCTET_AS, LONG_LIVED = 1, 64, 65, 71

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Message:
    """One received message; `session` counts the connections from 1."""

    session: int
    kind: int
    body: bytes
    time: float


@dataclass(frozen=True)
class Update:
    """A decoded UPDATE. `end_of_rib` is the family as "ipv4" or "ipv6" when it is one."""

    announced: frozenset[Network]
    withdrawn: frozenset[Network]
    attributes: dict[int, bytes] = field(default_factory=dict)
    end_of_rib: str = ""


class BgpPeer:
    """A listener on `address`:`port`. `graceful_restart` and `long_lived` are the raw values of capabilities
    64 and 71 in our OPEN. `messages` and `endings` ("fin", "rst" per session) grow while it runs."""

    def __init__(
        self,
        address: str,
        asn: int = 64512,
        *,
        port: int = 0,
        hold_time: int = 90,
        families: tuple[int, ...] = (1, 2),
        graceful_restart: bytes | None = None,
        long_lived: bytes | None = None,
        extended_next_hop: bool = False,
        receive_buffer: int = 0,
    ) -> None:
        self.asn, self.hold_time, self.families = asn, hold_time, families
        self.graceful_restart, self.long_lived = graceful_restart, long_lived
        self.extended_next_hop = extended_next_hop
        self.messages: list[Message] = []
        self.endings: list[str] = []
        self.silent = threading.Event()  # it sends no KEEPALIVE while this is set
        self.reading = threading.Event()
        self.reading.set()
        self._listener = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.address, self.port = self._listener.getsockname()[:2]
        self._session: socket.socket | None = None
        self._count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> BgpPeer:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone does not end a waiting accept
        self._listener.close()
        self.hang_up()
        self.reading.set()

    # -- what a router may do

    def hang_up(self) -> None:
        if self._session is not None:
            with contextlib.suppress(OSError):
                self._session.shutdown(socket.SHUT_RDWR)

    def send(self, kind: int, body: bytes = b"") -> None:
        assert self._session is not None
        self._session.sendall(MARKER + struct.pack("!HB", 19 + len(body), kind) + body)

    def notify(self, code: int, subcode: int, data: bytes = b"") -> None:
        self.send(NOTIFICATION, bytes((code, subcode)) + data)
        self.hang_up()

    def announce(self, *prefixes: str, next_hop: str = "") -> None:
        """IPv4 routes with the mandatory attributes; the next hop is our address unless it is given."""
        path = b"\x02\x01" + struct.pack("!I", self.asn)
        attributes = b"\x40\x01\x01\x00" + b"\x40\x02" + bytes((len(path),)) + path
        attributes += b"\x40\x03\x04" + socket.inet_aton(next_hop or self.address)
        nlri = b"".join(_pack(ip_network(prefix)) for prefix in prefixes)
        self.send(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + nlri)

    def protect(self, client: str, password: bytes) -> None:
        """TCP MD5 (RFC 2385) for connections from `client`: struct tcp_md5sig of linux/tcp.h."""
        place = struct.pack("HH4s120x", socket.AF_INET, 0, socket.inet_aton(client))
        key = struct.pack("2xH4x80s", len(password), password)
        self._listener.setsockopt(socket.IPPROTO_TCP, 14, place + key)

    def connect(self, address: str, port: int) -> None:
        """Open the session from our side."""
        sock = socket.create_connection((address, port), 5, source_address=(self.address, 0))
        threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    # -- what came in

    def of_kind(self, kind: int, session: int | None = None) -> list[Message]:
        return [m for m in list(self.messages) if m.kind == kind and session in (None, m.session)]

    def updates(self, session: int | None = None) -> list[Update]:
        return [decode_update(m.body) for m in self.of_kind(UPDATE, session)]

    def routes(self) -> set[Network]:
        """What a router without graceful restart would have now, from the last session."""
        table: set[Network] = set()
        for update in self.updates(self._count):
            table -= update.withdrawn
            table |= update.announced
        return table

    def ends_of_rib(self, session: int | None = None) -> list[str]:
        return [update.end_of_rib for update in self.updates(session) if update.end_of_rib]

    @property
    def sessions(self) -> int:
        return self._count

    # -- the session

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.hang_up()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self._session = sock
        self._count += 1
        number, ending = self._count, "fin"
        try:
            self.send(OPEN, self._open())
            self._read(sock, number)
        except ConnectionError:
            ending = "rst"
        except OSError:
            ending = "closed"
        self.endings.append(ending)
        sock.close()

    def _read(self, sock: socket.socket, number: int) -> None:
        data, kept = b"", time.monotonic()
        sock.settimeout(1.0)
        while True:
            self.reading.wait()
            if time.monotonic() - kept >= 1.0 and not self.silent.is_set():
                kept = time.monotonic()
                self.send(KEEPALIVE)
            try:
                chunk = sock.recv(1 << 16)
            except TimeoutError:
                continue
            if not chunk:
                return
            data += chunk
            while len(data) >= 19 and len(data) >= (length := struct.unpack("!H", data[16:18])[0]):
                message, data = data[:length], data[length:]
                self.messages.append(Message(number, message[18], message[19:], time.time()))
                if message[18] == OPEN:
                    self.send(KEEPALIVE)

    def _open(self) -> bytes:
        capabilities = [(MULTIPROTOCOL, struct.pack("!HBB", afi, 0, 1)) for afi in self.families]
        capabilities.append((FOUR_OCTET_AS, struct.pack("!I", self.asn)))
        capabilities.append((2, b""))
        if self.graceful_restart is not None:
            capabilities.append((GRACEFUL_RESTART, self.graceful_restart))
        if self.extended_next_hop:
            capabilities.append((EXTENDED_NEXT_HOP, struct.pack("!HHH", 1, 1, 2)))
        if self.long_lived is not None:
            capabilities.append((LONG_LIVED, self.long_lived))
        packed = b"".join(bytes((code, len(value))) + value for code, value in capabilities)
        parameters = bytes((2, len(packed))) + packed
        asn = self.asn if self.asn < 65536 else 23456
        head = struct.pack("!BHH", 4, asn, self.hold_time) + socket.inet_aton("10.255.0.1")
        return head + bytes((len(parameters),)) + parameters


def capabilities_of(body: bytes) -> dict[int, list[bytes]]:
    """The capabilities of a received OPEN's body, by code."""
    found: dict[int, list[bytes]] = {}
    data = body[10:]
    while data:
        parameter, data = data[2 : 2 + data[1]], data[2 + data[1] :]
        while parameter:
            found.setdefault(parameter[0], []).append(parameter[2 : 2 + parameter[1]])
            parameter = parameter[2 + parameter[1] :]
    return found


def decode_update(body: bytes) -> Update:
    """RFC 4271 section 4.3, with RFC 4760 for IPv6, RFC 8950 for IPv4 with an IPv6 next hop, and RFC 4724
    section 2 for End-of-RIB."""
    (length,) = struct.unpack("!H", body[:2])
    withdrawn, rest = _prefixes(body[2 : 2 + length], 4), body[2 + length :]
    (length,) = struct.unpack("!H", rest[:2])
    attributes = _attributes(rest[2 : 2 + length])
    announced = _prefixes(rest[2 + length :], 4)
    end = "ipv4" if not attributes and not withdrawn and not announced else ""
    if reach := attributes.get(14):
        announced |= _prefixes(reach[5 + reach[3] :], 4 if reach[1] == 1 else 6)
    if unreach := attributes.get(15):
        withdrawn |= _prefixes(unreach[3:], 6)
        end = "ipv6" if len(unreach) == 3 else end
    return Update(announced, withdrawn, attributes, end)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while data:
        flags, code = data[0], data[1]
        header, form = (4, "!H") if flags & 0x10 else (3, "!B")
        (length,) = struct.unpack(form, data[2:header])
        found[code], data = data[header : header + length], data[header + length :]
    return found


def _prefixes(data: bytes, version: int) -> frozenset[Network]:
    found: set[Network] = set()
    size, kind = (4, IPv4Network) if version == 4 else (16, IPv6Network)
    while data:
        octets = (data[0] + 7) // 8
        found.add(kind((data[1 : 1 + octets].ljust(size, b"\0"), data[0])))
        data = data[1 + octets :]
    return frozenset(found)


def _pack(prefix: Network) -> bytes:
    return bytes((prefix.prefixlen,)) + prefix.network_address.packed[: (prefix.prefixlen + 7) // 8]
