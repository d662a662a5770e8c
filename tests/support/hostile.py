"""Hostile surroundings for tests: routers that break the rules, and the good one beside them that must notice
nothing.

`beside(…)` is an engine with a well-behaved witness; a test adds peers that are not. `untouched` then says
whether the witness's session, routes, keepalives and the engine's process are what they were, and that no
password got out.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path

from bgpctl.core.intent.diff import Announce, Configure, Synced, Withdraw
from bgpctl.core.model import Attributes, IPNetwork, Peer, Secret
from tests.support import bgppeer, engines
from tests.support.bgppeer import MARKER, BgpPeer
from tests.support.engines import EngineUnderTest
from tests.support.wait import eventually

PASSWORD = "swordfish-4711"
PLAIN = (ip_network("10.9.1.0/24"), ip_network("10.9.2.0/24"), ip_network("fd00:9::/64"))
HOLD, KEEPALIVE = 6, 1
MOST_SILENCE = 3.0
"""Seconds without a message that a router with a hold time of HOLD may see: half of it, on a busy machine."""


# --- what a process costs ---------------------------------------------------------------------------------


def memory(pid: int) -> float:
    """Proportional set size in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no Pss of {pid}")


def processor(pid: int) -> float:
    """Seconds of CPU used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def load(pid: int, seconds: float) -> float:
    """The share of one core that a process uses for so long."""
    before, began = processor(pid), time.monotonic()
    time.sleep(seconds)
    return (processor(pid) - before) / (time.monotonic() - began)


# --- the witness ------------------------------------------------------------------------------------------


class Beside:
    """An engine that serves a good router and whatever else a test gives it."""

    def __init__(self, eng: EngineUnderTest, witness: BgpPeer) -> None:
        self.eng, self.witness = eng, witness
        self.calm = engines.peer(
            witness.address, witness.port, hold_time=HOLD, keepalive_time=KEEPALIVE, restart_time=None
        )
        # A password that leads nowhere: it must not get out whatever goes wrong beside it.
        self._guarded = engines.peer("127.0.0.9", 1, password=Secret(PASSWORD))
        self._expected: set[IPNetwork] = set(PLAIN)
        self._probes = iter(range(1, 1 << 16))

    def start(self, *others: Peer) -> None:
        """Configure the witness and `others`; returns when the witness has everything."""
        eng = self.eng
        self.add(*others)
        eng.perform(Announce(self.calm.name, Attributes(), PLAIN))
        eng.perform(Synced((self.calm.name, *(other.name for other in others))))
        eventually(lambda: len(self.witness.ends_of_rib(1)) == 2)
        self._generation = eng.observed().generation

    def add(self, *others: Peer) -> None:
        """Configure the witness and `others`."""
        self.eng.perform(Configure((self.calm, self._guarded, *others)))

    @property
    def pid(self) -> int:
        """ExaBGP's process."""
        assert self.eng._child is not None and self.eng._child.pid is not None
        return self.eng._child.pid

    def latency(self) -> float:
        """Seconds until one more route is on the witness, and gone again: the slower of the two."""
        prefix = IPv4Network((0x0A0A0000 + next(self._probes), 32))
        announced = self._until(Announce(self.calm.name, Attributes(), (prefix,)), lambda t: prefix in t)
        withdrawn = self._until(Withdraw(self.calm.name, (prefix,)), lambda t: prefix not in t)
        return max(announced, withdrawn)

    def _until(self, action: Announce | Withdraw, condition: Callable[[set[IPNetwork]], bool]) -> float:
        began = time.monotonic()
        self.eng.perform(action)
        eventually(lambda: condition(self.witness.routes()), interval=0.005)
        return time.monotonic() - began

    def untouched(self) -> None:
        """Nothing of all this reached the witness, the engine's process, or a log that shows a password."""
        witness, eng = self.witness, self.eng
        assert (witness.sessions, witness.endings) == (1, []), eng.logged[-20:]
        assert witness.routes() == self._expected
        times = [message.time for message in witness.messages]
        gaps = [late - early for early, late in zip(times, [*times[1:], time.time()], strict=True)]
        assert max(gaps) < MOST_SILENCE, f"the witness heard nothing for {max(gaps):.1f} s"
        assert eng.observed().generation == self._generation, "ExaBGP was replaced"
        said = "\n".join(eng.logged)
        assert "Traceback" not in said, said
        assert PASSWORD not in said + repr(eng.observed())


@contextmanager
def beside() -> Iterator[Beside]:
    """An engine and its witness; `start` brings them up together with the others."""
    with engines.engine() as eng, engines.new_router(hold_time=HOLD) as witness:
        yield Beside(eng, witness)


# --- routers that break the rules --------------------------------------------------------------------------


def message(kind: int, body: bytes = b"", marker: bytes = MARKER, length: int | None = None) -> bytes:
    """A BGP message, with a header as wrong as asked for."""
    return marker + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def opening(asn: int = 64512, hold: int = 90, parameters: bytes | None = None) -> bytes:
    """The body of an OPEN: IPv4 and IPv6 unicast, four octet AS, route refresh; or other `parameters`."""
    if parameters is None:
        packed = (
            bytes.fromhex("010400010001" + "010400020001" + "0200") + b"\x41\x04" + struct.pack("!I", asn)
        )
        parameters = bytes((2, len(packed))) + packed
    head = struct.pack("!BHH", 4, asn, hold) + socket.inet_aton("10.255.0.1")
    return head + bytes((len(parameters),)) + parameters


@dataclass
class Wire:
    """One TCP connection of a router, message by message."""

    sock: socket.socket
    _rest: bytes = b""

    def send(self, raw: bytes) -> None:
        self.sock.sendall(raw)

    def read(self, seconds: float = 5.0) -> tuple[int, bytes] | None:
        """(kind, body) of the next message; None at the end of the connection. Raises TimeoutError."""
        self.sock.settimeout(seconds)
        while len(self._rest) < 19 or len(self._rest) < self._length:
            try:
                chunk = self.sock.recv(1 << 16)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._rest += chunk
        length = self._length
        raw, self._rest = self._rest[:length], self._rest[length:]
        assert raw[:16] == MARKER, "the stream lost its messages"
        return raw[18], raw[19:]

    @property
    def _length(self) -> int:
        return int.from_bytes(self._rest[16:18], "big")

    def establish(self, hold: int = 90) -> None:
        """OPEN and KEEPALIVE, both ways. Raises AssertionError when the other side does not."""
        self.send(message(bgppeer.OPEN, opening(hold=hold)))
        self.expect(bgppeer.OPEN)
        self.send(message(bgppeer.KEEPALIVE))
        self.expect(bgppeer.KEEPALIVE)

    def expect(self, kind: int) -> bytes:
        got = self.read()
        assert got is not None and got[0] == kind, got
        return got[1]

    def to_the_end(self, seconds: float = 5.0) -> list[tuple[int, bytes]]:
        """Everything until the other side closes. Raises TimeoutError when it does not."""
        seen = []
        while (got := self.read(seconds)) is not None:
            seen.append(got)
        return seen


class RawRouter:
    """A listener that gives each connection to `behaviour`, one thread each; it is closed afterwards."""

    def __init__(self, behaviour: Callable[[Wire], None], *, receive_buffer: int = 0) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server((engines.new_address(), 0))
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.address, self.port = self._listener.getsockname()
        self.accepted: list[float] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> RawRouter:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.accepted.append(time.monotonic())
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, AssertionError):
            self._behaviour(Wire(sock))


def reset(wire: Wire) -> None:
    """RST: unread data or not, nothing more is exchanged."""
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.sock.close()
