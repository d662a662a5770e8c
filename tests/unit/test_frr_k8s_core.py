"""What frr-k8s and FRR wrote, read as values; and the lines by which a node withdraws."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.frr_k8s import config, leave, running, told
from bgpctl.core.frr_k8s.config import Configuration, Neighbor, Unread, merged
from bgpctl.core.frr_k8s.states import Host, node_state
from bgpctl.core.frr_k8s.told import Told
from bgpctl.core.model import SessionState
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.providers.frr_k8s_objects import Configurations

DATA = Path(__file__).parent / "data" / "frr_k8s"

# As FRR 8.4.4 prints it.
RUNNING = """
frr version 8.4.4
service integrated-vtysh-config
!
router bgp 65001
 bgp router-id 10.0.0.1
 no bgp default ipv4-unicast
 neighbor 192.0.2.1 remote-as 65000
 neighbor 192.0.2.1 password <retracted>
 neighbor 2001:db8::1 remote-as 65000
 neighbor eth0 interface remote-as external
 !
 address-family ipv4 unicast
  network 203.0.113.7/32
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 prefix-list bgpctl-leave out
  neighbor 192.0.2.1 route-map 192.0.2.1-out out
  neighbor 2001:db8::1 activate
  neighbor 2001:db8::1 prefix-list other in
 exit-address-family
 !
 address-family ipv6 unicast
  neighbor 2001:db8::1 activate
  neighbor 2001:db8::1 prefix-list bgpctl-leave out
 exit-address-family
exit
!
router bgp 65009 vrf red
 neighbor 192.0.2.1 remote-as 65000
 !
 address-family ipv4 unicast
  neighbor 192.0.2.1 activate
 exit-address-family
