"""What the routers say that can be asked: has this one the route, from this node?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bgpctl.core.intent.explaining.chain import ROUTER, Link, Status
from bgpctl.core.model import IPNetwork
from bgpctl.core.state import NodeState
from bgpctl.runbooks.peers import parse
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import PeerAnswer
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe

MOST = 16
"""Nodes about which routers are asked in one look: each question is one to every router."""

_COMMANDS = {
    "bird": "birdc -s {target} show route {prefix} all",
    "frr": "vtysh --vty_socket {target} -c 'show bgp {prefix}'",
    "gobgp": "gobgp global rib {prefix}",
    "openbgpd": "bgpctl -s {target} show rib {prefix}",
}


@dataclass
class Witnesses:
    """Asks about each node once. `now`: epoch seconds by the API server's clock."""

    probes: Sequence[Probe]
    now: Callable[[], float]
    _answers: dict[str, tuple[PeerAnswer, ...]] = field(default_factory=dict)

    def link(
        self,
        node: str,
        addresses: Sequence[str],
        state: NodeState | None,
        peer: str,
        prefix: IPNetwork | None,
    ) -> Link | None:
        """What the router at this peer's address has of `prefix`; None = nobody can ask it. `addresses` are
        the Node's own."""
        if not self.probes or not peer or prefix is None:
            return None
        if node not in self._answers:
            if len(self._answers) >= MOST:
                says = (
                    f"not asked about more than {MOST} nodes in one look: --from {node} asks about this one"
                )
                return Link(ROUTER, Status.UNTOLD, says)
            found = Routers(self.probes).look(state, None, self.now, addresses)
            self._answers[node] = found
        answers = zip(self.probes, self._answers[node], strict=True)
        meant = ((probe, one) for probe, one in answers if parse(one.peer)[0] == parse(peer)[0])
        return next((_link(probe, one, prefix) for probe, one in meant), self._stranger(node))

    def _stranger(self, node: str) -> Link | None:
        """A probe that says of no peer whose router it is."""
        lost = (one.answer.detail for one in self._answers[node] if not one.peer)
        return next((Link(ROUTER, Status.UNTOLD, why) for why in lost), None)


def _link(probe: Probe, told: PeerAnswer, prefix: IPNetwork) -> Link:
    answer = told.answer
    command = _COMMANDS.get(probe.kind, "").format(target=probe.target, prefix=prefix)
    if answer.routes is RouteState.UNKNOWN:
        return Link(ROUTER, Status.UNTOLD, f"{answer.router}: {answer.detail}")
    paths = [path for path in answer.paths if path.prefix == prefix]
    if not paths:
        count = len(answer.paths)
        routes = "1 route" if count == 1 else f"{count} routes"
        says = f"{answer.router} has {routes} of this node, and not this one: what does it accept of it?"
        return Link(ROUTER, Status.BROKEN, says, command=command, reason="routerHasNot")
    stale = " (stale: it keeps it, and forwards)" if all(path.stale for path in paths) else ""
    return Link(ROUTER, Status.OK, f"{answer.router} has it from {answer.neighbor}{stale}", command=command)
