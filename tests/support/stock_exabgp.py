"""A stock ExaBGP as a node's speaker: an announcer that bgpctl had no hand in.

It is told what to do through a named pipe that `cat` hands to ExaBGP as an API process.
"""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bgpctl.lab.routers.process import end, spawn, write
from bgpctl.lab.routers.spec import Neighbor, Recipe

# Not a loopback address: GoBGP before 3.20 takes a route with a loopback next hop for withdrawn. Off loopback
# a router wants a next hop that it can reach: the node itself.
NEXT_HOP = {4: "192.0.2.1", 6: "2001:db8::1"}


class StockSpeaker:
    """`node` speaks to the router at `address`:`port`. `restart_time` None = no graceful restart.
    `add_path`: several paths of one prefix may be sent (RFC 7911), told apart by their number."""

    def __init__(
        self,
        node: Neighbor,
        address: str,
        port: int,
        asn: int,
        directory: Path,
        *,
        restart_time: int | None = None,
        add_path: bool = False,
    ) -> None:
        self._recipe = Recipe(
            argv=(sys.executable, "-m", "exabgp", "server", str(directory / "exabgp.conf")),
            files={
                "exabgp.conf": _config(node, address, asn, restart_time, directory / "commands", add_path)
            },
            probe="",
            environment={
                "exabgp_tcp_port": str(port),
                "exabgp_daemon_drop": "false",
                "exabgp_daemon_user": getpass.getuser(),  # else root becomes nobody and outlives us
                "exabgp_api_cli": "false",
                "exabgp_api_ack": "false",
                "exabgp_log_level": "WARNING",
            },
        )
        self._next_hops = dict(NEXT_HOP)
        if not node.on_loopback:
            self._next_hops[6 if ":" in node.address else 4] = node.address
        self._directory = directory
        self._pipe = -1
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, prefixes: Iterable[str] = ()) -> None:
        """Run it and announce `prefixes` as soon as the session is up."""
        write(self._recipe, self._directory)
        fifo = self._directory / "commands"
        if not fifo.exists():
            os.mkfifo(fifo)
        self._pipe = os.open(fifo, os.O_RDWR)
        with (self._directory / "output.log").open("ab") as log:
            self._process = spawn(self._recipe, self._directory, log.fileno())
        self.announce(*prefixes)

    def announce(self, *prefixes: str, path: int | None = None) -> None:
        self._tell("announce", prefixes, path)

    def withdraw(self, *prefixes: str, path: int | None = None) -> None:
        self._tell("withdraw", prefixes, path)

    def _tell(self, verb: str, prefixes: Iterable[str], path: int | None) -> None:
        number = "" if path is None else f" path-information {path}"
        for prefix in prefixes:
            hop = self._next_hops[6 if ":" in prefix else 4]
            os.write(self._pipe, f"{verb} route {prefix} next-hop {hop}{number}\n".encode())

    def kill(self) -> None:
        """SIGKILL: the kernel closes TCP, ExaBGP says nothing."""
        assert self._process is not None
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        """SIGTERM: stock ExaBGP closes TCP without a NOTIFICATION."""
        if self._process is not None:
            end(self._process)
            os.close(self._pipe)
            self._process = None

    def __enter__(self) -> StockSpeaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _config(
    node: Neighbor, address: str, asn: int, restart_time: int | None, pipe: Path, add_path: bool
) -> str:
    graceful = "" if restart_time is None else f"graceful-restart {restart_time};"
    several = "add-path send;" if add_path else ""
    capability = f"capability {{ {graceful} {several} }}" if graceful or several else ""
    return f"""process commands {{
  run /bin/cat "{pipe}";
  encoder text;
}}
neighbor {address} {{
  router-id {node.address if ":" not in node.address else "10.255.255.1"};
  local-address {node.address};
  local-as {node.asn};
  peer-as {asn};
  hold-time 90;
  {capability}
  family {{ ipv4 unicast; ipv6 unicast; }}
  api {{ processes [ commands ]; }}
}}
"""
