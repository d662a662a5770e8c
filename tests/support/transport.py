"""A node with many kinds of sessions to real routers, in network namespaces, for interop/test_transport.py.

    node 10.77.0.11 .12 .13, fd77::11 ──┬── frr 10.77.0.1, fd77::1
                                        ├── bird 10.77.0.2
                                        └── hop 10.77.0.254 / 10.88.0.254 ── far (BIRD) 10.88.0.1

.12 is the address of the interface src0, and .13 the source of the session to the default gateway.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.state_document import from_document
from bgpctl.lab.routers import Neighbor, RouterSpec, bird, frr
from bgpctl.lab.routers.process import Router
from bgpctl.lab.routers.spec import Recipe
from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.witness.probe import Probe, parse_probe
from tests.support import objects, v2
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

Document = dict[str, Any]

NAME, PORT, ROUTER_ASN = "worker-1", 1790, 65000
FRR, FRR6, BIRD, FAR = "10.77.0.1", "fd77::1", "10.77.0.2", "10.88.0.1"
NODE, NODE6, BY_INTERFACE, TO_GATEWAY = "10.77.0.11", "fd77::11", "10.77.0.12", "10.77.0.13"
LISTEN_PORT, ROUTER_ID, PASSWORD = 1795, "10.77.0.99", "correct horse"
DUAL, INSIDE, EDGE, FARTHER, INBOUND = 65001, ROUTER_ASN, 65003, 65005, 65004

FRR_CONF = f"""router bgp {ROUTER_ASN}
 bgp router-id {FRR}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor {NODE} remote-as {DUAL}
 neighbor {NODE6} remote-as {DUAL}
 neighbor {TO_GATEWAY} remote-as {EDGE}
 neighbor {NODE} passive
 neighbor {NODE6} passive
 neighbor {TO_GATEWAY} passive
