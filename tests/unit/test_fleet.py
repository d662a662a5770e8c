"""Many nodes from one reading give what each gives by itself, and so do the guards that ask only some."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bgpctl.core.drain.guards import last_path, sole_endpoint
from bgpctl.core.drain.paths import Announcer, announcers, beside
from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent
from bgpctl.core.intent.endpoints import read_shared, read_slice
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.gates import EXCLUDE_LABEL
from bgpctl.core.intent.nexthops import carried
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import IPV4, IPV6, Intent, Session, SessionState
from bgpctl.core.reading.documents import name_of
from tests.support import changing, v2
from tests.support import objects as kit
from tests.support.intents import seen

LEAVING = {"ready": False, "serving": True, "terminating": True}
NAMES = ("worker-1", "worker-2", "worker-3")
RACK = {"rack": "2"}
LABELS = [*(node["metadata"].get("labels") or {} for node in changing.NODES), RACK]
OTHERS = [
    kit.policy(router, name="other", nodeSelector={"matchLabels": RACK})
    for router in (
        kit.router(serviceSelector={"matchLabels": {"app": "web"}}),
        kit.router(kit.neighbor("2001:db8::2/128", families=[{"afi": "ipv6", "safi": "unicast"}])),
        kit.router(serviceAdvertisements=["ExternalIP"]),
    )
]
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
def some_announcer(draw: st.DrawFn, name: str) -> Announcer:
    document = draw(st.sampled_from(changing.NODES))
    node = {**document, "metadata": {"name": name, "labels": draw(st.sampled_from(LABELS))}}
    sessions = {peer: draw(SESSIONS) for peer in PEERS} if draw(st.booleans()) else {}
    return Announcer(node, draw(st.booleans()), sessions)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[ClusterObjects, list[Announcer]]:
    """Three nodes whose speakers all report, and the documents of the cluster."""
    policies = [
        *draw(st.sampled_from(changing.POLICIES)),
        *draw(st.lists(st.sampled_from(OTHERS), max_size=1)),
    ]
    objects = ClusterObjects(
        policies=policies,
        services=draw(st.lists(changing.services(), max_size=4)),
        endpoint_slices=draw(st.lists(changing.slices(), max_size=4)),
        secrets=None,
        interfaces=None,
        gateways=None,
        **({} if policies else V2),
    )
    return objects, [draw(some_announcer(name)) for name in NAMES]


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


@given(clusters())
def test_all_announcers_are_those_found_when_every_node_is_compiled(cluster: Any) -> None:
    objects, nodes = cluster
    fleet = fleet_of(objects)
    names = [service.key for service in fleet.services]
    assume(len(set(map(str, names))) == len(names))  # as the API server sees to it
    every = [by_itself(objects, asked) for asked in nodes]
    sent = [carried(intent, asked.sessions) for intent, asked in zip(every, nodes, strict=True)]
    found, whole = announcers(fleet, nodes), seen(sent, objects.services, documents(objects))
    assert len(found) == len(whole)
    assert {vip.prefix: (set(vip.owners), vip.local, vip.announcers, vip.endpoints) for vip in found} == {
        vip.prefix: (set(vip.owners), vip.local, vip.announcers, vip.endpoints) for vip in whole
    }


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes that were compiled whole, one after the other."""
    names: list[str] = []
    real = Fleet.intent

    def intent(fleet: Fleet, node: Any, opened: bool) -> Intent:
        names.append(name_of(node))
        return real(fleet, node, opened)

    monkeypatch.setattr(Fleet, "intent", intent)
    return names


def test_many_nodes_that_are_alike_are_compiled_once(compiled: list[str]) -> None:
    """The cost of a guard must not grow with nodes x Services (issue 8)."""
    web = kit.service("web", "203.0.113.1")
    nodes = [Announcer(kit.node(f"n{number}"), True, {}) for number in range(50)]
    fleet = fleet_of(ClusterObjects(policies=[kit.policy()], services=[web], secrets=None))
    (vip,), _ = beside(fleet, nodes[0], nodes[1:])
    assert compiled == ["n0", "n1"] and vip.announcers == {"n0", "n1"}


