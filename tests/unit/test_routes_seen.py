"""`routes` from outside: the intent beside published counts, and how both are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.routeview import SPEAKER, NodeRoutes, PeerRoutes, RouteRow, Standing, only_peer
from bgpctl.core.model import Attributes, SessionState
from bgpctl.core.state import NodeState, PeerState
from bgpctl.errors import UsageError
from bgpctl.queries.routes import beside
from bgpctl.render import routes as out
from bgpctl.render.envelope import plain_data
from bgpctl.render.text import plain
from tests.support import intents, node_states, objects
from tests.support.golden import check_golden

NOW = 1_800_000_000.0
PEER, ADDRESS = intents.PEER, "127.0.0.100"
WEB = objects.service("web", "192.0.2.80")
DARK = objects.service("dark", "192.0.2.81", local=True)
INTENT = intents.compiled(WEB, DARK, slices=(objects.endpoint_slice("web", objects.endpoint()),))
MARKED = Attributes(ip_address("192.0.2.9"), frozenset({"65000:2", "65000:1"}), frozenset({"1:2:3"}), 200)


def reported(intended: int = 3, announced: int = 3, **session: Any) -> PeerState:
    made = node_states.peer(NOW, ADDRESS, **session)
    return replace(made, name=PEER, intended=intended, announced=announced)


def state(*peers: PeerState, **changes: Any) -> NodeState:
    return node_states.state("worker-1", NOW, *peers, **{"selected_by": "policy", **changes})


def words(*nodes: NodeRoutes, absent: bool = False, wide: bool = False) -> str:
    return "\n".join(plain(row) for row in out.text(out.Shown(nodes, absent), wide=wide))


def test_what_is_only_intended_is_never_called_announced() -> None:
    seen = beside(INTENT, None, NOW)
    assert {row.standing for peer in seen.peers for row in peer.rows} == {Standing.INTENDED}
    text = words(seen)
    assert "worker-1 to 127.0.0.100: 3 intended, its speaker reports nothing of this peer" in text
    assert "no speaker reports for this node: what it announces is not known" in text
    document = plain_data(out.document(out.Shown((seen,))))
    (peer,) = document["nodes"][0]["peers"]
    assert "announced" not in peer and "difference" not in peer and "reportedBySpeaker" not in peer
    assert '"standing": "announced"' not in json.dumps(document)


def test_published_counts_are_shown_as_the_speakers_word() -> None:
    text = words(beside(INTENT, state(reported(3, 2)), NOW))
    assert "3 intended, its speaker reports 2 announced, session established, 1 route behind" in text
    document = plain_data(out.document(out.Shown((beside(INTENT, state(reported()), NOW),))))
    assert document["nodes"][0]["peers"][0]["reportedBySpeaker"] == {"intended": 3, "announced": 3}


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        (state(reported(), heartbeat=NOW - 1000), "its speaker has not reported for 1000 s"),
        (
            state(reported(), selected_by="other"),
            "its speaker runs other; the routes shown here are those of policy",
        ),
        (
            state(reported(5, 5)),
            "its speaker intends 5 routes for 127.0.0.100, the cluster's objects ask for 3",
        ),
        (state(reported(), policy_problem="policy is invalid"), "policy is invalid"),
    ],
)
def test_what_a_reader_must_know(seen: NodeState, note: str) -> None:
    assert any(found.startswith(note) for found in beside(INTENT, seen, NOW).notes)


@pytest.mark.parametrize("age", [20.0, 59.0])
def test_a_count_that_may_lag_is_nobodys_fault(age: float) -> None:
    (note,) = set(beside(INTENT, state(reported(5, 5), heartbeat=NOW - age), NOW).notes) - set(
        INTENT.problems
    )
    assert note == (
        f"its speaker counted 5 routes for 127.0.0.100 {age:.0f} s ago, the cluster's objects ask for 3 now: "
        "counts follow a change within 30 s"
    )


def test_a_good_node_has_no_notes_of_ours() -> None:
    assert beside(INTENT, state(reported()), NOW).notes == INTENT.problems


def test_a_peer_that_only_the_speaker_has_is_listed() -> None:
    other = replace(reported(), name="65001/192.0.2.7", address="192.0.2.7")
    seen = beside(INTENT, state(reported(), other), NOW)
    assert [(p.address, len(p.rows), p.reported) for p in seen.peers][1] == ("192.0.2.7", 0, (3, 3))


def test_a_stale_speaker_reports_no_counts() -> None:
    (peer,) = beside(INTENT, state(reported(), heartbeat=NOW - 1000), NOW).peers
    assert peer.reported is None and peer.state == ""


# --- one peer ---------------------------------------------------------------------------------------------


def test_only_one_peer() -> None:
    seen = beside(INTENT, state(reported()), NOW)
    other = NodeRoutes("n2", SPEAKER, NOW, (PeerRoutes("x", "2001:db8::1"),))
    assert tuple(only_peer((seen, other), "2001:DB8:0::1")) == (other,)
    assert next(iter(only_peer((seen, other), ADDRESS))).absent == INTENT.absent


@pytest.mark.parametrize(
    ("address", "words"), [("192.0.2.99", "no node has a peer"), ("rack", "is not an IP")]
)
def test_no_such_peer(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        only_peer((beside(INTENT, None, NOW),), address)


# --- how it looks -----------------------------------------------------------------------------------------


def spoken() -> NodeRoutes:
    """What a speaker might answer: a row of every standing."""
    net = ip_network("192.0.2.0/28")
    rows = tuple(
        RouteRow(
            ip_network(f"{net[number]}/32"),
            standing,
            MARKED if number % 2 else Attributes(),
            MARKED if standing is Standing.CHANGING else None,
            "Service default/web",
            "it has a ready endpoint",
        )
        for number, standing in enumerate(s for s in Standing if s is not Standing.INTENDED)
    )
    peer = PeerRoutes(PEER, ADDRESS, rows, str(SessionState.ESTABLISHED), 2)
    return NodeRoutes("worker-1", SPEAKER, NOW, (peer,), INTENT.absent, ("a problem",))


def test_the_speakers_word_in_text() -> None:
    check_golden("routes_speaker.txt", out.text(out.Shown((spoken(),), absent=True), wide=True))


def test_the_cluster_in_text() -> None:
    seen = beside(INTENT, state(reported(3, 2)), NOW)
    check_golden("routes_cluster.txt", out.text(out.Shown((seen,))))


class Nodes:
    """Those of a look at the cluster: they may be gone through again, and `made` says how far somebody is."""

    def __init__(self, count: int) -> None:
        self.count, self.made = count, 0

    def __iter__(self) -> Iterator[NodeRoutes]:
        for number in range(self.count):
            self.made = number + 1
            yield replace(beside(INTENT, None, NOW), node=f"worker-{number}")


@pytest.mark.parametrize("absent", [False, True])
def test_the_table_of_nodes_that_are_not_kept_is_that_of_all_of_them(absent: bool) -> None:
    shown = list(map(plain, out.text(out.Shown(Nodes(12), absent))))
    assert shown == list(map(plain, out.text(out.Shown(tuple(Nodes(12)), absent))))


def test_a_row_is_told_before_the_next_node_is_made() -> None:
    nodes = Nodes(5)
    lines = out.text(out.Shown(nodes))
    assert plain(next(lines)).startswith("NODE ") and nodes.made == 5, "the widths are those of all rows"
    assert plain(next(lines)).startswith("worker-0 ") and nodes.made == 1
    document = out.document(out.Shown(nodes))
    assert next(document["nodes"])["node"] == "worker-0" and nodes.made == 1


def test_the_difference_in_json() -> None:
    document = plain_data(out.document(out.Shown((spoken(),), absent=True)))
    (node,) = document["nodes"]
    (peer,) = node["peers"]
    assert (node["source"], peer["intended"], peer["announced"], peer["pending"]) == ("speaker", 5, 1, 2)
    assert peer["difference"] == {
        s: 1 for s in ("pending", "changing", "withdrawing", "no-session", "not-negotiated")
    }
    assert peer["routes"][1]["attributes"] == {
        "nextHop": "192.0.2.9",
        "communities": ["65000:1", "65000:2"],
        "largeCommunities": ["1:2:3"],
        "localPreference": 200,
    }
    assert node["absentReasons"] == {"noEndpointSlice": 1}
    assert node["absent"][0]["reason"] == "noEndpointSlice" and node["absent"][0]["detail"]


def test_absent_routes_are_listed_when_asked_for() -> None:
    short, long = words(spoken()), words(spoken(), absent=True)
    assert "not announced: noEndpointSlice 1 (--absent says why)" in short
    assert "192.0.2.81/32" not in short and "192.0.2.81/32" in long


def test_nothing_at_all() -> None:
    assert words() == "no policy selects any node, and no speaker has a session"


def test_held_back_routes_are_explained_from_outside() -> None:
    """Only the speaker knows which; that it does, and how many, it publishes."""
    text = words(beside(INTENT, state(reported(2, 2), absent={"damped": 1}), NOW))
    assert "holds 1 of these routes back for a while, because they flap (damped)" in text
