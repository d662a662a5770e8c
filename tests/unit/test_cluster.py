"""What concerns more than one node, read from the embedded API: other paths, other owners, the way out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.guards import KURED_LOCK, KURED_REBOOTING, Guard
from bgpctl.core.model import IPV6
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.lab.api.requests import Answer
from bgpctl.ports import Outlook
from bgpctl.providers import policies
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.runbooks import cluster
from bgpctl.runbooks.cluster import Cluster
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump
from tests.support import direct, objects, v2
from tests.support.direct import EPOCH, Asked, Wire
from tests.support.kinds import KINDS
from tests.support.node_states import peer
from tests.support.snapshots import journal

NODE, OTHER = "worker-1", "worker-2"
VIP = "203.0.113.10"
WEB = f"{VIP}/32 (Service default/web)"
ROUTER = "192.0.2.1"


def node(name: str, **parts: Any) -> dict[str, Any]:
    number = name.rpartition("-")[2]
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": f"192.0.2.1{number}"}],
    }
    return objects.node(name, **{"spec": {"podCIDRs": [f"10.244.{number}.0/24"]}, "status": status, **parts})


def state(name: str, **changes: Any) -> NodeState:
    fresh = NodeState(name, "Running", EPOCH - 1, EPOCH - 900, intended=2, announced=2, peers=(_peer(),))
    return replace(fresh, **changes)


def _peer(**session: Any) -> Any:
    """As the speaker names the peer of `objects.router(objects.neighbor(ROUTER))`."""
    told = peer(EPOCH, ROUTER, **session)
    name = f"65001/{ROUTER}"
    return replace(told, name=name, session=replace(told.session, peer=name))


def slices(*nodes: str) -> dict[str, Any]:
    return objects.endpoint_slice("web", *(objects.endpoint(name, ready=True) for name in nodes))


def _seeded() -> direct.Api:
    """Two nodes in service, both announce `web`."""
    made = direct.Api()
    made.server.apply(*KINDS, node(NODE), node(OTHER), slices(NODE, OTHER))
    made.server.apply(objects.policy(objects.router(objects.neighbor(f"{ROUTER}/32"))))
    made.server.apply(objects.service("web", VIP, ports=[{"port": 80}]))
    made.server.apply(to_document(state(NODE)), to_document(state(OTHER)))
    return made


SEEDED = _seeded()


@pytest.fixture
def api() -> direct.Api:
    return SEEDED.fork()


@pytest.fixture
def wire(api: direct.Api) -> Wire:
    return Wire(api)


def look(client: Client, **options: Any) -> Cluster:
    given = {
        "journal": None,
        "override": None,
        "lifted": frozenset(),
        "maximum": 1,
        "now": EPOCH,
        **options,
    }
    return cluster.look(client, Bgpctl(client), client.get(paths.node(NODE)), **given)


def verdicts(client: Client, **options: Any) -> dict[str, Guard]:
    return {guard.name: guard for guard in look(client, **options).guards}


def refused(client: Client, **options: Any) -> dict[str, str]:
    """The guards that are not content, by what they say."""
    return {g.name: g.message for g in verdicts(client, **options).values() if g.level != "ok"}


def test_a_node_that_may_go(wire: Wire) -> None:
    found = look(wire.client())
    assert [(guard.name, guard.level) for guard in found.guards] == [
        (name, "ok")
        for name in (
            "known-kinds",
            "other-stacks",
            "last-path",
            "sole-endpoint",
            "out-of-service",
            "medik8s",
            "kured",
            "removal-taints",
        )
    ]
    assert (found.lever.policies, found.lever.label) == (("policy",), ("enable-bgp", "false"))


# --- is there another path? ---------------------------------------------------------------------------------

LAST = f"{NODE} is the only node that announces {WEB}: after it nothing does"


def test_a_plan_of_several_nodes_knows_that_the_ones_before_are_out(wire: Wire) -> None:
    """`node drain worker-1 worker-2 --dry-run` planned the last path away, which the run refuses."""
    found = refused(wire.client(), after=(OTHER,), maximum=2)
    assert found["last-path"] == LAST and set(found) <= {"last-path", "sole-endpoint"}
    assert f"{OTHER} is out of service already" in refused(wire.client(), after=(OTHER,))["out-of-service"]


OTHERS = {
    "it never reported": None,
    "its speaker is silent": state(OTHER, heartbeat=EPOCH - 1000),
    "it has no session": state(
        OTHER, peers=(replace(_peer(), session=replace(_peer().session, state="active")),)
    ),
    "its session carries no IPv4": state(OTHER, peers=(_peer(families=(IPV6,)),)),
}


@pytest.mark.parametrize("why", OTHERS)
def test_who_announces_nothing_is_no_other_path(api: direct.Api, wire: Wire, why: str) -> None:
    client = wire.client()
    client.delete(paths.node_state(OTHER))
    if told := OTHERS[why]:
        api.server.apply(to_document(told))
    assert refused(client) == {"last-path": LAST}
    assert verdicts(client, lifted=frozenset({"--allow-last-path"}))["last-path"].level == "warn"


def test_the_node_itself_need_not_have_reported(wire: Wire) -> None:
    """Its policy says what it announces."""
    client = wire.client()
    client.delete(paths.node_state(NODE))
    client.delete(paths.node_state(OTHER))
    assert refused(client) == {"last-path": LAST}


def test_a_node_that_no_policy_selects_takes_nothing_with_it(wire: Wire) -> None:
    client = wire.client()
    client.delete(paths.node_state(OTHER))
    client.patch(paths.node(NODE), {"metadata": {"labels": {"enable-bgp": "false"}}})
    found = look(client)
    assert {guard.level for guard in found.guards} == {"ok"}
    assert (found.lever.policies, found.lever.ways_in) == ((), (("enable-bgp", "true"),))


GAP = f"all ready endpoints of {WEB} are on {NODE} (traffic policy Local): announced by nobody until"
NOWHERE = (
    f"all ready endpoints of {WEB} are on {NODE} (traffic policy Local), and no other node could announce"
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, GAP),
        ({"spec": {"unschedulable": True}}, NOWHERE),
        ({"metadata": {"labels": {"enable-bgp": "false"}}}, NOWHERE),
    ],
)
def test_a_local_address_needs_a_node_that_takes_pods(
    api: direct.Api, wire: Wire, change: dict[str, Any], words: str
) -> None:
    client = wire.client()
    api.server.apply(objects.service("web", VIP, local=True, ports=[{"port": 80}]), slices(NODE))
    client.patch(paths.node(OTHER), change)
    assert refused(client)["sole-endpoint"].startswith(words)


def test_a_node_that_is_not_ready_and_announces_all_the_same_counts(api: direct.Api, wire: Wire) -> None:
    """Its speaker had seen it Ready: the routes stay while the kubelet is away."""
    client = wire.client()
    lost = {"conditions": [{"type": "Ready", "status": "False"}]}
    api.server.apply(node(NODE, status={**node(NODE)["status"], **lost}))
    client.delete(paths.node_state(OTHER))
    assert refused(client) == {"last-path": LAST}
    api.server.apply(to_document(state(NODE, intended=1)))
    assert refused(client) == {"last-path": LAST}
    api.server.apply(to_document(state(NODE, intended=0)))
    assert refused(client) == {}


# --- which kinds are there? ---------------------------------------------------------------------------------


def without(wire: Wire, *resources: str, code: int = 404) -> Client:
    """Somebody to whom the API server refuses these; "v2/x" = that version only."""

    def before(asked: Asked) -> Answer | None:
        hit = any(asked.path.endswith(f"/{resource}") for resource in resources)
        return direct.refused(code, "Forbidden" if code == 403 else "NotFound") if hit else None

    wire.before = before
    return wire.client()


def test_neither_kind_of_policy(wire: Wire) -> None:
    client = without(wire, "ciliumbgppeeringpolicies", "ciliumbgpclusterconfigs")
    found = verdicts(client)["known-kinds"]
    assert (found.level, found.message.partition(":")[0]) == (
        "refuse",
        "the cluster serves neither CiliumBGPPeeringPolicy nor CiliumBGPClusterConfig",
    )


@pytest.mark.parametrize("kind", ["ciliumbgppeeringpolicies", "ciliumbgpclusterconfigs"])
def test_one_kind_of_policy_is_enough(wire: Wire, kind: str) -> None:
    assert verdicts(without(wire, kind))["known-kinds"].level == "ok"


def test_no_states(wire: Wire) -> None:
    found = verdicts(without(wire, "bgpnodestates"))["known-kinds"]
    assert (found.level, "serves no BGPNodeState" in found.message) == ("refuse", True)


OPTIONAL = (
    "ciliumbgppeerconfigs",
    "ciliumbgpadvertisements",
    "ciliumbgpnodeconfigoverrides",
    "ciliumpodippools",
    "ciliumloadbalancerippools",
    "ciliumnodes",
)
PERMITTED = OPTIONAL[3:]


def test_kinds_that_are_not_installed_are_empty(wire: Wire) -> None:
    fleet, served = policies.read_fleet(without(wire, *OPTIONAL))
    told = fleet.objects
    assert served
    assert (len(told.policies), told.cluster_configs, told.peer_configs) == (1, (), ())
    assert (told.advertisements, told.overrides, told.pod_pools) == ((), (), ())
    assert (told.lb_pools, fleet.cilium_nodes) == (None, {})


def test_what_may_not_be_read_is_not_known(wire: Wire) -> None:
    fleet, _ = policies.read_fleet(without(wire, *PERMITTED, code=403))
    assert (fleet.objects.pod_pools, fleet.objects.lb_pools, fleet.cilium_nodes) == (None, None, {})


@pytest.mark.parametrize("kind", OPTIONAL)
def test_any_other_refusal_is_an_error(wire: Wire, kind: str) -> None:
    with pytest.raises(ApiError):
        policies.read_fleet(without(wire, kind, code=418))


def test_what_selects_nodes_must_be_readable(wire: Wire) -> None:
    with pytest.raises(ApiError):
        policies.read_policies(without(wire, "ciliumbgppeeringpolicies", code=403))


OVERRIDE = v2.override({"name": "main", "routerID": "192.0.2.11"})


def test_of_two_versions_the_first_that_is_served(api: direct.Api, wire: Wire) -> None:
    api.server.apply(v2.cluster_config(), v2.peer_config(), v2.advertisement(), OVERRIDE)
    api.server.apply(objects.lb_pool({"cidr": "203.0.113.0/24"}), objects.pool("p"), objects.cilium_node())
    kinds = ("clusterconfigs", "peerconfigs", "advertisements", "nodeconfigoverrides")
    older = without(wire, *(f"v2/ciliumbgp{kind}" for kind in kinds), "v2/ciliumloadbalancerippools")
    fleet, _ = policies.read_fleet(older)
    told = fleet.objects
    every = (told.cluster_configs, told.peer_configs, told.advertisements, told.overrides, told.lb_pools)
    assert [len(one or ()) for one in every] == [1] * 5
    assert [len(told.pod_pools or ()), len(fleet.cilium_nodes)] == [1, 1]
    assert {asked.path.split("/")[3] for asked in wire.sent if "ciliumbgp" in asked.path} == {"v2alpha1"}


def test_the_policies_as_one_node_sees_them(api: direct.Api, wire: Wire) -> None:
    """Every kind of them arrives, and the CiliumNode is that node's own."""
    api.server.apply(v2.cluster_config(), v2.peer_config(), v2.advertisement(), OVERRIDE)
    api.server.apply(objects.lb_pool({"cidr": "203.0.113.0/24"}), objects.pool("p"))
    api.server.apply(objects.cilium_node(OTHER), objects.cilium_node(NODE))
    fleet, _ = policies.read_fleet(wire.client())
    told = fleet.objects
    assert all((told.policies, told.cluster_configs, told.peer_configs, told.advertisements))
    assert all((told.overrides, told.pod_pools, told.lb_pools))
    assert (told.secrets, told.interfaces, told.gateways) == (None, None, None)
    assert {name: found["metadata"]["name"] for name, found in fleet.cilium_nodes.items()} == {
        OTHER: OTHER,
        NODE: NODE,
    }


