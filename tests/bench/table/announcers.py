"""Who announces: our engine, BIRD and FRR. Each holds the routes before its session starts, and `load` may be
called again and again: it starts the session, takes the time, and ends the session."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from bgpctl.core.intent.diff import Announce, Configure, Leave, Synced
from bgpctl.core.model import Attributes
from bgpctl.lab.routers.spec import Recipe
from tests.bench.table.load import NEXT_HOPS, Load
from tests.bench.table.receiver import ASN, PORT, Receiver, run, run_bird
from tests.support.engines import EngineUnderTest, engine, peer

BOUND = 30.0
"""Seconds for a load and for an end of a session."""


class Announcer(ABC):
    """Speaks as node `session` to the receiver."""

    name: str

    def __init__(self, receiver: Receiver, session: int, directory: Path, bound: float = BOUND) -> None:
        self.receiver, self.session, self.bound = receiver, session, bound
        self.node, self.directory = receiver.nodes[session - 1], directory / f"announcer{session}"

    @abstractmethod
    def prepare(self, stack: ExitStack, load: Load) -> None:
        """Have the routes and no session."""

    @abstractmethod
    def connect(self) -> None:
        """Let it start the session."""

    @abstractmethod
    def disconnect(self) -> None:
        """Let it end the session."""

    def meanwhile(self) -> object:
        """Called at every look."""
        return None

    def load(self, load: Load) -> float:
        """Seconds from Established. Raises Late."""
        self.connect()
        try:
            return self.receiver.loading(self.session, load.count, self.bound, self.meanwhile)
        finally:
            self.disconnect()
            self.receiver.empty(self.session, self.bound)


class Ours(Announcer):
    """Held back by a port where nobody listens."""

    name = "bgpctl"

    def prepare(self, stack: ExitStack, load: Load) -> None:
        to, at = self.receiver.address, self.node.address
        self._peer = peer(to, PORT, ASN, at, local_asn=self.node.asn, hold_time=90, restart_time=None)
        self._engine: EngineUnderTest = stack.enter_context(engine())
        self.disconnect()
        attributes = Attributes(next_hop=ip_address(load.next_hop))
        self._engine.perform(Announce(self._peer.name, attributes, tuple(load.prefixes)))
        self._engine.perform(Synced((self._peer.name,)))

    def connect(self) -> None:
        self._engine.perform(Configure((self._peer,)))

    def disconnect(self) -> None:
        self._engine.perform(Configure((replace(self._peer, port=1),)))

    def leave(self, load: Load) -> float:
        """Seconds from the order to leave until nothing is left. The last of its calls."""
        self.connect()
        self.receiver.loading(self.session, load.count, self.bound)
        began = time.time()
        self._engine.perform(Leave((self._peer.name,)))
        return self.receiver.empty(self.session, self.bound) - began


class BirdAnnouncer(Announcer):
    """Asked something at every look: an idle BIRD 2.0.12 sleeps up to 3 s before it sends what a new session
    should get, and that is not what is compared here."""

    name = "BIRD"

    def prepare(self, stack: ExitStack, load: Load) -> None:
        self._bird = run_bird(stack, self.directory, self._config(load))
        ready = f" {load.count} of {load.count} routes"
        self.receiver.until(lambda: ready in f" {self._count(load)}", self.bound)

    def _count(self, load: Load) -> str:
        return self._bird.ask(f"show route count table master{load.version}").partition("-")[2]

    def _config(self, load: Load) -> str:
        family = f"ipv{load.version}"
        routes = "".join(f"route {prefix} blackhole;\n" for prefix in load.prefixes)
        return f"""router id {self.node.address};
protocol device {{ }}
protocol static table1 {{ {family}; {routes} }}
protocol bgp uplink {{
  disabled;
  local {self.node.address} as {self.node.asn};
  neighbor {self.receiver.address} port {PORT} as {ASN};
  multihop;
  connect delay time 1;
  {family} {{ next hop address {load.next_hop}; import none; export all; }};
}}
"""

    def connect(self) -> None:
        self._bird.ask("enable uplink")

    def disconnect(self) -> None:
        self._bird.ask("disable uplink")

    def meanwhile(self) -> object:
        return self._bird.ask("show protocols uplink")

    def leave(self, load: Load) -> float:
        """Seconds from the order to withdraw all of it until nothing is left. The last of its calls."""
        self.connect()
        self.receiver.loading(self.session, load.count, self.bound, self.meanwhile)
        began = time.time()
        self._bird.ask("disable table1")
        return (
            self.receiver.until(lambda: self.receiver.imported(self.session) == 0, self.bound, self.meanwhile)
            - began
        )


class Frr(Announcer):
    """bgpd alone, with `network` statements, held back by `neighbor … shutdown`."""

    name = "FRR"
    program = "/usr/lib/frr/bgpd"

    def prepare(self, stack: ExitStack, load: Load) -> None:
        where = ("--vty_socket", str(self.directory), "-i", str(self.directory / "bgpd.pid"))
        listen = ("-l", self.node.address, "-p", str(PORT), "-P", "0", "-Z", "-S")
        config = {"bgpd.conf": self._config(load)}
        run(stack, self.directory, Recipe((self.program, "-f", "bgpd.conf", *where, *listen), config, ""))
        family = f"ipv{load.version}"
        ready = f'"totalPrefixes":{load.count},'
        self.receiver.until(lambda: ready in self._ask(f"show bgp {family} unicast statistics json"), 60.0)

    def _config(self, load: Load) -> str:
        to = f"neighbor {self.receiver.address}"
        networks = "".join(f"  network {prefix}\n" for prefix in load.prefixes)
        return f"""router bgp {self.node.asn}
 bgp router-id {self.node.address}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 {to} remote-as {ASN}
 {to} port {PORT}
 {to} update-source {self.node.address}
 {to} disable-connected-check
 {to} timers connect 1
 {to} shutdown
 address-family ipv{load.version} unicast
  {to} activate
  {to} route-map OUT out
{networks} exit-address-family
route-map OUT permit 10
 set ip next-hop {NEXT_HOPS[4]}
 set ipv6 next-hop global {NEXT_HOPS[6]}
"""

    def _ask(self, *commands: str) -> str:
        words = [word for command in commands for word in ("-c", command)]
        done = subprocess.run(
            ("vtysh", "--vty_socket", str(self.directory), *words),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.replace(" ", "")

    def _neighbor(self, words: str) -> None:
        to = words.format(f"neighbor {self.receiver.address}")
        self._ask("configure terminal", f"router bgp {self.node.asn}", to)

    def connect(self) -> None:
        self._neighbor("no {} shutdown")

    def disconnect(self) -> None:
        self._neighbor("{} shutdown")
