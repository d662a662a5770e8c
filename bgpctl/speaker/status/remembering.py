"""From which addresses the sessions to each router came: told with every state, also of speakers before us.

A router may keep the routes of a session long after the node's next speaker has another address, and only who
knows the earlier one can ask about them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bgpctl.core.state import MOST_LOCAL_PEERS, LocalAddresses, NodeState, newest
from bgpctl.ports import Sink

Router = tuple[str, int]  # peer address and port


@dataclass(slots=True)
class Remembering:
    """A sink that adds to each state what it has read and written before. It is read before it is written
    (the manager's `recall`)."""

    sink: Sink
    _known: dict[Router, tuple[str, ...]] = field(default_factory=dict)

    def read(self) -> NodeState | None:
        state = self.sink.read()
        if state is not None:
            for one in state.locals:
                self._note((one.peer, one.port), *one.addresses)
            self._notice(state)
        return state

    def write(self, state: NodeState) -> None:
        self.sink.write(self.completed(state))

    def completed(self, state: NodeState) -> NodeState:
        self._notice(state)
        told = (LocalAddresses(*router, addresses) for router, addresses in self._known.items())
        return replace(state, locals=tuple(told))

    def _notice(self, state: NodeState) -> None:
        left = tuple(peer.state for peer in state.withdrawn.peers) if state.withdrawn else ()
        for peer in (*left, *state.peers):
            if peer.session.local_address is not None:
                self._note((peer.address, peer.port), str(peer.session.local_address))

    def _note(self, router: Router, *addresses: str) -> None:
        known = self._known.pop(router, ())
        self._known[router] = newest((*known, *addresses))
        while len(self._known) > MOST_LOCAL_PEERS:
            del self._known[next(iter(self._known))]