def test_all_announcers_of_many_nodes_that_are_alike(compiled: list[str]) -> None:
    """The first is compiled for all, and who has an endpoint for what follows its endpoints."""
    web, api = kit.service("web", "203.0.113.1"), kit.service("api", "203.0.113.2", local=True)
    ends = kit.endpoint_slice("api", kit.endpoint("n7"), kit.endpoint("n9"))
    nodes = [Announcer(kit.node(f"n{number}"), True, {}) for number in range(50)]
    objects = ClusterObjects(
        policies=[kit.policy()], services=[web, api], endpoint_slices=[ends], secrets=None
    )
    found = {str(vip.prefix): vip for vip in announcers(fleet_of(objects), nodes)}
    assert compiled == ["n0", "n7", "n9"]
    assert found["203.0.113.1/32"].announcers == {f"n{number}" for number in range(50)}
    assert found["203.0.113.2/32"].announcers == {"n7", "n9"}


def test_who_announces_alike_is_one_set_for_all_addresses() -> None:
    """Of 5,000 nodes and 2,000 Services they would be a gigabyte."""
    some = [kit.service(f"svc-{number}", f"203.0.113.{number}") for number in range(1, 4)]
    nodes = [Announcer(kit.node(f"n{number}"), True, {}) for number in range(3)]
    objects = ClusterObjects(policies=[kit.policy()], services=some, secrets=None)
    found = announcers(fleet_of(objects), nodes)
    assert len(found) == 3 and len({id(vip.announcers) for vip in found}) == 1


def test_an_address_of_two_services_one_of_which_follows_its_endpoints() -> None:
    """Whoever shares an address owns it, and it is announced where either is."""
    web, api = kit.service("web", "203.0.113.1"), kit.service("api", "203.0.113.1", local=True)
    ends = [
        kit.endpoint_slice("api", kit.endpoint("n1"), kit.endpoint("n1")),
        kit.endpoint_slice("web", kit.endpoint("n2")),
    ]
    nodes = [Announcer(kit.node(f"n{number}"), True, {}) for number in range(3)]
    objects = ClusterObjects(policies=[kit.policy()], services=[web, api], endpoint_slices=ends, secrets=None)
    (vip,) = announcers(fleet_of(objects), nodes)
    assert set(vip.owners) == {"Service default/web", "Service default/api"}
    assert vip.announcers == {"n0", "n1", "n2"}
    whole = seen([by_itself(objects, asked) for asked in nodes], objects.services, objects.endpoint_slices)
    assert [(set(one.owners), one.announcers, one.local, one.endpoints) for one in whole] == [
        (set(vip.owners), vip.announcers, vip.local, vip.endpoints)
    ]
    assert vip.endpoints == {"n1": 2, "n2": 1}


def test_who_shares_an_address_where_only_the_one_that_follows_its_endpoints_is_announced() -> None:
    """Another node announces it for web, which no policy of its own selects elsewhere, and each endpoint is
    counted once."""
    web, api = kit.service("web", "203.0.113.1"), kit.service("api", "203.0.113.1", local=True)
    only_api = kit.policy(
        kit.router(serviceSelector={"matchLabels": {"app": "api"}}),
        nodeSelector={"matchLabels": RACK},
        name="api",
    )
    ends = [kit.endpoint_slice("api", kit.endpoint("n3"), kit.endpoint("n3"), kit.endpoint("n1"))]
    nodes = [
        Announcer(kit.node(f"n{number}", labels=None if number < 2 else RACK), True, {})
        for number in range(4)
    ]
    objects = ClusterObjects(
        policies=[kit.policy(), only_api], services=[web, api], endpoint_slices=ends, secrets=None
    )
    (vip,) = announcers(fleet_of(objects), nodes)
    whole = seen([by_itself(objects, asked) for asked in nodes], objects.services, objects.endpoint_slices)
    assert [(set(one.owners), one.announcers, one.endpoints) for one in whole] == [
        (set(vip.owners), vip.announcers, vip.endpoints)
    ]
    assert vip.announcers == {"n0", "n1", "n3"} and vip.endpoints == {"n1": 1, "n3": 2}


