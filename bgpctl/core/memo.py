"""What earlier compiles found out, so that a change of one object costs one object.

Only a shortcut: with any memo, of whatever history, a compile gives what it gives without one
(tests/unit/test_memo.py). That holds because a stage looks up by the very values that its result is made of,
all of them frozen: a result is kept together with them, and used while they are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


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
