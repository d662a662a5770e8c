"""frr-k8s as a provider: on the embedded API, with what frr-k8s does emulated, and of FRR a recorder."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.drain.lever import Create, Delete, Effect, Patch
from bgpctl.core.frr_k8s import leave
from bgpctl.core.frr_k8s.config import GROUP
from bgpctl.core.model import SessionState
from bgpctl.core.timing.withdrawal import Event, estimate
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Conflict
from bgpctl.lab.stacks.frr_k8s.documents import VERSION, configuration, made, neighbor
from bgpctl.providers.frr_k8s import BY_CONFIGURATION, WAY, FrrK8s
from bgpctl.providers.summary import summaries
from tests.support import direct, objects
from tests.support.frr_k8s_cluster import (
    ANNOUNCED,
    BASE,
    NODE,
    OTHER,
    OWN,
    PREFIXES,
    ROUTER_ASN,
    ROUTERS,
    WITHDREW,
    Cluster,
)

NAME = leave.name_for(NODE)
RAW = "router bgp 65001\n  neighbor 192.0.2.9 remote-as 65009\n"


def fresh() -> Cluster:
    cluster = Cluster()
    for node in (NODE, OTHER):
        cluster.told(node)
    return cluster


def out() -> Cluster:
    cluster = fresh()
    cluster.pull(*cluster.lever().patches)
    cluster.round()
    cluster.told()
    return cluster


def extra(name: str, *routers: str, raw: str = "", host: str | None = NODE, **more: Any) -> dict[str, Any]:
    peers = [neighbor(router, ROUTER_ASN, [], **more) for router in routers]
    return configuration(name, host, {"asn": OWN, "neighbors": peers}, raw=raw)


def test_it_withdraws_with_its_sessions_up_and_comes_back_as_it_was() -> None:
    cluster = fresh()
    before = cluster.objects()
    lever = cluster.lever()
    assert (lever.effect, lever.close, lever.label, lever.refusal) == (Effect.WITHDRAWS, None, None, "")
    assert lever.policies == (f"FRRConfiguration metallb-{NODE}",) and not lever.back
    (create,) = lever.patches
    assert isinstance(create, Create) and create.path == f"{BASE}/{NAME}"
    assert create.what == f"create FRRConfiguration {NAME}: nothing is announced, sessions stay up"
    assert (dict(lever.prior), lever.objects) == ({WAY: BY_CONFIGURATION}, (create.path,))
    cluster.pull(create)
    cluster.round()
    assert cluster.told() == WITHDREW, "no session was reset"
    state = cluster.provider.state(NODE)
    assert state is not None and (state.told_out, state.established, state.announced) == (True, 2, 0)
    assert (state.selected_by, state.problems, state.lag) == ("", (), 125.0)
    again = cluster.lever(lever.prior)
    assert (again.policies, again.patches, again.closing, again.label) == ((), (), (), None)
    assert dict(again.prior) == dict(lever.prior) and again.objects == lever.objects
    (back,) = again.back
    assert isinstance(back, Delete)
    cluster.pull(back)
    cluster.round()
    assert cluster.told() == ANNOUNCED and cluster.objects() == before
    assert cluster.told(OTHER) == []


def test_what_is_read_of_a_node_that_serves() -> None:
    cluster = fresh()
    told = cluster.provider.states()
    assert told is not None and [state.node for state in told] == [NODE, OTHER]
    state = told[0]
    assert (state.selected_by, state.selected_by_kind) == (f"metallb-{NODE}", "FRRConfiguration")
    assert (state.intended, state.announced, state.engine_asked, state.problems) == (4, None, "", ())
    (peer, _) = state.peers
    assert (peer.name, peer.address, peer.port, peer.asn, peer.local_asn) == (
        ROUTERS[0],
        ROUTERS[0],
        179,
        ROUTER_ASN,
        OWN,
    )
    assert (peer.configured_hold_time, peer.configured_keepalive_time) == (9, 3)
    assert (peer.configured_restart_time, peer.session.state) == (120, SessionState.ESTABLISHED)
    facts = cluster.provider.facts(cluster.client.get(paths.node(NODE)))
    assert [(one.address, one.hold_time) for one in facts] == [(router, 9) for router in ROUTERS]


def test_without_graceful_restart_frr_offers_it_and_bird_keeps_the_routes() -> None:
    """By the long-lived capability that FRR sends beside it: 120 s after a crash, and after the hold time."""
    cluster = fresh()
    facts, *_ = cluster.provider.facts(cluster.client.get(paths.node(NODE)))
    crash, power_off = (estimate(event, facts) for event in (Event.CRASH, Event.POWER_OFF))
    assert (crash.best, crash.worst, power_off.worst) == (0.02, 125.0, 129.0)
    assert crash.unknown[0] == "whether graceful restart is negotiated"


def test_a_session_that_is_down_is_told_two_minutes_late() -> None:
    cluster = fresh()
    cluster.engines[NODE].down.add(ROUTERS[0])
    cluster.tick()
    state = cluster.provider.state(NODE)
    assert state is not None and (state.sessions, state.lag) == ("2/2", 125.0)
    cluster.api.time.move(121)
    cluster.tick()
    state = cluster.provider.state(NODE)
    assert state is not None and state.sessions == "1/2"


# --- peers that come and go ---------------------------------------------------------------------------------


def test_a_peer_that_is_added_meanwhile_announces_until_it_is_named_too() -> None:
    cluster = out()
    cluster.api.server.apply(extra("more", "192.0.2.3"))
    cluster.round()
    assert cluster.told() == [("open", "192.0.2.3")]
    state = cluster.provider.state(NODE)
    assert state is not None and not state.told_out and state.selected_by == "more"
    lever = cluster.lever({WAY: BY_CONFIGURATION})
    assert lever.policies == ("FRRConfiguration more",)
    (patch,) = lever.patches
    assert isinstance(patch, Patch)
    cluster.pull(patch)
    cluster.round()
    state = cluster.provider.state(NODE)
    assert state is not None and state.told_out and cluster.told() == [("withdraw", "192.0.2.3")]


def test_a_line_about_a_peer_that_is_gone_makes_reloads_fail_until_it_is_taken_out() -> None:
    cluster = fresh()
    cluster.api.server.apply(extra("more", "192.0.2.3"))
    cluster.round()
    cluster.pull(*cluster.lever().patches)
    cluster.round()
    cluster.told()
    cluster.client.delete(f"{BASE}/more")
    cluster.round()
    assert cluster.told() == [("close", "192.0.2.3")], "all else was taken in"
    state = cluster.provider.state(NODE)
    assert state is not None and state.told_out and state.announced == 0
    assert state.problems == (
        "FRR did not take all of its last configuration: % Specify remote-as or peer-group commands first",
    )
    lever = cluster.lever({WAY: BY_CONFIGURATION})
    assert lever.policies == () and [type(one) for one in lever.patches] == [Patch]
    cluster.pull(*lever.patches)
    cluster.round()
    state = cluster.provider.state(NODE)
    assert state is not None and state.problems == () and cluster.told() == []


def test_a_peer_that_raw_lines_add_meanwhile_is_no_withdrawal() -> None:
    cluster = out()
    cluster.api.server.apply(extra("r", raw=RAW))
    cluster.round()
    state = cluster.provider.state(NODE)
    assert state is not None and (state.told_out, state.selected_by) == (False, "r")
    lever = cluster.lever({WAY: BY_CONFIGURATION})
    assert lever.policies == ("FRRConfiguration r",) and not lever.patches and "192.0.2.9" in lever.refusal
    assert len(lever.back) == 1, "it comes back all the same"


def test_the_last_peer_that_goes_leaves_nothing_to_say() -> None:
    cluster = out()
    cluster.client.delete(f"{BASE}/metallb-{NODE}")
    cluster.round()
    state = cluster.provider.state(NODE)
    assert state is not None and (state.peers, state.told_out) == ((), True)
    (back,) = cluster.lever().back
    assert isinstance(back, Delete)


# --- whose is it --------------------------------------------------------------------------------------------


def test_its_changes_are_guarded() -> None:
    cluster = fresh()
    (create,) = cluster.lever().patches
    cluster.pull(create)
    with pytest.raises(Conflict):
        cluster.pull(create)
    (back,) = cluster.lever().back
    cluster.client.patch(f"{BASE}/{NAME}", {"metadata": {"annotations": {"moved": "1"}}})
    with pytest.raises(Conflict):
        cluster.pull(back)
    cluster.pull(*cluster.lever().back)
    assert cluster.client.find(f"{BASE}/{NAME}") is None


def test_one_of_that_name_that_is_somebody_elses_is_left_alone() -> None:
    cluster = fresh()
    cluster.api.server.apply(extra(NAME))
    lever = cluster.lever()
    assert (lever.patches, lever.back) == ((), ())
    assert lever.refusal == f"FRRConfiguration {NAME} is somebody else's: rename it, or delete it"


def test_one_that_was_changed_by_hand_is_put_right() -> None:
    cluster = out()
    cluster.change(NAME, raw={"priority": 1, "rawConfig": "! nothing"})
    cluster.round()
    assert cluster.told() == ANNOUNCED
    state = cluster.provider.state(NODE)
    assert state is not None and not state.told_out
    cluster.pull(*cluster.lever({WAY: BY_CONFIGURATION}).patches)
    cluster.round()
    assert cluster.told() == WITHDREW


def test_a_host_name_that_changes_meanwhile_is_followed() -> None:
    """Its own FRRConfigurations are of the old name: here one is for every node."""
    cluster = fresh()
    cluster.api.server.apply(extra("all", "192.0.2.3", host=None))
    cluster.round()
    cluster.pull(*cluster.lever().patches)
    cluster.client.patch(paths.node(NODE), {"metadata": {"labels": {"kubernetes.io/hostname": "other"}}})
    lever = cluster.lever({WAY: BY_CONFIGURATION})
    assert lever.policies == ("FRRConfiguration all",) and len(lever.back) == 1, "it is found all the same"
    cluster.pull(*lever.patches)
    again = cluster.lever({WAY: BY_CONFIGURATION})
    assert (again.policies, again.patches, len(again.back)) == ((), (), 1)


def test_it_goes_with_its_node() -> None:
    cluster = out()
    controllers = cluster.api.controllers()
    cluster.client.delete(paths.node(NODE))
    controllers.catch_up()
    cluster.api.time.move(5)
    controllers.catch_up()
    assert cluster.client.find(f"{BASE}/{NAME}") is None


# --- refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (extra("r", raw=RAW), "FRR has a neighbor 192.0.2.9 by raw lines of an FRRConfiguration only"),
        (
            extra("r", raw="router bgp 65001\n neighbor 192.0.2.1 prefix-list mine out"),
            "FRRConfiguration r has raw lines with `prefix-list mine out`",
        ),
        (
            extra("r", raw="router bgp 65001\n neighbor g peer-group"),
            "FRRConfiguration r has raw lines with `peer-group`",
        ),
        (extra("e", "192.0.2.1", addressFamilies=["evpn"]), "192.0.2.1 gets EVPN routes too"),
        (extra("u", "", interface="eth0"), "FRRConfiguration u cannot be read"),
        (
            configuration("s", None, nodeSelector={"matchExpressions": [{"key": "a", "operator": "Has"}]}),
            "FRRConfiguration s cannot be read (spec.nodeSelector",
        ),
    ],
)
def test_what_its_lines_would_not_go_with_is_refused(document: dict[str, Any], refusal: str) -> None:
    cluster = fresh()
    cluster.api.server.apply(document)
    cluster.round()
    lever = cluster.lever()
    assert lever.policies and not lever.patches and lever.refusal.startswith(refusal), lever.refusal
    assert lever.effect is Effect.NOTHING and lever.prior == {}


def test_a_host_name_that_two_nodes_have_or_none_is_refused() -> None:
    cluster = fresh()
    cluster.api.server.apply(objects.node("n3", labels={"kubernetes.io/hostname": NODE}))
    assert cluster.lever().refusal == f"more than one node has the label kubernetes.io/hostname={NODE}"
    cluster.client.patch(paths.node("n3"), {"metadata": {"labels": {"kubernetes.io/hostname": None}}})
    cluster.api.server.apply(extra("all", "192.0.2.3", host=None))
    lever = cluster.provider.lever(cluster.client.get(paths.node("n3")))
    assert "the node has no label kubernetes.io/hostname" in lever.refusal


def test_where_frr_k8s_takes_nothing_in_it_is_refused_with_its_words() -> None:
    cluster = fresh()
    other = configuration("bad", NODE, {"asn": 65002})
    cluster.api.server.apply(other)
    cluster.round()
    assert cluster.told() == [], "it keeps what it had"
    words = f"different asns ({OWN} != 65002)"
    assert f"frr-k8s takes in no configuration there: failed: {words}" in cluster.lever().refusal or (
        "frr-k8s takes in no configuration there: failed: different asns" in cluster.lever().refusal
    )
    state = cluster.provider.state(NODE)
    assert state is not None and "frr-k8s keeps an older configuration there" in state.problems[0]


def test_two_namespaces_are_refused() -> None:
    cluster = fresh()
    cluster.api.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}})
    made_ = extra("more", "192.0.2.3")
    made_["metadata"]["namespace"] = "elsewhere"
    cluster.api.server.apply(made_)
    assert "its FRRConfigurations are in elsewhere, metallb-system" in cluster.lever().refusal


def test_a_label_does_not_take_it_out() -> None:
    assert "leave --deselect-label out" in fresh().lever(override="bgp=no").refusal


def test_missing_rights_are_told_before_anything_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = fresh()
    monkeypatch.setattr(rights, "may", lambda _, verb, *rest: verb not in ("create", "delete"))
    refusal = FrrK8s(cluster.client).lever(cluster.client.get(paths.node(NODE))).refusal
    assert (
        refusal
        == f"the right to create frrconfigurations and to delete frrconfigurations is missing ({GROUP})"
    )


# --- one bad object -----------------------------------------------------------------------------------------


def test_one_that_cannot_be_read_costs_the_nodes_that_it_is_for() -> None:
    cluster = fresh()
    cluster.api.server.apply(extra("u", "", interface="eth0"))
    told = {state.node: state for state in cluster.provider.states() or ()}
    assert told[NODE].unreadable == (
        "FRRConfiguration u cannot be read (spec.bgp.routers[0].neighbors[0].interface must be absent: by "
        'its interface alone (unnumbered) no router is known; it is "eth0")'
    )
    assert not told[OTHER].unreadable and told[OTHER].established == 2
    state = cluster.provider.state(NODE)
    assert state is not None and "what the node announces is unknown" in state.problems[0]


@pytest.mark.parametrize("status", [{"peer": 7}, {"node": NODE}, {"node": NODE, "peer": "no address"}, {}])
def test_a_status_that_cannot_be_read_costs_itself(status: Any) -> None:
    cluster = fresh()
    cluster.api.server.apply({**made(VERSION, "BGPSessionState", "bad"), "status": status})
    state = cluster.provider.state(OTHER)
    assert state is not None and state.established == 2 and not state.problems


def test_a_node_state_that_cannot_be_read_is_none() -> None:
    cluster = out()
    path = f"/apis/{VERSION}/frrnodestates/{NODE}"
    cluster.client.patch(path, {"status": {"runningConfig": ["a", "list"]}})
    state = cluster.provider.state(NODE)
    assert state is not None and (state.told_out, state.announced) == (True, None)
    assert state.problems[0].startswith(f"FRRNodeState {NODE} cannot be read (status.runningConfig must be")


def test_what_frr_does_not_show_is_not_believed() -> None:
    cluster = fresh()
    cluster.pull(*cluster.lever().patches)
    state = cluster.provider.state(NODE)
    assert state is not None and (state.told_out, state.announced) == (True, None)
    assert state.problems == (
        f"FRR does not show the lines of FRRConfiguration {NAME} yet, by which it announces nothing",
    )


# --- the cluster --------------------------------------------------------------------------------------------


def test_it_is_summed_up() -> None:
    cluster = out()
    (found,) = summaries(cluster.client)
    assert (found.provider, found.nodes, found.lever, found.missing) == ("frr-k8s", 2, "withdraws", ())
    assert found.notes == (f"{NODE}: withdrawn by bgpctl",)
    cluster.client.patch(f"{BASE}/{NAME}", {"metadata": {"ownerReferences": None}})
    cluster.client.delete(paths.node(NODE))
    (found,) = summaries(cluster.client)
    assert f"FRRConfiguration metallb-system/{NAME} silences no node that is there" in found.notes[0]


def test_a_cluster_without_it_has_nothing_of_it() -> None:
    api = direct.Api()
    client = direct.Wire(api).client()
    provider = FrrK8s(client)
    assert provider.states() is None and provider.outlook().missing
    api.server.apply(objects.node(NODE))
    node = client.get(paths.node(NODE))
    assert provider.state(NODE) is None and not provider.lever(node).policies and provider.facts(node) == ()


def test_prefixes_are_what_is_intended() -> None:
    """Where nobody adds lines of FRR's own, which may announce more."""
    cluster = fresh()
    state = cluster.provider.state(NODE)
    assert state is not None and [peer.intended for peer in state.peers] == [len(PREFIXES)] * 2
    cluster.api.server.apply(extra("r", raw="! something"))
    state = cluster.provider.state(NODE)
    assert state is not None and state.intended is None
