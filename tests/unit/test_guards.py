"""May the drain go on? Paths, budgets, other owners, and the label that takes the node out."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.drain.deselection import free, parse_label_change
from bgpctl.core.drain.guards import (
    ALLOW_ADDRESS_GAP,
    ALLOW_LAST_PATH,
    Guard,
    Vip,
    changed,
    deselecting_label,
    kured,
    last_path,
    lift,
    medik8s,
    out_of_service,
    protected,
    removal_taints,
    sole_endpoint,
)
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.intent.compile import compile_intent
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.model import IPV4, IPV6, Intent, IPNetwork, Route, Session, SessionState
from bgpctl.core.reading.selectors import OPERATORS, LabelSelector, Requirement
from bgpctl.errors import UsageError
from tests.support.intents import seen, world
from tests.support.objects import endpoint, endpoint_slice, neighbor, policy, router
from tests.support.objects import node as kit_node
from tests.support.objects import service as kit_service

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
NODE = "worker-1"


def vip(address: str, *announcers: str, local: bool = False, **endpoints: int) -> Vip:
    where = {name.replace("_", "-"): count for name, count in endpoints.items()}
    return Vip(ip_network(address), (f"Service default/{address}",), local, frozenset(announcers), where)


# --- paths --------------------------------------------------------------------------------------------------


def test_the_last_announcer_of_an_address_is_refused_until_lifted() -> None:
    shared, alone = vip("10.0.0.1", NODE, "worker-2"), vip("10.0.0.2", NODE)
    assert last_path(NODE, [shared]).level == "ok"
    assert last_path("worker-2", [alone]).level == "ok"
    untold = last_path(NODE, [alone], untold=2)
    assert untold.level == "refuse" and untold.message.startswith("2 other nodes may announce ")
    assert last_path(NODE, [alone], untold=1).message.startswith("1 other node may announce ")
    guard = last_path(NODE, [shared, alone])
    assert (guard.level, guard.lift) == ("refuse", ALLOW_LAST_PATH)
    assert "10.0.0.2/32 (Service default/10.0.0.2)" in guard.message
    assert "10.0.0.1" not in guard.message


def test_a_long_list_is_counted() -> None:
    guard = last_path(NODE, [vip(f"10.0.0.{i}", NODE) for i in range(1, 10)])
    assert "10.0.0.5/32" in guard.message and "10.0.0.6/32" not in guard.message
    assert "and 4 more" in guard.message


@pytest.mark.parametrize(
    ("address", "others", "level", "lifted_by"),
    [
        (vip("10.0.0.1", NODE, local=True, worker_1=2), ["worker-2"], "refuse", ALLOW_ADDRESS_GAP),
        (vip("10.0.0.1", NODE, local=True, worker_1=2), [], "refuse", ALLOW_LAST_PATH),
        (vip("10.0.0.1", NODE, local=True, worker_1=2), [NODE], "refuse", ALLOW_LAST_PATH),
        (vip("10.0.0.1", NODE, "worker-2", local=True, worker_1=2, worker_2=1), ["worker-2"], "ok", ""),
        (
            vip("10.0.0.1", NODE, local=True, worker_1=2, worker_2=0),
            ["worker-2"],
            "refuse",
            ALLOW_ADDRESS_GAP,
        ),
        (vip("10.0.0.1", "worker-2", local=True, worker_2=1), ["worker-2"], "ok", ""),
        (vip("10.0.0.1", NODE, local=False, worker_1=2), ["worker-2"], "ok", ""),
    ],
)
def test_sole_endpoint(address: Vip, others: list[str], level: str, lifted_by: str) -> None:
    guard = sole_endpoint(NODE, [address], others)
    assert (guard.level, guard.lift) == (level, lifted_by)
    assert address.local is False or last_path(NODE, [address]).level == "ok"


def test_a_flag_lifts_only_its_own_refusal() -> None:
    refused = Guard("a", "refuse", "x", ALLOW_LAST_PATH)
    final = Guard("b", "refuse", "y")
    assert [g.level for g in lift([refused, final], {ALLOW_LAST_PATH})] == ["warn", "refuse"]
    assert [g.level for g in lift([refused, final], {"--force", ""})] == ["refuse", "refuse"]


def route(prefix: str, origin: str) -> tuple[IPNetwork, Route]:
    return ip_network(prefix), Route(ip_network(prefix), origin=origin)


def service(name: str, address: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": name},
        "spec": {"type": "LoadBalancer", **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
    }


def test_vips_join_intents_services_and_endpoints() -> None:
    intents = [
        Intent(
            NODE,
            routes={
                "a": dict(
                    [
                        route("10.1.0.0/24", "PodCIDR"),
                        route("10.0.0.1/32", "Service default/web"),
                        route("10.0.0.2/32", "Service default/dns, Service default/web2"),
                    ]
                ),
                "b": dict([route("10.0.0.1/32", "Service default/web")]),
            },
        ),
        Intent("worker-2", routes={"a": dict([route("10.0.0.2/32", "Service default/dns")])}),
    ]
    services = [
        service("web", "10.0.0.1", externalTrafficPolicy="Local", internalTrafficPolicy="Cluster"),
        service("dns", "10.0.0.2", externalTrafficPolicy="Cluster", internalTrafficPolicy="Local"),
        service("web2", "10.0.0.2", externalTrafficPolicy="Local"),
        {"metadata": {"name": "broken"}},
    ]
    slices: list[dict[str, Any]] = [
        {
            "metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [
                {"nodeName": NODE},
                {"nodeName": NODE, "conditions": {"ready": True}},
                {"nodeName": "worker-2", "conditions": {"ready": False}},
            ],
        },
        {"endpoints": []},
    ]
    assert seen(intents, services, slices) == (
        Vip(ip_network("10.0.0.1"), ("Service default/web",), True, frozenset({NODE}), {NODE: 2}),
        Vip(
            ip_network("10.0.0.2"),
            ("Service default/dns", "Service default/web2"),
            False,
            frozenset({NODE, "worker-2"}),
            {},
        ),
    )


def slice_of(name: str, *endpoints: dict[str, Any], port: str = "") -> dict[str, Any]:
    return {**endpoint_slice(name, *endpoints), "ports": [{"port": 80, "name": port}]}


LEAVING = {"ready": False, "serving": True, "terminating": True}
OTHER_PORT, DUMMY = [{"port": 80, "name": "http"}], [{"port": 9999}]


@pytest.mark.parametrize(
    ("changes", "slices", "expected"),
    [
        ({}, [slice_of("web", endpoint(NODE), endpoint("worker-2"))], (True, {NODE, "worker-2"}, 2)),
        ({}, [slice_of("web", endpoint(NODE, **LEAVING), endpoint("worker-2"))], (True, {"worker-2"}, 1)),
        ({}, [slice_of("web", endpoint(NODE, **LEAVING))], (True, {NODE}, 0)),
        (
            {"ports": OTHER_PORT},
            [slice_of("web", endpoint(NODE), port="http"), slice_of("web", endpoint("worker-2"), port="x")],
            (True, {NODE}, 1),
        ),
        (
            {"labels": {"cilium.io/ingress": "true"}},
            [{**endpoint_slice("web", {"addresses": ["192.192.192.192"]}), "ports": DUMMY}],
            (False, {NODE, "worker-2"}, 0),
        ),
    ],
)
def test_the_guard_counts_as_the_speaker_does(changes: Any, slices: Any, expected: Any) -> None:
    """What the speakers of two nodes announce, where it is ready, and whether it follows its endpoints."""
    web = kit_service("web", "203.0.113.1", local=True, **changes)
    nodes = [kit_node(name) for name in (NODE, "worker-2")]
    intents = [
        compile_intent(world(web, slices=slices, node=each), each["metadata"]["name"]) for each in nodes
    ]
    (found,) = seen(intents, [web], slices)
    assert (found.local, found.announcers, sum(found.endpoints.values())) == expected
    alone = found.announcers == {NODE}
    lasts = last_path(NODE, [found]).level, sole_endpoint(NODE, [found], ["worker-2"]).level
    assert lasts == ("ok", "refuse" if alone else "ok")


def test_a_node_whose_session_cannot_carry_an_address_is_no_second_path() -> None:
    """Both intend it; the other one's IPv6 session has no next hop for IPv4 (RFC 8950 was not agreed on)."""
    status = {"addresses": [{"type": "InternalIP", "address": "2001:db8::11"}]}
    told = [policy(router(neighbor("2001:db8::ff/128")))]
    intents = [
        compile_intent(
            world(kit_service("web", "203.0.113.1"), node=kit_node(name, status=status), policies=told), name
        )
        for name in (NODE, "worker-2")
    ]
    up = Session(
        "65001/2001:db8::ff",
        SessionState.ESTABLISHED,
        local_address=ip_address("2001:db8::11"),
        families=(IPV4, IPV6),
    )
    for agreed, level in ((True, "ok"), (False, "refuse")):
        other = carried(intents[1], {up.peer: replace(up, extended_next_hop=agreed)})
        found = seen([intents[0], other], [kit_service("web", "203.0.113.1")], [])
        assert last_path(NODE, found).level == level
    silent = replace(up, families=())
    assert carried(intents[1], {up.peer: silent}) is intents[1], "not known is not refused"


