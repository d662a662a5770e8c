"""FRRConfigurations field by field, what several make of one peer, and the one by which a node withdraws."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.frr_k8s import config, leave, told
from bgpctl.core.frr_k8s.config import Configuration, Neighbor, Unread, merged
from bgpctl.core.frr_k8s.running import Running
from bgpctl.core.frr_k8s.states import Host, node_state
from bgpctl.core.reading.selectors import LabelSelector

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