exit
!
ip prefix-list bgpctl-leave seq 5 deny any
ip prefix-list open seq 5 deny any
ip prefix-list open seq 10 permit any
!
ipv6 prefix-list bgpctl-leave seq 5 deny any
!
end
"""


def neighbor(address: str = "192.0.2.1", **more: Any) -> Neighbor:
    return Neighbor(
        **{
            "source": "metallb-n1",
            "vrf": "",
            "address": address,
            "port": 179,
            "asn": 65000,
            "router_asn": 65001,
            "local_asn": 65001,
            **more,
        }
    )


def document(*routers: Any, name: str = "c", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"bgp": {"routers": list(routers)}, **spec}}


def router(*neighbors: Any, **more: Any) -> dict[str, Any]:
    return {"asn": 65001, "neighbors": list(neighbors), **more}


def configuration(
    *neighbors: Neighbor, raw: str = "", ours: bool = False, created: float = 0
) -> Configuration:
    return Configuration("c", "ns", "u", "1", created, LabelSelector(), neighbors, raw, ours)


# --- FRRConfigurations --------------------------------------------------------------------------------------


def test_a_neighbor_with_everything() -> None:
    peer = {
        "address": "2001:DB8::0001",
        "asn": 65000,
        "port": 1790,
        "sourceaddress": "2001:db8::2",
        "holdTime": "1m30s",
        "keepaliveTime": "30s",
        "enableGracefulRestart": True,
        "dualStackAddressFamily": True,
        "localASN": 64999,
        "toAdvertise": {"allowed": {"prefixes": ["203.0.113.7/32", "2001:db8:f::/64"]}},
    }
    found = config.read(document(router(peer, prefixes=["203.0.113.7/32"], vrf="red")))
    assert isinstance(found, Configuration)
    assert found.neighbors == (
        neighbor(
            "2001:db8::1",
            source="c",
            vrf="red",
            port=1790,
            local_asn=64999,
            local="2001:db8::2",
            versions=(4, 6),
            hold_time=90,
            keepalive_time=30,
            graceful=True,
            prefixes=frozenset({"203.0.113.7/32", "2001:db8:f::/64"}),
        ),
    )


@pytest.mark.parametrize(
    ("peer", "attributes"),
    [
        ({}, {"hold_time": 180, "keepalive_time": 60, "graceful": False, "versions": (4,), "port": 179}),
        ({"asn": 0, "dynamicASN": "internal"}, {"asn": 65001}),
        ({"asn": 0, "dynamicASN": "external"}, {"asn": 0}),
        ({"sourceaddress": "eth0"}, {"local": ""}),
        ({"port": 0}, {"port": 179}),
        ({"addressFamilies": ["evpn"]}, {"evpn": True, "versions": ()}),
        ({"addressFamilies": ["unicast", "evpn"]}, {"evpn": True, "versions": (4,)}),
        ({"toAdvertise": {"allowed": {"mode": "all"}}}, {"prefixes": frozenset({"10.0.0.0/8"})}),
        ({"toAdvertise": {"allowed": {"prefixes": ["2001:db8::/64"]}}}, {"prefixes": frozenset()}),
    ],
)
def test_what_a_neighbor_is_where_nobody_says(peer: dict[str, Any], attributes: dict[str, Any]) -> None:
    whole = {"address": "192.0.2.1", "asn": 65000, **peer}
    found = config.read(document(router(whole, prefixes=["10.0.0.0/8", "2001:db8::/64"])))
    assert isinstance(found, Configuration)
    (one,) = found.neighbors
    assert {name: getattr(one, name) for name in attributes} == attributes


def test_with_imported_vrfs_what_is_announced_is_not_told() -> None:
    found = config.read(document(router({"address": "192.0.2.1", "asn": 1}, imports=[{"vrf": "red"}])))
    assert isinstance(found, Configuration) and found.neighbors[0].prefixes is None


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"bgp": {"routers": "many"}}, "spec.bgp.routers must be a list"),
        ({"bgp": {"routers": [{"asn": "x"}]}}, "spec.bgp.routers[0].asn must be an integer"),
        ({"bgp": {"routers": [router({"asn": 1})]}}, "neighbors[0].address must be an IP address"),
        ({"bgp": {"routers": [router({"address": "192.0.2.1\n!"})]}}, "address must be an IP address"),
        ({"bgp": {"routers": [router({"address": "fe80::1%eth0"})]}}, "address must be an IP address"),
        ({"bgp": {"routers": [router({"address": "::ffff:192.0.2.1"})]}}, "and no IPv4 address as IPv6"),
        ({"bgp": {"routers": [router(vrf="red\nexit")]}}, "vrf must be the name of a network interface"),
        ({"bgp": {"routers": [router({"interface": "eth0"})]}}, "interface must be absent"),
        ({"bgp": {"routers": [router({"address": "192.0.2.1", "holdTime": "long"})]}}, "holdTime must be"),
        ({"raw": {"rawConfig": 7}}, "spec.raw.rawConfig must be a string"),
        ("nothing", "spec must be an object"),
    ],
)
def test_one_bad_field_costs_its_object(spec: Any, why: str) -> None:
    found = config.read({"metadata": {"name": "c"}, "spec": spec})
    assert isinstance(found, Unread) and why in found.why, found
    assert str(found).startswith("FRRConfiguration c cannot be read (")


def test_of_one_that_cannot_be_read_it_may_be_known_for_which_nodes_it_is() -> None:
    chosen = {"matchLabels": {"rack": "1"}}
    found = config.read(document("no router", nodeSelector=chosen))
    assert isinstance(found, Unread) and found.selects({"rack": "1"}) and not found.selects({})
    found = config.read(document(nodeSelector={"matchExpressions": [{"key": "a", "operator": "Has"}]}))
    assert isinstance(found, Unread) and found.selects({}), "frr-k8s itself then changes nothing anywhere"


def test_configurations_of_one_node_are_merged() -> None:
    one = configuration(neighbor("192.0.2.9"), neighbor(prefixes=frozenset({"a"})))
    other = configuration(neighbor(prefixes=frozenset({"b"}), versions=(4, 6)), neighbor(vrf="red"))
    found = merged([one, other])
    assert [peer.name for peer in found] == ["192.0.2.1", "192.0.2.9", "red/192.0.2.1"]
    assert (found[0].prefixes, found[0].versions) == (frozenset("ab"), (4, 6))


# --- FRR's own configuration --------------------------------------------------------------------------------


def test_what_frr_runs() -> None:
    found = running.read(RUNNING)
    assert found.neighbors == {
        ("", "192.0.2.1"),
        ("", "2001:db8::1"),
        ("", "eth0"),
        ("red", "192.0.2.1"),
    }
    assert found.filters == {
        (("", "192.0.2.1"), 4): "bgpctl-leave",
        (("", "2001:db8::1"), 6): "bgpctl-leave",
    }
    assert found.denying == {(4, "bgpctl-leave"), (6, "bgpctl-leave")} and not found.grouped


@pytest.mark.parametrize(
    ("peer", "silent"),
    [
        (neighbor(), True),
        (neighbor("2001:db8::1", versions=(6,)), True),
        (neighbor("2001:db8::1", versions=(4, 6)), False),
        (neighbor(vrf="red"), False),
        (neighbor("192.0.2.7"), False),
    ],
)
def test_to_whom_nothing_is_let_out(peer: Neighbor, silent: bool) -> None:
    assert running.read(RUNNING).silences(peer, leave.LIST) is silent


@pytest.mark.parametrize(
    "change",
    [
        ("ip prefix-list bgpctl-leave seq 5 deny any", ""),
        ("ip prefix-list bgpctl-leave seq 5 deny any", "ip prefix-list bgpctl-leave seq 5 deny 10.0.0.0/8"),
        (
            "ip prefix-list bgpctl-leave",
            "ip prefix-list bgpctl-leave seq 1 permit any\nip prefix-list bgpctl-leave",
        ),
        (
            "seq 5 deny any\nip prefix-list open",
            "seq 5 deny any\nip prefix-list bgpctl-leave seq 1 permit any\nip",
        ),
        ("192.0.2.1 prefix-list bgpctl-leave out", "192.0.2.1 prefix-list bgpctl-leave in"),
        ("192.0.2.1 prefix-list bgpctl-leave out", "192.0.2.1 prefix-list open out"),
        (" neighbor 192.0.2.1 remote-as 65000\n neighbor 192.0.2.1 pass", " neighbor 192.0.2.1 pass"),
    ],
)
def test_a_list_that_lets_something_out_or_nobody_is_no_withdrawal(change: tuple[str, str]) -> None:
    text = RUNNING.replace(*change, 1)
    assert text != RUNNING and not running.read(text).silences(neighbor(), leave.LIST)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ("neighbor X prefix-list mine out", "prefix-list mine out"),
        ("neighbor X prefix-list mine in", ""),
        ("neighbor X  distribute-list 1 out", "distribute-list"),
        ("bgp listen  range 10.0.0.0/8 peer-group g", "listen range"),
        ("neighbor X route-map m out", ""),
        ("address-family ipv6 unicast\n neighbor X activate", "activate"),
        ("neighbor X default-originate route-map m", "default-originate"),
        ("neighbor X def", "def"),
        ("neighbor X description a b c", ""),
    ],
)
def test_lines_that_ours_would_not_go_with(raw: str, word: str) -> None:
    assert running.strange(raw) == word


def test_a_default_route_is_kept_back_by_no_list() -> None:
    """FRR 8.4.4 sends it all the same ("Originating default network", and one more prefix sent), so the node
    was said to announce nothing (issue 7)."""
    line = "  neighbor 192.0.2.1 prefix-list bgpctl-leave out\n"
    text = RUNNING.replace(line, f"  neighbor 192.0.2.1 default-originate\n{line}", 1)
    assert running.read(RUNNING).silences(neighbor(), leave.LIST)
    assert text != RUNNING and not running.read(text).silences(neighbor(), leave.LIST)


def has(one: Neighbor, raw: str = "") -> Configuration:
    return Configuration("r", "s", "u", "1", 0.0, LabelSelector(), (one,), raw, ours=False)


@pytest.mark.parametrize(
    ("lines", "keeps", "hold"),
    [
        ("", 120, 9),
        (" bgp graceful-restart restart-time 600\n", 600, 9),
        (" bgp graceful-restart restart-time 20\n", 120, 9),
        (" bgp long-lived-graceful-restart stale-time 86400\n", 86400, 9),
        (" neighbor 192.0.2.1 timers 60 240\n", 120, 240),
        (" neighbor 2001:db8::1 timers 60 240\n", 120, 9),
        (" timers bgp 60 200\n neighbor 192.0.2.1 timers 3 9\n", 120, 200),
        (" timers bgp 0 0\n", 120, 0),
        (" neighbor 192.0.2.1 timers 0 0\n", 120, 0),
    ],
)
def test_what_somebodys_own_lines_let_routers_keep_counts(lines: str, keeps: int, hold: int) -> None:
    """As FRR says that it has taken them in (issue 7)."""
    said = running.read(
        RUNNING.replace(" neighbor 192.0.2.1 remote", f"{lines} neighbor 192.0.2.1 remote", 1)
    )
    host = Host("n1", {}, (has(neighbor(hold_time=9)),), status=told.NodeStatus("n1", said, "", ""))
    (peer,) = node_state(host).peers
    assert (peer.configured_restart_time, peer.configured_hold_time) == (keeps, hold)


@pytest.mark.parametrize(
    ("raw", "worst"),
    [("bgp graceful-restart", True), ("timers bgp 1 3", True), ("tim b 1 3", True), ("x", False)],
)
def test_lines_that_frr_has_not_told_yet_may_be_the_worst(raw: str, worst: bool) -> None:
    (peer,) = node_state(Host("n1", {}, (has(neighbor(), raw),))).peers
    found = (
        (config.LONGEST_RESTART, config.LONGEST_HOLD) if worst else (config.RESTART_TIME, config.HOLD_TIME)
    )
    assert (peer.configured_restart_time, peer.configured_hold_time) == found


@pytest.mark.parametrize(
    ("document", "node"),
    [({"status": {"node": "n1"}}, "n1"), ({"status": {"node": 7}}, ""), ({"status": 7}, ""), ({}, "")],
)
def test_of_which_node_a_session_is_that_cannot_be_read(document: dict[str, Any], node: str) -> None:
    assert told.node_of(document) == node


# --- what is told -------------------------------------------------------------------------------------------


def said_of(views: Any, **vrfs: Any) -> str:
    """FRR's answer: of the default VRF, and of others."""
    each = {"default": views, **vrfs}
    return json.dumps(
        {name: {"vrfId": number, "vrfName": name, **of} for number, (name, of) in enumerate(each.items())}
    )