""" + "".join(
    f" address-family {family} unicast\n"
    + "".join(f"  neighbor {peer} activate\n" for peer in (NODE, NODE6, TO_GATEWAY))
    + " exit-address-family\n"
    for family in ("ipv4", "ipv6")
)

_CHANNELS = "ipv4 { import all; export none; }; ipv6 { import all; export none; };"
_QUICK = "strict bind yes; error wait time 1, 2; connect delay time 1; connect retry time 1;"


def _bird(name: str, local: str, neighbor: str, asn: int, more: str) -> str:
    return (
        f"protocol bgp {name} {{ local {local} port {PORT} as {ROUTER_ASN}; neighbor {neighbor} as {asn}; "
        f"{more} {_QUICK} {_CHANNELS} }}\n"
    )


BIRD_CONF = (
    f"router id {BIRD};\nprotocol device {{ }}\n"
    + _bird("inside", BIRD, BY_INTERFACE, INSIDE, f'direct; passive; password "{PASSWORD}";')
    + _bird("edge", BIRD, TO_GATEWAY, EDGE, "direct; passive;")
    + _bird("inbound", BIRD, f"{NODE} port {LISTEN_PORT}", INBOUND, "direct;")
)
FAR_CONF = (
    f"router id {FAR};\nprotocol device {{ }}\n"
    + "protocol static { ipv4; route 0.0.0.0/0 via 10.88.0.254; }\n"
    + _bird("far", FAR, NODE, FARTHER, "multihop 2; passive;")
)


# --- what the node is told --------------------------------------------------------------------------------


def _settings(name: str, **spec: Any) -> Document:
    timers = {"connectRetryTimeSeconds": 1, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}
    transport = {"peerPort": PORT, **spec.pop("transport", {})}
    families = [v2.family(afi, advertisements={"matchLabels": {"for": name}}) for afi in ("ipv4", "ipv6")]
    return v2.peer_config(name, timers=timers, transport=transport, families=families, **spec)


def _peer(name: str, address: str | None, config: str, **fields: Any) -> Document:
    fields = {"peerASN": ROUTER_ASN, "peerConfigRef": {"name": config}, **fields}
    return v2.peer(name, address, **fields)


def _gateway() -> Document:
    discovery = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}}
    return _peer("gateway", None, "edge", peerASN=0, autoDiscovery=discovery)


def _advertised(name: str, *adverts: Document) -> Document:
    return v2.advertisement(*adverts, name=name, labels={"for": name})


COMMUNITIES = {"standard": ["65001:100"], "wellKnown": ["no-export"], "large": ["65001:1:2"]}
SHARED = {"matchLabels": {"shared": "yes"}}
PLAIN = {"matchExpressions": [{"key": "shared", "operator": "DoesNotExist"}]}


def documents(password: str | None = PASSWORD, hops: int = 2) -> list[Document]:
    """The whole state file. `password` None = no Secret; `hops`: how far the far router may be."""
    balanced = {"addresses": ["LoadBalancerIP"]}
    addresses = [{"type": "InternalIP", "address": address} for address in (NODE, NODE6)]
    made = [
        objects.node(NAME, status={"addresses": addresses}),
        objects.cilium_node(NAME, blue=["10.8.1.0/24"]),
        objects.pool("blue", color="blue"),
        objects.service("web", "203.0.113.10", "2001:db8:10::1"),
        objects.service("shared", "198.51.100.17", labels={"shared": "yes"}),
        v2.cluster_config(
            v2.instance(_peer("v4", FRR, "dual"), _peer("v6", FRR6, "dual"), name="dual", localASN=DUAL),
            v2.instance(_peer("bird", BIRD, "inside"), name="inside", localASN=INSIDE),
            v2.instance(_gateway(), name="edge", localASN=EDGE),
            v2.instance(_peer("far", FAR, "farther"), name="farther", localASN=FARTHER),
            v2.instance(
                _peer("in", BIRD, "inbound"), name="inbound", localASN=INBOUND, localPort=LISTEN_PORT
            ),
        ),
        v2.override(
            {"name": "inside", "routerID": ROUTER_ID},
            {"name": "edge", "peers": [{"name": "gateway", "localAddress": TO_GATEWAY}]},
            {"name": "inbound", "peers": [{"name": "in", "localAddress": NODE}]},
            name=NAME,
        ),
        _settings("dual"),
        _settings("inside", authSecretRef="bgp", transport={"sourceInterface": "src0"}),
        _settings("edge"),
        _settings("farther", ebgpMultihop=hops),
        _settings("inbound", transport={"peerPort": 9}),  # nobody is there: the router has to come to us
        _advertised(
            "dual",
            v2.advert("PodCIDR", attributes={"communities": COMMUNITIES}),
            v2.advert("CiliumPodIPPool", selector={"matchLabels": {"color": "blue"}}),
            v2.advert(selector=PLAIN),
            v2.advert(service={**balanced, "aggregationLengthIPv4": 28}, selector=SHARED),
        ),
        _advertised("inside", v2.advert(selector=PLAIN, attributes={"localPreference": 250})),
        *(_advertised(name, v2.advert("PodCIDR")) for name in ("edge", "farther", "inbound")),
    ]
    return made if password is None else [*made, objects.password_secret(password)]


# --- the lab ----------------------------------------------------------------------------------------------


class Transport:
    """The running lab."""

    def __init__(self, net: NetLab, place: Path, stack: ExitStack) -> None:
        self.place, self._state_file = place, place / "state.yaml"
        self.node = net.host("node", f"{NODE}/24")
        self._frr, self._bird, self._far = (
            net.host(name, f"{address}/24") for name, address in (("frr", FRR), ("bird", BIRD), ("far", FAR))
        )
        _wire(self.node, self._frr, net.host("hop", "10.77.0.254/24"), self._far)
        self.frr = _router(stack, self._frr, place / "frr", "frr", FRR_CONF)
        self.bird = _router(stack, self._bird, place / "bird", "bird", BIRD_CONF)
        self.far = _router(stack, self._far, place / "far", "bird", FAR_CONF)
        self.tell(documents())
        self.speaker = SpeakerProcess(place / "s", "--node-name", NAME, "--file", self._state_file)
        stack.callback(self.speaker.end)
        with self.node.inside():
            self.speaker.start()

    def tell(self, state: list[Document]) -> None:
        """Replace the state file as a whole."""
        temporary = self._state_file.with_suffix(".new")
        temporary.write_text(yaml.safe_dump_all(state))
        temporary.rename(self._state_file)

    def state(self) -> NodeState | None:
        """What the speaker says of itself."""
        path = self.speaker.directory / "state.json"
        return from_document(json.loads(path.read_text())) if path.exists() else None

    def problems(self) -> tuple[str, ...]:
        state = self.state()
        return state.problems if state else ()

    def peer(self, name: str) -> PeerState | None:
        state = self.state()
        return next((p for p in state.peers if p.name == name), None) if state else None

    def established(self, name: str, deadline: float = 15.0) -> PeerState:
        def seen() -> PeerState | None:
            peer = self.peer(name)
            return peer if peer and peer.session.established else None

        found = eventually(seen, deadline, why=f"{name} is up\n{self.speaker.log}")
        assert found is not None
        return found

    def frr_path(self, prefix: str, neighbor: str = NODE) -> Document:
        """The path that FRR has from the neighbor, as `show bgp … json` tells it."""
        family = "ipv6" if ":" in prefix else "ipv4"
        command = f"show bgp {family} unicast {prefix} json"
        words = ("vtysh", "--vty_socket", str(self.place / "frr"), "-c", command)
        answer = json.loads(subprocess.run(words, capture_output=True, check=True, timeout=10).stdout)
        return dict(next(p for p in answer["paths"] if p["peer"]["peerId"] == neighbor))

    def bird_says(self, command: str) -> str:
        words = ("birdc", "-s", str(self.place / "bird" / "bird.ctl"), command)
        return subprocess.run(words, capture_output=True, check=True, timeout=10, text=True).stdout

    def listening(self) -> set[str]:
        """Where the node's namespace listens for TCP."""
        rows = self.node.run("ss", "-Hltn").splitlines()
        return {row.split()[3] for row in rows}


