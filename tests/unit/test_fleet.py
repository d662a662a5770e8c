"""Many nodes from one reading give what each gives by itself, and so do the guards that ask only some."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.drain.guards import last_path, sole_endpoint
from bgpctl.core.drain.paths import Announcer, beside
from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent
from bgpctl.core.intent.endpoints import read_shared, read_slice
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import IPV4, IPV6, Intent, Session, SessionState
from bgpctl.core.reading.documents import name_of
from tests.support import changing, v2
from tests.support import objects as kit
from tests.support.intents import seen

NAMES = ("worker-1", "worker-2", "worker-3")
LABELS = [node["metadata"].get("labels") or {} for node in changing.NODES]
PEERS = ("65001/127.0.0.100", "65001/127.0.0.101", "65001/2001:db8::2", "main/tor")
OVERRIDE = v2.override({"name": "main", "routerID": "192.0.2.1"}, name="worker-2")
V2 = {
    "cluster_configs": [v2.cluster_config()],
    "peer_configs": [v2.peer_config()],
    "advertisements": [v2.advertisement()],
    "overrides": [OVERRIDE],
}
SESSIONS = st.builds(
    Session,
    st.just("p"),
    st.sampled_from([SessionState.ESTABLISHED, SessionState.CONNECT]),
    families=st.sampled_from([(), (IPV4,), (IPV6,), (IPV4, IPV6)]),
    local_address=st.sampled_from([None, ip_address("192.0.2.11"), ip_address("2001:db8::11")]),
    extended_next_hop=st.booleans(),
)


@st.composite
def announcers(draw: st.DrawFn, name: str) -> Announcer:
    document = draw(st.sampled_from(changing.NODES))
    node = {**document, "metadata": {"name": name, "labels": draw(st.sampled_from(LABELS))}}
    sessions = {peer: draw(SESSIONS) for peer in PEERS} if draw(st.booleans()) else {}
    return Announcer(node, draw(st.booleans()), sessions)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[ClusterObjects, list[Announcer]]:
    """Three nodes whose speakers all report, and the documents of the cluster."""
    policies = draw(st.sampled_from(changing.POLICIES))
    objects = ClusterObjects(
        policies=policies,
        services=draw(st.lists(changing.services(), max_size=4)),
        endpoint_slices=draw(st.lists(changing.slices(), max_size=4)),
        secrets=None,
        interfaces=None,
        gateways=None,
        **({} if policies else V2),
    )
    return objects, [draw(announcers(name)) for name in NAMES]


def fleet_of(objects: ClusterObjects) -> Fleet:
    services = [read_service(document) for document in objects.services]
    return Fleet(objects, services, [read_shared(document) for document in documents(objects)])


def documents(objects: ClusterObjects) -> list[Any]:
    return list(objects.endpoint_slices)  # type: ignore[arg-type]


def by_itself(objects: ClusterObjects, asked: Announcer) -> Intent:
    return compile_intent(
        replace(objects, node=asked.node), name_of(asked.node), Context(opened=asked.opened)
    )


@given(changing.slices(), st.sampled_from(NAMES))
def test_a_slice_that_is_read_once_is_what_each_node_reads_of_it(document: Any, node: str) -> None:
    shared, own = read_shared(document), read_slice(document, node)
    assert (shared.service, shared.seen_from(node), shared.problem) == (
        own.service,
        own.backends,
        own.problem,
    )


@given(clusters())
def test_each_intent_is_the_one_that_the_node_has_by_itself(cluster: Any) -> None:
    objects, nodes = cluster
    fleet = fleet_of(objects)
    for asked in nodes:
        assert fleet.intent(asked.node, asked.opened) == by_itself(objects, asked)


@given(clusters())
def test_nodes_that_are_alike_announce_the_same_but_for_what_follows_its_endpoints(cluster: Any) -> None:
    objects, nodes = cluster
    fleet = fleet_of(replace(objects, endpoint_slices=()))
    alike: dict[Any, set[Any]] = {}
    for asked in nodes:
        bare = fleet.bare(asked.node, asked.opened)
        kind = fleet.likeness(asked.node, bare, asked.opened, asked.sessions)
        intent = carried(fleet.intent(asked.node, asked.opened), asked.sessions)
        origins = {(p, r.origin) for table in intent.routes.values() for p, r in table.items()}
        sent = {prefix for prefix, origin in origins if origin.startswith("Service ")}
        assert alike.setdefault(kind, sent) == sent
        assert kind is not None or not sent


@given(clusters())
def test_the_guards_say_what_they_say_when_every_node_is_compiled(cluster: Any) -> None:
    objects, (own, *others) = cluster
    name, slices = name_of(own.node), documents(objects)
    every = [by_itself(objects, asked) for asked in (own, *others)]
    sent = [carried(intent, asked.sessions) for intent, asked in zip(every, (own, *others), strict=True)]
    found, selected = beside(fleet_of(objects), own, others)
    assert selected == {intent.node for intent in every[1:] if intent.selected}
    whole = seen(sent, objects.services, slices)
    for verdict in (
        lambda vips: last_path(name, vips),
        lambda vips: sole_endpoint(name, vips, selected),
    ):
        assert verdict(found) == verdict(whole)


def test_many_nodes_that_are_alike_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a guard must not grow with nodes x Services (issue 8)."""
    compiled: list[str] = []
    real = Fleet.intent
    monkeypatch.setattr(
        Fleet, "intent", lambda s, n, o=False: (compiled.append(name_of(n)), real(s, n, o))[1]
    )
    web = kit.service("web", "203.0.113.1")
    nodes = [Announcer(kit.node(f"n{number}"), True, {}) for number in range(50)]
    fleet = fleet_of(ClusterObjects(policies=[kit.policy()], services=[web], secrets=None))
    (vip,), _ = beside(fleet, nodes[0], nodes[1:])
    assert len(compiled) == 2 and vip.announcers == {"n0", "n1"}


def test_an_address_that_follows_its_endpoints_is_looked_for_where_they_are() -> None:
    """All nodes are alike, and only the third one still serves it beside the first (KEP-1669)."""
    leaving = {"ready": False, "serving": True, "terminating": True}
    slices = [kit.endpoint_slice("web", *(kit.endpoint(name, **leaving) for name in ("n0", "n2")))]
    web = kit.service("web", "203.0.113.1", local=True)
    objects = ClusterObjects(policies=[kit.policy()], services=[web], endpoint_slices=slices, secrets=None)
    own, *others = (Announcer(kit.node(f"n{number}"), True, {}) for number in range(3))
    (vip,), _ = beside(fleet_of(objects), own, others)
    assert vip.announcers == {"n0", "n2"} and vip.local