def test_what_frr_says_of_a_session() -> None:
    text = (DATA / "neighbors.json").read_text()
    found = told.answer(
        said_of(json.loads(text)),
        [neighbor("127.7.0.1"), neighbor("127.7.0.2"), neighbor("127.7.0.1", vrf="red")],
    )
    said = found["", "127.7.0.1"]
    assert list(found) == [("", "127.7.0.1")]
    assert (said.state, said.uptime, said.sent) == (SessionState.ESTABLISHED, 29.0, 0)
    assert (said.hold_time, said.keepalive_time, str(said.local)) == (9, 3, "127.7.0.2")


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"bgpState": "Active"}, Told(SessionState.ACTIVE)),
        ({"bgpState": "Strange"}, Told(SessionState.UNKNOWN)),
        ({"bgpState": "Established"}, Told(SessionState.ESTABLISHED)),
        (
            {
                "bgpState": "Established",
                "addressFamilyInfo": {
                    "ipv4Unicast": {"sentPrefixCounter": 1},
                    "l2VpnEvpn": {"sentPrefixCounter": 2},
                },
            },
            Told(SessionState.ESTABLISHED, sent=3),
        ),
        (
            {"bgpState": "Established", "addressFamilyInfo": {"ipv6Unicast": {"sentPrefixCounter": 1}}},
            Told(SessionState.ESTABLISHED),
        ),
    ],
)
def test_no_count_is_not_none(view: dict[str, Any], said: Told) -> None:
    found = told.answer(said_of({"192.0.2.1": view}), [neighbor()])
    assert found == {("", "192.0.2.1"): said}