def _router(stack: ExitStack, host: Host, place: Path, kind: str, config: str) -> Probe:
    """A daemon with this configuration, in its host; it listens on every address."""
    driver = {"frr": frr, "bird": bird}[kind].DRIVER
    spec = RouterSpec(kind, host.address, PORT, ROUTER_ASN, (Neighbor(NODE, DUAL),))

    def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
        made = driver.recipe(spec, directory, program)
        argv = [word for word in made.argv if word not in ("-l", spec.address)]
        return replace(made, argv=tuple(argv), files=dict.fromkeys(made.files, config))

    program = driver.find()
    assert program is not None
    with host.inside():
        router = stack.enter_context(Router(spec, program, recipe))
        router.start(place)
    return parse_probe(router.probe())


def _wire(node: Host, frr_host: Host, hop: Host, far: Host) -> None:
    """The second addresses, the hop that forwards, and the two default routes of the node."""
    for host, address in ((node, f"{NODE6}/64"), (frr_host, f"{FRR6}/64")):
        host.run("ip", "address", "add", address, "dev", "eth0", "nodad")
    node.run("ip", "address", "add", f"{TO_GATEWAY}/24", "dev", "eth0")
    node.run("ip", "link", "add", "src0", "type", "veth", "peer", "name", "src1")
    node.run("ip", "address", "add", f"{BY_INTERFACE}/32", "dev", "src0")
    for end in ("src0", "src1"):
        node.run("ip", "link", "set", end, "up")
    hop.run("ip", "address", "add", "10.88.0.254/24", "dev", "eth0")
    for setting in ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0"):
        hop.run("sysctl", "-qw", setting)
    hop.run("sysctl", "-qw", "net.ipv4.conf.eth0.send_redirects=0")
    node.run("ip", "route", "add", "10.88.0.0/24", "via", "10.77.0.254")
    far.run("ip", "route", "add", "10.77.0.0/24", "via", "10.88.0.254")
    for gateway, metric in ((FRR, "100"), (BIRD, "200")):
        node.run("ip", "route", "add", "default", "via", gateway, "metric", metric)


@contextmanager
def running(place: Path) -> Iterator[Transport]:
    with NetLab() as net, ExitStack() as stack:
        yield Transport(net, place, stack)
