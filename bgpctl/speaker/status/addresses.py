"""From which addresses of the node the sessions to each router came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bgpctl.core.state import MOST_LOCAL_PEERS, LocalAddresses, NodeState, newest

Router = tuple[str, int]  # peer address and port


@dataclass(slots=True)
class Addresses:
    """Those of every state that was noticed: the newest of them, and of routers too."""

    _known: dict[Router, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._known)

    @property
    def told(self) -> tuple[LocalAddresses, ...]:
        """As a state has them."""
        return tuple(LocalAddresses(*router, addresses) for router, addresses in self._known.items())

    def notice(self, state: NodeState) -> None:
        """What it tells of earlier sessions, of those that ended with its leave, and of those it has."""
        self.remember(state.locals)
        left = tuple(peer.state for peer in state.withdrawn.peers) if state.withdrawn else ()
        for peer in (*left, *state.peers):
            if peer.session.local_address is not None:
                self._note((peer.address, peer.port), str(peer.session.local_address))

    def remember(self, told: Iterable[LocalAddresses]) -> None:
        """What somebody else told so."""
        for one in told:
            self._note((one.peer, one.port), *one.addresses)

    def with_those(self, state: NodeState) -> Addresses:
        """These, and those of this state, which are newer."""
        both = Addresses(dict(self._known))
        both.notice(state)
        return both

    def _note(self, router: Router, *addresses: str) -> None:
        known = self._known.pop(router, ())
        self._known[router] = newest((*known, *addresses))
        while len(self._known) > MOST_LOCAL_PEERS:
            del self._known[next(iter(self._known))]
