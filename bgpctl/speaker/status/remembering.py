"""From which addresses the sessions to each router came: told with every state, also of speakers before us.

A router may keep the routes of a session long after the node's next speaker has another address, and only who
knows the earlier one can ask about them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bgpctl.core.state import NodeState
from bgpctl.ports import Sink
from bgpctl.speaker.status.addresses import Addresses


@dataclass(slots=True)
class Remembering:
    """A sink that adds to each state what it has read and written before. It is read before it is written
    (the manager's `recall`)."""

    sink: Sink
    _known: Addresses = field(default_factory=Addresses)

    def read(self) -> NodeState | None:
        state = self.sink.read()
        if state is not None:
            self._known.notice(state)
        return state

    def write(self, state: NodeState) -> None:
        self.sink.write(self.completed(state))

    def completed(self, state: NodeState) -> NodeState:
        self._known.notice(state)
        return replace(state, locals=self._known.told)