@pytest.mark.parametrize(
    ("view", "word"),
    [
        ({"bgpState": "Active"}, True),
        ({"bgpState": "Established", "addressFamilyInfo": {"f": {"sentPrefixCounter": 0}}}, True),
        ({"bgpState": "Established", "addressFamilyInfo": {"f": {"sentPrefixCounter": 1}}}, False),
        ({"bgpState": "Established", "addressFamilyInfo": {"f": {}}}, False),
    ],
)
def test_a_session_with_a_router_that_nobody_named_leaves_nothing_reported(
    view: dict[str, Any], word: bool
) -> None:
    """By raw lines that FRRNodeState, half a minute old, does not show yet: of the known peers alone FRR's
    word was "nothing is advertised on any session" (issue 7)."""
    ours = {"192.0.2.1": {"bgpState": "Active"}}
    for text in (said_of({**ours, "192.0.2.9": view}), said_of(ours, red={"192.0.2.9": view})):
        with (
            contextlib.nullcontext()
            if word
            else pytest.raises(Unreadable, match=r"session with 192\.0\.2\.9")
        ):
            assert told.answer(text, [neighbor()]) == {("", "192.0.2.1"): Told(SessionState.ACTIVE)}


def test_two_vrfs_may_have_one_address() -> None:
    here, there = neighbor(), neighbor(vrf="red")
    text = said_of({"192.0.2.1": {"bgpState": "Active"}}, red={"192.0.2.1": {"bgpState": "Idle"}})
    found = {key: said.state for key, said in told.answer(text, [here, there]).items()}
    assert found == {here.key: SessionState.ACTIVE, there.key: SessionState.IDLE}


