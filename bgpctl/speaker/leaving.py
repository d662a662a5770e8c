"""How a node leaves service: which request it answers, the soak, what is still with the routers, the proof.

    in service ──deselected──► soaks ──► withdraws, flushes, Cease ──► a record, the proof of the leave
                      └─ no session is left: nothing can be withdrawn ──► unproved, until the node has peers
                                                                          again or has left

All of it outlives the process, in the state that it published.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from bgpctl.core.intent.diff import Leave
from bgpctl.core.model import Intent, Observed
from bgpctl.core.policy.annotations import leave_name, leave_reason
from bgpctl.core.policy.nodeconfig import NodeConfig
from bgpctl.core.reading.documents import annotations_of
from bgpctl.core.state import UNPROVED, NodeState, PeerState, WithdrawnRecord
from bgpctl.ports import Engine
from bgpctl.speaker.apply import running
from bgpctl.speaker.graceful_shutdown import Soaking
from bgpctl.speaker.held import Held
from bgpctl.speaker.settings import Settings
from bgpctl.speaker.status.build import peer_state, record

log = logging.getLogger("bgpctl.speaker")


class Leaving:
    """One node's leave. `seen` is the request to leave that the intent was decided with, `withdrawn` the
    record of the last leave; `with_speaker`: the node goes away while its speaker stops. `uid`:
    this process."""

    def __init__(self, node: str, engine: Engine, settings: Settings, uid: str) -> None:
        self._engine, self._plain, self._uid = engine, settings.leave_reason, uid
        self._why = ""
        self._before = NodeState(node)
        self._held = Held()
        self._unproved = False
        self._answered = ""
        self.soak = Soaking(settings.soak)
        self.seen = ""
        self.withdrawn: WithdrawnRecord | None = None
        self.with_speaker = False

    # -- what is told

    @property
    def reason(self) -> str:
        """In the words that routers get: the operator's, where there are any."""
        return f"node leaves service: {self._why} (bgpctl)" if self._why else self._plain

    @property
    def unwithdrawn(self) -> tuple[PeerState, ...]:
        """The peers whose sessions ended without a withdraw, whatever the policy says of them now."""
        return self._held.unwithdrawn

    @property
    def phase(self) -> str:
        """Of a node that no policy selects."""
        unknown = self._unproved and self._engine.stays and self._engine.trouble
        if self._engine.observed().peers or unknown:  # one that lives on without us may announce what it had
            return "Leaving"
        return "Withdrawn" if self.withdrawn else "Idle"

    @property
    def problem(self) -> str:
        return UNPROVED if self._unproved and not self._engine.observed().peers else ""

    @property
    def due(self) -> float:
        """In how many seconds the soak ends, inf = none is."""
        return (self.soak.began is not None and self.soak.left(self._engine.observed())) or inf

    # -- what it follows

    def remember(self, before: NodeState) -> None:
        """What an earlier process published."""
        self._before = before
        self.withdrawn, self._unproved = before.withdrawn, before.unproved
        for peers in (before.peers, before.unwithdrawn):  # these know what was negotiated last
            self._held.remember(peers, time.monotonic())

    def look(self) -> None:
        """A session that came up since the last report counts too."""
        observed = self._engine.observed()
        self.watch([peer_state(name, observed, None) for name in observed.peers])

    def watch(self, peers: Sequence[PeerState]) -> None:
        """What the engine has now. Of a leave that proved nothing, nothing is forgotten."""
        self._held.watch(peers, time.monotonic())
        if not self._unproved:
            self._held.forget(time.monotonic())

    def soaks(
        self, intent: Intent, before: Intent | None, node: Mapping[str, Any] | None
    ) -> NodeConfig | None:
        """What an intent that takes the node out goes on with meanwhile; None = nothing soaks."""
        self.soak.configure(node)
        if intent.selected or before is None or before.config is None:
            self.soak.forget()
            return None
        return before.config if self.soak.left(self._engine.observed()) else None

    def follow(self, before: Intent | None, intent: Intent, node: Mapping[str, Any] | None) -> None:
        """A node that is deselected now has not withdrawn yet, whatever an earlier leave has proved. Which
        request to leave is seen changes with the intent only: a phase must not be taken for an answer that it
        is not. `before`: the last intent, None = this is the first."""
        if node is not None and not intent.undecided:
            self.seen = leave_name(annotations_of(node))
            self._why = leave_reason(annotations_of(node))
        selected = before.selected if before else self._before.in_service
        if intent.out:
            if selected:
                self.withdrawn = None
            if self.withdrawn is None:
                self._unproved |= bool(self._held or (selected and before and before.peers))
        if before is None or selected or intent.selected:  # no longer once a leave has begun
            self._answered = self.seen
        if before is None and not intent.selected and self._before.phase == "Leaving":
            self._answered = self._before.observed_leave
            self._recall(intent)
        self._unproved &= not intent.selected

    def _recall(self, intent: Intent) -> None:
        """The speaker before us died while its node left. An engine that outlived it knows how that ended."""
        left, peers = running(self._engine, intent).peers, self._before.peers
        gone = self._engine.departed
        if peers and not left and all(peer.name in gone for peer in peers):
            self.withdrawn = record(
                self.reason, time.time(), list(peers), gone, answers=self._answered, uid=self._uid
            )
            self._held.left(gone, gone)
            self._unproved = False
            log.info("speaker.leave_recalled", extra={"peers": len(peers)})

    # -- what it does

    def perform(self, action: Leave) -> None:
        """Withdraw, flush, Cease. Raises Temporary."""
        self.look()
        self._engine.perform(action)
        self._held.left(action.peers, self._engine.departed)

    def leave_service(self, action: Leave, tell: Callable[[], None]) -> None:
        """The same of a node that leaves: write down the proof, which outlives the drain. Raises
        Temporary."""
        seen, observed = time.time(), self._engine.observed()
        self.withdrawn = None
        tell()  # a router that reads slowly makes this take seconds
        self.perform(action)
        self.withdrawn = self._record(action, seen, observed)
        self._unproved = False

    def _record(self, action: Leave, seen: float, observed: Observed) -> WithdrawnRecord:
        before = [peer_state(name, observed, None) for name in action.peers if name in observed.peers]
        began, out = self.soak.began or seen, self.soak.out
        return record(action.reason, began, before, self._engine.departed, out, self._answered, self._uid)
