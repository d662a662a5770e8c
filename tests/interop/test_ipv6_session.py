"""The same answers over an IPv6 session, in network namespaces: loopback has one IPv6 address only."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_network

import pytest

from bgpctl.lab import routers
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.traffic.network import NetLab
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import parse_probe
from tests.support.require import require
from tests.support.router_paths import paths
from tests.support.routers import Workshop
from tests.support.stock_exabgp import StockSpeaker
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

ROUTER_ADDRESS, PORT, ASN = "fd77::1", 1790, 65000
NODE = Neighbor("fd77::11", 65001)
PREFIX = "fd00:9::/64"


def test_present_stale_absent_over_ipv6(helper_kind: str, workshop: Workshop) -> None:
    """The router is asked for the node in another spelling of its address."""
    require("netns")
    spec = RouterSpec(helper_kind, ROUTER_ADDRESS, PORT, ASN, (NODE,))
    with NetLab() as net, ExitStack() as stack:
        router, node = net.host("r", f"{ROUTER_ADDRESS}/64"), net.host("n", f"{NODE.address}/64")
        speaker = stack.enter_context(
            StockSpeaker(NODE, ROUTER_ADDRESS, PORT, ASN, workshop.directory / "node", restart_time=8)
        )
        with router.inside():
            part = stack.enter_context(routers.make(spec))
            part.start(workshop.directory / "router")
            probe = parse_probe(part.probe())
        with node.inside():
            speaker.start([PREFIX])
        with router.inside():  # GoBGP's API is on the router's own address
            words = lambda: probe.routes_from("FD77:0::11")  # noqa: E731
            seen = eventually(lambda: s if (s := words()).routes is RouteState.PRESENT else None)
            assert [str(path.prefix) for path in seen.paths] == [PREFIX]
            assert seen.local == ROUTER_ADDRESS
            assert [path.next_hop for path in paths(probe, ip_network(PREFIX))] == [NODE.address]
            speaker.announce("fd00:a::/64")
            eventually(lambda: len(words().paths) == 2)
            speaker.kill()
            eventually(lambda: words().routes is RouteState.STALE, deadline=7)
            eventually(lambda: words().routes is RouteState.ABSENT, deadline=20)