def test_an_endpoint_that_is_leaving_makes_nobody_else_announce() -> None:
    """The first of many nodes that are alike has it, and what it announces by it the others do not."""
    web = kit.service("web", "203.0.113.1", local=True)
    ends = [kit.endpoint_slice("web", kit.endpoint("n0", **LEAVING))]
    nodes = [Announcer(kit.node(f"n{number}"), True, {}) for number in range(3)]
    objects = ClusterObjects(policies=[kit.policy()], services=[web], endpoint_slices=ends, secrets=None)
    (vip,) = announcers(fleet_of(objects), nodes)
    assert vip.announcers == {"n0"}


def test_a_shared_address_is_looked_for_where_a_leaving_endpoint_keeps_it() -> None:
    """web has ready endpoints and is announced from n0 alone; the other node announces the address for api,
    by an endpoint that is leaving."""
    web, api = kit.service("web", "203.0.113.1"), kit.service("api", "203.0.113.1", local=True)
    only_api = kit.policy(
        kit.router(serviceSelector={"matchLabels": {"app": "api"}}),
        nodeSelector={"matchLabels": RACK},
        name="api",
    )
    ends = [
        kit.endpoint_slice("web", kit.endpoint("n1")),
        kit.endpoint_slice("api", kit.endpoint("n0", **LEAVING), kit.endpoint("n3", **LEAVING)),
    ]
    own, *others = (
        Announcer(kit.node(f"n{number}", labels=RACK if number else None), True, {}) for number in range(4)
    )
    objects = ClusterObjects(
        policies=[kit.policy(), only_api], services=[web, api], endpoint_slices=ends, secrets=None
    )
    (vip,), _ = beside(fleet_of(objects), own, others)
    assert vip.announcers == {"n0", "n3"}


@pytest.mark.parametrize(
    ("endpoints", "asked"),
    [
        pytest.param({}, [], id="nobody has an endpoint"),
        pytest.param({"n0": LEAVING}, [], id="only the node itself"),
        pytest.param({"n0": LEAVING, "n3": LEAVING, "n4": LEAVING}, ["n3"], id="until one is found"),
        pytest.param(
            {"n0": LEAVING, "n3": {"ready": False}, "n4": LEAVING}, ["n4"], id="who has none is not"
        ),
        pytest.param({"n0": {}, "n3": LEAVING}, [], id="a ready one here says enough"),
        pytest.param({"n3": {}}, [], id="it is not announced here"),
    ],
)
def test_no_more_nodes_are_compiled_than_may_tell(
    compiled: list[str], endpoints: dict[str, Any], asked: list[str]
) -> None:
    ends = [kit.endpoint(name, **conditions) for name, conditions in endpoints.items()]
    others = kit.endpoint_slice("api", *(kit.endpoint(f"n{number}", **LEAVING) for number in range(6)))
    services = kit.service("web", "203.0.113.1", local=True), kit.service("api", "203.0.113.2")
    objects = ClusterObjects(
        policies=[kit.policy()],
        services=services,
        endpoint_slices=[kit.endpoint_slice("web", *ends), others],
        secrets=None,
    )
    own, *rest = (Announcer(kit.node(f"n{number}"), True, {}) for number in range(6))
    beside(fleet_of(objects), own, rest)
    assert compiled == ["n0", "n1", *asked]


def test_an_address_that_follows_its_endpoints_is_looked_for_where_they_are() -> None:
    """All nodes are alike, and only the third one still serves it beside the first (KEP-1669)."""
    leaving = {"ready": False, "serving": True, "terminating": True}
    slices = [kit.endpoint_slice("web", *(kit.endpoint(name, **leaving) for name in ("n0", "n2")))]
    web = kit.service("web", "203.0.113.1", local=True)
    objects = ClusterObjects(policies=[kit.policy()], services=[web], endpoint_slices=slices, secrets=None)
    own, *others = (Announcer(kit.node(f"n{number}"), True, {}) for number in range(3))
    (vip,), _ = beside(fleet_of(objects), own, others)
    assert vip.announcers == {"n0", "n2"} and vip.local


# --- who is a second path -----------------------------------------------------------------------------------

WEB, DB = kit.service("web", "203.0.113.1", labels={"app": "web"}), kit.service("db", "203.0.113.2")
SELECTIVE = kit.policy(
    kit.router(serviceSelector={"matchLabels": {"app": "web"}}),
    name="selective",
    nodeSelector={"matchLabels": RACK},
)


POLICIES = kit.policy(), SELECTIVE


