"""GoBGP announces what it was given as an MRT dump, which is the fastest way in: its other commands take one
prefix each."""

from __future__ import annotations

import socket
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path

from bgpctl.core.model import IPNetwork
from bgpctl.lab.routers.gobgp import API_PORT
from bgpctl.lab.routers.process import listening
from bgpctl.lab.routers.spec import Recipe
from tests.bench.table.announcers import Announcer
from tests.bench.table.load import Load
from tests.bench.table.receiver import ASN, PORT, run

# RFC 6396 section 4: TABLE_DUMP_V2, and its subtypes
_TABLE_DUMP_V2, _PEER_INDEX, _RIB = 13, 1, {4: 2, 6: 4}

UNREAD = 3000
"""More than what waits in the buffers of a gobgp that ends."""


class GoBgp(Announcer):
    """Held back by `admin-down`."""

    name = "GoBGP"

    def prepare(self, stack: ExitStack, load: Load) -> None:
        api = f"{self.node.address}:{API_PORT}"
        recipe = Recipe(
            ("gobgpd", "-f", "gobgpd.toml", "--api-hosts", api, "--pprof-disable"),
            {"gobgpd.toml": self._config(load)},
            "",
        )
        run(stack, self.directory, recipe)
        self.receiver.until(lambda: listening(self.node.address, API_PORT), self.bound)
        dump = self.directory / "table.mrt"
        write_mrt(dump, load)
        self._ask("mrt", "inject", "global", str(dump), "--queue-size", "1")
        summary, ready = ("global", "rib", "summary", "-a", f"ipv{load.version}"), f": {load.count},"
        self.receiver.until(lambda: ready in self._ask(*summary), self.bound)

    def _config(self, load: Load) -> str:
        return f"""[global.config]
as = {self.node.asn}
router-id = "{self.node.address}"
port = {PORT}
local-address-list = ["{self.node.address}"]
[[neighbors]]
[neighbors.config]
neighbor-address = "{self.receiver.address}"
peer-as = {ASN}
admin-down = true
[neighbors.transport.config]
local-address = "{self.node.address}"
remote-port = {PORT}
[neighbors.ebgp-multihop.config]
enabled = true
multihop-ttl = 2
[neighbors.timers.config]
connect-retry = 1
hold-time = 90
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv{load.version}-unicast"
"""

    def _ask(self, *words: str) -> str:
        command = ("gobgp", "-u", self.node.address, "-p", str(API_PORT), *words)
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    def connect(self) -> None:
        self._ask("neighbor", self.receiver.address, "enable")

    def disconnect(self) -> None:
        self._ask("neighbor", self.receiver.address, "disable")


def write_mrt(path: Path, load: Load) -> None:
    """A dump of these routes from one peer, the last one often: gobgp 3.10 ends before it has injected what
    it has read."""
    view = socket.inet_aton("192.0.2.2") + struct.pack("!HH", 0, 1)
    source = struct.pack("!B4s4sI", 2, socket.inet_aton("192.0.2.3"), socket.inet_aton("192.0.2.3"), 65099)
    attributes = _attributes(load)
    entry = struct.pack("!HIH", 0, 0, len(attributes)) + attributes
    with path.open("wb") as dump:
        dump.write(_record(_PEER_INDEX, view + source))
        for number, prefix in enumerate([*load.prefixes, *[load.prefixes[-1]] * UNREAD]):
            body = struct.pack("!I", number) + _nlri(prefix) + struct.pack("!H", 1) + entry
            dump.write(_record(_RIB[load.version], body))


def _attributes(load: Load) -> bytes:
    """ORIGIN, an empty AS_PATH, and the next hop: in a whole MP_REACH, as gobgp wants it (RFC 6396 section
    4.3.4 has it abbreviated)."""
    base = b"\x40\x01\x01\x00" + b"\x40\x02\x00"
    if load.version == 4:
        return base + b"\x40\x03\x04" + socket.inet_aton(load.next_hop)
    return base + b"\x80\x0e\x15\x00\x02\x01\x10" + socket.inet_pton(socket.AF_INET6, load.next_hop) + b"\0"


def _nlri(prefix: IPNetwork) -> bytes:
    return bytes((prefix.prefixlen,)) + prefix.network_address.packed[: (prefix.prefixlen + 7) // 8]


def _record(subtype: int, body: bytes) -> bytes:
    return struct.pack("!IHHI", 0, _TABLE_DUMP_V2, subtype, len(body)) + body