# --- the way out --------------------------------------------------------------------------------------------


def test_a_label_of_the_users_own(wire: Wire) -> None:
    assert look(wire.client(), override="enable-bgp=maybe").lever.label == ("enable-bgp", "maybe")


def test_two_kinds_may_share_a_name(api: direct.Api, wire: Wire) -> None:
    api.server.apply(v2.cluster_config(name="policy"), v2.cluster_config(name="rack"))
    client = wire.client()
    found = Bgpctl(client).lever({"metadata": {"name": "worker-1", "labels": {"enable-bgp": "true"}}})
    assert sorted(found.policies) == ["CiliumBGPClusterConfig policy", "policy", "rack"]
    assert look(client).lever == found
    assert Bgpctl(client).lever({"metadata": {"labels": {"enable-bgp": "false"}}}).policies == ()


def test_a_selector_that_is_wrong_selects_nothing(wire: Wire) -> None:
    """As the speaker has it: an object that cannot be applied tells no node anything."""
    broken = {"matchExpressions": [{"key": "enable-bgp", "operator": "Sometimes"}]}
    assert policies.selectors([objects.policy(nodeSelector=broken)], []) == {}


# --- a node whose speaker never told ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "prior", "addresses"),
    [
        ({"enable-bgp": "true"}, None, [ROUTER]),
        ({"enable-bgp": "false"}, None, []),
        ({"enable-bgp": "false"}, {"enable-bgp": "true"}, [ROUTER]),
        ({"enable-bgp": "true"}, {"enable-bgp": None}, []),
        ({}, {"enable-bgp": "true", "gone": None}, [ROUTER]),
        (None, None, []),
    ],
)
def test_its_peers_as_it_was_labelled_before_the_drain(
    wire: Wire, labels: Any, prior: Any, addresses: Any
) -> None:
    record = journal(prior_labels=prior) if prior else None
    document = node(NODE)
    document["metadata"]["labels"] = labels
    facts = cluster.policy_facts(Bgpctl(wire.client()), document, record)
    assert [fact.address for fact in facts] == addresses
    assert document["metadata"]["labels"] == labels, "the document is the caller's"


