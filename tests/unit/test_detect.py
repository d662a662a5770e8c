"""Whom a cluster's objects show to speak BGP, and what it costs to find out."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from bgpctl import providers
from bgpctl.cli import flags
from bgpctl.core import handover
from bgpctl.core.cilium.nodeconfig import LABEL, LABELLED
from bgpctl.core.handover import Look
from bgpctl.core.state import STALE_AFTER_SECONDS
from bgpctl.core.state_document import to_document
from bgpctl.errors import BgpctlError, Blocked, UsageError
from bgpctl.kube import paths
from bgpctl.lab.api.status import ApiError
from bgpctl.lab.stacks.cilium.documents import NODE_CONFIGS, cilium_node, crd
from bgpctl.providers import detect
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.runbooks import whose
from bgpctl.runbooks.journal import ANNOTATION, dump
from tests.support import direct, node_states, objects, snapshots
from tests.support.direct import EPOCH
from tests.support.kinds import KINDS
from tests.support.snapshots import journal


def config(name: str) -> dict[str, Any]:
    spec = {"bgpInstances": [{"name": "main", "localASN": 65001}]}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPNodeConfig",
        "metadata": {"name": name},
        "spec": spec,
    }


def state(name: str, ago: float = 0.0) -> dict[str, Any]:
    return to_document(node_states.state(name, EPOCH - ago))


def api(*documents: dict[str, Any], cilium: bool = True) -> direct.Api:
    made = direct.Api()
    made.server.apply(*KINDS, *((crd(),) if cilium else ()))
    made.server.apply(*(objects.node(name) for name in ("n1", "n2")), *documents)
    return made


def whom(made: direct.Api, node: str = "n1", named: str = "") -> str:
    return whose.provider(direct.Wire(made).client(), node, named).name


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        ((), ("bgpctl",)),
        ((cilium_node("n1"),), ("cilium",)),
        ((config("n1"),), ("cilium",)),
        ((config("n1"), state("n2")), ("bgpctl", "cilium")),
        ((cilium_node("n1"), state("n1")), ("bgpctl",)),
    ],
    ids=[
        "nothing yet",
        "every node of Cilium is out",
        "Cilium",
        "both",
        "our speaker beside Cilium's network",
    ],
)
def test_the_objects_of_a_cluster_tell(documents: tuple[Any, ...], found: tuple[str, ...]) -> None:
    assert detect.look(direct.Wire(api(*documents)).client()).stacks == found


def test_without_another_stacks_kind_it_takes_four_small_requests() -> None:
    wire = direct.Wire(api(state("n1"), cilium=False))
    assert whose.provider(wire.client(), "n1").name == "bgpctl"
    assert [(one.path, one.query) for one in wire.sent] == [
        ("/apis", {}),
        *((path, {"limit": "1"}) for path in (*paths.NODE_CONFIGS, paths.CILIUM_NODES)),
    ]


def test_who_is_not_told_the_groups_asks_each_stack() -> None:
    wire = direct.Wire(api(config("n1")))
    wire.before = lambda asked: direct.refused(403) if asked.path == "/apis" else None
    client = wire.client()
    client.get(paths.NODES)  # a refusal at the very start may pass
    assert detect.look(client).stacks == ("cilium",)


def test_a_stack_without_resources_is_looked_for_where_nobody_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hidden: Any = SimpleNamespace(speaks=lambda client: True)
    monkeypatch.setitem(providers.TABLE, "hidden", providers.Row(lambda: hidden))
    bare = direct.Api()
    assert detect.look(direct.Wire(bare).client()) == detect.Found(("hidden",))
    assert detect.look(direct.Wire(api(cilium=False)).client()) == detect.Found(("bgpctl",), alone=True)
    assert detect.look(direct.Wire(api(config("n1"))).client()).stacks == ("cilium",)


def test_who_may_not_look_at_ciliums_objects_has_our_speaker() -> None:
    wire = direct.Wire(api(config("n1")))
    wire.before = lambda asked: direct.refused(403) if "nodeconfigs" in asked.path else None
    client = wire.client()
    client.get(paths.NODES)  # a refusal at the very start may pass
    made = detect.of_cluster(client)
    assert made.name == "bgpctl"


def test_a_node_with_two_stacks_is_refused_unless_one_is_named() -> None:
    made = api(config("n1"), config("n2"), state("n1"), state("n2", STALE_AFTER_SECONDS + 1))
    with pytest.raises(Blocked, match="two stacks speak BGP on n1") as told:
        whom(made)
    assert "--provider bgpctl" in told.value.hint and "--provider cilium" in told.value.hint
    assert (whom(made, named="cilium"), whom(made, named="bgpctl")) == ("cilium", "bgpctl")
    assert whom(made, "n2") == "cilium", "our speaker there is silent"
    with pytest.raises(UsageError):
        whom(made, named="quagga")


def test_in_a_cluster_that_moves_each_node_has_its_own() -> None:
    made = api(config("n1"), state("n2"))
    assert (whom(made, "n1"), whom(made, "n2")) == ("cilium", "bgpctl")
    both = detect.of_cluster(direct.Wire(made).client())
    assert {one.node: one.lag is None for one in both.states() or ()} == {"n1": False, "n2": True}
    assert set(both.outlook().states) == {"n1", "n2"}


def test_the_journal_decides_for_a_run_that_goes_on() -> None:
    made = api(config("n1"), state("n1"))
    client = direct.Wire(made).client()
    begun = replace(journal(), provider="cilium")
    client.patch(paths.node("n1"), {"metadata": {"annotations": {ANNOTATION: dump(begun)}}})
    assert whom(made) == "cilium"
    client.delete(f"{NODE_CONFIGS}/n1")
    assert whom(made) == "cilium", "also when its last node is out, by its label"


def test_of_a_node_with_both_the_listing_says_so() -> None:
    made = api(config("n1"), state("n1"))
    (told,) = detect.of_cluster(direct.Wire(made).client()).states() or ()
    assert told.lag is None and "Cilium speaks BGP on this node too" in told.problems[-1]


def test_the_flag_offers_the_providers_of_the_table() -> None:
    named, _ = get_args(get_args(flags.Provider)[0])
    assert get_args(named) == tuple(providers.TABLE)


# --- beside our speaker, and handed over ------------------------------------------------------------------


def test_what_our_speaker_finds_on_its_node() -> None:
    client = direct.Wire(api(config("n1"), state("n1"))).client()
    here = detect.beside(client, "n1")
    assert [(one.name, one.title, one.closed) for one in here.here] == [("cilium", "Cilium", False)]
    assert detect.beside(client, "n2") == Look(elsewhere=True)
    alone = direct.Wire(api(cilium_node("n1"), state("n1"))).client()
    assert detect.beside(alone, "n1") == Look(), "Cilium's network says nothing of its BGP"


def test_a_look_takes_less_than_ten_requests() -> None:
    for made in (api(state("n1"), cilium=False), api(config("n1"))):
        wire = direct.Wire(made)
        detect.beside(wire.client(), "n1")
        assert len(wire.sent) < 10


def left(name: str) -> dict[str, Any]:
    """As a drain leaves it: without owner and peers."""
    made = config(name)
    made["metadata"]["labels"] = {LABEL: LABELLED}
    return made


def test_one_that_was_drained_there_is_closed() -> None:
    (found,) = detect.beside(direct.Wire(api(left("n1"))).client(), "n1").here
    assert found.closed


def test_who_may_not_look_is_told() -> None:
    wire = direct.Wire(api(config("n1")))
    wire.before = lambda asked: direct.refused(403) if "nodeconfigs" in asked.path else None
    client = wire.client()
    client.get(paths.NODES)  # a refusal at the very start may pass
    with pytest.raises(BgpctlError):
        detect.beside(client, "n1")


def label(made: direct.Api, node: str, stack: str | None) -> None:
    direct.Wire(made).client().patch(paths.node(node), {"metadata": {"labels": {handover.LABEL: stack}}})


def test_the_label_says_whose_a_node_with_two_stacks_is() -> None:
    made = api(left("n1"), state("n1"), config("n2"))
    with pytest.raises(Blocked, match="two stacks") as told:
        whom(made)
    assert "kubectl label node n1 bgpctl.io/stack=cilium" in told.value.hint
    for stack in ("bgpctl", "cilium"):
        label(made, "n1", stack)
        assert whom(made) == stack
    label(made, "n1", "quagga")
    with pytest.raises(Blocked, match="two stacks"):
        whom(made)


def test_the_label_goes_before_the_journal_of_who_had_the_node() -> None:
    made = api(left("n1"), config("n2"))
    begun = {ANNOTATION: dump(replace(journal(), provider="cilium"))}
    direct.Wire(made).client().patch(paths.node("n1"), {"metadata": {"annotations": begun}})
    assert whom(made) == "cilium"
    label(made, "n1", "bgpctl")
    assert (whom(made), whom(made, named="cilium")) == ("bgpctl", "cilium")


def test_a_node_that_was_handed_over_is_listed_as_ours_and_one_that_waits_as_theirs() -> None:
    waiting = to_document(replace(node_states.state("n2", EPOCH), phase="Waiting"))
    told = detect.of_cluster(direct.Wire(api(left("n1"), state("n1"), config("n2"), waiting)).client())
    by_node = {one.node: one for one in told.states() or ()}
    assert {name: one.lag is None for name, one in by_node.items()} == {"n1": True, "n2": False}
    assert not any("too" in problem for one in by_node.values() for problem in one.problems)


def test_a_run_sees_the_nodes_of_every_stack() -> None:
    made = api(config("n1"), state("n2"))
    for name in ("cilium", "bgpctl"):
        one = detect.among(direct.Wire(made).client(), name)
        assert (one.name, set(one.outlook().states)) == (name, {"n1", "n2"})
    alone = detect.among(direct.Wire(api(state("n2"), cilium=False)).client(), "bgpctl")
    assert isinstance(alone, Bgpctl)


# --- beside the one that a run is about -------------------------------------------------------------------

HUNG = EPOCH - 10 * STALE_AFTER_SECONDS


def speaking(name: str, at: float = EPOCH, **more: Any) -> dict[str, Any]:
    return to_document(replace(node_states.state(name, at), peers=(snapshots.peer(),), **more))


def others(made: direct.Api, than: str, refused: str = "") -> list[tuple[str, bool]]:
    """(title, could nobody look?) of each."""
    wire = direct.Wire(made)
    client = wire.client()
    client.get(paths.NODES)  # a refusal at the very start may pass
    details = {"group": "cilium.io", "kind": refused}
    answer = direct.refusal(ApiError(403, "Forbidden", "cannot get it", details))
    wire.before = lambda asked: answer if refused and refused in asked.path else None
    return [(one.title, bool(one.unseen)) for one in detect.others(client, "n1", than)]


@pytest.mark.parametrize(
    ("documents", "than", "found"),
    [
        ((config("n1"),), "bgpctl", ["Cilium"]),
        ((config("n2"),), "bgpctl", []),
        ((left("n1"),), "bgpctl", []),
        ((config("n1"), speaking("n1")), "cilium", ["bgpctl's speaker"]),
        ((config("n1"), speaking("n1", HUNG)), "cilium", ["bgpctl's speaker"]),
        ((config("n1"), speaking("n1", HUNG, phase="Stopped", engine_mode="own")), "cilium", []),
        ((config("n1"), state("n1")), "cilium", []),
        ((config("n1"), speaking("n2")), "cilium", []),
    ],
    ids=[
        "has it",
        "has another",
        "was closed",
        "ours",
        "ours, silent",
        "ours, ended",
        "ours, idle",
        "elsewhere",
    ],
)
def test_who_may_announce_beside_the_one_that_a_run_is_about(
    documents: tuple[Any, ...], than: str, found: list[str]
) -> None:
    """By whatever name or label that one was chosen (issue 7)."""
    assert others(api(*documents), than) == [(title, False) for title in found]


@pytest.mark.parametrize(("cilium", "told"), [(True, [("Cilium", True)]), (False, [])], ids=["served", "not"])
def test_who_may_not_look_for_it_is_told_where_the_kind_is_served(
    cilium: bool, told: list[tuple[str, bool]]
) -> None:
    """An API server forbids also what it does not know."""
    assert others(api(state("n1"), cilium=cilium), "bgpctl", "ciliumbgpnodeconfigs") == told
