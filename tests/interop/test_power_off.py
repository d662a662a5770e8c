"""A node that vanishes without a word: what the router says, in network namespaces.

The inverse of every drain: with nothing withdrawn, the router forwards until its hold timer expires.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bgpctl.lab import routers
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe, parse_probe
from tests.support.require import require
from tests.support.routers import Workshop
from tests.support.stock_exabgp import StockSpeaker
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

HOLD_SECONDS = 3
NODE = Neighbor("10.77.0.11", 65001)
ROUTER_ADDRESS, PORT, ASN = "10.77.0.1", 1790, 65000


@pytest.fixture
def net() -> Iterator[NetLab]:
    require("netns")
    with NetLab() as lab:
        yield lab


def _run_router(stack: ExitStack, kind: str, host: Host, directory: Path) -> Probe:
    spec = RouterSpec(kind, host.address, PORT, ASN, (NODE,), hold_time=HOLD_SECONDS)
    with host.inside():
        router = stack.enter_context(routers.make(spec))
        router.start(directory / "router")
    return parse_probe(router.probe())


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_silence_keeps_the_routes_until_the_hold_timer(kind: str, net: NetLab, workshop: Workshop) -> None:
    """Graceful restart without the N bit: hold expiry is a NOTIFICATION, so nothing is kept after it."""
    require(kind)
    router, node = net.host("router", f"{ROUTER_ADDRESS}/24"), net.host("node", f"{NODE.address}/24")
    with ExitStack() as stack:
        probe = _run_router(stack, kind, router, workshop.directory)
        speaker = stack.enter_context(
            StockSpeaker(NODE, ROUTER_ADDRESS, PORT, ASN, workshop.directory / "speaker", restart_time=60)
        )
        with node.inside():
            speaker.start(["10.9.1.0/24"])
        eventually(lambda: probe.routes_from(NODE.address).routes is RouteState.PRESENT)

        net.power_off(node)
        throughout(lambda: probe.routes_from(NODE.address).session == "established", seconds=1.5)
        assert probe.routes_from(NODE.address).routes is RouteState.PRESENT
        eventually(
            lambda: probe.routes_from(NODE.address).routes is RouteState.ABSENT, deadline=HOLD_SECONDS + 2
        )


def connects(host: Host, other: Host) -> bool:
    """Does a TCP packet get through? A refusal is an answer."""
    with host.inside(), socket.socket() as connection:
        connection.settimeout(0.5)
        return connection.connect_ex((other.address, 9)) == errno.ECONNREFUSED


def test_a_network_leaves_nothing_behind() -> None:
    require("netns")
    with NetLab() as net:
        host = net.host("a", "10.77.0.1/24")
        other = net.host("b", "10.77.0.2/24")
        assert connects(host, other)
        net.unplug(other)
        assert not connects(host, other)
        net.plug(other)
        assert eventually(lambda: connects(host, other))
        names = {path.name for path in Path("/run/netns").iterdir()}
        assert host.name in names
    assert not {n for n in (p.name for p in Path("/run/netns").iterdir()) if n.startswith(host.name[:-1])}
