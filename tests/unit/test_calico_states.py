"""What a Calico node's objects tell: its peers, their timers, their sessions, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.calico import leave, nodestatus
from bgpctl.core.calico.config import Defaults, Host, exported, read_defaults, read_host, read_peering
from bgpctl.core.calico.selector import parse
from bgpctl.core.calico.states import Hosts, World, node_state
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.model import SessionState
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.facts import facts_from_state
from bgpctl.lab.stacks.calico.documents import made, notes, peer, pool
from bgpctl.render.peers import restart
from tests.support import objects


def host(name: str = "n1", address: str = "10.0.0.1", **labels: str) -> Host:
    return read_host(objects.node(name, labels=labels, annotations=notes(address, 65001)))


def told(*peers: dict[str, Any], status: Any = None, hosts: tuple[Host, ...] = (), **world: Any) -> NodeState:
    """Of the first host."""
    everyone = hosts or (host(),)
    seen = World(Hosts(everyone), [read_peering(one) for one in peers], **world)
    return node_state(everyone[0], seen, seen.of(everyone[0]), status)


def status(**spec: Any) -> dict[str, Any]:
    wanted = {"node": "n1", "classes": ["BGP"], "updatePeriodSeconds": 10, **spec}
    return made("CalicoNodeStatus", "s", **wanted)


def reported(*peers: dict[str, Any]) -> nodestatus.NodeStatus:
    whole = {**status(), "status": {"lastUpdated": "2026-09-01T00:00:00Z", "bgp": {"peersV4": list(peers)}}}
    found = nodestatus.read(whole)
    assert found is not None
    return found


# --- peers --------------------------------------------------------------------------------------------------


def test_a_peer_and_its_timers() -> None:
    timers = {"maxRestartTime": "2m30s", "keepaliveTime": "20s", "localASNumber": 65009}
    (one,) = told(peer("tor", "192.0.2.1:1179", 65000, **timers)).peers
    assert (one.name, one.address, one.port, one.asn, one.local_asn) == (
        "tor",
        "192.0.2.1",
        1179,
        65000,
        65009,
    )
    assert (one.configured_hold_time, one.configured_keepalive_time) == (240, 20)
    assert str(one.session.local_address) == "10.0.0.1" and one.session.state is SessionState.UNKNOWN
    assert (one.intended, one.announced, one.session.end_of_rib) == (None, None, None)
    facts = facts_from_state(one)
    assert (facts.restart_time, facts.graceful, facts.local_n) == (150, None, False)


def test_what_is_not_said_is_calicos_default() -> None:
    (one,) = told(made("BGPPeer", "tor", peerIP="192.0.2.1")).peers
    assert (one.port, one.asn, one.local_asn) == (179, 64512, 65001)
    assert (one.configured_keepalive_time, one.configured_restart_time) == (80, 120)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 179),
        ("192.0.2.1:1790", "192.0.2.1", 1790),
        ("2001:db8::1", "2001:db8::1", 179),
        ("[2001:db8::1]:1790", "2001:db8::1", 1790),
        ("192.0.2.1:1", "192.0.2.1", 1),
        ("192.0.2.1:65535", "192.0.2.1", 65535),
    ],
)
def test_an_endpoint(text: str, address: str, port: int) -> None:
    found = read_peering(peer("tor", text))
    assert (found.address, found.port) == (address, port)


@pytest.mark.parametrize(
    ("asn", "number"),
    [
        (65000, 65000),
        ("65000", 65000),
        ("1.10", 65546),
        ("65535.65535", 4294967295),
        ("4294967295", 4294967295),
        (4294967295, 4294967295),
        (0, None),
        ("0", None),
        (None, None),
    ],
)
def test_an_as_number(asn: Any, number: int | None) -> None:
    assert read_peering(made("BGPPeer", "tor", peerIP="192.0.2.1", asNumber=asn)).asn == number


@pytest.mark.parametrize(
    ("spec", "selected"),
    [
        ({}, True),
        ({"node": "n1"}, True),
        ({"node": "n2"}, False),
        ({"nodeSelector": "rack == 'r1'"}, True),
        ({"nodeSelector": "rack == 'r2'"}, False),
        ({"nodeSelector": "all()"}, True),
    ],
)
def test_which_nodes_have_it(spec: dict[str, str], selected: bool) -> None:
    state = told(peer("tor", "192.0.2.1", **spec), hosts=(host(rack="r1"),))
    assert bool(state.peers) is selected and state.selected_by == ("tor" if selected else "")


def test_a_route_reflector_among_the_nodes_is_a_peer_at_its_own_address() -> None:
    nodes = host(), host("rr", "10.0.0.9", rr="yes"), host("n3", "10.0.0.3")
    spec = {"nodeSelector": "!has(rr)", "peerSelector": "has(rr)"}
    one = made("BGPPeer", "to-rr", **spec)
    assert [(p.name, p.address) for p in told(one, hosts=nodes).peers] == [("to-rr/10.0.0.9", "10.0.0.9")]
    reflector = nodes[1], nodes[0], nodes[2]
    assert [p.address for p in told(one, hosts=reflector).peers] == ["10.0.0.1", "10.0.0.3"]
    plain = read_host(objects.node("n4", labels={}, annotations=notes("10.0.0.4")))
    theirs = told(one, hosts=(nodes[1], plain)).peers[0]
    assert (theirs.address, theirs.asn) == ("10.0.0.4", 64512), "a node without a number has the default one"
    manual = made("BGPPeer", "to-rr", **spec, reversePeering="Manual")
    assert told(manual, hosts=reflector).peers == ()


def test_pods_and_the_node_itself_are_no_routers() -> None:
    local = made("BGPPeer", "pods", localWorkloadSelector="all()", asNumber=65100)
    state = told(local, peer("self", "10.0.0.1"))
    assert (state.peers, state.selected_by, state.selected_by_kind) == ((), "self", "BGPPeer")
    state = told(local)
    assert (state.peers, state.selected_by, state.selected_by_kind, state.announced) == ((), "", "", 0)
    everyone = Hosts([host()])
    assert World(everyone, [read_peering(local)]).by_node() == {"n1": []}


def test_a_selector_that_no_node_satisfies_chooses_none() -> None:
    hosts = Hosts((host(rack="r1"), host("n2", rack="r2"), host("n3")))
    for text, chosen in (("rack == 'r1'", ["n1"]), ("rack == 'r9'", []), ("spare == 'y'", []), ("all()", 3)):
        found = [one.name for one in hosts.chosen(parse(text))]
        assert found == (["n1", "n2", "n3"] if chosen == 3 else chosen)


def test_the_mesh_is_calicos_default() -> None:
    assert read_defaults(None) == Defaults(64512, True)
    spec = {"asNumber": "64513", "nodeToNodeMeshEnabled": False}
    assert read_defaults(made("BGPConfiguration", "default", **spec)) == Defaults(64513, False)


def test_which_pools_are_announced() -> None:
    pools = (
        pool("a", "10.0.0.0/16"),
        pool("b", "10.1.0.0/16", disableBGPExport=True),
        pool("c", "10.2.0.0/16", disabled=True),
        pool("d", "10.3.0.0/16", allowedUses=["LoadBalancer"]),
        pool("e", "10.4.0.0/16", allowedUses="garbage"),
    )
    assert list(exported(pools)) == ["a", "e"], "what cannot be read may be one"
    assert list(exported(None)) != [], "and what may not be listed"


def test_a_fraction_of_a_second_is_a_whole_one() -> None:
    found = read_peering(peer("tor", "192.0.2.1", maxRestartTime="1.5s", keepaliveTime="24h"))
    assert (found.restart_time, found.keepalive_time) == (2, 86400)


def test_the_cluster_has_a_number_for_a_node_and_a_router_without_one() -> None:
    bare = read_host(objects.node("n1", annotations=notes("10.0.0.1")))
    tor = made("BGPPeer", "tor", peerIP="192.0.2.1")
    (one,) = told(tor, hosts=(bare,), defaults=Defaults(64999)).peers
    assert (one.local_asn, one.asn, one.intended) == (64999, 64999, None)
    assert told(tor, hosts=(bare,)).intended is None, "nobody tells what should be announced"


def test_nodes_have_a_session_in_each_ip_version_that_both_have() -> None:
    def both(number: int) -> Host:
        ipv6 = {"projectcalico.org/IPv6Address": f"2001:db8::{number}/64"}
        annotations = {**notes(f"10.0.0.{number}"), **ipv6}
        return read_host(objects.node(f"n{number}", annotations=annotations))

    one = made("BGPPeer", "all", nodeSelector="all()", peerSelector="all()")
    ends = [p.address for p in told(one, hosts=(both(1), both(2), host("n3", "10.0.0.3"))).peers]
    assert ends == ["10.0.0.2", "2001:db8::2", "10.0.0.3"]
    assert [p.address for p in told(one, hosts=(host(), both(2))).peers] == ["10.0.0.2"]


# --- sessions -----------------------------------------------------------------------------------------------


def test_a_session_as_calico_node_tells_it() -> None:
    said = reported(
        {"peerIP": "192.0.2.1", "type": "NodePeer", "state": "Established", "since": "09:31:02"},
        {"peerIP": "10.0.0.2", "type": "NodeMesh", "state": "Active"},
    )
    state = told(peer("tor", "192.0.2.1"), peer("tor2", "192.0.2.2"), status=said)
    assert [str(p.session.state) for p in state.peers] == ["established", "unknown"]
    assert said.sessions.keys() == {"192.0.2.1"}, "the mesh is nobody's peer"
    assert not state.peers[0].session.gr_told
    assert [restart(p) for p in state.peers] == ["120 s offered"] * 2, "BIRD's default, which is always on"
    (other,) = told(peer("tor", "192.0.2.1", maxRestartTime="30s"), status=said).peers
    assert restart(other) == "30 s offered"
    assert (state.lag, state.problems, state.announced) == (15.0, (), None)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Idle", "idle"),
        ("Connect", "connect"),
        ("Active", "active"),
        ("OpenSent", "open_sent"),
        ("OpenConfirm", "open_confirm"),
        ("Established", "established"),
        ("Close", "idle"),
    ],
)
def test_birds_words_for_the_states_of_rfc_4271(word: str, state: str) -> None:
    assert str(reported({"peerIP": "192.0.2.1", "state": word}).sessions["192.0.2.1"]) == state


def test_sessions_of_both_ip_versions_are_told_from_the_first_second_on() -> None:
    bgp = {"peersV4": [], "peersV6": [{"peerIP": "2001:db8::1", "state": "Established"}]}
    said = nodestatus.read({**status(), "status": {"lastUpdated": "1970-01-01T00:00:01Z", "bgp": bgp}})
    assert said is not None and said.told
    assert said.sessions == {"2001:db8::1": SessionState.ESTABLISHED}


def test_how_often_calico_node_looks_is_between_a_second_and_a_day() -> None:
    for seconds in (1, 86400):
        found = nodestatus.read(status(updatePeriodSeconds=seconds))
        assert found is not None and found.lag == seconds + 5
    for seconds in (-1, 86401):
        with pytest.raises(Unreadable):
            nodestatus.read(status(updatePeriodSeconds=seconds))


def test_without_a_status_nothing_is_known_and_what_to_do_is_said() -> None:
    state = told(peer("tor", "192.0.2.1"))
    assert state.peers[0].session.state is SessionState.UNKNOWN
    assert "bgpctl calico prepare" in state.problems[0]
    assert told().problems == told(status=nodestatus.read(status())).problems == (), (
        "without peers it needs none"
    )
    empty = nodestatus.read(status())
    assert "has not written" in told(peer("tor", "192.0.2.1"), status=empty).problems[0]


def test_an_old_status_is_no_sign_of_death_it_is_written_on_change_only() -> None:
    said = reported({"peerIP": "192.0.2.1", "state": "Established"})
    assert not told(peer("tor", "192.0.2.1"), status=said).stale(4e9)


def test_of_two_sessions_with_one_address_the_worse_counts() -> None:
    for states in (("Established", "Active"), ("Active", "Established")):
        said = reported(*({"peerIP": "192.0.2.1", "state": state} for state in states))
        assert said.sessions["192.0.2.1"] is SessionState.ACTIVE


@pytest.mark.parametrize(
    "spec", [{"classes": ["Agent", "Routes"]}, {"updatePeriodSeconds": 0}, {"updatePeriodSeconds": None}]
)
def test_a_status_that_is_not_about_sessions_or_never_renewed_is_none(spec: dict[str, Any]) -> None:
    assert nodestatus.read(status(**spec)) is None


def test_a_state_that_is_not_known_is_unknown() -> None:
    assert (
        reported({"peerIP": "192.0.2.1", "state": "Dreaming"}).sessions["192.0.2.1"] is SessionState.UNKNOWN
    )


# --- out ----------------------------------------------------------------------------------------------------


def test_behind_the_filter_it_is_out_and_a_session_that_is_down_was_never_told() -> None:
    filtered = [peer(f"tor{n}", f"192.0.2.{n}", filters=[leave.FILTER, "own"]) for n in (1, 2)]
    said = reported(
        {"peerIP": "192.0.2.1", "state": "Established"}, {"peerIP": "192.0.2.2", "state": "Active"}
    )
    state = told(*filtered, status=said, rejects=True)
    assert (state.told_out, state.selected_by, state.selected_by_kind) == (True, "", "")
    assert [p.address for p in state.unwithdrawn] == ["192.0.2.2"]
    unheard = told(*filtered, rejects=True)
    assert unheard.told_out and unheard.unwithdrawn == (), "of what nobody tells nothing is known"
    assert not told(filtered[0], peer("tor2", "192.0.2.2"), rejects=True).told_out, "only of one peer"
    behind = peer("tor", "192.0.2.1", filters=["own", leave.FILTER])
    assert not told(behind, rejects=True).told_out, "another filter decides before it"


def test_a_filter_that_does_not_reject_puts_nobody_out() -> None:
    second = peer("tor", "192.0.2.1", filters=["own", leave.FILTER])
    assert not any("does not reject" in text for text in told(second, rejects=True).problems)
    state = told(peer("tor", "192.0.2.1", filters=[leave.FILTER]))
    assert not state.told_out and "does not reject everything" in state.problems[-1]


def test_the_exclude_label_is_a_way_out_where_a_run_set_it_and_no_pool_is_announced() -> None:
    def excluded(**annotations: str) -> Host:
        labels, written = {EXCLUDE: "true"}, {**notes("10.0.0.1"), **annotations}
        return read_host(objects.node("n1", labels=labels, annotations=written))

    tor, asked = peer("tor", "192.0.2.1"), excluded(**{LEAVE: "r-1"})
    assert told(tor, hosts=(asked,)).told_out
    assert not told(tor, hosts=(asked,), pods=("pods",)).told_out
    relabelled = read_host(objects.node("n1", annotations={**notes("10.0.0.1"), LEAVE: "r-1"}))
    assert not told(tor, hosts=(relabelled,)).told_out, "somebody took the label off"
    state = told(tor, hosts=(excluded(),))
    assert not state.told_out and EXCLUDE in state.problems[-1]


def test_calico_enterprises_own_drain_is_told() -> None:
    annotations = {**notes("10.0.0.1"), "lb.projectcalico.org/maintenance": "exclude-local-backends"}
    drained = read_host(objects.node("n1", annotations=annotations))
    assert "somebody drains it already" in told(peer("tor", "192.0.2.1"), hosts=(drained,)).problems[-1]


@pytest.mark.parametrize(
    ("filters", "there", "back"),
    [
        (None, ("/spec/filters", ["bgpctl-withdrawn"]), None),
        ([], ("/spec/filters/0", "bgpctl-withdrawn"), None),
        (["own"], ("/spec/filters/0", "bgpctl-withdrawn"), None),
        (["bgpctl-withdrawn"], None, "/spec/filters"),
        (["own", "bgpctl-withdrawn"], None, "/spec/filters/1"),
    ],
)
def test_the_filter_goes_before_the_others_and_away_again(filters: Any, there: Any, back: Any) -> None:
    spec = {} if filters is None else {"filters": filters}
    peering = read_peering(peer("tor", "192.0.2.1", **spec))
    assert peering.filters == (None if filters is None else tuple(filters))
    if there:
        (_, change) = leave.withdraw("/x", peering).operations
        assert change == {"op": "add", "path": there[0], "value": there[1]}
    if back:
        (_, change) = leave.back("/x", peering).operations
        assert change == {"op": "remove", "path": back}


# --- hostile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        {"peerIP": 5},
        {"peerIP": "192.0.2.1:100000"},
        {"peerIP": "192.0.2.1:65536"},
        {"peerIP": "192.0.2.1:000179"},
        {"peerIP": "[" + "0" * 60 + "::1]:179"},
        {"peerIP": "192.0.2.1", "asNumber": 2**32},
        {"peerIP": "192.0.2.1", "asNumber": str(2**32)},
        {"peerIP": "192.0.2.1", "asNumber": "65536.1"},
        {"peerIP": "192.0.2.1", "asNumber": ""},
        {"peerIP": "tor.example"},
        {"peerIP": "192.0.2.1:0"},
        {"peerIP": "192.0.2.1:99999999999999999999"},
        {"peerIP": "[2001:db8::1]"},
        {"peerIP": "[2001:db8::1]:"},
        {"peerIP": "fe80::1%eth0\n"},
        {"peerIP": "192.0.2.1", "asNumber": -1},
        {"peerIP": "192.0.2.1", "asNumber": "1.99999"},
        {"peerIP": "192.0.2.1", "asNumber": "²"},
        {"peerIP": "192.0.2.1", "asNumber": True},
        {"peerIP": "192.0.2.1", "node": ["n1"]},
        {"peerIP": "192.0.2.1", "node": "n1", "nodeSelector": "all()"},
        {"peerIP": "192.0.2.1", "nodeSelector": "rack = 'r1'"},
        {"peerIP": "192.0.2.1", "peerSelector": "all()"},
        {"peerIP": "192.0.2.1", "filters": "bgpctl-withdrawn"},
        {"peerIP": "192.0.2.1", "filters": [1]},
        {"peerIP": "192.0.2.1", "maxRestartTime": "soon"},
        {"peerIP": "192.0.2.1", "maxRestartTime": "9999999h"},
        {"peerIP": "192.0.2.1", "maxRestartTime": "24h1s"},
        {"peerIP": "192.0.2.1:²"},
        {"peerIP": "[]:179"},
        {"peerIP": ":179"},
        {"peerIP": "192.0.2.1:"},
        {"peerIP": "192.0.2.1", "asNumber": "1."},
        {"peerIP": "192.0.2.1", "asNumber": "9" * 4096},
        {"peerIP": "192.0.2.1", "keepaliveTime": 5},
    ],
)
def test_a_peer_that_cannot_be_read_is_named(spec: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_peering(made("BGPPeer", "tor", **spec))


@pytest.mark.parametrize(
    "annotations",
    [
        {"projectcalico.org/IPv4Address": "10.0.0.1/99"},
        {"projectcalico.org/IPv4Address": "here"},
        {"projectcalico.org/IPv4Address": "10.0.0.1/24 and more"},
        {"projectcalico.org/IPv6Address": "fe80::1%eth0\n/64"},
        {"projectcalico.org/ASNumber": "many"},
    ],
)
def test_a_node_that_calico_did_not_write_so_is_named(annotations: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        read_host(objects.node("n1", annotations=annotations))


@pytest.mark.parametrize(
    "told_",
    [
        {"bgp": []},
        {"bgp": {"peersV4": "none"}},
        {"bgp": {"peersV4": [{"peerIP": "x"}]}},
        {"bgp": {"peersV4": [5]}},
        {"bgp": {"peersV4": [{"peerIP": "192.0.2.1", "state": 5}]}},
        {"lastUpdated": "yesterday"},
    ],
)
def test_a_status_that_cannot_be_read_is_named(told_: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        nodestatus.read({**status(), "status": told_})


@pytest.mark.parametrize(
    "spec",
    [None, 5, {}, {"exportV4": [{"action": "Reject"}]}, {**leave.SPEC, "importV4": [{"action": "Reject"}]}],
)
def test_only_a_filter_that_rejects_every_export_and_nothing_else_will_do(spec: Any) -> None:
    assert not leave.rejects({"spec": spec})
    assert not leave.rejects(None)
    assert leave.rejects({"spec": {**leave.SPEC, "importV4": []}})
