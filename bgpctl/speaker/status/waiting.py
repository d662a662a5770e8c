"""Until when the counts of a state wait before they are written (`core.state_lag` says which may)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from bgpctl.core.state import NodeState
from bgpctl.core.state_lag import FRESH_SECONDS, LAG_SECONDS, turned

Draw = Callable[[float, float], float]


class Waiting:
    """Of one state that is written again and again; seconds of one monotonic clock. A wait begins with the
    change and not with the last write: in a fleet that has been quiet, all would be due at once."""

    def __init__(self, lag: tuple[float, float] = LAG_SECONDS, draw: Draw = random.uniform) -> None:
        self._lag, self._draw = lag, draw
        self._turned: tuple[object, ...] | None = None
        self._fresh_until = -math.inf
        self.until = -math.inf

    def offered(self, state: NodeState, written: NodeState | None, now: float) -> None:
        """This is the state now, and that is what others read."""
        if (turn := turned(state)) != self._turned:
            self._turned, self._fresh_until = turn, now + FRESH_SECONDS
        if state == written:
            self.until = -math.inf
        elif self.until == -math.inf:
            self.until = now if now < self._fresh_until else now + self._draw(*self._lag)

    def wrote(self, written: NodeState, offered: NodeState, now: float) -> None:
        """Others read `written` from now on; what was offered meanwhile waits anew."""
        self.until = -math.inf
        self.offered(offered, written, now)
