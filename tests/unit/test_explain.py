"""`explain` of a cluster: every link has its broken case, what it names is a field, and mending it helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.explaining.asked import parse_asked
from bgpctl.core.intent.explaining.chain import Link, Path, Standing, Status
from bgpctl.core.model import LastError, SessionState
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.ports import Outlook
from bgpctl.queries.explaining.look import Explanation, explain
from bgpctl.render import explain as shown
from bgpctl.render.text import plain
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.witness.model import Path as RouterPath
from bgpctl.witness.model import RouterAnswer, judge
from tests.support import direct, node_states, objects, v2
from tests.support.direct import EPOCH, Wire
from tests.support.golden import check_golden
from tests.support.kinds import KINDS

Document = dict[str, Any]
Api = direct.Api
NEIGHBOR = objects.neighbor("192.0.2.1/32")
ROUTER = objects.router(NEIGHBOR, serviceSelector={"matchLabels": {"expose": "bgp"}})
EXPOSED = {"expose": "bgp"}


def web(**spec: Any) -> Document:
    spec.setdefault("labels", EXPOSED)
    return objects.service("web", "203.0.113.10", ports=[{"port": 80}], **spec)


def endpoints(*places: str, **conditions: bool) -> Document:
    made = objects.endpoint_slice("web", *(objects.endpoint(place, **conditions) for place in places))
    return {**made, "ports": [{"port": 80}]}


def session(**changes: Any) -> PeerState:
    return node_states.peer(EPOCH, local_address=ip_address("192.0.2.11"), **changes)


def reporting(name: str) -> Document:
    return to_document(node_states.state(name, EPOCH, session(), selected_by="policy"))


def _seeded() -> Api:
    api = direct.Api()
    api.server.apply(*KINDS, objects.policy(ROUTER))
    for number, name in enumerate(("worker-1", "worker-2"), 1):
        cidr = {"podCIDRs": [f"10.244.{number}.0/24"]}
        api.server.apply(objects.node(name, spec=cidr, status=READY), reporting(name))
    api.server.apply(
        web(),
        endpoints("worker-1"),
        objects.service("api", "203.0.113.20", labels=EXPOSED, ports=[{"port": 80}]),
    )
    return api


READY = {
    "addresses": [{"type": "InternalIP", "address": "192.0.2.11"}],
    "conditions": [{"type": "Ready", "status": "True"}],
}
SEEDED = _seeded()


@pytest.fixture
def api() -> Api:
    return SEEDED.fork()


def asked(api: Api, what: str = "svc/web", node: str | None = "worker-1", **more: Any) -> Explanation:
    namespace = more.pop("namespace", "")
    return explain(Wire(api).client(), None, parse_asked(what, namespace), node, **more)


def rows(found: Explanation) -> list[str]:
    return [plain(row) for row in shown.text(found, 80)]


def only(found: Explanation) -> Path:
    (path,) = found.paths
    return path


def put(
    api: Api, kind: tuple[str, str], name: str, change: Callable[[Document], Document], space: str = ""
) -> None:
    """As an API server without a schema may have it."""
    stored = api.server.store.get(kind, space, name)
    assert stored is not None
    api.server.store.put(kind, change(stored.document))


NODES, SERVICES, SLICES = ("", "nodes"), ("", "services"), ("discovery.k8s.io", "endpointslices")
STATES, POLICIES = ("bgpctl.io", "bgpnodestates"), ("cilium.io", "ciliumbgppeeringpolicies")


# --- green --------------------------------------------------------------------------------------------------


def test_an_announced_service_is_green_link_by_link(api: Api) -> None:
    found = asked(api)
    path = only(found)
    assert found.green and path.standing is Standing.ANNOUNCED
    assert {link.status for link in path.links} == {Status.OK}
    names = "service class address endpoints node policy peer advertisement family session speaker"
    assert [link.name for link in path.links] == names.split()
    check_golden("explain_green_80_columns.txt", shown.text(found, 80))


def test_alike_paths_are_told_once(api: Api) -> None:
    found = asked(api, node=None)
    (group,) = found.groups
    assert [path.node for path in group.paths] == ["worker-1", "worker-2"]
    assert rows(found)[-1] == "Service default/web: announced on 2 paths of 2 nodes"


# --- each link broken ---------------------------------------------------------------------------------------


def relabel(api: Api) -> None:
    api.server.apply(web(labels={}))


def reclass(api: Api) -> None:
    api.server.apply(web(loadBalancerClass="example.com/other"))


def local(api: Api) -> None:
    api.server.apply(web(local=True), endpoints("worker-2"))


def unready(api: Api) -> None:
    api.server.apply(web(local=True), endpoints("worker-1", ready=False))


def unsliced(api: Api) -> None:
    api.server.apply(web(local=True), {**endpoints(), "metadata": {**endpoints()["metadata"], "labels": {}}})


def pending(api: Api) -> None:
    put(api, SERVICES, "web", lambda one: {**one, "status": {}}, "default")


def clustered(api: Api) -> None:
    put(api, SERVICES, "web", lambda one: {**one, "status": {}, "spec": {"type": "ClusterIP"}}, "default")


def elsewhere(api: Api) -> None:
    made = web()
    made["metadata"]["annotations"] = {"service.cilium.io/node": "beefy"}
    api.server.apply(made)


def proxied(api: Api) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.10", "ipMode": "Proxy"}]}}
    put(api, SERVICES, "web", lambda one: {**one, "status": status}, "default")


def excluded(api: Api) -> None:
    labels = {"enable-bgp": "true", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
    api.server.apply(objects.node("worker-1", labels=labels))


def cut_off(api: Api) -> None:
    down = [{"type": "NetworkUnavailable", "status": "True"}]
    put(api, NODES, "worker-1", lambda one: {**one, "status": {**one["status"], "conditions": down}})


def unselected(api: Api) -> None:
    api.server.apply(objects.node("worker-1", labels={"enable-bgp": "false"}))


def invalid(api: Api) -> None:
    bad = objects.router(objects.neighbor("192.0.2.1/32", peerPort=0), serviceSelector={})
    put(api, POLICIES, "policy", lambda one: {**one, "spec": objects.policy(bad)["spec"]})


def six_only(api: Api) -> None:
    families = [{"afi": "ipv6", "safi": "unicast"}]
    api.server.apply(objects.policy({**ROUTER, "neighbors": [{**NEIGHBOR, "families": families}]}))


BREAKS: dict[str, tuple[Callable[[Api], None], str, str, str]] = {
    "labels": (relabel, "advertisement", "Service default/web", "metadata.labels.expose"),
    "class": (reclass, "class", "Service default/web", "spec.loadBalancerClass"),
    "no endpoint here": (local, "endpoints", "EndpointSlice default/web-ipv4-x", "endpoints[1]"),
    "endpoint not ready": (
        unready,
        "endpoints",
        "EndpointSlice default/web-ipv4-x",
        "endpoints[0].conditions.ready",
    ),
    "no slice": (unsliced, "endpoints", "EndpointSlice default/web-ipv4", ""),
    "no address": (pending, "address", "Service default/web", "status.loadBalancer.ingress"),
    "type": (clustered, "service", "Service default/web", "spec.type"),
    "annotation": (elsewhere, "exposure", "Node worker-1", "metadata.labels[service.cilium.io/node]"),
    "ipMode": (proxied, "address", "Service default/web", "status.loadBalancer.ingress[0].ipMode"),
    "excluded": (
        excluded,
        "node",
        "Node worker-1",
        "metadata.labels[node.kubernetes.io/exclude-from-external-load-balancers]",
    ),
    "network": (cut_off, "node", "Node worker-1", "status.conditions[0].status"),
    "node label": (unselected, "policy", "Node worker-1", "metadata.labels.enable-bgp"),
    "invalid policy": (
        invalid,
        "policy",
        "CiliumBGPPeeringPolicy policy",
        "spec.virtualRouters[0].neighbors[0].peerPort",
    ),
    "family": (
        six_only,
        "family",
        "CiliumBGPPeeringPolicy policy",
        "spec.virtualRouters[0].neighbors[0].families[1]",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_first_broken_link_names_its_field(api: Api, name: str) -> None:
    breaks, link, owner, field = BREAKS[name]
    breaks(api)
    found = asked(api)
    path = only(found)
    first = path.broken[0]
    assert not found.green and first.name == link
    repair = first.repairs[0]
    assert (str(repair.object), repair.field) == (owner, field)
    assert repair.command.startswith("kubectl get ")
    told = "\n".join(rows(found))
    assert "broken" in told and first.reason in told


def test_every_broken_link_is_told_not_only_the_first(api: Api) -> None:
    api.server.apply(web(labels={}, local=True, loadBalancerClass="example.com/other"), endpoints("worker-2"))
    found = asked(api)
    assert [link.name for link in only(found).broken] == ["class", "endpoints", "advertisement"]
    check_golden("explain_broken_80_columns.txt", shown.text(found, 80))
    wide = [row for row in rows(found) if len(row) > 80]
    assert all(re.match(r" +kubectl ", row) for row in wide), "only what is there to be copied"


# --- what the speakers and the routers say ------------------------------------------------------------------


def told_by(api: Api, **changes: Any) -> NodeState:
    state = node_states.state("worker-1", EPOCH, session(), selected_by="policy")
    made = replace(state, **changes)
    api.server.apply(to_document(made))
    return made


def link(found: Explanation, name: str) -> Link:
    return next(one for one in only(found).links if one.name == name)


def test_a_session_that_is_down_is_a_broken_link(api: Api) -> None:
    error = LastError(EPOCH, "received", "Hold Timer Expired")
    down = session(state=SessionState.ACTIVE, last_error=error)
    told_by(api, peers=(down,))
    found = asked(api)
    assert link(found, "session").status is Status.BROKEN
    assert "Hold Timer Expired" in link(found, "session").says and not found.green


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"heartbeat": EPOCH - 900, "reported_at": EPOCH - 900}, "has not reported for"),
        ({"absent": {"damped": 1}}, "flap"),
        ({"policy_problem": "policy is invalid"}, "policy is invalid"),
    ],
)
def test_what_is_not_known_is_neither_announced_nor_broken(api: Api, changes: Any, word: str) -> None:
    told_by(api, **changes)
    found = asked(api)
    assert only(found).standing is Standing.UNKNOWN and not found.green
    assert any(word in row for row in rows(found))


def test_a_node_without_a_speaker_is_not_known(api: Api) -> None:
    Wire(api).client().delete(paths.node_state("worker-1"))
    found = asked(api)
    assert only(found).standing is Standing.UNKNOWN and link(found, "session").status is Status.UNKNOWN


def test_a_drained_node_is_restored_not_mended(api: Api) -> None:
    api.server.apply(to_document(node_states.withdrawn("worker-1", EPOCH)))
    labels = {"enable-bgp": "false"}
    api.server.apply(objects.node("worker-1", labels=labels, annotations={ANNOTATION: "{}"}))
    found = asked(api)
    assert [one.name for one in only(found).broken] == ["drain", "policy", "withdrawal"]
    assert only(found).broken[0].command == "bgpctl node status worker-1"


class Router:
    """A router that has these prefixes of every node."""

    kind, target, peer = "bird", "/run/bird.ctl", "192.0.2.1"

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = [ip_network(text) for text in prefixes]

    def routes_from(self, neighbor: str) -> RouterAnswer:
        paths = tuple(RouterPath(prefix, neighbor) for prefix in self._prefixes)
        return RouterAnswer("bird", neighbor, judge(paths), paths, "established", local="192.0.2.1")


def test_the_router_is_the_judge(api: Api) -> None:
    has, lacks = Router("203.0.113.10/32"), Router("203.0.113.99/32")
    assert link(asked(api, probes=[has]), "router").status is Status.OK
    found = asked(api, probes=[lacks])
    assert not found.green and only(found).broken[0].name == "router"
    assert only(found).broken[0].command.startswith("birdc -s /run/bird.ctl show route 203.0.113.10/32")
    relabel(api)
    absent = asked(api, probes=[lacks])
    assert [one.name for one in only(absent).broken] == ["advertisement"], "the router has what it should"
    assert "though it should not" in link(asked(api, probes=[has]), "router").says


def test_a_silent_speaker_does_not_hide_what_the_router_has(api: Api) -> None:
    told_by(api, heartbeat=EPOCH - 900, reported_at=EPOCH - 900)
    assert asked(api, probes=[Router("203.0.113.10/32")]).green


# --- stacks that do not tell --------------------------------------------------------------------------------


class Untold:
    """A provider that knows sessions, and not what a node should announce."""

    name = "frr-k8s"

    def __init__(self, *states: NodeState) -> None:
        self._states = states

    def outlook(self) -> Outlook:
        return Outlook({state.node: state for state in self._states}, None)


@pytest.mark.parametrize(
    ("probes", "standing"),
    [
        ([], Standing.UNKNOWN),
        ([Router("203.0.113.10/32")], Standing.ANNOUNCED),
        ([Router("203.0.113.99/32")], Standing.BROKEN),
    ],
)
def test_what_cannot_be_told_from_outside_is_said(api: Api, probes: Any, standing: Standing) -> None:
    provider: Any = Untold(node_states.state("worker-1", EPOCH, session()))
    found = explain(Wire(api).client(), provider, parse_asked("svc/web"), "worker-1", probes=probes)
    assert only(found).standing is standing and found.green is (standing is Standing.ANNOUNCED)
    assert "cannot be told from outside" in link(found, "intent").says
    assert link(found, "session").status is Status.OK


# --- what is asked about ------------------------------------------------------------------------------------


def test_the_objects_behind_a_prefix(api: Api) -> None:
    twin = objects.service("twin", "203.0.113.10", labels=EXPOSED, ports=[{"port": 80}])
    api.server.apply(twin)
    found = asked(api, "203.0.113.10", None)
    assert found.behind == ("Service default/twin", "Service default/web") and found.green
    assert asked(api, "10.244.2.7", None).behind == ("PodCIDR of worker-2",)
    assert {path.origin for path in asked(api, "203.0.113.0/24", None).paths} == {
        "Service default/api",
        "Service default/twin",
        "Service default/web",
    }


def test_a_cidr_is_looked_at_where_it_is(api: Api) -> None:
    """Nobody expects it of the other nodes; who asks of one of them is told so, and whose it is."""
    found = asked(api, "10.244.0.0/16", None)
    assert [(path.node, str(path.prefix)) for path in found.paths] == [
        ("worker-1", "10.244.1.0/24"),
        ("worker-2", "10.244.2.0/24"),
    ]
    assert found.green
    own = asked(api, "10.244.0.0/16", "worker-2")
    assert [str(path.prefix) for path in own.paths] == ["10.244.2.0/24"]
    foreign = asked(api, "10.244.1.0/24", "worker-2")
    assert foreign.behind == ("PodCIDR of worker-1",)
    assert only(foreign).broken[0].says == "10.244.1.0/24 is not of node worker-2"


def test_what_is_told_of_one_of_many_services_is_told_of_it_alone(api: Api) -> None:
    api.server.apply(objects.service("twin", "203.0.113.10", labels=EXPOSED, ports=[{"port": 80}]))
    for name in ("web", "api", "twin"):
        alone = asked(api, f"svc/{name}", None)
        many = [p for p in asked(api, "203.0.113.0/24", None).paths if p.origin == f"Service default/{name}"]
        assert [_short(path) for path in alone.paths] == [_short(path) for path in many]


def _short(path: Path) -> object:
    return path.node, path.prefix, [(link.name, link.status, link.reason) for link in path.links]


@pytest.mark.parametrize("entry", [{"hostname": "x.y"}])
def test_of_an_address_that_is_none_nothing_more_is_told(api: Api, entry: Document) -> None:
    """The search tries an example of an address: what holds for that one is not said of the Service."""

    def change(old: Document) -> Document:
        return {**old, "status": {"loadBalancer": {"ingress": [entry]}}}

    put(api, SERVICES, "web", change, "default")
    found = asked(api)
    links = {one.name: one for one in only(found).links}
    assert "family" not in links and links["address"].status is Status.BROKEN
    assert links["endpoints"].says == "ready: 1 on worker-1"
    assert "advertises Service (LoadBalancerIP)" in links["advertisement"].says
    assert "x.y" in str(links["address"].repairs[0])


def test_a_prefix_that_nothing_has_is_an_answer(api: Api) -> None:
    found = asked(api, "198.51.100.1", None)
    assert not found.green and only(found).broken[0].reason == "noObject"


def test_a_pod_is_explained_by_its_services(api: Api) -> None:
    slice_ = endpoints("worker-1")
    slice_["endpoints"][0]["targetRef"] = {"kind": "Pod", "name": "web-1", "namespace": "default"}
    api.server.apply(slice_, pod("web-1"), pod("lone", ip="10.244.1.9"))
    found = asked(api, "pod/web-1", None)
    assert [(path.node, path.origin) for path in found.paths] == [("worker-1", "Service default/web")]
    assert found.green and link(found, "pod").says == "Pod default/web-1 is on worker-1, ready"
    lone = asked(api, "default/lone", None)
    assert [(path.origin, str(path.prefix)) for path in lone.paths] == [("PodCIDR", "10.244.1.0/24")]


def pod(name: str, ip: str = "10.244.1.7") -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "c", "image": "i"}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def test_a_node_is_explained_as_a_whole(api: Api) -> None:
    found = asked(api, "worker-1", None)
    names = ["node", "policy", "peer", "session", "speaker", "routes"]
    assert [one.name for one in only(found).links] == names and found.green
    api.server.apply(objects.node("worker-1", labels={}))
    assert only(asked(api, "node/worker-1", None)).broken[0].reason == "notSelected"


WRONG = [
    ("svc/wab", {}, "Service default/wab does not exist", "api, web"),
    ("pod/web", {}, "Pod default/web does not exist", "kubectl get pods -n default"),
    ("node/worker-9", {}, "node worker-9 does not exist", "worker-1, worker-2"),
    ("nothing", {}, "Service or Pod or Node nothing does not exist", "api, web"),
    ("other/web", {}, "Service or Pod other/web does not exist", "default"),
    ("svc/web", {"namespace": "other"}, "Service other/web does not exist", "default"),
    ("svc/a/web", {"namespace": "b"}, "is in namespace a", "one of them"),
    ("svc/", {}, "neither a prefix nor an object", "svc/NAMESPACE/NAME"),
    ("a/b/c", {}, "neither a prefix nor an object", "svc/NAMESPACE/NAME"),
    ("203.0.113.10/33", {}, "203.0.113.10/33 is no prefix", "write 203.0.113.10 for the address"),
    ("203.0.113.10/24", {}, "bits set behind its /24", "203.0.113.0/24"),
    ("2001:db8::1/64", {}, "bits set behind its /64", "2001:db8::/64"),
    ("svc/web", {"node": "worker-9"}, "node worker-9 does not exist", "worker-1, worker-2"),
    ("svc/web", {"peer": "192.0.2.9"}, "has a peer 192.0.2.9", "192.0.2.1"),
]


@pytest.mark.parametrize(("what", "more", "message", "hint"), WRONG)
def test_bad_input_is_one_message_with_what_exists(
    api: Api, what: str, more: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        asked(api, what, **{"node": None, **more})
    assert message in caught.value.message and hint in caught.value.hint


def test_a_name_that_is_two_things_is_asked_back(api: Api) -> None:
    api.server.apply(objects.node("web"))
    with pytest.raises(UsageError) as caught:
        asked(api, "web", None)
    assert caught.value.hint == "write svc/default/web or node/web"
    assert asked(api, "svc/web", None).title == "Service default/web"


def test_to_a_peer_by_its_address_or_its_name(api: Api) -> None:
    for peer in ("192.0.2.1", "65001/192.0.2.1"):
        assert only(asked(api, peer=peer)).peer == "192.0.2.1"


# --- one bad object -----------------------------------------------------------------------------------------

BAD: list[Any] = [None, 7, "x", [], [7], {"a": 1}, "\x1b[31m", {"x": {"y": [None]}}]


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("place", ["spec", "status", "labels", "endpoints", "conditions", "policy", "node"])
def test_one_bad_object_costs_that_object(api: Api, place: str, bad: Any) -> None:
    """No place, no value of one breaks the look; the other Service is explained as before."""

    def spoiled(one: Document) -> Document:
        if place == "labels":
            return {**one, "metadata": {**one["metadata"], "labels": bad}}
        return {**one, place: bad}

    name = "web-ipv4-x"
    if place == "endpoints":
        put(api, SLICES, name, spoiled, "default")
    elif place == "policy":
        put(api, POLICIES, "policy", lambda one: {**one, "spec": {**one["spec"], "virtualRouters": bad}})
    elif place == "node":
        put(api, NODES, "worker-1", lambda one: {**one, "spec": bad, "status": bad})
    elif place == "conditions":
        put(api, NODES, "worker-1", lambda one: {**one, "status": {"conditions": bad}})
    else:
        put(api, SERVICES, "web", spoiled, "default")
    for what in ("svc/web", "203.0.113.10", "worker-1", "node/worker-2", "10.244.1.0/24"):
        told = asked(api, what, None)
        text = "\n".join(rows(told))
        assert "\x1b" not in text
        shown.document(told)
    assert asked(api, "svc/api", "worker-2").green is (place != "policy")


def test_a_malformed_service_is_unreadable(api: Api) -> None:
    put(api, SERVICES, "web", lambda one: {**one, "spec": 7}, "default")
    found = asked(api)
    assert only(found).broken[0].says.startswith("unreadable: Service default/web was left out")


# --- documents ----------------------------------------------------------------------------------------------


def test_the_document_has_every_repair_as_values(api: Api) -> None:
    relabel(api)
    found = asked(api)
    document = shown.document(found)
    (path,) = document["paths"]
    (broken,) = (one for one in path["links"] if one["status"] == "broken")
    assert (document["status"], document["announced"], path["standing"]) == ("failed", False, "not announced")
    assert broken["repairs"] == [
        {
            "object": {"kind": "Service", "name": "web", "namespace": "default"},
            "field": "metadata.labels.expose",
            "path": ["metadata", "labels", "expose"],
            "value": None,
            "needed": "bgp",
            "wanted": '"bgp"',
            "command": "kubectl get service web -n default -o jsonpath='{.metadata.labels.expose}'",
        }
    ]


# --- by the v2 resources ------------------------------------------------------------------------------------


def modern(api: Api, **settings: Any) -> None:
    """The same as the policy said, by the other kinds."""
    Wire(api).client().delete(f"{paths.PEERING_POLICIES}/policy")
    good, bad = v2.peer("good", "192.0.2.1"), v2.peer("bad", "192.0.2.2", peerConfigRef={"name": "tro"})
    api.server.apply(
        v2.cluster_config(v2.instance(good, bad)),
        v2.peer_config(families=[v2.family()], **settings),
        v2.advertisement(v2.advert(selector={"matchLabels": EXPOSED})),
    )


def test_a_configured_peer_without_a_session_has_a_path_too(api: Api) -> None:
    modern(api)
    found = asked(api)
    paths_by = {path.peer: path for path in found.paths}
    assert sorted(paths_by) == ["192.0.2.1", "main/bad"]
    broken = paths_by["main/bad"].broken
    assert [one.name for one in broken] == ["peer"]
    assert broken[0].says.endswith("because CiliumBGPPeerConfig tro does not exist")
    (repair,) = broken[0].repairs
    wrong = repair.found
    assert (repair.object.kind, wrong, repair.needed) == ("CiliumBGPClusterConfig", "tro", "tor")
    assert repair.field == "spec.bgpInstances[0].peers[1].peerConfigRef.name"


def test_the_speaker_s_own_word_on_a_peer_without_a_session(api: Api) -> None:
    why = 'peer 65001/192.0.2.1: no session, because Secret "bgp" (key password) is missing'
    told_by(api, peers=(), problems=(why,))
    assert link(asked(api), "session").says == why


# --- the command --------------------------------------------------------------------------------------------


def test_green_needs_every_address(api: Api) -> None:
    two = [{"ip": "203.0.113.10"}, {"ip": "203.0.113.11", "ipMode": "Proxy"}]
    put(api, SERVICES, "web", lambda one: {**one, "status": {"loadBalancer": {"ingress": two}}}, "default")
    found = asked(api, node=None)
    assert {(str(path.prefix), path.standing) for path in found.paths} == {
        ("203.0.113.10/32", Standing.ANNOUNCED),
        ("203.0.113.11/32", Standing.BROKEN),
    }
    assert not found.green and asked(api, "203.0.113.10", None).green


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["svc/web"], 0, "Service default/web: announced on 2 paths of 2 nodes\n"),
        (["198.51.100.1"], 1, "no Service, no pod CIDR and no pool"),
        (["svc/web", "--from", "worker-9"], 2, "the nodes are: worker-1, worker-2"),
        (["svc/web", "-o", "json"], 0, '"announced": true'),
        (["10.0.0.1/8", "-o", "json"], 2, '"status": "usage"'),
    ],
)
def test_exit_codes(
    api: Api,
    words: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from bgpctl.cli import app, wire

    monkeypatch.setattr(wire, "client", lambda given: Wire(api).client())
    with pytest.raises(SystemExit) as end:
        app.run(["explain", *words], "bgpctl")
    told = capsys.readouterr()
    assert end.value.code == code and said in told.out + told.err
