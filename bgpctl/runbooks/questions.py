"""Questions to several routers at once, and patience with each of them only once.

A router that hangs lets a question time out (5 s, witness/asking.py). It is then not waited for again: it is
asked behind the scenes until it answers, and from the next look on counts as any other. That answer itself is
not used: what a look says was asked during that look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bgpctl.witness.model import RouterAnswer, RouteState

HANGS_SECONDS = 1.0
"""A router that took longer to give no answer hangs; one that refuses a connection does so at once."""

Question = Callable[[], RouterAnswer]


class _Put:
    """One question, in a thread of its own that keeps no process alive."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._answer: RouterAnswer | None = None
        self._problem: BaseException | None = None
        self._took = 0.0
        self._thread = threading.Thread(target=self._run, name="router", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._answer = self._question()
        except BaseException as problem:
            self._problem = problem
        self._took = time.monotonic() - began

    def answer(self) -> RouterAnswer:
        """Waits for it. Raises what the question raised."""
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        assert self._answer is not None, "it ended with an answer or with a problem"
        return self._answer

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def hung(self) -> bool:
        return self._took > HANGS_SECONDS and self.answer().routes is RouteState.UNKNOWN


@dataclass(slots=True)
class Questions:
    """`at_once` False: one after the other, in the caller's thread."""

    at_once: bool = True
    _hanging: dict[int, _Put] = field(default_factory=dict)
    _last: dict[int, RouterAnswer] = field(default_factory=dict)

    def ask(self, questions: Sequence[Question]) -> list[RouterAnswer]:
        """One answer to each, in their order: a router keeps its place from look to look."""
        if not self.at_once:
            return [question() for question in questions]
        put = [None if self._hangs(n, question) else _Put(question) for n, question in enumerate(questions)]
        for number, one in enumerate(put):
            if one is not None:
                self._last[number] = one.answer()
                if one.hung:
                    self._hanging[number] = _Put(questions[number])
        return [self._last[number] for number in range(len(questions))]

    def _hangs(self, number: int, question: Question) -> bool:
        """Does a router that hung go on doing so? One that answered is asked anew."""
        behind = self._hanging.get(number)
        if behind is None:
            return False
        if behind.over:
            if behind.hung:
                self._hanging[number] = _Put(question)
            else:
                del self._hanging[number]
        return number in self._hanging
