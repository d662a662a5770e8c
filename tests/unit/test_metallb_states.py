"""What MetalLB's BGPPeers give a node, what is known of its sessions, and which speaker it has."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core import metallb
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.frr_k8s.told import Told
from bgpctl.core.metallb import EXCLUDED, KIND, LAG, UNTOLD, Peer, Unread, node_state
from bgpctl.core.model import SessionState
from bgpctl.core.state import NodeState
from tests.support import objects

UP, DOWN = SessionState.ESTABLISHED, SessionState.ACTIVE


def peer(name: str = "tor", address: str = "192.0.2.1", **spec: Any) -> Peer:
    whole = {"peerAddress": address, "peerASN": 65000, "myASN": 65001, **spec}
    found = metallb.read({"metadata": {"name": name}, "spec": whole})
    assert isinstance(found, Peer), found
    return found


def state(*peers: Peer, out: bool = False, told: Any = None, by: str = "", **labels: str) -> NodeState:
    return node_state(objects.node("n1", labels=labels), peers, (), out=out, told=told or {}, by=by)


def said(*peers: Peer, **words: Any) -> dict[Any, Told]:
    return {one.neighbor.key: Told(**{"state": UP, "uptime": 9.0, "sent": 0, **words}) for one in peers}


ONE, OTHER = peer(), peer("spine", "192.0.2.2")
GRACEFUL = peer("g", "192.0.2.3", enableGracefulRestart=True)


@pytest.mark.parametrize(
    ("selectors", "labels", "has"),
    [
        ([], {}, True),
        ([{"matchLabels": {"rack": "1"}}], {"rack": "1"}, True),
        ([{"matchLabels": {"rack": "1"}}], {}, False),
        ([{"matchLabels": {"rack": "1"}}, {"matchLabels": {"rack": "2"}}], {"rack": "2"}, True),
        ([{"matchLabels": {"rack": "1"}}, {"matchLabels": {"rack": "2"}}], {"rack": "3"}, False),
    ],
)
def test_which_nodes_have_a_peer(selectors: Any, labels: dict[str, str], has: bool) -> None:
    """Any of its selectors is enough; without one all have it."""
    assert peer(nodeSelectors=selectors).selects(labels) is has


@pytest.mark.parametrize("field", ["myASN", "peerASN", "localASN"])
def test_an_as_number_has_32_bits(field: str) -> None:
    assert peer(**{field: 2**32 - 1})
    bad = {"peerAddress": "192.0.2.1", "peerASN": 1, "myASN": 1, field: 2**32}
    found = metallb.read({"metadata": {"name": "tor"}, "spec": bad})
    assert isinstance(found, Unread) and f"spec.{field} must be an integer, 0..4294967295" in found.why


def test_a_node_in_service_of_which_nobody_tells() -> None:
    found = state(ONE, OTHER)
    assert (found.selected_by, found.selected_by_kind, found.problems) == ("tor, spine", KIND, (UNTOLD,))
    assert (found.lag, found.told_out, found.engine_asked, found.sessions_told) == (LAG, False, "", False)
    assert (found.announced, found.intended, found.unwithdrawn) == (None, None, ())
    assert [one.session.state for one in found.peers] == [SessionState.UNKNOWN] * 2


def test_a_node_without_a_peer_is_nobodys() -> None:
    found = state()
    assert (found.selected_by, found.selected_by_kind, found.problems, found.announced) == ("", "", (), 0)


def test_a_node_that_was_taken_out_is_selected_by_nothing() -> None:
    found = state(ONE, out=True, **{EXCLUDE: ""})
    assert (found.selected_by, found.selected_by_kind, found.told_out) == ("", "", True)
    assert found.problems == (UNTOLD, EXCLUDED) and found.announced is None


def test_what_its_frr_says_is_of_now() -> None:
    words = {"hold_time": 9, "keepalive_time": 3, "local": ip_address("10.0.0.1")}
    found = state(ONE, told=said(ONE, **words), by="vtysh")
    assert (found.lag, found.engine_asked, found.sessions_told, found.problems) == (0.0, "vtysh", True, ())
    (session,) = (one.session for one in found.peers)
    assert (session.state, session.hold_time, session.keepalive_time) == (UP, 9, 3)
    assert str(session.local_address) == "10.0.0.1"
    assert state(ONE, by="vtysh").engine_asked == "", "it said nothing"
    written = peer(sourceAddress="10.0.0.9")
    (session,) = (one.session for one in state(written, told=said(written, **words)).peers)
    assert str(session.local_address) == "10.0.0.9"


@pytest.mark.parametrize(
    ("out", "sent", "announced"), [(True, 0, 0), (True, 2, 2), (True, None, None), (False, 0, None)]
)
def test_a_count_says_something_where_nothing_is_to_be_sent(
    out: bool, sent: int | None, announced: int | None
) -> None:
    assert state(ONE, out=out, told=said(ONE, sent=sent)).announced == announced


@pytest.mark.parametrize(
    ("one", "out", "words", "lost"),
    [
        (ONE, True, {}, False),
        (ONE, True, {"state": DOWN}, True),
        (ONE, False, {"state": DOWN}, False),  # nobody told it to leave
        (GRACEFUL, True, {"ended": True}, False),
        (GRACEFUL, True, {"ended": False}, True),  # a router that keeps routes was not told that this is all
        (ONE, True, {"ended": False}, False),
    ],
)
def test_a_router_that_was_not_told(one: Peer, out: bool, words: Any, lost: bool) -> None:
    found = state(one, out=out, told=said(one, **words))
    assert [peer.name for peer in found.unwithdrawn] == ([one.name] if lost else [])


# --- its speaker ------------------------------------------------------------------------------------------


def daemonset(*containers: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers)}}}}


def container(name: str = "speaker", *args: str, **env: str) -> dict[str, Any]:
    own = {"name": "METALLB_NODE_NAME"}
    return {
        "name": name,
        "args": list(args),
        "env": [own, *({"name": k, "value": v} for k, v in env.items())],
    }


BROKEN = {"spec": {"template": 5}}


@pytest.mark.parametrize(
    ("daemonsets", "leaves"),
    [
        ([], None),
        ([BROKEN], None),
        ([daemonset(container("other"))], None),
        ([daemonset(container())], False),
        ([daemonset(container(METALLB_BGP_TYPE="native"))], False),
        ([daemonset(container(METALLB_BGP_TYPE="frr"))], False),
        ([daemonset(container(METALLB_BGP_TYPE="frr-k8s"))], True),
        ([BROKEN, daemonset(container(METALLB_BGP_TYPE="frr-k8s"))], True),
        ([daemonset({"name": "speaker", "env": []})], None),
    ],
)
def test_who_has_the_sessions(daemonsets: Any, leaves: bool | None) -> None:
    """One that cannot be read says nothing, and hides no other."""
    assert metallb.leaves_to_frr_k8s(daemonsets) is leaves


@pytest.mark.parametrize(
    ("argument", "ignores"),
    [
        ("--ignore-exclude-lb", True),
        ("--ignore-exclude-lb=true", True),
        ("-ignore-exclude-lb=T", True),
        ("--ignore-exclude-lb=1", True),
        ("--ignore-exclude-lb=false", False),
        ("--port=7472", False),
        ("ignore-exclude-lb", False),
    ],
)
def test_whether_it_announces_in_spite_of_the_label(argument: str, ignores: bool) -> None:
    for one in (container("speaker", argument), {"name": "speaker", "command": ["/speaker", argument]}):
        assert metallb.ignores_exclusion([BROKEN, daemonset(one)]) is ignores
    assert not metallb.ignores_exclusion([daemonset(container("other", argument))])
