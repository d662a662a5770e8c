"""One bad object costs that object, and a deleted CRD costs nothing: asserted at BIRD, without graceful
restart, so that a session that ends even for a moment shows. Two nodes: one has a CiliumBGPClusterConfig, one
a CiliumBGPPeeringPolicy; the CRDs are lenient ones, as an older Cilium or somebody's edit may have left them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from bgpctl.lab.watcher import Watcher
from tests.support import apiserver, clients, objects, v2
from tests.support.require import require
from tests.support.routers import Lab, Workshop
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

MODERN, CLASSIC = "worker-1", "worker-2"
NAMES = (MODERN, CLASSIC)
PEERS = 3  # of both nodes; one of them has no password that its router knows
Document = dict[str, Any]


@dataclass
class Place:
    """The API, the router's view, and an eye that polls it."""

    server: ApiServer
    api: Client
    router: Lab
    eye: Watcher
    speakers: list[SpeakerProcess]
    new: Iterator[int]

    def status(self, name: str) -> Document:
        """As published; {} before that, also of an object that is there and has none yet."""
        return (self.api.find(paths.node_state(name)) or {}).get("status") or {}

    def problems(self, name: str) -> list[str]:
        return list(self.status(name).get("problems") or ())

    def all_is_back(self, name: str) -> bool:
        """Its speaker has published, and knows of no definition that is missing."""
        gone = re.compile("the CustomResourceDefinition of .* was deleted")
        return bool(self.status(name)) and not any(map(gone.search, self.problems(name)))

    def sessions(self) -> list[Any]:
        peers = [peer for name in NAMES for peer in self.status(name).get("peers") or ()]
        return [peer.get("establishedTime") for peer in peers]

    def counts(self) -> dict[str, int]:
        """The routes of each node, once the eye has seen what the router has."""
        now = {
            name: len(self.router.probe.routes_from(node.address).paths)
            for name, node in zip(NAMES, self.router.nodes, strict=True)
        }
        eventually(lambda: {name: self.eye.count(name) for name in NAMES} == now)
        return now

    def has(self, prefix: str, number: int) -> bool:
        node = self.router.nodes[number].address
        return prefix in {str(path.prefix) for path in self.router.probe.routes_from(node).paths}

    def still_follows(self) -> None:
        """A Service that is new now is on the router, from both nodes."""
        number = next(self.new)
        self.server.apply(service(f"new-{number}", f"203.0.113.{number}"))
        for node in range(len(NAMES)):
            eventually(
                lambda node=node: self.has(f"203.0.113.{number}/32", node), why=self.speakers[node].log
            )


def service(name: str, address: str, **fields: Any) -> Document:
    return objects.service(name, address, ports=[{"port": 80}], **fields)


