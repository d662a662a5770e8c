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
from bgpctl.core.doctor.facts import Crowd, Facts, Side
from bgpctl.core.doctor.finding import Report
from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.kube import lease, paths
from bgpctl.lab.api.requests import Answer
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.queries.doctor import EVENTS, doctor, gather
from bgpctl.queries.doctor_routers import matched
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


def test_no_router_that_answered_is_no_router_asked(wire: Wire) -> None:
    found = matched(facts(wire), [RouterReport("frr y", problem="no such socket")])
    assert found.routers is None and found.missing["routers"] == "no router answered"
    assert names(examine(found)) == ["router-unreachable"]
