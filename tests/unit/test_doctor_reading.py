"""Cluster objects and certificates as the doctor reads them; which addresses how many nodes announce."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.doctor import reading
from bgpctl.core.doctor.facts import Reach, Took
from bgpctl.core.doctor.reach import reaches
from bgpctl.core.drain.paths import Announcer
from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.endpoints import read_shared
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.services import read_service
from bgpctl.core.reading.certificates import expiry, pem_expiry
from bgpctl.core.reading.foreign import Unreadable
from tests.support import doctor_objects as made
from tests.support import objects as kit

CERTIFICATE = Path(__file__).parent / "data" / "certificate.pem"


def test_daemonsets_that_speak_and_kube_proxys_are_found_by_their_labels() -> None:
    ours = reading.read_workload(made.daemonset())
    assert ours is not None and ours.ours and not ours.proxy and ours.host_network
    assert ours.selector == "app.kubernetes.io/name=bgpctl-speaker" and ours.max_unavailable == "1"
    cilium = reading.read_workload(made.daemonset("cilium", {"k8s-app": "cilium"}, priorityClassName=None))
    assert cilium is not None and not cilium.ours and cilium.priority == ""
    proxy = reading.read_workload(made.daemonset("kube-proxy", {"k8s-app": "kube-proxy"}))
    assert proxy is not None and proxy.proxy
    assert reading.read_workload(made.daemonset("x", {"k8s-app": "kube-proxy"}, hostNetwork=None)) is None
    assert reading.read_workload(made.daemonset("other", {"app": "x"})) is None
    assert reading.read_workload({"spec": 7}) is None


def test_a_restart_took_from_the_end_of_one_container_to_the_start_of_the_next() -> None:
    pods = [made.pod(), made.pod(lastState={}), made.pod(state={"waiting": {}}), {"status": 1}]
    assert list(reading.restarts(pods)) == [Took("worker-1", 42.0, "container speaker")]


@pytest.mark.parametrize(
    ("took", "seconds"),
    [("1m2.5s", 62.5), ("500ms", 0.5), ("2.004s", 2.004), ("1h0m3s", 3603.0), ("soon", None), ("3", None)],
)
def test_a_pull_is_read_from_its_event(took: str, seconds: float | None) -> None:
    assert reading.go_seconds(took) == seconds
    found = [
        one.seconds for one in reading.pulls([made.pulled(took)], {("kube-system", "speaker-x"): "worker-1"})
    ]
    assert found == ([] if seconds is None else [seconds])
    others = {("kube-system", "another"): "worker-1", ("aa", "speaker-x"): "worker-1"}
    assert list(reading.pulls([made.pulled(took)], others)) == []


def test_pools_know_how_many_of_their_addresses_are_in_use() -> None:
    services = [read_service(kit.service("a", "203.0.113.1", "203.0.113.99")), read_service(kit.service("b"))]
    documents = [
        made.pool("vips", {"cidr": "203.0.113.0/28"}, {"start": "203.0.113.99"}),
        made.pool("other", {"cidr": "2001:db8::/120"}, disabled=True),
        made.pool("odd", {"cidr": "nonsense"}),
    ]
    vips, other, odd = reading.read_pools(documents, services)
    assert (vips.size, vips.used, vips.disabled) == (17, 2, False)
    assert (other.size, other.used, other.disabled) == (256, 0, True)
    assert odd.problem.startswith("it cannot be read")


def test_what_a_crd_lacks_is_named_once_at_its_place() -> None:
    new = made.crd(a={"type": "string"}, b={"type": "object", "properties": {"c": {"type": "string"}}})
    old = made.crd(b={"type": "object", "properties": {}})
    assert reading.lacking(new, old) == ("status.a", "status.b.c")
    assert reading.lacking(new, new) == ()
    listed = made.crd(
        a={"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}}
    )
    bare = made.crd(a={"type": "array", "items": {"type": "object"}})
    assert reading.lacking(listed, bare) == ("status.a[].x",)
    open_ = made.crd(a={"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": True}})
    assert reading.lacking(listed, open_) == ()


def test_the_end_of_a_certificate() -> None:
    assert pem_expiry(CERTIFICATE.read_bytes()) == 32503680000.0  # 3000-01-01, GeneralizedTime
    assert pem_expiry(b"") is None
    for broken in (b"-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",):
        with pytest.raises(Unreadable):
            pem_expiry(broken)
    with pytest.raises(Unreadable):
        expiry(b"\x30\x82\xff")


# --- who announces what ----------------------------------------------------------------------------------

NODES = tuple(kit.node(f"worker-{number}") for number in range(1, 5))


def found(*policies: Any, services: Any, slices: Any, nodes: Any = NODES) -> dict[str, Reach]:
    fleet = Fleet(
        ClusterObjects(policies=policies, secrets=None, interfaces=None, gateways=None),
        [read_service(one) for one in services],
        [read_shared(one) for one in slices],
    )
    announcers = [Announcer(node, True, {}) for node in nodes]
    bare = {node["metadata"]["name"]: fleet.bare(node, True) for node in nodes}
    return {str(reach.prefix): reach for reach in reaches(fleet, announcers, bare)}


def test_an_address_of_the_cluster_is_announced_by_every_node_and_a_local_one_where_its_endpoints_are() -> (
    None
):
    reach = found(
        kit.policy(),
        services=[kit.service("web", "203.0.113.1"), kit.service("api", "203.0.113.2", local=True)],
        slices=[
            kit.endpoint_slice("web", kit.endpoint("worker-1")),
            kit.endpoint_slice("api", kit.endpoint("worker-2"), kit.endpoint("worker-2")),
        ],
    )
    web, api = reach["203.0.113.1/32"], reach["203.0.113.2/32"]
    assert (web.local, web.announcers, web.only, web.endpoints) == (False, 4, "", 1)
    assert (api.local, api.announcers, api.only, api.endpoints) == (True, 1, "worker-2", 2)


def test_endpoints_on_nodes_that_do_not_announce_make_nobody_announce() -> None:
    slices = [kit.endpoint_slice("api", kit.endpoint("worker-9"))]
    services = [kit.service("api", "203.0.113.2", local=True), kit.service("web", "203.0.113.1")]
    reach = found(kit.policy(), services=services, slices=[*slices, kit.endpoint_slice("web")])
    assert (reach["203.0.113.2/32"].announcers, reach["203.0.113.2/32"].endpoints) == (0, 1)
    assert (reach["203.0.113.1/32"].announcers, reach["203.0.113.1/32"].endpoints) == (4, 0)


def test_an_endpoint_that_is_on_no_node_answers_all_the_same() -> None:
    outside = {"addresses": ["198.51.100.7"], "conditions": {"ready": True}}
    reach = found(
        kit.policy(),
        services=[kit.service("web", "203.0.113.1")],
        slices=[kit.endpoint_slice("web", outside)],
    )
    assert reach["203.0.113.1/32"].endpoints == 1


def test_two_policies_are_two_kinds_of_nodes() -> None:
    labels = {"rack": "2"}
    other = kit.policy(
        kit.router(serviceSelector={"matchLabels": {"app": "none"}}),
        name="other",
        nodeSelector={"matchLabels": labels},
    )
    nodes = [NODES[0], kit.node("worker-9", labels=labels)]
    services, slices = (
        [kit.service("web", "203.0.113.1")],
        [kit.endpoint_slice("web", kit.endpoint("worker-9"))],
    )
    reach = found(kit.policy(), other, services=services, slices=slices, nodes=nodes)
    assert (reach["203.0.113.1/32"].announcers, reach["203.0.113.1/32"].only) == (1, "worker-1")


def test_it_agrees_with_what_each_node_would_announce_by_itself() -> None:
    services = [
        *(kit.service(f"c{n}", f"203.0.113.{n}") for n in range(1, 4)),
        *(kit.service(f"l{n}", f"203.0.113.{n}", local=True) for n in range(4, 8)),
    ]
    slices = [
        kit.endpoint_slice(
            one["metadata"]["name"], *(kit.endpoint(f"worker-{1 + (n + k) % 4}") for k in range(n % 3))
        )
        for n, one in enumerate(services)
    ]
    reach = found(kit.policy(), services=services, slices=slices)
    fleet = Fleet(
        ClusterObjects(policies=[kit.policy()], secrets=None, interfaces=None, gateways=None),
        [read_service(one) for one in services],
        [read_shared(one) for one in slices],
    )
    counted: dict[str, int] = {}
    for node in NODES:
        for prefix in {str(p) for table in fleet.intent(node, True).routes.values() for p in table}:
            counted[prefix] = counted.get(prefix, 0) + 1
    assert {prefix: one.announcers for prefix, one in reach.items() if one.announcers} == {
        prefix: count for prefix, count in counted.items() if prefix.startswith("203.")
    }


def test_a_node_and_what_is_malformed_of_it() -> None:
    node = reading.read_node(kit.node("worker-1", spec={"unschedulable": True}))
    assert node.ready is None and node.addresses == (ip_address("192.0.2.11"),)
    assert reading.read_node({"metadata": {"name": "n"}, "spec": [], "status": 7}) == replace(
        node, name="n", labels={}, addresses=()
    )
