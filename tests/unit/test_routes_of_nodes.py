"""`routes` of a cluster: which nodes are shown, and what is beside the intent of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.intent.routeview import Intended
from bgpctl.core.reading.documents import name_of
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.ports import Outlook
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.queries.routes import beside, node_routes
from bgpctl.runbooks import cluster
from tests.support import direct, intents, node_states, objects
from tests.support.direct import EPOCH, Wire
from tests.support.kinds import KINDS

LONELY = {"labels": {}}


def _seeded() -> direct.Api:
    """c and a are selected, b is not; of b and d speakers report."""
    api = direct.Api()
    api.server.apply(*KINDS, objects.policy(objects.router(objects.neighbor("192.0.2.1/32"))))
    api.server.apply(*(objects.node(name) for name in ("c", "a")))
    api.server.apply(*(objects.node(name, **LONELY) for name in ("b", "d", "e")))
    api.server.apply(to_document(node_states.state("b", EPOCH, node_states.peer(EPOCH))))
    api.server.apply(to_document(node_states.state("d", EPOCH)))
    return api


SEEDED = _seeded()


@pytest.fixture
def wire() -> Wire:
    return Wire(SEEDED.fork())


def shown(wire: Wire, *names: str) -> list[str]:
    return [node.node for node in node_routes(wire.client(), names)]


def test_the_nodes_that_run_bgp_by_name(wire: Wire) -> None:
    assert shown(wire) == ["a", "b", "c"]


def test_one_whose_speaker_cannot_be_read_is_shown_too(wire: Wire) -> None:
    client = wire.client()
    store, kind = wire.api.server.store, ("bgpctl.io", "bgpnodestates")
    stored = store.get(kind, "", "d")
    assert stored is not None
    store.put(kind, {**stored.document, "status": {"phase": {"a": 1}}})  # as without its CRD
    assert shown(wire) == ["a", "b", "c", "d"]
    fails = {names: node_routes(client, names).unreadable for names in ((), ("a",), ("e", "d"), ("d",))}
    assert fails == {(): False, ("a",): False, ("e", "d"): True, ("d",): True}, "who asked for that node"
    last = next(iter(node_routes(client, ("d",))))
    assert last.unreadable
    (note,) = last.notes
    assert note.startswith("what its speaker published cannot be read (")
    assert note.endswith("): what it announces is not known")


def test_a_route_that_nodes_share_has_one_row() -> None:
    """A thousand nodes with a thousand routes have a million, and what is said of most is the same."""
    rows = Intended()
    first, second = (beside(INTENT, None, NOW, rows).peers[0].rows for _ in range(2))
    assert len(first) == 3 and all(one is other for one, other in zip(first, second, strict=True))
    assert first == beside(INTENT, None, NOW).peers[0].rows


def test_a_node_is_compiled_when_it_is_asked_for_and_not_kept(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def noted(self: cluster.Objects, node: Any) -> Any:
        compiled.append(name_of(node))
        assert self.outlook.fleet
        return self.outlook.fleet.intent(node, False)

    monkeypatch.setattr(cluster.Objects, "compiled", noted)
    look = node_routes(wire.client(), ())
    assert compiled == []
    nodes = iter(look)
    next(nodes)
    next(nodes)
    assert compiled == ["a", "b"]
    assert [node.node for node in look] == ["a", "b", "c"], "it may be gone through again"


def test_the_named_ones_whether_they_run_bgp_or_not(wire: Wire) -> None:
    assert shown(wire, "e", "a") == ["e", "a"]
    first, second = node_routes(wire.client(), ("e", "a"))
    assert (first.peers, [peer.address for peer in second.peers]) == ((), ["192.0.2.1"])


def test_names_that_no_node_has(wire: Wire) -> None:
    with pytest.raises(UsageError) as told:
        shown(wire, "x", "a", "y")
    assert told.value.message == "nodes x, y do not exist"


# --- one node -----------------------------------------------------------------------------------------------

NOW = 1_800_000_000.0
INTENT = intents.compiled(
    objects.service("web", "192.0.2.80"), slices=(objects.endpoint_slice("web", objects.endpoint()),)
)
UNSELECTED = replace(INTENT, selected=False, policy="", peers=(), routes={})


def state(**changes: Any) -> NodeState:
    peer = replace(
        node_states.peer(NOW, "127.0.0.100", pending=True), name=intents.PEER, intended=3, announced=3
    )
    return node_states.state("worker-1", NOW, peer, **{"selected_by": "policy", **changes})


def notes(told: NodeState | None, intent: Any = INTENT) -> tuple[str, ...]:
    return beside(intent, told, NOW).notes


def test_a_speaker_that_is_up_to_date_needs_no_word() -> None:
    seen = beside(INTENT, state(), NOW)
    assert (seen.notes, seen.unreadable) == ((), False)
    (peer,) = seen.peers
    assert (peer.state, peer.pending, peer.reported) == ("established", True, (3, 3))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"selected_by": "other"}, "its speaker runs other; the routes shown here are those of policy"),
        ({"selected_by": ""}, ""),
        ({"policy_problem": "it has no router"}, "it has no router"),
        (
            {"heartbeat": NOW - 1000},
            "its speaker has not reported for 1000 s: what it announces is not known",
        ),
    ],
)
def test_what_is_said_of_a_speaker(changes: dict[str, Any], said: str) -> None:
    assert notes(state(**changes)) == ((said,) if said else ())


def test_a_node_that_is_not_selected_any_more_runs_no_other_policy() -> None:
    """It is on its way out: the peers that are left are told one by one."""
    assert not UNSELECTED.selected
    told = notes(state(selected_by="policy"), UNSELECTED)
    assert all("the routes shown here" not in note for note in told)


def test_what_a_stack_does_not_count_is_no_count() -> None:
    for changes in ({"intended": None}, {"announced": None}):
        told = state()
        peers = tuple(replace(one, **changes) for one in told.peers)
        (peer,) = beside(INTENT, replace(told, peers=peers), NOW).peers
        assert (peer.state, peer.reported) == ("established", None)


def test_none_announced_is_a_count() -> None:
    told = state()
    peers = tuple(replace(one, intended=0, announced=0) for one in told.peers)
    (peer,) = beside(INTENT, replace(told, peers=peers), NOW).peers
    assert peer.reported == (0, 0)


def test_whose_nodes_are_shown_may_be_said(wire: Wire) -> None:
    class Nobody(Bgpctl):
        def outlook(self) -> Outlook:
            return Outlook()

    client = wire.client()
    assert [node.node for node in node_routes(client, (), Bgpctl(client))] == ["a", "b", "c"]
    assert list(node_routes(client, (), Nobody(client))) == []
