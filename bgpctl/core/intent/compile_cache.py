"""What earlier compiles found out, so that a change of one object costs one object.

Only a shortcut: with any memo, of whatever history, a compile gives what it gives without one
(tests/unit/test_memo.py). That holds because a stage looks up by the very values that its result is made of,
all of them frozen: a result is kept together with them, and used while they are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import is_
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

PART = 128
FEW = 8
"""So many things are quicker made anew than looked for among all."""


def same(one: Sequence[object], other: Sequence[object]) -> bool:
    """Are these the very same objects? Compared as fast as memory is read."""
    return len(one) == len(other) and all(map(is_, one, other))


class Same:
    """Raw documents, which are what they were only when they are the very same objects: to Python 1 is True
    and 1.0, to a policy one of them is a fault."""

    __slots__ = ("_held",)

    def __init__(self, *held: object) -> None:
        self._held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and same(self._held, other._held)

    __hash__ = None  # type: ignore[assignment]


class Memo:
    """The last results of each stage. `None` in the place of a Memo costs nothing but time."""

    __slots__ = ("_stages",)

    def __init__(self) -> None:
        self._stages: dict[str, tuple[object, dict[Any, Any]]] = {}

    def results(self, stage: str, given: object) -> dict[Any, Any]:
        """What the stage found the last time; nothing when what all its results hang on is not `given`."""
        kept = self._stages.get(stage)
        return kept[1] if kept is not None and kept[0] == given else {}

    def keep(self, stage: str, given: object, results: dict[Any, Any]) -> None:
        """In the place of the last results: what was not used this time is forgotten."""
        self._stages[stage] = (given, results)

    def once(self, stage: str, given: object, make: Callable[[], T]) -> T:
        """What `make` gives, made again only when `given`, of which it is made, is not what it was."""
        kept = self.results(stage, given)
        if not kept:
            kept = {"made": make()}
            self.keep(stage, given, kept)
        made: T = kept["made"]
        return made

    def parts(
        self, stage: str, given: object, items: tuple[T, ...], make: Callable[[tuple[T, ...]], R]
    ) -> list[R]:
        """What `make` gives for each PART of `items`, made again only for those in which something changed:
        what is not looked at one by one is compared as fast as memory is read."""
        before, now = self.results(stage, given), dict[int, tuple[tuple[T, ...], R]]()
        for start in range(0, len(items), PART):
            part, kept = items[start : start + PART], before.get(start)
            now[start] = kept if kept is not None and same(kept[0], part) else (part, make(part))
        self.keep(stage, given, now)
        return [made for _, made in now.values()]


class Shared(Generic[T, R]):
    """What was made of single things, found by their identity: where lists have most of their things in
    common, each is made once. Of things that were not in the last MOST of them nothing is kept."""

    MOST = 50_000

    def __init__(self, make: Callable[[T], R]) -> None:
        self._make = make
        self._kept: dict[int, tuple[T, R]] = {}

    def of(self, things: Iterable[T]) -> list[R]:
        """Made of each, in their order."""
        if len(self._kept) > self.MOST:
            self._kept = {}
        kept, made = self._kept, []
        for thing in things:
            known = kept.get(id(thing))
            if known is None:
                known = kept[id(thing)] = thing, self._make(thing)
            made.append(known[1])
        return made


class Earlier(Generic[R]):
    """What was made of single things the last time, part by part, found by their identity, which is cheap:
    whoever keeps a result holds its thing too, so that none is taken for another."""

    def __init__(self, parts: Mapping[int, Mapping[int, R]]) -> None:
        self._parts = parts
        self._all: Mapping[int, R] | None = None

    def of(self, place: int, things: Iterable[object]) -> Mapping[int, R]:
        """What is known of the part at `place`; of all, where the parts moved against each other."""
        near = self._parts.get(place, {})
        if sum(id(thing) not in near for thing in things) <= FEW:
            return near
        if self._all is None:
            self._all = {key: made for part in self._parts.values() for key, made in part.items()}
        return self._all
