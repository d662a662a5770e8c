"""MetalLB with its own speaker as a provider: what its objects tell, and by which label a node withdraws."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core import metallb
from bgpctl.core.drain.lever import EXCLUDE, Effect, Lever
from bgpctl.core.frr_k8s.told import Told
from bgpctl.core.metallb import Peer, Unread
from bgpctl.core.model import SessionState
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.timing.withdrawal import Close
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.frr_k8s.documents import (
    METALLB,
    NAMESPACE,
    VERSION,
    configuration,
    crds,
    made,
    metallb_crds,
    namespace,
    neighbor,
    peer,
)
from bgpctl.providers import detect
from bgpctl.providers.metallb import BY_EXCLUSION, BY_LABEL, WAY, MetalLB
from bgpctl.providers.summary import summaries
from tests.support import direct, objects
from tests.support.kinds import KINDS

RACK = [{"matchLabels": {"rack": "1"}}]


def speaker(*arguments: str, **env: Any) -> dict[str, Any]:
    labels = {"app": "metallb", "component": "speaker"}
    container = {"name": "speaker", "image": "quay.io/metallb/speaker:v0.15.3", "args": list(arguments)}
    container |= {"env": [{"name": name, **value} for name, value in env.items()]}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "speaker", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def cluster(*documents: dict[str, Any], labels: dict[str, str] | None = None, asked: bool = False) -> Client:
    api = direct.Api()
    notes = {LEAVE: "1-1"} if asked else {}
    api.server.apply(*KINDS, *metallb_crds(), namespace())
    api.server.apply(objects.node("n1", labels={"rack": "1", **(labels or {})}, annotations=notes))
    api.server.apply(objects.node("n2"), *documents)
    return direct.Wire(api).client()


def lever(client: Client, prior: dict[str, Any] | None = None, override: str | None = None) -> Lever:
    return MetalLB(client).lever(client.get(paths.node("n1")), prior or {}, override)


TOR = peer("tor", "192.0.2.1", 65000, 65001, nodeSelectors=RACK, holdTime="9s")


def test_what_is_read_of_its_nodes() -> None:
    client = cluster(
        TOR, peer("other", "192.0.2.2", 65000, 65001, nodeSelectors=[{"matchLabels": {"x": "y"}}])
    )
    (state,) = MetalLB(client).states() or ()
    assert (state.node, state.selected_by, state.selected_by_kind) == ("n1", "tor", "BGPPeer")
    assert (state.announced, state.intended, state.told_out, state.sessions_told) == (
        None,
        None,
        False,
        False,
    )
    (one,) = state.peers
    assert (one.address, one.port, one.asn, one.local_asn) == ("192.0.2.1", 179, 65000, 65001)
    assert (one.configured_hold_time, one.configured_keepalive_time, one.configured_restart_time) == (
        9,
        3,
        120,
    )
    assert one.session.state is SessionState.UNKNOWN and state.problems == (metallb.UNTOLD,)
    assert MetalLB(client).state("n1") == state
    assert [fact.hold_time for fact in MetalLB(client).facts(client.get(paths.node("n1")))] == [9]


def test_it_withdraws_by_the_exclude_label() -> None:
    client = cluster(TOR, speaker("--port=9120"))
    found = lever(client)
    assert (found.policies, found.label, found.refusal) == (("BGPPeer tor",), (EXCLUDE, "true"), "")
    assert (found.effect, found.close, dict(found.prior)) == (Effect.WITHDRAWS, None, {WAY: BY_EXCLUSION})
    assert found.keys == {EXCLUDE, "rack"}


def test_once_it_is_out_nothing_is_left_to_do() -> None:
    client = cluster(TOR, labels={EXCLUDE: ""}, asked=True)
    found = lever(client, {WAY: BY_EXCLUSION})
    assert (found.policies, found.label, found.refusal) == ((), None, "")
    state = MetalLB(client).state("n1")
    assert state is not None and state.told_out and state.selected_by == ""
    assert metallb.EXCLUDED in state.problems


@pytest.mark.parametrize(
    ("documents", "labels", "refusal"),
    [
        ((TOR,), {EXCLUDE: "false"}, "already, by somebody else's hand"),
        ((TOR, speaker("--ignore-exclude-lb")), {}, "speaker ignores the label"),
        ((TOR, speaker("--ignore-exclude-lb=true")), {}, "--deselect-label KEY=VALUE"),
        (
            (TOR, peer("u", "", 1, 1, interface="eth0")),
            {},
            "BGPPeer u cannot be read (spec.interface must be",
        ),
    ],
)
def test_what_would_not_withdraw_is_refused(documents: Any, labels: dict[str, str], refusal: str) -> None:
    found = lever(cluster(*documents, labels=labels))
    assert refusal in found.refusal and found.label is None and found.policies and not found.prior


def test_an_unnumbered_peer_concerns_the_nodes_that_have_it() -> None:
    """One of a rack refused the drains of all nodes."""
    unnumbered = peer("u", "", 1, 1, interface="eth0", nodeSelectors=[{"matchLabels": {"rack": "9"}}])
    client = cluster(TOR, unnumbered)
    client.patch(paths.node("n2"), {"metadata": {"labels": {"rack": "9"}}})
    assert lever(client).label == (EXCLUDE, "true") and not lever(client).refusal
    refused = MetalLB(client).lever(client.get(paths.node("n2")), {})
    assert refused.policies == ("BGPPeer u",) and refused.refusal.startswith("BGPPeer u cannot be read")
    assert "is not known" not in refused.refusal
    states = {state.node: state for state in MetalLB(client).states() or ()}
    assert states["n1"].unread == () and states["n1"].problems == (metallb.UNTOLD,)
    assert states["n2"].unread == (refused.refusal,)
    for strange in (["all"], "all"):
        found = metallb.read(peer("u", "192.0.2.1", 1, 1, nodeSelectors=strange))
        assert isinstance(found, Unread) and found.selects({}) and str(found).endswith("is, is not known")


def test_by_a_label_of_the_operators_it_closes() -> None:
    client = cluster(TOR)
    found = lever(client, override="rack=2")
    assert (found.label, found.effect, found.close) == (("rack", "2"), Effect.CLOSES, Close.CEASE)
    assert dict(found.prior) == {WAY: BY_LABEL}
    stays = lever(client, override="zone=2")
    assert "the node would still have BGPPeer tor" in stays.refusal and stays.label is None


def test_a_node_without_a_peer_has_nothing_to_leave() -> None:
    client = cluster(peer("x", "192.0.2.9", 1, 1, nodeSelectors=[{"matchLabels": {"rack": "9"}}]))
    assert lever(client).policies == () and lever(client).label is None


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, "spec.peerAddress must be an IP address"),
        ({"peerAddress": "router"}, "spec.peerAddress must be an IP address"),
        ({"peerAddress": "192.0.2.1", "myASN": "x"}, "spec.myASN must be an integer"),
        ({"peerAddress": "192.0.2.1", "nodeSelectors": ["all"]}, "spec.nodeSelectors[0] must be an object"),
        ({"peerAddress": "192.0.2.1", "nodeSelectors": [{"matchExpressions": [{"key": "a"}]}]}, "operator"),
        ({"peerAddress": "192.0.2.1", "holdTime": 9}, "spec.holdTime must be a string"),
    ],
)
def test_one_bad_field_costs_its_object(spec: dict[str, Any], why: str) -> None:
    found = metallb.read(made(METALLB, "BGPPeer", "p", **spec))
    assert isinstance(found, Unread) and why in found.why


def test_a_peer_with_everything() -> None:
    spec = {
        "peerPort": 1790,
        "sourceAddress": "10.0.0.1",
        "keepaliveTime": "2s",
        "holdTime": "9s",
        "localASN": 7,
    }
    found = metallb.read(peer("p", "2001:db8::1", 65000, 65001, enableGracefulRestart=True, **spec))
    assert found == Peer("p", "", "2001:db8::1", 1790, 65000, 7, "10.0.0.1", (6,), 9, 2, True, ())


UP, KEY = SessionState.ESTABLISHED, ("", "192.0.2.1")


@pytest.mark.parametrize(
    ("said", "out", "restarts", "announced", "unwithdrawn"),
    [
        (Told(UP, 60.0, 0, ended=True), True, True, 0, 0),
        (Told(UP, 60.0, 0, ended=False), True, True, 0, 1),
        (Told(UP, 60.0, 0, ended=False), True, False, 0, 0),
        (Told(UP, 60.0, 3, ended=True), True, True, 3, 0),
        (Told(UP, 60.0, None, ended=True), True, True, None, 0),
        (Told(SessionState.ACTIVE), True, False, None, 1),
        (Told(UP, 60.0, 3, ended=True), False, True, None, 0),
    ],
)
def test_its_frr_asked_itself(
    said: Told, out: bool, restarts: bool, announced: int | None, unwithdrawn: int
) -> None:
    """A router that keeps routes over a restart was told that it has all by End-of-RIB only."""
    one = metallb.read(peer("tor", "192.0.2.1", 65000, 65001, enableGracefulRestart=restarts))
    assert isinstance(one, Peer)
    state = metallb.node_state(objects.node("n1"), [one], (), out=out, told={KEY: said}, by="vtysh")
    assert (state.announced, len(state.unwithdrawn), state.lag) == (announced, unwithdrawn, 0.0)
    assert (state.engine_asked, state.sessions_told, state.problems) == ("vtysh", True, ())
    assert state.peers[0].session.state is said.state


def test_it_is_told_apart_from_frr_k8s() -> None:
    client = cluster(TOR)
    assert detect.look(client).stacks == ("metallb",)
    (found,) = summaries(client)
    assert (found.provider, found.nodes, found.lever) == ("metallb", 1, "withdraws")
    api = direct.Api()
    api.server.apply(
        *KINDS, *crds(), namespace(), objects.node("n1", labels={"kubernetes.io/hostname": "n1"}), TOR
    )
    client = direct.Wire(api).client()
    assert detect.look(client).stacks == ("metallb",), "frr-k8s is there, and nobody tells it anything"
    asked = {"asn": 65001, "neighbors": [neighbor("192.0.2.1", 65000, [])]}
    api.server.apply(configuration("metallb-n1", "n1", asked))
    assert detect.look(client).stacks == ("frr-k8s",)


OWN = {"METALLB_NODE_NAME": {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}}


@pytest.mark.parametrize(
    ("env", "writes"),
    [
        (OWN, False),
        ({**OWN, "METALLB_BGP_TYPE": {"value": "native"}}, False),
        ({**OWN, "METALLB_BGP_TYPE": {"value": "frr"}}, False),
        ({**OWN, "METALLB_BGP_TYPE": {"value": "frr-k8s"}}, True),
        ({**OWN, "METALLB_BGP_TYPE": {"valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}}}, True),
        ({"METALLB_BGP_TYPE": {"value": "native"}}, None),
        ({}, None),
    ],
    ids=["native", "native, said", "its own FRR", "frr-k8s", "not to be seen", "another speaker", "nothing"],
)
def test_a_configuration_that_is_called_as_metallbs_hides_its_own_speaker_from_nobody(
    env: dict[str, Any], writes: bool | None
) -> None:
    """Somebody wrote an FRRConfiguration metallb-n1 where MetalLB's speaker has the sessions itself."""
    assert metallb.leaves_to_frr_k8s([speaker(**env)]) is writes
    strange = ({"spec": []}, {"spec": {"template": {"spec": {"containers": 1}}}})
    assert metallb.leaves_to_frr_k8s(strange) is None
    client = cluster(*crds(), TOR, speaker(**env), labels={"kubernetes.io/hostname": "n1"})
    asked = {"asn": 65001, "neighbors": [neighbor("192.0.2.9", 65000, ["203.0.113.9/32"])]}
    base = f"/apis/{VERSION}/namespaces/{NAMESPACE}/frrconfigurations"
    client.create(base, configuration("metallb-n1", "n1", asked))
    both = writes is False
    assert detect.look(client).stacks == (("frr-k8s", "metallb") if both else ("frr-k8s",))
    beside = [one.title for one in detect.others(client, "n1", "frr-k8s")]
    assert beside == (["MetalLB"] if both else [])
    beside = [one.title for one in detect.others(client, "n1", "metallb")]
    assert beside == (["MetalLB (frr-k8s)"] if both else [])