# --- budget and owners --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "maximum", "level"),
    [
        ([], 1, "ok"),
        ([NODE], 1, "ok"),
        (["worker-2"], 1, "refuse"),
        (["worker-2"], 2, "ok"),
        (["worker-2", "worker-3"], 2, "refuse"),
        ([], 0, "refuse"),
    ],
)
def test_out_of_service(others: list[str], maximum: int, level: str) -> None:
    guard = out_of_service(NODE, others, maximum)
    assert guard.level == level
    assert level == "ok" or not others or "worker-2" in guard.message
    assert guard.lift == (f"--max-unavailable {len(others) + 1}" if level == "refuse" else "")


@pytest.mark.parametrize(
    ("others", "maximum", "deciding", "level"),
    [
        ([], 1, ["worker-2"], "wait"),
        ([], 2, ["worker-2"], "ok"),
        (["worker-2"], 2, ["worker-3"], "wait"),
        (["worker-2"], 1, ["worker-3"], "refuse"),
    ],
)
def test_another_drain_that_is_being_checked_is_waited_for(
    others: list[str], maximum: int, deciding: list[str], level: str
) -> None:
    guard = out_of_service(NODE, others, maximum, deciding)
    assert guard.level == level
    assert level != "wait" or deciding[0] in guard.message


