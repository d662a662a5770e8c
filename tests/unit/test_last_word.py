"""No change is lost and none overtakes another: whatever came in between, the engine has the last word."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.compile_cache import Memo
from bgpctl.core.intent.diff import Action, Announce, Withdraw, diff
from bgpctl.core.intent.pacing import WINDOW, release
from bgpctl.core.model import Intent
from bgpctl.errors import Temporary
from tests.support.changing import POLICIES, STEPS, World
from tests.support.fake_engine import FakeEngine


@dataclass
class Loop:
    """The speaker's loop on a clock of its own: compile, diff, pacing, perform."""

    world: World
    memo: Memo = field(default_factory=Memo)
    engine: FakeEngine = field(default_factory=FakeEngine)
    intent: Intent | None = None
    clock: float = 0.0
    released: float = -1.0

    def tick(self) -> None:
        self.intent = self.world.compiled(self.intent, self.memo)
        if not self.engine.observed().running:
            self.engine.start()
        actions = diff(self.intent, self.engine.observed())
        now, _ = release(actions, self.clock, self.released)
        if any(isinstance(action, Announce) for action in now):
            self.released = self.clock
        for action in now:
            with contextlib.suppress(Temporary):
                self.engine.perform(action)


def refuse(action: Action) -> None:
    """An engine that is too busy for routes just now."""
    if isinstance(action, Announce | Withdraw):
        raise Temporary("busy")


# A change, then a tick or none, after which some time passes; the engine may refuse routes, or die.
MOMENTS = st.tuples(
    STEPS,
    st.booleans(),
    st.sampled_from([0.0, WINDOW / 3, WINDOW * 2]),
    st.sampled_from(["works", "works", "works", "refuses", "dies"]),
)


@given(st.sampled_from(POLICIES[1:]), st.lists(MOMENTS, min_size=1, max_size=15))
def test_the_engine_announces_what_the_last_state_comes_to(policies: Any, moments: list[Any]) -> None:
    loop = Loop(World(True, policies))
    loop.tick()
    for step, ticks, seconds, engine in moments:
        loop.world.take(*step)
        loop.engine.refuse = refuse if engine == "refuses" else lambda action: None
        if engine == "dies":
            loop.engine.die()
        if ticks:
            loop.tick()
        loop.clock += seconds
    loop.engine.refuse = lambda action: None
    loop.clock += WINDOW * 2
    loop.tick()

    assert loop.intent is not None
    announced = {name: dict(table) for name, table in loop.engine.observed().announced.items() if table}
    wanted = {
        name: {prefix: route.attributes for prefix, route in table.items()}
        for name, table in loop.intent.routes.items()
        if table
    }
    assert announced == wanted
    assert diff(loop.intent, loop.engine.observed()) == ()
