"""Cluster objects and certificates as the doctor reads them; which addresses how many nodes announce."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.doctor import reading
from bgpctl.core.doctor.facts import Reach, Took, Upgrade, Workload
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


def test_the_whole_of_a_daemonset() -> None:
    document = made.daemonset(terminationGracePeriodSeconds=90)
    document["spec"]["selector"]["matchLabels"] = {"z": "1", "a": "2", "odd": 3}
    document["spec"]["updateStrategy"] = {"type": "OnDelete", "rollingUpdate": {"maxUnavailable": "3" * 12}}
    document["status"]["numberUnavailable"] = 2
    assert reading.read_workload(document) == Workload(
        "kube-system",
        "bgpctl-speaker",
        "a=2,z=1",
        proxy=False,
        ours=True,
        priority="system-node-critical",
        host_network=True,
        strategy="OnDelete",
        max_unavailable="3" * 10,
        unavailable=2,
        grace=90,
    )


@pytest.mark.parametrize(
    ("written", "upgrade"),
    [
        ('{"type": "RollingUpdate"}', Upgrade("RollingUpdate", {"speaker": "registry.example/speaker:1"})),
        ("[", Upgrade("", {})),
        ('{"type": "Never"}', Upgrade("", {})),
        (None, None),
    ],
)
def test_an_upgrade_that_is_not_at_its_end(written: str | None, upgrade: Upgrade | None) -> None:
    document = made.daemonset()
    if written is not None:
        document["metadata"]["annotations"] = {"bgpctl.io/upgrade": written}
    found = reading.read_workload(document)
    assert found is not None and found.upgrade == upgrade


def test_what_a_daemonset_does_not_say_is_as_kubernetes_has_it() -> None:
    template = {"metadata": {"labels": made.OURS}}
    found = reading.read_workload(
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"template": template}}
    )
    assert found == Workload(
        "b",
        "a",
        "",
        proxy=False,
        ours=True,
        priority="",
        host_network=False,
        strategy="RollingUpdate",
        max_unavailable="",
        unavailable=0,
        grace=30,
    )


@pytest.mark.parametrize("ready", [True, False])
def test_where_a_pod_is_and_whether_it_is_ready(ready: bool) -> None:
    assert reading.pod_ready(made.pod(ready=ready)) == ("worker-1", ready)
    assert reading.pod_ready({"spec": {}}) == ("", False)


def test_a_restart_took_from_the_end_of_one_container_to_the_start_of_the_next() -> None:
    pods = [made.pod(), made.pod(lastState={}), made.pod(state={"waiting": {}}), {"status": 1}]
    assert list(reading.restarts(pods)) == [Took("worker-1", 42.0, "container speaker")]
    at_once = made.pod(lastState={"terminated": {"finishedAt": "2026-11-29T10:00:42Z"}})
    assert list(reading.restarts([made.pod(node=""), at_once])) == []
    assert len(list(reading.restarts([{"spec": 7}, made.pod()]))) == 1, "what cannot be read costs itself"


@pytest.mark.parametrize(
    ("took", "seconds"),
    [
        ("1m2.5s", 62.5),
        ("500ms", 0.5),
        ("250µs", 0.00025),
        ("2.004s", 2.004),
        ("1h0m3s", 3603.0),
        ("soon", None),
        ("3", None),
        ("3s.", None),
        ("", None),
    ],
)
def test_a_pull_is_read_from_its_event(took: str, seconds: float | None) -> None:
    assert reading.go_seconds(took) == seconds
    found = [
        one.seconds for one in reading.pulls([made.pulled(took)], {("kube-system", "speaker-x"): "worker-1"})
    ]
    assert found == ([] if seconds is None else [seconds])
    others = {("kube-system", "another"): "worker-1", ("aa", "speaker-x"): "worker-1"}
    assert list(reading.pulls([made.pulled(took)], others)) == []


def test_a_pull_with_those_that_it_waited_for() -> None:
    nodes = {("kube-system", "speaker-x"): "worker-1"}
    short = {**made.pulled(), "message": 'Successfully pulled image "a:1" in 3s'}
    broken = [{**made.pulled(), "message": 7}, {"involvedObject": 7}, {**made.pulled(), "message": "Pulled"}]
    found = [*broken, made.pulled("2s"), short]
    image = "image registry.example/speaker:1"
    assert list(reading.pulls(found, nodes)) == [
        Took("worker-1", 2.0, image),
        Took("worker-1", 3.0, "image a:1"),
    ]
    assert [one.seconds for one in reading.pulls(found, nodes, waiting=True)] == [70.0, 3.0]


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


def test_the_older_form_of_a_pool_and_what_cilium_says_of_one() -> None:
    older = {"metadata": {"name": "a"}, "spec": {"cidrs": [{"cidr": "203.0.113.0/30"}]}}
    conditions = [{"type": "cilium.io/PoolConflict", "status": "True"}]
    conflicting = {**made.pool(), "status": {"conditions": conditions}}
    empty = {"metadata": {"name": "b"}, "spec": {}}
    odd = read_service(kit.service("a", "nonsense", "203.0.113.1"))
    found = reading.read_pools([older, conflicting, made.pool(), empty, {"metadata": {"name": "c"}}], [odd])
    assert [one.size for one in found] == [4, 16, 16, 0, 0]
    assert [one.conflict for one in found] == [False, True, False, False, False]
    assert [one.used for one in found] == [1, 1, 1, 0, 0]
    assert [one.problem for one in found] == [""] * 5


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


@pytest.mark.parametrize(
    "there",
    [
        {},
        {"spec": 7},
        {"spec": {"versions": 7}},
        {"spec": {"versions": []}},
        {"spec": {"versions": [7]}},
        {"spec": {"versions": [{"schema": 7}]}},
        {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"properties": 7}}}]}},
    ],
)
def test_of_a_crd_that_cannot_be_read_everything_is_lacking(there: Any) -> None:
    assert reading.lacking(made.crd(a={"type": "string"}), there) == ("status",)


def test_the_newest_version_of_a_crd_counts() -> None:
    new, old = made.crd(a={"type": "string"}), made.crd()
    both = {"spec": {"versions": [*old["spec"]["versions"], *new["spec"]["versions"]]}}
    assert reading.lacking(new, both) == () and reading.lacking(both, old) == ("status.a",)


def test_the_end_of_a_certificate() -> None:
    assert pem_expiry(CERTIFICATE.read_bytes()) == 32503680000.0  # 3000-01-01, GeneralizedTime
    assert pem_expiry(b"") is None
    for broken in (b"-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",):
        with pytest.raises(Unreadable):
            pem_expiry(broken)


def test_a_certificate_that_is_cut_is_none() -> None:
    text = CERTIFICATE.read_text()
    whole = b64decode(text.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----")[0])
    assert expiry(whole) == 32503680000.0
    for end in (1, 64, len(whole) // 2):
        with pytest.raises(Unreadable, match="ends too soon"):
            expiry(whole[:-end])


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "a certificate ends too soon"),
        (b"\x30", "a certificate ends too soon"),
        (b"\x30\x01", "a certificate ends too soon"),
        (b"\x30\x82\xff", "a certificate ends too soon"),
        (b"\x30\x03\x30\x02\x00", "a certificate ends too soon"),
        (b"\x30\x85\x00\x00\x00\x00\x01\x00", "a certificate is too long"),
    ],
)
def test_octets_that_are_no_certificate(octets: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        expiry(octets)


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


def test_a_service_of_ciliums_envoy_has_one_that_answers() -> None:
    """Without an endpoint of its own, on the nodes where it is announced."""
    ingress = kit.service("web", "203.0.113.1", labels={"cilium.io/ingress": "true"})
    reach = found(kit.policy(), services=[ingress, kit.service("api", "203.0.113.2")], slices=[])
    assert (reach["203.0.113.1/32"].endpoints, reach["203.0.113.2/32"].endpoints) == (1, 0)


def test_endpoints_of_a_local_service_count_where_they_are() -> None:
    """Of two that announce, one has both of them; a slice that has none of its own stays as it is."""
    slices = [
        kit.endpoint_slice(
            "api", kit.endpoint("worker-1"), kit.endpoint("worker-1"), kit.endpoint("worker-9")
        ),
        kit.endpoint_slice("api", kit.endpoint("worker-2", ready=False, terminating=True), suffix="y"),
    ]
    services = [kit.service("api", "203.0.113.2", local=True)]
    reach = found(kit.policy(), services=services, slices=slices)["203.0.113.2/32"]
    assert (reach.announcers, reach.only, reach.endpoints) == (1, "worker-1", 3)


def test_a_node_that_no_policy_selects_is_of_no_kind() -> None:
    nodes = (NODES[0], kit.node("out", labels={}))
    slices = [kit.endpoint_slice("web", kit.endpoint("worker-1"))]
    reach = found(kit.policy(), services=[kit.service("web", "203.0.113.1")], slices=slices, nodes=nodes)
    assert (reach["203.0.113.1/32"].announcers, reach["203.0.113.1/32"].only) == (1, "worker-1")


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


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_whether_a_node_is_ready(status: str, ready: bool) -> None:
    conditions = [{"type": "Other", "status": "True"}, {"type": "Ready", "status": status}]
    assert reading.read_node(kit.node(status={"conditions": conditions})).ready is ready


def test_a_node_and_what_is_malformed_of_it() -> None:
    node = reading.read_node(kit.node("worker-1", spec={"unschedulable": True}))
    assert node.ready is None and node.addresses == (ip_address("192.0.2.11"),)
    assert reading.read_node({"metadata": {"name": "n"}, "spec": [], "status": 7}) == replace(
        node, name="n", labels={}, addresses=()
    )