def lenient(crd: Document) -> Document:
    """Any spec is let in."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [{**v, "schema": {"openAPIV3Schema": anything}} for v in crd["spec"]["versions"]]
    return {**crd, "spec": {**crd["spec"], "versions": versions}}


def _in_kube_system(document: Document) -> Document:
    return {**document, "metadata": {**document["metadata"], "namespace": "kube-system"}}


def definitions() -> list[Document]:
    return [lenient(crd) if crd["spec"]["group"] == "cilium.io" else crd for crd in crds()]


def resources(router: Lab) -> list[Document]:
    spec = router.router.spec
    quick = {"connectRetryTimeSeconds": 1, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}
    settings = v2.peer_config(transport={"peerPort": spec.port}, timers=quick, families=[v2.family()])
    secretive = v2.peer_config("secretive", authSecretRef="bgp", families=[v2.family()])
    peers = (
        v2.peer("tor", spec.address, peerASN=spec.asn),
        v2.peer("other", "127.0.0.250", peerConfigRef={"name": "secretive"}),
    )
    neighbor = objects.neighbor(f"{spec.address}/32", spec.asn, peerPort=spec.port, **quick)
    classic = {"matchLabels": {"classic": "yes"}}
    return [
        v2.cluster_config(v2.instance(*peers, localASN=router.nodes[0].asn)),
        settings,
        secretive,
        v2.advertisement(),
        v2.advertisement(v2.advert("CiliumPodIPPool", selector={}), name="pools"),
        v2.override({"name": "main", "routerID": "10.99.0.1"}),
        objects.policy(objects.router(neighbor, asn=router.nodes[1].asn), nodeSelector=classic),
        objects.node(MODERN),
        objects.node(CLASSIC, {"classic": "yes"}, spec={"podCIDRs": ["10.244.2.0/24"]}),
        objects.cilium_node(MODERN, blue=["10.8.1.0/24"]),
        objects.pool("blue"),
        objects.lb_pool({"cidr": "203.0.113.0/24"}),
        service("web", "203.0.113.1"),
        service("local", "203.0.113.2", local=True),
        objects.endpoint_slice("local", objects.endpoint(MODERN), objects.endpoint(CLASSIC)),
        _in_kube_system(objects.password_secret("hunter2")),
    ]


ROUTES = {MODERN: 4, CLASSIC: 3}  # the PodCIDR, two Services, and the pool's


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    require("bird")
    with ExitStack() as stack:
        shop = stack.enter_context(Workshop.running())
        router = shop.router("bird", nodes=2, graceful_restart=False)
        server = stack.enter_context(apiserver.running(controllers=False))
        server.apply(*definitions())
        server.apply(*resources(router))
        server.write_kubeconfig(kubeconfig := shop.directory / "kubeconfig")
        speakers = []
        for name, node in zip(NAMES, router.nodes, strict=True):
            given = ("--node-name", name, "--source-address", node.address, "--next-hop", "192.0.2.1")
            speakers.append(SpeakerProcess(shop.directory / name, *given, "--kubeconfig", kubeconfig))
            stack.callback(speakers[-1].end)
            speakers[-1].start()
        nodes = {name: node.address for name, node in zip(NAMES, router.nodes, strict=True)}
        eye = stack.enter_context(Watcher(router.router.probe(), nodes, 0.1))
        made = Place(server, clients.client(server), router, eye, speakers, iter(range(20, 250)))
        for speaker, name in zip(speakers, NAMES, strict=True):
            eventually(lambda name=name: eye.count(name) == ROUTES[name], 20, why=speaker.log)
            eventually(lambda: sum(map(bool, made.sessions())) == len(NAMES))
        yield made


# --- bad objects ------------------------------------------------------------------------------------------

V2 = "/apis/cilium.io/v2"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

Break = Callable[[Place], Any]


def spec(path: str, **fields: Any) -> Break:
    return lambda place: place.api.patch(path, {"spec": fields})


def _break_slice(place: Place) -> None:
    """No API server takes it; it is put where one keeps its objects."""
    slice_ = place.api.get(f"{SLICES}/local-ipv4-bad")
    broken = {**slice_, "endpoints": [{"conditions": "none"}]}
    place.server.store.put(("discovery.k8s.io", "endpointslices"), broken)


def _add_second(place: Place) -> None:
    second = {**v2.cluster_config(name="x"), "spec": 7}
    place.api.create(f"{V2}/ciliumbgpclusterconfigs", second)


BAD: dict[str, tuple[Break, str, str]] = {
    # what is broken, whose problem it is, and a word of it
    "a Service's address": (
        lambda place: place.api.patch(
            f"{SERVICES}/bad/status", {"status": {"loadBalancer": {"ingress": [{"ip": "no address"}]}}}
        ),
        MODERN,
        "Service default/bad",
    ),
    "an EndpointSlice": (
        _break_slice,
        MODERN,
        "EndpointSlice default/local-ipv4-bad",
    ),
    "a Secret": (
        lambda place: place.api.patch(f"{paths.secrets('kube-system')}/bgp", {"data": {"password": "////"}}),
        MODERN,
        'Secret "bgp"',
    ),
    "the cluster configuration": (
        spec(f"{V2}/ciliumbgpclusterconfigs/rack", bgpInstances="none"),
        MODERN,
        "CiliumBGPClusterConfig rack is invalid",
    ),
    "a second cluster configuration": (
        _add_second,
        MODERN,
        "CiliumBGPClusterConfig x",
    ),
    "a peer configuration": (
        spec(f"{V2}/ciliumbgppeerconfigs/tor", timers={"holdTimeSeconds": "long"}),
        MODERN,
        "CiliumBGPPeerConfig tor is invalid",
    ),
    "an advertisement": (
        spec(f"{V2}/ciliumbgpadvertisements/all", advertisements=[{"advertisementType": "Everything"}]),
        MODERN,
        "CiliumBGPAdvertisement all is invalid",
    ),
    "the override": (
        spec(f"{V2}/ciliumbgpnodeconfigoverrides/{MODERN}", bgpInstances=[{"name": "main", "routerID": "x"}]),
        MODERN,
        f"CiliumBGPNodeConfigOverride {MODERN} is invalid",
    ),
    "the peering policy": (
        spec(f"{paths.PEERING_POLICIES}/policy", virtualRouters={}),
        CLASSIC,
        "CiliumBGPPeeringPolicy policy is invalid",
    ),
    "a load balancer pool": (
        spec(f"{V2}/ciliumloadbalancerippools/vips", blocks=[{"cidr": "everywhere"}]),
        MODERN,
        "CiliumLoadBalancerIPPool vips",
    ),
    "the CiliumNode": (
        spec(
            f"{V2}/ciliumnodes/{MODERN}",
            ipam={"pools": {"allocated": [{"pool": "blue", "cidrs": ["10.8.1.0/24", "x"]}]}},
        ),
        MODERN,
        "CiliumNode",
    ),
}


@pytest.mark.parametrize("what", list(BAD))
def test_one_bad_object_costs_that_object(place: Place, what: str) -> None:
    place.server.apply(
        service("bad", "203.0.113.9"),
        objects.endpoint_slice("local", suffix="bad"),
    )
    place.still_follows()
    eventually(lambda: place.has("203.0.113.9/32", 0) and place.has("203.0.113.9/32", 1))
    # The case before may have cost a peer: it comes back once its definition stands still (0.2 s).
    eventually(lambda: len(place.sessions()) == PEERS)
    sessions, counts = place.sessions(), place.counts()
    began = time.time()
    break_it, whose, word = BAD[what]
    break_it(place)
    eventually(lambda: any(word in line for line in place.problems(whose)), why=f"{place.problems(whose)}")
    place.still_follows()
    # One route goes and another comes: between two looks of the eye nothing may show.
    costs = what == "a Service's address"
    assert all(place.eye.lowest(name, began) >= counts[name] - costs for name in NAMES)
    assert place.has("203.0.113.9/32", 0) is not costs
    assert place.sessions() == sessions or what == "a Secret"
    place.server.apply(*resources(place.router), service("bad", "203.0.113.9"))
    for extra in (f"{V2}/ciliumbgpclusterconfigs/x", f"{SLICES}/local-ipv4-bad"):
        if place.api.find(extra):
            place.api.delete(extra)
    eventually(lambda: not any(word in line for line in place.problems(whose)))


# --- deleted definitions ----------------------------------------------------------------------------------

KINDS = {
    "ciliumbgpclusterconfigs": MODERN,
    "ciliumbgppeerconfigs": MODERN,
    "ciliumbgpadvertisements": MODERN,
    "ciliumbgpnodeconfigoverrides": MODERN,
    "ciliumbgppeeringpolicies": CLASSIC,
    "ciliumpodippools": MODERN,
    "ciliumnodes": MODERN,
    "ciliumloadbalancerippools": MODERN,
}


def test_deleting_the_definitions_one_after_the_other_is_survived(place: Place) -> None:
    place.still_follows()
    sessions, counts = place.sessions(), place.counts()
    began = time.time()
    for plural, whose in KINDS.items():
        place.api.delete(f"{paths.CRDS}/{plural}.cilium.io")
        words = f"the CustomResourceDefinition of {plural} was deleted"
        eventually(lambda words=words, whose=whose: any(words in line for line in place.problems(whose)))
    place.still_follows()
    assert place.sessions() == sessions
    assert {name: place.eye.lowest(name, began) for name in NAMES} == counts

    place.api.delete(f"{paths.CRDS}/bgpnodestates.bgpctl.io")
    place.still_follows()
    place.server.apply(*definitions())
    place.server.apply(*resources(place.router))
    for name in NAMES:
        eventually(lambda name=name: place.all_is_back(name), deadline=60)
    place.still_follows()
    assert {name: place.eye.lowest(name, began) for name in NAMES} == counts

    place.api.delete(f"{V2}/ciliumbgpadvertisements/pools")
    eventually(lambda: not place.has("10.8.1.0/24", 0), why="an object that is deleted itself goes at once")
    place.api.delete(f"{paths.PEERING_POLICIES}/policy")
    eventually(lambda: place.eye.count(CLASSIC) == 0)