def announced(*others: Announcer, policies: Any = POLICIES) -> Any:
    """By whom each address is announced that worker-1 announces."""
    objects = ClusterObjects(policies=policies, services=(WEB, DB), secrets=None, interfaces=None)
    own = Announcer(kit.node(), True, {})
    found, selected = beside(fleet_of(objects), own, others)
    return {str(vip.prefix.network_address): set(vip.announcers) for vip in found}, selected


def other(name: str = "worker-2", labels: Any = None, opened: bool = True, **parts: Any) -> Announcer:
    return Announcer(kit.node(name, labels=labels, **parts), opened, {})


BOTH, ALONE = {"worker-1", "worker-2"}, {"worker-1"}


@pytest.mark.parametrize(
    ("second", "web", "db", "selected"),
    [
        pytest.param(other(), BOTH, BOTH, True, id="it is alike"),
        pytest.param(other(labels=RACK), BOTH, ALONE, True, id="its policy advertises less"),
        pytest.param(other(labels={"x": "y"}), ALONE, ALONE, False, id="nothing selects it"),
        pytest.param(
            other(labels={"enable-bgp": "true", EXCLUDE_LABEL: ""}),
            ALONE,
            ALONE,
            True,
            id="no Services from it",
        ),
        pytest.param(
            other(opened=False, status={"conditions": [{"type": "Ready", "status": "False"}]}),
            ALONE,
            ALONE,
            True,
            id="it was never Ready",
        ),
        pytest.param(
            other(opened=True, status={"conditions": [{"type": "Ready", "status": "False"}]}),
            BOTH,
            BOTH,
            True,
            id="it was Ready once",
        ),
    ],
)
def test_which_node_is_a_second_path(second: Announcer, web: Any, db: Any, selected: bool) -> None:
    addresses, chosen = announced(second)
    assert addresses == {"203.0.113.1": web, "203.0.113.2": db}
    assert chosen == ({"worker-2"} if selected else set())


def test_the_third_may_be_what_the_second_is_not() -> None:
    addresses, _ = announced(other(labels=RACK), other("worker-3"), other("worker-4"))
    assert addresses["203.0.113.2"] == {"worker-1", "worker-3"}, "one of each kind is asked"


def test_a_session_that_cannot_be_held_tells_nothing() -> None:
    """Two instances with a peer at one address: only the first is a session, so what the second would
    advertise reaches nobody."""
    web = {"advertisements": {"matchLabels": {"for": "web"}}}
    objects = ClusterObjects(
        policies=(kit.policy(),),
        cluster_configs=(
            v2.cluster_config(
                v2.instance(v2.peer(peerConfigRef={"name": "web"}), name="first"),
                v2.instance(v2.peer(), name="second", localASN=65002),
                nodeSelector={"matchLabels": RACK},
            ),
        ),
        peer_configs=(v2.peer_config(), v2.peer_config("web", families=[v2.family(**web)])),
        advertisements=(
            v2.advertisement(),
            v2.advertisement(
                v2.advert(selector={"matchLabels": {"app": "web"}}), name="web", labels={"for": "web"}
            ),
        ),
        services=(WEB, DB),
        secrets=None,
        interfaces=None,
    )
    own, second = Announcer(kit.node(), True, {}), other(labels=RACK)
    fleet = fleet_of(objects)
    assert [peer.instance for peer in fleet.bare(second.node).peers] == ["first"]
    ((told, _), (alone, _)) = (
        fleet.likeness(each.node, fleet.bare(each.node, True), True, {}) for each in (second, own)
    )
    assert len(told) == len(alone) == 1, "one session each"
    found, _ = beside(fleet, own, [second])
    assert [set(vip.announcers) for vip in found] == [BOTH, ALONE]


def test_where_a_service_says_that_it_is() -> None:
    beefy = kit.service("web", "203.0.113.1")
    beefy["metadata"]["annotations"] = {"service.cilium.io/node": "beefy"}
    own = {"enable-bgp": "true", "service.cilium.io/node": "beefy"}
    objects = ClusterObjects(policies=[kit.policy()], services=[beefy], secrets=None, interfaces=None)
    first = Announcer(kit.node("worker-1", labels=own), True, {})
    (vip,), _ = beside(fleet_of(objects), first, [other(), other("worker-3", labels=own)])
    assert vip.announcers == {"worker-1", "worker-3"}
