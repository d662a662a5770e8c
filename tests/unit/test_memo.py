"""A memo only shortens a compile: with any history of it, the result is that of a compile from scratch."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bgpctl.core.intent import candidates, compile_cache
from bgpctl.core.intent.compile import ClusterObjects, compile_intent
from bgpctl.core.intent.compile_cache import Memo, Shared
from bgpctl.core.intent.endpoints import read_slice
from bgpctl.core.intent.services import host_prefix, read_service
from bgpctl.core.model import Intent
from tests.support import objects as kit
from tests.support.changing import NAME, NODES, POLICIES, POOLS, STEPS, World, services, slices


@example(True, POLICIES[4], [("pools", 0, POOLS[2]), ("pools", 0, POOLS[1])])
@example(True, POLICIES[1], [("options", 0, True), ("options", 0, False)])
@example(True, POLICIES[1], [("slice", 0, None), ("slice", 0, kit.endpoint_slice("a", kit.endpoint(NAME)))])
@example(True, POLICIES[1], [("service", 0, kit.service("a", "203.0.113.9")), ("service", 0, None)])
@given(st.booleans(), st.sampled_from(POLICIES[1:]), st.lists(STEPS, min_size=1, max_size=20))
def test_any_history_gives_what_a_compile_from_scratch_gives(
    read: bool, policies: Any, steps: list[Any]
) -> None:
    world, memo = World(read, policies), Memo()
    previous = world.compiled(None, memo)
    for step in steps:
        world.take(*step)
        fresh = world.compiled(previous, None)
        assert world.compiled(previous, memo) == fresh
        assert list(world.compiled(previous, memo).routes) == list(fresh.routes)
        previous = fresh


@given(st.integers(1, 3), st.sampled_from(POLICIES[1:]), st.lists(STEPS, min_size=1, max_size=20))
def test_nor_does_it_matter_how_many_are_looked_at_together(
    size: int, policies: Any, steps: list[Any]
) -> None:
    """PART things are compared at once; so few objects would all be in one."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (compile_cache, candidates):
            patch.setattr(module, "PART", size)
        test_any_history_gives_what_a_compile_from_scratch_gives.hypothesis.inner_test(True, policies, steps)


@given(st.lists(services(), max_size=4), st.lists(slices(), max_size=4))
def test_what_was_read_once_compiles_as_the_document(found: list[Any], counted: list[Any]) -> None:
    documents = ClusterObjects(
        node=NODES[0], policies=POLICIES[1], services=tuple(found), endpoint_slices=tuple(counted)
    )
    read = replace(
        documents,
        services=tuple(map(read_service, found)),
        endpoint_slices=tuple(read_slice(each, NAME) for each in counted),
    )
    assert compile_intent(read, NAME) == compile_intent(documents, NAME)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (kit.policy(kit.router(exportPodCIDR=True)), kit.policy(kit.router(exportPodCIDR=1))),
        (
            kit.policy(kit.router(kit.neighbor(holdTimeSeconds=90))),
            kit.policy(kit.router(kit.neighbor(holdTimeSeconds=90.0))),
        ),
    ],
)
def test_what_is_equal_to_python_is_not_the_same_to_a_policy(good: Any, bad: Any) -> None:
    """1 == True: the fault was not told, and the policy before it passed for the one that is written."""
    assert good == bad
    memo = Memo()
    first = World(True, [good]).compiled(None, memo)
    second = World(True, [bad]).compiled(first, memo)
    assert second == World(True, [bad]).compiled(first, None)
    assert second.stale and second.problems


def test_one_change_is_one_service_s_work() -> None:
    """The inverse: without a memo the same compile makes every route anew."""
    made = [read_service(kit.service(f"s{n}", str(IPv4Address("203.0.113.0") + n))) for n in range(9)]
    world, memo = World(True, POLICIES[1]), Memo()
    world.services, world.slices = dict(enumerate(made)), {}
    before = world.compiled(None, memo)
    world.take("service", 4, kit.service("s4", "198.51.100.4"))
    after, scratch = world.compiled(before, memo), world.compiled(before, None)

    def same(intent: Intent) -> int:
        ((_, old),), ((_, new),) = before.routes.items(), intent.routes.items()
        return sum(old.get(prefix) is route for prefix, route in new.items() if "Service" in route.origin)

    assert same(after) == 8 and same(scratch) == 0


def test_an_address_that_nobody_announces_any_more_costs_nothing() -> None:
    """Managers grew by 680 octets for each address that any Service ever had."""
    held = host_prefix("198.51.100.7")
    assert host_prefix("198.51.100.7") is held, "one object while somebody has it"
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


def test_what_lists_have_in_common_is_made_once() -> None:
    made: list[str] = []

    def make(name: str) -> list[str]:
        made.append(name)
        return [name]

    shared, names = Shared(make), [f"n{number}" for number in range(4)]
    first, second = shared.of(names[:3]), shared.of(names[1:])
    assert first == [["n0"], ["n1"], ["n2"]] and second[:2] == first[1:]
    assert second[0] is first[1] and made == ["n0", "n1", "n2", "n3"]


def test_of_things_that_nobody_has_any_more_nothing_is_kept_for_ever() -> None:
    shared: Shared[object, int] = Shared(id)
    shared.MOST = 10
    for _ in range(50):
        shared.of([object() for _ in range(4)])
        assert len(shared._kept) <= 10 + 4