def test_a_label_that_was_not_there_before_the_drain(api: direct.Api, wire: Wire) -> None:
    selector = {"matchExpressions": [{"key": "no-bgp", "operator": "DoesNotExist"}]}
    api.server.apply(objects.policy(objects.router(objects.neighbor(f"{ROUTER}/32")), nodeSelector=selector))
    document = node(NODE, annotations={"bgpctl.io/graceful-notification": "true"})
    document["metadata"]["labels"] = {"no-bgp": "true"}
    assert cluster.policy_facts(Bgpctl(wire.client()), document, None) == ()
    (fact,) = cluster.policy_facts(Bgpctl(wire.client()), document, journal(prior_labels={"no-bgp": None}))
    assert (fact.peer, fact.local_n) == (f"65001/{ROUTER}", False)


def test_the_nodes_annotations_count(api: direct.Api, wire: Wire) -> None:
    restart = objects.neighbor(f"{ROUTER}/32", gracefulRestart={"enabled": True})
    api.server.apply(objects.policy(objects.router(restart)))
    for text, n_bit in (("true", True), ("false", False)):
        document = node(NODE, annotations={"bgpctl.io/graceful-notification": text})
        (fact,) = cluster.policy_facts(Bgpctl(wire.client()), document, None)
        assert fact.local_n is n_bit


