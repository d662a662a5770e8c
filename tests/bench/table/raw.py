"""The limit: a peer that opens a session and sends UPDATEs that were made before, byte for byte those of our
engine."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import ExitStack
from ipaddress import ip_address

from bgpctl.core.intent.diff import Announce, Configure
from bgpctl.core.model import Attributes
from tests.bench.table.announcers import Announcer
from tests.bench.table.load import Load
from tests.bench.table.receiver import PORT
from tests.support.bgppeer import KEEPALIVE, MARKER, OPEN, UPDATE, BgpPeer
from tests.support.engines import engine, peer
from tests.support.wait import eventually


class Raw(Announcer):
    """Nothing but a socket."""

    name = "raw replay"

    def prepare(self, stack: ExitStack, load: Load) -> None:
        self._updates = recorded(load, self.node.asn)
        self._session: socket.socket | None = None

    def connect(self) -> None:
        """Returns when the table is being sent, by a thread, so that the looking goes on."""
        source = (self.node.address, 0)
        session = self._session = socket.create_connection((self.receiver.address, PORT), 5, source)
        session.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session.sendall(_message(OPEN, self._open()))
        reader = session.makefile("rb")
        assert _kind(reader.read(19), reader) == OPEN
        session.sendall(_message(KEEPALIVE))
        assert _kind(reader.read(19), reader) == KEEPALIVE
        threading.Thread(target=session.sendall, args=(self._updates,), daemon=True).start()

    def disconnect(self) -> None:
        if self._session is not None:
            self._session.close()

    def _open(self) -> bytes:
        with BgpPeer("127.0.0.1", self.node.asn) as voice:
            body = voice._open()
        return body[:5] + socket.inet_aton(self.node.address) + body[9:]


def recorded(load: Load, asn: int) -> bytes:
    """The UPDATEs that our engine sends for it."""
    with BgpPeer("127.0.0.1") as sink, engine() as eng:
        one = peer(sink.address, sink.port, sink.asn, "127.0.0.1", local_asn=asn, restart_time=None)
        eng.perform(Configure((one,)))
        attributes = Attributes(next_hop=ip_address(load.next_hop))
        eng.perform(Announce(one.name, attributes, tuple(load.prefixes)))
        eng.session(lambda s: s.established and s.pending == 0)
        eng.perform(Configure((peer(sink.address, 1, sink.asn, "127.0.0.1", local_asn=asn),)))
        eventually(lambda: sink.endings)
        bodies = [message.body for message in sink.of_kind(UPDATE, 1)]
        return b"".join(_message(UPDATE, body) for body in bodies)


def _message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def _kind(head: bytes, reader: object) -> int:
    reader.read(struct.unpack("!H", head[16:18])[0] - 19)  # type: ignore[attr-defined]
    return head[18]
