"""Whose routes would stay although the drain of a node says that they are gone: the stacks beside the one
that it is about, in ordinary clusters (none) and where two are at work (issue 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.state_document import to_document
from bgpctl.kube import paths
from bgpctl.lab.api.status import ApiError
from bgpctl.lab.stacks.calico import documents as calico
from bgpctl.lab.stacks.cilium.documents import cilium_node, crd
from bgpctl.lab.stacks.frr_k8s import documents as frr
from bgpctl.lab.stacks.kube_router import documents as kube_router
from bgpctl.providers import detect
from tests.support import direct, node_states, objects, snapshots
from tests.support.direct import EPOCH
from tests.support.kinds import KINDS

Documents = Iterable[dict[str, Any]]

TOR = "192.0.2.1"
ROUTER = {"asn": 65001, "neighbors": [frr.neighbor(TOR, 65000, ["198.51.100.0/24"])]}
METALLB = (*frr.metallb_crds(), frr.namespace())
NATIVE = (*METALLB, frr.peer("tor", TOR, 65000, 65001))
FRR_K8S = (*frr.crds(), frr.namespace())
WITH_FRR = (*NATIVE, *frr.crds(), frr.configuration("metallb-n1", "n1", ROUTER))
CALICO = (*calico.crds(), calico.peer("a", TOR))
SPEAKS = kube_router.daemonset({}, "--run-router=true")
NOTES = {"metadata": {"annotations": kube_router.notes(TOR, 65000, 179, asn=65001)}}
UNREAD = frr.made(frr.METALLB, "BGPPeer", "u", myASN=1, peerASN=2, interface="eth0")
UNREAD_CALICO = calico.made("BGPPeer", "u", peerIP=TOR, asNumber=65000, maxRestartTime="48h")
BY_LINES = frr.configuration("x", None, raw=f"router bgp 65001\n neighbor {TOR} remote-as 65000")
OLDER = {
    "apiVersion": "cilium.io/v2alpha1",
    "kind": "CiliumBGPPeeringPolicy",
    "metadata": {"name": "p"},
    "spec": {
        "nodeSelector": {},
        "virtualRouters": [
            {
                "localASN": 65001,
                "exportPodCIDR": True,
                "neighbors": [{"peerAddress": f"{TOR}/32", "peerASN": 65000}],
            }
        ],
    },
}
WAITING = to_document(replace(node_states.state("n1", EPOCH), phase="Waiting", peers=(), selected_by=""))
LOST = replace(node_states.state("n1", EPOCH), phase="Withdrawn", unwithdrawn=(snapshots.peer(),))


def found(
    documents: Documents,
    than: str = "bgpctl",
    node: dict[str, Any] | None = None,
    refused: str = "",
    group: str = "",
) -> list[tuple[str, bool]]:
    """(title, could nobody look?) of each."""
    made = direct.Api()
    made.server.apply(*KINDS, crd(), *(objects.node(name) for name in ("n1", "n2")))
    made.server.apply(*sorted(documents, key=lambda one: one["kind"] != "CustomResourceDefinition"))
    wire = direct.Wire(made)
    client = wire.client()
    client.get(paths.NODES)  # a refusal at the very start may pass
    if node:
        client.patch(paths.node("n1"), node)
    answer = direct.refusal(ApiError(403, "Forbidden", "may not", {"group": group, "kind": refused}))
    wire.before = lambda asked: (
        answer if refused and f"{group}/" in asked.path and refused in asked.path else None
    )
    return [(one.title, bool(one.unseen)) for one in detect.others(client, "n1", than)]


@pytest.mark.parametrize(
    ("documents", "than"),
    [
        ((cilium_node("n1"),), "bgpctl"),
        ((*calico.crds(), calico.configuration(mesh=True), calico.daemonset()), "bgpctl"),
        ((*calico.crds(), calico.peer("a", TOR, node="n2")), "bgpctl"),
        (METALLB, "bgpctl"),
        (WITH_FRR, "frr-k8s"),
        (WITH_FRR, "metallb"),
        ((kube_router.daemonset({}, "--run-router=false"),), "bgpctl"),
        ((SPEAKS,), "bgpctl"),
        ((OLDER, WAITING, *NATIVE), "metallb"),
    ],
    ids=[
        "Cilium's network",
        "Calico's mesh",
        "a peer of another node",
        "MetalLB in its L2 mode",
        "MetalLB by frr-k8s",
        "the same, about MetalLB",
        "kube-router without BGP",
        "kube-router without a peer",
        "our speaker, which waits for MetalLB to leave, and no Cilium",
    ],
)
def test_in_an_ordinary_cluster_there_is_none(documents: Documents, than: str) -> None:
    assert found(documents, than) == []


@pytest.mark.parametrize(
    ("documents", "than", "title"),
    [
        (NATIVE, "bgpctl", "MetalLB"),
        ((*NATIVE, *frr.crds(), frr.configuration("x", "n2", ROUTER)), "bgpctl", "MetalLB"),
        ((*NATIVE, *frr.crds(), frr.configuration("x", None, ROUTER)), "frr-k8s", "MetalLB"),
        ((*WITH_FRR, frr.configuration("x", None, ROUTER)), "metallb", "MetalLB (frr-k8s)"),
        ((*FRR_K8S, BY_LINES), "bgpctl", "MetalLB (frr-k8s)"),
        ((*METALLB, UNREAD), "bgpctl", "MetalLB"),
        ((*calico.crds(), UNREAD_CALICO), "bgpctl", "Calico"),
        ((OLDER, cilium_node("n1"), *NATIVE), "metallb", "Cilium"),
        ((OLDER, cilium_node("n1"), *CALICO), "calico", "Cilium"),
        ((to_document(LOST),), "cilium", "bgpctl's speaker"),
    ],
    ids=[
        "MetalLB",
        "an administrator's configuration for another node",
        "one for this node says nothing of MetalLB's own speaker",
        "beside what MetalLB writes",
        "by lines of FRR's own",
        "a BGPPeer that cannot be read",
        "one of Calico's",
        "Cilium up to 1.18 beside MetalLB",
        "and beside Calico",
        "our speaker left without a withdraw",
    ],
)
def test_another_one_is_named(documents: Documents, than: str, title: str) -> None:
    assert (title, False) in found(documents, than)


@pytest.mark.parametrize(
    ("documents", "refused", "group", "titles"),
    [
        (NATIVE, "bgppeers", "metallb.io", {"MetalLB"}),
        (CALICO, "bgppeers", "projectcalico.org", {"Calico"}),
        (
            (*NATIVE, *frr.crds(), BY_LINES),
            "frrconfigurations",
            "frrk8s.metallb.io",
            {"MetalLB (frr-k8s)", "MetalLB"},
        ),
        ((SPEAKS,), "daemonsets", "apps", {"kube-router"}),
    ],
)
def test_who_may_not_look_is_told(documents: Documents, refused: str, group: str, titles: set[str]) -> None:
    told = found(documents, node=NOTES, refused=refused, group=group)
    assert {title for title, unseen in told if unseen} == titles


def test_kube_router_with_a_peer_is_seen_beside_others_too() -> None:
    assert found((SPEAKS,), node=NOTES) == [("kube-router", False)]


@pytest.mark.parametrize("label", [{EXCLUDE: ""}, {}])
def test_metallbs_own_label_on_a_node_takes_nobodys_word(label: dict[str, str]) -> None:
    assert found(NATIVE, node={"metadata": {"labels": label}}) == [("MetalLB", False)]