def lease(**spec: Any) -> dict[str, Any]:
    return {"spec": {"holderIdentity": "node-maintenance", **spec}}


@pytest.mark.parametrize(
    ("document", "level"),
    [
        (None, "ok"),
        ({"spec": {}}, "ok"),
        (lease(renewTime="2027-01-15T07:59:00.000000Z", leaseDurationSeconds=3600), "refuse"),
        (lease(renewTime="2027-01-15T06:59:59.000000Z", leaseDurationSeconds=3600), "warn"),
        (lease(acquireTime="2027-01-15T07:59:00Z", leaseDurationSeconds=3600), "refuse"),
        (lease(renewTime="2027-01-15T09:00:00Z", leaseDurationSeconds=1), "refuse"),
        (lease(renewTime="2020-01-15T09:00:00Z"), "refuse"),
        (lease(), "refuse"),
    ],
)
def test_medik8s_lease(document: dict[str, Any] | None, level: str) -> None:
    guard = medik8s(NODE, document, NOW)
    assert guard.level == level
    assert level == "ok" or "node-maintenance" in guard.message


HOUR = 3600 * 10**9
FRESH = "2027-01-15T07:30:00.123456789Z"
OLD = "2027-01-15T06:30:00Z"


@pytest.mark.parametrize(
    ("lock", "level"),
    [
        (None, "ok"),
        ("", "ok"),
        ({"nodeID": NODE, "created": FRESH, "TTL": HOUR, "metadata": {"unschedulable": False}}, "refuse"),
        ({"nodeID": NODE, "created": OLD, "TTL": HOUR}, "ok"),
        ({"nodeID": NODE, "created": OLD, "TTL": 0}, "refuse"),
        ({"nodeID": "worker-2", "created": FRESH, "TTL": HOUR}, "warn"),
        ({"nodeID": "manual"}, "warn"),
        ({"maxOwners": 2, "locks": [{"nodeID": "worker-2"}, {"nodeID": NODE, "created": FRESH}]}, "refuse"),
        ({"maxOwners": 2, "locks": []}, "ok"),
        ("not json", "warn"),
        ([1], "warn"),
        ({"created": FRESH}, "warn"),
    ],
)
def test_kured_lock(lock: Any, level: str) -> None:
    text = lock if lock is None or isinstance(lock, str) else json.dumps(lock)
    assert kured(NODE, text, {}, NOW).level == level


def test_a_node_that_kured_reboots_is_refused() -> None:
    guard = kured(NODE, None, {"weave.works/kured-reboot-in-progress": FRESH}, NOW)
    assert guard.level == "refuse" and "kured" in guard.message


def test_taints_of_those_who_remove_nodes() -> None:
    ours = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    assert removal_taints(NODE, ours).level == "ok"
    guard = removal_taints(NODE, [*ours, {"key": "ToBeDeletedByClusterAutoscaler", "value": "1"}])
    assert guard.level == "refuse" and "cluster-autoscaler" in guard.message


# --- the label ----------------------------------------------------------------------------------------------

BGP = LabelSelector((("enable-bgp", "true"),))
HOST = LabelSelector((("kubernetes.io/hostname", NODE),))


