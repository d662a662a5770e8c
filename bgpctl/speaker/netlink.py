"""What only the node's kernel can tell: the addresses of its interfaces, its default gateways, its boot time.

Read over rtnetlink (rtnetlink(7)), and read again when the kernel says that something changed: nothing is
polled, no command is run. Where there is no rtnetlink, everything is "not known" (None).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from bgpctl.core.model import IPAddress
from bgpctl.core.policy.v2.compile import usable

SETTLE_SECONDS = 0.2  # an interface that comes up is a dozen messages

# linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
_NEWLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWROUTE, _GETROUTE = 16, 18, 20, 22, 24, 26
_DONE, _ERROR = 3, 2
_REQUEST_DUMP = 0x301
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links, addresses and routes of IPv4 and IPv6
_IFF_UP, _OPERSTATES = 0x1, (0, 6)  # unknown (loopback, dummy) or up
_UNICAST, _MAIN_TABLE = 1, 254

_HEADER, _LINK, _ADDRESS = struct.Struct("=IHHII"), struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
_ROUTE, _HOP, _ATTRIBUTE = struct.Struct("=8BI"), struct.Struct("=HBBi"), struct.Struct("=HH")

Message = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Readings:
    """As `core.policy.v2.compile.Host`: interfaces that are up with all their addresses; gateways by "ipv4",
    "ipv6". None = not known."""

    interfaces: Mapping[str, tuple[IPAddress, ...]] | None = None
    gateways: Mapping[str, IPAddress] | None = None

    @property
    def telling(self) -> tuple[object, ...]:
        """The part that can change what is announced: pods' interfaces come and go without addresses."""
        reachable = {name: tuple(usable(found)) for name, found in (self.interfaces or {}).items()}
        return {name: found for name, found in reachable.items() if found}, self.gateways


def read() -> Readings:
    """The kernel's answer now."""
    try:
        links = _links(_dump(_GETLINK))
        return Readings(_interfaces(links, _dump(_GETADDR)), _gateways(links, _dump(_GETROUTE)))
    except (OSError, AttributeError):  # no AF_NETLINK on this system, or not for us
        return Readings()


def booted_at(stat: Path = Path("/proc/stat")) -> float | None:
    """When this machine was booted, in epoch seconds; None = not known."""
    with contextlib.suppress(OSError, ValueError):
        for line in stat.read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    return None


def system_state(running: Path = Path("/run/systemd/system")) -> str:
    """What `systemctl is-system-running` says (running, degraded, stopping …); "" where there is no systemd,
    as in a pod, and where it does not answer within a second."""
    if not running.is_dir():  # sd_booted(3)
        return ""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        asked = ("systemctl", "is-system-running")
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=1.0)
        return done.stdout.strip()
    return ""


class Watch:
    """The readings as they are now; `ring` is called after each change that can matter."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None
        self.readings = Readings()

    def start(self) -> None:
        """Subscribe first, then read: what changes in between is not missed."""
        with contextlib.suppress(OSError, AttributeError):
            told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            told.bind((0, _GROUPS))
            told.settimeout(1.0)
            self._socket = told
        self.readings = read()
        if self._socket is not None:
            threading.Thread(target=self._run, name="follow the kernel", daemon=True).start()

    def stop(self) -> None:
        """Ends within a second."""
        self._stopped.set()

    def _run(self) -> None:
        assert self._socket is not None, "started with a socket"
        with self._socket:
            while not self._stopped.is_set():
                if self._changed(self._socket) and not self._stopped.wait(SETTLE_SECONDS):
                    self._reread()

    @staticmethod
    def _changed(told: socket.socket) -> bool:
        """Something was said, or so much that it was lost (ENOBUFS): both mean the same."""
        try:
            told.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def _reread(self) -> None:
        before, self.readings = self.readings, read()
        if self.readings.telling != before.telling:
            self._ring()


# --- rtnetlink --------------------------------------------------------------------------------------------


def _dump(kind: int) -> list[Message]:
    """All objects of a kind, as (message type, body)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as asked:
        asked.settimeout(5.0)
        asked.send(_HEADER.pack(_HEADER.size + 16, kind, _REQUEST_DUMP, 1, 0) + bytes(16))
        found: list[Message] = []
        while True:
            for message in _messages(asked.recv(1 << 17)):
                if message[0] == _DONE:
                    return found
                if message[0] == _ERROR:
                    raise OSError("rtnetlink refused to answer")
                found.append(message)


