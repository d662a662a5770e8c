"""The v2 resources on real sessions: asserted at the lab's router, with one `bgpctl` per node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bgpctl.kube import paths
from bgpctl.lab import seed
from bgpctl.lab.cluster import Lab
from bgpctl.lab.place import ROUTER_PORT
from bgpctl.speaker.sources import KubeSource
from bgpctl.witness.probe import parse_probe
from tests.support import apiserver, clients, v2
from tests.support import lab as kit
from tests.support.objects import node
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NODE = "worker-1"
OVERRIDE = f"{paths.OVERRIDES[0]}/{NODE}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with kit.running(nodes=2) as started:
        yield started


def at_the_router(lab: Lab) -> dict[str, set[str]]:
    """What the router has live from each node."""
    probe = parse_probe(lab.router.probe())
    seen = {node: probe.routes_from(lab.address_of(node)) for node in lab.nodes}
    return {name: {str(p.prefix) for p in answer.paths if not p.stale} for name, answer in seen.items()}


def resources(lab: Lab) -> list[dict[str, Any]]:
    """The lab's CiliumBGPPeeringPolicy, said with v2 resources; the router's AS is learnt from its OPEN."""
    peer = v2.peer("router", lab.place.router_address, peerASN=0, peerConfigRef={"name": "router"})
    return [
        v2.cluster_config(v2.instance(peer, localASN=seed.NODE_ASN)),
        v2.peer_config(
            "router",
            transport={"peerPort": ROUTER_PORT},
            timers={"connectRetryTimeSeconds": 5, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3},
            gracefulRestart={"enabled": True},
            families=[v2.family()],
        ),
        v2.advertisement(v2.advert("PodCIDR"), v2.advert(selector={"matchLabels": {"expose": "bgp"}})),
    ]


def verdict(lab: Lab, kind: str) -> tuple[str, str] | None:
    """What the speakers write on the cluster configuration."""
    status = lab.client().get(f"{paths.CLUSTER_CONFIGS[0]}/rack").get("status") or {}
    found = {entry["type"]: (entry["status"], entry["message"]) for entry in status.get("conditions") or ()}
    return found.get(kind)


def since(lab: Lab) -> dict[str, Any]:
    return {name: lab.node_state(name)["peers"][0]["establishedTime"] for name in lab.nodes}


@dataclass(frozen=True)
class Moved:
    """The lab after its policy was replaced; `before` is what the router had by the policy."""

    lab: Lab
    before: dict[str, set[str]]


@pytest.fixture(scope="module")
def moved(lab: Lab) -> Moved:
    """The move itself: the policy keeps its sessions while it is there, then the v2 resources take over."""
    before, sessions = at_the_router(lab), since(lab)
    assert all(len(prefixes) >= 2 for prefixes in before.values())
    lab.api.apply(*resources(lab))
    words = "CiliumBGPClusterConfig rack selects this node too and is ignored here"
    for name in lab.nodes:
        eventually(lambda name=name: words in " ".join(lab.node_state(name).get("problems") or ()))
    conflict = "Selecting the same node(s) with CiliumBGPPeeringPolicy: [rack-1]"
    eventually(lambda: verdict(lab, "cilium.io/ConflictingClusterConfig") == ("True", conflict))
    assert since(lab) == sessions and at_the_router(lab) == before
    lab.client().delete(kit.POLICY)
    for name in lab.nodes:
        eventually(lambda name=name: lab.node_state(name).get("selectedBy") == "rack", deadline=15)
    lab.wait_ready()
    return Moved(lab, before)


def test_v2_resources_announce_the_same_routes(moved: Moved) -> None:
    eventually(lambda: at_the_router(moved.lab) == moved.before, why="the same routes as by the policy")
    state = moved.lab.node_state(NODE)
    assert [peer["name"] for peer in state["peers"]] == ["main/router"] and not state.get("problems")
    eventually(lambda: (verdict(moved.lab, "cilium.io/ConflictingClusterConfig") or ("",))[0] == "False")


def test_a_node_is_drained_out_of_its_cluster_config(moved: Moved) -> None:
    lab = moved.lab
    drained = kit.run_ok(lab, "node", "drain", NODE, "--settle", "0")
    assert "safe to power off" in drained.out and at_the_router(lab)[NODE] == set()
    assert kit.node(lab, NODE)["metadata"]["labels"]["enable-bgp"] == "false"
    kit.run_ok(lab, "node", "restore", NODE)
    # The endpoints have moved away with the pods.
    eventually(lambda: at_the_router(lab)[NODE] >= moved.before[NODE] - {f"{seed.API_VIP}/32"})


def test_gates_and_edits_at_the_router(moved: Moved) -> None:
    """Labels, conditions and advertisements reach the router; sessions stay."""
    lab = moved.lab
    services = {f"{seed.WEB_VIP}/32", f"{seed.API_VIP}/32"}
    sessions, pod_cidr = since(lab), at_the_router(lab)[NODE] - services
    labels = "node.kubernetes.io/exclude-from-external-load-balancers"
    lab.client().patch(f"{kit.NODES}/{NODE}", {"metadata": {"labels": {labels: ""}}})
    eventually(lambda: at_the_router(lab)[NODE] == pod_cidr, why="Service routes are withheld")
    lab.client().patch(f"{kit.NODES}/{NODE}", {"metadata": {"labels": {labels: None}}})
    eventually(lambda: f"{seed.WEB_VIP}/32" in at_the_router(lab)[NODE])

    aggregate = v2.advert(service={"addresses": ["LoadBalancerIP"], "aggregationLengthIPv4": 28})
    lab.api.apply(v2.advertisement(aggregate))
    eventually(lambda: "203.0.113.0/28" in at_the_router(lab)["worker-2"])
    assert f"{seed.WEB_VIP}/32" not in at_the_router(lab)["worker-2"]
    assert since(lab) == sessions


def test_v2alpha1_is_read_where_v2_is_not_served() -> None:
    """A cluster as Cilium 1.16 and 1.17 left it; then v2 is served, and nothing is lost."""
    old = [_only(document, "v2alpha1") for document in seed.crds()]
    objects = [
        v2.cluster_config(version=v2.V2ALPHA1),
        v2.peer_config(version=v2.V2ALPHA1),
        v2.advertisement(version=v2.V2ALPHA1),
        v2.override({"name": "main"}, name=NODE, version=v2.V2ALPHA1),
        v2.override({"name": "main"}, name="other", version=v2.V2ALPHA1),
    ]
    with apiserver.running(controllers=False) as server:
        server.apply(*old)
        server.apply(node(NODE), *objects)
        source = KubeSource(clients.client(server), NODE, "kube-system", lambda: None)
        source.start()
        try:
            eventually(source.ready)
            seen = source.observe()
            found = [seen.cluster_configs, seen.peer_configs, seen.advertisements, seen.overrides]
            assert [len(documents) for documents in found] == [1, 1, 1, 1]
            assert {d["apiVersion"] for documents in found for d in documents} == {v2.V2ALPHA1}
            assert source.problems() == ()
        finally:
            source.stop()


def _only(crd: dict[str, Any], version: str) -> dict[str, Any]:
    """The definition as it was before v2: one version, stored."""
    versions = crd["spec"]["versions"]
    if len(versions) == 1:
        return crd
    kept = [{**v, "storage": True} for v in versions if v["name"] == version]
    return {**crd, "spec": {**crd["spec"], "versions": kept}}