def expression(key: str, operator: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(Requirement(key, operator, frozenset(values)),))


@pytest.mark.parametrize(
    ("selector", "labels", "label"),
    [
        (BGP, {"enable-bgp": "true"}, ("enable-bgp", "false")),
        (LabelSelector((("bgp", "rack-1"),)), {"bgp": "rack-1"}, ("bgp", None)),
        (
            LabelSelector((("a-pool", "x"), ("enable-bgp", "true"))),
            {"enable-bgp": "true", "a-pool": "x"},
            ("enable-bgp", "false"),
        ),
        (expression("bgp", "In", "true", "yes"), {"bgp": "yes"}, ("bgp", "false")),
        (expression("bgp", "In", "true", "false"), {"bgp": "true"}, ("bgp", None)),
        (expression("bgp", "In", "a", "b"), {"bgp": "a"}, ("bgp", None)),
        (expression("bgp", "Exists"), {"bgp": ""}, ("bgp", None)),
        (expression("no-bgp", "DoesNotExist"), {}, ("no-bgp", "true")),
        (expression("bgp", "NotIn", "off", "maintenance"), {}, ("bgp", "maintenance")),
        (
            LabelSelector(
                (("kubernetes.io/os", "linux"),),
                (Requirement("bgp", "Exists"),),
            ),
            {"kubernetes.io/os": "linux", "bgp": "1"},
            ("bgp", None),
        ),
    ],
)
def test_the_label_that_deselects(
    selector: LabelSelector, labels: dict[str, str], label: tuple[str, str | None]
) -> None:
    found = deselecting_label({"policy": selector}, labels)
    assert (found.policies, found.label, found.refusal) == (("policy",), label, "")
    assert not selector.matches(changed(labels, label))


@pytest.mark.parametrize("selector", [None, LabelSelector()])
@pytest.mark.parametrize("override", [None, "enable-bgp=false"])
def test_a_policy_for_every_node_cannot_be_left(selector: LabelSelector | None, override: str | None) -> None:
    found = deselecting_label({"all": selector, "bgp": BGP}, {"enable-bgp": "true"}, override)
    assert found.label is None
    assert "policy all selects every node" in found.refusal


@pytest.mark.parametrize(
    "selector",
    [
        HOST,
        LabelSelector((("topology.kubernetes.io/zone", "a"), ("kubernetes.io/os", "linux"))),
        expression("node-role.kubernetes.io/control-plane", "DoesNotExist"),
        expression("example.k8s.io/pool", "Exists"),
    ],
)
def test_labels_of_kubernetes_are_not_touched(selector: LabelSelector) -> None:
    labels = {
        "kubernetes.io/hostname": NODE,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": "a",
        "example.k8s.io/pool": "x",
    }
    found = deselecting_label({"policy": selector}, labels)
    assert found.label is None
    assert "--deselect-label" in found.refusal and str(selector) in found.refusal


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("kubernetes.io/hostname", True),
        ("topology.kubernetes.io/zone", True),
        ("k8s.io/x", True),
        ("a.k8s.io/x", True),
        ("enable-bgp", False),
        ("kubernetes.io", False),
        ("notkubernetes.io/x", False),
        ("mykubernetes.io/x", False),
        ("example.com/bgp", False),
    ],
)
def test_protected_keys(key: str, expected: bool) -> None:
    assert protected(key) is expected
    assert free(key) is not expected


def test_the_label_that_takes_a_node_out_of_load_balancers_may_be_changed() -> None:
    """A kubelet may set it itself, and a way of Calico's goes by it."""
    assert protected(EXCLUDE) and free(EXCLUDE)


def test_one_change_must_leave_every_policy() -> None:
    labels = {"enable-bgp": "true", "rack": "r1"}
    both = LabelSelector((("enable-bgp", "true"), ("rack", "r1")))
    rack = LabelSelector((("rack", "r1"),))
    assert deselecting_label({"a": both, "b": rack}, labels).label == ("rack", None)
    found = deselecting_label({"a": BGP, "b": rack}, labels)
    assert found.label is None and "a selects by enable-bgp=true; b selects by rack=r1" in found.refusal


def test_a_change_that_another_policy_waits_for_is_no_way_out() -> None:
    drained = LabelSelector((("enable-bgp", "false"),))
    found = deselecting_label({"a": BGP, "b": drained}, {"enable-bgp": "true"})
    assert (found.policies, found.label) == (("a",), ("enable-bgp", None))


