"""A real gobgpd as the engine of a node of another stack: one session, which its agent opens and fills."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bgpctl.lab.routers.process import end, spawn, write
from bgpctl.lab.routers.spec import Recipe

API_PORT = 50051


@dataclass
class Gobgp:
    """A gobgpd at `address` with one peer, the router at `router`:`port`; graceful restart is on unless
    `restart` is None, with `notification` the N bit (RFC 8538) too. `next_hop` "" = its own address, which a
    GoBGP before 3.20 refuses as a router where it is loopback."""

    address: str
    asn: int
    router: str
    port: int
    router_asn: int = 65000
    restart: int | None = 120
    next_hop: str = ""
    notification: bool = False
    hold: int = 9
    keepalive: int = 3
    _process: subprocess.Popen[bytes] | None = None
    _announced: frozenset[str] = frozenset()
    _communities: tuple[str, ...] = ()

    @contextmanager
    def running(self, directory: Path) -> Iterator[Gobgp]:
        """While it lasts; its files are below `directory`."""
        try:
            self.start(directory)
            yield self
        finally:
            self.stop()

    def start(self, directory: Path) -> None:
        """Its peer is not opened yet. Call it in the main thread: children die with the thread."""
        api = f"{self.address}:{API_PORT}"
        argv = ("gobgpd", "-f", str(directory / "gobgpd.toml"), "--api-hosts", api, "--pprof-disable")
        recipe = Recipe(argv, {"gobgpd.toml": self._config()}, "")
        write(recipe, directory)
        with (directory / "output.log").open("ab") as log:
            self._process = spawn(recipe, directory, log.fileno())

    def stop(self) -> None:
        """Safe to call twice."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """It ends without a word to its router."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def died(self) -> bool:
        """It ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def _config(self) -> str:
        graceful = f"""[neighbors.graceful-restart.config]
enabled = true
restart-time = {self.restart}
notification-enabled = {str(self.notification).lower()}
"""
        family = """[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
"""
        return f"""[global.config]
as = {self.asn}
router-id = "{self.address}"
port = -1
[[neighbors]]
[neighbors.config]
neighbor-address = "{self.router}"
peer-as = {self.router_asn}
admin-down = true
[neighbors.transport.config]
local-address = "{self.address}"
remote-port = {self.port}
[neighbors.timers.config]
hold-time = {self.hold}
keepalive-interval = {self.keepalive}
connect-retry = 1
idle-hold-time-after-reset = 1
{graceful if self.restart else ""}[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv4-unicast"
{family if self.restart else ""}"""

    def open(self, key: str) -> None:
        self._gobgp("neighbor", self.router, "enable")

    def close(self, key: str) -> None:
        self._gobgp("neighbor", self.router, "disable")
        self.announce(key, ())

    def announce(self, key: str, prefixes: Sequence[str], communities: Sequence[str] = ()) -> None:
        """These and no other. One that is announced with other communities than before is replaced."""
        wanted, with_ = frozenset(prefixes), tuple(communities)
        more = ("community", ",".join(with_)) if with_ else ()
        for prefix in sorted(wanted - (self._announced if with_ == self._communities else frozenset())):
            self._gobgp("global", "rib", "add", prefix, "nexthop", self.next_hop or self.address, *more)
        self._communities = with_
        if wanted:
            for prefix in sorted(self._announced - wanted):
                self._gobgp("global", "rib", "del", prefix)
        elif self._announced:
            self._gobgp("global", "rib", "del", "all")
        self._announced = wanted

    def session(self, key: str) -> tuple[str, float]:
        (neighbor,) = json.loads(self._gobgp("neighbor", "-j"))
        number = neighbor["state"].get("session_state", neighbor["state"].get("session-state"))
        if number not in (6, "established"):
            return "active", 0.0
        uptime = neighbor["timers"]["state"]["uptime"]
        return "established", float(uptime["seconds"] if isinstance(uptime, dict) else uptime)

    def advertised(self, key: str) -> int:
        return len(json.loads(self._gobgp("neighbor", self.router, "adj-out", "-j")) or ())

    def _gobgp(self, *words: str) -> str:
        command = ("gobgp", "-u", self.address, "-p", str(API_PORT), *words)
        return subprocess.run(command, check=True, timeout=5, capture_output=True, text=True).stdout
