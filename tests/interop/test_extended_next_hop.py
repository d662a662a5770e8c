"""A node without any IPv4 address, in network namespaces: what the routers have of its IPv4 routes. Its peer
is its IPv6 default gateway, hidden by a link-local one of a lower metric, as router advertisements make it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpctl.core.state import NodeState
from bgpctl.core.state_document import from_document
from bgpctl.lab import routers
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.witness.probe import Probe, parse_probe
from tests.support import objects, v2
from tests.support.require import require
from tests.support.router_paths import paths
from tests.support.speakers import SpeakerProcess, workplace
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

NAME, PORT, ROUTER, NODE, ASN, NODE_ASN = "worker-1", 1790, "fd77::1", "fd77::11", 65000, 65001
FOUR, SIX = {"10.244.1.0/24", "203.0.113.10/32"}, {"fd00:10:244:1::/64", "2001:db8:10::1/128"}
OWN = "192.0.2.11"


def documents(*addresses: str, web: tuple[str, ...] = ("203.0.113.10", "2001:db8:10::1")) -> list[Any]:
    discovery = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv6"}}
    peer = v2.peer("gateway", None, peerASN=ASN, autoDiscovery=discovery)
    timers = {"connectRetryTimeSeconds": 1, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}
    status = {"addresses": [{"type": "InternalIP", "address": address} for address in addresses]}
    return [
        objects.node(NAME, status=status),
        objects.service("web", *web),
        v2.cluster_config(v2.instance(peer, localASN=NODE_ASN)),
        v2.peer_config(timers=timers, transport={"peerPort": PORT}),
        v2.advertisement(),
    ]


@dataclass
class Lab:
    place: Path
    router: Host
    probe: Probe
    node: Host
    speaker: SpeakerProcess

    def tell(self, state: list[Any]) -> None:
        temporary = self.place / "state.new"
        temporary.write_text(yaml.safe_dump_all(state))
        temporary.rename(self.place / "state.yaml")

    def state(self) -> NodeState | None:
        path = self.speaker.directory / "state.json"
        return from_document(json.loads(path.read_text())) if path.exists() else None

    def settled(self) -> NodeState:
        """What the speaker says once its session is up and told everything."""

        def seen() -> NodeState | None:
            state = self.state()
            return state if state and state.peers and state.peers[0].session.end_of_rib else None

        found = eventually(seen, 15)
        assert found is not None
        return found

    def prefixes(self) -> set[str]:
        with self.router.inside():  # GoBGP's API is on the router's own address
            return {str(path.prefix) for path in self.probe.routes_from(NODE).paths}

    def hops(self, prefix: str) -> set[str | None]:
        with self.router.inside():
            return {path.next_hop for path in paths(self.probe, ip_network(prefix))}

    def has(self, *wanted: set[str]) -> None:
        expected = set[str]().union(*wanted)
        eventually(lambda: self.prefixes() == expected, 15, why=f"{self.prefixes()}\n{self.speaker.log}")


@contextmanager
def running(
    kind: str, extended: bool, *arguments: str, addresses: tuple[str, ...] = (NODE,)
) -> Iterator[Lab]:
    require("netns", kind)
    spec = RouterSpec(
        kind, ROUTER, PORT, ASN, (Neighbor(NODE, NODE_ASN),), hold_time=9, extended_next_hop=extended
    )
    with workplace() as place, NetLab() as net, ExitStack() as stack:
        router, node = net.host("r", f"{ROUTER}/64"), net.host("n", f"{NODE}/64")
        node.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0", "metric", "100")
        node.run("ip", "-6", "route", "add", "default", "via", ROUTER, "metric", "1024")
        speaker = SpeakerProcess(place / "s", "--node-name", NAME, "--file", place / "state.yaml", *arguments)
        with router.inside():
            part = stack.enter_context(routers.make(spec))
            part.start(place / "router")
        lab = Lab(place, router, parse_probe(part.probe()), node, speaker)
        lab.tell(documents(*addresses))
        stack.callback(speaker.end)
        with node.inside():
            speaker.start()
        yield lab


@pytest.mark.parametrize("addresses", [(NODE,), (NODE, OWN)], ids=["no-ipv4", "dual"])
@pytest.mark.parametrize("kind", ["frr", "bird", "gobgp"])
def test_ipv4_routes_with_the_sessions_ipv6_address(kind: str, addresses: tuple[str, ...]) -> None:
    """Also where the node has an IPv4 InternalIP, as Cilium. They come, change and go."""
    with running(kind, True, addresses=addresses) as lab:
        lab.has(FOUR, SIX)
        assert all(lab.hops(prefix) == {NODE} for prefix in FOUR | SIX), lab.hops("203.0.113.10/32")
        state = lab.settled()
        assert state.announced == 4 and state.peers[0].session.extended_next_hop and not state.absent
        lab.tell(documents(*addresses, web=("203.0.113.11",)))
        lab.has({"10.244.1.0/24", "203.0.113.11/32", "fd00:10:244:1::/64"})
        lab.tell(documents(*addresses, web=()))
        lab.has({"10.244.1.0/24", "fd00:10:244:1::/64"})
        assert lab.hops("10.244.1.0/24") == {NODE}


@pytest.mark.parametrize("kind", ["frr", "bird"])
def test_without_the_capability_nothing_of_ipv4_is_announced(kind: str) -> None:
    """And the reason is in the state; an address of the node's own, once it has one, is the next hop."""
    with running(kind, False) as lab:
        lab.has(SIX)
        state = lab.settled()
        assert state.absent == {"nextHopNotNegotiated": 2}
        assert (state.intended, state.announced) == (2, 2)
        throughout(lambda: lab.prefixes() == SIX, 2.0)
        lab.tell(documents(NODE, OWN))
        if kind == "frr":  # BIRD resolves no next hop that is on no link of its own
            lab.has(FOUR, SIX)
            assert lab.hops("203.0.113.10/32") == {OWN}
        lab.tell(documents(NODE))
        lab.has(SIX)


@pytest.mark.parametrize("kind", ["frr", "gobgp"])
def test_the_operators_next_hop_goes_before_it(kind: str) -> None:
    with running(kind, True, "--next-hop", OWN) as lab:
        lab.has(FOUR, SIX)
        assert lab.hops("203.0.113.10/32") == {OWN} and lab.hops("2001:db8:10::1/128") == {NODE}
        state = lab.settled()
        assert not state.peers[0].session.extended_next_hop