def test_a_node_is_compiled_whole(wire: Wire) -> None:
    """Its spec has its PodCIDRs, its status its addresses and whether it is Ready; its images are many, and
    of no use."""
    document = node(NODE)
    document["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    document["status"] |= {"images": [{"names": ["x"]}], "nodeInfo": {"kernelVersion": "6"}}
    wire.api.server.apply(document)
    kept = {n["metadata"]["name"]: n for n in cluster.read(wire.client(), Bgpctl(wire.client())).nodes}[NODE]
    assert set(kept["status"]) == {"conditions", "addresses", "nodeInfo"}
    assert "managedFields" not in kept["metadata"] and kept["spec"]["podCIDRs"] == ["10.244.1.0/24"]


def test_what_a_stack_of_others_announces_is_not_told_by_the_clusters_objects(wire: Wire) -> None:
    objects_ = cluster.Objects((), Outlook(fleet=None))
    intent = objects_.compiled(node(NODE))
    assert (intent.node, intent.problems) == (NODE, (cluster.UNTOLD_INTENT,))


# --- other owners -------------------------------------------------------------------------------------------


def test_a_node_that_bgpctl_has_taken_out(wire: Wire) -> None:
    client = wire.client()
    client.patch(paths.node(OTHER), {"metadata": {"annotations": {ANNOTATION: dump(BEGUN)}}})
    found = verdicts(client)["out-of-service"]
    assert (found.level, found.lift) == ("refuse", "--max-unavailable 2")
    assert found.message.startswith(f"{OTHER} is out of service already, and at most 1 may be")
    assert verdicts(client, maximum=2)["out-of-service"].level == "ok"


BEGUN = journal(steps={"Checked": EPOCH})


def test_two_drains_at_this_very_check(wire: Wire) -> None:
    """The earlier waits until the later has given way."""
    client = wire.client()
    for name, record in ((NODE, _at(EPOCH - 9)), (OTHER, _at(EPOCH - 1))):
        client.patch(paths.node(name), {"metadata": {"annotations": {ANNOTATION: dump(record)}}})
    found = verdicts(client)["out-of-service"]
    assert (found.level, found.message) == ("wait", f"the drain of {OTHER} is being checked too")


def _at(started: float) -> Journal:
    return journal(started_at=started)


def test_medik8s(api: direct.Api, wire: Wire) -> None:
    client = wire.client()
    spec = {
        "holderIdentity": "nmo",
        "leaseDurationSeconds": 3600,
        "renewTime": "2026-09-21T13:33:20.000000Z",
    }
    api.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "medik8s-leases"}})
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": f"node-{NODE}", "namespace": "medik8s-leases"},
        "spec": spec,
    }
    api.server.apply(lease)
    assert refused(client) == {
        "medik8s": f"nmo owns {NODE} (Lease node-{NODE} in medik8s-leases): let it finish first"
    }
    later = refused(client, now=EPOCH + 7200)
    assert later["medik8s"] == f"nmo left an expired medik8s lease on {NODE}"


