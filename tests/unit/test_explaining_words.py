"""What is said of an absent route, reason by reason (golden/explaining.txt): each field that would have to be
otherwise, with its value and the command that shows it, and each link that is not as in the first case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.explaining.links import object_links
from bgpctl.core.intent.explaining.proposals.table import BY_REASON
from bgpctl.core.intent.explaining.search import Asker, Found, search
from bgpctl.core.intent.explaining.verdict import Target
from bgpctl.core.policy.nodeconfig import Source
from bgpctl.render.text import Line, line
from tests.support import objects as kit
from tests.support import v2
from tests.support.changing import NAME
from tests.support.golden import check_golden
from tests.support.intents import world

WEB, SIX = "203.0.113.1/32", "2001:db8::9/128"
PEER, MODERN_PEER = "65001/127.0.0.100", "main/tor"

Asked = tuple[ClusterObjects, Target, str]


def _target(
    prefix: str | None = WEB, origin: str = "Service default/web", source: Source = Source.SERVICE
) -> Target:
    return Target(origin, ip_network(prefix) if prefix else None, source)


def old(*services: Any, target: Target | None = None, peer: str = PEER, **fields: Any) -> Asked:
    """By a CiliumBGPPeeringPolicy that advertises everything to one peer."""
    return world(*services, **fields), target or _target(), peer


def modern(
    *services: Any,
    families: Any = None,
    adverts: Any = None,
    target: Target | None = None,
    peer: str = MODERN_PEER,
    **fields: Any,
) -> Asked:
    """The same by the v2 resources."""
    told: dict[str, Any] = {
        "policies": (),
        "cluster_configs": [v2.cluster_config()],
        "peer_configs": [v2.peer_config(families=[v2.family()] if families is None else families)],
        "advertisements": [v2.advertisement()] if adverts is None else adverts,
    }
    return world(*services, **{**told, **fields}), target or _target(), peer


def routers(**fields: Any) -> Any:
    return [kit.policy(kit.router(**fields))]


def web(*ips: str, **fields: Any) -> Any:
    return kit.service("web", *(ips or ("203.0.113.1",)), **fields)


def annotated(**annotations: str) -> Any:
    made = web()
    made["metadata"]["annotations"] = {
        f"service.cilium.io/{k.replace('_', '-')}": v for k, v in annotations.items()
    }
    return made


def ingress(*entries: Any, **spec: Any) -> Any:
    return {**web(**spec), "status": {"loadBalancer": {"ingress": list(entries)}}}


def node(labels: Mapping[str, str] | None = None, *conditions: tuple[str, str]) -> Any:
    told = [{"type": kind, "status": status} for kind, status in conditions]
    addresses = [{"type": "InternalIP", "address": "192.0.2.11"}]
    return kit.node(
        labels=dict(labels) if labels is not None else None,
        status={"conditions": told, "addresses": addresses},
    )


def selecting(**expression: Any) -> Any:
    return [kit.policy(nodeSelector={"matchExpressions": [{"key": "rack", **expression}]})]


POOL = _target("10.8.1.0/24", "CiliumPodIPPool blue", Source.POD_POOL)
CIDR = _target("10.244.1.0/24", "PodCIDR", Source.POD_CIDR)
PODS_ONLY = [v2.advertisement(v2.advert("PodCIDR"))]
EVPN = {"afi": "l2vpn", "safi": "evpn"}
BLUE = [kit.pool("blue", app="blue")]
LOCAL = web(local=True, selector={"app": "web"}, ports=[{"name": "http", "port": 80}])
SLICE = kit.endpoint_slice("web", kit.endpoint("worker-2", ready=True))
WAITING = kit.endpoint_slice("web", kit.endpoint(ready=True), kit.endpoint(ready=False))

CASES: Mapping[str, Asked] = {
    "announced": old(web()),
    # --- which node
    "no policy selects it": old(web(), node=node({})),
    "it has another value": old(web(), node=node({"enable-bgp": "false"})),
    "a policy asks for one of several": old(web(), policies=selecting(operator="In", values=["b", "a"])),
    "a policy asks for any": old(web(), policies=selecting(operator="Exists")),
    "a policy asks for none": old(
        web(), node=node({"rack": "1"}), policies=selecting(operator="DoesNotExist")
    ),
    "a policy asks for another": old(
        web(), node=node({"rack": "1"}), policies=selecting(operator="NotIn", values=["1"])
    ),
    "two policies, one of which cannot be run": old(
        web(),
        node=node({}),
        policies=[
            {**kit.policy(name="a"), "spec": {**kit.policy()["spec"], "virtualRouters": 7}},
            kit.policy(name="b"),
        ],
    ),
    "a policy that cannot be read": old(
        web(), policies=[kit.policy(kit.router(kit.neighbor(holdTimeSeconds=1, connectRetryTimeSeconds=0)))]
    ),
    "two neighbors that cannot be read": old(
        web(), policies=[kit.policy(kit.router(kit.neighbor("x"), kit.neighbor(), kit.neighbor("y")))]
    ),
    "an override that cannot be read": modern(
        web(), overrides=[v2.override({"name": "main", "routerID": "x"})]
    ),
    "it is kept out of load balancers": old(
        web(),
        node=node({"enable-bgp": "true", "node.kubernetes.io/exclude-from-external-load-balancers": ""}),
    ),
    "its network is not set up": old(web(), node=node(None, ("NetworkUnavailable", "True"))),
    "it was never ready": old(web(), node=node(None, ("Ready", "True"), ("Ready", "False"))),
    # --- which peer
    "a peer without its settings": modern(web(), peer_configs=[]),
    "a peer whose settings are called otherwise": modern(
        web(),
        peer_configs=[
            v2.peer_config("b", families=[v2.family()]),
            v2.peer_config("a", families=[v2.family()]),
        ],
    ),
    "settings that cannot be read": modern(
        web(), peer_configs=[v2.peer_config(families=[v2.family()], ebgpMultihop=0)]
    ),
    "a family that nobody speaks": modern(web(), families=[EVPN]),
    "a neighbor with a family that nobody speaks": old(
        web(), policies=[kit.policy(kit.router(kit.neighbor(families=[EVPN])))]
    ),
    "a peer that nobody names": old(web(), peer="65001/127.0.0.9"),
    "towards any peer": modern(web(), adverts=PODS_ONLY, peer=""),
    # --- what is advertised
    "no selector of Services": old(web(), policies=routers(serviceSelector=None)),
    "a selector of other Services": old(
        web(), policies=routers(serviceSelector={"matchLabels": {"app": "db", "tier": "front"}})
    ),
    "another type of address": old(
        kit.service("web", type="ClusterIP", clusterIPs=["203.0.113.1"]), policies=routers()
    ),
    "a type that is not among those": old(
        kit.service("web", type="ClusterIP", externalIPs=["203.0.113.1"]),
        policies=routers(serviceAdvertisements=["ClusterIP"]),
    ),
    "another type and other labels": old(
        kit.service("web", type="ClusterIP", clusterIPs=["203.0.113.1"]),
        policies=routers(serviceSelector={"matchLabels": {"app": "db"}}),
    ),
    "no pod CIDR": old(target=CIDR, policies=routers(exportPodCIDR=False)),
    "a pod CIDR of another node": old(target=_target("10.9.9.0/24", "PodCIDR", Source.POD_CIDR)),
    "no pool": old(target=POOL, pod_pools=BLUE, cilium_node=kit.cilium_node(blue=["10.8.1.0/24"])),
    "another pool": old(
        target=POOL,
        policies=routers(podIPPoolSelector={"matchLabels": {"app": "red"}}),
        pod_pools=BLUE,
        cilium_node=kit.cilium_node(blue=["10.8.1.0/24"]),
    ),
    "a family that is not on the session": old(
        web("2001:db8::9"),
        target=_target(SIX),
        policies=[kit.policy(kit.router(kit.neighbor(families=[{"afi": "ipv4", "safi": "unicast"}])))],
    ),
    "the same by the v2 resources": modern(web("2001:db8::9"), target=_target(SIX)),
    "no family at all": modern(web(), families=[]),
    "a family that selects nothing": modern(web(), families=[v2.family(advertisements=None)]),
    "an advertisement that no family selects": modern(
        web(), adverts=[v2.advertisement(labels={"advertise": "no"})]
    ),
    "no advertisement at all": modern(web(), adverts=[]),
    "an advertisement of something else": modern(web(), adverts=PODS_ONLY),
    "an advertisement of other Services": modern(
        web(), adverts=[v2.advertisement(v2.advert(selector={"matchLabels": {"app": "db"}}))]
    ),
    "an advertisement of another type": modern(
        web(), adverts=[v2.advertisement(v2.advert(service={"addresses": ["ClusterIP"]}))]
    ),
    "of another type and of other Services": modern(
        web(),
        adverts=[
            v2.advertisement(
                v2.advert(service={"addresses": ["ClusterIP"]}, selector={"matchLabels": {"app": "db"}})
            )
        ],
    ),
    "an advertisement that cannot be read": modern(
        web(), adverts=[v2.advertisement(v2.advert(service={"addresses": ["Nonsense"]}))]
    ),
    "no advertisement of pod CIDRs": modern(target=CIDR, adverts=[v2.advertisement(v2.advert())]),
    "no advertisement of pools": modern(
        target=POOL, pod_pools=BLUE, cilium_node=kit.cilium_node(blue=["10.8.1.0/24"]), adverts=PODS_ONLY
    ),
    "an advertisement of other pools": modern(
        target=POOL,
        pod_pools=BLUE,
        cilium_node=kit.cilium_node(blue=["10.8.1.0/24"]),
        adverts=[v2.advertisement(v2.advert("CiliumPodIPPool", selector={"matchLabels": {"app": "red"}}))],
    ),
    "a pool that does not exist": modern(
        target=POOL,
        pod_pools=[],
        cilium_node=kit.cilium_node(blue=["10.8.1.0/24"]),
        adverts=[v2.advertisement(v2.advert("CiliumPodIPPool", selector={}))],
    ),
    "a pool of which the node has nothing": modern(
        target=replace(POOL, prefix=None),
        pod_pools=BLUE,
        cilium_node=kit.cilium_node(red=["10.7.1.0/24"]),
        adverts=[v2.advertisement(v2.advert("CiliumPodIPPool", selector={}))],
    ),
    "a pool that is empty on the node": modern(
        target=replace(POOL, prefix=None),
        pod_pools=BLUE,
        cilium_node=kit.cilium_node(red=["10.7.1.0/24"], blue=[]),
        adverts=[v2.advertisement(v2.advert("CiliumPodIPPool", selector={}))],
    ),
    "a node without a CiliumNode": modern(
        target=replace(POOL, prefix=None),
        pod_pools=BLUE,
        cilium_node=None,
        adverts=[v2.advertisement(v2.advert("CiliumPodIPPool", selector={}))],
    ),
    # --- the Service
    "no address yet": old(ingress(), target=_target(None)),
    "no address yet, and pools": old(
        ingress(),
        target=_target(None),
        lb_pools=[
            kit.lb_pool({"cidr": "198.51.100.0/28"}),
            kit.lb_pool({"start": "198.51.100.99"}, name="b"),
        ],
    ),
    "another load balancer's": old(web(loadBalancerClass="example.com/lb")),
    "an address that is the load balancer's own": old(
        ingress({"ip": "203.0.113.7"}, {"ip": "203.0.113.1", "ipMode": "Proxy"})
    ),
    "headless": old(web(clusterIP="None")),
    "headless by a label": old(web(labels={"app": "web", "service.kubernetes.io/headless": ""})),
    "headless by both": old(web(clusterIP="None", labels={"service.kubernetes.io/headless": ""})),
    "only of another type": old(annotated(type="ClusterIP")),
    "on other nodes": old(annotated(node="beefy")),
    "on other nodes by a selector": old(annotated(node_selector="rack in (b, a),disk")),
    "of a type that has no address": old(kit.service("web", type="ClusterIP"), target=_target(None)),
    "a cluster address that is not advertised": modern(
        kit.service("web", type="ClusterIP", clusterIPs=["203.0.113.1"]), adverts=PODS_ONLY
    ),
    "addresses that cannot be read": old(
        {
            **web(externalIPs=["nonsense", "203.0.113.1", "x"]),
            "status": {"loadBalancer": {"ingress": [{"ip": "y"}]}},
        }
    ),
    "a Service that does not exist": old(target=_target(WEB, "Service default/other")),
    # --- its endpoints
    "no slice": old(LOCAL),
    "no endpoint here": old(LOCAL, slices=[{**SLICE, "ports": [{"name": "http", "port": 8080}]}]),
    "an endpoint that is not ready": old(
        LOCAL,
        slices=[
            {
                **kit.endpoint_slice("web", kit.endpoint("worker-2", ready=True), kit.endpoint(ready=False)),
                "ports": [{"name": "http"}],
            }
        ],
    ),
    "ports of other names": old(LOCAL, slices=[{**WAITING, "ports": [{"name": "metrics", "port": 9090}]}]),
    "an IPv6 address": old(
        web("2001:db8::9", local=True),
        target=_target(SIX),
        slices=[kit.endpoint_slice("web", kit.endpoint(ready=True))],
    ),
    "a cluster address whose policy is Local": modern(
        kit.service("web", type="ClusterIP", clusterIPs=["203.0.113.1"], internalTrafficPolicy="Local"),
        adverts=[v2.advertisement(v2.advert(service={"addresses": ["ClusterIP"]}))],
    ),
    "a selector of many labels": old(web(local=True, selector={f"l{n}": "x" for n in range(6)})),
    "a selector of five": old(web(local=True, selector={f"l{n}": "x" for n in range(5)})),
    # --- links that are as they must be, and say more than others
    "on this node by an annotation": old(
        annotated(node="here"), node=node({"enable-bgp": "true", "service.cilium.io/node": "here"})
    ),
    "only of this type": old(annotated(type="LoadBalancer")),
    "of no type": old(
        {**web(clusterIPs=["203.0.113.1"]), "spec": {"clusterIPs": ["203.0.113.1"]}},
        policies=routers(serviceAdvertisements=["ClusterIP"]),
    ),
    "an address of two types": old(
        web(externalIPs=["203.0.113.1"], clusterIPs=["203.0.113.1"]),
        policies=routers(serviceAdvertisements=["ClusterIP"]),
    ),
    "an address of an interface": modern(
        target=_target("192.0.2.5/32", "Interface dum0", Source.INTERFACE),
        adverts=[v2.advertisement(v2.advert("Interface", interface={"name": "dum0"}))],
        interfaces={"dum0": (ip_address("192.0.2.5"),)},
    ),
    "endpoints here and there": old(
        LOCAL,
        slices=[
            {
                **kit.endpoint_slice(
                    "web",
                    kit.endpoint("worker-2", ready=True),
                    kit.endpoint(ready=True),
                    kit.endpoint(ready=True),
                    kit.endpoint(ready=False),
                ),
                "ports": [{"name": "http"}],
            },
            kit.endpoint_slice("other", kit.endpoint(ready=True)),
        ],
    ),
    "by a selector": modern(
        web(),
        adverts=[
            v2.advertisement(v2.advert("PodCIDR"), name="a"),
            v2.advertisement(v2.advert(selector={"matchLabels": {"app": "db"}}), name="b"),
            v2.advertisement(v2.advert(selector={"matchLabels": {"app": "web"}}), name="c"),
        ],
    ),
    "to the other of two peers": modern(
        web(),
        peer="main/other",
        cluster_configs=[
            v2.cluster_config(
                v2.instance(v2.peer(), v2.peer("other", "127.0.0.101", peerConfigRef={"name": "other"}))
            )
        ],
        peer_configs=[
            v2.peer_config(families=[v2.family()]),
            v2.peer_config("other", families=[v2.family(advertisements={"matchLabels": {"for": "other"}})]),
        ],
        adverts=[
            v2.advertisement(),
            v2.advertisement(name="other", labels={"for": "other"}),
        ],
    ),
    # --- the less usual
    "a Service asks for more than a number": old(
        annotated(node_selector="rack>5"), node=node({"enable-bgp": "true", "rack": "5"})
    ),
    "a Service asks for less than a number": old(
        annotated(node_selector="rack<5"), node=node({"enable-bgp": "true", "rack": "5"})
    ),
    "a policy of which one condition is met": old(
        web(),
        node=node({"rack": "1"}),
        policies=[
            kit.policy(
                nodeSelector={
                    "matchLabels": {"zone": "a"},
                    "matchExpressions": [
                        {"key": "rack", "operator": "Exists"},
                        {"key": "zone", "operator": "In", "values": ["a", "b"]},
                        {"key": "zone", "operator": "Exists"},
                    ],
                }
            )
        ],
    ),
    "a peer of the second router": old(
        web(),
        peer="65002/127.0.0.101",
        policies=[
            kit.policy(
                kit.router(kit.neighbor()),
                kit.router(
                    kit.neighbor("127.0.0.9/32"),
                    kit.neighbor("127.0.0.101/32"),
                    asn=65002,
                    serviceSelector=None,
                ),
            )
        ],
    ),
    "a peer twice": old(
        web(), policies=[kit.policy(kit.router(kit.neighbor()), kit.router(kit.neighbor(), asn=65002))]
    ),
    "a peer without a reference": modern(
        web(), cluster_configs=[v2.cluster_config(v2.instance(v2.peer(peerConfigRef=None)))]
    ),
    "an instance without a number": modern(
        web(), cluster_configs=[v2.cluster_config(v2.instance(localASN=None))]
    ),
    "the family of the other version selects it": modern(
        web(), families=[v2.family("ipv6"), v2.family(advertisements={"matchLabels": {"a": "b"}})]
    ),
    "families that are none": modern(web(), families=[7, v2.family(advertisements=None)]),
    "another type beside those": modern(
        web(), adverts=[v2.advertisement(v2.advert(service={"addresses": ["ClusterIP", "ExternalIP"]}))]
    ),
    "of several advertisements the one that is selected": modern(
        web(),
        adverts=[
            v2.advertisement(name="a", labels={}),
            v2.advertisement(
                v2.advert("PodCIDR"), v2.advert(selector={"matchLabels": {"app": "db"}}), name="b"
            ),
        ],
    ),
    "of several pools": old(
        target=POOL,
        policies=routers(podIPPoolSelector={"matchLabels": {"app": "red"}}),
        pod_pools=[kit.pool("green", app="green"), *BLUE],
        cilium_node=kit.cilium_node(blue=["10.8.1.0/24"]),
    ),
    "of several pools one that is empty": modern(
        target=replace(POOL, prefix=None),
        pod_pools=[{**kit.pool("green"), "spec": {"ipv4": {"cidrs": ["10.9.0.0/16"]}}}, *BLUE],
        cilium_node=kit.cilium_node(red=["10.7.1.0/24"]),
        adverts=[v2.advertisement(v2.advert("CiliumPodIPPool", selector={}))],
    ),
    "addresses that are none on purpose": old(
        web(clusterIPs=["None"], externalIPs=["x"], clusterIP="203.0.113.9"), target=_target("203.0.113.1/32")
    ),
    "a pool's block that cannot be read": old(
        ingress(),
        target=_target(None),
        lb_pools=[
            {"metadata": {"name": "a"}, "spec": {"blocks": [7, {"cidr": "x"}]}},
            kit.lb_pool({"cidr": "198.51.100.7/28"}),
        ],
    ),
    "endpoints that are none": old(
        LOCAL,
        slices=[
            {
                **kit.endpoint_slice("web", kit.endpoint("worker-2", ready=True)),
                "endpoints": [
                    7,
                    {"nodeName": NAME, "conditions": None},
                    kit.endpoint(ready=False),
                    {**kit.endpoint("worker-2"), "conditions": {"ready": False}},
                ],
                "ports": [{"name": "http"}],
            }
        ],
    ),
    "slices of both versions": old(
        LOCAL,
        slices=[
            {
                **kit.endpoint_slice("web", kit.endpoint(ready=False), family="IPv6"),
                "ports": [{"name": "http"}],
            },
            {**kit.endpoint_slice("web", kit.endpoint("worker-2", ready=True)), "ports": [{"name": "http"}]},
        ],
    ),
    "a condition that is none": old(
        web(),
        node={
            **kit.node(),
            "status": {
                "conditions": [7, {"type": "Other", "status": "False"}, {"type": "Ready", "status": "False"}]
            },
        },
    ),
    "unreadable fields of two kinds": modern(
        web(),
        peer_configs=[v2.peer_config(families=[v2.family()], ebgpMultihop=0)],
        adverts=[v2.advertisement(v2.advert(service={"addresses": ["Nonsense"]}))],
    ),
    "the second address of a Service": old(
        web("203.0.113.9", "203.0.113.1"), policies=routers(serviceSelector={"matchLabels": {"app": "db"}})
    ),
    "a Service of a namesake's": old(
        kit.service("web", "203.0.113.1", namespace="other", loadBalancerClass="a/b"), web()
    ),
    # --- several at once
    "everything is wrong": modern(
        kit.service("web", "203.0.113.1", local=True, loadBalancerClass="example.com/lb"),
        node=node(
            {"node.kubernetes.io/exclude-from-external-load-balancers": ""}, ("NetworkUnavailable", "True")
        ),
        peer_configs=[],
        adverts=[],
    ),
}


def _all() -> Iterator[Line]:
    whole: set[str] = set()
    for name, (objects, target, peer) in CASES.items():
        asker = Asker(NAME)
        found = search(asker, objects, target, peer)
        links = object_links(asker, objects, target, peer, found)
        chain = [f"  {one.name}: {one.status}: {one.says} [{one.command}]" for one in links]
        yield line(f"# {name}: {target}")
        yield from map(line, (*_reasons(found), *(text for text in chain if text not in whole)))
        whole = whole or set(chain)


def _reasons(found: Found) -> Iterator[str]:
    if not found.mended:
        yield "  no change of a field was found that brings it"
    for broken in found.broken:
        yield f"  {broken.reason}: {broken.detail}"
        for one in broken.repairs:
            field = one.field or "(the object)"
            yield f"    {one.object} {field}: {one.found!r} -> {one.wanted} [{one.command}]"
            if one.words and one.needed is not None:
                yield f"      for example {json.dumps(one.needed)}"


def test_every_reason_in_its_words() -> None:
    check_golden("explaining.txt", _all())


def test_every_reason_that_has_repairs_is_among_them() -> None:
    said = {broken.reason for name in CASES for broken in search(Asker(NAME), *CASES[name]).broken}
    assert said >= set(BY_REASON), set(BY_REASON) - said


@pytest.mark.parametrize("name", CASES)
def test_with_its_repairs_each_of_them_is_announced(name: str) -> None:
    found = search(Asker(NAME), *CASES[name])
    assert found.mended or name in UNMENDED


UNMENDED = (
    "an instance without a number",
    "two neighbors that cannot be read",
    "a peer twice",
    "a peer that nobody names",
    "a pod CIDR of another node",
    "a Service that does not exist",
)
"""What they would have to be nobody can guess."""
