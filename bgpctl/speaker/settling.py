"""Which new sessions a manager holds back for a moment (`core.intent.settling`), on the monotonic clock."""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf

from bgpctl.core.intent.settling import Memory, settle
from bgpctl.core.model import Intent, Observed


class Settling:
    """`held` are the peers that wait, `due` the seconds until the next of them does no more (inf = none
    waits)."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._memory: Memory = {}
        self.held: frozenset[str] = frozenset()
        self.due = inf

    def hold(self, intent: Intent, observed: Observed) -> Intent:
        """The intent without the new peers that must wait."""
        found = settle(intent.peers, observed.peers, self._memory, time.monotonic(), self._pause)
        self.held, self._memory, self.due = found
        if not self.held:
            return intent
        return replace(intent, peers=tuple(peer for peer in intent.peers if peer.name not in self.held))
