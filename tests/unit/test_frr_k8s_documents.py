"""FRRConfigurations field by field, what several make of one peer, and the one by which a node withdraws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.frr_k8s import config, leave, told
from bgpctl.core.frr_k8s.config import Configuration, Neighbor, Unread, merged
from bgpctl.core.frr_k8s.running import Running
from bgpctl.core.frr_k8s.states import Host, node_state
from bgpctl.core.model import SessionState
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.core.state import NodeState

PEER = {"address": "192.0.2.1", "asn": 65000}


def neighbor(address: str = "192.0.2.1", **more: Any) -> Neighbor:
    defaults = {"source": "c", "vrf": "", "port": 179, "asn": 65000, "router_asn": 65001, "local_asn": 65001}
    return Neighbor(address=address, **{**defaults, **more})


def configuration(
    *neighbors: Neighbor, name: str = "c", raw: str = "", ours: bool = False, selector: Any = None
) -> Configuration:
    return Configuration(name, "ns", "u", "7", 0.0, selector or LabelSelector(), neighbors, raw, ours)


def document(peer: Any = None, router: Any = None, metadata: Any = None, **spec: Any) -> dict[str, Any]:
    routers = [{"asn": 65001, "neighbors": [{**PEER, **(peer or {})}], **(router or {})}]
    return {"metadata": {"name": "c", **(metadata or {})}, "spec": {"bgp": {"routers": routers}, **spec}}


def read(*words: Any, **more: Any) -> Configuration:
    found = config.read(document(*words, **more))
    assert isinstance(found, Configuration), found
    return found


# --- one of them --------------------------------------------------------------------------------------------


def test_whose_it_is_and_since_when() -> None:
    about = {"namespace": "metallb", "uid": "u-1", "resourceVersion": "42"}
    found = read(metadata={**about, "creationTimestamp": "1970-01-01T01:00:00Z"})
    assert (found.name, found.namespace, found.uid, found.version, found.created) == (
        *("c", "metallb", "u-1", "42"),
        3600.0,
    )


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"router": {"asn": 2**32}}, "spec.bgp.routers[0].asn must be an integer, 0..4294967295"),
        ({"peer": {"asn": 2**32}}, "spec.bgp.routers[0].neighbors[0].asn must be an integer, 0..4294967295"),
        ({"peer": {"localASN": 2**32}}, "neighbors[0].localASN must be an integer, 0..4294967295"),
        ({"peer": {"port": 65536}}, "neighbors[0].port must be an integer, 0..65535"),
        ({"router": {"vrf": "a-name-of-sixteen"}}, "vrf must be the name of a network interface"),
        ({"metadata": {"uid": 7}}, "metadata.uid must be a string"),
        ({"metadata": {"resourceVersion": 7}}, "metadata.resourceVersion must be a string"),
        ({"metadata": {"creationTimestamp": "today"}}, "metadata.creationTimestamp must be an RFC 3339 time"),
        (
            {"nodeSelector": {"matchExpressions": [{"operator": "Has"}], "matchLabels": 7}},
            "spec.nodeSelector.matchLabels: ",
        ),
    ],
)
def test_a_value_that_is_out_of_its_bounds_is_named(asked: dict[str, Any], why: str) -> None:
    found = config.read(document(**asked))
    assert isinstance(found, Unread) and why in found.why, found


@pytest.mark.parametrize("number", [0, 2**32 - 1])
def test_every_as_number_of_32_bits_is_one(number: int) -> None:
    (one,) = read({"asn": number, "localASN": number}, {"asn": number}).neighbors
    assert (one.asn, one.router_asn, one.local_asn) == (number, number, number)


@pytest.mark.parametrize(("port", "number"), [(1, 1), (65535, 65535)])
def test_every_port_is_one(port: int, number: int) -> None:
    assert read({"port": port}).neighbors[0].port == number


@pytest.mark.parametrize(("vrf", "name"), [("default", ""), ("", ""), ("a-name-of-15-ch", "a-name-of-15-ch")])
def test_the_default_vrf_has_two_names(vrf: str, name: str) -> None:
    assert read(router={"vrf": vrf}).neighbors[0].vrf == name


def test_a_selector_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    found = read(nodeSelector={"matchLabels": {"rack": "1"}, "matchFields": []})
    assert found.selects({"rack": "1"}) and not found.selects({})


@pytest.mark.parametrize(("text", "seconds"), [("18h12m15s", 65535), ("20h", 65535), ("65534s", 65534)])
def test_a_hold_time_has_16_bits(text: str, seconds: int) -> None:
    assert read({"holdTime": text}).neighbors[0].hold_time == seconds


def test_a_prefix_counts_in_its_family_whatever_its_host_bits_are() -> None:
    listed = ["203.0.113.7/24", "2001:db8::1/64", "no prefix", "10.0.0.0/8"]
    for mode in ({"mode": "all"}, {"prefixes": listed}):
        (one,) = read({"toAdvertise": {"allowed": mode}}, {"prefixes": listed}).neighbors
        assert one.prefixes == {"203.0.113.7/24", "10.0.0.0/8"}


def test_raw_lines_may_be_longer_than_what_people_write() -> None:
    assert read(raw={"rawConfig": "! \n" * 10_000}).raw == "! \n" * 10_000


@pytest.mark.parametrize(
    ("name", "labels", "ours"),
    [
        ("bgpctl-leave-n1", {config.LABEL: "true"}, True),
        ("bgpctl-leave-n1", {config.LABEL: "false"}, False),
        ("bgpctl-leave-n1", {}, False),
        ("leave-n1", {config.LABEL: "true"}, False),
    ],
)
def test_ours_has_both_our_name_and_our_label(name: str, labels: dict[str, str], ours: bool) -> None:
    found = config.read({"metadata": {"name": name, "labels": labels}, "spec": {}})
    assert isinstance(found, Configuration) and found.ours is ours


# --- several of one node ------------------------------------------------------------------------------------


def test_peers_are_in_the_order_of_their_addresses() -> None:
    addresses = ["2001:db8::2", "192.0.2.10", "10.0.0.1", "192.0.2.9", "2001:db8::1"]
    found = merged([configuration(neighbor(vrf="red"), *map(neighbor, addresses))])
    assert [one.name for one in found] == [
        *("10.0.0.1", "192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::2"),
        "red/192.0.2.1",
    ]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ({"prefixes": frozenset("a")}, {"prefixes": frozenset("b")}, {"prefixes": frozenset("ab")}),
        ({"prefixes": None}, {"prefixes": frozenset("b")}, {"prefixes": None}),
        ({"prefixes": frozenset("a")}, {"prefixes": None}, {"prefixes": None}),
        ({"prefixes": None}, {"prefixes": None}, {"prefixes": None}),
        ({"prefixes": frozenset()}, {"prefixes": frozenset("b")}, {"prefixes": frozenset("b")}),
        ({"versions": (6,)}, {"versions": (4,)}, {"versions": (4, 6)}),
        ({"versions": (4,)}, {"versions": ()}, {"versions": (4,)}),
        ({"evpn": True}, {}, {"evpn": True}),
        ({}, {"evpn": True}, {"evpn": True}),
        ({"hold_time": 9, "port": 1790}, {"hold_time": 3}, {"hold_time": 9, "port": 1790, "evpn": False}),
    ],
)
def test_a_peer_has_what_any_of_them_gives_it(
    one: dict[str, Any], other: dict[str, Any], together: dict[str, Any]
) -> None:
    (found,) = merged([configuration(neighbor(**one)), configuration(neighbor(**other))])
    assert found == neighbor(**{**one, **together})


# --- the one by which a node withdraws ----------------------------------------------------------------------


def test_the_object_that_is_made() -> None:
    made = leave.document("n1", "u-1", "host-1", "metallb", [neighbor()])
    assert made == {
        "apiVersion": "frrk8s.metallb.io/v1beta1",
        "kind": "FRRConfiguration",
        "metadata": {
            "name": "bgpctl-leave-n1",
            "namespace": "metallb",
            "labels": {"bgpctl.io/withdrawn": "true"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u-1"}],
        },
        "spec": {
            "nodeSelector": {"matchLabels": {"kubernetes.io/hostname": "host-1"}},
            "raw": {"priority": 1_000_000, "rawConfig": leave.lines([neighbor()])},
        },
    }


def test_each_router_has_one_section_in_whatever_order_its_peers_come() -> None:
    def peers(*numbers: int) -> list[Neighbor]:
        return [neighbor(f"192.0.2.{n}", vrf="red" if n % 2 else "") for n in numbers]

    lines = leave.lines(peers(1, 2, 3, 4)).splitlines()
    assert [line for line in lines if line.startswith("router")] == [
        "router bgp 65001",
        "router bgp 65001 vrf red",
    ]
    assert leave.silenced(configuration(raw="\n".join(lines), ours=True), peers(1, 2, 3, 4)) == {
        *peers(1, 2, 3, 4)
    }


def test_the_lines_follow_only_the_object_that_was_read() -> None:
    patch = leave.follow("/path", configuration(name="bgpctl-leave-n1", ours=True), {"raw": {}})
    assert patch.operations == (
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/spec", "value": {"raw": {}}},
    )


# --- what a node is then ------------------------------------------------------------------------------------


def status(*silenced: Neighbor, **more: Any) -> told.NodeStatus:
    """FRR runs with these silenced, and has no other peer."""
    found = Running(
        {one.key for one in silenced},
        {(one.key, version): leave.LIST for one in silenced for version in one.versions},
        {(4, leave.LIST), (6, leave.LIST)},
    )
    for name, value in more.items():
        setattr(found, name, value)
    return told.NodeStatus("n1", found, "", "")


def ours(*neighbors: Neighbor, selector: Any = None) -> Configuration:
    return configuration(name="bgpctl-leave-n1", raw=leave.lines(neighbors), ours=True, selector=selector)


UNREAD = Unread("bad", None, "it is none")
A, B = neighbor(), neighbor("192.0.2.2", source="b")


@pytest.mark.parametrize(
    ("host", "concerned"),
    [
        (Host("n1", {}, []), False),
        (Host("n1", {}, [configuration()]), False),
        (Host("n1", {}, [configuration(A)]), True),
        (Host("n1", {}, [], ours()), True),
        (Host("n1", {}, [], unread=[UNREAD]), True),
    ],
)
def test_a_node_is_frr_k8ss_by_a_peer_our_object_or_one_that_nobody_can_read(
    host: Host, concerned: bool
) -> None:
    assert host.concerned is concerned


@pytest.mark.parametrize(
    ("host", "speaking", "out"),
    [
        (Host("n1", {}, [configuration(A, B)], status=status(A, B)), ("b", "c"), False),
        (Host("n1", {}, [configuration(A, B)], ours(A), status=status(A, B)), ("b",), False),
        (Host("n1", {}, [configuration(A, B)], ours(A, B), status=status(A, B)), (), True),
        (
            Host("n1", {}, [configuration(), configuration(name="r", raw="!")], None, status=status()),
            (),
            False,
        ),
        (Host("n1", {}, [configuration(A, name="r", raw="!")], ours(A), status=status(A)), (), True),
        (Host("n1", {}, [configuration(A, name="r", raw="!")], ours(A)), ("r",), False),
        (Host("n1", {}, [configuration(A)], ours(A)), (), True),
        (
            Host(
                "n1",
                {},
                [configuration(A), configuration(name="r", raw="!")],
                ours(A),
                status=status(A, grouped=True),
            ),
            ("r",),
            False,
        ),
        (
            Host(
                "n1",
                {},
                [configuration(A)],
                ours(A, selector=LabelSelector((("rack", "2"),))),
                status=status(A),
            ),
            ("c",),
            False,
        ),
    ],
)
def test_by_which_objects_a_node_announces(host: Host, speaking: tuple[str, ...], out: bool) -> None:
    assert (host.speaking, host.out) == (speaking, out)
    state = node_state(host)
    assert (state.selected_by, state.told_out) == (", ".join(speaking), out)
    assert state.selected_by_kind == ("FRRConfiguration" if speaking else "")


def test_more_speaking_objects_are_told_in_order() -> None:
    names = ["e", "b", "d", "a", "c", "f"]
    host = Host(
        "n1", {}, [configuration(neighbor(f"192.0.2.{n}", source=name)) for n, name in enumerate(names)]
    )
    assert host.speaking == ("a", "b", "c", "d", "e", "f")


@pytest.mark.parametrize(
    ("running", "taken"),
    [
        (status(A, B), True),
        (status(A), False),
        (status(B), False),
        (status(A, B, neighbor("192.0.2.3")), False),
        (None, False),
    ],
)
def test_it_is_taken_in_when_frr_silences_every_peer_that_it_has(
    running: told.NodeStatus | None, taken: bool
) -> None:
    host = Host("n1", {}, [configuration(A, B)], ours(A, B), status=running)
    assert host.taken is taken
    assert node_state(host).announced == (0 if taken else None)


def test_peer_groups_of_frr_are_a_trouble_that_is_told() -> None:
    (word,) = Host("n1", {}, [configuration(A)], status=status(A, grouped=True)).troubles()
    assert "peer groups" in word


UP, DOWN, UNKNOWN = SessionState.ESTABLISHED, SessionState.ACTIVE, SessionState.UNKNOWN


def of(*peers: Neighbor, out: bool = True, sessions: Any = (), told: Any = None, **more: Any) -> NodeState:
    """A node with these peers, which FRR silences where it is `out` since 100 s."""
    withdrawn = replace(ours(*peers), created=100.0) if out else None
    host = Host("n1", {}, [configuration(*peers)], withdrawn, sessions=dict(sessions), **more)
    return node_state(host, told or {}, "vtysh", 300.0)


@pytest.mark.parametrize(
    ("out", "session", "lost"),
    [(True, DOWN, True), (False, DOWN, False), (True, UP, False), (True, UNKNOWN, False)],
)
def test_a_router_was_not_told_where_its_session_of_a_withdrawn_node_is_down(
    out: bool, session: SessionState, lost: bool
) -> None:
    found = of(A, out=out, sessions={A.key: session}, status=status(A))
    assert [one.name for one in found.unwithdrawn] == ([A.name] if lost else [])


@pytest.mark.parametrize(
    ("word", "lost"),
    [
        (told.Told(UP, 1000.0, 0), False),
        (told.Told(UP, 198.0, 0), False),  # to the second: creations have no fraction
        (told.Told(UP, 197.0, 0), True),  # it came up after the node was made to withdraw
        (told.Told(DOWN), True),
    ],
)
def test_a_session_that_is_younger_than_the_withdrawal_told_its_router_nothing(
    word: told.Told, lost: bool
) -> None:
    found = of(A, told={A.key: word}, status=status(A))
    assert bool(found.unwithdrawn) is lost


def test_how_old_a_word_may_be() -> None:
    """Sessions are told every two minutes; of now is what FRR says itself, also that it has no peer."""
    assert of(A, status=status(A)).lag == 125.0
    assert of(A, told={A.key: told.Told(UP)}, status=status(A)).lag == 0.0
    assert of(status=status()).lag == 0.0
    assert node_state(Host("n1", {}, [], status=status())).lag == 125.0


@pytest.mark.parametrize(
    ("more", "problems"),
    [
        ({"status": status(A)}, ()),
        ({"status": None}, ("no FRRNodeState tells what FRR runs on it",)),
        ({"status": status()}, ("FRR does not show the lines of FRRConfiguration bgpctl-leave-n1 yet",)),
        ({"status": status(A), "trouble": "it is odd"}, ("it is odd",)),
    ],
)
def test_what_is_wrong_with_a_node_that_is_out(more: Any, problems: tuple[str, ...]) -> None:
    found = of(A, sessions={A.key: UP}, **more).problems
    assert len(found) == len(problems) and all(map(str.startswith, found, problems)), found


def test_that_no_session_is_told_is_a_problem_where_there_is_one_and_frr_says_nothing() -> None:
    def host(*peers: Neighbor) -> Host:
        return Host("n1", {}, [configuration(*peers)], status=status(*peers), sessions=None)

    (word,) = node_state(host(A)).problems
    assert word.startswith("frr-k8s tells no session of this node")
    assert node_state(host(A)).peers[0].session.state is UNKNOWN
    assert node_state(host()).problems == ()
    assert node_state(host(A), {A.key: told.Told(UP)}).problems == ()


def test_what_is_to_be_announced_is_known_where_every_prefix_is() -> None:
    some, untold = neighbor(prefixes=frozenset({"a", "b"})), neighbor("192.0.2.2", prefixes=None)
    assert of(some, out=False, status=status()).intended == 2
    assert of(some, untold, out=False, status=status()).intended is None
    assert [one.intended for one in of(some, untold, out=False, status=status()).peers] == [2, None]
    assert of(some, untold, status=status(some, untold)).intended == 0


@pytest.mark.parametrize("peer", ["", "tor", 5])
def test_a_session_of_no_peer_is_refused_by_its_field(peer: Any) -> None:
    with pytest.raises(Unreadable, match=r"^status\.peer must be"):
        told.session({"status": {"node": "n1", "peer": peer}})