def test_a_new_value_where_removing_the_label_would_select_too() -> None:
    policies = {"a": expression("bgp", "In", "true", "false"), "b": expression("bgp", "DoesNotExist")}
    assert deselecting_label(policies, {"bgp": "true"}).label == ("bgp", "drained")


def test_a_value_that_bars_the_node_where_another_policy_asks_for_the_key() -> None:
    barring = (Requirement("bgp", "NotIn", frozenset({"off"})), Requirement("bgp", "Exists"))
    policies = {"a": LabelSelector(match_expressions=barring), "b": expression("bgp", "DoesNotExist")}
    assert deselecting_label(policies, {}).label == ("bgp", "off")


def test_nothing_to_change_where_no_policy_selects() -> None:
    found = deselecting_label({"a": BGP}, {"enable-bgp": "false"}, "x=y")
    assert (found.policies, found.label, found.refusal) == ((), None, "")
    assert deselecting_label({}, {}).policies == ()


@pytest.mark.parametrize(
    ("override", "label"),
    [
        ("enable-bgp=off", ("enable-bgp", "off")),
        ("enable-bgp=", ("enable-bgp", "")),
        ("enable-bgp-", ("enable-bgp", None)),
    ],
)
def test_the_override_is_taken_when_it_deselects(override: str, label: tuple[str, str | None]) -> None:
    assert deselecting_label({"a": BGP}, {"enable-bgp": "true"}, override).label == label


def test_the_override_may_name_a_protected_key() -> None:
    found = deselecting_label({"a": HOST}, {"kubernetes.io/hostname": NODE}, "kubernetes.io/hostname=x")
    assert found.label == ("kubernetes.io/hostname", "x")


@pytest.mark.parametrize("override", ["rack=r2", "enable-bgp=true", "rack-"])
def test_an_override_that_does_not_deselect_is_refused(override: str) -> None:
    found = deselecting_label({"a": BGP}, {"enable-bgp": "true", "rack": "r1"}, override)
    assert found.label is None
    assert "still be selected: a by enable-bgp=true" in found.refusal


@pytest.mark.parametrize(
    "text", ["", "-", "enable-bgp", "=true", "a b=c", "a=b c", "a=-", "a/b/c=d", "a=" + "x" * 64]
)
def test_a_faulty_override_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_label_change(text)
    assert caught.value.hint


keys = st.sampled_from(["a", "b", "enable-bgp", "kubernetes.io/os", "x.k8s.io/y"])
values = st.sampled_from(["true", "false", "x", ""])
requirements = st.builds(
    Requirement, keys, st.sampled_from(OPERATORS), st.frozensets(values, min_size=1, max_size=2)
)
selectors = st.builds(
    LabelSelector,
    st.dictionaries(keys, values, max_size=2).map(lambda labels: tuple(sorted(labels.items()))),
    st.lists(requirements, max_size=2).map(tuple),
)


@given(
    st.dictionaries(st.sampled_from("pqr"), st.none() | selectors, max_size=3),
    st.dictionaries(keys, values),
)
def test_the_label_always_deselects_and_never_touches_kubernetes(
    policies: dict[str, LabelSelector | None], labels: dict[str, str]
) -> None:
    found = deselecting_label(policies, labels)
    selecting = tuple(name for name, s in policies.items() if s is None or s.matches(labels))
    assert found.policies == selecting
    assert bool(found.label) + bool(found.refusal) == bool(selecting), "exactly one answer when it is needed"
    if found.label is None:
        return
    after = changed(labels, found.label)
    assert not any(s is None or s.matches(after) for s in policies.values())
    key, _ = found.label
    assert not protected(key) and after != labels
    assert {k: v for k, v in after.items() if k != key} == {k: v for k, v in labels.items() if k != key}


@given(st.dictionaries(st.sampled_from("pq"), selectors, min_size=1), st.dictionaries(keys, values))
def test_a_refusal_means_that_no_single_change_of_ours_would_do(
    policies: dict[str, LabelSelector], labels: dict[str, str]
) -> None:
    """Brute force over every key and value that any selector could mention."""
    found = deselecting_label(policies, labels)
    if not found.refusal:
        return
    free = [key for key in ("a", "b", "enable-bgp") if not protected(key)]
    for key in free:
        for value in ("true", "false", "x", "", "other", None):
            after = changed(labels, (key, value))
            assert any(s.matches(after) for s in policies.values()), (key, value)


def test_whoever_has_to_come_back_first_is_named_where_there_is_one() -> None:
    for others, back in ((["c", "b"], "b"), ([], "")):
        guard = out_of_service(NODE, others, 0)
        assert (guard.level, guard.back, guard.by_hand) == ("refuse", back, False)
