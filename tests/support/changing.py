"""A small cluster that changes at random, for properties: its objects as strategies, and its state."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from hypothesis import strategies as st

from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent
from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.endpoints import read_slice
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import Intent
from tests.support import objects as kit

NAME = "worker-1"
NAMES = ("a", "b", "c")
VIPS = st.sampled_from([f"203.0.113.{n}" for n in range(1, 5)] + ["2001:db8::1", "no address"])
PORTS = st.sampled_from([None, [], [{"port": 80}], [{"port": 80, "name": "a"}], [{"port": 81, "name": "b"}]])
EXPOSURES = [{"service.cilium.io/node": "beefy"}, {"service.cilium.io/type": "ClusterIP"}]
MALFORMED: list[Any] = [
    {"metadata": {"name": "a"}},
    {"metadata": {"name": ["a"], "namespace": "default"}, "spec": {}},
    {"metadata": {"name": "b"}, "spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": 7}},
]


@st.composite
def services(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(MALFORMED))
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "externalIPs": st.lists(VIPS, max_size=2),
                "clusterIPs": st.lists(VIPS, max_size=2),
                "internalTrafficPolicy": st.sampled_from(["Local", "Cluster"]),
                "loadBalancerClass": st.sampled_from(["other", "io.cilium/bgp-control-plane"]),
                "type": st.sampled_from(["ClusterIP", "LoadBalancer", "ExternalName"]),
                "ports": PORTS,
            },
        )
    )
    made = kit.service(
        draw(st.sampled_from(NAMES)),
        *draw(st.lists(VIPS, max_size=2)),
        local=draw(st.booleans()),
        labels=draw(st.sampled_from([{}, {"app": "web"}, {"app": "db"}, {"cilium.io/ingress": "true"}])),
        **fields,
    )
    made["metadata"]["annotations"] = draw(st.sampled_from([{}, {}, *EXPOSURES]))
    return made


@st.composite
def slices(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return {"metadata": {"name": "x", "labels": {"kubernetes.io/service-name": [1]}}}
    leaving = st.fixed_dictionaries({}, optional={"serving": st.just(True), "terminating": st.just(True)})
    made = st.tuples(st.sampled_from([NAME, "worker-2"]), st.booleans(), leaving)
    endpoint = made.map(lambda parts: kit.endpoint(parts[0], ready=parts[1], **parts[2]))
    family = draw(st.sampled_from(["IPv4", "IPv6"]))
    found = kit.endpoint_slice(
        draw(st.sampled_from(NAMES)),
        *draw(st.lists(endpoint, max_size=2)),
        family=family,
        suffix=draw(st.sampled_from("xy")),
    )
    return {**found, "ports": draw(PORTS)}


NODES = [
    kit.node(NAME),
    kit.node(NAME, labels={"enable-bgp": "false"}),
    kit.node(NAME, labels={"enable-bgp": "true", "service.cilium.io/node": "beefy"}),
    kit.node(
        NAME, labels={"enable-bgp": "true", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
    ),
    kit.node(NAME, status={"addresses": [{"type": "InternalIP", "address": "2001:db8::11"}]}),
]
TAGGED = {"selectorType": "CiliumLoadBalancerIPPool", "communities": {"standard": ["65000:1"]}}
POLICIES: list[Any] = [
    [],
    [kit.policy()],
    [kit.policy(kit.router(serviceSelector={"matchLabels": {"app": "web"}}))],
    [kit.policy(kit.router(serviceAdvertisements=["ClusterIP", "ExternalIP"]))],
    [
        kit.policy(
            kit.router(kit.neighbor(), kit.neighbor("127.0.0.101/32", advertisedPathAttributes=[TAGGED]))
        )
    ],
    [kit.policy(kit.router(kit.neighbor("2001:db8::2/128", families=[{"afi": "ipv6", "safi": "unicast"}])))],
    [kit.policy(kit.router(kit.neighbor(peerPort=0)))],
]
POOLS: list[Any] = [None, [], [{"metadata": {"name": "p"}, "spec": {"blocks": [{"cidr": "203.0.113.0/31"}]}}]]

# What one step replaces of the world; everything else stays the same object, as a mirror's does.
STEPS = st.one_of(
    st.tuples(st.just("service"), st.integers(0, 3), st.none() | services()),
    st.tuples(st.just("slice"), st.integers(0, 3), st.none() | slices()),
    st.tuples(st.just("node"), st.just(0), st.sampled_from(NODES)),
    st.tuples(st.just("policies"), st.just(0), st.sampled_from(POLICIES)),
    st.tuples(st.just("pools"), st.just(0), st.sampled_from(POOLS)),
    st.tuples(st.just("options"), st.just(0), st.booleans()),
)


class World:
    """The cluster as it changes: places for Services and slices, each empty or filled. At first there are
    Services of every name, some Local, some without endpoints, each with two addresses."""

    def __init__(self, read: bool, policies: Any) -> None:
        self.read = read
        self.services: dict[int, Any] = {}
        self.slices: dict[int, Any] = {}
        self.rest: dict[str, Any] = {"node": NODES[0], "policies": policies, "lb_pools": None}
        self.context = Context()
        for place, name in enumerate(NAMES):
            labels = {"app": "web" if place else "db"}
            address, inner = f"203.0.113.{place + 1}", {"clusterIPs": [f"198.51.100.{place}"]}
            made = kit.service(name, address, local=place != 1, labels=labels, **inner)
            self.take("service", place, made)
            if place != 1:
                self.take("slice", place, kit.endpoint_slice(name, kit.endpoint(NAME)))

    def take(self, what: str, place: int, value: Any) -> None:
        if what in ("service", "slice"):
            kept = self.services if what == "service" else self.slices
            if value is None:
                kept.pop(place, None)
            elif self.read:
                kept[place] = read_service(value) if what == "service" else read_slice(value, NAME)
            else:
                kept[place] = value
        elif what == "options":
            hops = (ip_address("192.0.2.99"),) if value else ()
            self.context = Context(withdraw_without_endpoints=value, next_hops=hops)
        else:
            self.rest[{"pools": "lb_pools"}.get(what, what)] = value

    @property
    def objects(self) -> ClusterObjects:
        return ClusterObjects(
            services=tuple(self.services.values()), endpoint_slices=tuple(self.slices.values()), **self.rest
        )

    def compiled(self, previous: Intent | None, memo: Memo | None) -> Intent:
        return compile_intent(self.objects, NAME, self.context, previous=previous, memo=memo)
