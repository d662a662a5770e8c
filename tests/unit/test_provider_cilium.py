"""Cilium as a provider: on the embedded API, with controllers that do what Cilium's were measured to do."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium import copies, states
from bgpctl.core.cilium.nodeconfig import ANNOTATION, LABEL, Kept
from bgpctl.core.drain.lever import Effect, Lever
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError
from bgpctl.lab.stacks.cilium.documents import CLUSTER_CONFIGS, NODE_CONFIGS, PEER_CONFIGS, peer_config
from bgpctl.providers import cilium_copies
from bgpctl.providers.cilium import BY_COPIES, BY_LABEL, WAY, Cilium
from tests.support import direct, objects
from tests.support.cilium_cluster import CLOSED, NODE, OTHER, PEERS, WITHDREW, Cluster


def test_it_withdraws_with_its_sessions_up_then_closes_and_comes_back_as_it_was() -> None:
    cluster = Cluster()
    cluster.prepare()
    before, other = cluster.objects(), cluster.told(OTHER)
    cluster.told()

    lever = cluster.lever()
    assert (lever.policies, lever.effect, lever.close, lever.label) == (("cc",), Effect.WITHDRAWS, None, None)
    assert not lever.refusal and not lever.closing and not lever.back
    cluster.pull(*lever.patches)
    cluster.round()
    assert cluster.told() == WITHDREW, "no session was reset"
    cluster.round()
    assert cluster.told() == [], "Cilium's operator lets it stand"
    state = cluster.provider.state(NODE)
    assert state is not None and (state.told_out, state.established, state.announced) == (True, 2, 0)

    out = cluster.lever(lever.prior)
    assert (out.policies, out.patches, out.label) == ((), (), None)
    assert dict(out.prior) == dict(lever.prior)
    cluster.pull(*out.closing)
    cluster.round()
    assert cluster.told() == CLOSED
    assert cluster.config()["status"]["bgpInstances"][0]["peers"][0]["peeringState"] == "established", "a lie"
    state = cluster.provider.state(NODE)
    assert state is not None and (state.peers, state.established) == ((), 0), "which is not believed"
    assert cluster.lever(lever.prior).closing == ()

    cluster.pull(*cluster.lever(lever.prior).back)
    cluster.round()
    assert cluster.objects() == before
    assert cluster.told() == [step for key in PEERS for step in (("open", key), ("announce", key))]
    assert cluster.lever().policies == ("cc",)
    assert cluster.told(OTHER) == [] != other


def test_it_comes_back_before_it_closed_without_a_reset() -> None:
    cluster = Cluster()
    cluster.prepare()
    before = cluster.objects()
    cluster.pull(*cluster.lever().patches)
    cluster.round()
    cluster.told()
    cluster.pull(*cluster.lever().back)
    cluster.round()
    assert cluster.told() == [("announce", key) for key in PEERS]
    assert cluster.objects() == before


def test_it_comes_back_to_a_policy_that_was_made_anew() -> None:
    cluster = Cluster()
    cluster.prepare()
    old = cluster.config()["metadata"]["ownerReferences"][0]["uid"]
    cluster.pull(*cluster.lever().patches)
    cluster.round()
    document = cluster.client.get(f"{CLUSTER_CONFIGS}/cc")
    cluster.client.delete(f"{CLUSTER_CONFIGS}/cc")
    cluster.round()
    assert cluster.lever().back == (), "nobody could own it"
    cluster.api.server.apply({**document, "metadata": {"name": "cc"}})
    cluster.round()
    cluster.told()
    cluster.pull(*cluster.lever().back)
    cluster.round()
    owner = cluster.config()["metadata"]["ownerReferences"][0]
    assert (
        owner["uid"] != old and owner["uid"] == cluster.client.get(f"{CLUSTER_CONFIGS}/cc")["metadata"]["uid"]
    )
    assert cluster.told() == [("announce", key) for key in PEERS]


def test_with_the_operator_of_1_16_which_does_not_see_it() -> None:
    cluster = Cluster(reports=False)
    cluster.operator.watches = False
    cluster.prepare()
    before = cluster.objects()
    cluster.told()
    cluster.pull(*cluster.lever().patches)
    cluster.round()
    assert cluster.told() == WITHDREW
    state = cluster.provider.state(NODE)
    assert state is not None and state.announced is None and "reports no session" in state.problems[0]
    cluster.pull(*cluster.lever().closing)
    cluster.round()
    cluster.pull(*cluster.lever().back)
    cluster.round()
    assert cluster.objects() == before


# --- without preparation: the guide's relabel ---------------------------------------------------------------


def test_without_copies_it_closes_by_the_label_and_says_what_copies_would_buy() -> None:
    cluster = Cluster()
    cluster.told()
    lever = cluster.lever()
    assert (lever.label, lever.effect, lever.close) == (
        ("enable-bgp", "false"),
        Effect.CLOSES,
        Close.HARD_RESET,
    )
    assert "bgpctl cilium prepare" in lever.note and dict(lever.prior) == {WAY: BY_LABEL}
    cluster.client.patch(paths.node(NODE), {"metadata": {"labels": {"enable-bgp": "false"}}})
    cluster.round()
    cluster.round()
    assert cluster.told() == CLOSED
    state = cluster.provider.state(NODE)
    assert state is not None and (state.peers, state.lag) == ((), states.LAG)
    out = cluster.lever(lever.prior)
    assert (out.policies, out.close) == ((), Close.HARD_RESET)


def test_a_run_that_began_by_the_label_goes_on_by_it() -> None:
    cluster = Cluster()
    prior = cluster.lever().prior
    cluster.prepare()
    lever = cluster.lever(prior)
    assert (lever.label, lever.patches) == (("enable-bgp", "false"), ())


def test_a_run_that_began_with_copies_does_not_go_over_to_the_label() -> None:
    cluster = Cluster()
    cluster.prepare()
    prior = cluster.lever().prior
    assert prior[WAY] == BY_COPIES
    cilium_copies.perform(cluster.client, cilium_copies.undone(cluster.client))
    lever = cluster.lever(prior)
    assert (lever.label, lever.patches) == (None, ()) and "bgpctl cilium prepare again" in lever.refusal


def test_without_the_right_to_patch_it_closes_by_the_label() -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.wire.before = lambda asked: (
        direct.refused(403) if asked.verb == "patch" and "nodeconfigs" in asked.path else None
    )
    assert cluster.lever().patches, "what is refused is found out when it is done"
    cluster.provider = Cilium(cluster.client)
    cluster.provider._may_patch = False
    lever = cluster.lever()
    assert lever.label and "the right to patch ciliumbgpnodeconfigs" in lever.note


# --- what is prepared ---------------------------------------------------------------------------------------


def test_copies_are_made_once_kept_and_removed() -> None:
    cluster = Cluster()
    before = cluster.objects()
    assert [one.verb for one in cilium_copies.prepared(cluster.client)] == ["create", "create"]
    assert cluster.objects() == before, "looking changes nothing"
    cluster.prepare()
    assert [one.verb for one in cilium_copies.prepared(cluster.client)] == ["keep", "keep"]
    cluster.pull(*cluster.lever().patches)
    with pytest.raises(Blocked, match="without them its sessions would close"):
        cilium_copies.undone(cluster.client)
    cluster.pull(*cluster.lever().back)
    cilium_copies.perform(cluster.client, cilium_copies.undone(cluster.client))
    assert cluster.objects() == before


def test_a_copy_whose_original_is_gone_goes_too() -> None:
    cluster = Cluster()
    cluster.api.server.apply(peer_config("old"))
    cluster.prepare()
    cluster.client.delete(f"{PEER_CONFIGS}/old")
    changes = [one for one in cilium_copies.prepared(cluster.client) if one.verb != "keep"]
    assert [(one.verb, one.name) for one in changes] == [("delete", copies.copy_name("old"))]


def test_the_patch_is_guarded() -> None:
    cluster = Cluster()
    cluster.prepare()
    (patch,) = cluster.lever().patches
    cluster.client.patch(f"{NODE_CONFIGS}/{NODE}", {"metadata": {"annotations": {"a": "b"}}})
    with pytest.raises(ApiError):
        cluster.pull(patch)
    cluster.pull(*cluster.lever().patches)
    assert set(cluster.config()["metadata"]["annotations"]) == {"a", ANNOTATION}
    cluster.pull(*cluster.lever().back)
    assert cluster.config()["metadata"]["annotations"] == {"a": "b"}


def test_a_node_that_an_older_policy_selects_is_refused() -> None:
    """Cilium up to 1.18 runs that one, and reports nothing of it. From 1.19 on it ignores it."""
    cluster = Cluster()
    cluster.prepare()
    policy = objects.policy()
    cluster.api.server.apply(policy)
    assert cluster.lever().patches, "its v2 sessions are up"
    for number in range(2):
        state = {
            "op": "replace",
            "path": f"/status/bgpInstances/0/peers/{number}/peeringState",
            "value": "idle",
        }
        cluster.client.patch(f"{NODE_CONFIGS}/{NODE}/status", [state], "json")
    name = policy["metadata"]["name"]
    for lever in (cluster.lever(), _looked(cluster)):
        assert lever.policies == (name,) and not lever.patches and not lever.label
        assert f"CiliumBGPPeeringPolicy {name} selects it" in lever.refusal


def _looked(cluster: Cluster) -> Lever:
    return cluster.provider.lever(cluster.client.get(paths.node(NODE)), outlook=cluster.provider.outlook())


# --- hostile ------------------------------------------------------------------------------------------------


def test_an_object_that_cannot_be_read_costs_its_node_only() -> None:
    cluster = Cluster()
    cluster.client.patch(f"{NODE_CONFIGS}/{NODE}/status", {"status": {"bgpInstances": "garbage"}})
    by_node = {state.node: state for state in cluster.provider.states() or ()}
    assert by_node[NODE].unreadable and not by_node[OTHER].unreadable
    assert cluster.provider.states((NODE,)) == (by_node[NODE],)
    with pytest.raises(Blocked, match="cannot be read"):
        cluster.lever()


def test_an_annotation_that_somebody_took_away_is_made_up_for_by_the_journal() -> None:
    cluster = Cluster()
    cluster.prepare()
    before, lever = cluster.objects(), cluster.lever()
    cluster.pull(*lever.patches)
    cluster.client.patch(f"{NODE_CONFIGS}/{NODE}", {"metadata": {"annotations": {ANNOTATION: None}}})
    assert "delete its CiliumBGPNodeConfig" in cluster.lever().refusal
    cluster.pull(*cluster.lever(lever.prior).back)
    assert cluster.objects() == before


FORGED = Kept().text()


@pytest.mark.parametrize(
    "hand",
    [
        {"annotations": {ANNOTATION: FORGED}},
        {"annotations": {ANNOTATION: None}, "labels": {LABEL: None}},
        {"annotations": {ANNOTATION: "[" * 1000}},
    ],
    ids=["forged", "annotation and label taken away", "unreadable"],
)
@pytest.mark.parametrize("closed", [False, True], ids=["withdrawn", "closed"])
def test_the_journal_brings_it_back_whatever_became_of_the_marks(hand: dict[str, Any], closed: bool) -> None:
    cluster = Cluster()
    cluster.prepare()
    before, pulled = cluster.objects(), cluster.lever()
    cluster.pull(*pulled.patches)
    cluster.round()
    if closed:
        cluster.pull(*cluster.lever(pulled.prior).closing)
    cluster.client.patch(f"{NODE_CONFIGS}/{NODE}", {"metadata": hand})
    if (hand["annotations"][ANNOTATION] or "").startswith("["):
        with pytest.raises(Blocked, match="cannot be read") as told:
            cluster.lever(pulled.prior)
        assert f"kubectl annotate ciliumbgpnodeconfig {NODE} {ANNOTATION}-" in told.value.hint
        cluster.client.patch(f"{NODE_CONFIGS}/{NODE}", {"metadata": {"annotations": {ANNOTATION: None}}})
    cluster.pull(*cluster.lever(pulled.prior).back)
    cluster.round()
    assert cluster.objects() == before


def test_a_node_that_somebody_brought_back_in_part_keeps_what_it_had() -> None:
    """The owner alone given back: with 1.16 nothing more comes of it, and the copies stay referred to."""
    cluster = Cluster()
    cluster.operator.watches = False
    cluster.prepare()
    before, pulled = cluster.objects(), cluster.lever()
    cluster.pull(*pulled.patches)
    cluster.round()
    owners = before[f"{NODE_CONFIGS}/{NODE}"][0]["ownerReferences"]
    cluster.client.patch(f"{NODE_CONFIGS}/{NODE}", {"metadata": {"ownerReferences": owners}})
    again = cluster.lever(pulled.prior)
    assert again.patches and not again.refusal, "it has to be taken out again"
    cluster.pull(*again.patches)
    cluster.round()
    cluster.pull(*cluster.lever(pulled.prior).back)
    cluster.round()
    assert cluster.objects() == before
