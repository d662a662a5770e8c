"""A session between two link-local addresses (FRR's `neighbor eth0 interface`): the node knows its own with a
zone, which is its name for the link; the router has another name for its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest

from bgpctl.lab.routers.process import clean, end, spawn, write
from bgpctl.lab.routers.spec import Recipe
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.witness.frr import FrrProbe
from bgpctl.witness.model import RouterAnswer, RouteState
from tests.support import vty
from tests.support.require import require
from tests.support.routers import Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

PREFIX = "10.9.1.0/24"
ANNOUNCE = ("configure terminal", "router bgp 65001", "address-family ipv4 unicast", f"network {PREFIX}")
WITHDRAW = (*ANNOUNCE[:-1], f"no network {PREFIX}")


def config(asn: int) -> str:
    return f"""router bgp {asn}
 bgp router-id 192.0.2.{asn % 256}
 bgp graceful-restart
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor eth0 interface remote-as external
"""


def daemon(name: str, directory: Path, text: str) -> Recipe:
    where = ("--vty_socket", str(directory), "-i", str(directory / f"{name}.pid"))
    zebra = ("-z", str(directory / "zserv.api"))
    argv = (f"/usr/lib/frr/{name}", "-f", str(directory / f"{name}.conf"), *where, *zebra, "-P", "0")
    return Recipe(argv, {f"{name}.conf": text}, "", scratch=(f"/var/tmp/frr/{name}.{{pid}}",))


@dataclass
class Machine:
    """zebra, which knows the links and sends router advertisements, and bgpd."""

    directory: Path
    bgpd: Popen[bytes]

    def neighbor(self) -> str:
        """The link-local address of the other side, "" until it is known."""
        answer = json.loads(vty.tell(self.directory, "show bgp neighbors json"))
        told = answer["eth0"]["bgpNeighborAddr"]
        return told if told.startswith("fe80::") else ""


def machine(stack: ExitStack, host: Host, directory: Path, asn: int) -> Machine:
    """Both change to FRR's user, whose the directory must be."""
    running = []
    with host.inside():
        for name, text in (("zebra", ""), ("bgpd", config(asn))):
            recipe = daemon(name, directory, text)
            write(recipe, directory)
            for path in (directory, directory / f"{name}.conf"):
                shutil.chown(path, "frr", "frr")
            with (directory / f"{name}.log").open("ab") as log:
                running.append(spawn(recipe, directory, log.fileno()))
            stack.callback(clean, recipe, running[-1].pid)
            stack.callback(end, running[-1])
            eventually((directory / f"{name}.vty").exists, why=f"{name} runs")
    return Machine(directory, running[-1])


@pytest.fixture
def pair(workshop: Workshop) -> Iterator[tuple[Machine, Machine]]:
    """The router and the node."""
    require("frr")
    require("netns")
    workshop.directory.chmod(0o711)
    with NetLab() as net, ExitStack() as stack:
        hosts = net.host("r", "10.88.0.1/24"), net.host("n", "10.88.0.2/24")
        router, node = (
            machine(stack, host, workshop.directory / host.address, asn)
            for host, asn in zip(hosts, (65000, 65001), strict=True)
        )
        yield router, node


def test_an_unnumbered_node_is_asked_for_by_its_own_name(pair: tuple[Machine, Machine]) -> None:
    """Present, withdrawn, and stale after a crash, with the address as the node's speaker would tell it."""
    router, node = pair
    address = eventually(router.neighbor, deadline=15)

    def look() -> RouterAnswer:
        return FrrProbe(str(router.directory)).routes_from(f"{address}%enp1s0")

    def sees(routes: RouteState) -> Callable[[], bool]:
        return lambda: look().routes is routes

    vty.tell(node.directory, *ANNOUNCE)
    eventually(sees(RouteState.PRESENT), deadline=15)
    assert (look().session, look().local) == ("established", node.neighbor())
    vty.tell(node.directory, *WITHDRAW)
    eventually(sees(RouteState.ABSENT))
    vty.tell(node.directory, *ANNOUNCE)
    eventually(sees(RouteState.PRESENT))
    node.bgpd.kill()
    eventually(sees(RouteState.STALE))
