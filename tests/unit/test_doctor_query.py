"""What `doctor` gathers: each collection once; a missing right costs its rules; routers beside nodes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.doctor import examine
from bgpctl.core.doctor.facts import Channel, Crowd, Facts, Side
from bgpctl.core.doctor.finding import Report
from bgpctl.core.model import IPV4, Intent
from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError
from bgpctl.lab.api.requests import Answer
from bgpctl.ports import Outlook
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.queries.doctor import EVENTS, PART, doctor, gather
from bgpctl.queries.doctor_routers import counted, matched
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.witness.neighbors import RouterReport
from tests.support import direct, objects
from tests.support import doctor_objects as made
from tests.support.direct import EPOCH, Asked, Wire
from tests.support.doctor_cases import NAMES, NOW, peer, state
from tests.support.kinds import KINDS
from tests.support.snapshots import journal

ROUTER = "192.0.2.1"
CLOCK = "when a speaker wrote by its own clock is not told"  # nobody wrote these states
FAMILIES = [{"afi": "ipv4", "safi": "unicast"}]


def node(name: str, number: int, **parts: Any) -> dict[str, Any]:
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": f"192.0.2.1{number}"}],
    }
    return objects.node(name, **{"spec": {"podCIDRs": [f"10.244.{number}.0/24"]}, "status": status, **parts})


def policy(**fields: Any) -> dict[str, Any]:
    told = {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3, "families": FAMILIES, **fields}
    restart = {"enabled": True, "restartTimeSeconds": 120}
    return objects.policy(
        objects.router(objects.neighbor(f"{ROUTER}/32", **{"gracefulRestart": restart, **told}))
    )


def reported(name: str, **changes: Any) -> dict[str, Any]:
    """A state as it was EPOCH - 1, by both clocks."""
    age = EPOCH - NOW
    session = peer().session
    up = session.established_at
    assert up is not None
    told = replace(session, since=up + age, established_at=up + age)
    whole = state(name, peer(session=told), heartbeat=EPOCH - 1, started_at=EPOCH - 86400, reported_at=0.0)
    return to_document(replace(whole, **changes))


@pytest.fixture
def wire() -> Iterator[Wire]:
    api = direct.Api()
    api.server.apply(
        *KINDS,
        *(node(name, number) for number, name in enumerate(NAMES, 1)),
        policy(),
        objects.service("web", "203.0.113.10", ports=[{"port": 80}]),
        objects.endpoint_slice("web", objects.endpoint("worker-1", ready=True)),
        *(reported(name) for name in NAMES),
        made.daemonset(),
    )
    yield Wire(api)


def facts(wire: Wire) -> Facts:
    client = wire.client()
    return gather(client, Bgpctl(client))


def report(wire: Wire, *nodes: str) -> Report:
    client = wire.client()
    return doctor(client, Bgpctl(client), (), nodes)


def names(found: Report) -> list[str]:
    return [row.rule for row in found.rows]


def test_a_healthy_cluster_is_silent(wire: Wire) -> None:
    found = report(wire)
    assert names(found) == [], found.rows
    whys = {one.why for one in found.unchecked}
    assert whys == {"no router was asked (--router-probe)", CLOCK}, whys
    assert found.nodes == 2 and not found.fails


def test_each_collection_is_asked_for_once_and_no_node_by_itself(wire: Wire) -> None:
    facts(wire)
    asked = Counter(one.path for one in wire.sent)
    small = {paths.LB_POOLS[0]}  # the pools' labels, and the pools themselves
    assert {path for path, count in asked.items() if count > 1} <= small, asked
    assert not [path for path in asked if path.startswith(f"{paths.NODES}/")]


@pytest.mark.parametrize(
    ("resource", "lost"),
    [
        (
            "daemonsets",
            {"speaker-not-critical", "restart-time-short", "kube-proxy-down", "restart-time-below-pull"},
        ),
        ("leases", {"run-stopped", "lease-orphaned"}),
        ("services", {"one-next-hop", "service-without-address", "pool-empty"}),
        ("pods", {"restart-time-short"}),
        ("bgpnodestates", {"session-down", "heartbeat-stale"}),
        ("customresourcedefinitions", {"version-of-crd"}),
        ("ciliumloadbalancerippools", {"pool-overlaps"}),
    ],
)
def test_a_missing_right_costs_the_rules_that_need_it(wire: Wire, resource: str, lost: set[str]) -> None:
    def before(asked: Asked) -> Answer | None:
        return direct.refused(403) if asked.resource == resource else None

    wire.before = before
    found = report(wire)
    without = {one.rule for one in found.unchecked if "no right to" in one.why}
    assert lost <= without and names(found) == []
    others = {"services": "session-down", "bgpnodestates": "two-policies"}
    assert others.get(resource, "heartbeat-stale") not in without


def test_a_node_that_is_none(wire: Wire) -> None:
    with pytest.raises(UsageError, match="worker-9"):
        report(wire, "worker-9")


def test_what_runs_left_is_found(wire: Wire) -> None:
    client = wire.client()
    stopped = replace(journal(), command="drain", started_at=EPOCH - 900)
    client.patch(paths.node("worker-1"), {"metadata": {"annotations": {ANNOTATION: dump(stopped)}}})
    for name in ("worker-1", "gone"):
        document = lease.document(lease.name_for(name), "", lease.now(), version=None)
        document["spec"]["holderIdentity"] = ""
        client.create(paths.leases(lease.NAMESPACE), document)
    found = report(wire)
    rows = {row.rule: row for row in found.rows}
    assert rows["run-stopped"].objects == ("worker-1",)
    assert rows["lease-orphaned"].objects == ("Lease kube-system/bgpctl-node-gone",)
    client.patch(paths.node("worker-1"), {"metadata": {"annotations": {ANNOTATION: "{"}}})
    assert "run-unreadable" in names(report(wire))


def test_what_pods_and_events_tell_of_restarts_and_pulls(wire: Wire) -> None:
    wire.api.server.apply({"apiVersion": "v1", "kind": "Pod", **made.pod()})

    def before(asked: Asked) -> Answer | None:
        if asked.path != EVENTS:
            return None
        listed = {"kind": "EventList", "metadata": {"resourceVersion": "1"}, "items": [made.pulled("200s")]}
        return Answer(200, json.dumps(listed).encode())

    wire.before = before
    told = facts(wire)
    assert told.pulls is not None and [(one.node, one.seconds) for one in told.pulls] == [("worker-1", 200.0)]
    assert "restart-time-below-pull" in names(examine(told))


def test_a_drain_that_is_at_work_is_no_finding(wire: Wire) -> None:
    client = wire.client()
    client.patch(
        paths.node("worker-1"),
        {"metadata": {"annotations": {ANNOTATION: dump(replace(journal(), command="drain"))}}},
    )
    document = lease.document(lease.name_for("worker-1"), "somebody@else:1/x-y", lease.now(), version=None)
    document["spec"]["renewTime"] = "2099-01-01T00:00:00.000000Z"
    client.create(paths.leases(lease.NAMESPACE), document)
    assert not {"run-stopped", "lease-orphaned"} & set(names(report(wire)))


def test_who_may_not_list_services_still_sees_policies_and_speakers(wire: Wire) -> None:
    wire.before = forbidden("services")
    told = facts(wire)
    assert told.states is not None and set(told.states) == set(NAMES)
    assert told.claims is not None and [claim.name for claim in told.claims] == ["policy"]
    assert told.services is told.reaches is told.pools is None
    assert {told.missing[name] for name in ("services", "reaches", "pools")} == {PART}


def test_where_no_speaker_ever_reported_that_is_known(wire: Wire) -> None:
    wire.before = forbidden("services")
    for name in NAMES:
        wire.client().delete(paths.node_state(name))
    told = facts(wire)
    assert told.states == {} and "states" not in told.missing


def test_who_sees_neither_services_nor_speakers(wire: Wire) -> None:
    wire.before = forbidden("services", "bgpnodestates")
    told = facts(wire)
    assert told.states is None and told.missing["states"] == "no right to read states"
    assert told.claims is not None and told.missing["services"] == PART


def test_without_the_states_nobody_is_known_to_announce(wire: Wire) -> None:
    class Silent(Bgpctl):
        def outlook(self) -> Outlook:
            return replace(super().outlook(), states={}, missing="nobody tells")

    told = gather(client := wire.client(), Silent(client))
    assert told.states is None and told.reaches is None
    assert told.missing["reaches"] == told.missing["states"] == "nobody tells"
    assert told.services is not None and told.pools is not None


def test_without_the_pools(wire: Wire) -> None:
    wire.before = forbidden("ciliumloadbalancerippools")
    told = facts(wire)
    assert told.pools is None and told.missing["pools"] == "no right to read pools"
    assert told.services is not None and told.reaches is not None


def test_what_the_cluster_does_not_serve(wire: Wire) -> None:
    wire.before = lambda asked: direct.refused(404) if asked.resource == "leases" else None
    told = facts(wire)
    assert told.leases is told.runs is None
    assert told.missing["leases"] == told.missing["runs"] == "the cluster serves no leases"


def test_another_refusal_is_no_missing_right(wire: Wire) -> None:
    wire.before = lambda asked: direct.refused(422) if asked.resource == "leases" else None
    with pytest.raises(ApiError):
        facts(wire)


def test_a_stack_whose_routes_cannot_be_told_from_outside(wire: Wire) -> None:
    class Dumb(Bgpctl):
        def outlook(self) -> Outlook:
            return Outlook({}, None)

    told = gather(client := wire.client(), Dumb(client))
    names = ("intents", "claims", "resources", "selectors", "services", "reaches", "pools")
    assert all(getattr(told, name) is None for name in names)
    untold = "what bgpctl's nodes should announce cannot be told from outside"
    assert {told.missing[name] for name in names} == {untold}


def proxy(unavailable: int) -> dict[str, Any]:
    found = made.daemonset("kube-proxy", {"k8s-app": "kube-proxy"})
    found["status"]["numberUnavailable"] = unavailable
    return found


def proxy_pod(node: str, ready: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"p-{node or 'x'}",
            "namespace": "kube-system",
            "labels": {"k8s-app": "kube-proxy"},
        },
        "spec": {"nodeName": node, "containers": [{"name": "p", "image": "p"}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_the_nodes_whose_kube_proxy_is_not_ready(wire: Wire) -> None:
    wire.api.server.apply(proxy_pod("worker-1", "False"), proxy_pod("worker-2", "True"), proxy(0))
    assert facts(wire).proxies_down == [], "its DaemonSet says that all are"
    wire.api.server.apply(proxy(1))
    assert facts(wire).proxies_down == ["worker-1"]
    assert "kube-proxy-down" in names(report(wire))


def test_pods_without_a_right_cost_what_is_read_of_them(wire: Wire) -> None:
    wire.before = forbidden("pods")
    told = facts(wire)
    assert told.workloads and told.restarts is told.pulls is None and told.proxies_down == []
    assert told.missing["restarts"] == told.missing["pulls"] == "no right to read pods"
    wire.api.server.apply(proxy(1))
    told = facts(wire)
    assert told.proxies_down is None
    assert told.missing["proxies_down"] == "no right to read kube-proxy's pods"


def test_what_selects_nodes_is_known_by_name(wire: Wire) -> None:
    told = facts(wire)
    assert told.selectors is not None
    assert {name: str(selector) for name, selector in told.selectors.items()} == {"policy": "enable-bgp=true"}


def test_a_pod_without_a_status_tells_of_no_restart(wire: Wire) -> None:
    whole = {"apiVersion": "v1", "kind": "Pod", **made.pod()}
    bare = {**whole, "metadata": {**whole["metadata"], "name": "bare"}, "spec": None, "status": None}
    wire.api.server.apply(whole)
    wire.api.server.store.put(("", "pods"), bare)
    told = facts(wire)
    assert told.restarts is not None and [one.node for one in told.restarts] == ["worker-1"]


def test_events_without_a_right_cost_the_pulls(wire: Wire) -> None:
    wire.api.server.apply({"apiVersion": "v1", "kind": "Pod", **made.pod()})
    wire.before = lambda asked: direct.refused(403) if asked.path == EVENTS else None
    told = facts(wire)
    assert told.pulls is None and told.missing["pulls"] == "no right to read pulls"
    assert told.restarts is not None and told.restarts != ()


def test_a_daemonset_without_a_selector_has_no_pods_to_read(wire: Wire) -> None:
    bare = made.daemonset("other")
    bare["spec"]["selector"] = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    wire.api.server.apply({"apiVersion": "v1", "kind": "Pod", **made.pod("x")})
    with_one = facts(wire).restarts
    assert with_one is not None and len(with_one) == 1
    wire.api.server.apply(bare)
    again = facts(wire).restarts
    assert again is not None and len(again) == 1, "every pod of the namespace is none of its"


def test_a_lease_that_cannot_be_read(wire: Wire) -> None:
    client = wire.client()
    document = lease.document(lease.name_for("worker-1"), "", lease.now(), version=None)

    def broken(asked: Asked, answer: Answer) -> Answer | None:
        if not asked.path.endswith("/leases"):
            return None
        listed = json.loads(answer.body)
        for one in listed["items"]:
            one["spec"]["holderIdentity"] = 7
        return replace(answer, body=json.dumps(listed).encode())

    client.create(paths.leases(lease.NAMESPACE), document)
    wire.after = broken
    told = facts(wire)
    assert told.runs is not None
    (run,) = told.runs
    assert run.problem.startswith("its Lease cannot be read (") and run.service == "unknown"
    assert run.hint == "kubectl -n kube-system delete lease bgpctl-node-worker-1"
    assert told.leases is not None and [one.holder for one in told.leases] == [""]


def test_how_long_ago_a_drain_was_done(wire: Wire) -> None:
    client = wire.client()
    done = replace(journal(), command="drain", started_at=EPOCH - 900, steps={"ShutDown": EPOCH - 300})
    client.patch(paths.node("worker-1"), {"metadata": {"annotations": {ANNOTATION: dump(done)}}})
    told = facts(wire)
    assert told.runs is not None and [(one.node, one.age) for one in told.runs] == [
        ("worker-1", told.now - EPOCH + 300)
    ]


def test_a_node_that_its_stack_was_told_out_is_in_our_hands(wire: Wire) -> None:
    class Told(Bgpctl):
        def outlook(self) -> Outlook:
            found = super().outlook()
            states = {name: replace(one, told_out=name == "worker-2") for name, one in found.states.items()}
            return replace(found, states=states)

    told = gather(client := wire.client(), Told(client))
    assert told.runs is not None and [one.node for one in told.runs] == ["worker-2"]


def test_a_crd_that_is_not_there_lacks_nothing(wire: Wire) -> None:
    wire.before = lambda asked: (
        direct.refused(404) if asked.path.endswith("/bgpnodestates.bgpctl.io") else None
    )
    assert facts(wire).crds == ()


def forbidden(*resources: str) -> direct.Before:
    return lambda asked: direct.refused(403) if asked.resource in resources else None


# --- routers -----------------------------------------------------------------------------------------------


def side(address: str, **changes: Any) -> Side:
    return replace(Side("bird x", address, session="established", local=ROUTER), **changes)


def test_a_neighbor_is_the_node_that_has_its_address(wire: Wire) -> None:
    told = facts(wire)
    crowd = Crowd("bird x", ip_network("10.0.0.1/32"), (("192.0.2.11", True), ("198.51.100.1", False)))
    both = replace(crowd, paths=(*crowd.paths, ("192.0.2.12", False)))
    reports = [
        RouterReport("bird x", (side("192.0.2.12"), side("198.51.100.1")), (crowd, both)),
        RouterReport("frr y", problem="no such socket"),
        RouterReport("bird z", (side("198.51.100.1"),), peer=ROUTER),
    ]
    found = matched(told, reports)
    assert found.routers is not None and [(met.node, met.peer.address) for met in found.routers] == [
        ("worker-2", ROUTER)
    ]
    assert found.probes_failed == {"frr y": "no such socket"} and found.strangers == ("bird z",)
    assert found.crowds is not None and [len(one.paths) for one in found.crowds] == [2]


@pytest.mark.parametrize(
    ("named", "local", "met"),
    [("203.0.113.9", "", 0), (f"{ROUTER}:179", "", 1), (None, "203.0.113.9", 0), (None, "0.0.0.0", 1)],
)
def test_which_peer_a_router_is(wire: Wire, named: str | None, local: str, met: int) -> None:
    told = facts(wire)
    found = matched(told, [RouterReport("bird x", (side("192.0.2.11", local=local),), peer=named)])
    assert found.routers is not None and len(found.routers) == met


def test_of_a_node_whose_state_cannot_be_read_no_session_is_compared(wire: Wire) -> None:
    told = facts(wire)
    assert told.states is not None
    broken = replace(told.states["worker-2"], unreadable="status is a list")
    told = replace(told, states={**told.states, "worker-2": broken})
    found = matched(told, [RouterReport("bird x", (side("192.0.2.12"),))])
    assert found.routers == ()
    assert found.strangers == (), "it is a node of this cluster all the same"


def test_a_count_that_lags_behind_is_no_route_that_is_missing(wire: Wire) -> None:
    """A Service was deleted: the router has one route less, and the speaker publishes that up to half a
    minute later."""
    told = facts(wire)
    channel = Channel(IPV4, accepted=1, received=1)
    found = matched(told, [RouterReport("bird x", (side("192.0.2.11", channels=(channel,)),))])
    assert names(examine(found)) == ["routes-missing"]
    assert found.routers is not None
    (met,) = found.routers
    table = {ip_network("203.0.113.1/32"): None}
    asked = []

    def compiled(name: str) -> Intent:
        asked.append(name)
        return Intent(name, routes={met.peer.name: table})  # type: ignore[dict-item]

    assert names(examine(counted(found, compiled))) == []
    assert asked == [met.node]
    table[ip_network("203.0.113.9/32")] = None
    assert names(examine(counted(found, compiled))) == ["routes-missing"], "one that should be there is not"


def test_no_router_that_answered_is_no_router_asked(wire: Wire) -> None:
    found = matched(facts(wire), [RouterReport("frr y", problem="no such socket")])
    assert found.routers is None and found.missing["routers"] == "no router answered"
    assert names(examine(found)) == ["router-unreachable"]