@pytest.mark.parametrize(
    "text", ["", "% Unknown command", "[]", '{"default": 7}', '{"default": {"192.0.2.1": 7}}']
)
def test_what_is_no_answer_is_none(text: str) -> None:
    with pytest.raises(Unreadable):
        told.answer(text, [neighbor()])


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (
            {"node": "n1", "peer": "192.0.2.1", "bgpStatus": "Established"},
            ("n1", ("", "192.0.2.1"), SessionState.ESTABLISHED),
        ),
        (
            {
                "node": "n1",
                "peer": "2001-0db8-0000-0000-0000-0000-0000-0001",
                "vrf": "red",
                "bgpStatus": "Active",
            },
            ("n1", ("red", "2001:db8::1"), SessionState.ACTIVE),
        ),
        ({"node": "n1", "peer": "192.0.2.1"}, ("n1", ("", "192.0.2.1"), SessionState.UNKNOWN)),
    ],
)
def test_a_bgp_session_state(status: dict[str, Any], found: Any) -> None:
    assert told.session({"status": status}) == found


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({}, ("", "")),
        ({"lastConversionResult": "success", "lastReloadResult": "success"}, ("", "")),
        ({"lastConversionResult": "failed: x\ny", "lastReloadResult": "\n% No\n"}, ("failed: x", "% No")),
    ],
)
def test_an_frr_node_state(status: dict[str, Any], found: tuple[str, str]) -> None:
    read = told.node_status({"metadata": {"name": "n1"}, "status": status})
    assert (read.conversion, read.reload) == found


# --- the lines ----------------------------------------------------------------------------------------------


def test_the_lines_for_a_node() -> None:
    """FRR 8.4.4 takes these in, and again without a difference."""
    peers = [neighbor(), neighbor("2001:db8::1", versions=(4, 6)), neighbor(vrf="red", router_asn=65009)]
    assert leave.lines(peers).splitlines() == [
        "ip prefix-list bgpctl-leave seq 5 deny any",
        "ipv6 prefix-list bgpctl-leave seq 5 deny any",
        "router bgp 65001",
        " address-family ipv4 unicast",
        "  neighbor 192.0.2.1 prefix-list bgpctl-leave out",
        "  neighbor 2001:db8::1 prefix-list bgpctl-leave out",
        " exit-address-family",
        " address-family ipv6 unicast",
        "  neighbor 2001:db8::1 prefix-list bgpctl-leave out",
        " exit-address-family",
        "exit",
        "router bgp 65009 vrf red",
        " address-family ipv4 unicast",
        "  neighbor 192.0.2.1 prefix-list bgpctl-leave out",
        " exit-address-family",
        "exit",
    ]


def test_what_is_written_is_read_back() -> None:
    peers = (neighbor(), neighbor("2001:db8::1", versions=(4, 6)), neighbor(vrf="red", router_asn=65009))
    ours = configuration(raw=leave.lines(peers), ours=True)
    assert leave.silenced(ours, peers) == frozenset(peers)
    more = neighbor("192.0.2.9")
    assert leave.silenced(ours, (*peers, more)) == frozenset(peers)
    assert leave.silenced(None, peers) == frozenset()


@pytest.mark.parametrize(
    ("name", "routers", "ours"),
    [
        ("bgpctl-leave-n1", [], True),
        ("bgpctl-leave-n1", [router({"address": "192.0.2.9", "asn": 65000})], False),
        ("rack-2", [], False),
    ],
)
def test_what_gives_a_node_peers_is_not_hidden_by_a_copied_label(
    name: str, routers: list[Any], ours: bool
) -> None:
    """A router was nobody's, and its routes nobody's to withdraw: *confirmed* without it (issue 7)."""
    written = document(*routers, name=name)
    written["metadata"]["labels"] = {config.LABEL: config.LABELLED}
    found = Configurations()
    found.add(config.read(written))
    assert [one.name for one in found.of({})] == ([] if ours else [name])
    assert list(found.ours) == ([name] if ours else [])


