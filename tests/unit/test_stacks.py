"""The matrix of stacks: what was seen against what must hold, objects against what they were, the cells."""

from __future__ import annotations

import pytest

from tests.matrix.cells import Graceful
from tests.stacks.__main__ import table
from tests.stacks.cells import ROUTERS, STACKS, Event, Place, places
from tests.stacks.eye import Look, Sight
from tests.stacks.judging import changed, seen
from tests.stacks.result import Result
from tests.stacks.run import AT_WRITES, ONCE
from tests.stacks.site import HALTED

UP, NONE, CLOSED, STALE = Sight(3, 0, True), Sight(0, 0, True), Sight(0, 0, False), Sight(0, 3, False)
RESET = "the session was reset before the proof"
KEPT = "routes were stale: the session was closed before they were withdrawn"


def looks(*node: Sight, other: Sight = UP) -> list[Look]:
    """One a second."""
    return [Look(float(at), {"n": one, "o": other if at else UP}) for at, one in enumerate(node)]


@pytest.mark.parametrize(
    ("stack", "sights", "proved", "words"),
    [
        pytest.param("cilium", (UP, NONE, NONE, CLOSED, UP), 2.5, [], id="withdrawn, proved, closed"),
        pytest.param("cilium", (UP, NONE, CLOSED, UP), 2.5, [RESET], id="closed before the proof"),
        pytest.param("cilium", (UP, CLOSED, UP), None, [RESET], id="never proved"),
        pytest.param("cilium", (UP, STALE, CLOSED), 0.5, [KEPT], id="closed with routes"),
        pytest.param("calico", (UP, Sight(0, 3, True), NONE), 1.5, [], id="sent anew by route refresh"),
        pytest.param("bgpctl", (UP, CLOSED, UP), 1.5, [], id="withdraws and closes by itself"),
        pytest.param("calico", (UP, NONE, CLOSED), 1.5, [RESET], id="closed, and stays up elsewhere"),
        pytest.param("relabel", (UP, STALE, CLOSED), 1.5, [], id="a lever that closes"),
        pytest.param("cilium", (), None, ["nobody looked at the router"], id="nobody looked"),
    ],
)
def test_what_was_seen(stack: str, sights: tuple[Sight, ...], proved: float | None, words: list[str]) -> None:
    assert seen(looks(*sights), STACKS[stack], "n", proved) == words


def test_an_absence_that_the_cell_made_is_no_fault_but_the_other_node_must_not_notice() -> None:
    assert seen(looks(UP, STALE), STACKS["bgpctl"], "n", None, disturbed=True) == []
    (said,) = seen(looks(UP, UP, other=NONE), STACKS["bgpctl"], "n", None, disturbed=True)
    assert said.startswith("o, another node, was touched")


def test_objects_that_are_not_as_before_are_named_with_what_differs() -> None:
    before = {"a": ({"labels": {"x": "1"}}, {"spec": {"y": 1}}), "b": ({}, {})}
    assert changed(before, before) == []
    now = {"a": ({"labels": {"x": "2"}}, {"spec": {}}), "c": ({}, {})}
    assert changed(before, now) == [
        "not as before: a: .labels.x, .spec.y",
        "not as before: b: gone",
        "not as before: c: new",
    ]


def test_every_event_happens_and_every_stack_can_be_halted() -> None:
    assert {*ONCE, *AT_WRITES} == set(Event)
    assert HALTED.keys() == {name for name in STACKS if STACKS[name].drains}


def test_a_stack_that_refuses_every_drain_is_asked_in_both_orders_and_no_more() -> None:
    for name, stack in STACKS.items():
        found = Place(name, "bird", Graceful.ON).events(list(Event))
        assert found == (list(Event) if stack.drains else [Event.GUIDE, Event.WITHDRAW_FIRST]), name
    assert not STACKS["kube-router"].drains


def test_the_n_bit_only_where_both_can_send_it() -> None:
    found = list(places(list(STACKS), ROUTERS, [Graceful.NOTIFICATION]))
    assert {(place.stack, place.router) for place in found} == {
        (stack, router) for stack in ("bgpctl", "cilium", "relabel") for router in ("frr", "gobgp")
    }


def test_the_report_has_a_word_for_each_cell_and_names_what_failed() -> None:
    good = Result("bgpctl", "bird", Graceful.ON, Event.GUIDE, runs=2)
    bad = Result("bgpctl", "frr", Graceful.OFF, Event.DOWN, ("it stays",), 3)
    assert [" ".join(line.split()) for line in table([good, bad])] == [
        "bird GR frr",
        "bgpctl guide ok –",
        "bgpctl down – FAILED",
        "",
        "2 cells, 5 commands, 1 cells failed",
        "bgpctl / frr / graceful restart off / down: it stays",
    ]
    *_, failed, again = table([good, bad], [Result("bgpctl", "frr", Graceful.OFF, Event.DOWN, runs=3)])
    assert failed == "bgpctl / frr / graceful restart off / down: it stays"
    assert again == "once more, alone: bgpctl / frr / graceful restart off / down: in order"
    assert Result.from_json(bad.to_json()) == bad