def _messages(data: bytes) -> Iterator[Message]:
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(max(length, _HEADER.size)) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        found[kind & 0x3FFF] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(max(length, _ATTRIBUTE.size)) :]
    return found


def _links(messages: list[Message]) -> dict[int, str]:
    """The names of the interfaces that are up, by their index."""
    names: dict[int, str] = {}
    for kind, body in messages:
        if kind == _NEWLINK:
            _, _, index, flags, _ = _LINK.unpack_from(body)
            attributes = _attributes(body[_LINK.size :])
            state = attributes.get(16, b"\0")[0]
            if flags & _IFF_UP and state in _OPERSTATES:
                names[index] = attributes[3].rstrip(b"\0").decode(errors="replace")
    return names


def _interfaces(links: Mapping[int, str], messages: list[Message]) -> dict[str, tuple[IPAddress, ...]]:
    found: dict[str, list[IPAddress]] = {name: [] for name in links.values()}
    for kind, body in messages:
        if kind == _NEWADDR:
            index = _ADDRESS.unpack_from(body)[4]
            attributes = _attributes(body[_ADDRESS.size :])
            raw = attributes.get(2) or attributes.get(1)  # IFA_LOCAL: IFA_ADDRESS is the far end of a tunnel
            if index in links and raw:
                found[links[index]].append(ip_address(raw))
    return {name: tuple(addresses) for name, addresses in found.items()}


def _gateways(links: Mapping[int, str], messages: list[Message]) -> dict[str, IPAddress]:
    """Of the default routes over interfaces that are up, the gateway of the one with the lowest metric. A
    link-local IPv6 one, as router advertisements make it, cannot be a peer (no interface can be named for
    it): it counts only where there is no other."""
    best: dict[str, tuple[tuple[bool, int], IPAddress]] = {}
    for kind, body in messages:
        if kind != _NEWROUTE:
            continue
        _, length, _, _, table, _, _, what, _ = _ROUTE.unpack_from(body)
        attributes = _attributes(body[_ROUTE.size :])
        if length or what != _UNICAST or _number(attributes.get(15), table) != _MAIN_TABLE:
            continue
        metric = _number(attributes.get(6), 0)
        for index, gateway in _hops(attributes):
            name, rank = f"ipv{gateway.version}", (gateway.version == 6 and gateway.is_link_local, metric)
            if index in links and (name not in best or rank < best[name][0]):
                best[name] = rank, gateway
    return {name: gateway for name, (_, gateway) in best.items()}


def _hops(attributes: Mapping[int, bytes]) -> Iterator[tuple[int, IPAddress]]:
    """(interface, gateway) of a route, or of each path of a multipath one."""
    if 5 in attributes:
        yield _number(attributes.get(4), 0), ip_address(attributes[5])
    data = attributes.get(9, b"")
    while len(data) >= _HOP.size:
        length, _, _, index = _HOP.unpack_from(data)
        gateway = _attributes(data[_HOP.size : length]).get(5)
        if gateway:
            yield index, ip_address(gateway)
        data = data[_aligned(max(length, _HOP.size)) :]


def _number(raw: bytes | None, default: int) -> int:
    return int.from_bytes(raw, "little" if _LITTLE else "big") if raw else default


_LITTLE = struct.pack("=H", 1) == b"\1\0"