# --- the state ----------------------------------------------------------------------------------------------


def host(*, status: str | None = RUNNING, created: float = 100.0, out: bool = True) -> Host:
    mine = configuration(neighbor())
    ours = configuration(raw=leave.lines(mine.neighbors), ours=True, created=created) if out else None
    read = told.node_status({"status": {"runningConfig": status}}) if status is not None else None
    up = {("", "192.0.2.1"): SessionState.ESTABLISHED}
    return Host("n1", {}, [mine], ours, status=read, sessions=up)


def test_routes_are_none_only_where_every_neighbor_that_frr_has_is_silenced() -> None:
    assert node_state(host()).announced is None, "it has neighbors of which no FRRConfiguration tells"
    alone = RUNNING.replace(" neighbor eth0 interface remote-as external\n", "")
    alone = alone.replace(" neighbor 2001:db8::1 remote-as 65000\n", "")
    alone = alone.partition("router bgp 65009")[0] + "ip prefix-list bgpctl-leave seq 5 deny any\n"
    assert node_state(host(status=alone)).announced == 0
    assert node_state(host(status=alone, out=False)).announced is None
    assert node_state(host(status=None)).announced is None


@pytest.mark.parametrize(
    ("said", "announced", "unwithdrawn"),
    [
        (Told(SessionState.ESTABLISHED, 3600.0, 0), 0, 0),
        (Told(SessionState.ESTABLISHED, 3600.0, 2), 2, 0),
        (Told(SessionState.ESTABLISHED, 5.0, 0), 0, 1),
        (Told(SessionState.ACTIVE), None, 1),
    ],
)
def test_what_frr_says_goes_before_all_else(said: Told, announced: int | None, unwithdrawn: int) -> None:
    """A session that was started anew since the node was made to withdraw has told its router nothing."""
    state = node_state(host(), {("", "192.0.2.1"): said}, "vtysh", now=200.0)
    assert (state.announced, len(state.unwithdrawn)) == (announced, unwithdrawn)
    assert (state.lag, state.engine_asked) == (0.0, "vtysh")


def test_an_ipv6_family_that_is_not_counted_makes_the_sum_unknown() -> None:
    """One session may carry both families; what is told of the one says nothing of the other."""
    view = {"bgpState": "Established", "addressFamilyInfo": {"ipv4Unicast": {"sentPrefixCounter": 1}}}
    for versions, sent in (((4,), 1), ((4, 6), None), ((6,), None)):
        one = neighbor(versions=versions)
        found = told.answer(json.dumps({"default": {"192.0.2.1": view}}), [one])
        assert found == {one.key: Told(SessionState.ESTABLISHED, sent=sent)}
    view["addressFamilyInfo"]["ipv6Unicast"] = {"sentPrefixCounter": 2}  # type: ignore[index]
    one = neighbor(versions=(4, 6))
    assert told.answer(json.dumps({"default": {"192.0.2.1": view}}), [one])[one.key].sent == 3


@pytest.mark.parametrize(
    ("ended", "all_"), [((True, True), True), ((True, False), False), ((False, True), False)]
)
def test_end_of_rib_has_to_be_sent_for_each_family(ended: tuple[bool, bool], all_: bool) -> None:
    sent = dict(zip(("ipv4Unicast", "ipv6Unicast"), ended, strict=True))
    view = {"bgpState": "Established", "gracefulRestartInfo": {"endOfRibSend": sent}}
    one = neighbor(versions=(4, 6))
    assert told.answer(json.dumps({"default": {"192.0.2.1": view}}), [one])[one.key].ended is all_


def test_a_family_without_a_counter_is_none_of_the_sum() -> None:
    families = {"ipv4Unicast": {"sentPrefixCounter": 1}, "l2VpnEvpn": {}}
    view = {"bgpState": "Established", "addressFamilyInfo": families}
    found = told.answer(json.dumps({"default": {"192.0.2.1": view}}), [neighbor()])
    assert found == {("", "192.0.2.1"): Told(SessionState.ESTABLISHED, sent=1)}
