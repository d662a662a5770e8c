"""What a compile keeps: found again while what it was made of is the same, and made anew where it is not."""

from __future__ import annotations

import pytest

from bgpctl.core.intent.compile_cache import FEW, PART, Earlier, Memo


def test_something_is_made_once_for_what_it_is_made_of() -> None:
    memo, made = Memo(), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [memo.once("a", given, make) for given in (1, 1, 2, 1)] == [1, 1, 2, 3], "the last one is kept"
    assert memo.once("b", 1, make) == 4, "each stage for itself"


def test_parts_are_made_anew_where_something_changed() -> None:
    memo, made = Memo(), []

    def make(part: tuple[int, ...]) -> int:
        made.append(part)
        return sum(part)

    things = tuple(range(3 * PART + 1))
    whole = memo.parts("s", "x", things, make)
    assert [len(part) for part in made] == [PART, PART, PART, 1] and sum(whole) == sum(things)
    made.clear()
    assert memo.parts("s", "x", things, make) == whole and made == []
    changed = (*things[: PART + 5], -1, *things[PART + 6 :])
    memo.parts("s", "x", changed, make)
    assert [part[5] for part in made] == [-1]
    made.clear()
    memo.parts("s", "y", changed, make)
    assert len(made) == 4, "what all of them hang on has changed"
    assert memo.parts("s", "y", changed[:PART], make) == [sum(things[:PART])]
    assert memo.parts("s", "y", (), make) == []


@pytest.mark.parametrize(("missing", "found"), [(FEW, "near"), (FEW + 1, "all")])
def test_few_things_that_are_new_are_not_looked_for_in_other_parts(missing: int, found: str) -> None:
    things, elsewhere = [object() for _ in range(20)], object()
    near = {id(thing): "near" for thing in things[missing:]}
    earlier = Earlier({0: near, 128: {id(elsewhere): "all"}})
    known = earlier.of(0, things)
    assert (id(elsewhere) in known) is (found == "all")
    assert known[id(things[-1])] == "near"
    assert earlier.of(128, [elsewhere]) == {id(elsewhere): "all"}
    assert earlier.of(256, [elsewhere]) == {}, "one new thing in a new part"
