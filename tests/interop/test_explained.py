"""What `explain` names is what a router lacks, and its repairs bring it: asserted at BIRD.

Something is broken in one of several ways; the explanation's first broken link is the one, and when its
repairs, taken as values and sent as JSON patches, are carried out, BIRD has the route again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from bgpctl.core.intent.explaining.asked import parse_asked
from bgpctl.core.intent.explaining.repair import Repair, at
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from bgpctl.queries.explaining.look import Explanation, explain
from tests.support import apiserver, clients, objects, v2
from tests.support.require import require
from tests.support.routers import Lab, Workshop
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, VIP = "worker-1", "203.0.113.10/32"
Document = dict[str, Any]

COLLECTIONS = {
    "Node": "/api/v1/nodes",
    "Service": "/api/v1/namespaces/default/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    "CiliumBGPPeerConfig": "/apis/cilium.io/v2/ciliumbgppeerconfigs",
    "CiliumBGPAdvertisement": "/apis/cilium.io/v2/ciliumbgpadvertisements",
    "CiliumBGPClusterConfig": "/apis/cilium.io/v2/ciliumbgpclusterconfigs",
}
SERVICE, SLICE = f"{COLLECTIONS['Service']}/web", f"{COLLECTIONS['EndpointSlice']}/web-ipv4-x"
PEERING, ADVERT = f"{COLLECTIONS['CiliumBGPPeerConfig']}/tor", f"{COLLECTIONS['CiliumBGPAdvertisement']}/all"


@dataclass
class Place:
    """The API, BIRD, and who speaks to it."""

    server: ApiServer
    api: Client
    lab: Lab
    speaker: SpeakerProcess

    def has(self, prefix: str = VIP) -> bool:
        """Has BIRD the address?"""
        answer = self.lab.probe.routes_from(self.lab.nodes[0].address)
        return prefix in {str(path.prefix) for path in answer.paths}

    def explained(self, what: str = "svc/web") -> Explanation:
        """By the router's word too."""
        return explain(self.api, None, parse_asked(what), NODE, probes=[self.lab.probe])

    def mend(self, repair: Repair) -> None:
        """As `kubectl patch --type=json` would, on the subresource that the field is of."""
        collection = COLLECTIONS[repair.object.kind]
        if not repair.path:
            self.api.create(collection, repair.needed)
            return
        path = f"{collection}/{repair.object.name}"
        status = "/status" if repair.path[0] == "status" else ""
        self.api.patch(f"{path}{status}", list(patch_of(self.api.get(path), repair)), "json")


def patch_of(document: Document, repair: Repair) -> Iterator[Document]:
    """RFC 6902: what stands above the field is made where it is not there."""
    steps = repair.path
    for depth in range(1, len(steps)):
        if at(document, steps[:depth]) is None:
            yield {"op": "add", "path": pointer(steps[:depth]), "value": [] if steps[depth] == 0 else {}}
    if repair.needed is None:
        yield {"op": "remove", "path": pointer(steps)}
    else:
        there = at(document, steps) is not None
        yield {"op": "replace" if there else "add", "path": pointer(steps), "value": repair.needed}