def kured(**metadata: Any) -> dict[str, Any]:
    labels = {"app": "kured"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "kured", "namespace": "kube-system", **metadata},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def test_kured(api: direct.Api, wire: Wire) -> None:
    client = wire.client()
    api.server.apply(kured())
    assert refused(client) == {}
    lock = {"nodeID": NODE, "created": "2026-09-21T13:33:20Z", "TTL": 3600 * 10**9}
    api.server.apply(kured(annotations={KURED_LOCK: json.dumps(lock)}))
    (said,) = refused(client).values()
    assert said.startswith(f"kured holds its reboot lock for {NODE}")
    assert "of DaemonSet kube-system/kured" in said
    assert "kured" not in refused(client, now=EPOCH + 7200), "it has run out"


def test_kured_reboots_this_node(wire: Wire) -> None:
    client = wire.client()
    client.patch(paths.node(NODE), {"metadata": {"annotations": {KURED_REBOOTING: "now"}}})
    assert refused(client)["kured"].startswith(f"kured reboots {NODE}")


def test_a_taint_of_somebody_who_removes_nodes(wire: Wire) -> None:
    client = wire.client()
    taint = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
    client.patch(paths.node(NODE), {"spec": {"taints": [taint]}})
    assert refused(client)["removal-taints"].startswith("Karpenter (taint karpenter.sh/disrupted)")


def test_bare_documents(wire: Wire) -> None:
    """A Node without labels, annotations and spec is one like any other."""
    client = wire.client()
    document = client.get(paths.node(NODE))
    for part in ("labels", "annotations"):
        document["metadata"].pop(part, None)
    document.pop("spec")
    other = node(OTHER)
    other.pop("spec")
    client.delete(paths.node(OTHER))
    client.create(paths.NODES, other)
    found = cluster.look(client, Bgpctl(client), document, None, None, frozenset(), 1, EPOCH)
    assert {guard.level for guard in found.guards} == {"ok"}
    assert found.lever.policies == ()


def test_whoever_may_not_see_medik8ss_leases_is_told_by_the_api_groups(wire: Wire) -> None:
    """Its API groups tell whether it is there at all; a server that lists none has none."""

    class Groups:
        def __init__(self, answer: dict[str, Any]) -> None:
            self.answer = answer

        def find(self, path: str) -> Any:
            raise ApiError(403, "Forbidden", "no right", {})

        def get(self, path: str) -> dict[str, Any]:
            assert path == "/apis"
            return self.answer

    def level(*names: str, **answer: Any) -> str:
        groups = {"groups": [{"name": name} for name in names], **answer}
        return cluster._medik8s(Groups(groups), NODE, EPOCH).level  # type: ignore[arg-type]

    assert level("apps", "nodemaintenance.medik8s.io") == "warn"
    assert level("apps") == "ok" and level() == "ok" and level(groups=None) == "ok"


def test_the_peers_of_a_node_are_asked_for_with_all_that_is_known_of_it() -> None:
    """Which addresses it has stands in its spec and status, not in its labels."""
    asked: list[Any] = []

    class Asked:
        def facts(self, document: Any) -> tuple[Any, ...]:
            asked.append(document)
            return ()

    document = {"metadata": {"name": NODE, "labels": {"a": "b"}}, "spec": {"podCIDR": "10.0.0.0/24"}}
    cluster.policy_facts(Asked(), document, journal(prior_labels={"a": "c"}))  # type: ignore[arg-type]
    assert asked == [{**document, "metadata": {"name": NODE, "labels": {"a": "c"}}}]
