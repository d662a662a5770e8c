"""Which Calico nodes a BGPPeer is for, what its sessions are, and what is said of one that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.calico.config import Host, Peering, exported, read_host, read_peering, whose
from bgpctl.core.calico.nodestatus import NodeStatus
from bgpctl.core.calico.selector import EVERYTHING, parse
from bgpctl.core.calico.states import SILENT, UNTOLD, Hosts, Unread, World, node_state
from bgpctl.core.model import SessionState
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.lab.stacks.calico.documents import made
from tests.support import objects


def host(name: str, six: bool = True, asn: int | None = None, **labels: str) -> Host:
    n = name.removeprefix("n")
    return Host(name, labels, f"10.0.0.{n}", f"2001:db8::{n}" if six else "", asn, False, False, False)


def peering(**spec: Any) -> Peering:
    return read_peering(made("BGPPeer", "tor", **spec))


N1, N2, N3 = host("n1", rack="1"), host("n2", rack="1"), host("n3", rack="3")
ROUTER = {"peerIP": "192.0.2.1", "asNumber": 65000}


def state(
    of: Host, *peerings: Peering, status: NodeStatus | None = None, hosts: Any = (), **world: Any
) -> Any:
    seen = World(Hosts(hosts or (N1, N2, N3)), peerings, **world)
    return node_state(of, seen, seen.of(of), status)


# --- for whom it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "node", "text"),
    [
        ({}, "", ""),
        ({"node": "n1"}, "n1", ""),
        ({"node": "n1", "nodeSelector": ""}, "n1", ""),
        ({"nodeSelector": "rack == '1'"}, "", "rack == '1'"),
        ({"nodeSelector": "rack == '1'", "node": ""}, "", "rack == '1'"),
        ({"nodeSelector": "rack == '1'", "node": None}, "", "rack == '1'"),
        ({"nodeSelector": "rack == '1'", "node": "n1"}, "", ""),
        ({"nodeSelector": "rack == '1'", "node": 5}, "", ""),
        ({"nodeSelector": "rack"}, "", ""),
        ({"nodeSelector": 5}, "", ""),
        ({"node": 5}, "", ""),
        ({"node": "n1", "peerSelector": "all()"}, "", ""),
        ({"nodeSelector": "rack == '1'", "peerSelector": "all()"}, "", ""),
        (5, "", ""),
        (None, "", ""),
    ],
)
def test_a_glance_at_a_peer_excludes_no_node_that_it_may_be_for(spec: Any, node: str, text: str) -> None:
    found, selector = whose({"spec": spec})
    assert (found, selector.text) == (node, text)


@pytest.mark.parametrize(
    ("spec", "ends"),
    [
        ({**ROUTER}, ()),
        ({"peerSelector": "rack == '1'", "node": "n3"}, ("n1", "n2")),
        ({"peerSelector": "rack == '1'", "reversePeering": "Auto"}, ("n1", "n2")),
        ({"peerSelector": "rack == '1'", "reversePeering": "Manual"}, ()),
    ],
)
def test_who_has_the_other_end_of_its_sessions(spec: dict[str, Any], ends: tuple[str, ...]) -> None:
    found = peering(**spec)
    assert tuple(one.name for one in (N1, N2, N3) if found.answers(one)) == ends


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"node": "n1"}, "node n1"),
        ({"nodeSelector": "rack == '1'"}, "nodeSelector rack == '1'"),
        ({}, "nodeSelector all()"),
    ],
)
def test_by_what_it_selects_nodes_is_told(spec: dict[str, Any], text: str) -> None:
    assert peering(**ROUTER, **spec).chosen == text


@pytest.mark.parametrize(
    ("spec", "touched"),
    [
        ({**ROUTER, "node": "n1"}, ("n1",)),
        ({**ROUTER, "node": "n9"}, ()),
        ({**ROUTER}, ("n1", "n2", "n3")),
        ({**ROUTER, "nodeSelector": "rack == '1'"}, ("n1", "n2")),
        ({**ROUTER, "nodeSelector": "rack == '9'"}, ()),
        ({**ROUTER, "nodeSelector": "rack == '1' && has(spare)"}, ()),
        ({"node": "n3", "peerSelector": "rack == '1'"}, ("n3", "n1", "n2")),
        ({"node": "n1", "peerSelector": "rack == '1'"}, ("n1", "n2")),
        ({"node": "n3", "peerSelector": "rack == '1'", "reversePeering": "Manual"}, ("n3",)),
    ],
)
def test_which_nodes_have_sessions_by_it(spec: dict[str, Any], touched: tuple[str, ...]) -> None:
    """All at once, and each node alone: the two ways to ask say the same."""
    found, hosts = peering(**spec), Hosts((N1, N2, N3))
    assert tuple(one.name for one in hosts.touched(found)) == touched
    world = World(hosts, (found,))
    assert {name for name, has in world.by_node().items() if has} == set(touched)
    assert {one.name for one in (N1, N2, N3) if world.of(one)} == set(touched)


@pytest.mark.parametrize(
    ("node", "nodes", "text"),
    [
        ("n1", EVERYTHING, "BGPPeer tor cannot be read (it is none)"),
        ("", parse("rack == '1'"), "BGPPeer tor cannot be read (it is none)"),
        ("", EVERYTHING, "BGPPeer tor cannot be read (it is none): for which nodes it is, is not known"),
    ],
)
def test_one_that_cannot_be_read_says_so_where_nobody_knows_whose_it_is(
    node: str, nodes: Any, text: str
) -> None:
    assert str(Unread("tor", node, nodes, "it is none")) == text


# --- its sessions -------------------------------------------------------------------------------------------


def test_a_peer_that_is_the_node_itself_is_no_router_in_either_ip_version() -> None:
    for address in ("10.0.0.1", "2001:db8::1"):
        assert state(N1, peering(peerIP=address)).peers == ()
        assert [peer.address for peer in state(N2, peering(peerIP=address)).peers] == [address]
    assert state(N1, peering()).peers == (), "it names nobody"


def test_each_end_of_a_session_between_nodes_has_its_own_numbers() -> None:
    """The local AS number of a BGPPeer is that of the nodes that it is for, not of those that answer."""
    reflector = replace(N3, asn=65003)
    rack = peering(nodeSelector="rack == '1'", peerSelector="rack == '3'", localASNumber=64999)
    (four, six) = state(N1, rack, hosts=(N1, reflector)).peers
    assert (four.name, four.address, four.asn, four.local_asn) == ("tor/10.0.0.3", "10.0.0.3", 65003, 64999)
    assert (six.name, six.address, six.asn, six.local_asn) == ("tor/2001:db8::3", "2001:db8::3", 65003, 64999)
    answering = state(reflector, rack, hosts=(N1, reflector)).peers
    assert [(one.address, one.asn, one.local_asn) for one in answering] == [
        ("10.0.0.1", 64512, 65003),
        ("2001:db8::1", 64512, 65003),
    ]


def test_a_session_of_a_version_that_the_node_has_no_address_of_comes_from_nowhere() -> None:
    alone = host("n1", six=False)
    (one,) = state(alone, peering(peerIP="2001:db8::9"), hosts=(alone,)).peers
    assert one.session.local_address is None
    (one,) = state(alone, peering(**ROUTER), hosts=(alone,)).peers
    assert str(one.session.local_address) == "10.0.0.1"


def test_a_local_as_number_of_0_is_the_nodes_own() -> None:
    (one,) = state(N1, peering(**ROUTER, localASNumber=0), hosts=(replace(N1, asn=65001),)).peers
    assert one.local_asn == 64512
    (one,) = state(replace(N1, asn=65001), peering(**ROUTER, localASNumber=0)).peers
    assert one.local_asn == 65001


@pytest.mark.parametrize(
    ("session", "filters", "lost"),
    [
        (SessionState.ACTIVE, ["bgpctl-withdrawn"], 1),
        (SessionState.ACTIVE, [], 0),
        (SessionState.ESTABLISHED, ["bgpctl-withdrawn"], 0),
        (SessionState.UNKNOWN, ["bgpctl-withdrawn"], 0),
    ],
)
def test_a_router_that_was_not_told_is_one_whose_session_of_a_withdrawn_node_is_down(
    session: SessionState, filters: list[str], lost: int
) -> None:
    status = NodeStatus("n1", 15.0, 1.0, {"192.0.2.1": session})
    found = state(N1, peering(**ROUTER, filters=filters), status=status, rejects=True)
    assert len(found.unwithdrawn) == lost


@pytest.mark.parametrize(
    ("peers", "status", "problems"),
    [
        (1, None, (UNTOLD,)),
        (1, NodeStatus("n1", 15.0, 0.0, {}), (SILENT,)),
        (1, NodeStatus("n1", 15.0, 1.0, {}), ()),
        (0, None, ()),
        (0, NodeStatus("n1", 15.0, 0.0, {}), ()),
    ],
)
def test_what_is_not_known_of_sessions_is_a_problem_where_there_are_any(
    peers: int, status: NodeStatus | None, problems: tuple[str, ...]
) -> None:
    assert state(N1, *[peering(**ROUTER)] * peers, status=status).problems == problems


# --- fields -------------------------------------------------------------------------------------------------


def test_a_fault_in_a_node_is_named_by_its_annotation() -> None:
    node = objects.node("n1", annotations={"projectcalico.org/ASNumber": "many"})
    with pytest.raises(Unreadable, match=r"^metadata\.annotations\.projectcalico\.org/ASNumber must be"):
        read_host(node)


@pytest.mark.parametrize(("text", "seconds"), [("24h", 86400), ("1.5s", 2), ("0s", 0)])
def test_a_restart_time_is_at_most_a_day(text: str, seconds: int) -> None:
    assert peering(**ROUTER, maxRestartTime=text).restart_time == seconds


@pytest.mark.parametrize(
    ("spec", "hidden"),
    [
        ({}, False),
        ({"allowedUses": []}, False),
        ({"allowedUses": ["Workload", "Tunnel"]}, False),
        ({"allowedUses": ["LoadBalancer"]}, True),
        ({"disabled": True}, True),
        ({"disableBGPExport": True}, True),
        ({"allowedUses": 5}, False),
    ],
)
def test_which_pools_addresses_are_announced(spec: dict[str, Any], hidden: bool) -> None:
    assert list(exported([made("IPPool", "pods", **spec)])) == ([] if hidden else ["pods"])
