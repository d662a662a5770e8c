"""What goes wrong when a node of Cilium is made to withdraw by hand: each row of the table in
docs/providers.md as it was measured, with what bgpctl does about it."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium import copies
from bgpctl.core.cilium.nodeconfig import LABEL
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError
from bgpctl.lab.stacks.cilium.documents import NODE_CONFIGS, PEER_CONFIGS
from bgpctl.providers import cilium_copies
from tests.support.cilium_cluster import CLOSED, NODE, PEERS, WITHDREW, Cluster


def _by_hand(cluster: Cluster, *operations: dict[str, Any]) -> None:
    cluster.client.patch(f"{NODE_CONFIGS}/{NODE}", list(operations), "json")
    cluster.round()


DISOWN = {"op": "remove", "path": "/metadata/ownerReferences"}
REFER = [
    {
        "op": "replace",
        "path": f"/spec/bgpInstances/0/peers/{number}/peerConfigRef/name",
        "value": copies.copy_name(name),
    }
    for number, name in enumerate(("pc1", "pc2"))
]


def test_references_to_copies_that_do_not_exist_close_the_sessions() -> None:
    cluster = Cluster()
    cluster.told()
    _by_hand(cluster, DISOWN, *REFER)
    assert cluster.told() == CLOSED
    assert Cluster().lever().patches == (), "bgpctl makes none"


def test_copies_that_are_used_at_once_close_the_sessions() -> None:
    cluster = Cluster(late=True)
    cilium_copies.perform(cluster.client, cilium_copies.prepared(cluster.client))
    assert "are new: an agent may not know them for 30 s yet; run this again then" in cluster.lever().refusal
    cluster.told()
    _by_hand(cluster, DISOWN, *REFER)
    assert cluster.told()[:2] == CLOSED


@pytest.mark.parametrize(
    "change",
    [
        {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 60}},
        {"timers": {"holdTimeSeconds": 30, "keepAliveTimeSeconds": 10}},
        {"families": [{"afi": "ipv6", "safi": "unicast"}]},
    ],
    ids=["graceful restart", "timers", "a family"],
)
def test_a_copy_that_differs_resets_the_session(change: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.client.patch(f"{PEER_CONFIGS}/{copies.copy_name('pc1')}", {"spec": change})
    lever = cluster.lever()
    assert lever.patches == () and "the copy of CiliumBGPPeerConfig pc1 differs from it" in lever.refusal
    cluster.round()
    cluster.told()
    _by_hand(cluster, DISOWN, *REFER)
    assert ("close", PEERS[0]) in cluster.told()
    cluster.prepare()
    assert (
        cluster.client.get(f"{PEER_CONFIGS}/{copies.copy_name('pc1')}")["spec"]["timers"]["holdTimeSeconds"]
        == 9
    )


def test_a_copy_that_was_just_brought_up_to_date_is_new_again() -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.client.patch(f"{PEER_CONFIGS}/pc1", {"spec": {"timers": {"holdTimeSeconds": 30}}})
    cluster.prepare(wait=0)
    assert "are new" in cluster.lever().refusal
    cluster.api.time.move(copies.SETTLE_SECONDS)
    assert cluster.lever().patches


def test_an_owner_that_stays_lets_the_operator_revert_it() -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.told()
    _by_hand(cluster, *REFER)
    assert cluster.config()["spec"]["bgpInstances"][0]["peers"][0]["peerConfigRef"] == {"name": "pc1"}
    (patch,) = cluster.lever().patches
    assert DISOWN in patch.operations


def test_only_the_references_are_patched_so_the_router_id_stays() -> None:
    cluster = Cluster()
    cluster.operator.router_ids = {NODE: "10.9.9.9"}
    cluster.prepare()
    cluster.told()
    cluster.pull(*cluster.lever().patches)
    cluster.round()
    assert cluster.told() == WITHDREW
    assert cluster.config()["spec"]["bgpInstances"][0]["routerID"] == "10.9.9.9"
    spec = cluster.config()["spec"]
    del spec["bgpInstances"][0]["routerID"]
    _by_hand(cluster, {"op": "replace", "path": "/spec", "value": spec})
    assert cluster.told()[:2] == CLOSED, "which a spec that is built anew does not survive"


def test_an_orphan_that_is_deleted_comes_back_with_its_routes() -> None:
    cluster = Cluster()
    cluster.prepare()
    lever = cluster.lever()
    cluster.pull(*lever.patches)
    cluster.round()
    cluster.told()
    cluster.client.delete(f"{NODE_CONFIGS}/{NODE}")
    cluster.round()
    assert ("announce", PEERS[0]) in cluster.told()
    again = cluster.lever(lever.prior)
    assert again.policies == ("cc",) and again.patches, "a run sees it, and asks again"


def test_a_label_that_goes_first_deletes_what_would_be_patched() -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.told()
    (patch,) = cluster.lever().patches
    cluster.client.patch(paths.node(NODE), {"metadata": {"labels": {"enable-bgp": "false"}}})
    cluster.round()
    cluster.round()
    assert cluster.told() == CLOSED
    with pytest.raises(ApiError):
        cluster.pull(patch)
    assert cluster.lever().label is None


def test_what_a_deleted_node_left_is_cleared_away() -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.pull(*cluster.lever().patches)
    cluster.client.delete(paths.node(NODE))
    cluster.client.delete(f"{paths.CILIUM_NODES}/{NODE}")
    cluster.operator.once()
    assert LABEL in cluster.config()["metadata"]["labels"], "nobody collects it"
    changes = cilium_copies.prepared(cluster.client)
    assert [(one.verb, one.name) for one in changes if one.verb != "keep"] == [("delete", NODE)]
    cilium_copies.perform(cluster.client, changes)
    assert cluster.client.find(f"{NODE_CONFIGS}/{NODE}") is None