def pointer(steps: tuple[str | int, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def resources(lab: Lab) -> list[Document]:
    spec = lab.router.spec
    quick = {"connectRetryTimeSeconds": 1, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}
    tor = v2.peer("tor", spec.address, peerASN=spec.asn)
    settings = v2.peer_config(transport={"peerPort": spec.port}, timers=quick, families=[v2.family()])
    return [
        v2.cluster_config(v2.instance(tor, localASN=lab.nodes[0].asn)),
        settings,
        v2.advertisement(v2.advert("PodCIDR"), v2.advert(selector={"matchLabels": {"app": "web"}})),
        objects.node(NODE),
        objects.service("web", "203.0.113.10", local=True, ports=[{"name": "http", "port": 80}]),
        {**objects.endpoint_slice("web", objects.endpoint(NODE, ready=True)), "ports": [{"name": "http"}]},
    ]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    require("bird")
    with ExitStack() as stack:
        shop = stack.enter_context(Workshop.running())
        lab = shop.router("bird")
        server = stack.enter_context(apiserver.running(controllers=False))
        server.apply(*crds())
        server.apply(*resources(lab))
        server.write_kubeconfig(kubeconfig := shop.directory / "kubeconfig")
        own = ("--source-address", lab.nodes[0].address, "--kubeconfig", kubeconfig)
        speaker = SpeakerProcess(shop.directory / NODE, "--node-name", NODE, *own)
        stack.callback(speaker.end)
        speaker.start()
        made = Place(server, clients.client(server), lab, speaker)
        eventually(made.has, 20, why=speaker.log)
        eventually(lambda: made.explained().green, 20, why=speaker.log)
        yield made


Break = Callable[[Place], Any]


def patched(path: str, patch: Document) -> Break:
    return lambda place: place.api.patch(path, patch)


BROKEN: dict[str, tuple[Break, list[str]]] = {
    "the Service's labels": (patched(SERVICE, {"metadata": {"labels": {"app": "db"}}}), ["advertisement"]),
    "its endpoint is not ready": (
        patched(SLICE, {"endpoints": [objects.endpoint(NODE, ready=False)]}),
        ["endpoints"],
    ),
    "its endpoint is elsewhere": (
        patched(SLICE, {"endpoints": [objects.endpoint("worker-2", ready=True)]}),
        ["endpoints"],
    ),
    "its ports": (patched(SLICE, {"ports": [{"name": "metrics", "port": 1}]}), ["endpoints"]),
    "no address": (patched(f"{SERVICE}/status", {"status": {"loadBalancer": None}}), ["address"]),
    "its type": (
        lambda place: (
            place.api.patch(f"{SERVICE}/status", {"status": {"loadBalancer": None}}),
            place.api.patch(SERVICE, {"spec": {"type": "ClusterIP", "externalTrafficPolicy": None}}),
        ),
        ["service", "address"],
    ),
    "the node's label": (
        patched(f"{COLLECTIONS['Node']}/{NODE}", {"metadata": {"labels": {"enable-bgp": "false"}}}),
        ["policy", "withdrawal"],
    ),
    "the node is excluded": (
        patched(
            f"{COLLECTIONS['Node']}/{NODE}",
            {"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}},
        ),
        ["node"],
    ),
    "the advertisement's labels": (
        patched(ADVERT, {"metadata": {"labels": {"advertise": "x"}}}),
        ["advertisement"],
    ),
    "the peer's family": (patched(PEERING, {"spec": {"families": [v2.family("ipv6")]}}), ["family"]),
    "three things at once": (
        lambda place: (
            place.api.patch(SERVICE, {"metadata": {"labels": {"app": "db"}}}),
            place.api.patch(SLICE, {"endpoints": []}),
            place.api.delete(ADVERT),
        ),
        ["endpoints", "advertisement"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_named_repairs_bring_the_route_back(place: Place, name: str) -> None:
    breaks, links = BROKEN[name]
    # An API server keeps what a patch does not say: each case begins from the same objects.
    for made in resources(place.lab):
        place.server.apply(made)
    eventually(place.has, 20, why=place.speaker.log)
    breaks(place)
    eventually(lambda: not place.has(), 20, why=place.speaker.log)

    def told() -> list[str]:
        (path,) = place.explained().paths
        return [link.name for link in path.broken if link.name not in ("router", "session", "routes")]

    eventually(lambda: told() == links, 20)
    (path,) = place.explained().paths
    repairs = [repair for link in path.links for repair in link.repairs]
    for repair in repairs:
        place.mend(repair)
    given = [f"{r.needed[0]['ip']}/32" for r in repairs if r.field == "status.loadBalancer.ingress"]
    (wanted,) = given or [VIP]  # where it had no address, the one that the repair gave it
    eventually(lambda: place.has(wanted), 20, why=place.speaker.log)
    eventually(lambda: place.explained().green, 20, why=place.speaker.log)
