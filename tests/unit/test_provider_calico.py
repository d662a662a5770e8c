"""Calico as a provider: on the embedded API, with what confd and calico-node do emulated."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.calico import leave, nodestatus
from bgpctl.core.drain.lever import EXCLUDE, Effect
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError
from bgpctl.lab.stacks.calico.documents import V1, V3, made, notes, peer
from bgpctl.providers import calico_prepare
from bgpctl.providers.calico import BY_EXCLUSION, BY_FILTER, BY_LABEL, WAY, Calico
from bgpctl.providers.summary import summaries
from tests.support import direct, objects
from tests.support.calico_cluster import ANNOUNCED, NODE, OTHER, ROUTERS, WITHDREW, Cluster
from tests.support.kinds import KINDS


def fresh(**options: Any) -> Cluster:
    cluster = Cluster(**options)
    cluster.prepare()
    for node in (NODE, OTHER):
        cluster.told(node)
    return cluster


@pytest.mark.parametrize("api", [V3, V1])
def test_it_withdraws_with_its_sessions_up_and_comes_back_as_it_was(api: str) -> None:
    cluster = fresh(api=api)
    before = cluster.objects()
    lever = cluster.lever()
    assert (lever.effect, lever.close, lever.label, lever.refusal) == (Effect.WITHDRAWS, None, None, "")
    assert lever.policies == ("BGPPeer tor1-n1", "BGPPeer tor2-n1") and not lever.back
    assert lever.patches[0].what.startswith("let BGPPeer tor1-n1 announce nothing")
    cluster.pull(*lever.patches)
    cluster.round()
    assert cluster.told() == WITHDREW, "no session was reset"
    state = cluster.provider.state(NODE)
    assert state is not None and (state.told_out, state.established, state.announced) == (True, 2, None)
    out = cluster.lever(lever.prior)
    assert (out.policies, out.patches, out.closing, out.label) == ((), (), (), None)
    assert dict(out.prior) == dict(lever.prior) and out.objects == lever.objects
    cluster.pull(*out.back)
    cluster.round()
    assert cluster.told() == ANNOUNCED and cluster.objects() == before
    assert cluster.told(OTHER) == []


def test_where_both_apis_are_served_it_takes_calicos_own() -> None:
    cluster = fresh(api=V3)
    from bgpctl.lab.stacks.calico.documents import crds

    cluster.api.server.apply(*crds(V1))
    assert all(patch.path.startswith("/apis/projectcalico.org/v3/") for patch in cluster.lever().patches)


def test_only_the_peer_that_is_left_is_patched() -> None:
    cluster = fresh()
    first, second = cluster.lever().patches
    cluster.pull(first)
    state = cluster.provider.state(NODE)
    assert state is not None and not state.told_out
    lever = cluster.lever(cluster.lever().prior)
    assert lever.policies == ("BGPPeer tor2-n1",) and [p.path for p in lever.patches] == [second.path]


def test_the_patch_is_guarded() -> None:
    cluster = fresh()
    patch, _ = cluster.lever().patches
    cluster.change("BGPPeer", "tor1-n1", keepaliveTime="20s")
    with pytest.raises(ApiError):
        cluster.pull(patch)
    cluster.pull(*cluster.lever().patches)
    assert cluster.client.get(cluster.path("BGPPeer", "tor1-n1"))["spec"]["filters"] == [leave.FILTER, "own"]


def test_filters_that_somebody_puts_before_it_are_gone_past() -> None:
    cluster = fresh()
    cluster.pull(*cluster.lever().patches)
    cluster.change("BGPPeer", "tor1-n1", filters=["other", leave.FILTER, "own"])
    cluster.pull(*cluster.lever().patches)
    assert cluster.lever().policies == ()
    while back := cluster.lever().back:
        cluster.pull(back[0])
    assert cluster.client.get(cluster.path("BGPPeer", "tor1-n1"))["spec"]["filters"] == ["other", "own"]


# --- refusals -----------------------------------------------------------------------------------------------


def test_without_the_filter_it_says_what_makes_it() -> None:
    lever = Cluster().lever()
    assert (lever.patches, lever.effect, lever.close) == ((), Effect.NOTHING, Close.SILENT)
    assert "bgpctl calico prepare makes it" in lever.refusal
    assert f"{EXCLUDE} would not do: pods' addresses are announced too (pods)" in lever.refusal


def test_a_peer_that_others_have_is_refused_and_they_are_named() -> None:
    cluster = fresh(split=False)
    lever = cluster.lever()
    assert lever.patches == () and f"BGPPeer tor1 is shared with {OTHER}" in lever.refusal
    assert f"spec.node: {NODE}" in lever.refusal
    cluster.client.delete(paths.node(OTHER))
    assert cluster.lever().patches, "now it is the only one that has it"


def test_a_node_that_comes_to_share_it_is_not_brought_back_with_another() -> None:
    """The filter was put for the one that the journal names."""
    cluster = fresh()
    cluster.pull(*cluster.lever().patches)
    prior = cluster.lever().prior
    cluster.change("BGPPeer", "tor1-n1", node=None, nodeSelector="bgp == 'yes'")
    other = cluster.provider.lever(cluster.client.get(paths.node(OTHER)))
    assert other.back == ()
    assert len(cluster.lever(prior).back) == 2


def test_sessions_between_nodes_are_refused() -> None:
    cluster = fresh()
    spec = {"nodeSelector": "all()", "peerSelector": "bgp == 'yes'"}
    cluster.client.create(f"/apis/{V3}/bgppeers", made("BGPPeer", "rr", **spec))
    assert "BGPPeer rr connects nodes with each other" in cluster.lever().refusal
    cluster.change(
        "BGPPeer", "rr", reversePeering="Manual", nodeSelector=f"kubernetes.io/hostname == '{NODE}'"
    )
    assert len(cluster.lever().patches) == 3


@pytest.mark.parametrize(
    ("spec", "ours", "text"),
    [
        ({"exportV4": [{"action": "Reject"}]}, True, "bgpctl calico prepare mends it"),
        ({"exportV4": [{"action": "Accept"}]}, False, "somebody else's"),
    ],
)
def test_a_filter_that_is_not_as_it_should_be_is_not_used(spec: Any, ours: bool, text: str) -> None:
    cluster = fresh()
    path = cluster.path("BGPFilter", leave.FILTER)
    cluster.client.delete(path)
    body = made("BGPFilter", leave.FILTER, **spec)
    if ours:
        body["metadata"]["labels"] = {nodestatus.LABEL: nodestatus.LABELLED}
    cluster.client.create(path.rpartition("/")[0], body)
    assert text in cluster.lever().refusal
    if ours:
        cluster.prepare()
        assert cluster.lever().patches
    else:
        with pytest.raises(BgpctlError, match="somebody else's"):
            calico_prepare.prepared(cluster.client)


def test_without_the_right_to_patch_it_is_refused() -> None:
    cluster = fresh()
    cluster.provider._may_patch = False
    assert "the right to patch bgppeers is missing" in cluster.lever().refusal


def test_a_peer_that_cannot_be_read_costs_no_guess() -> None:
    cluster = fresh()
    path = f"/apis/{V3}/bgppeers"
    cluster.client.create(path, made("BGPPeer", "odd", peerIP="192.0.2.9", nodeSelector="rack ="))
    lever = cluster.lever()
    assert lever.patches == () and "BGPPeer odd cannot be read" in lever.refusal
    state = cluster.provider.state(NODE)
    assert state is not None and "for which nodes it is, is not known" in state.problems[0]
    cluster.change("BGPPeer", "odd", nodeSelector=None, node=OTHER, peerIP="nonsense")
    assert cluster.lever().patches, "it is for the other node"
    states = {one.node: one for one in cluster.provider.states() or ()}
    assert not states[NODE].problems and "BGPPeer odd" in states[OTHER].problems[0]
    here = f"kubernetes.io/hostname == '{OTHER}'"
    cluster.change("BGPPeer", "odd", nodeSelector=here, node=None)
    assert cluster.lever().patches, "as its selector says"
    states = {one.node: one for one in cluster.provider.states() or ()}
    assert not states[NODE].problems
    (problem,) = states[OTHER].problems
    assert problem.startswith("BGPPeer odd cannot be read (spec.peerIP") and "not known" not in problem
    assert cluster.provider.states((NODE, OTHER)) == (states[NODE], states[OTHER])


def test_all_nodes_and_one_node_are_told_alike() -> None:
    cluster = fresh(mesh=True)
    spec = {"nodeSelector": f"kubernetes.io/hostname == '{NODE}'", "peerSelector": "bgp == 'yes'"}
    cluster.client.create(f"/apis/{V3}/bgppeers", made("BGPPeer", "rr", **spec))
    states = {one.node: one for one in cluster.provider.states() or ()}
    for node in (NODE, OTHER):
        assert cluster.provider.state(node) == states[node] and len(states[node].peers) == 3
        assert cluster.provider.states((node,)) == (states[node],)
        facts = cluster.provider.facts(cluster.client.get(paths.node(node)))
        assert {one.address for one in facts} == {one.address for one in states[node].peers}


def test_a_node_that_cannot_be_read_costs_that_node() -> None:
    cluster = fresh()
    odd = {"projectcalico.org/IPv4Address": "nonsense"}
    cluster.client.patch(paths.node(NODE), {"metadata": {"annotations": odd}})
    with pytest.raises(Blocked, match=r"what node n1 announces is unknown"):
        cluster.provider.state(NODE)
    with pytest.raises(Blocked):
        cluster.lever()
    states = {one.node: one for one in cluster.provider.states() or ()}
    assert states[NODE].unreadable and states[OTHER].established == 2
    assert cluster.provider.states((OTHER, NODE)) == (states[OTHER], states[NODE])


def test_a_status_that_cannot_be_read_leaves_the_sessions_unknown() -> None:
    cluster = fresh()
    path = cluster.path("CalicoNodeStatus", nodestatus.name_for(NODE))
    cluster.client.patch(path, {"status": {"bgp": {"peersV4": "none"}}})
    for state in (cluster.provider.state(NODE), (cluster.provider.states() or ())[0]):
        assert state is not None and state.node == NODE and state.established == 0
        assert state.problems[0].startswith(f"CalicoNodeStatus bgpctl-{NODE} cannot be read")


def test_somebody_elses_status_will_do() -> None:
    cluster = Cluster()
    spec = {"node": NODE, "classes": ["BGP"], "updatePeriodSeconds": 5}
    cluster.client.create(f"/apis/{V3}/caliconodestatuses", made("CalicoNodeStatus", "mine", **spec))
    cluster.round()
    state = cluster.provider.state(NODE)
    assert state is not None and (state.established, state.lag) == (2, 10.0)
    names = [one.name for one in calico_prepare.prepared(cluster.client)]
    assert names == [leave.FILTER, nodestatus.name_for(OTHER)]


# --- other levers -------------------------------------------------------------------------------------------


def test_where_no_pool_is_announced_the_exclude_label_withdraws() -> None:
    cluster = Cluster(split=False, hidden=True)
    cluster.told()
    lever = cluster.lever()
    assert (lever.label, lever.effect, dict(lever.prior)) == (
        (EXCLUDE, "true"),
        Effect.WITHDRAWS,
        {WAY: BY_EXCLUSION},
    )
    assert EXCLUDE in lever.keys, "or a restore would not take it away"
    cluster.client.patch(paths.node(NODE), {"metadata": {"labels": {EXCLUDE: "true"}}})
    assert (cluster.lever(lever.prior).policies, cluster.lever(lever.prior).label) == ((), None)
    assert "by somebody else's hand" in cluster.lever().refusal, "without a journal it is not ours"


def test_prepared_the_filter_goes_first_also_where_no_pool_is_announced() -> None:
    lever = fresh(hidden=True).lever()
    assert len(lever.patches) == 2 and lever.label is None


def test_a_run_that_began_with_the_filter_goes_over_to_no_label() -> None:
    cluster = fresh(hidden=True)
    prior = cluster.lever().prior
    assert prior[WAY] == BY_FILTER
    cluster.undo()
    lever = cluster.lever(prior)
    assert lever.label is None and "bgpctl calico prepare makes it" in lever.refusal


def test_by_the_operators_label_the_sessions_are_closed() -> None:
    cluster = fresh(split=False)
    lever = cluster.lever(override="bgp=no")
    assert (lever.label, lever.effect, lever.close) == (("bgp", "no"), Effect.CLOSES, Close.CEASE)
    assert dict(lever.prior) == {WAY: BY_LABEL} and "bgp" in lever.keys
    cluster.client.patch(paths.node(NODE), {"metadata": {"labels": {"bgp": "no"}}})
    cluster.round()
    assert sorted(cluster.told()) == [("close", router) for router in ROUTERS]
    state = cluster.provider.state(NODE)
    assert state is not None and (state.peers, state.told_out) == ((), False)
    assert cluster.lever(lever.prior).policies == ()
    assert "would still have BGPPeer tor1-n1" in fresh().lever(override="bgp=no").refusal


def test_what_it_says_beforehand() -> None:
    assert "nobody tried it" in fresh().lever().note and "mesh" not in fresh().lever().note
    assert "the sessions between the nodes stay" in fresh(mesh=True).lever().note
    cluster = fresh()
    enterprise = {"lb.projectcalico.org/maintenance": "exclude-local-backends"}
    cluster.client.patch(paths.node(NODE), {"metadata": {"annotations": enterprise}})
    assert "somebody drains it already" in cluster.lever().note


# --- what is prepared ---------------------------------------------------------------------------------------


def test_it_is_made_once_kept_and_removed() -> None:
    cluster = Cluster()
    before = cluster.objects()
    assert [one.verb for one in calico_prepare.prepared(cluster.client)] == ["create"] * 3
    assert cluster.objects() == before, "looking changes nothing"
    cluster.prepare()
    assert [one.verb for one in calico_prepare.prepared(cluster.client)] == ["keep"] * 3
    cluster.pull(*cluster.lever().patches)
    with pytest.raises(Blocked, match="without it its routes come back") as refused:
        cluster.undo()
    assert refused.value.hint.endswith(f"bgpctl node restore {NODE}")
    cluster.pull(*cluster.lever().back)
    cluster.undo()
    assert cluster.objects() == before


def test_what_a_deleted_node_left_is_cleared_away() -> None:
    cluster = fresh()
    cluster.pull(*cluster.lever().patches)
    cluster.client.delete(paths.node(NODE))
    (row,) = summaries(cluster.client)
    assert any("tor1-n1 is withdrawn for no node" in note for note in row.notes)
    changes = [one for one in calico_prepare.prepared(cluster.client) if one.verb != "keep"]
    assert {(one.verb, one.name) for one in changes} == {
        ("patch", "tor1-n1"),
        ("patch", "tor2-n1"),
        ("delete", nodestatus.name_for(NODE)),
    }
    calico_prepare.perform(cluster.client, changes)
    assert cluster.client.get(cluster.path("BGPPeer", "tor1-n1"))["spec"]["filters"] == ["own"]


def test_a_status_that_was_changed_is_mended() -> None:
    cluster = fresh()
    cluster.change("CalicoNodeStatus", nodestatus.name_for(NODE), updatePeriodSeconds=0)
    verbs = {one.name: one.verb for one in calico_prepare.prepared(cluster.client)}
    assert verbs[nodestatus.name_for(NODE)] == "update"
    cluster.prepare()
    assert [one.verb for one in calico_prepare.prepared(cluster.client)] == ["keep"] * 3
    state = cluster.provider.state(NODE)
    assert state is not None and state.established == 2


def test_a_cluster_without_it_says_so() -> None:
    api = direct.Api()
    api.server.apply(*KINDS, objects.node(NODE))
    client = direct.Wire(api).client()
    with pytest.raises(BgpctlError, match="knows no BGPPeer"):
        calico_prepare.prepared(client)
    provider = Calico(client)
    assert provider.states() is None and provider.state(NODE) is None
    assert provider.outlook().missing and provider.lever(client.get(paths.node(NODE))).policies == ()


# --- what is told -------------------------------------------------------------------------------------------


def test_what_the_lever_does_now() -> None:
    def row(cluster: Cluster) -> Any:
        (found,) = summaries(cluster.client)
        return found

    cluster = Cluster()
    assert (row(cluster).provider, row(cluster).nodes, row(cluster).lever) == ("calico", 2, "nothing")
    assert "bgpctl calico prepare makes it" in row(cluster).why
    assert any("sessions of 2 nodes" in note for note in row(cluster).notes)
    cluster.prepare()
    assert (row(cluster).lever, row(cluster).notes, row(cluster).missing) == ("withdraws", (), ())
    cluster.pull(*cluster.lever().patches)
    assert row(cluster).notes == (f"{NODE}: withdrawn by bgpctl",)
    assert "more than one node has BGPPeer tor1, tor2" in row(fresh(split=False)).why
    assert row(Cluster(split=False, hidden=True)).lever == "withdraws"


def test_the_mesh_alone_is_nobodys_provider() -> None:
    from bgpctl.providers import detect

    cluster = Cluster()
    assert detect.look(cluster.client).stacks == ("calico",)
    for one in cluster.client.items(f"/apis/{V3}/bgppeers"):
        cluster.client.delete(cluster.path("BGPPeer", one["metadata"]["name"]))
    assert detect.look(cluster.client).stacks == ("bgpctl",)


def test_a_look_at_all_nodes_asks_for_each_kind_once() -> None:
    cluster = fresh()
    cluster.provider.states()  # it knows which API is served
    cluster.wire.sent.clear()
    cluster.provider.states()
    assert len(cluster.wire.sent) == 6, [str(one) for one in cluster.wire.sent]


def test_a_look_at_one_node_lists_nothing_that_is_of_each_node_but_bgppeers() -> None:
    cluster = fresh()
    cluster.provider.states((NODE,))  # it knows which API is served
    for look in (lambda: cluster.provider.states((NODE,)), lambda: cluster.provider.state(NODE)):
        cluster.wire.sent.clear()
        assert look()
        asked = {str(one).partition("?")[0].rpartition("/")[2] for one in cluster.wire.sent}
        assert "bgppeers" in asked and not asked & {"nodes", "caliconodestatuses"}, asked


def test_one_peer_for_each_of_many_nodes_is_read_in_time() -> None:
    """By its host name: each of 2,000 selectors looks at one node, not at all."""
    from bgpctl.core.calico.config import read_host, read_peering
    from bgpctl.core.calico.states import Hosts, World

    names = [f"n{number}" for number in range(2000)]
    hosts = [
        read_host(objects.node(n, labels={"kubernetes.io/hostname": n}, annotations=notes("10.0.0.1")))
        for n in names
    ]
    peerings = [
        read_peering(peer(f"tor-{n}", "192.0.2.1", nodeSelector=f"kubernetes.io/hostname == '{n}'"))
        for n in names
    ]
    asked = 0

    def counted(peering: Any) -> Any:
        def matches(labels: Any) -> bool:
            nonlocal asked
            asked += 1
            return bool(peering.nodes.matches(labels))

        from dataclasses import replace

        return replace(peering, nodes=replace(peering.nodes, matches=matches))

    by_node = World(Hosts(hosts), [counted(one) for one in peerings]).by_node()
    assert all(len(found) == 1 for found in by_node.values()) and asked == len(names)
